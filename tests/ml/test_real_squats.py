"""Squats found in bodies that a pose tool saw in real clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.preprocessing.pose.angles import ANGLE_JOINTS, ANGLES, joint_angles
from ml.preprocessing.pose.bodies import Body, found_squats
from studies.skeletons import MEDIAPIPE

pytestmark = pytest.mark.real


def _body(real: Path, clip: str) -> Body:
    """The joints as reading makes them of the tool's landmarks: y up, z towards the camera, frames without a body left out."""
    with np.load(real / "keypoints" / f"{clip}_mp0.10.21_c1.npz") as saved:
        world, rate_hz = saved["world"][..., :3] * [1, -1, -1], float(saved["fps"])
    seen = np.isfinite(world).all(axis=(1, 2))
    t_ns = np.rint(np.flatnonzero(seen) * 1e9 / rate_hz).astype(np.int64)
    joints = dict(zip(MEDIAPIPE, np.moveaxis(world[seen].astype(np.float32), 1, 0), strict=True))
    joints["neck"] = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    return Body(t_ns, joints, joint_angles({name: joints[name] for name in ANGLE_JOINTS}))


def _at_the_deepest(body: Body, column: str) -> float:
    (deepest,) = np.searchsorted(body.t_ns, found_squats(body)["deepest_ns"])
    return float(body.angles[deepest, ANGLES.index(column)])


def test_a_squat_without_depth_is_told_from_an_olympic_one_by_the_knees(real: Path) -> None:
    shallow, full = _body(real, "mlsac_no_depth_vid"), _body(real, "mlsac_olympic_squat_vid")
    assert _at_the_deepest(shallow, "left_knee_deg") == pytest.approx(99, abs=1.5)
    assert _at_the_deepest(full, "left_knee_deg") == pytest.approx(45, abs=1.5)
    # The other knee of the shallow squat bends less: the camera stands a little to one side.
    assert _at_the_deepest(shallow, "right_knee_deg") == pytest.approx(115, abs=1.5)
    assert _at_the_deepest(full, "right_knee_deg") == pytest.approx(47, abs=1.5)
    assert _at_the_deepest(shallow, "hip_height_m") > 2 * _at_the_deepest(full, "hip_height_m")


def test_a_bend_forward_is_told_by_the_lean_of_the_trunk(real: Path) -> None:
    lean = {clip: _at_the_deepest(_body(real, f"mlsac_{clip}_vid"), "trunk_deg") for clip in ("bending_forward", "olympic_squat")}
    assert lean["bending_forward"] > 60
    assert lean["olympic_squat"] < 30


def test_two_repetitions_are_counted_and_lie_apart(real: Path) -> None:
    found = found_squats(_body(real, "rohanx01_squat"))
    assert len(found["deepest_ns"]) == 2
    assert np.round(found["deepest_ns"] / 1e9).tolist() == [11, 17]
    assert (found["end_ns"][0] - found["start_ns"][0]) / 1e9 == pytest.approx(2.4, abs=0.4)
    assert found["end_ns"][0] < found["start_ns"][1]
