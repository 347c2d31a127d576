"""Distances between joints: what they are, which channels they make, and who may ask for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.pose.distances import PAIRS, pairwise_distances
from ml.preprocessing.tensors import channel_names, cut_streams
from ml.preprocessing.training_table import TrainingTable
from studies.sensors import stream_name
from studies.skeletons import JOINTS
from studies.study import Study
from tests.ml.bodies import squatting
from tests.ml.written_batches import ORIGIN_NS, Recorded, wrist_study, write_batch
from warehouse.errors import StudyError, UnreadableFile
from warehouse.home import Home

_STUDY = r"""
study: wrist
title: Squats that a camera saw
participants: '^P\d+$'
labels: [deep, shallow]
streams:
  joint: {unit: m, rate_hz: [20, 60]}
tasks:
  depth:
    input: {streams: [joints], rate_hz: 30, derive: distances}
    segment: {by: window, seconds: 2, length: 60}
    augment:
      - scaling: {low: 0.9, high: 1.1}
    split: {group: participant, test: 0.25, folds: 2}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""


_Readings = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


@given(st.integers(1, 40), st.integers(2, 25), st.integers(0, 99))
def test_every_pair_is_as_far_apart_as_its_difference_is_long(frames: int, joints: int, seed: int) -> None:
    body = np.random.default_rng(seed).normal(0, 1, (frames, joints, 3)).astype(np.float32)
    first, second = np.triu_indices(joints, 1)
    wanted = np.linalg.norm(body[:, first].astype(np.float64) - body[:, second], axis=2)
    np.testing.assert_allclose(pairwise_distances(body), wanted, atol=1e-6)


@given(st.integers(0, 99), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_a_turned_and_shifted_body_has_the_same_distances(seed: int, shift: list[float]) -> None:
    body = squatting(20, seed=seed)
    moved = (body @ Rotation.random(random_state=seed).as_matrix().T + shift).astype(np.float32)
    np.testing.assert_allclose(pairwise_distances(moved), pairwise_distances(body), atol=1e-5)


def test_what_is_missing_stays_missing_and_nothing_else_does() -> None:
    body = squatting(3)
    body[1, JOINTS.index("nose")] = np.nan
    missing = np.isnan(pairwise_distances(body))
    assert missing[1].tolist() == ["nose" in pair.split("-") for pair in PAIRS]
    assert not missing[[0, 2]].any()


def test_more_frames_than_one_block_are_each_in_their_place() -> None:
    body = np.random.default_rng(1).normal(0, 1, (40_000, 3, 3)).astype(np.float32)
    np.testing.assert_array_equal(pairwise_distances(body)[[0, 16_384, 39_999]], pairwise_distances(body[[0, 16_384, 39_999]]))


def test_a_body_without_frames_has_no_distances() -> None:
    assert pairwise_distances(np.zeros((0, 19, 3), np.float32)).shape == (0, 171)


def _streams(body: npt.NDArray[np.float32], *, without: str = "", rate_hz: float = 30.0) -> dict[str, _Readings]:
    t_ns = ORIGIN_NS + np.rint(np.arange(len(body)) * 1e9 / rate_hz).astype(np.int64)
    joints = {stream_name("joint", name): (t_ns, body[:, number]) for number, name in enumerate(JOINTS)}
    return {name: read for name, read in joints.items() if name != without}


def _cohort() -> list[Recorded]:
    return [
        Recorded(f"r{person}{label}", f"P{person}", label, _streams(squatting(240, seed=2 * person + number, deep=deep)))
        for person in range(4)
        for number, (label, deep) in enumerate((("deep", 0.45), ("shallow", 0.2)))
    ]


def _frozen(home: Home, study: Study) -> TrainingTable:
    write_batch(home, study, "b1", _cohort())
    resample_batch("b1", study, home)
    segment_batch("b1", study, home)
    return freeze_examples(study, "depth", home)


def test_a_task_learns_from_171_channels_and_a_file_is_cut_into_the_same_numbers(home: Home, tmp_path: Path) -> None:
    study = wrist_study(tmp_path, _STUDY)
    table, task = _frozen(home, study), study.tasks["depth"]
    assert table.meta.channels == channel_names(task.input) == PAIRS
    assert table.signals.shape[1:] == (60, 171)
    rows = table.original & (table.recording_id == "r2deep")
    cut = cut_streams(_cohort()[4].streams, task)
    np.testing.assert_array_equal(cut.signals, table.signals[rows])
    knee = PAIRS.index("right_knee-left_knee")
    standing = float(table.signals[rows][:, :, knee].mean())
    assert standing == pytest.approx(np.linalg.norm(np.diff(squatting(1, seed=4)[0, [1, 4]], axis=0)), abs=0.01)


def test_frames_in_which_one_joint_was_not_seen_are_in_no_example(tmp_path: Path) -> None:
    task = wrist_study(tmp_path, _STUDY).tasks["depth"]
    streams = _streams(squatting(300))
    t_ns, values = streams["joint@nose"]
    unseen = (np.arange(300) >= 100) & (np.arange(300) < 170)
    streams["joint@nose"] = (t_ns[~unseen], values[~unseen])
    cut = cut_streams(streams, task)
    assert len(cut) == 4
    gap = t_ns[[99, 170]]
    assert ((cut.end_ns <= gap[0]) | (cut.start_ns >= gap[1])).all()
    assert np.isfinite(cut.signals).all()


def test_a_file_without_one_of_the_joints_is_told_which(tmp_path: Path) -> None:
    task = wrist_study(tmp_path, _STUDY).tasks["depth"]
    with pytest.raises(UnreadableFile, match="needs the stream 'joint@left_knee'"):
        cut_streams(_streams(squatting(90), without="joint@left_knee"), task)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[joints]", "[joint@nose]", "needs the 19 joints .* 18 are missing: joint@right_ankle"),
        ("[joints]", "[joints, joint@left_heel]", "takes the 19 joints alone; leave out joint@left_heel"),
        ("[joints]", "[joints, joint@nose]", "'joint@nose' is there twice"),
        ("derive: distances", "derive: distances, magnitude: true", "has no magnitude"),
        ("derive: distances", "derive: distance", "distance"),
        ("scaling: {low: 0.9, high: 1.1}", "rotation: {max_degrees: 20}", "cannot be turned"),
        ("joint: {unit: m, rate_hz: [20, 60]}", "gyroscope: {unit: rad/s, rate_hz: [20, 60]}", "joint@.* is not declared"),
    ],
)
def test_distances_that_cannot_be_made_are_refused_with_the_study(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        wrist_study(tmp_path, _STUDY.replace(old, new, 1))


def test_joints_stands_for_all_of_them_without_distances_too(tmp_path: Path) -> None:
    task = wrist_study(tmp_path, _STUDY.replace(", derive: distances", "")).tasks["depth"]
    assert len(channel_names(task.input)) == 57
