"""Bodies of one size, and turned to where they are seen from: laws of both, and that a task asks for them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ml.preprocessing.filters import Ticks
from ml.preprocessing.pose.derived import distances_between, images_in
from ml.preprocessing.pose.views import facing, of_one_size, seen_from
from ml.preprocessing.segmentation import Spans
from studies.preparation import Input
from studies.skeletons import JOINTS
from tests.ml.bodies import squatting

_Floats = npt.NDArray[np.float32]


def turned(joints: _Floats, degrees: float) -> _Floats:
    """The same body, turned to its left."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return joints @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)


def seen_whole(bodies: _Floats, degrees: float) -> _Floats:
    (joints,) = bodies
    return seen_from(bodies, facing(joints, np.zeros(1, np.int64), np.array([len(joints)])), degrees)


def ticks(joints: _Floats) -> dict[str, Ticks]:
    at, start = np.arange(len(joints)), np.zeros(1, np.int64)
    return {f"joint@{name}": Ticks(at, joints[:, number], start) for number, name in enumerate(JOINTS)}


@settings(deadline=None, max_examples=25)
@given(size=st.floats(0.3, 3), seed=st.integers(0, 50), frames=st.integers(1, 60))
def test_a_body_of_any_size_becomes_the_same_body(size: float, seed: int, frames: int) -> None:
    joints = squatting(frames, seed=seed)
    one = of_one_size(joints)
    assert np.allclose(of_one_size(joints * np.float32(size)), one, atol=1e-4)
    assert np.allclose(of_one_size(one), one, atol=1e-4)
    assert np.allclose(one / joints, (one / joints).flat[0], rtol=1e-3)


def test_joints_that_are_nowhere_have_no_size_and_stay_where_they_are() -> None:
    assert not of_one_size(np.zeros((3, 19, 3), np.float32)).any()
    assert of_one_size(np.zeros((0, 19, 3), np.float32)).shape == (0, 19, 3)


@settings(deadline=None, max_examples=25)
@given(before=st.floats(-179, 179), view=st.floats(-180, 180), seed=st.integers(0, 50))
def test_where_a_body_faces_changes_nothing_of_what_is_seen_of_it(before: float, view: float, seed: int) -> None:
    bodies = squatting(8, seed=seed)[np.newaxis]
    seen = seen_whole(bodies, view)
    assert np.allclose(seen_whole(turned(bodies, before), view), seen, atol=1e-4)
    assert np.array_equal(seen[..., 1], bodies[..., 1])
    assert np.allclose(np.linalg.norm(seen, axis=-1), np.linalg.norm(bodies, axis=-1), atol=1e-4)


def test_where_a_body_faces_is_told_of_every_stretch_by_itself() -> None:
    joints = np.concatenate([turned(squatting(30), 20), turned(squatting(30), -70)])
    found = facing(joints, np.array([0, 30, 35]), np.array([30, 30, 1]))
    assert np.rad2deg(found) == pytest.approx([20, -70, -70], abs=1.5)


def test_from_its_left_a_body_looks_to_the_left_and_its_left_side_is_near() -> None:
    (side,) = seen_whole(squatting(8)[np.newaxis], 90)
    of = {name: side[:, number].mean(axis=0) for number, name in enumerate(JOINTS)}
    assert of["left_hip"][2] > of["right_hip"][2]
    assert of["left_hip"][0] == pytest.approx(of["right_hip"][0], abs=0.02)
    assert of["nose"][0] < of["neck"][0] - 0.03


def test_a_task_asks_for_both() -> None:
    joints = squatting(31)
    small, asked = np.float32(0.6) * joints, Input(streams=("joints",), rate_hz=30, derive="distances", same_size=True)
    assert np.allclose(distances_between(ticks(small), asked).values, distances_between(ticks(joints), asked).values, atol=1e-4)
    asked = Input(streams=("joints",), rate_hz=30, derive="images", same_size=True, view_degrees=45)
    whole = Spans(np.zeros(1, np.int64), np.array([31]))
    other = turned(small, 30)
    found, same = (images_in(ticks(body), whole, 5, asked) for body in (joints, other))
    assert (found != same).mean() < 0.002
    assert (found != images_in(ticks(joints), whole, 5, asked.model_copy(update={"view_degrees": None}))).mean() > 0.01


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"same_size": True}, "goes with 'derive: distances'"),
        ({"derive": "distances", "view_degrees": 45}, "goes with 'derive: images'"),
    ],
)
def test_what_nothing_is_derived_for_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Input.model_validate({"streams": ["joints"], "rate_hz": 30, **wrong})
