"""What a phone export holds beside motion is neither opened nor kept, and whatever bytes come in, nothing is raised."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.grouping import captures
from ingestion.readers import DeviceFile, export, known_by_content, sensor_logger, sensor_logger_names
from ingestion.recording import Reading
from tests.ingestion.device_files import device_file, phone, rocking, sensor_csv, zipped

PRIVATE = {
    "Location.csv": "time,seconds_elapsed,latitude,longitude\n1,1,52.5,13.4\n",
    "WatchLocation.csv": "time,seconds_elapsed,latitude\n1,1,52.5\n",
    "Network.csv": "time,seconds_elapsed,ssid,ipAddress\n1,1,home,10.0.0.1\n",
    "WiFi.csv": "ssid,bssid\nhome,aa:bb\n",
    "bluetooth-AA:BB:CC:DD:EE:FF.csv": "id,rssi\nAA:BB,1\n",
    "Camera/1700000000000.jpg": b"\xff\xd8face",
    "Camera/1700000000100.jpg": b"\xff\xd8face",
    "Microphone.mp4": b"voice",
    "Microphone.csv": "time,seconds_elapsed,dBFS\n1,1,-20\n",
    "contacts.vcf": "BEGIN:VCARD",
    "HeartRate.csv": "time,seconds_elapsed,bpm\n1,1,60\n",
    "diary.txt": "dear diary",
}


@pytest.fixture
def guarded(monkeypatch):
    """Make every file that is not on the allow-list raise as soon as it is opened."""

    def guard(member: DeviceFile) -> DeviceFile:
        def refuse() -> io.BytesIO:
            raise AssertionError(f"{member.name} was opened")

        return member if sensor_logger_names.sensor_of_file(member.name.split("::")[-1]) else replace(member, open=refuse)

    opened = export.opened

    @contextmanager
    def guarded_opened(files):
        with opened(files) as members:
            yield [guard(member) for member in members]

    monkeypatch.setattr(export, "opened", guarded_opened)
    return guard


def test_private_members_of_a_zip_are_never_opened_and_counted_by_kind(guarded):
    file = device_file("walk.zip", zipped({**phone("ios"), **PRIVATE}))
    assert known_by_content(file) is sensor_logger.READER
    reading = sensor_logger.read([file])
    assert len(reading.streams) == 4
    assert reading.left_out == len(PRIVATE)
    assert reading.metadata["left_out"] == (
        "camera 2, location 2, microphone 2, bluetooth 1, contacts 1, heart_rate 1, network 1, other 1, wifi 1"
    )
    (finding,) = reading.findings
    assert "camera 2, location 2, microphone 2, bluetooth 1, contacts 1, network 1, wifi 1" in finding.reason.sentence


@pytest.mark.parametrize("folder", ["day/", ""])
def test_private_loose_files_are_not_opened_by_the_reader(guarded, folder):
    files = [device_file(f"{folder}{name}", content) for name, content in {**phone("ios"), **PRIVATE}.items()]
    (capture,) = captures(files)
    reading = sensor_logger.read([guarded(file) for file in capture.files])
    assert len(reading.streams) == 4
    assert sum(finding.reason.code == "not_motion_data" for finding in reading.findings) == len(PRIVATE)


def test_no_name_of_outside_is_in_what_a_recording_says_of_itself():
    reading = sensor_logger.read([device_file("walk.zip", zipped({**phone("ios"), **PRIVATE}))])
    said = json.dumps(dict(reading.metadata)) + reading.device + "".join(finding.reason.sentence for finding in reading.findings)
    for secret in ("Somebody", "0f5c", "AA:BB", "diary", "1700000000000.jpg"):
        assert secret not in said


def _survives(data: bytes, name: str = "walk.zip") -> Reading | None:
    file = device_file(name, data)
    reader = known_by_content(file)
    sensor_logger.device([file])
    reading = sensor_logger.read([file])
    assert reading.streams or any(finding.severity == "error" for finding in reading.findings)
    return reader.read([file]) if reader else None


@pytest.mark.parametrize("name", ["walk.zip", "Gyroscope.csv"])
def test_a_delivery_cut_anywhere_is_read_or_refused_with_a_reason(name):
    data = zipped(phone("ios", rows=40)) if name == "walk.zip" else sensor_csv(rocking(40)).encode()
    for cut in np.linspace(0, len(data), 120).astype(int):
        _survives(data[:cut], name)


@settings(max_examples=60)
@given(st.data())
def test_flipped_bytes_are_read_or_refused_with_a_reason(data):
    whole = bytearray(zipped({**phone("ios", rows=8), **PRIVATE}))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    _survives(bytes(whole))


@settings(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(["Gyroscope.csv", "walk.zip", "Metadata.csv", "fall.csv", "Annotation.csv"]))
@example(b"\x93NUMPY", "Gyroscope.csv")
def test_any_bytes_under_any_name_are_refused_with_a_reason(data, name):
    _survives(data, name)


@pytest.mark.parametrize("number", ["1e400", "-1e39", "nan", "9" * 400, "1.7e18", ""])
def test_numbers_that_are_none_name_their_place(number):
    reading = sensor_logger.read(
        [device_file("Gyroscope.csv", f"time,seconds_elapsed,z,y,x\n1700000000000000000,0,0,0,0\n{number},0,0,0,0\n")]
    )
    assert reading.streams == ()
    assert reading.findings[-1].reason.place == "Gyroscope.csv row 3 column time"


def test_a_zip_in_a_zip_is_not_opened():
    inner = zipped(phone("ios"))
    assert known_by_content(device_file("all.zip", zipped({"walk.zip": inner}))) is None
    reading = sensor_logger.read([device_file("walk.zip", zipped({**phone("ios"), "walk.zip": inner}))])
    assert reading.metadata["left_out"] == "archive 1"
