"""Distances between the joints of a body: 171 a frame, which no turn or shift of the body and no place of the camera changes.

Belongs here: joints to distances. Which streams of a recording they come from is in `ml.preprocessing.pose.derived`, which
joints there are, and in which order they count, in `studies.skeletons`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ml.preprocessing.kernels import compiled
from studies.skeletons import JOINTS

#: Channels of a frame, in the order of ``np.triu_indices(19, 1)``.
PAIRS: tuple[str, ...] = tuple(f"{first}-{second}" for first, second in combinations(JOINTS, 2))

_FRAMES_AT_ONCE = 1 << 14

_Floats = npt.NDArray[np.float32]


def pairwise_distances(joints: _Floats) -> _Floats:
    """Return the distance of every two joints of every frame.

    Parameters
    ----------
    joints : ndarray of float32, shape (n, joints, 3)
        In any unit.

    Returns
    -------
    ndarray of float32, shape (n, joints × (joints - 1) / 2)
        In the same unit, in the order of ``np.triu_indices(joints, 1)``; not a number where one of the two is none.

    Examples
    --------
    >>> pairwise_distances(np.array([[[0, 0, 0], [3, 4, 0], [0, 0, 2]]], np.float32)).round(3).tolist()
    [[5.0, 2.0, 5.385000228881836]]
    """
    frames, points, _ = joints.shape
    joints = np.ascontiguousarray(joints)
    found = np.empty((frames, points * (points - 1) // 2), np.float32)
    parts = [slice(first, first + _FRAMES_AT_ONCE) for first in range(0, frames, _FRAMES_AT_ONCE)]
    # Threads of our own, not numba's: its pools end the process when two threads enter, or after a fork.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda part: _fill(joints[part], found[part]), parts):
            pass
    return found


@compiled
def _fill(joints, out):  # type: ignore[no-untyped-def]
    """Fill `out`, shape (n, pairs), with the distances of `joints`, shape (n, joints, 3)."""
    frames, points, _ = joints.shape
    # Axis by axis, so that the inner loop runs over neighbours in memory.
    x, y, z = np.empty(points, np.float32), np.empty(points, np.float32), np.empty(points, np.float32)
    for frame in range(frames):
        for point in range(points):
            x[point], y[point], z[point] = joints[frame, point, 0], joints[frame, point, 1], joints[frame, point, 2]
        before = -1  # the last column before those of `first`
        for first in range(points - 1):
            for second in range(first + 1, points):
                dx, dy, dz = x[second] - x[first], y[second] - y[first], z[second] - z[first]
                out[frame, before + second - first] = np.sqrt(dx * dx + dy * dy + dz * dz)
            before += points - 1 - first
