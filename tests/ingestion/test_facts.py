"""Facts of a stream, against slow definitions that anyone can check."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import spool
from ingestion.facts import COARSE_TICK, GAP_STEPS, LOST_STEPS, clock_of, measure
from ingestion.order import prepared
from ingestion.recording import Stream
from warehouse.value_hash import recording_hash, value_hash

START_NS = 1_700_000_000_000_000_000
FEW_VALUES = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 2.0])


def stream(times: list[int], values: np.ndarray | list[list[float]]) -> Stream:
    return Stream("accelerometer", START_NS + np.array(times, dtype=np.int64), np.array(values, dtype=np.float32), "a.csv")


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    times = draw(st.lists(st.integers(0, 400), min_size=2, max_size=40))
    rows = st.lists(FEW_VALUES, min_size=3, max_size=3)
    return stream(times, draw(st.lists(rows, min_size=len(times), max_size=len(times))))


def _first_of_each_stamp(one: Stream) -> list[tuple[int, list[float]]]:
    kept: dict[int, list[float]] = {}
    for t_ns, value in zip(one.t_ns.tolist(), one.values.tolist(), strict=True):
        kept.setdefault(t_ns, value)
    return sorted(kept.items())


@settings(deadline=None)
@given(streams())
def test_prepared_is_sorted_and_keeps_the_first_of_each_time_stamp(one):
    ready = prepared(one)
    assert list(zip(ready.t_ns.tolist(), ready.values.tolist(), strict=True)) == _first_of_each_stamp(one)


@settings(deadline=None)
@given(streams())
def test_prepared_again_changes_nothing(one):
    once = prepared(one)
    again = prepared(Stream("accelerometer", once.t_ns, once.values, "a.csv"))
    np.testing.assert_array_equal(once.t_ns, again.t_ns)
    np.testing.assert_array_equal(once.values, again.values)
    assert (again.duplicates, again.out_of_order) == (0, 0)


@settings(deadline=None)
@given(streams())
def test_counts_follow_their_plain_definitions(one):
    facts, times = measure(one), one.t_ns.tolist()
    assert facts.rows == len(times)
    assert facts.duplicates == len(times) - len(set(times))
    assert facts.out_of_order == sum(time < max(times[: k + 1]) for k, time in enumerate(times))
    assert (facts.start_ns, facts.end_ns) == (min(times), max(times))


@settings(deadline=None)
@given(streams())
def test_the_clock_follows_its_plain_definition(one):
    facts, times = measure(one), sorted(set(one.t_ns.tolist()))
    if len(times) < 2:
        assert (facts.rate_hz, facts.mean_rate_hz, facts.jitter, facts.longest_gap_s) == (None,) * 4
        return
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    median = statistics.median(steps)
    usual = [step for step in steps if step <= GAP_STEPS * median]
    tick, whole = math.gcd(*steps), [step for step in steps if step < LOST_STEPS * median]
    coarse = tick > COARSE_TICK * median and median >= 2 * tick
    assert facts.rate_hz == pytest.approx(1e9 / (statistics.fmean(whole) if coarse else median))
    assert facts.mean_rate_hz == pytest.approx(len(steps) / ((times[-1] - times[0]) / 1e9))
    assert facts.jitter == pytest.approx(statistics.pstdev(usual) / median, abs=1e-12)
    assert facts.gaps == len(steps) - len(usual)
    assert facts.longest_gap_s == pytest.approx(max(steps) / 1e9)


@settings(deadline=None)
@given(
    tick_ms=st.sampled_from([1, 5, 10]),
    ticks_a_step=st.floats(2, 90),
    start=st.floats(0, 1),
    lost=st.sampled_from([0.0, 0.03]),
    block=st.sampled_from([500, 1 << 18]),
)
def test_a_clock_that_counts_coarse_ticks_gives_its_rate_and_not_one_over_whole_ticks(tick_ms, ticks_a_step, start, lost, block):
    tick_ns, rows = tick_ms * 1_000_000, 6000
    times = np.floor(start + np.arange(rows) * ticks_a_step).astype(np.int64) * tick_ns
    kept = np.random.default_rng(0).random(rows) >= lost
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spool, "BLOCK_ROWS", block)
        clock = clock_of(START_NS + times[kept])
    rate_hz = 1e9 / (ticks_a_step * tick_ns)
    # Which of the longer and shorter steps are lost is chance: of 6,000 with 3 % lost, up to about a thousandth of the rate.
    assert 1e9 / clock.step_ns == pytest.approx(rate_hz, abs=max(0.1, 2e-3 * rate_hz) if lost else 0.1)


def test_a_fine_clock_and_one_whose_step_is_its_tick_keep_the_median():
    fine = np.cumsum(np.random.default_rng(0).normal(10_000_000, 400_000, 999).astype(np.int64))
    assert clock_of(fine).step_ns == clock_of(fine).median_ns
    lossy = np.flatnonzero(np.random.default_rng(0).random(2000) > 0.2) * 20_000_000
    assert clock_of(lossy).step_ns == 20_000_000


@settings(deadline=None)
@given(streams())
def test_values_follow_their_plain_definitions(one):
    facts, rows = measure(one), [value for _, value in _first_of_each_stamp(one)]
    flat = [number for row in rows for number in row]
    extremes = {min(flat), max(flat)}
    stuck = {
        index
        for index, (before, after) in enumerate(itertools.pairwise(rows))
        for axis in range(3)
        if before[axis] == after[axis] and before[axis] in extremes
    }
    assert facts.saturated == pytest.approx(len(stuck | {index + 1 for index in stuck}) / len(rows))
    assert facts.held == pytest.approx(sum(a == b for a, b in itertools.pairwise(rows)) / len(rows))
    assert (facts.minimum, facts.maximum) == (min(flat), max(flat))
    window = min(max(round(facts.rate_hz or 1), 1), len(rows))
    means = [[statistics.fmean(axis) for axis in zip(*rows[k : k + window], strict=True)] for k in range(len(rows) - window + 1)]
    assert facts.norm_median == pytest.approx(statistics.median(sum(x * x for x in row) ** 0.5 for row in means), abs=1e-6)


def test_a_gap_and_a_steady_clock_are_told_apart_at_nanosecond_exactness():
    times = [*range(0, 10_000_000, 100_000), *range(20_000_000, 30_000_000, 100_000)]
    facts = measure(stream(times, np.zeros((len(times), 3))))
    assert (facts.gaps, facts.jitter, facts.rate_hz) == (1, 0.0, 10_000.0)
    assert facts.longest_gap_s == pytest.approx(0.0101)


def test_saturation_needs_two_readings_in_a_row_at_the_same_end():
    swing = np.column_stack([np.sin(np.arange(100)), np.zeros(100), np.zeros(100)])
    assert measure(stream(list(range(100)), swing)).saturated == 0
    clipped = np.clip(swing, -0.5, 0.9)
    share = np.mean(
        [clipped[k, 0] in (-0.5, 0.9) and clipped[k, 0] in (clipped[k - 1, 0], clipped[(k + 1) % 100, 0]) for k in range(100)]
    )
    assert measure(stream(list(range(100)), clipped)).saturated == pytest.approx(share, abs=0.011)


def test_an_empty_stream_and_a_single_reading_have_no_clock():
    assert measure(stream([], np.empty((0, 3)))).rows == 0
    facts = measure(stream([7], [[1, 2, 2]]))
    assert (facts.rows, facts.rate_hz, facts.norm_median, facts.value_hash) == (1, None, 3.0, None)


def _walk(rows: int = 60, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, channels)).astype(np.float32)


def test_the_value_hash_sees_values_and_neither_time_nor_memory_layout_nor_the_sign_of_zero():
    values = _walk()
    values[3] = 0.0
    minus = values.copy()
    minus[3] = -0.0
    original = measure(stream(list(range(60)), values)).value_hash
    assert original is not None
    assert measure(stream(list(range(5000, 5060)), values)).value_hash == original
    assert value_hash(np.asfortranarray(values)) == original
    assert value_hash(minus) == original


@settings(deadline=None)
@given(st.integers(0, 59), st.integers(0, 2))
def test_the_value_hash_changes_with_the_smallest_change_of_any_value(row, axis):
    values = _walk()
    changed = values.copy()
    changed[row, axis] = np.nextafter(changed[row, axis], np.float32(9))
    assert value_hash(values) != value_hash(changed)


def test_the_value_hash_tells_axes_and_lengths_apart():
    values = _walk()
    assert len({value_hash(values), value_hash(values[:, [1, 0, 2]]), value_hash(values[:-1]), value_hash(values[:, :2])}) == 4


def test_the_value_hash_survives_rows_delivered_out_of_order():
    values, order = _walk(), np.random.default_rng(1).permutation(60)
    shuffled = stream(order.tolist(), values[order])
    assert measure(shuffled).value_hash == measure(stream(list(range(60)), values)).value_hash


def test_idle_streams_have_no_identity():
    assert value_hash(np.zeros((10_000, 3), dtype=np.float32)) is None
    nearly = np.zeros((10_000, 3), dtype=np.float32)
    nearly[-8:, 0] = np.arange(1, 9)
    assert value_hash(nearly) is None
    nearly[-9, 0] = 9
    assert value_hash(nearly) is not None


def test_the_recording_hash_does_not_depend_on_the_order_of_streams():
    assert recording_hash(["b", None, "a"]) == recording_hash(["a", "b"])
    assert recording_hash([None]) is None
