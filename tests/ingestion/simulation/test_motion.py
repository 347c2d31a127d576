"""Kinematics: what is drawn is what moves, and rates and accelerations are its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ingestion.simulation.motion import Course, eased, excursions, grid, shocks, wander

AT_S = np.linspace(0.0, 4.0, 401)


def course(*, position_m: np.ndarray | None = None, angles: np.ndarray | None = None) -> Course:
    t_s = grid(4.0)
    still = np.zeros((len(t_s), 3))
    return Course(t_s, still if position_m is None else position_m, still if angles is None else angles)


def test_easing_goes_from_0_to_1_and_never_back() -> None:
    way = eased(np.linspace(-1, 2, 301))
    assert way[0] == 0 and way[-1] == 1 and np.all(np.diff(way) >= 0)
    assert eased(np.array([0.5]))[0] == pytest.approx(0.5)


@given(size=st.floats(-3, 3), out_s=st.floats(0.2, 1), hold_s=st.floats(0, 1), back_s=st.floats(0.2, 1))
def test_an_excursion_reaches_its_size_and_comes_back(size: float, out_s: float, hold_s: float, back_s: float) -> None:
    t_s = grid(4.0)
    there = np.array([0.1 + out_s + hold_s / 2])
    way = excursions(
        np.concatenate((t_s, there)),
        start_s=np.array([0.1]),
        out_s=np.array([out_s]),
        hold_s=np.array([hold_s]),
        back_s=np.array([back_s]),
        size=np.array([size]),
    )
    assert way[0] == 0 and abs(way[-2]) < 1e-9 and way[-1] == pytest.approx(size, abs=1e-9)


def test_a_shock_is_felt_after_contact_as_strong_as_asked_and_dies_out() -> None:
    t_s = grid(4.0)
    still = np.zeros_like(t_s)
    hit = shocks(t_s, at_s=np.array([1.0]), peak=np.array([20.0]), frequency_hz=8.0)
    felt = course(position_m=np.column_stack((still, still, hit))).joint_acceleration(AT_S)[:, 2]
    assert felt.max() == pytest.approx(20.0, rel=0.1)
    assert 1.0 < AT_S[felt.argmax()] < 1.0 + 1 / 8.0
    assert np.abs(felt[AT_S < 0.95]).max() < 0.2 and np.abs(felt[AT_S > 2.0]).max() < 0.2


def test_turning_about_the_vertical_pulls_a_point_towards_the_axis() -> None:
    t_s = grid(4.0)
    spinning = course(angles=np.column_stack((0 * t_s, 0 * t_s, 3.0 * t_s)))
    assert spinning.angular_rate(AT_S) == pytest.approx(np.tile((0.0, 0.0, 3.0), (len(AT_S), 1)), abs=1e-6)
    pulled = spinning.turning_acceleration(AT_S, arm_m=np.array([0.2, 0.0, 0.0]))
    assert pulled == pytest.approx(np.tile((-9.0 * 0.2, 0.0, 0.0), (len(AT_S), 1)), abs=1e-5)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_adding_up_angular_rates_gives_the_rotation_back(seed: int) -> None:
    t_s = grid(4.0)
    tumbling = course(angles=wander(np.random.default_rng(seed), t_s, knots_hz=2.0, size=0.6))
    step = AT_S[1]
    middles = tumbling.angular_rate(AT_S[:-1] + step / 2)
    turned = tumbling.rotation(AT_S[:1])
    for rate in middles:
        turned = turned * Rotation.from_rotvec(rate * step)
    assert (turned.inv() * tumbling.rotation(AT_S[-1:])).magnitude()[0] < 0.005


def test_a_falling_joint_accelerates_by_g() -> None:
    t_s = grid(4.0)
    falling = course(position_m=np.column_stack((0 * t_s, 0 * t_s, -0.5 * 9.80665 * t_s**2)))
    assert falling.joint_acceleration(AT_S)[:, 2] == pytest.approx(-9.80665, abs=1e-6)
