"""A watch's or a headphone's motion in a Sensor Logger export: four streams in one file, in Apple's units or Android's."""

from __future__ import annotations

import numpy as np
import pytest

from ingestion.facts import prepared
from ingestion.readers import csv_columns, sensor_logger
from ingestion.recording import Reading
from tests.ingestion.device_files import (
    G,
    device_file,
    fused_csv,
    metadata_csv,
    phone,
    rocking,
    sensor_csv,
    streams,
    zipped,
)

BODY = rocking(300)
WATCH_ONLY = (
    "version,device name,appVersion,device id,platform,sensors,sampleRateMs,standardisation\n"
    "4,w,1.59,s,watchos,Wrist Motion,0,{}\n"
)


def read(files: dict[str, str]) -> Reading:
    return sensor_logger.read([device_file("walk.zip", zipped(files))])


def shuffled(text: str, *, pieces: int) -> str:
    """Hand over the second half of every piece before its first."""
    header, *rows = text.splitlines(keepends=True)
    parts = np.array_split(np.array(rows, dtype=object), pieces * 2)
    order = [number + 1 - 2 * (number % 2) for number in range(pieces * 2)]
    return header + "".join(row for number in order for row in parts[number])


@pytest.mark.parametrize(
    ("unit", "sign", "standardised"),
    [(1.0, -1, False), (G, 1, True), (1.0, -1, True)],
    ids=["g", "m/s^2", "g though standardised"],
)
def test_a_wrist_comes_out_as_five_streams_in_one_convention_whatever_the_version(unit, sign, standardised):
    wrist = fused_csv(BODY, unit=unit, sign=sign)
    reading = read({"Metadata.csv": WATCH_ONLY.format(str(standardised).lower()), "WristMotion.csv": wrist})
    found = streams(reading)
    assert {name.partition("@")[2] for name in found} == {"wrist"}
    np.testing.assert_allclose(found["accelerometer@wrist"].values, BODY * G, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["linear_acceleration@wrist"].values, (BODY - [0, 0, 1]) * G, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["gravity@wrist"].values, np.tile([0, 0, G], (300, 1)), rtol=1e-5)
    np.testing.assert_allclose(found["gyroscope@wrist"].values, BODY, rtol=1e-5)
    assert np.all(found["orientation@wrist"].values == [0, 0, 0, 1])
    assert [finding.severity for finding in reading.findings] == ["note"]
    assert reading.metadata["platform"] == "watchos"


def test_a_watch_that_says_0_declares_no_rate():
    found = streams(read({"Metadata.csv": WATCH_ONLY.format("false"), "WristMotion.csv": fused_csv(BODY)}))
    assert {stream.declared_rate_hz for stream in found.values()} == {None}


def test_phone_and_watch_of_one_recording_do_not_meet_in_a_stream():
    found = streams(
        read({**phone("ios"), "WristMotion.csv": fused_csv(BODY, sign=-1), "WatchMagnetometer.csv": sensor_csv(BODY)})
    )
    assert {"gyroscope", "gyroscope@wrist", "magnetometer@wrist", "accelerometer", "accelerometer@wrist"} <= set(found)
    assert len(found["gyroscope"].t_ns) == 200


def test_a_measured_acceleration_of_the_watch_is_preferred_to_a_sum():
    raw = sensor_csv(-2 * BODY[:7])
    found = streams(
        read({**phone("ios"), "WristMotion.csv": fused_csv(BODY, sign=-1), "WatchAccelerometerUncalibrated.csv": raw})
    )
    np.testing.assert_allclose(found["accelerometer@wrist"].values, 2 * BODY[:7] * G, rtol=1e-5)


@pytest.mark.parametrize("pieces", [1, 2])
def test_pieces_that_a_watch_hands_over_out_of_order_are_sorted_and_said(pieces):
    reading = read({"Metadata.csv": WATCH_ONLY.format("false"), "WristMotion.csv": shuffled(fused_csv(BODY), pieces=pieces)})
    gyroscope = streams(reading)["gyroscope@wrist"]
    assert prepared(gyroscope).out_of_order == 0
    np.testing.assert_allclose(gyroscope.values, BODY, rtol=1e-5)
    (repair,) = [repair for repair in gyroscope.repairs if repair.kind == "sorted"]
    assert repair.rows == 150


def test_a_watch_clock_that_jumps_all_the_time_is_left_to_be_judged():
    reading = read({"Metadata.csv": WATCH_ONLY.format("false"), "WristMotion.csv": shuffled(fused_csv(BODY), pieces=50)})
    assert prepared(streams(reading)["gyroscope@wrist"]).out_of_order == 150


@pytest.mark.parametrize("standardised", [False, True])
def test_a_headphone_is_in_g_but_for_its_gravity(standardised):
    sign = 1 if standardised else -1
    text = fused_csv(BODY, unit=G if standardised else 1.0, sign=sign)
    if not standardised:
        text = text.replace(f",0,0,{-1.0},", f",0,0,{-G},")
    names, *rows = text.splitlines()
    files = {
        "Metadata.csv": metadata_csv("ios", standardised=standardised),
        "Headphone.csv": "\n".join([f"{names},devicelocation", *(f"{row},left" for row in rows)]),
    }
    found = streams(read(files))
    np.testing.assert_allclose(found["accelerometer@head"].values, BODY * G, rtol=1e-4, atol=1e-4)


def test_an_older_headphone_without_rotation_gives_what_it_has():
    header = "time,seconds_elapsed,accelerationX,accelerationY,accelerationZ\n"
    text = header + "".join(f"{1_700_000_000_000_000_000 + k * 40_000_000},0,{k},1,1\n" for k in range(20))
    assert set(streams(read({"Metadata.csv": metadata_csv("ios"), "Headphone.csv": text}))) == {"linear_acceleration@head"}


def test_a_long_recording_that_is_spooled_is_the_same(monkeypatch):
    files = {**phone("ios"), "WristMotion.csv": fused_csv(BODY, sign=-1)}
    short = streams(read(files))
    monkeypatch.setattr(csv_columns, "SPOOLED_FROM_BYTES", 0)
    long = streams(read(files))
    assert set(long) == set(short)
    for name, stream in long.items():
        np.testing.assert_array_equal(stream.t_ns, short[name].t_ns)
        np.testing.assert_array_equal(stream.values, short[name].values)
