"""The clock: exact for every rate and every instant that int64 nanoseconds can name."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.preprocessing.clock import Clock

ORIGINS = st.integers(-(2**60), 2**61)
RATES = st.one_of(st.sampled_from([50, 12.5, 60, 52.71, 64, 1024, 1 / 3, 100_000]), st.floats(0.01, 10_000))


def exact(rate_hz: float, origin_ns: int, step: int) -> int:
    return origin_ns + round(step * 10**9 / Fraction(repr(float(rate_hz))))


@given(RATES, ORIGINS, st.lists(st.integers(-(10**7), 10**7), max_size=20))
def test_ticks_are_exact_integers_far_above_two_to_the_53(rate_hz: float, origin_ns: int, steps: list[int]) -> None:
    found = Clock.of(rate_hz, origin_ns=origin_ns).ticks(np.array(steps, np.int64))
    assert found.tolist() == [exact(rate_hz, origin_ns, step) for step in steps]


def test_ticks_do_not_drift_within_a_year() -> None:
    last = 365 * 86_400 * 60
    assert Clock.of(60, origin_ns=1).ticks(np.array([last])).tolist() == [1 + 365 * 86_400 * 10**9]


@given(RATES, ORIGINS, st.integers(-(10**15), 10**15))
def test_the_tick_at_or_after_and_the_one_at_or_before_an_instant_are_its_neighbours(
    rate_hz: float, origin_ns: int, offset_ns: int
) -> None:
    clock, t_ns = Clock.of(rate_hz, origin_ns=origin_ns), origin_ns + offset_ns
    (after,), (before,) = (find(np.array([t_ns])).tolist() for find in (clock.at_or_after, clock.at_or_before))
    assert exact(rate_hz, origin_ns, after - 1) < t_ns <= exact(rate_hz, origin_ns, after)
    assert exact(rate_hz, origin_ns, before) <= t_ns < exact(rate_hz, origin_ns, before + 1)


@given(RATES, ORIGINS, st.integers(1, 40), st.integers(-(10**6), 10**6))
def test_a_finer_clock_has_every_tick_of_the_coarser_one(rate_hz: float, origin_ns: int, factor: int, step: int) -> None:
    clock = Clock.of(rate_hz, origin_ns=origin_ns)
    assert clock.finer(factor).ticks(np.array([step * factor])).tolist() == clock.ticks(np.array([step])).tolist()


@pytest.mark.parametrize("rate_hz", [0, -1, float("nan"), float("inf"), 2e6])
def test_a_rate_that_is_no_rate_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1e6 Hz"):
        Clock.of(rate_hz, origin_ns=0)
