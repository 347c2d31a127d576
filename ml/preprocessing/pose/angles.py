"""How the joints of a body are bent, and how high its hips are, frame by frame.

Belongs here: joints to angles. What is told from them is in `ml.preprocessing.pose.squats`, where they are kept in
`ml.preprocessing.pose.bodies`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from studies.preparation import ANGLE_STREAMS, ANGLE_TOES
from studies.sensors import placement_of

_Floats = npt.NDArray[np.float32]
_SIDES = ("left", "right")

#: Names of the angles and of the hip height, in order; as columns of table `joint_angles`.
ANGLES: tuple[str, ...] = (
    *(f"{side}_{part}_deg" for part in ("knee", "hip", "ankle") for side in _SIDES),
    "trunk_deg",
    "hip_height_m",
)
#: The ends and the corner of every angle at a joint, in the order of `ANGLES`.
_CORNERS = tuple(
    tuple(f"{side}_{part}" for part in parts)
    for parts in (("hip", "knee", "ankle"), ("shoulder", "hip", "knee"), ("knee", "ankle", "foot_index"))
    for side in _SIDES
)
#: Joints that angles are made of.
ANGLE_JOINTS: tuple[str, ...] = tuple(str(placement_of(stream)) for stream in (*ANGLE_STREAMS, *ANGLE_TOES))


def joint_angles(joints: Mapping[str, _Floats]) -> _Floats:
    """Return the angles of a body and the height of its hips.

    An angle at a joint is the inner one, 180° if the limb is straight: of the knee between thigh and shank, of the hip between
    shoulder and thigh, of the ankle between shank and toes. The lean of the trunk is that of the line from between the hips to
    the neck from the vertical, whatever the direction, 0° if upright.

    Parameters
    ----------
    joints : mapping of str to ndarray of float32, shape (n, 3)
        `ANGLE_JOINTS`, in metres, y up; not a number where a joint was not seen.

    Returns
    -------
    ndarray of float32, shape (n, 8)
        In the order of `ANGLES`: degrees, and metres above the ankles. Not a number where a joint was not seen or two that make
        a limb lie in the same place; the hip height is that of one side where only one was seen.

    Examples
    --------
    >>> places = {"hip": (0, 2, 0), "knee": (0, 1, 0), "ankle": (0, 1, 1), "foot_index": (0, 0, 1), "shoulder": (0, 3, 0)}
    >>> body = {f"{side}_{part}": np.array([at], np.float32) for part, at in places.items() for side in ("left", "right")}
    >>> angles = joint_angles({**body, "neck": np.array([[0, 3, 0]], np.float32)})
    >>> dict(zip(ANGLES, angles[0].round(1).tolist()))["left_knee_deg"]
    90.0
    """
    found = np.empty((len(joints["neck"]), len(ANGLES)), np.float32)
    for column, (start, corner, end) in enumerate(_CORNERS):
        found[:, column] = angle_between(joints[start] - joints[corner], joints[end] - joints[corner])
    hips = np.float32(0.5) * (joints["left_hip"] + joints["right_hip"])
    found[:, -2] = angle_between(joints["neck"] - hips, np.array([[0, 1, 0]], np.float32))
    found[:, -1] = mean_of_seen(*(joints[f"{side}_hip"][:, 1] - joints[f"{side}_ankle"][:, 1] for side in _SIDES))
    return found


def mean_of_seen(left: _Floats, right: _Floats) -> _Floats:
    """Return the mean of both sides, of one where the other is not a number."""
    return np.float32(0.5) * (np.where(np.isnan(left), right, left) + np.where(np.isnan(right), left, right))


def angle_between(first: _Floats, second: _Floats) -> npt.NDArray[np.float64]:
    """Return the angle between vectors of shape (n, 3), in degrees, shape (n,); not a number where one has no length."""
    # By both sine and cosine: the arc cosine alone loses a twentieth of a degree where a limb is nearly straight.
    one, other = np.broadcast_arrays(first.astype(np.float64), second.astype(np.float64))
    cosine, sine = (one * other).sum(axis=1), np.linalg.norm(np.cross(one, other), axis=1)
    angle = np.degrees(np.arctan2(sine, cosine))
    return np.where(one.any(axis=1) & other.any(axis=1), angle, np.nan)
