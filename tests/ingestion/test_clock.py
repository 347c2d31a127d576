"""Coarse clocks are refined without leaving their ticks; two clocks that run apart are measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import spool
from ingestion.clock import drift_ppm, rebuilt, stops

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
TICKS = st.sampled_from([SECOND, 100_000_000, 1_000_000])


def stamped(seconds: float, rate_hz: float, tick_ns: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the true times of a regular sensor, and what a clock that only counts whole ticks says."""
    true = START_NS + ((np.arange(int(seconds * rate_hz)) / rate_hz + offset) * SECOND).astype(np.int64)
    return true, true // tick_ns * tick_ns


@settings(deadline=None)
@given(st.floats(4, 30), st.floats(5, 120), st.floats(0, 0.99))
def test_a_regular_sensor_gets_its_times_back_to_within_a_step(seconds, rate_hz, offset):
    true, coarse = stamped(seconds, rate_hz, SECOND, offset)
    found = rebuilt(coarse)
    assert found is not None
    assert found.tick_ns == SECOND
    assert found.per_tick == pytest.approx(rate_hz, abs=1)
    assert np.abs(found.t_ns - true).max() <= 2.01 * SECOND / rate_hz


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=3, max_size=30), st.lists(st.integers(1, 3), min_size=30, max_size=30), TICKS)
def test_times_increase_and_stay_in_their_ticks_whatever_the_counts(counts, jumps, tick_ns):
    stamps = START_NS + np.cumsum(jumps[: len(counts)]) * tick_ns
    coarse = np.repeat(stamps, counts)
    found = rebuilt(coarse)
    if found is not None:
        assert (np.diff(found.t_ns) > 0).all()
        assert ((found.t_ns >= coarse) & (found.t_ns < coarse + found.tick_ns)).all()


def test_a_partial_first_second_is_set_back_from_its_end_and_a_partial_last_one_follows_its_beginning():
    coarse = START_NS + np.repeat([0, 1, 2, 3], [10, 50, 50, 5]) * SECOND
    found = rebuilt(coarse)
    assert found is not None
    assert set(np.diff(found.t_ns).tolist()) == {20_000_000}
    assert found.t_ns[0] == START_NS + 800_000_000


def test_a_hole_stays_a_hole():
    coarse = START_NS + np.repeat([0, 1, 2, 3, 4, 9, 10, 11], [50, 50, 50, 20, 50, 10, 50, 50]) * SECOND
    found = rebuilt(coarse)
    assert found is not None
    steps = np.diff(found.t_ns)
    assert sorted(steps[steps > 20_000_000].tolist()) == [620_000_000, 4_820_000_000]


@pytest.mark.parametrize(
    "times",
    [
        np.arange(100) * 20_000_000,
        np.repeat(np.arange(50) * 20_000_000, 2),
        np.repeat(np.cumsum(np.random.default_rng(0).integers(80, 120, 50)) * 1_000_000, 10),
        np.repeat(np.arange(50) * 1000, 10),
        np.zeros(100, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
    ],
    ids=["regular", "each twice", "bursts of a host", "finer than any sensor", "one stamp", "empty"],
)
def test_what_is_no_coarse_clock_is_left_alone(times):
    assert rebuilt(times.astype(np.int64)) is None


def test_blocks_make_no_difference(monkeypatch):
    _, coarse = stamped(20, 49.7, SECOND, 0.3)
    whole = rebuilt(coarse)
    monkeypatch.setattr(spool, "BLOCK_ROWS", 13)
    in_parts = rebuilt(coarse)
    assert whole is not None
    assert in_parts is not None
    np.testing.assert_array_equal(whole.t_ns, in_parts.t_ns)


@pytest.mark.parametrize("ppm", [-300.0, 0.0, 40.0])
def test_drift_is_measured_through_the_bursts_and_delays_of_the_host(ppm):
    rng = np.random.default_rng(1)
    true = np.arange(0, 1800 * SECOND, 20_000_000)
    arrival = (true // 200_000_000 + 1) * 200_000_000 + (rng.exponential(0.02, true.size) * SECOND).astype(np.int64)
    device = START_NS + (true * (1 + ppm * 1e-6)).astype(np.int64)
    assert drift_ppm(device, START_NS + arrival) == pytest.approx(ppm, abs=5)


def test_a_short_recording_tells_no_drift():
    times = START_NS + np.arange(100) * SECOND // 100
    assert drift_ppm(times, times) is None
    assert drift_ppm(times[:0], times[:0]) is None


@given(
    stop_s=st.floats(0.6, 90),
    at=st.integers(300, 1700),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=20, deadline=None)
def test_a_stop_of_the_devices_clock_is_found_where_it_was_and_nowhere_else(stop_s, at, seed):
    device = np.arange(2000) * SECOND // 100
    host = device + (np.random.default_rng(seed).uniform(0, 0.05, 2000) * SECOND).astype(np.int64)
    assert stops(device, START_NS + host).size == 0
    host[at:] += int(stop_s * SECOND)
    assert stops(device, START_NS + host).tolist() == [at]
