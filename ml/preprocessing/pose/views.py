"""Bodies before anything is derived from them: all of one size, and turned to where they shall be seen from.

Belongs here: arithmetic on joints in metres, x to the right, y up, z towards the camera. What is derived from them is in
`ml.preprocessing.pose.distances` and `ml.preprocessing.pose.images`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studies.skeletons import JOINTS

#: What shank, thigh and trunk of a body of one size measure in the mean, in metres: about that of a grown-up.
STANDARD_M = 0.44

_BONES = tuple(
    (JOINTS.index(f"{side}_{start}"), JOINTS.index(f"{side}_{end}"))
    for side in ("left", "right")
    for start, end in (("ankle", "knee"), ("knee", "hip"), ("hip", "shoulder"))
)
_ACROSS = tuple((JOINTS.index(f"left_{part}"), JOINTS.index(f"right_{part}")) for part in ("hip", "shoulder"))

_Floats = npt.NDArray[np.float32]


def of_one_size(joints: _Floats) -> _Floats:
    """Bring a body to the size at which shank, thigh and trunk measure `STANDARD_M` in the mean.

    Pose tools guess the size of a body, and people differ in it: neither says how a squat was done.

    Parameters
    ----------
    joints : ndarray of float32, shape (n, 19, 3)
        One body, in the order of `studies.skeletons.JOINTS`; its size is the median over the frames.

    Returns
    -------
    ndarray of float32, shape (n, 19, 3)
    """
    if not len(joints):
        return joints
    lengths = [np.linalg.norm(joints[:, start] - joints[:, end], axis=1) for start, end in _BONES]
    size = float(np.median(np.mean(lengths, axis=0)))
    return joints * np.float32(STANDARD_M / max(size, 1e-3))


def facing(joints: _Floats, first: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return where a body faces in each of some stretches, in rad to the left of the camera.

    Parameters
    ----------
    joints : ndarray of float32, shape (n, 19, 3)
    first, steps : ndarray of int64, shape (k,)
        First frame and number of frames of each stretch, over which the lines through hips and shoulders are averaged.

    Returns
    -------
    ndarray of float64, shape (k,)
    """
    across = np.sum([joints[:, left, ::2] - joints[:, right, ::2] for left, right in _ACROSS], axis=0, dtype=np.float64)
    passed = np.concatenate([np.zeros((1, 2)), np.cumsum(across, axis=0)])
    x, z = (passed[first + steps] - passed[first]).T
    angles: npt.NDArray[np.float64] = -np.arctan2(z, x)
    return angles


def seen_from(bodies: _Floats, facing: npt.NDArray[np.float64], degrees: float) -> _Floats:
    """Turn bodies about the vertical so that each is seen from so far to its left of straight ahead.

    Parameters
    ----------
    bodies : ndarray of float32, shape (n, frames, 19, 3)
    facing : ndarray of float64, shape (n,)
        As `facing` returns it.
    degrees : float

    Returns
    -------
    ndarray of float32, shape (n, frames, 19, 3)
    """
    angle = -facing - np.deg2rad(degrees)
    cos, sin = (part.astype(np.float32)[:, np.newaxis, np.newaxis] for part in (np.cos(angle), np.sin(angle)))
    x, y, z = bodies[..., 0], bodies[..., 1], bodies[..., 2]
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)
