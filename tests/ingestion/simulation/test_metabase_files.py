"""MetaBase's files: names, header, three decimals, whole milliseconds, a file for each sensor with its own start."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest

from ingestion.readers import DeviceFile, known_by_content
from ingestion.simulation import metabase
from tests.ingestion.simulation.recordings import recorded

ROW = re.compile(rb"\d{13},2026-01-13T10:00:\d\d\.\d{3},\d+\.\d{3}(,-?\d+\.\d{3}){3}")


def test_names_say_who_what_when_and_how_fast() -> None:
    accelerometer, gyroscope = metabase.members(recorded("metabase"))
    assert re.fullmatch(
        r"P002-walking-1_MetaWear_2026-01-13T10\.00\.00\.123_[0-9A-F]{12}_Accelerometer_50\.000Hz_1\.4\.4\.csv", accelerometer
    )
    assert gyroscope == accelerometer.replace("Accelerometer", "Gyroscope")


def test_rows_have_whole_milliseconds_and_three_decimals() -> None:
    for text in metabase.members(recorded("metabase")).values():
        header, *rows = text.splitlines()
        assert header.startswith(b"epoch (ms),time (01:00),elapsed (s),x-axis (")
        assert all(ROW.fullmatch(row) for row in rows) and len(rows) > 250
        assert rows[0].split(b",")[2] == b"0.000"
        steps = np.diff([int(row.split(b",")[0]) for row in rows])
        assert np.median(steps) == 20 and set(steps.tolist()) <= {19, 20, 21}


def test_every_number_survives_being_written_and_read_but_for_rounding() -> None:
    recording = recorded("metabase")
    files = [
        DeviceFile(name, len(text), lambda text=text: io.BytesIO(text)) for name, text in metabase.members(recording).items()
    ]
    reader = known_by_content(files[0])
    assert reader is not None and len({reader.pairing_key(file) for file in files}) == 1
    reading = reader.read(files)
    assert not reading.findings and {stream.name for stream in reading.streams} == {"accelerometer", "gyroscope"}
    for stream in reading.streams:
        written = recording.streams[stream.name]
        assert np.abs(stream.t_ns - written.t_ns).max() <= 500_000
        assert stream.values == pytest.approx(written.values, abs=0.006)
    starts = [stream.t_ns[0] for stream in reading.streams]
    assert abs(starts[0] - starts[1]) > 20_000_000


def test_a_negative_number_above_minus_one_keeps_its_sign() -> None:
    recording = recorded("metabase", exercise="squat")
    stream = recording.streams["gyroscope"]
    cells = [line.split(b",")[3:] for line in metabase.rows(stream, int(stream.t_ns[0])).splitlines()]
    written = np.array(cells).astype(float)
    assert np.any((written < 0) & (written > -1))
    assert np.abs(written - np.degrees(stream.values.astype(float))).max() < 0.001


@pytest.mark.real
def test_header_and_name_are_those_of_real_exports(real: Path) -> None:
    ours = metabase.members(recorded("metabase"))
    shape = re.compile(
        r".+_MetaWear_\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}_[0-9A-F]{12}_(Accelerometer|Gyroscope)_\d+\.\d{3}Hz_1\.4\.41?\.csv"
    )
    headers = {}
    for path in sorted((real / "metamotion_barbell" / "MetaMotion").glob("*.csv")):
        assert shape.fullmatch(path.name)
        headers["Accelerometer" if "Accelerometer" in path.name else "Gyroscope"] = path.read_bytes().splitlines()[0]
    for name, text in ours.items():
        found = shape.fullmatch(name)
        assert found and text.splitlines()[0] == headers[found[1]]
