"""Gaps are listed one by one; silence of all sensors is a pause, silence of one is a gap."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.facts import measure
from ingestion.gaps import gaps_of
from ingestion.order import prepared
from ingestion.recording import Stream
from ingestion.units import Measured

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND


def measured(name: str, t_ns: np.ndarray) -> Measured:
    stream = Stream(name, t_ns, np.random.default_rng(0).normal(size=(len(t_ns), 3)).astype(np.float32), "a.csv")
    ready = prepared(stream)
    return Measured(stream, ready, measure(stream, ready))


def regular(seconds: float, rate_hz: int, *without: tuple[float, float]) -> np.ndarray:
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    kept = np.all([(times < begin) | (times >= end) for begin, end in without] or [np.ones(len(times), bool)], axis=0)
    return START_NS + (times[kept] * SECOND).astype(np.int64)


def test_silence_of_all_sensors_is_a_pause_and_of_one_a_gap():
    both, one_only, short = (10, 20), (30, 40), (50, 50.5)
    rows = gaps_of(
        [
            measured("accelerometer", regular(60, 50, both, one_only, short)),
            measured("gyroscope", regular(60, 100, both, short)),
            measured("magnetometer", regular(5, 10)),
        ]
    ).to_pylist()
    kinds = [(row["stream"], round((row["start_ns"] - START_NS) / SECOND), row["kind"]) for row in rows]
    assert kinds == [
        ("accelerometer", 10, "pause"),
        ("accelerometer", 30, "gap"),
        ("accelerometer", 50, "gap"),
        ("gyroscope", 10, "pause"),
        ("gyroscope", 50, "gap"),
    ]
    assert [row["missing"] for row in rows] == [500, 500, 25, 1000, 50]


def test_a_sensor_that_is_alone_has_gaps_and_no_pauses():
    assert gaps_of([measured("accelerometer", regular(60, 50, (10, 20)))])["kind"].to_pylist() == ["gap"]
    assert gaps_of([measured("accelerometer", regular(60, 50))]).num_rows == 0
    assert gaps_of([]).num_rows == 0


@settings(deadline=None)
@given(st.lists(st.sampled_from([10, 10, 10, 11, 40, 700]), min_size=1, max_size=80), st.integers(0, 60))
def test_the_rows_add_up_to_the_facts_and_to_the_clock(steps, cut):
    t_ns = START_NS + np.cumsum(np.array(steps)) * 1_000_000
    streams = [measured("accelerometer", t_ns), measured("gyroscope", t_ns[: max(len(t_ns) - cut, 0)])]
    rows = gaps_of(streams)
    for one in streams:
        mine = [row for row in rows.to_pylist() if row["stream"] == one.stream.name]
        assert len(mine) == one.facts.gaps
        inside = np.diff(one.ready.t_ns)
        total = sum(row["end_ns"] - row["start_ns"] for row in mine)
        assert total == inside[inside > 2.5 * np.median(inside)].sum() if len(inside) else not mine
        assert all(row["missing"] >= 1 and row["seconds"] > 0 for row in mine)
