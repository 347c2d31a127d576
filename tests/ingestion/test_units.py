"""Unit, scale and sign told by physics: converted where it is beyond doubt, said where it is not, else left alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.facts import measure
from ingestion.order import prepared
from ingestion.recording import Stream
from ingestion.units import STANDARD_GRAVITY, Measured, settled

RATE_HZ = 50
ROWS = 60 * RATE_HZ
T_NS = 1_700_000_000_000_000_000 + np.arange(ROWS) * (1_000_000_000 // RATE_HZ)


def measured(name: str, values: np.ndarray, declared_unit: str = "") -> Measured:
    stream = Stream(name, T_NS, values.astype(np.float32), f"{name}.csv", declared_unit=declared_unit)
    ready = prepared(stream)
    return Measured(stream, ready, measure(stream, ready))


def body(seed: int = 0, *, moving: bool = False) -> np.ndarray:
    """A body that rests tilted for the first half, m/s^2; for all of it unless it is moving."""
    tilted = np.tile(STANDARD_GRAVITY * np.array([0.36, 0.48, 0.8]), (ROWS, 1))
    shaken = np.sin(np.arange(ROWS) / RATE_HZ * 9)[:, None] * [6.0, 2.0, 4.0]
    noise = np.random.default_rng(seed).normal(0, 0.03, (ROWS, 3))
    return tilted + noise + shaken * (1 if moving else (np.arange(ROWS) > ROWS / 2)[:, None])


def turning(seed: int = 0) -> np.ndarray:
    return np.sin(np.arange(ROWS) / RATE_HZ * 5)[:, None] * [2.0, 0.7, 0.3] + np.random.default_rng(seed).normal(
        0, 0.02, (ROWS, 3)
    )


@pytest.mark.parametrize(
    ("factor", "unit"),
    [
        (1 / STANDARD_GRAVITY, "g"),
        (1000 / STANDARD_GRAVITY, "milli-g"),
        (STANDARD_GRAVITY, "m/s^2 taken for g"),
        (1000, "milli-g taken for g"),
    ],
)
def test_a_known_unit_is_converted_and_what_was_claimed_is_kept(factor, unit):
    ((one,), findings) = settled([measured("accelerometer", body() * factor, "m/s^2")])
    assert findings == []
    (repair,) = one.stream.repairs
    assert (repair.kind, repair.before, repair.after, repair.rows) == ("unit_inferred", unit, "m/s^2", ROWS)
    assert one.stream.declared_unit == "m/s^2"
    np.testing.assert_allclose(one.ready.values, body(), rtol=1e-4, atol=1e-4)
    assert one.facts.norm_rest == pytest.approx(STANDARD_GRAVITY, rel=0.01)
    assert one.facts.value_hash == measure(Stream("accelerometer", T_NS, one.ready.values, "")).value_hash


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.floats(0.93, 1.07))
def test_a_sensor_that_is_right_is_left_alone(seed, factor):
    streams = [measured("accelerometer", body(seed) * factor), measured("gyroscope", turning(seed), "deg/s")]
    settled_streams, findings = settled(streams)
    assert findings == []
    assert [one.stream.repairs for one in settled_streams] == [(), ()]


@pytest.mark.parametrize(("factor", "code"), [(1.41, "scale_error"), (0.8, "scale_error"), (4.0, "unit_doubtful")])
def test_a_scale_error_is_flagged_with_its_factor_and_the_values_stay(factor, code):
    ((one,), (finding,)) = settled([measured("accelerometer@left_thigh", body() * factor)])
    assert (finding.severity, finding.reason.code) == ("warning", code)
    assert f"{factor:.3g}" in finding.reason.sentence
    assert [repair.kind for repair in one.stream.repairs] == (["scale_flagged"] if code == "scale_error" else [])
    np.testing.assert_array_equal(one.ready.values, (body() * factor).astype(np.float32))


@pytest.mark.parametrize(("rate_hz", "codes"), [(2, []), (4.9, []), (6, ["scale_error"])])
def test_a_few_readings_a_second_tell_no_rest_and_so_no_scale(rate_hz, codes):
    values = 1.41 * body()[:: int(RATE_HZ // rate_hz)]
    t_ns = T_NS[0] + np.rint(np.arange(len(values)) * 1e9 / rate_hz).astype(np.int64)
    stream = Stream("accelerometer", t_ns, values.astype(np.float32), "a.csv")
    ((one,), findings) = settled([Measured(stream, ready := prepared(stream), measure(stream, ready))])
    assert one.facts.norm_rest is not None
    assert [finding.reason.code for finding in findings] == codes


def test_a_sensor_that_never_rests_tells_no_unit():
    ((one,), findings) = settled([measured("accelerometer", body(moving=True) / STANDARD_GRAVITY)])
    assert (one.stream.repairs, findings) == ((), [])


def test_degrees_a_second_are_told_by_what_no_body_can_do():
    ((one,), findings) = settled([measured("gyroscope", turning() * 180 / math.pi, "rad/s")])
    (repair,) = one.stream.repairs
    assert (repair.kind, repair.before, findings) == ("unit_inferred", "deg/s", [])
    np.testing.assert_allclose(one.ready.values, turning(), atol=1e-4)


@pytest.mark.parametrize(
    ("declared", "moving", "kinds"), [("deg/s", True, ["unit_inferred"]), ("deg/s", False, []), ("", True, [])]
)
def test_radians_that_were_taken_for_degrees_are_told_by_a_body_that_moves_and_hardly_turns(declared, moving, kinds):
    streams = [measured("accelerometer", body(moving=moving)), measured("gyroscope", turning() * math.pi / 180 / 2, declared)]
    (_, gyroscope), _ = settled(streams)
    assert [repair.kind for repair in gyroscope.stream.repairs] == kinds


def test_gravity_that_points_against_the_accelerometer_is_turned_round():
    gravity = np.tile(body().mean(axis=0), (ROWS, 1))
    (accelerometer, turned), findings = settled([measured("accelerometer", body()), measured("gravity", -gravity)])
    assert (accelerometer.stream.repairs, findings) == ((), [])
    assert [repair.kind for repair in turned.stream.repairs] == ["sign_flipped"]
    np.testing.assert_allclose(turned.ready.values, gravity, rtol=1e-6)
    (_, alone), _ = settled([measured("accelerometer@waist", body()), measured("gravity@thigh", -gravity)])
    assert alone.stream.repairs == ()
