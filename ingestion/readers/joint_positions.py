"""From distances between joints to joints: classical scaling frame by frame, frames set onto each other, left made left.

What cannot be known from distances is where the body is and which way it turns. So every frame counts from between the hips;
its axes are those of a body that faces the camera when it stands most upright (x to its left, which is right in the picture,
y up, z to its front), and go from frame to frame with the whole body. Whether it leans, turns or walks is lost.

Scaling: Torgerson, Psychometrika 17, 1952. Setting onto each other: Schönemann, Psychometrika 31, 1966.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studies.skeletons import JOINTS

_FRAMES_AT_ONCE = 4096
_FIRST, _SECOND = np.triu_indices(len(JOINTS), 1)

_Doubles = npt.NDArray[np.float64]


def positions(distances: _Doubles) -> tuple[npt.NDArray[np.float32], _Doubles]:
    """Return joints that are as far apart as distances say.

    Parameters
    ----------
    distances : ndarray of float64, shape (n, 171)
        Metres, in the order of ``np.triu_indices(19, 1)``.

    Returns
    -------
    joints : ndarray of float32, shape (n, 19, 3)
        In the order of `JOINTS`, in metres.
    apart : ndarray of float64, shape (n,)
        Most that a distance of these joints differs from the one that was given, in metres; 0 but for rounding if the distances
        are those of points in space.
    """
    parts = [_scaled(distances[first : first + _FRAMES_AT_ONCE]) for first in range(0, len(distances), _FRAMES_AT_ONCE)]
    joints = np.concatenate([*parts, np.zeros((0, len(JOINTS), 3))])
    apart = np.abs(np.linalg.norm(joints[:, _FIRST] - joints[:, _SECOND], axis=2) - distances).max(axis=1)
    if len(joints):
        joints = _facing(_followed(joints))
    return joints.astype(np.float32), apart


def _scaled(distances: _Doubles) -> _Doubles:
    """Points of each frame about their centre, in axes of its own that may be mirrored."""
    squares = np.zeros((len(distances), len(JOINTS), len(JOINTS)))
    squares[:, _FIRST, _SECOND] = squares[:, _SECOND, _FIRST] = distances**2
    rows = squares.mean(axis=2, keepdims=True)
    products = (rows + rows.transpose(0, 2, 1) - rows.mean(axis=1, keepdims=True) - squares) / 2
    values, vectors = np.linalg.eigh(products)
    scaled: _Doubles = vectors[:, :, -3:] * np.sqrt(np.maximum(values[:, np.newaxis, -3:], 0))
    return scaled


def _followed(joints: _Doubles) -> _Doubles:
    """Turn and mirror every frame onto the one before it, all of which were turned before."""
    left, _, right = np.linalg.svd(joints[1:].transpose(0, 2, 1) @ joints[:-1])
    turns = np.concatenate([np.eye(3)[np.newaxis], left @ right])
    step = 1
    while step < len(turns):  # a running product in as many passes as the number of frames has binary digits
        turns[step:] = turns[step:] @ turns[:-step]
        step *= 2
    return joints @ turns


def _facing(joints: _Doubles) -> _Doubles:
    """Bring all frames to the axes of a body that faces the camera, from between the hips."""
    of = {name: joints[:, number] for number, name in enumerate(JOINTS)}
    middle = {part: (of[f"left_{part}"] + of[f"right_{part}"]) / 2 for part in ("hip", "ear", "ankle")}
    joints = joints - middle["hip"][:, np.newaxis]
    across, up = of["left_hip"] - of["right_hip"], of["head_top"] - middle["ankle"]
    upright = int(np.argmax(np.linalg.norm(up, axis=1)))
    y = up[upright] / np.linalg.norm(up[upright])
    x = across[upright] - (across[upright] @ y) * y
    x /= max(float(np.linalg.norm(x)), 1e-9)
    # Left is where a head has it whose nose is in front: the head is the part that never changes its shape.
    ahead = np.cross(of["head_top"] - of["neck"], of["nose"] - middle["ear"])
    mirrored = np.sum(ahead * (of["left_ear"] - of["right_ear"])) < 0
    z = np.cross(x, y) * (-1 if mirrored else 1)
    return joints @ np.stack([x, y, z], axis=1)
