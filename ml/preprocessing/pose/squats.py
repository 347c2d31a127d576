"""Squats found in the joints of a body: how low the hips are, and how far the knees are bent.

Belongs here: arithmetic on one stretch without a gap. What becomes of the frames is in `ml.preprocessing.cutting` and
`ml.preprocessing.pose.bodies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.signal import find_peaks, peak_widths, savgol_filter

from ml.preprocessing.pose.angles import angle_between
from studies.sensors import stream_name

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

#: Streams that it is found in.
NEEDED: tuple[str, ...] = tuple(
    stream_name("joint", f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle")
)
#: Share of the standing height that the hips sink, and share of half a turn that the knees bend, added up: less is no squat.
_LEAST_DEPTH = 0.25
_LEAST_APART_S = 0.8
_SMOOTH_S = 0.3
#: Share of its depth that a squat has come back by where it begins and ends: the last of it is hardly told from standing.
_BACK = 0.9
#: A body that stands is this high, at least; so low hips are never those of one that does, in metres.
_LEAST_STANDING_M = 0.1


@dataclass(frozen=True)
class Squats:
    """The squats of one stretch.

    Parameters
    ----------
    start, deepest, end : ndarray of int64, shape (n,)
        Frames of each, ascending: the last one near standing before it, the one at the bottom, and the first one near standing
        after it; between two that are not told apart by standing, the one where the body is highest.
    confidence : ndarray of float64, shape (n,)
        0 to 1: how far it goes down beside a full squat.
    """

    start: _Ints
    deepest: _Ints
    end: _Ints
    confidence: _Floats


def find_squats(streams: Mapping[str, npt.NDArray[np.float32]], *, rate_hz: float) -> Squats:
    """Find every squat of one stretch.

    Parameters
    ----------
    streams : mapping of str to ndarray of float32, shape (n, 3)
        At least `NEEDED`, in metres, y up.
    rate_hz : float

    Returns
    -------
    Squats
    """
    return find_in(hip_height(streams), knee_flexion(streams), rate_hz=rate_hz)


def find_in(height: _Floats, flexion: _Floats, *, rate_hz: float) -> Squats:
    """Find every squat of one stretch in how high the hips are (m) and how far the knees are bent (rad), both of shape (n,)."""
    if len(height) < max(5, _SMOOTH_S * rate_hz):
        none = np.zeros(0, np.int64)
        return Squats(none, none, none, np.zeros(0))
    depth = _smooth(sinking(height, standing_height(height)) + flexion / np.pi, rate_hz)
    found, facts = find_peaks(depth, prominence=_LEAST_DEPTH, distance=max(1, round(_LEAST_APART_S * rate_hz)))
    start, end = _ends(depth, found, tuple(facts[name] for name in ("prominences", "left_bases", "right_bases")))
    return Squats(start, found.astype(np.int64), end, np.minimum(1.0, facts["prominences"]))


def standing_height(height: _Floats) -> float:
    """Return how high the hips are while the body stands, in metres: what they pass in a twentieth of the frames."""
    return max(float(np.quantile(height, 0.95)), _LEAST_STANDING_M)


def sinking(height: _Floats, standing: float) -> _Floats:
    """Return the share of the standing height that the hips have sunk."""
    return (standing - height) / standing


def knee_flexion(streams: Mapping[str, npt.NDArray[np.float32]]) -> _Floats:
    """Return how far the knees are bent, mean of both, in rad: 0 if they are straight; shape (n,)."""
    bends = []
    for side in (0, 3):
        hip, knee, ankle = (streams[name] for name in NEEDED[side : side + 3])
        bends.append(np.pi - np.radians(np.nan_to_num(angle_between(hip - knee, ankle - knee), nan=180.0)))
    return np.mean(bends, axis=0)


def hip_height(streams: Mapping[str, npt.NDArray[np.float32]]) -> _Floats:
    """Return how high the hips are above the ankles, mean of both sides, in metres, shape (n,)."""
    return np.mean([streams[NEEDED[side]][:, 1] - streams[NEEDED[side + 2]][:, 1] for side in (0, 3)], axis=0, dtype=np.float64)


def _ends(depth: _Floats, peaks: _Ints, prominence: tuple[npt.NDArray[np.generic], ...]) -> tuple[_Ints, _Ints]:
    """Where the depth is back near standing, before and after each peak; not beyond the highest frame between two."""
    _, _, left, right = peak_widths(depth, peaks, rel_height=_BACK, prominence_data=prominence)
    start, end = np.floor(left).astype(np.int64), np.ceil(right).astype(np.int64)
    if len(peaks) > 1:
        between = [first + int(depth[first:last].argmin()) for first, last in pairwise(peaks.tolist())]
        start[1:], end[:-1] = np.maximum(start[1:], between), np.minimum(end[:-1], between)
    return start, end


def _smooth(values: _Floats, rate_hz: float) -> _Floats:
    window = 2 * int(_SMOOTH_S * rate_hz / 2) + 1
    found: _Floats = savgol_filter(values, window, 2) if window > 3 else values
    return found
