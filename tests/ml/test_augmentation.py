"""Altered copies: what noise touches, what a sub-sequence keeps, and that neither depends on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation as Turn

from ml.preprocessing.augmentation import augment, copies_of, normals, uniforms
from studies.augmentation import Augmentation, Jitter, MultiplicativeNoise, Rotation, Scaling, Settings, Subsequence, TimeWarp

CHANNELS = ("accelerometer.x", "accelerometer.y", "accelerometer.z")
KINDS = [
    MultiplicativeNoise(share=0.3, low=0.8, high=1.1),
    Subsequence(min_share=0.7),
    Jitter(share=0.1),
    Scaling(low=0.8, high=1.2),
    Rotation(max_degrees=30),
    TimeWarp(max_share=0.3),
]


def some_signals(count: int = 40, length: int = 50, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).uniform(1, 2, (count, length, channels)).astype(np.float32)


def ids(count: int) -> list[str]:
    return [f"segment_{number}.copy" for number in range(count)]


def altered(signals: np.ndarray, settings: Settings, *, seed: int = 0, channels: Sequence[str] = CHANNELS) -> np.ndarray:
    return augment(signals, settings, channels=channels, example_ids=ids(len(signals)), seed=seed)


@given(st.floats(0, 1), st.integers(8, 120))
def test_noise_touches_exactly_the_stated_share_of_time_points_within_the_stated_range(share: float, length: int) -> None:
    signals = some_signals(12, length)
    noisy = altered(signals, MultiplicativeNoise(share=share, low=0.8, high=0.95), seed=3)
    factor = noisy / signals
    touched = ~np.isclose(factor, 1)
    assert (touched.any(axis=2).sum(axis=1) == round(share * length)).all()
    assert (touched.all(axis=2) == touched.any(axis=2)).all()
    assert ((factor[touched] >= 0.8 - 1e-6) & (factor[touched] <= 0.95 + 1e-6)).all()
    assert noisy.dtype == np.float32


def test_noise_keeps_the_direction_of_a_vector_because_its_axes_share_a_factor() -> None:
    signals = some_signals()
    factor = altered(signals, MultiplicativeNoise(share=1, low=0.8, high=1.1), seed=0) / signals
    assert np.allclose(factor, factor[:, :, :1], atol=1e-6)
    assert factor.min() < 0.81
    assert factor.max() > 1.09


@given(st.floats(0.05, 1), st.integers(0, 99))
def test_a_subsequence_of_a_ramp_is_a_ramp_of_at_least_the_stated_share(min_share: float, seed: int) -> None:
    ramp = np.broadcast_to(np.arange(101, dtype=np.float32)[:, np.newaxis], (20, 101, 2))
    cut = altered(ramp, Subsequence(min_share=min_share), seed=seed, channels=CHANNELS[:2])
    steps = np.diff(cut, axis=1)
    assert np.allclose(steps, steps[:, :1], atol=2e-4)
    assert (steps[:, 0] >= min_share - 1e-4).all()
    assert (steps[:, 0] <= 1 + 1e-4).all()
    assert cut.min() >= 0
    assert cut.max() <= 100 + 1e-4


def test_subsequences_differ_in_start_and_length() -> None:
    ramp = np.broadcast_to(np.arange(101, dtype=np.float32)[:, np.newaxis], (200, 101, 1))
    cut = altered(ramp, Subsequence(min_share=0.5), channels=CHANNELS[:1])
    assert np.std(cut[:, 0]) > 5
    assert np.std(cut[:, -1] - cut[:, 0]) > 5


@pytest.mark.parametrize("settings", KINDS)
def test_the_same_seed_gives_the_same_copies_in_any_order_and_any_company(settings: Settings) -> None:
    signals, names = some_signals(), ids(40)
    made = augment(signals, settings, channels=CHANNELS, example_ids=names, seed=5)
    order = np.random.default_rng(0).permutation(40)[:17]
    others = [names[i] for i in order]
    again = augment(signals[order], settings, channels=CHANNELS, example_ids=others, seed=5)
    assert np.array_equal(made[order], again)
    assert not np.array_equal(made, augment(signals, settings, channels=CHANNELS, example_ids=names, seed=6))


@pytest.mark.parametrize("settings", KINDS)
def test_originals_are_left_as_they_are(settings: Settings) -> None:
    signals = some_signals()
    before = signals.copy()
    assert not np.allclose(altered(signals, settings, seed=5), before)
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


# --- sensors as wholes

BODY = tuple(
    f"{stream}.{axis}"
    for stream, axes in {
        "accelerometer@waist": ("x", "y", "z", "norm"),
        "gravity@waist": ("x", "y", "z", "norm"),
        "gyroscope@waist": ("x", "y", "z", "norm"),
        "orientation@waist": ("x", "y", "z", "w"),
        "gyroscope@calf": ("x", "y", "z", "norm"),
    }.items()
    for axis in axes
)


def worn(count: int = 12, length: int = 30) -> np.ndarray:
    """Sensors whose lengths fit their vectors and whose quaternions have length one."""
    signals = np.random.default_rng(2).normal(size=(count, length, len(BODY))).astype(np.float32)
    for start in (0, 4, 8, 16):
        signals[:, :, start + 3] = np.linalg.norm(signals[:, :, start : start + 3], axis=2)
    signals[:, :, 12:16] /= np.linalg.norm(signals[:, :, 12:16], axis=2, keepdims=True)
    return signals


def turn(signals: np.ndarray) -> np.ndarray:
    """The rotation that took the accelerometer of the originals to that of copies, for each signal, shape (n, 3, 3)."""
    before, after = worn()[:, :, 0:3], signals[:, :, 0:3]
    return np.stack([np.linalg.lstsq(a, b, rcond=None)[0].T for a, b in zip(before, after, strict=True)])


@pytest.mark.parametrize("settings", KINDS[1:])
def test_lengths_still_fit_their_vectors_and_quaternions_have_length_one(settings: Settings) -> None:
    copies = altered(worn(), settings, channels=BODY)
    for start in (0, 4, 8, 16):
        assert np.allclose(np.linalg.norm(copies[:, :, start : start + 3], axis=2), copies[:, :, start + 3], atol=1e-4)
    assert np.allclose(np.linalg.norm(copies[:, :, 12:16], axis=2), 1, atol=1e-4)


@given(st.floats(1, 180), st.integers(0, 99))
def test_all_sensors_of_a_placement_turn_alike_and_by_no_more_than_asked(max_degrees: float, seed: int) -> None:
    copies = altered(worn(), Rotation(max_degrees=max_degrees), channels=BODY, seed=seed)
    turned = turn(copies)
    assert np.allclose(turned @ turned.transpose(0, 2, 1), np.eye(3), atol=1e-4)
    assert np.allclose(np.linalg.det(turned), 1, atol=1e-4)
    angle = np.rad2deg(np.arccos(np.clip((np.trace(turned, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert (angle <= max_degrees + 0.1).all()
    for start in (4, 8):
        assert np.allclose(
            worn()[:, :, start : start + 3] @ turned.transpose(0, 2, 1), copies[:, :, start : start + 3], atol=1e-4
        )
    assert not np.allclose(worn()[:, :, 16:19] @ turned.transpose(0, 2, 1), copies[:, :, 16:19], atol=1e-3)
    assert np.array_equal(copies[:, :, 3], worn()[:, :, 3])


def test_what_a_turned_sensor_sees_has_the_same_direction_in_the_world() -> None:
    def in_the_world(signals: np.ndarray) -> np.ndarray:
        vectors, quaternions = signals[:, :, 0:3].reshape(-1, 3), signals[:, :, 12:16].reshape(-1, 4)
        return Turn.from_quat(quaternions).apply(vectors)

    copies = altered(worn(), Rotation(max_degrees=180), channels=BODY)
    assert not np.allclose(copies[:, :, 0:3], worn()[:, :, 0:3], atol=0.1)
    assert np.allclose(in_the_world(copies), in_the_world(worn()), atol=1e-4)


def test_one_factor_scales_a_sensor_with_what_was_made_of_it_and_another_scales_the_next() -> None:
    factor = altered(worn(), Scaling(low=0.5, high=2), channels=BODY) / worn()
    assert np.allclose(factor[:, :, 0:8], factor[:, :1, :1], atol=1e-4)
    assert np.allclose(factor[:, :, 8:12], factor[:, :1, 8:9], atol=1e-4)
    assert not np.allclose(factor[:, 0, 0], factor[:, 0, 8], atol=1e-2)
    assert np.allclose(factor[:, :, 12:16], 1)
    assert (factor >= 0.5 - 1e-4).all()
    assert (factor <= 2 + 1e-4).all()


@given(st.floats(0.01, 1), st.integers(0, 99))
def test_jitter_is_as_large_as_the_stated_share_of_each_channel(share: float, seed: int) -> None:
    signals = some_signals(30, 400) * np.array([1, 10, 100], np.float32)
    noise = altered(signals, Jitter(share=share), seed=seed) - signals
    wanted = share * signals.std(axis=1).mean(axis=0)
    assert np.allclose(noise.std(axis=(0, 1)), wanted, rtol=0.05)
    assert (np.abs(noise.mean(axis=(0, 1))) < 0.05 * wanted).all()


@given(st.floats(0.05, 0.9), st.integers(1, 8), st.integers(0, 99))
def test_warped_time_runs_forwards_from_the_first_sample_to_the_last(max_share: float, knots: int, seed: int) -> None:
    ramp = np.broadcast_to(np.arange(101, dtype=np.float32)[:, np.newaxis], (20, 101, 3))
    warped = altered(ramp, TimeWarp(max_share=max_share, knots=knots), seed=seed)
    steps = np.diff(warped, axis=1)
    assert (steps > 0).all()
    assert np.allclose(warped[:, [0, -1]], ramp[:, [0, -1]], atol=1e-3)
    assert steps.max() <= (1 + max_share) / (1 - max_share) + 1e-3
    assert np.abs(np.diff(steps, axis=1)).max() < 0.5 * (knots + 1) * max_share / (1 - max_share)


def test_normal_numbers_have_the_mean_the_spread_and_the_tails_of_normal_ones() -> None:
    drawn = normals(np.arange(400, dtype=np.uint64), 501)
    assert drawn.shape == (400, 501)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs((np.abs(drawn) > 1.96).mean() - 0.05) < 0.002


def test_four_numbers_of_no_known_scale_are_no_orientation() -> None:
    signals, channels = some_signals(channels=4), [f"latent.{axis}" for axis in "xyzw"]
    np.testing.assert_array_equal(altered(signals, Rotation(max_degrees=30), channels=channels), signals)
    scaled = altered(signals, Scaling(low=0.5, high=0.6), channels=channels)
    assert (scaled < 0.61 * signals).all()  # and not brought to length one
