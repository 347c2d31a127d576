"""Sensor Logger's two dialects: members, columns, signs, units and clocks as the app writes them."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
from scipy.spatial.transform import Rotation

from ingestion.readers import DeviceFile, known_by_content
from ingestion.recording import Reading
from ingestion.simulation import sensor_logger
from ingestion.simulation.motion import G
from tests.ingestion.simulation.recordings import STARTED_NS, recorded

SYSTEMS = ["android", "ios"]


def table(text: bytes) -> dict[str, np.ndarray]:
    read = pyarrow.csv.read_csv(io.BytesIO(text))
    return {name: read[name].to_numpy() for name in read.column_names}


def vectors(text: bytes) -> np.ndarray:
    columns = table(text)
    return np.column_stack([columns[axis] for axis in "xyz"])


def read_back(content: bytes) -> Reading:
    file = DeviceFile("a.zip", len(content), lambda: io.BytesIO(content))
    reader = known_by_content(file)
    assert reader is not None and reader.name == "sensor_logger"
    return reader.read([file])


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_number_survives_being_written_and_read(system: str) -> None:
    recording = recorded(system)
    reading = read_back(sensor_logger.pack(sensor_logger.members(recording)))
    streams = {stream.name: stream for stream in reading.streams}
    assert not [finding for finding in reading.findings if finding.severity == "error"]
    for name in ("gyroscope", "orientation", "gravity", "linear_acceleration"):
        assert np.array_equal(streams[name].t_ns, recording.streams[name].t_ns)
        assert streams[name].values == pytest.approx(recording.streams[name].values, abs=1e-5)
    assert np.median(np.linalg.norm(streams["accelerometer"].values, axis=1)) == pytest.approx(G, abs=1.0)


@pytest.mark.parametrize("system", SYSTEMS)
def test_time_is_whole_nanoseconds_and_axes_come_as_z_y_x(system: str) -> None:
    for name, text in sensor_logger.members(recorded(system)).items():
        if not text or name == "Metadata.csv":
            continue
        header = text.split(b"\n", 1)[0].decode()
        assert header.startswith("time,seconds_elapsed,") and text.endswith(b"\n") and b'"' not in text
        assert header == "time,seconds_elapsed,z,y,x" or name == "Orientation.csv"
        columns = table(text)
        assert columns["time"].dtype == np.int64
        assert columns["seconds_elapsed"] == pytest.approx((columns["time"] - STARTED_NS) / 1e9, abs=1e-9)


def test_on_ios_every_acceleration_has_the_other_sign_and_the_raw_one_is_in_g() -> None:
    recording = recorded("ios")
    members = sensor_logger.members(recording)
    assert vectors(members["Gravity.csv"]) == pytest.approx(-recording.streams["gravity"].values, abs=1e-6)
    assert vectors(members["Accelerometer.csv"]) == pytest.approx(-recording.streams["linear_acceleration"].values, abs=1e-5)
    raw = vectors(members["AccelerometerUncalibrated.csv"])
    assert raw * -G == pytest.approx(recording.streams["accelerometer"].values, abs=1e-4)
    assert vectors(members["Gyroscope.csv"]) == pytest.approx(recording.streams["gyroscope"].values, abs=1e-6)
    assert "TotalAcceleration.csv" not in members


def test_on_android_the_total_is_there_in_metres_per_second_squared() -> None:
    recording = recorded("android")
    members = sensor_logger.members(recording)
    assert np.array_equal(vectors(members["TotalAcceleration.csv"]), recording.streams["accelerometer"].values)
    assert members["TotalAcceleration.csv"] == members["AccelerometerUncalibrated.csv"]
    assert np.array_equal(vectors(members["Gravity.csv"]), recording.streams["gravity"].values)


@pytest.mark.parametrize(("system", "sign"), [("android", -1.0), ("ios", 1.0)])
def test_angles_and_quaternion_are_one_attitude_in_the_systems_own_sense(system: str, sign: float) -> None:
    columns = table(sensor_logger.members(recorded(system))["Orientation.csv"])
    matrix = Rotation.from_quat(np.column_stack([columns[f"q{axis}"] for axis in "xyzw"])).as_matrix()
    assert sign * columns["pitch"] == pytest.approx(np.arcsin(matrix[:, 2, 1]), abs=1e-4)
    assert np.exp(1j * sign * columns["yaw"]) == pytest.approx(
        np.exp(1j * np.arctan2(-matrix[:, 0, 1], matrix[:, 1, 1])), abs=1e-3
    )
    assert np.exp(1j * columns["roll"]) == pytest.approx(np.exp(1j * np.arctan2(-matrix[:, 2, 0], matrix[:, 2, 2])), abs=1e-3)


def test_packing_twice_gives_the_same_bytes() -> None:
    members = sensor_logger.members(recorded("android", seconds=4.0))
    assert sensor_logger.pack(members) == sensor_logger.pack(members)
    assert sensor_logger.file_name(recorded("android", seconds=4.0)) == "walking_1-2026-01-13_10-00-00.zip"


@pytest.mark.parametrize("system", SYSTEMS)
def test_metadata_is_two_lines_that_name_every_sensor(system: str) -> None:
    header, facts = csv.reader(io.StringIO(sensor_logger.members(recorded(system))["Metadata.csv"].decode()))
    stated = dict(zip(header, facts, strict=True))
    assert stated["platform"] == system and stated["recording epoch time"] == str(STARTED_NS // 1_000_000)
    assert len(stated["sensors"].split("|")) == len(stated["sampleRateMs"].split("|"))


@pytest.mark.real
@pytest.mark.parametrize("system", SYSTEMS)
def test_members_headers_and_empty_files_are_those_of_real_exports(real: Path, system: str) -> None:
    ours = sensor_logger.members(recorded(system))
    seen = 0
    for path in sorted((real / "sensor_logger" / "phones_a").rglob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            theirs = {name: archive.read(name) for name in archive.namelist()}
        if f",{system},".encode() not in theirs["Metadata.csv"]:
            continue
        seen += 1
        for name in ours.keys() & theirs.keys() - {"Pedometer.csv"}:
            assert ours[name].split(b"\n", 1)[0] == theirs[name].split(b"\n", 1)[0], name
            assert bool(ours[name]) == bool(theirs[name]), name
        assert {"Accelerometer.csv", "Gyroscope.csv", "Annotation.csv"} <= ours.keys() & theirs.keys()
    assert seen > 5


@pytest.mark.real
@pytest.mark.parametrize(
    ("exercise", "folder", "system"), [("walking", "walking", "android"), ("jumping_jack", "jumping", "ios")]
)
def test_movement_is_about_as_violent_and_as_quick_as_in_real_recordings(
    real: Path, exercise: str, folder: str, system: str
) -> None:
    def figures(reading: Reading) -> tuple[float, float]:
        stream = next(stream for stream in reading.streams if stream.name == "accelerometer")
        norm = np.linalg.norm(stream.values, axis=1)
        spectrum = np.abs(np.fft.rfft(norm - norm.mean()))
        frequencies = np.fft.rfftfreq(len(norm), float(np.median(np.diff(stream.t_ns))) / 1e9)
        heard = frequencies > 0.5
        return float(norm.std()), float(frequencies[heard][spectrum[heard].argmax()])

    paths = sorted((real / "sensor_logger" / "phones_a" / folder).glob("*.zip"))
    theirs = np.array([figures(read_back(path.read_bytes())) for path in paths])
    ours = np.array(
        [
            figures(
                read_back(
                    sensor_logger.pack(sensor_logger.members(recorded(system, number=number, exercise=exercise, seconds=10)))
                )
            )
            for number in range(1, 13)
        ]
    )
    assert 0.5 < np.median(ours[:, 0]) / np.median(theirs[:, 0]) < 2.5
    assert 0.7 < np.median(ours[:, 1]) / np.median(theirs[:, 1]) < 1.5
