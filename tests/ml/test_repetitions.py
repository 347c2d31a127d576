"""Repetitions without labels: the count is right at any rate and in any attitude, rest has none, doubt is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.preprocessing.repetitions import find_repetitions
from tests.ml.exercising import exercising, found_in

RATES = st.sampled_from([12.5, 25.0, 50.0, 100.0, 200.0])
SENSORS = st.sampled_from([("accelerometer", "gyroscope"), ("accelerometer",)])


@settings(max_examples=60, derandomize=True)  # one set in thousands is counted wrongly
@given(
    count=st.integers(1, 60),
    rate_hz=RATES,
    sensors=SENSORS,
    seed=st.integers(0, 10_000),
    period_s=st.floats(1.2, 4),
    pause_s=st.sampled_from([0, 0.3, 0.8]),
    around_s=st.floats(0.5, 3),
)
def test_every_repetition_of_a_set_is_counted_once(
    count: int, rate_hz: float, sensors: tuple[str, ...], seed: int, period_s: float, pause_s: float, around_s: float
) -> None:
    streams, _ = exercising(count, rate_hz=rate_hz, seed=seed, period_s=period_s, pause_s=pause_s, around_s=around_s)
    assert len(found_in({name: streams[name] for name in sensors}, rate_hz)) == count


@settings(max_examples=25)
@given(st.integers(2, 20), RATES, st.integers(0, 100))
def test_repetitions_lie_where_they_were_done_and_do_not_overlap(count: int, rate_hz: float, seed: int) -> None:
    streams, truth = exercising(count, rate_hz=rate_hz, seed=seed)
    found = found_in(streams, rate_hz)
    begin, end = found.first / rate_hz, (found.first + found.steps) / rate_hz
    shared = np.minimum(end, truth[:, 1]) - np.maximum(begin, truth[:, 0])
    joint = np.maximum(end, truth[:, 1]) - np.minimum(begin, truth[:, 0])
    assert (shared / joint > 0.6).all()
    assert (found.first[1:] >= (found.first + found.steps)[:-1] - 1).all()


@given(st.integers(0, 100))
def test_turning_the_sensor_changes_no_count_and_no_border(seed: int) -> None:
    streams, _ = exercising(6, rate_hz=50, seed=7)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    one = found_in(streams, 50)
    other = found_in({name: (values @ turn).astype(np.float32) for name, values in streams.items()}, 50)
    assert np.abs(one.first - other.first).max() <= 1
    assert np.abs(one.steps - other.steps).max() <= 2
    assert np.allclose(one.confidence, other.confidence, atol=1e-3)


@given(RATES, st.integers(0, 100))
def test_a_body_at_rest_has_no_repetitions(rate_hz: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    still = np.array([0.3, -9.7, 0.5]) + random.normal(0, 0.05, (round(20 * rate_hz), 3))
    turning = random.normal(0, 0.01, still.shape)
    assert len(found_in({"accelerometer": still.astype(np.float32), "gyroscope": turning.astype(np.float32)}, rate_hz)) == 0


def test_a_sensor_at_rest_beside_one_that_moves_changes_nothing() -> None:
    streams, _ = exercising(8, rate_hz=50)
    still = np.random.default_rng(0).normal(0, 0.01, streams["gyroscope"].shape).astype(np.float32)
    alone, beside = found_in(streams, 50), found_in({**streams, "gyroscope@ankle": still}, 50)
    assert np.array_equal(alone.first, beside.first)


def test_a_steady_set_is_surer_than_an_uneven_one_and_movement_without_rhythm_is_not_sure_at_all() -> None:
    steady = found_in(exercising(10, rate_hz=50, unevenness=0.02)[0], 50)
    uneven = found_in(exercising(10, rate_hz=50, unevenness=0.3)[0], 50)
    assert np.median(steady.confidence) > np.median(uneven.confidence)
    random = np.random.default_rng(3)
    wandering = np.cumsum(random.normal(0, 0.4, (1500, 3)), axis=0)
    assert np.median([*found_in({"accelerometer": wandering.astype(np.float32)}, 50).confidence, 0]) < 0.5
    assert ((steady.confidence >= 0) & (steady.confidence <= 1)).all()


def test_a_single_repetition_is_never_more_than_half_sure() -> None:
    found = found_in(exercising(1, rate_hz=50)[0], 50)
    assert len(found) == 1
    assert 0.2 < found.confidence[0] <= 0.5


@pytest.mark.parametrize(("shortest", "longest"), [(0.5, 2.0), (3.0, 6.0)])
def test_nothing_shorter_or_longer_than_asked_for_is_found(shortest: float, longest: float) -> None:
    streams, _ = exercising(8, rate_hz=50, period_s=2.4)
    found = find_repetitions(streams, rate_hz=50, min_seconds=shortest, max_seconds=longest)
    assert ((found.steps >= shortest * 50) & (found.steps <= longest * 50)).all()


@pytest.mark.parametrize("samples", [1, 2, 3, 10])
def test_a_stretch_that_is_too_short_for_one_has_none(samples: int) -> None:
    streams, _ = exercising(1, rate_hz=50)
    assert len(found_in({name: values[:samples] for name, values in streams.items()}, 50)) == 0


@pytest.mark.parametrize(("sensor", "size"), [("joint", 0.3), ("keypoint", 0.15), ("latent", 0.3)])
def test_repetitions_of_a_body_in_a_video_are_counted_and_none_where_it_stands(sensor: str, size: float) -> None:
    at, jitter = np.arange(0, 26, 1 / 30), np.random.default_rng(0).normal(0, size / 100, (780, 3))
    down = np.where((at > 3) & (at < 23), 1 - np.cos(2 * np.pi * (at - 3) / 2.5), 0) / 2
    knee = np.stack([0.1 * down, -size * (1 - down), 0.6 * size * down], axis=1)
    assert len(found_in({f"{sensor}@left_knee": (knee + jitter).astype(np.float32)}, 30)) == 8
    assert len(found_in({f"{sensor}@left_knee": jitter.astype(np.float32)}, 30)) == 0
