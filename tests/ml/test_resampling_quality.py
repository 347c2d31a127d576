"""The estimate of what resampling does to a stream: never smaller than the truth, and small where there is little to lose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.preprocessing.clock import Clock
from ml.preprocessing.resampling import pace_of, resample, resample_quaternions
from ml.preprocessing.resampling_quality import interpolation_error


def tone(hz: float, *, readings: int = 2000, rate_hz: float = 50, jitter: float = 0.1, seed: int = 0) -> np.ndarray:
    """Times of a jittered clock in ns; a tone is read at them."""
    step = (1 + np.random.default_rng(seed).uniform(-jitter, jitter, readings)) / rate_hz
    return np.rint(np.cumsum(step) * 1e9).astype(np.int64)


def values_at(t_ns: np.ndarray, hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * t_ns[:, np.newaxis] / 1e9 + np.arange(3)).astype(np.float32)


def estimated(t_ns: np.ndarray, hz: float) -> float:
    error = interpolation_error(t_ns, values_at(t_ns, hz), pace=pace_of(np.diff(t_ns)), method=resample)
    assert error is not None
    return error


@given(st.floats(0.2, 20), st.floats(0, 0.25), st.integers(0, 99))
def test_the_true_error_is_never_above_the_estimate(hz: float, jitter: float, seed: int) -> None:
    t_ns = tone(hz, jitter=jitter, seed=seed)
    (piece,) = resample(t_ns, values_at(t_ns, hz), rate_hz=49.7, origin_ns=0)
    at = Clock.of(49.7, origin_ns=0).ticks(piece.first_step + np.arange(len(piece.values)))
    truth = float(np.sqrt(np.mean((piece.values - values_at(at, hz)) ** 2)))
    assert truth <= 1.2 * estimated(t_ns, hz) + 1e-5


def test_what_is_fast_for_its_sensor_has_the_larger_error() -> None:
    errors = [estimated(tone(hz), hz) for hz in (0.5, 5.0, 12.0, 20.0)]
    assert errors == sorted(errors)
    assert errors[0] < 1e-4
    assert errors[-1] > 0.1


def test_a_quaternion_and_its_negative_are_no_error() -> None:
    t_ns = tone(1)
    half = np.sin(np.pi * 0.3 * t_ns / 1e9) / 2
    quaternions = np.stack([np.sin(half), 0 * half, 0 * half, np.cos(half)], axis=1).astype(np.float32)
    quaternions[::2] *= -1
    error = interpolation_error(t_ns, quaternions, pace=pace_of(np.diff(t_ns)), method=resample_quaternions)
    assert error is not None
    assert error < 1e-4


@pytest.mark.parametrize("readings", [0, 1, 63])
def test_of_a_few_readings_nothing_is_said(readings: int) -> None:
    t_ns = tone(1)[:readings]
    assert interpolation_error(t_ns, values_at(t_ns, 1), pace=pace_of(np.diff(t_ns)), method=resample) is None
