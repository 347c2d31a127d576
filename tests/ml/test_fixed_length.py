"""Fixed length: cubics are followed exactly, ends are kept, and what the new samples cannot hold is damped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.preprocessing.fixed_length import read_at, resize, stretch


@given(st.integers(4, 200), st.integers(2, 300), st.integers(0, 99))
def test_a_cubic_stays_that_cubic_where_it_is_stretched(steps: int, length: int, seed: int) -> None:
    length = max(length, steps)
    cubic = np.polynomial.Polynomial(np.random.default_rng(seed).uniform(-1, 1, 4))
    signal = cubic(np.linspace(-1, 1, steps)).astype(np.float32)[np.newaxis, :, np.newaxis]
    assert np.allclose(resize(signal, length)[0, :, 0], cubic(np.linspace(-1, 1, length)), atol=1e-5)


@given(st.integers(2, 60), st.integers(2, 90), st.integers(0, 99))
def test_first_and_last_sample_are_kept_at_any_length(steps: int, length: int, seed: int) -> None:
    signals = np.random.default_rng(seed).normal(size=(3, steps, 2)).astype(np.float32)
    assert np.allclose(resize(signals, length)[:, [0, -1]], signals[:, [0, -1]], atol=1e-5)


@given(st.integers(0, 99))
def test_segments_of_any_lengths_are_cut_together_as_each_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(300, 3)).astype(np.float32)
    first, steps = random.integers(0, 150, 12), random.integers(2, 150, 12)
    together = stretch(values, first, steps, 40)
    for number, (begin, count) in enumerate(zip(first, steps, strict=True)):
        assert np.array_equal(together[number], resize(values[np.newaxis, begin : begin + count], 40)[0])


def test_cubics_follow_a_movement_ten_times_closer_than_straight_lines() -> None:
    at = np.arange(100) / 50
    wanted = np.sin(2 * np.pi * 3 * np.linspace(0, at[-1], 333))
    signal = np.sin(2 * np.pi * 3 * at).astype(np.float32)
    cubic = resize(signal[np.newaxis, :, np.newaxis], 333)[0, :, 0]
    straight = np.interp(np.linspace(0, at[-1], 333), at, signal)
    assert np.abs(cubic - wanted)[5:-5].max() < np.abs(straight - wanted).max() / 10


def test_a_length_that_is_nearly_the_same_changes_next_to_nothing() -> None:
    at = np.arange(104) / 50
    signal = np.sin(2 * np.pi * 3 * at).astype(np.float32)[np.newaxis, :, np.newaxis]
    assert np.allclose(resize(signal, 100)[0, :, 0], np.sin(2 * np.pi * 3 * np.linspace(0, at[-1], 100)), atol=0.01)


@pytest.mark.parametrize("shorter", [2, 4, 8])
def test_a_constant_and_a_slow_wave_survive_shrinking_and_noise_does_not(shorter: int) -> None:
    noise = np.random.default_rng(0).normal(size=(40, 800, 1)).astype(np.float32)
    assert np.std(resize(noise, 800 // shorter)) < 1.2 / np.sqrt(shorter)
    slow = np.sin(np.linspace(0, 6, 800, dtype=np.float32))[np.newaxis, :, np.newaxis]
    assert np.allclose(resize(slow, 800 // shorter)[0, :, 0], np.sin(np.linspace(0, 6, 800 // shorter)), atol=2e-3)


def test_signals_are_read_at_their_own_positions() -> None:
    signals = np.stack([np.arange(10.0), np.arange(10.0) ** 2], axis=0).astype(np.float32)[:, :, np.newaxis]
    found = read_at(signals, np.array([[0, 2.5, 9], [1, 4.5, 9]]))
    assert np.allclose(found[:, :, 0], [[0, 2.5, 9], [1, 20.25, 81]])


def test_no_segments_of_a_signal_shorter_than_the_length_are_none() -> None:
    nothing = np.zeros(0, np.int64)
    assert stretch(np.zeros((5, 3), np.float32), nothing, nothing, 40).shape == (0, 40, 3)
