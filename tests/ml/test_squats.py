"""Squats as they are kept: where each begins, is deepest and ends, on the frames' own clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.preprocessing.pose.bodies import keep_bodies
from ml.preprocessing.pose.squats import find_in
from studies import find_study
from studies.skeletons import JOINTS
from tests.ml.bodies import squatting
from tests.ml.written_batches import ORIGIN_NS, Recorded, Streams, write_batch
from warehouse.home import Home
from warehouse.lake import Lake

_STUDY = find_study("squat_frames")


def _streams(joints: np.ndarray, t_s: np.ndarray) -> Streams:
    t_ns = ORIGIN_NS + np.rint(t_s * 1e9).astype(np.int64)
    return {f"joint@{name}": (t_ns, joints[:, number]) for number, name in enumerate(JOINTS)}


def _kept(home: Home, streams: Streams) -> list[dict[str, object]]:
    write_batch(home, _STUDY, "b1", [Recorded("r1", "P001", "good", streams)])
    keep_bodies("b1", _STUDY, home)
    return Lake(home).read("squats").to_pylist()


def test_squats_are_counted_and_each_goes_down_and_up_between_its_start_and_end(home: Home) -> None:
    rows = _kept(home, _streams(squatting(181), np.arange(181) / 30))
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
    rows = _kept(home, _streams(true[np.rint(t_s * 1000).astype(int)], t_s))
    deepest = np.array([row["deepest_ns"] for row in rows]) - ORIGIN_NS
    assert set(deepest.tolist()) <= set(np.rint(t_s * 1e9).astype(np.int64).tolist()), "a frame of the clip, not a time between"
    np.testing.assert_allclose(deepest / 1e9, np.arange(len(rows)) * 2 + 1, atol=0.12)
    assert len(rows) == int((t_s[-1] - 1.4) / 2) + 1


def test_no_squat_is_found_across_a_gap_and_one_side_is_enough(home: Home) -> None:
    joints, t_s = squatting(181), np.arange(181) / 30
    gone = (t_s > 2.7) & (t_s < 3.3)
    streams = dict(_streams(joints[~gone], t_s[~gone]))
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
