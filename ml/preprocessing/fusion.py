"""Video and sensor of one session on one clock: how far apart their clocks are, found in how the body goes up and down.

Belongs here: arithmetic on two streams. Which recordings belong together, and the table `offsets`, is in
`ml.preprocessing.sessions`.

The hips of a body in a video rise and sink; twice differentiated that is what a sensor on the body feels along gravity. Both are
brought to one grid and one band, and laid over each other at every offset at which they can meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfiltfilt

#: Of the grid that both are brought to, in Hz.
RATE_HZ = 60.0
#: What of vertical motion both see: slower than this a camera's tilt and a sensor's turn count, faster the pose tool's tremble.
_BAND_HZ = (0.3, 3.0)
#: A step between two readings that is longer than this is unknown: nothing is assumed to have moved there.
_LONGEST_STEP_S = 0.25
#: Less than that says nothing about a clock.
_SHORTEST_S = 3.0
#: Where the sensor moves less than this share of how it usually does, it is not held to move like the video at all.
_STILL = 0.1
_G = 9.80665

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Motion:
    """Vertical acceleration on the grid.

    Parameters
    ----------
    start_ns : int
        Time of the first value, ns since 1970 UTC by the recording's own clock.
    values : ndarray of float64, shape (n,)
        m/s², band-passed; 0 where nothing is known.
    """

    start_ns: int
    values: _Floats


@dataclass(frozen=True)
class Offset:
    """How two clocks differ.

    Parameters
    ----------
    offset_ns : int
        What is added to a time of the video for the same moment by the sensor's clock.
    correlation : float
        Of both motions at that offset, -1 to 1.
    confidence : float
        0 to 1: how much that is more than at the second-best offset. Even repetitions look alike one repetition further on.
    """

    offset_ns: int
    correlation: float
    confidence: float


def motion_of_body(t_ns: _Ints, height_m: npt.NDArray[np.floating]) -> Motion | None:
    """Return how a body goes up and down, from the height of its hips above its ankles.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Ascending.
    height_m : ndarray of float, shape (n,)

    Returns
    -------
    Motion or None
        None where it is too short to be laid over anything.
    """
    on_grid = _on_grid(t_ns, height_m)
    if on_grid is None:
        return None
    heights, known = on_grid
    rise = np.gradient(np.gradient(_passed(heights, upper_only=True))) * RATE_HZ**2
    return Motion(int(t_ns[0]), _passed(rise) * known)


def motion_of_sensor(
    t_ns: _Ints, acceleration: npt.NDArray[np.floating], gravity: npt.NDArray[np.floating] | None = None
) -> Motion | None:
    """Return how a worn sensor goes up and down.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Ascending.
    acceleration : ndarray of float, shape (n, 3)
        Gravity included, m/s².
    gravity : ndarray of float, shape (n, 3), optional
        Its direction at the same times, where the device tells it. Else the length of the acceleration less g is taken, which is
        the part along gravity as long as the rest is small beside g, however the sensor turns.

    Returns
    -------
    Motion or None
        As `motion_of_body`.
    """
    if gravity is None:
        upward = np.linalg.norm(acceleration, axis=1)
    else:
        upward = (acceleration * gravity).sum(axis=1) / np.maximum(np.linalg.norm(gravity, axis=1), 1e-6)
    on_grid = _on_grid(t_ns, upward - _G)
    if on_grid is None:
        return None
    values, known = on_grid
    return Motion(int(t_ns[0]), _passed(values) * known)


def offset_between(video: Motion, sensor: Motion) -> Offset | None:
    """Lay one motion over the other.

    Parameters
    ----------
    video, sensor : Motion

    Returns
    -------
    Offset or None
        To a fraction of a frame: a parabola through the three highest correlations. None where one of them does not move.
    """
    correlation, first_lag = _correlations(video.values, sensor.values)
    if not len(correlation) or correlation.max() <= 0:
        return None
    best = int(correlation.argmax())
    shift, height = _vertex(correlation, best)
    second = max(0.0, float(np.max(correlation[_elsewhere(correlation, best)], initial=0.0)))
    lag_ns = round((first_lag + best + shift) * 1e9 / RATE_HZ)
    confidence = min(1.0, max(0.0, height - second))
    return Offset(sensor.start_ns - video.start_ns + lag_ns, min(1.0, height), confidence)


def _on_grid(t_ns: _Ints, values: npt.NDArray[np.floating]) -> tuple[_Floats, npt.NDArray[np.bool_]] | None:
    if len(t_ns) < 2 or (t_ns[-1] - t_ns[0]) / 1e9 < _SHORTEST_S:
        return None
    seconds = (t_ns - t_ns[0]) / 1e9
    grid = np.arange(0, seconds[-1], 1 / RATE_HZ)
    after = np.clip(np.searchsorted(seconds, grid), 1, len(seconds) - 1)
    known = seconds[after] - seconds[after - 1] <= _LONGEST_STEP_S
    return np.interp(grid, seconds, values), known


def _passed(values: _Floats, *, upper_only: bool = False) -> _Floats:
    low, high = _BAND_HZ
    band = high if upper_only else (low, high)
    sections = butter(2, band, "lowpass" if upper_only else "bandpass", fs=RATE_HZ, output="sos")
    found: _Floats = sosfiltfilt(sections, values, padlen=min(len(values) - 1, int(RATE_HZ / low)))
    return found


def _correlations(video: _Floats, sensor: _Floats) -> tuple[_Floats, int]:
    """Correlation at every lag of the sensor's start behind the video's, and the first lag, in grid steps.

    Of the video everything counts, whether it meets the sensor or not, so that a little overlap never looks like a good fit.
    """
    size = next_fast_len(len(video) + len(sensor) - 1)
    spectrum = np.conj(rfft(video, size)) * rfft(sensor, size)
    products = np.roll(irfft(spectrum, size), len(video) - 1)[: len(video) + len(sensor) - 1]
    energy = np.concatenate([[0.0], np.cumsum(sensor**2)])
    starts = np.arange(-len(video) + 1, len(sensor))
    met = energy[np.minimum(starts + len(video), len(sensor))] - energy[np.maximum(starts, 0)]
    least = _STILL * energy[-1] * min(1.0, len(video) / len(sensor))
    norm = np.sqrt((video**2).sum() * np.maximum(met, least))
    if norm.max() <= 1e-9:
        return np.zeros(0), 0
    return products / np.maximum(norm, 1e-12), int(starts[0])


def _vertex(values: _Floats, at: int) -> tuple[float, float]:
    """Where a parabola through three neighbours is highest, from the middle one, and how high."""
    if not 0 < at < len(values) - 1:
        return 0.0, float(values[at])
    before, here, after = values[at - 1 : at + 2]
    bend = before - 2 * here + after
    if bend >= 0:
        return 0.0, float(here)
    shift = 0.5 * (before - after) / bend
    return float(shift), float(here - 0.25 * (before - after) * shift)


def _elsewhere(values: _Floats, best: int) -> npt.NDArray[np.bool_]:
    """Everything but the hill that `best` is the top of: as far as it stays above 0."""
    below = np.flatnonzero(values <= 0)
    at = np.searchsorted(below, best)
    first = below[at - 1] if at else -1
    last = below[at] if at < len(below) else len(values)
    found = np.ones(len(values), np.bool_)
    found[first + 1 : last] = False
    return found
