"""Where a squat is deepest, found in the joints of a body: how low the hips are, and how far the knees are bent.

Belongs here: arithmetic on one stretch without a gap. What becomes of the frames is in `ml.preprocessing.cutting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import find_peaks, savgol_filter

from studies.sensors import stream_name

_Floats = npt.NDArray[np.float64]

#: Streams that it is found in.
NEEDED: tuple[str, ...] = tuple(
    stream_name("joint", f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle")
)
#: Share of the standing height that the hips sink, and share of half a turn that the knees bend, added up: less is no squat.
_LEAST_DEPTH = 0.25
_LEAST_APART_S = 0.8
_SMOOTH_S = 0.3


@dataclass(frozen=True)
class Squats:
    """The squats of one stretch.

    Parameters
    ----------
    deepest : ndarray of int64, shape (n,)
        Frame at the bottom of each, ascending.
    confidence : ndarray of float64, shape (n,)
        0 to 1: how far it goes down beside a full squat.
    """

    deepest: npt.NDArray[np.int64]
    confidence: _Floats


def find_squats(streams: Mapping[str, npt.NDArray[np.float32]], *, rate_hz: float) -> Squats:
    """Find the deepest frame of every squat.

    Parameters
    ----------
    streams : mapping of str to ndarray of float32, shape (n, 3)
        At least `NEEDED`, in metres, y up.
    rate_hz : float

    Returns
    -------
    Squats
    """
    if len(streams[NEEDED[0]]) < max(5, _SMOOTH_S * rate_hz):
        return Squats(np.zeros(0, np.int64), np.zeros(0))
    depth = _smooth(_depth(streams), rate_hz)
    found, facts = find_peaks(depth, prominence=_LEAST_DEPTH, distance=max(1, round(_LEAST_APART_S * rate_hz)))
    return Squats(found.astype(np.int64), np.minimum(1.0, facts["prominences"]))


def knee_flexion(streams: Mapping[str, npt.NDArray[np.float32]]) -> _Floats:
    """Return how far the knees are bent, mean of both, in rad: 0 if they are straight; shape (n,)."""
    return np.mean([_bend(*(streams[name] for name in NEEDED[side : side + 3])) for side in (0, 3)], axis=0)


def hip_height(streams: Mapping[str, npt.NDArray[np.float32]]) -> _Floats:
    """Return how high the hips are above the ankles, mean of both sides, in metres, shape (n,)."""
    return np.mean([streams[NEEDED[side]][:, 1] - streams[NEEDED[side + 2]][:, 1] for side in (0, 3)], axis=0, dtype=np.float64)


def _depth(streams: Mapping[str, npt.NDArray[np.float32]]) -> _Floats:
    height = hip_height(streams)
    standing = max(float(np.quantile(height, 0.95)), 0.1)
    return (standing - height) / standing + knee_flexion(streams) / np.pi


def _bend(hip: npt.NDArray[np.float32], knee: npt.NDArray[np.float32], ankle: npt.NDArray[np.float32]) -> _Floats:
    thigh, shank = (hip - knee).astype(np.float64), (ankle - knee).astype(np.float64)
    sizes = np.linalg.norm(thigh, axis=1) * np.linalg.norm(shank, axis=1)
    cosine = (thigh * shank).sum(axis=1) / np.maximum(sizes, 1e-9)
    return np.pi - np.arccos(np.clip(cosine, -1, 1))


def _smooth(values: _Floats, rate_hz: float) -> _Floats:
    window = 2 * int(_SMOOTH_S * rate_hz / 2) + 1
    found: _Floats = savgol_filter(values, window, 2) if window > 3 else values
    return found
