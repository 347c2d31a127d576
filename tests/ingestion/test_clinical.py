"""Clinical loggers: Axivity, ActiGraph and GENEActiv files, real ones, written ones and damaged ones."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from functools import reduce
from operator import xor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.readers import DeviceFile, Hints, actigraph, axivity, geneactiv, known_by_content
from ingestion.readers.block_clock import reading_times
from ingestion.recording import Reading

G = 9.80665
_START = 1_500_000_000
_INFO = "Serial Number: MOS2A00000000\nSample Rate: 30\n{more}"


def device_file(name: str, content: bytes) -> DeviceFile:
    return DeviceFile(name, len(content), lambda: io.BytesIO(content))


def record(kind: int, stamp: int, payload: bytes) -> bytes:
    body = struct.pack("<BBIH", 0x1E, kind, stamp, len(payload)) + payload
    return body + bytes([reduce(xor, body) ^ 0xFF])


def packed(values: np.ndarray) -> bytes:
    """12-bit y, x, z, most significant bits first."""
    bits = "".join(f"{number & 0xFFF:012b}" for x, y, z in values.tolist() for number in (y, x, z))
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def gt3x(*records: bytes, more: str = "") -> DeviceFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("info.txt", _INFO.format(more=more))
        archive.writestr("log.bin", b"".join(records))
    return device_file("wrist.gt3x", content.getvalue())


def counts(rows: int = 30) -> np.ndarray:
    return np.random.default_rng(rows).integers(-2048, 2048, (rows, 3))


def codes(reading: Reading) -> list[str]:
    return [finding.reason.code for finding in reading.findings]


def read(path: Path, hints: Hints | None = None) -> Reading:
    file = DeviceFile.at(path)
    reader = known_by_content(file)
    assert reader is not None
    return reader.read([file], hints or Hints())


@pytest.mark.real
def test_real_files_come_out_with_the_rate_the_length_and_gravity_that_were_measured(real: Path) -> None:
    for name, rows, rate_hz in (
        ("ax3_testfile.cwa", 17400, 98.87),  # by its own clock; 100 Hz is what it was asked for
        ("ISM_Disabled.gt3x", 9000, 30.0),
        ("GENEActiv_testfile.bin", 4800, 85.7),
    ):
        (stream,) = read(real / "clinical_raw" / name).streams
        assert (stream.name, stream.unit, stream.values.shape) == ("accelerometer", "m/s^2", (rows, 3))
        assert 1e9 / np.median(np.diff(stream.t_ns)) == pytest.approx(rate_hz, abs=0.1)
        assert np.median(np.linalg.norm(stream.values, axis=1)) == pytest.approx(G, rel=0.06)


@pytest.mark.real
def test_the_truncated_sample_says_how_many_pages_it_lacks(real: Path) -> None:
    reading = read(real / "clinical_raw" / "GENEActiv_testfile.bin")
    assert codes(reading) == ["blocks_damaged", "tail_cut"]
    assert "222,048 pages, the file has 17" in reading.findings[1].reason.sentence


@pytest.mark.real
def test_values_and_times_are_those_of_scikit_digital_health(real: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skdh.io import ReadBin, ReadCwa

        cwa, ours = real / "clinical_raw" / "ax3_testfile.cwa", read(real / "clinical_raw" / "ax3_testfile.cwa").streams[0]
        theirs = ReadCwa().predict(file=str(cwa))
        np.testing.assert_allclose(ours.values, theirs["accel"] * G, atol=1e-5)
        # The peer leaves the fraction of a second out that newer firmware writes.
        np.testing.assert_allclose(ours.t_ns / 1e9, theirs["time"], atol=0.03)
        content = (real / "clinical_raw" / "GENEActiv_testfile.bin").read_bytes()
        whole = tmp_path / "whole.bin"  # the peer refuses a file that is cut off
        whole.write_bytes(content[: content.rfind(b"Recorded Data")].replace(b"Pages:222048", b"Pages:16"))
        theirs = ReadBin().predict(file=str(whole))
    ours = read(whole).streams[0]
    np.testing.assert_allclose(ours.values, theirs["accel"] * G, atol=1e-5)
    np.testing.assert_allclose(ours.t_ns / 1e9 + 3600, theirs["time"], atol=1e-5)  # the header says GMT +01:00


@pytest.mark.real
@pytest.mark.parametrize("name", ["ax3_testfile.cwa", "ISM_Disabled.gt3x", "GENEActiv_testfile.bin"])
def test_a_file_cut_anywhere_loses_its_tail_and_nothing_else(real: Path, name: str) -> None:
    content = (real / "clinical_raw" / name).read_bytes()
    reader = known_by_content(DeviceFile.at(real / "clinical_raw" / name))
    assert reader is not None
    for end in np.linspace(0, len(content) - 1, 25).astype(int).tolist():
        reading = reader.read([device_file(name, content[:end])], Hints())
        assert reading.streams or any(finding.severity == "error" for finding in reading.findings)


@pytest.mark.real
def test_a_damaged_block_is_left_out_and_its_time_is_a_gap(real: Path) -> None:
    content = bytearray((real / "clinical_raw" / "ax3_testfile.cwa").read_bytes())
    content[1024 + 20 * 512 + 100] ^= 0xFF
    reading = axivity.read([device_file("hip.cwa", bytes(content))])
    assert "blocks_damaged" in codes(reading)
    (stream,) = reading.streams
    assert len(stream.t_ns) == 17400 - 120
    assert np.diff(stream.t_ns).max() / 1e9 == pytest.approx(121 / 98.87, abs=0.03)


def test_the_manifest_states_the_zone_where_the_device_does_not() -> None:
    file = gt3x(record(26, _START, counts().astype("<i2").tobytes()))
    unstated, berlin = actigraph.read([file]), actigraph.read([file], Hints(timezone="Europe/Berlin"))
    assert codes(unstated) == ["timezone_unknown"]
    assert codes(berlin) == []
    assert unstated.streams[0].t_ns[0] - berlin.streams[0].t_ns[0] == 7200 * 1_000_000_000
    stated = actigraph.read([gt3x(record(26, _START, counts().astype("<i2").tobytes()), more="TimeZone: -05:00:00\n")])
    assert stated.streams[0].t_ns[0] == (_START + 5 * 3600) * 1_000_000_000


@given(st.integers(1, 40))
@settings(max_examples=20)
def test_twelve_bit_readings_come_back_as_they_were_written(rows: int) -> None:
    written = counts(rows)
    reading = actigraph.read([gt3x(record(0, _START, packed(written)))])
    np.testing.assert_allclose(reading.streams[0].values, written / 256 * G, rtol=1e-5)


def test_seconds_asleep_stay_gaps_and_a_damaged_second_is_counted() -> None:
    payload = counts().astype("<i2").tobytes()
    damaged = bytearray(record(26, _START + 3, payload))
    damaged[20] ^= 1
    awake = [record(26, _START, payload), record(0, _START + 1, b""), record(26, _START + 2, payload)]
    reading = actigraph.read([gt3x(*awake, bytes(damaged), record(26, _START + 4, payload))])
    assert codes(reading)[0] == "blocks_damaged"
    assert len(reading.streams[0].t_ns) == 90
    assert np.count_nonzero(np.diff(reading.streams[0].t_ns) > 500_000_000) == 2


def test_an_old_layout_and_an_unknown_scale_are_refused_with_a_remedy() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("info.txt", _INFO.format(more=""))
        archive.writestr("activity.bin", b"\0" * 36)
    file = device_file("old.gt3x", content.getvalue())
    assert known_by_content(file) is actigraph.READER
    assert codes(actigraph.read([file])) == ["gt3x_layout"]
    unknown = actigraph.read([gt3x(record(26, _START, bytes(6)), more="Serial Number: ZZZ1\n")])
    assert codes(unknown) == ["scale_unknown"]


def test_names_and_serial_numbers_do_not_leave_the_reader() -> None:
    file = gt3x(record(26, _START, counts().astype("<i2").tobytes()), more="Subject Name: Somebody\n")
    reading = actigraph.read([file])
    assert "Somebody" not in repr(reading) and "MOS2A" not in repr(reading)
    assert len(reading.device) == 16


def test_a_header_without_calibration_is_no_recording() -> None:
    header = b"Device Identity\r\nDevice Unique Serial Code:1\r\nDevice Type:GENEActiv\r\nRecorded Data\r\n"
    reading = geneactiv.read([device_file("wrist.bin", header)])
    assert codes(reading) == ["calibration_missing"]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8), st.floats(10, 200))
def test_readings_of_blocks_that_follow_each_other_are_evenly_spaced_and_keep_every_start(
    blocks: list[int], rate_hz: float
) -> None:
    sizes = np.array(blocks)
    pace = 1.003 * 1e9 / rate_hz  # the device's clock is slow
    start_ns = np.rint(np.concatenate([[0], np.cumsum(sizes)[:-1]]) * pace).astype(np.int64)
    t_ns = reading_times(start_ns, sizes, rate_hz=rate_hz)
    firsts = np.cumsum(sizes) - sizes
    np.testing.assert_array_equal(t_ns[firsts], start_ns)
    steps = np.diff(t_ns[: firsts[-1] + 1])
    assert steps.size == 0 or np.abs(steps - pace).max() <= 2
