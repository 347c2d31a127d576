"""Exercises: each has the marks by which a person would tell it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ingestion.simulation import Person, person
from ingestion.simulation.exercises import EXERCISES, perform
from ingestion.simulation.motion import Course

AT_S = np.arange(0, 12, 0.01)


def steady(**traits: object) -> Person:
    return replace(person(1, 1), unsteadiness=0.05, looseness=0.0, fatigue=0.0, **traits)


def performed(someone: Person, exercise: str, placement: str = "front_pocket") -> Course:
    return perform(someone, exercise, placement=placement, seconds=12, set_number=1)


def turns(course: Course, axis: int) -> np.ndarray:
    """Rotation from where the segment was at the start, about one of its own axes, rad."""
    angles = (course.rotation(AT_S[:1]).inv() * course.rotation(AT_S)).as_rotvec()
    return np.asarray(angles[:, axis])


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("placement", ["front_pocket", "lower_back"])
def test_everybody_stands_before_and_after_and_nobody_is_thrown_through_the_roof(exercise: str, placement: str) -> None:
    for number in range(1, 13):
        course = performed(person(4, number), exercise, placement)
        acceleration = np.linalg.norm(course.joint_acceleration(AT_S), axis=1)
        assert acceleration[:20].max() < 3.0
        assert 1.0 < acceleration.max() < 90.0
        assert np.abs(course.angular_rate(AT_S)).max() < 15.0
        assert np.abs(course.joint_acceleration(AT_S).mean(axis=0)).max() < 0.5


def test_a_squat_bends_the_hip_as_deep_as_the_person_goes() -> None:
    for depth in (0.9, 1.4):
        bent = -turns(performed(steady(depth=depth, asymmetry=0.0, turnout=0.0), "squat"), axis=1)
        assert bent.max() == pytest.approx(depth, rel=0.15)


def test_in_a_squat_trunk_and_thigh_turn_against_each_other() -> None:
    someone = steady(lean=0.6, turnout=0.0)
    thigh, trunk = (turns(performed(someone, "squat", placement), axis=1) for placement in ("front_pocket", "lower_back"))
    assert np.corrcoef(thigh, trunk)[0, 1] < -0.9


def test_a_jump_has_free_fall_and_hard_landings_but_a_careful_step_has_neither() -> None:
    jump = performed(steady(flight=0.4, vigour=0.8), "jumping_jack", "lower_back").joint_acceleration(AT_S)[:, 2]
    step = performed(steady(flight=0.0, vigour=0.0), "jumping_jack", "lower_back").joint_acceleration(AT_S)[:, 2]
    assert np.mean(np.abs(jump + 9.81) < 2.0) > 0.2 and jump.max() > 15
    assert step.min() > -5 and step.max() < 5


def test_legs_spread_every_second_hop() -> None:
    someone = steady(flight=0.3, vigour=0.5, hop_s=0.5)
    roll = turns(performed(someone, "jumping_jack"), axis=0)
    spectrum = np.abs(np.fft.rfft(roll - roll.mean()))
    assert np.fft.rfftfreq(len(roll), 0.01)[spectrum.argmax()] == pytest.approx(1.0, abs=0.15)
    assert (someone.side * roll).max() > 0.2


def test_walking_rises_with_every_step_and_swings_the_thigh_with_every_second_one() -> None:
    someone = steady(cadence_hz=1.8, vigour=0.1)
    course = performed(someone, "walking")
    frequencies = np.fft.rfftfreq(len(AT_S), 0.01)
    rise = np.abs(np.fft.rfft(course.joint_acceleration(AT_S)[:, 2]))
    swing = np.abs(np.fft.rfft(course.angular_rate(AT_S)[:, 1]))
    assert frequencies[rise.argmax()] == pytest.approx(1.8, rel=0.2)
    assert frequencies[swing.argmax()] == pytest.approx(frequencies[rise.argmax()] / 2, abs=0.1)


def test_those_who_lunge_with_the_other_leg_stretch_the_thigh_with_the_pocket() -> None:
    pitches = [
        turns(perform(steady(lunge_style="same_leg"), "lunge", placement="front_pocket", seconds=12, set_number=number), axis=1)
        for number in range(1, 9)
    ]
    bent = [pitch.min() < -0.6 for pitch in pitches]
    stretched = [pitch.max() > 0.15 for pitch in pitches]
    assert any(bent) and any(stretched)
    assert all(one != other for one, other in zip(bent, stretched, strict=True))


def test_another_set_is_another_performance_and_the_same_set_the_same() -> None:
    someone = person(1, 1)
    first, again, second = (
        perform(someone, "squat", placement="front_pocket", seconds=8, set_number=number).position_m for number in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.allclose(first, second)


@pytest.mark.parametrize(("exercise", "placement"), [("plank", "front_pocket"), ("squat", "hat")])
def test_what_is_not_known_is_refused(exercise: str, placement: str) -> None:
    with pytest.raises(KeyError):
        perform(person(1, 1), exercise, placement=placement, seconds=8, set_number=1)
