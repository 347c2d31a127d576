"""Single frames as examples: which label each has, what is centred in them, and what may learn from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.drift import reference
from ml.models import create
from ml.preprocessing.annotations import mark_ticks, marks_of
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.clock import Clock
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.filters import Ticks
from ml.preprocessing.pose.derived import centred
from ml.preprocessing.segmentation import Spans, cut_spans
from ml.preprocessing.tensors import cut_streams
from studies.preparation import Segmentation
from studies.sensors import stream_name
from studies.skeletons import JOINTS
from tests.ml.bodies import squatting
from tests.ml.written_batches import ORIGIN_NS, Recorded, wrist_study, write_batch
from warehouse.errors import StudyError
from warehouse.home import Home

_CLOCK = Clock.of(30, origin_ns=ORIGIN_NS)
_STUDY = r"""
study: wrist
title: Squats that a camera saw
participants: '^P\d+$'
labels: [squat, up, down]
streams:
  joint: {unit: m, rate_hz: [20, 60]}
tasks:
  phase:
    labels: [up, down]
    input: {streams: [joints], rate_hz: 30, derive: centred}
    segment: {by: frame}
    split: {group: participant, folds: 2}
    models: [{family: svm, parameters: {vector: samples}}]
    promote: {at_least: 0.5}
"""


def _body(seed: int, frames: int = 60) -> Recorded:
    """A squat with two marks: up until frame 9, down from frame 20 to frame 39."""
    t_ns = _CLOCK.ticks(np.arange(frames))
    body = squatting(frames, seed=seed)
    streams = {stream_name("joint", name): (t_ns, body[:, number]) for number, name in enumerate(JOINTS)}
    return Recorded(f"r{seed}", f"P{seed % 2}", "squat", streams, marks=((0, 0.31, "up"), (0.66, 1.31, "down")))


def test_every_tick_of_every_run_is_a_segment() -> None:
    ticks = cut_spans(Spans(np.array([3, 10]), np.array([2, 3])), Segmentation(by="frame"), rate_hz=30)
    assert ticks.first.tolist() == [3, 4, 10, 11, 12]
    assert ticks.steps.tolist() == [1] * 5


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), max_size=8), st.integers(1, 60))
def test_a_tick_has_the_label_of_the_last_mark_that_began_and_holds_it(marks: list[tuple[int, int]], ticks: int) -> None:
    at = [(start, start + length, f"m{number}") for number, (start, length) in enumerate(sorted(marks))]
    columns = list(zip(*((start * 10**9, end * 10**9, label) for start, end, label in at), strict=True)) or [(), (), ()]
    found = marks_of(*columns, canonical=str)
    every = Spans(np.arange(ticks), np.ones(ticks, np.int64))
    wanted = [next((label for start, end, label in reversed(at) if start <= tick <= end), None) for tick in range(ticks)]
    assert list(mark_ticks(every, found, clock=Clock.of(1, origin_ns=0))) == wanted


def test_marked_frames_are_examples_of_one_sample_and_the_others_are_none(home: Home, tmp_path: Path) -> None:
    study = wrist_study(tmp_path, _STUDY)
    write_batch(home, study, "b1", [_body(number) for number in range(4)])
    resample_batch("b1", study, home)
    segment_batch("b1", study, home)
    table = freeze_examples(study, "phase", home)
    assert table.signals.shape == (4 * 30, 1, 19 * 3)
    assert {label: int((table.labels == label).sum()) for label in ("up", "down")} == {"up": 40, "down": 80}
    rows = table.recording_id == "r2"
    cut = cut_streams(_body(2).streams, study.tasks["phase"])
    assert len(cut) == 60
    np.testing.assert_array_equal(cut.signals[[*range(10), *range(20, 40)]], table.signals[rows])


@given(st.integers(0, 50), st.floats(0.2, 5), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_place_and_size_of_a_body_are_gone_once_it_is_centred(seed: int, size: float, shift: list[float]) -> None:
    body = squatting(12, seed=seed)
    np.testing.assert_allclose(_centred(body * size + np.array(shift)), _centred(body), atol=2e-4)


def test_a_centred_body_counts_from_between_its_hips_in_lengths_of_its_trunk() -> None:
    body = _centred(squatting(12))
    hips, shoulders = ([JOINTS.index(f"{side}_{part}") for side in ("left", "right")] for part in ("hip", "shoulder"))
    np.testing.assert_allclose(body[:, hips].mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(body[:, shoulders].mean(axis=1), axis=1), 1, atol=1e-5)


def test_a_body_that_shrinks_to_a_point_stays_finite() -> None:
    assert np.isfinite(_centred(np.zeros((3, 19, 3)))).all()


def _centred(body: np.ndarray) -> np.ndarray:
    at, starts = np.arange(len(body)), np.zeros(1, np.int64)
    joints = {
        stream_name("joint", name): Ticks(at, body[:, number].astype(np.float32), starts) for number, name in enumerate(JOINTS)
    }
    return np.stack([ticks.values for ticks in centred(joints).values()], axis=1)


@pytest.mark.parametrize("family", ["svm", "random_forest", "extra_trees"])
def test_families_of_vectors_learn_from_single_samples(family: str) -> None:
    signals = np.random.default_rng(0).normal(0, 1, (60, 1, 4)).astype(np.float32)
    labels = np.where(signals[:, 0, 0] > 0, "up", "down")
    model = create(family, {"vector": "samples", "random_state": 0}).fit(signals, labels)
    assert (model.predict(signals) == labels).mean() > 0.9


def test_the_level_of_frames_is_followed_for_drift() -> None:
    signals = np.random.default_rng(0).normal(0, 1, (60, 1, 2)).astype(np.float32)
    names = np.array(["P1", "P2"] * 30)
    assert reference(signals, channels=["a.x", "a.y"], labels=names, participants=names).features == ("a.x.mean", "a.y.mean")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("by: frame", "by: frame, length: 8", "leave out length"),
        ("by: frame", "by: window, seconds: 2", "'by: window' needs length, 8 samples or more"),
        ("family: svm, parameters: {vector: samples}", "family: svm", "'svm' looks for a course in time"),
        (
            "family: svm, parameters: {vector: samples}",
            "family: cnn",
            "allowed with 'by: frame': random_forest, extra_trees, svm",
        ),
        ("derive: centred", "derive: images", "learns from single samples"),
        ("{by: frame}", "{by: frame}\n    augment: [{time_warp: {max_share: 0.2}}]", "'time_warp' changes a course in time"),
        ("[joints]", "[joint@left_hip, joint@right_hip, joint@left_shoulder]", "missing: joint@right_shoulder"),
        ("[joints]", "[joints, keypoint@nose]", "not both"),
        ("group: participant, folds: 2", "group: session, folds: 2, folds_by: block", "folds_by goes with test"),
        ("group: participant, folds: 2", "group: block, folds: leave_one_out", "as many blocks as there are folds"),
        ("group: participant, folds: 2", "group: block, folds: 2, test: 0.2", "leave out test"),
        ("group: participant, folds: 2", "group: position, folds: 2", "only authors_split"),
    ],
)
def test_what_does_not_go_with_frames_and_blocks_is_refused_where_it_stands(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(StudyError, match=sentence):
        wrist_study(tmp_path, _STUDY.replace(old, new))
