"""Filters and gravity: nothing is delayed, no piece sees another, and the two parts of an accelerometer add up."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.preprocessing.filters import Ticks, filtered, prepare, smoothed
from ml.preprocessing.tensors import channel_names
from studies.preparation import Filter, Input, Smooth


def tone(hz: float, *, seconds: float = 30, rate_hz: float = 50, level: float = 0) -> Ticks:
    at = np.arange(round(seconds * rate_hz))
    wave = level + np.sin(2 * np.pi * hz * at / rate_hz)
    return Ticks(at, np.repeat(wave[:, np.newaxis], 3, axis=1).astype(np.float32), np.zeros(1, np.int64))


def left(hz: float, wanted: Filter) -> float:
    """Share of a tone's amplitude that a filter leaves, with its sign, in the middle."""
    ticks = tone(hz)
    inside = slice(len(ticks.at) // 4, -len(ticks.at) // 4)
    return float((filtered(ticks, wanted, rate_hz=50).values[inside, 0] * ticks.values[inside, 0]).mean() * 2)


@pytest.mark.parametrize("order", [1, 2, 4, 8])
def test_at_its_edge_a_filter_leaves_half_of_the_power_and_delays_nothing(order: int) -> None:
    for wanted in (Filter(high_hz=5, order=order), Filter(low_hz=5, order=order)):
        assert left(5, wanted) == pytest.approx(np.sqrt(0.5), abs=0.02)


def test_what_lies_between_the_edges_passes_and_the_rest_does_not() -> None:
    wanted = Filter(low_hz=0.5, high_hz=8)
    assert left(2, wanted) == pytest.approx(1, abs=0.01)
    assert abs(left(0.1, wanted)) < 0.01
    assert abs(left(20, wanted)) < 0.001


@given(st.lists(st.integers(1, 200), min_size=1, max_size=5), st.integers(0, 99))
def test_every_piece_is_filtered_as_if_it_were_alone(lengths: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(sum(lengths), 3)).astype(np.float32)
    starts = np.cumsum([0, *lengths])
    ticks = Ticks(np.arange(len(values)), values, starts[:-1])
    together = filtered(ticks, Filter(low_hz=0.5, high_hz=10), rate_hz=50).values
    for start, end in pairwise(starts.tolist()):
        alone = Ticks(ticks.at[start:end], values[start:end], np.zeros(1, np.int64))
        assert np.array_equal(filtered(alone, Filter(low_hz=0.5, high_hz=10), rate_hz=50).values, together[start:end])


def test_gravity_and_the_rest_of_an_accelerometer_add_up_and_are_told_apart() -> None:
    inputs = Input(streams=("accelerometer@waist", "gyroscope@waist"), rate_hz=50, gravity=True, magnitude=True)
    moving = tone(2, level=9.81)
    found = prepare({"accelerometer@waist": moving, "gyroscope@waist": tone(1)}, inputs)
    assert list(found) == ["accelerometer@waist", "gravity@waist", "linear_acceleration@waist", "gyroscope@waist"]
    parts = found["gravity@waist"].values + found["linear_acceleration@waist"].values
    assert np.allclose(parts, moving.values, atol=1e-5)
    inside = slice(200, -200)
    assert np.allclose(found["gravity@waist"].values[inside], 9.81, atol=0.05)
    assert np.abs(found["linear_acceleration@waist"].values[inside].mean()) < 0.01
    assert channel_names(inputs)[3:5] == ("accelerometer@waist.norm", "gravity@waist.x")
    assert len(channel_names(inputs)) == 16


def test_a_filter_leaves_orientation_and_estimated_gravity_alone() -> None:
    inputs = Input(streams=("accelerometer", "orientation"), rate_hz=50, gravity=True, filter=Filter(low_hz=1))
    quaternions = Ticks(np.arange(100), np.full((100, 4), 0.5, np.float32), np.zeros(1, np.int64))
    found = prepare({"accelerometer": tone(3, level=9.81, seconds=2), "orientation": quaternions}, inputs)
    assert found["orientation"] is quaternions
    assert np.allclose(found["gravity"].values.mean(), 9.81, atol=0.3)
    assert abs(found["accelerometer"].values.mean()) < 0.5
    assert abs(found["linear_acceleration"].values.mean()) < 0.5


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 4), st.floats(0.1, 2))
def test_smoothing_leaves_polynomials_of_its_order_as_they_are_in_every_piece(
    lengths: list[int], order: int, seconds: float
) -> None:
    parts = [
        np.polynomial.Polynomial(np.arange(order + 1) - number)(np.linspace(-1, 1, length))
        for number, length in enumerate(lengths)
    ]
    values = np.repeat(np.concatenate(parts)[:, np.newaxis], 3, axis=1).astype(np.float32)
    ticks = Ticks(np.arange(len(values)), values, np.cumsum([0, *lengths[:-1]]))
    assert np.allclose(smoothed(ticks, Smooth(seconds=seconds, order=order), rate_hz=30).values, values, atol=1e-4)


def test_smoothing_takes_tremor_away_and_is_asked_for_in_a_study() -> None:
    inputs = Input(streams=("joint@right_knee",), rate_hz=50, smooth=Smooth(seconds=0.3))
    slow, fast = tone(0.5), tone(20)
    trembling = Ticks(slow.at, slow.values + fast.values, slow.starts)
    found = prepare({"joint@right_knee": trembling}, inputs)["joint@right_knee"].values
    assert np.abs(found - slow.values).std() < 0.2 * fast.values.std()


def test_a_window_too_narrow_for_its_polynomial_is_refused() -> None:
    with pytest.raises(ValueError, match="changes nothing"):
        Input(streams=("joint@neck",), rate_hz=10, smooth=Smooth(seconds=0.2))
