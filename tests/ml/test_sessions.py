"""A video and a sensor of one session: offsets in the lake, and segments that one lends the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.sessions import offsets_of_batch
from studies import load_study
from studies.study import Study
from tests.ml.test_fusion import Session
from tests.ml.written_batches import ORIGIN_NS, Recorded, Streams, write_batch
from warehouse.home import Home
from warehouse.lake import Lake

_STUDY = """
study: both
title: A phone and a camera at once
participants: '^P\\d+$'
labels: [squat]
streams:
  accelerometer: {unit: m/s^2, rate_hz: [90, 110]}
  joint: {unit: m, rate_hz: [20, 40]}
tasks:
  felt:
    input: {streams: [accelerometer], rate_hz: 50}
    segment: {by: annotation, length: 64, borrow: 0.05}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""
_AHEAD_NS = 7_300_000_000


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "both.yaml").write_text(_STUDY, encoding="utf-8")
    return load_study(tmp_path / "both.yaml")


def filmed(session: Session) -> Streams:
    t_ns, heights = session.video(first_s=0.5, last_s=18.5)
    still = np.zeros((len(t_ns), 3), np.float32)
    below = still + np.column_stack([0 * heights, -heights, 0 * heights]).astype(np.float32)
    of = {"hip": still, "ankle": below}
    return {f"joint@{side}_{part}": (t_ns, values) for side in ("left", "right") for part, values in of.items()}


def worn(session: Session) -> Streams:
    t_ns, felt = session.sensor(_AHEAD_NS)
    return {"accelerometer": (t_ns, felt.astype(np.float32))}


def recorded(number: int, marks: list[tuple[float, float, str | None]] | None = None) -> list[Recorded]:
    session, who = Session(number), f"P{number}"
    return [
        Recorded(f"v{number}", who, "squat", filmed(session), session="s1", marks=marks or ()),
        Recorded(f"w{number}", who, "squat", worn(session), session="s1"),
    ]


def test_every_session_that_has_both_gets_its_offset(home: Home, study: Study) -> None:
    alone = Recorded("alone", "P9", "squat", worn(Session(9)), session="s1")
    write_batch(home, study, "b1", [*recorded(1), *recorded(2), alone])
    assert offsets_of_batch("b1", study, home) == 2
    rows = Lake(home).read("offsets").to_pylist()
    assert [(row["video_id"], row["sensor_id"], row["stream"]) for row in rows] == [
        ("v1", "w1", "accelerometer"),
        ("v2", "w2", "accelerometer"),
    ]
    assert all(abs(row["offset_ns"] - _AHEAD_NS) < 17_000_000 for row in rows)
    assert offsets_of_batch("b1", study, home) == 2
    assert Lake(home).read("offsets").num_rows == 2


def test_marks_on_the_video_label_the_sensor_at_its_own_clock(home: Home, study: Study) -> None:
    write_batch(home, study, "b1", recorded(1, [(2.0, 4.5, "squat"), (6.0, 8.5, "squat")]))
    offsets_of_batch("b1", study, home)
    resample_batch("b1", study, home)
    assert segment_batch("b1", study, home) == 2
    starts = Lake(home).read("segments")["start_ns"].to_numpy() - ORIGIN_NS - _AHEAD_NS
    np.testing.assert_allclose(starts / 1e9, [2.0, 6.0], atol=0.04)
    (statement,) = Lake(home).read("cuts")["statement"].to_pylist()
    assert statement.startswith("Marks of recording v1 were used, moved by 7.")


def test_an_offset_that_is_not_sure_enough_moves_nothing(home: Home, study: Study, tmp_path: Path) -> None:
    (tmp_path / "both.yaml").write_text(_STUDY.replace("borrow: 0.05", "borrow: 0.99"), encoding="utf-8")
    write_batch(home, study, "b1", recorded(1, [(2.0, 4.5, "squat")]))
    offsets_of_batch("b1", study, home)
    strict = load_study(tmp_path / "both.yaml")
    resample_batch("b1", strict, home)
    assert segment_batch("b1", strict, home) == 0


def test_of_two_of_each_those_belong_together_that_moved_together(home: Home, study: Study) -> None:
    first, second = (Session(number) for number in (1, 2))
    parts = [("v1", filmed(first)), ("w1", worn(first)), ("v2", filmed(second)), ("w2", worn(second))]
    write_batch(home, study, "b1", [Recorded(name, "P1", "squat", streams, session="s1") for name, streams in parts])
    offsets_of_batch("b1", study, home)
    pairs = {(row["video_id"], row["sensor_id"]) for row in Lake(home).read("offsets").to_pylist()}
    assert pairs == {("v1", "w1"), ("v2", "w2")}


def test_repetitions_that_another_task_found_are_lent_where_nothing_is_marked(home: Home, tmp_path: Path) -> None:
    seen = """\
  found:
    input: {streams: [accelerometer], rate_hz: 25}
    segment: {by: repetition, length: 64, max_seconds: 5}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""
    filmed_task = _STUDY.replace("streams: [accelerometer], rate_hz: 50", "streams: [joint@left_ankle], rate_hz: 30")
    (tmp_path / "both.yaml").write_text(filmed_task + seen, encoding="utf-8")
    study = load_study(tmp_path / "both.yaml")
    write_batch(home, study, "b1", recorded(1))
    offsets_of_batch("b1", study, home)
    resample_batch("b1", study, home)
    segment_batch("b1", study, home)
    rows = Lake(home).read("segments").to_pylist()
    own = sorted(row["end_ns"] for row in rows if row["task"] == "both.found")
    lent = sorted(row["end_ns"] for row in rows if row["task"] == "both.felt")
    assert len(own) > 3
    assert len(lent) >= len(own) - 2
    nearest = [min(abs(end - other + _AHEAD_NS) for other in own) for end in lent]
    assert max(nearest) < 50_000_000
