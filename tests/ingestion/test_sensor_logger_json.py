"""Sensor Logger's JSON export: the same streams as the CSV export of the same motion, block by block, whatever the spacing."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.readers import csv_columns, json_blocks, known_by_content, sensor_logger, sensor_logger_json
from ingestion.recording import Reading
from tests.ingestion.device_files import (
    codes,
    device_file,
    fused_csv,
    orientation_csv,
    phone,
    rocking,
    streams,
    zipped,
)

ANNOTATION = 'time,seconds_elapsed,text\n1700000001000000000,1,"set {1}, ""go"""\n'
PLACES = "time,seconds_elapsed,latitude\n1700000001000000000,1,52.5\n"


def export(platform: str = "ios", *, rows: int = 60) -> dict[str, str]:
    wrist = fused_csv(rocking(rows), sign=-1)
    tilt = orientation_csv(np.tile([0.1, 0.2, 0.3, 0.9], (rows, 1)))
    return {**phone(platform, rows=rows), "WristMotion.csv": wrist, "Orientation.csv": tilt, "Annotation.csv": ANNOTATION}


def as_records(files: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"sensor": name.removesuffix(".csv"), **row} for name, text in files.items() for row in csv.DictReader(io.StringIO(text))
    ]


def read(text: str | bytes) -> Reading:
    return sensor_logger_json.read([device_file("walk.json", text)])


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(json_blocks, "_READ_BYTES", 700)


@pytest.mark.parametrize("platform", ["ios", "android"])
@pytest.mark.parametrize("spacing", [{"separators": (",", ":")}, {}, {"indent": 2}, {"indent": 1, "separators": (" , ", " : ")}])
def test_json_and_csv_of_one_recording_are_the_same_streams(platform, spacing, small_blocks):
    files = export(platform)
    text = json.dumps(as_records(files), **spacing)
    assert known_by_content(device_file("walk.json", text)) is sensor_logger_json.READER
    reading, other = read(text), sensor_logger.read([device_file("walk.zip", zipped(files))])
    found, expected = streams(reading), streams(other)
    assert set(found) == set(expected)
    for name, stream in found.items():
        np.testing.assert_array_equal(stream.t_ns, expected[name].t_ns)
        np.testing.assert_array_equal(stream.values, expected[name].values)
        assert stream.declared_rate_hz == expected[name].declared_rate_hz
    assert [annotation.label for annotation in reading.annotations] == ['set {1}, "go"']
    assert reading.device == other.device == sensor_logger_json.device([device_file("walk.json", text)])
    assert dict(reading.metadata) == {name: text for name, text in other.metadata.items() if name != "empty_files"}


def test_numbers_that_somebody_unquoted_are_read_exactly():
    records = [
        {"sensor": "Gyroscope", "time": 1_698_501_144_401_773_001 + k, "seconds_elapsed": 0.1, "z": 3, "y": 2.5, "x": k}
        for k in range(5)
    ]
    (stream,) = read(json.dumps(records)).streams
    assert stream.t_ns.tolist() == [1_698_501_144_401_773_001 + k for k in range(5)]
    assert stream.values[4].tolist() == [4, 2.5, 3]


def test_what_is_no_motion_is_counted_by_kind_and_an_address_is_not_kept():
    others = {
        "Location.csv": PLACES,
        "bluetooth-AA:BB:CC:DD:EE:FF.csv": "time,id,rssi\n1,x,-50\n",
        "Light.csv": "time,lux\n1,5\n2,5\n",
    }
    reading = read(json.dumps(as_records({**phone("ios"), **others})))
    assert reading.metadata["left_out"] == "light 2, bluetooth 1, location 1"
    assert reading.left_out == 3
    assert "AA:BB" not in repr(reading)


def test_an_export_without_metadata_or_motion_says_so():
    files = phone("ios")
    del files["Metadata.csv"]
    assert codes(read(json.dumps(as_records(files))), "warning") == ["platform_unknown"]
    assert codes(read(json.dumps(as_records({"Location.csv": PLACES})))) == ["recording_empty"]
    assert codes(read('[{"sensor":"Metadata"}]')) == ["recording_empty"]


@pytest.mark.parametrize(
    ("number", "field", "wrong", "sentence"),
    [
        (7, "x", "oops", "'oops' is not a number"),
        (7, "time", "1.698e18", "not a whole number"),
        (9, "time", "5" * 19, "not between 1970 and 2100"),
        (9, "y", None, "the value is missing"),
        (5, "z", "nan", "not a finite number"),
        (5, "z", "1e39", "not a finite number"),
    ],
)
def test_a_broken_value_names_its_record_and_field(number, field, wrong, sentence, small_blocks):
    records = as_records({"Gyroscope.csv": phone("ios", rows=30)["Gyroscope.csv"]})
    records[number - 1][field] = wrong
    (finding,) = read(json.dumps(records)).findings
    assert (finding.reason.code, finding.reason.place) == ("json_value", f"walk.json record {number} field {field}")
    assert sentence in finding.reason.sentence


def test_an_export_that_was_cut_off_loses_its_last_record_and_says_so(small_blocks):
    records = as_records({"Gyroscope.csv": phone("ios", rows=30)["Gyroscope.csv"]})
    text = json.dumps(records)
    reading = read(text[:-20])
    assert len(streams(reading)["gyroscope"].t_ns) == 29
    assert [repair.kind for repair in reading.repairs] == ["tail_cut"]


def test_a_cut_anywhere_is_read_or_refused_with_a_reason():
    text = json.dumps(as_records(export(rows=6)), indent=1)
    for cut in np.linspace(0, len(text), 200).astype(int):
        reading = read(text[:cut])
        assert reading.streams or codes(reading)


@settings(max_examples=150)
@given(st.data())
def test_mutated_text_is_read_or_refused_with_a_reason(data):
    text = bytearray(json.dumps(as_records(export(rows=3))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 30))] = data.draw(
            st.sampled_from([b"null", b"[", b"]", b"{", b"}", b'"', b"},{", b"1e999", b"\xff", b"[null]", b"{}", b","])
        )
    reading = read(bytes(text))
    assert reading.streams or codes(reading)


@pytest.mark.parametrize("text", ["[null]", "[null,null]", "[[1]]", "null", "", "[", "[{", "[{}]", "{}", "[1,2]", "[" * 100_000])
def test_what_is_no_array_of_records_is_refused_with_a_reason(text):
    assert codes(read(text))
    assert known_by_content(device_file("walk.json", text)) is None


def test_a_long_export_that_is_spooled_is_the_same(monkeypatch, small_blocks):
    text = json.dumps(as_records(export()))
    short = streams(read(text))
    monkeypatch.setattr(csv_columns, "SPOOLED_FROM_BYTES", 0)
    long = streams(read(text))
    assert set(long) == set(short)
    for name, stream in long.items():
        np.testing.assert_array_equal(stream.values, short[name].values)
