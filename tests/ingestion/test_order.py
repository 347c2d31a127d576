"""Order of readings: what lies on disk comes out as what lies in memory, whatever is out of order, replayed or coarse."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import median, order, spool
from ingestion.facts import measure
from ingestion.median import exact_median
from ingestion.order import prepared
from ingestion.recording import Stream

START_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def stream(t_ns: np.ndarray, values: np.ndarray) -> Stream:
    return Stream("accelerometer", np.asarray(t_ns, dtype=np.int64), np.asarray(values, dtype=np.float32), "a.csv")


@st.composite
def damaged_streams(draw: st.DrawFn) -> Stream:
    """A regular clock with gaps, some of its rows replayed, swapped, stamped twice, held or saturated."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    rows = draw(st.integers(1, 150))
    steps = rng.choice([10, 10, 10, 11, 0, 500], rows) * draw(st.sampled_from([1, 1_000_000]))
    t_ns, values = START_NS + np.cumsum(steps), np.clip(rng.normal(0, 1, (rows, 3)), -1.5, 1).round(draw(st.integers(0, 3)))
    if draw(st.booleans()):
        t_ns, values = t_ns // SECOND * SECOND, values
    replayed = slice(*sorted(rng.integers(0, rows + 1, 2)))
    t_ns, values = np.concatenate([t_ns, t_ns[replayed]]), np.concatenate([values, values[replayed]])
    swaps = rng.integers(0, len(t_ns), (draw(st.integers(0, 5)), 2))
    for a, b in swaps:
        t_ns[[a, b]] = t_ns[[b, a]]
    return stream(t_ns, values)


def spooled(array: np.ndarray, folder) -> np.ndarray:
    growing = spool.Growing(array.dtype, array.shape[1] if array.ndim == 2 else None, folder=folder)
    growing.add(array)
    return growing.array()


@settings(deadline=None, max_examples=60)
@given(damaged_streams(), st.integers(1, 40), st.integers(2, 50))
def test_a_stream_on_disk_is_prepared_and_measured_like_one_in_memory(tmp_path_factory, one, block, run):
    ready = prepared(one)
    facts = measure(one, ready)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spool, "BLOCK_ROWS", block)
        patched.setattr(order, "RUN_ROWS", run)
        patched.setattr(order, "_SAMPLED", 2)
        patched.setattr(median, "FITS", 3)
        folder = tmp_path_factory.mktemp("scratch")
        long = Stream(one.name, spooled(one.t_ns, folder), spooled(one.values, folder), one.source)
        long_ready = prepared(long)
        long_facts = measure(long, long_ready)
    np.testing.assert_array_equal(long_ready.t_ns, ready.t_ns)
    np.testing.assert_array_equal(long_ready.values, ready.values)
    assert (long_ready.duplicates, long_ready.out_of_order, long_ready.replayed) == (
        ready.duplicates,
        ready.out_of_order,
        ready.replayed,
    )
    assert long_facts.value_hash == facts.value_hash
    for name, value in asdict(facts).items():
        if isinstance(value, float):
            assert getattr(long_facts, name) == pytest.approx(value, rel=1e-9, abs=1e-9)
        else:
            assert getattr(long_facts, name) == value


def test_a_replayed_buffer_is_counted_apart_from_readings_that_only_share_a_stamp():
    t_ns = START_NS + np.arange(200) * 10_000_000
    values = np.random.default_rng(0).normal(size=(200, 3))
    again = np.concatenate([t_ns, t_ns[-88:]]), np.concatenate([values, values[-88:]])
    ready = prepared(stream(*again))
    assert (len(ready.t_ns), ready.duplicates, ready.out_of_order, ready.replayed) == (200, 88, 87, 88)
    other = again[1].copy()
    other[-88:] += 1
    ready = prepared(stream(again[0], other))
    assert (ready.duplicates, ready.out_of_order, ready.replayed) == (88, 87, 0)
    np.testing.assert_array_equal(ready.values, values.astype(np.float32))


def test_fifty_readings_of_each_second_are_all_kept_and_their_times_rebuilt():
    coarse = START_NS + np.repeat(np.arange(10), 50) * SECOND
    values = np.random.default_rng(0).normal(size=(500, 3))
    ready = prepared(stream(coarse, values))
    assert ready.coarse is not None
    assert (len(ready.t_ns), ready.duplicates, ready.coarse.per_tick) == (500, 0, 50)
    assert measure(stream(coarse, values), ready).rate_hz == 50
    replay = prepared(stream(np.concatenate([coarse, coarse[-70:]]), np.concatenate([values, values[-70:]])))
    assert (len(replay.t_ns), replay.replayed) == (500, 70)


def test_the_same_row_written_three_times_is_no_coarse_clock():
    t_ns = START_NS + np.repeat(np.arange(100) * 10_000_000, 3)
    ready = prepared(stream(t_ns, np.repeat(np.random.default_rng(0).normal(size=(100, 3)), 3, axis=0)))
    assert (len(ready.t_ns), ready.duplicates, ready.coarse) == (100, 200, None)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=60), st.integers(1, 9))
def test_the_median_by_histograms_is_numpys(numbers, block):
    whole = np.array(numbers, dtype=np.int64)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(median, "FITS", 3)
        patched.setattr(median, "_BUCKETS", 8)
        found = exact_median(lambda: [whole[k : k + block] for k in range(0, len(whole), block)], len(whole))
    assert found == np.median(whole)


@pytest.mark.parametrize("rate_hz", [50.0, 104.3])
def test_length_at_rest_is_that_of_the_still_seconds(rate_hz):
    rng = np.random.default_rng(0)
    rest = np.tile([0.0, 0.0, 13.9], (2000, 1)) + rng.normal(0, 0.02, (2000, 3))
    moving = rest + rng.normal(0, 6, (2000, 3))
    t_ns = START_NS + (np.arange(4000) / rate_hz * SECOND).astype(np.int64)
    assert measure(stream(t_ns, np.concatenate([rest, moving]))).norm_rest == pytest.approx(13.9, abs=0.01)
    assert measure(stream(t_ns[:2000], moving)).norm_rest is None
