"""Devices: their errors are small, their readings come in steps, their streams each have a clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ingestion.simulation import person
from ingestion.simulation.instruments import MODELS, capture, device_of
from ingestion.simulation.motion import G
from ingestion.simulation.sensing import mount
from tests.ingestion.simulation.recordings import STARTED_NS, recorded


@pytest.mark.parametrize("system", MODELS)
def test_a_person_keeps_the_device_and_others_have_another(system: str) -> None:
    assert device_of(person(1, 1), system).serial == device_of(person(1, 1), system).serial
    assert len({device_of(person(1, number), system).serial for number in range(1, 20)}) == 19


@pytest.mark.parametrize("system", MODELS)
def test_every_stream_has_its_own_start_and_runs_in_order_near_its_rate(system: str) -> None:
    for number in range(1, 7):
        recording = recorded(system, number=number)
        for stream in recording.streams.values():
            assert stream.t_ns.dtype == np.int64 and stream.values.dtype == np.float32
            assert np.all(np.diff(stream.t_ns) > 0)
            assert -5e6 <= stream.t_ns[0] - STARTED_NS <= 325e6
            assert 1e9 / np.median(np.diff(stream.t_ns)) == pytest.approx(stream.declared_rate_hz, rel=0.01)
        starts = {stream.t_ns[0] for stream in recording.streams.values()}
        assert len(starts) >= 2


def test_the_rates_of_the_cheaper_android_are_those_of_the_study_that_used_one() -> None:
    rates = {(model.clocks["accelerometer"].rate_hz, model.clocks["orientation"].rate_hz) for model in MODELS["android"]}
    assert any(52.5 < accelerometer < 53 and 59.5 < orientation < 60.5 for accelerometer, orientation in rates)


@pytest.mark.parametrize("system", MODELS)
def test_errors_stay_small_beside_the_truth(system: str) -> None:
    someone, seconds = person(1, 2), 6.0
    placement = "lower_back" if system == "metabase" else "front_pocket"
    sensor = mount(someone, "squat", placement=placement, seconds=seconds, set_number=1)
    recording = capture(device_of(someone, system), sensor, title="squat", person=someone, started_ns=STARTED_NS, seconds=seconds)
    force, turning = recording.streams["accelerometer"], recording.streams["gyroscope"]
    off = force.values - sensor.specific_force((force.t_ns - STARTED_NS) / 1e9)
    assert 0.005 < off.std() < 0.4 and np.abs(off).max() < 1.0
    off = turning.values - sensor.angular_rate((turning.t_ns - STARTED_NS) / 1e9)
    assert 0.0005 < off.std() < 0.05


def test_readings_come_in_steps_of_the_resolution_and_stop_at_the_limit() -> None:
    someone = person(1, 5)
    device = device_of(someone, "android")
    narrow = replace(device.model.accelerometer, limit=2 * G)
    device = replace(device, model=replace(device.model, accelerometer=narrow))
    sensor = mount(someone, "jumping_jack", placement="front_pocket", seconds=6.0, set_number=1)
    recording = capture(device, sensor, title="x", person=someone, started_ns=STARTED_NS, seconds=6.0)
    values = recording.streams["accelerometer"].values.astype(np.float64)
    steps = values[np.abs(values) < 2 * G - 0.01] / narrow.resolution
    assert np.abs(steps - np.round(steps)).max() < 0.01
    assert np.abs(values).max() == pytest.approx(2 * G) and np.mean(np.abs(values) > 2 * G - 0.01) > 0.005


def test_what_a_phone_calls_linear_and_gravity_make_the_total() -> None:
    recording = recorded("ios")
    total = recording.streams["linear_acceleration"].values + recording.streams["gravity"].values
    raw = recording.streams["accelerometer"]
    seen = np.column_stack([np.interp(recording.streams["gravity"].t_ns, raw.t_ns, axis) for axis in raw.values.T])
    assert np.abs(total - seen)[5:-5].mean() < 0.15
    assert np.linalg.norm(recording.streams["gravity"].values, axis=1) == pytest.approx(G, abs=1e-4)


def test_androids_first_linear_reading_is_nothing() -> None:
    linear = recorded("android").streams["linear_acceleration"].values
    assert not linear[0].any() and np.abs(linear[1:]).sum(axis=1).min() > 0
