"""Angles of joints: laws of the arithmetic, and what is kept of the bodies of a batch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from ml.explanation.channels import channel_importance
from ml.models import create
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.pose.angles import ANGLE_JOINTS, ANGLES, joint_angles
from ml.preprocessing.pose.bodies import keep_bodies
from ml.preprocessing.tensors import channel_names, cut_streams
from studies import find_study
from studies.preparation import Input
from studies.skeletons import JOINTS
from tests.ml.bodies import squatting, streams_of
from tests.ml.written_batches import Recorded, Streams, moving, wrist_study, write_batch
from warehouse.erasure import erase_rows
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.publish import publish
from warehouse.query import query


def _body(seed: int, frames: int = 20) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.normal(0, 1, (frames, 3)).astype(np.float32) for name in ANGLE_JOINTS}


def _streams(joints: np.ndarray) -> Streams:
    """The 19 joints and toes before the ankles."""
    toes = {f"{side}_foot_index": joints[:, JOINTS.index(f"{side}_ankle")] + [0, -0.05, 0.15] for side in ("left", "right")}
    body = streams_of(joints)
    t_ns, _ = body["joint@nose"]
    return {**body, **{f"joint@{name}": (t_ns, foot.astype(np.float32)) for name, foot in toes.items()}}


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), scale=st.floats(0.2, 5))
def test_no_turn_shift_or_scale_changes_an_angle_at_a_joint(seed: int, scale: float) -> None:
    body, turn = _body(seed), Rotation.random(rng=seed).as_matrix()
    moved = {name: ((scale * values) @ turn.T + [1, 2, 3]).astype(np.float32) for name, values in body.items()}
    np.testing.assert_allclose(joint_angles(moved)[:, :6], joint_angles(body)[:, :6], atol=0.02)


@settings(deadline=None, max_examples=30)
@given(angle=st.floats(0, 180), seed=st.integers(0, 100))
def test_a_knee_bent_by_an_angle_has_it(angle: float, seed: int) -> None:
    body = _body(seed, frames=1)
    thigh = (body["left_hip"] - body["left_knee"])[0].astype(np.float64)
    across = np.cross(thigh, [0.3, -0.2, 0.9])
    turned = Rotation.from_rotvec(np.radians(angle) * across / np.linalg.norm(across)).apply(thigh)
    body["left_ankle"] = (body["left_knee"] + 0.7 * turned).astype(np.float32)
    assert joint_angles(body)[0, ANGLES.index("left_knee_deg")] == pytest.approx(angle, abs=0.02)


def test_a_body_upright_leans_by_nothing_and_one_that_lies_by_a_quarter_turn() -> None:
    body = {name: np.zeros((2, 3), np.float32) for name in ANGLE_JOINTS}
    body["neck"] = np.array([[0, 0.5, 0], [0.3, 0, 0.4]], np.float32)
    for side in ("left", "right"):
        body[f"{side}_ankle"] = np.array([[0, -0.8, 0], [0, 0, 0]], np.float32)
    found = dict(zip(ANGLES, joint_angles(body).T.tolist(), strict=True))
    assert found["trunk_deg"] == pytest.approx([0, 90])
    assert found["hip_height_m"] == pytest.approx([0.8, 0])
    assert np.isnan(found["left_knee_deg"]).all(), "the knee lies in the hip: there is no angle"


def test_a_joint_that_was_not_seen_takes_away_its_angles_and_no_other(home: Home) -> None:
    streams = dict(_streams(squatting(121)))
    t_ns, knee = streams["joint@left_knee"]
    streams["joint@left_knee"] = (np.delete(t_ns, 7), np.delete(knee, 7, axis=0))
    for stream in streams:
        streams[stream] = tuple(part[streams[stream][0] != t_ns[90]] for part in streams[stream])  # type: ignore[assignment]
    write_batch(home, find_study("squat_frames"), "b1", [Recorded("r1", "P001", "good", streams)])
    keep_bodies("b1", find_study("squat_frames"), home)
    rows = Lake(home).read("joint_angles")
    assert rows["t_ns"].to_pylist() == np.delete(t_ns, 90).tolist(), "a frame without a body has no row"
    missing = {name for name in ANGLES if rows[name].null_count}
    assert missing == {"left_knee_deg", "left_hip_deg", "left_ankle_deg"}
    assert {name: rows[name][7].as_py() for name in missing} == dict.fromkeys(missing)
    assert all(rows[name].null_count == 1 for name in missing)


def test_what_is_kept_of_bodies_is_written_once_shown_in_the_warehouse_and_erased_with_the_person(home: Home) -> None:
    study = find_study("squat_frames")
    recorded = [Recorded(f"r{n}", f"P00{n}", "good", _streams(squatting(121, seed=n))) for n in range(2)]
    refused = dataclasses.replace(recorded[0], recording_id="r9", participant="P009", accepted=False)
    write_batch(home, study, "b1", [*recorded, refused])
    assert keep_bodies("b1", study, home) == keep_bodies("b1", study, home) == 4
    lake = Lake(home)
    assert lake.read("joint_angles").num_rows == 2 * 121
    publish(home)
    (shown,) = query(home, "SELECT count(*) AS n, min(left_knee_deg) AS least FROM joint_angles").to_pylist()
    assert shown["n"] == 242
    assert 40 < shown["least"] < 120
    erase_rows("P001", recordings={"r1"}, sha256=(), batches={"b1"}, home=home)
    assert {name: set(lake.read(name)["recording_id"].to_pylist()) for name in ("joint_angles", "squats")} == {
        "joint_angles": {"r0"},
        "squats": {"r0"},
    }


def test_a_study_without_joints_has_no_such_table(home: Home, tmp_path: Path) -> None:
    study = wrist_study(tmp_path)
    write_batch(home, study, "b1", [Recorded("r1", "P1", "shake", moving(0))])
    assert keep_bodies("b1", study, home) == 0
    assert Lake(home).version("joint_angles") is None
    assert Lake(home).read("squats").num_rows == 0


_STUDY = """
study: wrist
title: Squats by their angles
participants: '^P\\d+$'
labels: [deep, shallow]
streams:
  joint: {unit: m, rate_hz: [20, 60]}
tasks:
  depth:
    input: {streams: [joints, joint@left_foot_index, joint@right_foot_index], rate_hz: 30, derive: angles}
    segment: {by: window, seconds: 2, length: 60}
    split: {group: participant, test: 0.25, folds: 2}
    models: [{family: random_forest}]
    promote: {at_least: 0.5}
"""


def _cohort() -> list[Recorded]:
    return [
        Recorded(f"r{person}{label}", f"P{person}", label, _streams(squatting(240, seed=2 * person + number, deep=deep)))
        for person in range(4)
        for number, (label, deep) in enumerate((("deep", 0.45), ("shallow", 0.2)))
    ]


def test_a_task_learns_from_angles_and_a_file_is_cut_into_the_same_numbers(home: Home, tmp_path: Path) -> None:
    study = wrist_study(tmp_path, _STUDY)
    write_batch(home, study, "b1", _cohort())
    resample_batch("b1", study, home)
    segment_batch("b1", study, home)
    table, task = freeze_examples(study, "depth", home), study.tasks["depth"]
    assert table.meta.channels == channel_names(task.input) == ANGLES
    assert table.signals.shape[1:] == (60, 8)
    cut = cut_streams(_cohort()[4].streams, task)
    np.testing.assert_array_equal(cut.signals, table.signals[table.original & (table.recording_id == "r2deep")])
    keep_bodies("b1", study, home)
    kept = Lake(home).read("joint_angles", where={"recording_id": "r2deep"})
    seen = np.stack([kept[name].to_numpy() for name in ANGLES], axis=1)
    np.testing.assert_allclose(cut.signals[0], seen[:60], atol=0.05)
    train = np.isin(table.participant, ["P0", "P1", "P2"])
    estimator = create("random_forest", {}).fit(table.signals[train], table.labels[train])
    found = channel_importance(estimator, table.signals[~train], table.labels[~train], channels=table.meta.channels, seed=0)
    assert {one.channel for one in found} == set(ANGLES)
    assert (estimator.predict(table.signals[~train]) == table.labels[~train]).all()


def test_without_toes_the_ankles_have_no_channel_and_nothing_else_changes(tmp_path: Path) -> None:
    whole = wrist_study(tmp_path, _STUDY).tasks["depth"]
    footless = wrist_study(tmp_path, _STUDY.replace(", joint@left_foot_index, joint@right_foot_index", "")).tasks["depth"]
    names = channel_names(footless.input)
    assert names == tuple(name for name in ANGLES if "ankle" not in name)
    streams = _streams(squatting(120))
    signals = cut_streams({name: read for name, read in streams.items() if "foot" not in name}, footless).signals
    kept = [ANGLES.index(name) for name in names]
    np.testing.assert_array_equal(signals, cut_streams(streams, whole).signals[:, :, kept])
    assert np.isfinite(signals).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"streams": ["joint@neck", "joint@left_hip"]},
            "needs neck, shoulders, hips, knees and ankles; missing: joint@left_shou",
        ),
        ({"streams": ["joints", "accelerometer"]}, "takes the joints of a body alone; leave out accelerometer"),
        ({"streams": ["joints"], "magnitude": True}, "no vector and has no magnitude"),
    ],
)
def test_what_has_no_angles_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Input.model_validate({"rate_hz": 30, "derive": "angles", **change})
