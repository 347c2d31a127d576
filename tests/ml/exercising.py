"""A person doing repetitions, as an accelerometer and a gyroscope of any rate and in any attitude would record it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.preprocessing.repetitions import Repetitions, find_repetitions

_GRID_HZ = 400.0
_G = 9.81


def exercising(
    count: int,
    *,
    rate_hz: float,
    seed: int = 0,
    period_s: float = 2.4,
    unevenness: float = 0.08,
    pause_s: float = 0.0,
    around_s: float = 1.5,
    noise: float = 0.15,
) -> tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    """Streams of a set, and the beginning and end of every repetition in seconds, shape (count, 2).

    A segment of the body turns out of rest by about a radian and back, while its end is carried up and down.
    """
    random = np.random.default_rng(seed)
    lasting = period_s * random.uniform(1 - unevenness, 1 + unevenness, count)
    start = around_s + np.cumsum([0.0, *(lasting[:-1] + pause_s)])
    t = np.arange(0, start[-1] + lasting[-1] + around_s, 1 / _GRID_HZ)
    share = np.clip((t[:, None] - start) / lasting, 0, 1)
    angle = (np.sin(np.pi * share) ** 2 * random.uniform(0.9, 1.1, count)).sum(axis=1)
    lift = 0.25 * angle
    rate = np.gradient(angle, t)
    up = _G + np.gradient(np.gradient(lift, t), t)
    acceleration = np.stack([up * np.sin(angle), np.zeros_like(t), up * np.cos(angle)], axis=1)
    turning = np.stack([np.zeros_like(t), rate, np.zeros_like(t)], axis=1)
    at = np.arange(0, t[-1], 1 / rate_hz)
    attitude = np.linalg.qr(random.normal(size=(3, 3)))[0]
    streams = {}
    for name, values, size in (("accelerometer", acceleration, 1.0), ("gyroscope", turning, 0.1)):
        seen = np.stack([np.interp(at, t, axis) for axis in values.T], axis=1) @ attitude
        streams[name] = (seen + random.normal(0, noise * size, seen.shape)).astype(np.float32)
    return streams, np.stack([start, start + lasting], axis=1)


def found_in(streams: dict[str, npt.NDArray[np.float32]], rate_hz: float, longest: float = 6.0) -> Repetitions:
    return find_repetitions(streams, rate_hz=rate_hz, min_seconds=0.8, max_seconds=longest)
