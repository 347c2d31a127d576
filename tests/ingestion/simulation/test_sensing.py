"""An ideal sensor: gravity at rest, and streams that agree with each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ingestion.simulation import person, simulate_recording
from ingestion.simulation.exercises import EXERCISES, PLACEMENTS
from ingestion.simulation.motion import Course, G, grid
from ingestion.simulation.sensing import Mounted, quaternions

AT_S = np.arange(0, 2, 0.01)


def resting(mounting: Rotation) -> Mounted:
    still = np.zeros((len(grid(2.0)), 3))
    return Mounted(Course(grid(2.0), still, still), mounting, Rotation.identity(), np.array([0.1, 0.0, -0.2]))


@settings(max_examples=25)
@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_at_rest_every_mounting_reads_exactly_g(angles: tuple[float, float, float]) -> None:
    sensor = resting(Rotation.from_euler("xyz", angles))
    assert np.linalg.norm(sensor.specific_force(AT_S), axis=1) == pytest.approx(G, abs=1e-9)
    assert sensor.specific_force(AT_S) == pytest.approx(sensor.gravity(AT_S), abs=1e-9)
    assert sensor.angular_rate(AT_S) == pytest.approx(0.0, abs=1e-9)


def test_a_phone_on_its_back_reads_plus_g_on_z_as_android_does() -> None:
    assert resting(Rotation.identity()).specific_force(AT_S)[0] == pytest.approx((0.0, 0.0, G))


@pytest.mark.parametrize("exercise", EXERCISES)
def test_before_the_first_repetition_the_accelerometer_feels_little_more_than_g(exercise: str) -> None:
    truth = simulate_recording(person(2, 5), exercise, seconds=60)
    norm = np.linalg.norm(truth.streams["accelerometer"][:100], axis=1)
    assert norm == pytest.approx(G, abs=0.8) and norm.mean() == pytest.approx(G, abs=0.05)


@settings(max_examples=12, deadline=None)
@given(
    number=st.integers(1, 99),
    exercise=st.sampled_from(sorted(EXERCISES)),
    placement=st.sampled_from(sorted(PLACEMENTS)),
)
def test_the_streams_of_a_recording_agree_with_each_other(number: int, exercise: str, placement: str) -> None:
    truth = simulate_recording(person(3, number), exercise, placement=placement, seconds=5, rate_hz=200)
    streams = truth.streams
    turned = Rotation.from_quat(streams["orientation"])
    assert np.linalg.norm(streams["orientation"], axis=1) == pytest.approx(1.0, abs=1e-9)
    assert streams["gravity"] == pytest.approx(turned.inv().apply((0.0, 0.0, G)), abs=1e-9)
    assert streams["linear_acceleration"] + streams["gravity"] == pytest.approx(streams["accelerometer"], abs=1e-9)
    rate = (streams["gyroscope"][1:] + streams["gyroscope"][:-1]) / 2
    steps = Rotation.from_rotvec(rate * np.diff(truth.t_ns)[:, None] / 1e9)
    reached = turned[0]
    for step in steps:
        reached = reached * step
    assert (reached.inv() * turned[-1]).magnitude() < 0.03


def test_linear_acceleration_averages_out_because_the_person_stays_in_the_room() -> None:
    truth = simulate_recording(person(1, 2), "squat", seconds=20)
    turned = Rotation.from_quat(truth.streams["orientation"])
    assert np.abs(turned.apply(truth.streams["linear_acceleration"]).mean(axis=0)).max() < 0.1


def test_quaternions_do_not_jump_between_their_two_signs() -> None:
    round_and_round = Rotation.from_rotvec(np.outer(np.linspace(0, 12, 200), (0.0, 0.0, 1.0)))
    values = quaternions(round_and_round)
    assert np.abs(np.diff(values, axis=0)).max() < 0.1 and values[0, 3] >= 0
    assert (Rotation.from_quat(values).inv() * round_and_round).magnitude() == pytest.approx(0.0, abs=1e-7)


def test_no_two_people_and_no_two_sets_read_the_same() -> None:
    readings = [
        simulate_recording(person(1, number), "lunge", seconds=5, set_number=set_number).streams["accelerometer"]
        for number in (1, 2, 3)
        for set_number in (1, 2)
    ]
    assert len({reading.tobytes() for reading in readings}) == 6
    assert all(np.abs(one - other).max() > 0.5 for one in readings for other in readings if one is not other)
