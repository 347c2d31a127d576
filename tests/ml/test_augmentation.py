"""Altered copies: what noise touches, what a sub-sequence keeps, and that neither depends on its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.preprocessing.augmentation import augment, copies_of, uniforms
from studies.study import Augmentation, MultiplicativeNoise, Subsequence


def some_signals(count: int = 40, length: int = 50, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).uniform(1, 2, (count, length, channels)).astype(np.float32)


def ids(count: int) -> list[str]:
    return [f"segment_{number}.copy" for number in range(count)]


@given(st.floats(0, 1), st.integers(8, 120))
def test_noise_touches_exactly_the_stated_share_of_time_points_within_the_stated_range(share: float, length: int) -> None:
    signals = some_signals(12, length)
    noisy = augment(signals, MultiplicativeNoise(share=share, low=0.8, high=0.95), example_ids=ids(12), seed=3)
    factor = noisy / signals
    touched = ~np.isclose(factor, 1)
    assert (touched.any(axis=2).sum(axis=1) == round(share * length)).all()
    assert (touched.all(axis=2) == touched.any(axis=2)).all()
    assert ((factor[touched] >= 0.8 - 1e-6) & (factor[touched] <= 0.95 + 1e-6)).all()
    assert noisy.dtype == np.float32


def test_noise_keeps_the_direction_of_a_vector_because_its_axes_share_a_factor() -> None:
    signals = some_signals()
    factor = augment(signals, MultiplicativeNoise(share=1, low=0.8, high=1.1), example_ids=ids(40), seed=0) / signals
    assert np.allclose(factor, factor[:, :, :1], atol=1e-6)
    assert factor.min() < 0.81
    assert factor.max() > 1.09


@given(st.floats(0.05, 1), st.integers(0, 99))
def test_a_subsequence_of_a_ramp_is_a_ramp_of_at_least_the_stated_share(min_share: float, seed: int) -> None:
    ramp = np.broadcast_to(np.arange(101, dtype=np.float32)[:, np.newaxis], (20, 101, 2))
    cut = augment(ramp, Subsequence(min_share=min_share), example_ids=ids(20), seed=seed)
    steps = np.diff(cut, axis=1)
    assert np.allclose(steps, steps[:, :1], atol=2e-4)
    assert (steps[:, 0] >= min_share - 1e-4).all()
    assert (steps[:, 0] <= 1 + 1e-4).all()
    assert cut.min() >= 0
    assert cut.max() <= 100 + 1e-4


def test_subsequences_differ_in_start_and_length() -> None:
    ramp = np.broadcast_to(np.arange(101, dtype=np.float32)[:, np.newaxis], (200, 101, 1))
    cut = augment(ramp, Subsequence(min_share=0.5), example_ids=ids(200), seed=0)
    assert np.std(cut[:, 0]) > 5
    assert np.std(cut[:, -1] - cut[:, 0]) > 5


@pytest.mark.parametrize("settings", [MultiplicativeNoise(share=0.3, low=0.8, high=1.1), Subsequence(min_share=0.7)])
def test_the_same_seed_gives_the_same_copies_in_any_order_and_any_company(settings: MultiplicativeNoise | Subsequence) -> None:
    signals, names = some_signals(), ids(40)
    made = augment(signals, settings, example_ids=names, seed=5)
    order = np.random.default_rng(0).permutation(40)[:17]
    again = augment(signals[order], settings, example_ids=[names[i] for i in order], seed=5)
    assert np.array_equal(made[order], again)
    assert not np.array_equal(made, augment(signals, settings, example_ids=names, seed=6))


def test_originals_are_left_as_they_are() -> None:
    signals = some_signals()
    before = signals.copy()
    augment(signals, MultiplicativeNoise(share=1, low=0.1, high=0.2), example_ids=ids(40), seed=5)
    assert np.array_equal(signals, before)


def test_every_copy_of_a_recipe_has_a_name_of_its_own() -> None:
    noise = Augmentation(multiplicative_noise=MultiplicativeNoise(share=0.3, low=0.8, high=1.1, copies=2))
    part = Augmentation(subsequence=Subsequence(min_share=0.7))
    assert [name for name, _ in copies_of([noise, part, noise])] == [
        "multiplicative_noise_1",
        "multiplicative_noise_2",
        "subsequence_1",
        "multiplicative_noise_3",
        "multiplicative_noise_4",
    ]


def test_the_random_numbers_are_uniform_and_uncorrelated_between_keys_and_places() -> None:
    drawn = uniforms(np.arange(400, dtype=np.uint64), 500)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert np.allclose(np.histogram(drawn, bins=10, range=(0, 1))[0] / drawn.size, 0.1, atol=0.003)
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]) < 0.01


def test_the_random_numbers_are_those_of_splitmix64() -> None:
    # First outputs for seed 1234567 in the reference implementation by Vigna.
    reference = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert (uniforms(np.array([1234567], np.uint64), 3)[0] * 2**53).astype(np.uint64).tolist() == [n >> 11 for n in reference]
