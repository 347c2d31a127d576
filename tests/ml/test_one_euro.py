"""The 1 € filter: what rests stays, what jumps is reached, no piece sees another, and it is the published one."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.preprocessing.filters import Ticks, prepare
from ml.preprocessing.one_euro import follow
from studies.preparation import Input, OneEuro, Smooth

_FILTERS = st.builds(OneEuro, min_cutoff_hz=st.floats(0.05, 20), beta=st.floats(0, 30), derivative_cutoff_hz=st.floats(0.1, 20))
_START = np.zeros(1, np.int64)


def noise(rows: int, seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(rows, 3)).cumsum(axis=0).astype(np.float32)


def published(signal: list[float], wanted: OneEuro, rate_hz: float) -> list[float]:
    """Algorithm 1 of the paper, word for word."""

    def alpha(cutoff: float) -> float:
        tau = 1.0 / (2 * math.pi * cutoff)
        return 1.0 / (1.0 + tau * rate_hz)

    first_time, x_hat, dx_hat, answers = True, 0.0, 0.0, []
    for x in signal:
        dx = 0.0 if first_time else (x - x_hat) * rate_hz
        a = alpha(wanted.derivative_cutoff_hz)
        dx_hat = dx if first_time else a * dx + (1 - a) * dx_hat
        a = alpha(wanted.min_cutoff_hz + wanted.beta * abs(dx_hat))
        x_hat = x if first_time else a * x + (1 - a) * x_hat
        first_time = False
        answers.append(x_hat)
    return answers


@given(_FILTERS, st.integers(1, 60), st.floats(10, 200), st.integers(0, 99))
def test_it_is_the_published_filter_axis_by_axis(wanted: OneEuro, rows: int, rate_hz: float, seed: int) -> None:
    values = noise(rows, seed)
    expected = np.transpose([published(axis.tolist(), wanted, rate_hz) for axis in values.T])
    assert np.allclose(follow(values, _START, wanted, rate_hz=rate_hz), expected, atol=1e-4)


@given(_FILTERS, st.floats(-100, 100, width=32), st.integers(1, 50))
def test_what_rests_stays_where_it_is(wanted: OneEuro, value: float, rows: int) -> None:
    values = np.full((rows, 3), value, np.float32)
    assert np.array_equal(follow(values, _START, wanted, rate_hz=30), values)


@given(_FILTERS, st.floats(-5, 5, width=32))
def test_a_step_is_reached_from_one_side_without_overshooting(wanted: OneEuro, step: float) -> None:
    values = np.zeros((3000, 1), np.float32)
    values[10:] = step
    found = follow(values, _START, wanted, rate_hz=30)[:, 0]
    assert found[-1] == pytest.approx(step, abs=1e-3)
    assert np.all(np.diff(found * np.sign(step)) >= -1e-6)
    assert np.all(np.abs(found) <= abs(step) + 1e-6)


@given(_FILTERS, st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 99))
def test_every_piece_begins_anew_and_nothing_later_is_looked_at(wanted: OneEuro, lengths: list[int], seed: int) -> None:
    values, bounds = noise(sum(lengths), seed), np.cumsum([0, *lengths])
    together = follow(values, bounds[:-1], wanted, rate_hz=50)
    for start, end in pairwise(bounds.tolist()):
        half = (start + end + 1) // 2
        assert np.array_equal(follow(values[start:half], _START, wanted, rate_hz=50), together[start:half])


def test_a_study_asks_for_it_and_fast_movement_lags_less_with_beta() -> None:
    time = np.arange(200) / 50
    values = np.repeat(np.sin(2 * np.pi * time)[:, np.newaxis], 3, axis=1).astype(np.float32)
    streams = {"joint@neck": Ticks(np.arange(200), values, _START)}

    def off(beta: float) -> float:
        inputs = Input(streams=("joint@neck",), rate_hz=50, one_euro=OneEuro(min_cutoff_hz=1, beta=beta))
        return float(np.abs(prepare(streams, inputs)["joint@neck"].values - values).max())

    assert off(10) < 0.3 * off(0)


def test_two_ways_of_smoothing_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="leave one of them out"):
        Input(streams=("joint@neck",), rate_hz=30, smooth=Smooth(seconds=0.3), one_euro=OneEuro())
