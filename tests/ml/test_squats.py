"""Squats as they are kept: where each begins, is deepest and ends, on the frames' own clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.pose.bodies import keep_bodies
from ml.preprocessing.pose.squats import find_in
from studies import find_study
from tests.ml.bodies import squatting, streams_of
from tests.ml.written_batches import ORIGIN_NS, Recorded, Streams, write_batch
from warehouse.home import Home
from warehouse.lake import Lake

_STUDY = find_study("squat_frames")


def _kept(home: Home, streams: Streams) -> list[dict[str, object]]:
    write_batch(home, _STUDY, "b1", [Recorded("r1", "P001", "good", streams)])
    keep_bodies("b1", _STUDY, home)
    return Lake(home).read("squats").to_pylist()


def test_squats_are_counted_and_each_goes_down_and_up_between_its_start_and_end(home: Home) -> None:
    rows = _kept(home, streams_of(squatting(181)))
    assert [row["repetition"] for row in rows] == [1, 2, 3]
    for number, row in enumerate(rows):
        start, deepest, end = ((row[name] - ORIGIN_NS) / 1e9 for name in ("start_ns", "deepest_ns", "end_ns"))  # type: ignore[operator]
        assert deepest == pytest.approx(2 * number + 1, abs=0.1)
        assert 2 * number - 0.05 <= start < deepest - 0.5
        assert deepest + 0.5 < end <= 2 * number + 2.05
        assert row["depth"] == pytest.approx(0.47, abs=0.08)
        assert (row["source"], row["participant"]) == ("found", "P001")
        assert 0.5 < row["confidence"] <= 1  # type: ignore[operator]


def test_frames_at_uneven_times_are_told_by_their_own_times(home: Home) -> None:
    random = np.random.default_rng(1)
    t_s = np.cumsum(random.uniform(0.6, 1.4, 400) / 30)
    true = squatting(20_000, rate_hz=1000)
    rows = _kept(home, streams_of(true[np.rint(t_s * 1000).astype(int)], t_s))
    deepest = np.array([row["deepest_ns"] for row in rows]) - ORIGIN_NS
    assert set(deepest.tolist()) <= set(np.rint(t_s * 1e9).astype(np.int64).tolist()), "a frame of the clip, not a time between"
    np.testing.assert_allclose(deepest / 1e9, np.arange(len(rows)) * 2 + 1, atol=0.12)
    assert len(rows) == int((t_s[-1] - 1.4) / 2) + 1


def test_no_squat_is_found_across_a_gap_and_one_side_is_enough(home: Home) -> None:
    joints, t_s = squatting(181), np.arange(181) / 30
    gone = (t_s > 2.7) & (t_s < 3.3)
    streams = dict(streams_of(joints[~gone], t_s[~gone]))
    assert [round((row["deepest_ns"] - ORIGIN_NS) / 1e9) for row in _kept(home, streams)] == [1, 5]  # type: ignore[operator]
    for part in ("knee", "ankle", "hip"):
        del streams[f"joint@left_{part}"]
    rows = _kept(home, streams)
    assert [round((row["deepest_ns"] - ORIGIN_NS) / 1e9) for row in rows] == [1, 5]  # type: ignore[operator]
    assert rows[0]["knee_deg"] is not None
    del streams["joint@right_ankle"]
    assert _kept(home, streams) == []


@settings(deadline=None, max_examples=40)
@given(
    waits=st.lists(st.floats(0.3, 1.5), min_size=2, max_size=4),
    deep=st.lists(st.floats(0.4, 0.7), min_size=4, max_size=4),
    rate_hz=st.sampled_from([12.5, 24, 30, 60]),
)
def test_squats_never_overlap_and_begin_and_end_where_the_body_stands(
    waits: list[float], deep: list[float], rate_hz: float
) -> None:
    depth, wait = [], 0.0
    for wait, down in zip(waits, deep, strict=False):
        depth += [np.zeros(round(wait * rate_hz)), down * (1 - np.cos(np.linspace(0, 2 * np.pi, round(2 * rate_hz)))) / 2]
    depth.append(np.zeros(round(wait * rate_hz)))
    sunk = np.concatenate(depth)
    found = find_in(0.8 * (1 - sunk), 2 * sunk, rate_hz=rate_hz)
    assert len(found.deepest) == len(waits)
    assert (found.start < found.deepest).all()
    assert (found.deepest < found.end).all()
    assert (found.end[:-1] <= found.start[1:]).all()
    bottom = np.array(deep[: len(waits)])
    assert (sunk[found.start] < 0.2 * bottom).all()
    assert (sunk[found.end] < 0.2 * bottom).all()


def test_a_body_that_hardly_stands_up_between_two_squats_ends_one_where_the_other_begins() -> None:
    t_s = np.arange(300) / 30
    sunk = 0.3 + 0.25 * np.cos(2 * np.pi * t_s / 2.5 + np.pi)
    sunk[t_s < 0.3] = sunk[t_s > 9.7] = 0
    found = find_in(0.8 * (1 - sunk), 2 * sunk, rate_hz=30)
    assert len(found.deepest) == 4
    assert (found.end[:-1] <= found.start[1:]).all()


_LABELLED = ((0.2, 24 / 30, 1.9, "bad"), (2.1, 3.1, 4.0, None), (4.0, 5.0, 5.9, "good"))


def test_labelled_squats_go_before_those_that_are_found(home: Home) -> None:
    streams = streams_of(squatting(181))
    write_batch(home, _STUDY, "b1", [Recorded("r1", "P001", "good", streams, squats=_LABELLED[:2])])
    assert keep_bodies("b1", _STUDY, home) == 2
    rows = Lake(home).read("squats").to_pylist()
    times = [[round((row[name] - ORIGIN_NS) / 1e9, 3) for name in ("start_ns", "deepest_ns", "end_ns")] for row in rows]
    assert times == [[0.2, 0.8, 1.9], [2.1, 3.1, 4.0]]
    assert [(row["source"], row["confidence"]) for row in rows] == [("labelled", None)] * 2
    assert rows[0]["hip_height_m"] > rows[1]["hip_height_m"], "as the body is in the frame that was labelled"


def test_a_squat_labelled_where_nobody_was_seen_has_no_angle(home: Home) -> None:
    joints, t_s = squatting(181), np.arange(181) / 30
    there = (t_s < 2.9) | (t_s > 3.3)
    write_batch(home, _STUDY, "b1", [Recorded("r1", "P001", "good", streams_of(joints[there], t_s[there]), squats=_LABELLED)])
    keep_bodies("b1", _STUDY, home)
    rows = Lake(home).read("squats").to_pylist()
    assert [row["knee_deg"] is None for row in rows] == [False, True, False]
    assert [row["depth"] is None for row in rows] == [False, True, False]


def test_tasks_learn_round_the_labelled_frames_with_the_labels_of_the_squats(home: Home) -> None:
    streams = streams_of(squatting(181))
    late = (4.0, 5.95, 6.0, "good")
    recorded = [
        Recorded("r1", "P001", "good", streams, squats=(*_LABELLED[:2], late)),
        Recorded("r2", "P002", "unheard of", streams, squats=_LABELLED[2:]),
        Recorded("r3", "P003", "good", streams, squats=[(0.1, 1.0, 2.0, "sideways")]),
        Recorded("r4", "P004", "good", streams),
    ]
    write_batch(home, _STUDY, "b1", recorded)
    study = _STUDY.model_copy(update={"tasks": {"form": _STUDY.tasks["form"]}})
    resample_batch("b1", study, home)
    segment_batch("b1", study, home)
    rows = Lake(home).read("segments").to_pylist()
    middle = [(row["recording_id"], round((row["start_ns"] + row["end_ns"]) / 2e9 - ORIGIN_NS / 1e9, 2)) for row in rows]
    assert middle[:3] == [("r1", 0.8), ("r1", 3.1), ("r2", 5.0)]
    assert [row["label"] for row in rows[:3]] == ["bad", "good", "good"]
    assert [(row["steps"], row["confidence"]) for row in rows[:3]] == [(11, None)] * 3
    assert [recording for recording, _ in middle[3:]] == ["r4"] * 3, "where nobody labelled, they are found"
    statements = {row["recording_id"]: row["statement"] for row in Lake(home).read("cuts").to_pylist()}
    assert statements["r1"] == "1 squats are deepest too near to a gap or an end"
    assert "1 have a label that the study does not know ('sideways')" in statements["r3"]
