"""Sensor Logger files as people send them: renamed, copied, without their header, of every version of the app."""

from __future__ import annotations

import numpy as np
import pytest

from ingestion.facts import measure
from ingestion.grouping import captures
from ingestion.readers import DeviceFile, Hints, known_by_content, sensor_logger
from studies.formats import Formats, SensorLoggerFiles
from tests.ingestion.device_files import (
    G,
    codes,
    device_file,
    metadata_csv,
    orientation_csv,
    phone,
    rocking,
    sensor_csv,
    streams,
    zipped,
)

BODY = rocking(200, rate_hz=100)
STILL = BODY - [0, 0, 1]
HEADLESS = sensor_csv(STILL).partition("\n")[2]
COLUMNS = "version,device name,recording time,platform"
V2 = f"{COLUMNS}\n2,{{name}},2021-04-04_13-19-00,ios\n"
V3 = (
    f"{COLUMNS},appVersion,device id,sensors,sampleRateMs\n"
    "3,{name},2023-05-01_10-00-00,ios,1.15.2,{id},Gyroscope|Gravity,20\n"
)
V3_EPOCH = (
    "version,device name,recording epoch time,recording time,recording timezone,platform,appVersion,device id,sensors,"
    "sampleRateMs\n3,{name},1700000000000,2023-12-01_10-00-00,Europe/Rome,ios,1.27,{id},Gyroscope|Gravity,20|20\n"
)
V3_STANDARD = V3_EPOCH.replace("sampleRateMs\n", "sampleRateMs,standardisation\n").replace("20|20\n", "20|20,false\n")
V3_FUSION = V3_STANDARD.replace("standardisation\n", "standardisation,platform version,fusion\n").replace(
    "false\n", "false,18.3,system\n"
)
V3_ANDROID = V3_FUSION.replace(",fusion", "").replace("18.3,system", "33").replace(",ios,", ",android,")


def hints(**said: str) -> Hints:
    return Hints(Formats(sensor_logger=SensorLoggerFiles(**said)))


@pytest.mark.parametrize(
    "metadata", [V2, V3, V3_EPOCH, V3_STANDARD, V3_ANDROID, V3_FUSION], ids=["2", "1.15", "1.27", "1.38", "android", "1.54"]
)
def test_every_version_of_the_metadata_is_read_and_loses_name_and_serial(metadata):
    text = metadata.format(name="Ada's phone", id="serial-0f5c")
    reading = sensor_logger.read(
        [
            device_file(
                "w.zip", zipped({"Metadata.csv": text, "Gyroscope.csv": sensor_csv(BODY), "Gravity.csv": sensor_csv(-BODY * G)})
            )
        ]
    )
    found = streams(reading)
    assert reading.metadata["platform"] in ("ios", "android")
    sign = -1 if reading.metadata["platform"] == "ios" else 1
    np.testing.assert_allclose(found["gravity"].values, sign * -BODY * G, rtol=1e-5)
    assert found["gyroscope"].declared_rate_hz == (None if metadata is V2 else 50.0)
    assert bool(reading.device) == (metadata is not V2)
    assert "Ada" not in repr(reading)
    assert "0f5c" not in repr(reading)


def test_the_start_that_the_metadata_state_is_not_believed():
    reading = sensor_logger.read([device_file("w.zip", zipped({"Metadata.csv": V2, "Gyroscope.csv": sensor_csv(BODY)}))])
    assert "2021" not in repr(reading.metadata)
    assert streams(reading)["gyroscope"].t_ns[0] == 1_700_000_000_000_000_001


@pytest.mark.parametrize(
    "name",
    [
        "Gyroscope.csv",
        "gyroscope.CSV",
        "P01_Gyroscope.csv",
        "walk-gyroscope-2.csv",
        "Gyroscope (2).csv",
        "Gyroscope_first3000lines.csv",
    ],
)
def test_a_renamed_file_is_known_by_the_sensor_in_its_name(name):
    reading = sensor_logger.read(
        [device_file(f"day1/{name}", sensor_csv(BODY)), device_file("day1/Metadata.csv", metadata_csv("ios"))]
    )
    assert set(streams(reading)) == {"gyroscope"}


def test_a_zip_whose_files_were_all_renamed_is_known_by_their_columns():
    renamed = device_file("w.zip", zipped({"P01_Gyroscope.csv": sensor_csv(BODY)}))
    assert known_by_content(renamed) is sensor_logger.READER
    assert known_by_content(device_file("w.zip", zipped({"P01_Gyroscope.csv": "a,b\n1,2\n"}))) is None


def test_files_that_lost_their_names_are_recordings_of_their_own():
    files = [device_file(f"day1/{name}", sensor_csv(STILL * G)) for name in ("fall1.csv", "fall2.csv", "Gyroscope.csv")]
    assert [len(capture.files) for capture in captures(files)] == [1, 1, 1]


@pytest.mark.parametrize(("values", "name"), [(STILL, "linear_acceleration"), (BODY * G, "accelerometer")])
def test_a_file_without_a_sensors_name_is_taken_for_acceleration_and_said(values, name):
    reading = sensor_logger.read([device_file("fall.csv", sensor_csv(values))])
    np.testing.assert_allclose(streams(reading)[name].values, values, rtol=1e-5, atol=1e-6)
    assert codes(reading, "warning") == ["platform_unknown", "sensor_assumed"]
    assert [repair.kind for repair in reading.streams[0].repairs] == ["sensor_assumed"]


def test_a_magnetometer_without_its_name_is_not_taken_for_acceleration():
    reading = sensor_logger.read([device_file("fall.csv", sensor_csv(BODY * 40))])
    assert (reading.streams, codes(reading)) == ((), ["sensor_unnamed"])


def test_the_study_says_what_such_files_are():
    reading = sensor_logger.read([device_file("fall.csv", sensor_csv(STILL))], hints(platform="ios", unnamed="Gravity"))
    np.testing.assert_allclose(streams(reading)["gravity"].values, -STILL, rtol=1e-5)
    assert reading.findings == ()


def test_a_quaternion_without_its_name_is_known_by_its_columns():
    reading = sensor_logger.read([device_file("tilt.csv", orientation_csv(np.tile([0.0, 0, 0, 1], (20, 1))))])
    assert set(streams(reading)) == {"orientation"}


def test_rows_without_a_header_are_read_in_the_apps_order_and_said():
    file = device_file("fall2.csv", HEADLESS)
    assert known_by_content(file) is sensor_logger.READER
    reading = sensor_logger.read([file])
    np.testing.assert_allclose(streams(reading)["linear_acceleration"].values, STILL, rtol=1e-5, atol=1e-6)
    assert codes(reading, "warning") == ["platform_unknown", "header_missing", "sensor_assumed"]
    assert [repair.kind for repair in reading.streams[0].repairs] == ["header_inferred", "sensor_assumed"]


def test_a_sensor_without_a_header_is_read_beside_its_siblings():
    files = [device_file("a/Gyroscope.csv", HEADLESS), device_file("a/Metadata.csv", metadata_csv("ios"))]
    (group,) = captures(files)
    reading = sensor_logger.read(group.files)
    np.testing.assert_allclose(streams(reading)["gyroscope"].values, STILL, rtol=1e-5, atol=1e-6)
    assert codes(reading, "warning") == ["header_missing"]


def test_numbers_of_something_else_are_no_rows_without_a_header():
    assert known_by_content(device_file("a.csv", "1700000000000000001,0,1,2,3\n1700000009000000001,0.01,1,2,3\n")) is None


def test_a_twin_with_the_same_bytes_is_a_note_and_one_with_others_a_warning():
    files = {**phone("android"), "Gyroscope(1).csv": phone("android")["Gyroscope.csv"], "Gravity(1).csv": "time,x\n"}
    reading = sensor_logger.read([device_file("w.zip", zipped(files))])
    assert codes(reading, "note") == ["sensor_copied"]
    assert codes(reading, "warning") == ["sensor_twice"]
    assert codes(reading) == []


def test_a_twin_is_read_where_the_file_itself_is_empty():
    reading = sensor_logger.read(
        [device_file("w.zip", zipped({**phone("android"), "Gyroscope.csv": "", "Gyroscope(1).csv": sensor_csv(BODY)}))]
    )
    np.testing.assert_allclose(streams(reading)["gyroscope"].values, BODY, rtol=1e-5)
    assert reading.metadata["empty_files"] == "2"


def test_uncalibrated_readings_stand_in_only_where_the_calibrated_ones_are_missing():
    files = {
        **phone("android"),
        "GyroscopeUncalibrated.csv": sensor_csv(BODY * 7),
        "MagnetometerUncalibrated.csv": sensor_csv(BODY * 40),
    }
    reading = sensor_logger.read([device_file("w.zip", zipped(files))])
    np.testing.assert_allclose(streams(reading)["gyroscope"].values, rocking(200, seed=1), rtol=1e-5)
    np.testing.assert_allclose(streams(reading)["magnetometer"].values, BODY * 40, rtol=1e-5)
    assert [finding.reason.place for finding in reading.findings] == ["w.zip::MagnetometerUncalibrated.csv"]
    assert codes(reading, "note") == ["uncalibrated_used"]


def test_a_converted_unit_and_a_turned_sign_are_repairs_of_their_stream():
    found = streams(sensor_logger.read([device_file("w.zip", zipped(phone("ios")))]))
    assert [repair.kind for repair in found["accelerometer"].repairs] == ["unit_converted", "sign_flipped"]
    assert (found["accelerometer"].declared_unit, found["gyroscope"].repairs) == ("g", ())


@pytest.mark.real
def test_the_oldest_real_schema_and_its_renamed_files_are_read_from_a_folder(real):
    folder = real / "sensor_logger" / "phone_schema_2021"
    groups = captures([DeviceFile.at(path) for path in sorted(folder.glob("*.csv"))])
    readings = [sensor_logger.read(group.files, hints(platform="ios")) for group in groups]
    assert [[stream.name for stream in reading.streams] for reading in readings] == [
        ["gyroscope", "orientation"],
        ["linear_acceleration"],
        ["linear_acceleration"],
    ]
    for stream in (stream for reading in readings for stream in reading.streams):
        assert measure(stream).rate_hz == pytest.approx(99.96, abs=0.02)
    assert [codes(reading, "warning") for reading in readings] == [[], ["sensor_assumed"], ["header_missing", "sensor_assumed"]]
