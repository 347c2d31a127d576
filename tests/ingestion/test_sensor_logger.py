"""Sensor Logger exports: one convention on both platforms, an allow-list, and archives that nobody need trust."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from ingestion.facts import measure
from ingestion.grouping import captures
from ingestion.readers import DeviceFile, export, known_by_content, sensor_logger
from ingestion.recording import Reading
from tests.ingestion.device_files import (
    START_MS,
    G,
    codes,
    device_file,
    metabase_csv,
    metadata_csv,
    orientation_csv,
    phone,
    rocking,
    sensor_csv,
    streams,
    zipped,
)

WALK = "walk.zip"


def read(files: dict[str, str], name: str = WALK) -> Reading:
    return sensor_logger.read([device_file(name, zipped(files))])


def read_bytes(data: bytes) -> Reading:
    return sensor_logger.read([device_file(WALK, data)])


@pytest.mark.parametrize(("platform", "standardised"), [("android", False), ("ios", False), ("ios", True)])
def test_one_motion_reads_the_same_whatever_phone_wrote_it(platform, standardised):
    reading = read(phone(platform, standardised=standardised))
    found = streams(reading)
    assert set(found) == {"accelerometer", "linear_acceleration", "gravity", "gyroscope"}
    body = rocking(200, rate_hz=100) * G
    np.testing.assert_allclose(found["accelerometer"].values, body, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["linear_acceleration"].values, body - [0, 0, G], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["gravity"].values, np.tile([0, 0, G], (200, 1)), rtol=1e-5)
    np.testing.assert_allclose(found["gyroscope"].values, rocking(200, seed=1), rtol=1e-5)
    assert reading.findings == ()
    assert reading.metadata["platform"] == platform


def test_time_is_whole_nanoseconds_beyond_what_a_float_can_hold():
    t_ns = streams(read(phone("android")))["gyroscope"].t_ns
    assert t_ns[:2].tolist() == [START_MS * 10**6 + 1, START_MS * 10**6 + 10_000_101]


def test_a_quaternion_is_sorted_out_of_its_scrambled_columns():
    quaternions = np.random.default_rng(0).normal(size=(20, 4))
    reading = read({**phone("android"), "Orientation.csv": orientation_csv(quaternions)})
    np.testing.assert_allclose(streams(reading)["orientation"].values, quaternions, rtol=1e-6)


def test_declared_rates_come_from_the_list_of_periods():
    found = streams(read(phone("android")))
    assert {name: stream.declared_rate_hz for name, stream in found.items()} == {
        "accelerometer": 100.0,
        "linear_acceleration": 100.0,
        "gravity": 100.0,
        "gyroscope": 50.0,
    }


def test_what_is_no_motion_data_is_counted_and_never_opened():
    private = {"Location.csv": "secret", "Camera/1.jpg": "secret", "Microphone.mp4": "secret"}
    data = zipped({**phone("android"), **private}, zipfile.ZIP_STORED)
    assert data.count(b"secret") == 3
    reading = read_bytes(data.replace(b"secret", b"SECRET"))  # their checksums are wrong now: opening one would fail
    assert reading.left_out == 3
    assert reading.metadata["left_out"] == "camera 1, location 1, microphone 1"
    assert codes(reading) == []
    assert [finding.reason.code for finding in reading.findings] == ["private_left_out"]


def test_device_name_and_serial_number_leave_only_a_hash():
    reading = read(phone("ios"))
    assert len(reading.device) == 16
    assert int(reading.device, 16) >= 0
    assert "Somebody" not in str(reading)
    assert "0f5c" not in str(reading)
    assert sensor_logger.device([device_file(WALK, zipped(phone("ios")))]) == reading.device


def test_without_metadata_the_unit_is_told_from_the_values_and_said():
    files = phone("ios")
    del files["Metadata.csv"]
    reading = read(files)
    assert codes(reading, "warning") == ["platform_unknown"]
    assert np.median(streams(reading)["accelerometer"].values[:, 2]) == pytest.approx(G, abs=0.1)
    assert np.median(streams(reading)["gravity"].values[:, 2]) == pytest.approx(G, abs=0.1)


def test_without_uncalibrated_readings_acceleration_with_gravity_is_the_sum_of_its_parts():
    files = phone("ios")
    del files["AccelerometerUncalibrated.csv"]
    reading = read(files)
    np.testing.assert_allclose(streams(reading)["accelerometer"].values, rocking(200, rate_hz=100) * G, rtol=1e-4, atol=1e-4)
    assert codes(reading, "note") == ["accelerometer_summed"]


def test_parts_on_different_clocks_are_not_added():
    files = {**phone("ios"), "Gravity.csv": sensor_csv(rocking(199))}
    del files["AccelerometerUncalibrated.csv"]
    assert "accelerometer" not in streams(read(files))


def test_the_oldest_metadata_has_four_columns():
    files = {**phone("ios"), "Metadata.csv": "version,device name,recording time,platform\n2,x,2021-04-04_13-19-00,ios"}
    reading = read(files)
    assert (reading.device, reading.metadata["platform"], reading.findings) == ("", "ios", ())


def test_annotations_are_instants_with_their_text():
    rows = 'time,seconds_elapsed,text,millisecond_press_duration\n1700000001000000000,1,"set 1, start",90\n,2,lost,90\n'
    reading = read({**phone("android"), "Annotation.csv": rows})
    (annotation,) = reading.annotations
    assert (annotation.start_ns, annotation.end_ns, annotation.label) == (1_700_000_001_000_000_000,) * 2 + ("set 1, start",)
    assert codes(reading, "warning") == ["annotation_time"]
    assert reading.findings[0].reason.place == f"{WALK}::Annotation.csv row 3 column time"


def test_empty_files_twins_and_resource_forks_are_tolerated():
    files = {
        **phone("android"),
        "HeartRate.csv": "",
        "Magnetometer.csv": "",
        "Gyroscope(1).csv": "whatever",
        "__MACOSX/._Gyroscope.csv": "whatever",
    }
    reading = read(files)
    assert set(streams(reading)) == {"accelerometer", "linear_acceleration", "gravity", "gyroscope"}
    assert codes(reading) == []
    assert codes(reading, "warning") == ["sensor_twice"]


def test_a_zip_of_a_folder_reads_like_a_zip_of_its_files():
    inside = {f"walk/{name}": text for name, text in phone("android").items()}
    assert set(streams(read(inside))) == set(streams(read(phone("android"))))


def test_a_zip_with_two_recordings_is_refused():
    two = {f"{folder}/{name}": text for folder in "ab" for name, text in phone("android").items()}
    reading = read(two)
    assert codes(reading) == ["zip_several_recordings"]
    assert reading.findings[0].reason.place == WALK


def test_loose_files_of_one_folder_are_one_recording_and_photos_are_set_aside():
    files = [device_file(f"day1/{name}", text) for name, text in phone("android").items()]
    (group,) = captures([*files, device_file("day1/photo.jpg", b"\xff\xd8")])
    reading = sensor_logger.read(group.files)
    assert set(streams(reading)) == {"accelerometer", "linear_acceleration", "gravity", "gyroscope"}
    assert reading.left_out == 1
    assert [(f.reason.code, f.reason.place) for f in reading.findings] == [("not_motion_data", "day1/photo.jpg")]


def test_loose_files_of_two_folders_are_two_recordings():
    files = [device_file(f"{day}/{name}", text) for day in ("day1", "day2") for name, text in phone("android").items()]
    assert [len(capture.files) for capture in captures(files)] == [6, 6]


def test_a_broken_member_costs_itself_and_names_its_place():
    gyroscope = phone("android")["Gyroscope.csv"].splitlines()
    gyroscope[16] = "1700000000000000000,0,1,2,x"
    reading = read({**phone("android"), "Gyroscope.csv": "\n".join(gyroscope)})
    assert set(streams(reading)) == {"accelerometer", "linear_acceleration", "gravity"}
    assert codes(reading) == ["csv_not_a_number"]
    assert reading.findings[0].reason.place == f"{WALK}::Gyroscope.csv row 17 column x"


def test_an_export_without_any_reading_says_so():
    assert codes(read({"Metadata.csv": metadata_csv("ios"), "Gyroscope.csv": ""})) == ["recording_empty"]


@pytest.mark.parametrize(
    "name", ["../Gyroscope.csv", "/etc/Gyroscope.csv", "a/../../Gyroscope.csv", "..\\Gyroscope.csv", "C:\\x.csv"]
)
def test_a_member_path_that_leads_out_of_the_archive_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reading = read({**phone("android"), name: "time\n"})
    assert codes(reading) == ["zip_member_path"]
    assert reading.findings[0].reason.place == f"{WALK}::{name}"
    assert list(tmp_path.iterdir()) == []


def test_an_encrypted_archive_is_refused():
    data = bytearray(zipped(phone("android")))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = data.find(header)
        data[position + flags] |= 1
    assert codes(read_bytes(bytes(data))) == ["zip_encrypted"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_archive_is_known_and_refused(share):
    data = zipped(phone("android", rows=2000))
    cut = device_file(WALK, data[: int(share * len(data))])
    assert known_by_content(cut) is sensor_logger.READER
    assert codes(sensor_logger.read([cut])) == ["zip_truncated"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_bytes_are_blamed_on_the_archive_and_not_on_the_device(compression):
    data = bytearray(zipped(phone("android", rows=2000), compression))
    middle = data.find(b"TotalAcceleration.csv") + 3000
    data[middle : middle + 40] = bytes(40)
    reading = read_bytes(bytes(data))
    assert codes(reading) == ["zip_damaged"]
    assert reading.findings[0].reason.place == f"{WALK}::TotalAcceleration.csv"


def test_metadata_that_cannot_be_trusted_is_an_error_and_no_guess():
    data = bytearray(zipped(phone("ios"), zipfile.ZIP_STORED))
    position = data.find(b"Africa/Kigali")
    data[position : position + 6] = b"Europe"
    reading = read_bytes(bytes(data))
    assert codes(reading) == ["zip_damaged"]
    assert reading.findings[0].reason.place == f"{WALK}::Metadata.csv"


def test_an_archive_of_countless_members_is_refused():
    assert codes(read(phone("android") | {f"{number}.txt": "" for number in range(10_001)})) == ["zip_too_large"]


def test_only_archives_with_motion_files_are_known():
    assert known_by_content(device_file("walk.zip", zipped({"readme.txt": "hello"}))) is None
    assert known_by_content(device_file("walk.zip", b"PK\x03\x04")) is None
    assert known_by_content(device_file("walk.zip", metabase_csv(rocking(3)))) is not sensor_logger.READER
    assert known_by_content(device_file("walk.bin", zipped(phone("ios")))) is sensor_logger.READER


@pytest.mark.real
def test_real_exports_of_both_platforms_come_out_in_one_convention(real):
    at_rest = {"ios": [], "android": []}
    files = [DeviceFile.at(path) for path in sorted((real / "sensor_logger" / "phones_a").rglob("*.zip"))]
    found = captures(files)
    assert len(found) == 38
    for capture in found:
        reading = sensor_logger.read(capture.files)
        platform = reading.metadata["platform"]
        measured = {stream.name: (stream, measure(stream)) for stream in reading.streams}
        common = {"accelerometer", "linear_acceleration", "gyroscope"}
        assert set(measured) == (common if platform == "android" else common | {"gravity", "magnetometer", "orientation"})
        assert [finding.reason.code for finding in reading.findings] == ["private_left_out"] * (platform == "ios")
        assert reading.left_out == (0 if platform == "android" else 10)
        assert reading.metadata["empty_files"] in {"android": "1", "ios": "78"}[platform]
        for stream, facts in measured.values():
            assert facts.rate_hz == pytest.approx(99.93 if platform == "ios" else 99.56, abs=0.03)
            assert stream.declared_rate_hz == 100.0
        stream, facts = measured["accelerometer"]
        if measured["gyroscope"][1].norm_median < 0.1:
            at_rest[platform].append((facts.norm_median, float(np.median(stream.values[:, 2]))))
    assert {platform: len(rows) for platform, rows in at_rest.items()} == {"ios": 6, "android": 12}
    for norm, upward in (*at_rest["ios"], *at_rest["android"]):
        assert 9.6 < norm < 9.9
        assert upward > 9.5


def test_a_member_that_unpacks_beyond_reason_is_refused_and_the_others_are_read(monkeypatch):
    monkeypatch.setattr(export, "ALWAYS_ALLOWED_BYTES", 50_000)
    files = phone("android", rows=10)
    reading = read(phone("android", rows=600) | {"Gyroscope.csv": files["Gyroscope.csv"] + "0" * 10_000_000})
    (finding,) = reading.findings
    assert (finding.reason.code, finding.reason.place) == ("zip_bomb", f"{WALK}::Gyroscope.csv")
    assert {stream.name for stream in reading.streams} == {"accelerometer", "gravity", "linear_acceleration"}


def test_a_bomb_that_nobody_opens_does_not_matter(monkeypatch):
    monkeypatch.setattr(export, "ALWAYS_ALLOWED_BYTES", 50_000)
    assert len(read(phone("android") | {"Camera/1.bmp": bytes(10_000_000)}).streams) == 4
