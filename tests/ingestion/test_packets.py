"""Raw packets of nine little-endian 16-bit integers: known by the study alone, scaled by it, cut where they end early."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from ingestion.readers import NO_HINTS, Hints, csv_columns, known_by_content
from ingestion.recording import Reading
from studies.formats import Formats
from tests.ingestion.device_files import device_file

_STREAMS: dict[str, Any] = {
    "accelerometer": {"columns": ["ax", "ay", "az"], "unit": "g", "scale": 2 / 32768},
    "gyroscope": {"columns": ["gx", "gy", "gz"], "unit": "deg/s", "scale": 250 / 32768},
    "magnetometer": {"columns": ["mx", "my", "mz"], "unit": "mG", "scale": 1.5},
}
_HINTS = Hints(Formats(packets=[{"files": "raw/*.bin", "rate_hz": 50, "streams": _STREAMS}]))


def _read(content: bytes) -> Reading:
    file = device_file("day1/raw/set1.bin", content)
    reader = known_by_content(file, _HINTS)
    assert reader is not None
    assert reader.name == "packets"
    return reader.read([file], _HINTS)


def test_packets_become_three_streams_in_si_units_at_the_known_rate() -> None:
    packets = np.array([[16384, 0, -32768, 32767, 0, -1, 100, -200, 0], [0] * 9], dtype="<i2")
    reading = _read(packets.tobytes())
    accelerometer, gyroscope, magnetometer = reading.streams
    assert accelerometer.values[0] == pytest.approx([9.80665, 0, -2 * 9.80665])
    assert gyroscope.values[0] == pytest.approx(np.deg2rad([250 * 32767 / 32768, 0, -250 / 32768]), rel=1e-5)
    assert magnetometer.values[0] == pytest.approx([15, -30, 0])
    assert [stream.unit for stream in reading.streams] == ["m/s^2", "rad/s", "uT"]
    assert accelerometer.t_ns.tolist() == [0, 20_000_000]
    assert [(found.reason.code, found.severity) for found in reading.findings] == [("time_not_absolute", "note")]


@given(st_numpy.arrays("<i2", st.tuples(st.integers(1, 30), st.just(9))), st.binary(max_size=17))
def test_every_whole_packet_is_kept_and_an_unfinished_one_is_left_out_and_told(packets: Any, tail: bytes) -> None:
    reading = _read(packets.tobytes() + tail)
    assert (np.rint(reading.streams[2].values / 0.15).astype(int) == packets[:, 6:]).all()
    cut = [repair for repair in reading.streams[0].repairs if repair.kind == "tail_cut"]
    assert [repair.before for repair in cut] == ([tail.hex()] if tail else [])


def test_packets_meet_across_blocks_and_a_long_file_lies_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.readers.packets._BLOCK_PACKETS", 7)
    monkeypatch.setattr(csv_columns, "SPOOLED_FROM_BYTES", 100)
    packets = np.arange(9 * 1000, dtype="<i2").reshape(-1, 9)
    stream = _read(packets.tobytes()).streams[2]
    assert (np.rint(stream.values / 0.15).astype(int) == packets[:, 6:]).all()
    assert isinstance(stream.values, np.memmap)


@pytest.mark.parametrize("content", [b"", b"\x00" * 17])
def test_a_file_without_a_whole_packet_is_told(content: bytes) -> None:
    (found,) = _read(content).findings
    assert (found.reason.code, found.severity) == ("packets_absent", "error")


def test_bytes_are_nobodys_where_the_study_does_not_name_them() -> None:
    assert known_by_content(device_file("day1/raw/set1.bin", b"\x00" * 18), NO_HINTS) is None
    assert known_by_content(device_file("set1.bin", b"\x00" * 18), _HINTS) is None
