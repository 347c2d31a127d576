"""Messages that Sensor Logger pushed, recorded line by line: late, twice, lost and of several recordings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.facts import prepared
from ingestion.readers import Hints, json_blocks, known_by_content, sensor_logger_push
from ingestion.recording import Reading
from studies.formats import Formats, SensorLoggerFiles
from tests.ingestion.device_files import (
    G,
    codes,
    device_file,
    rocking,
    streams,
)

START_NS = 1_698_501_144_401_773_001
BODY = rocking(100)
EACH = 10


def reading_of(name: str, number: int, values: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return {"name": name, "time": START_NS + 10_000_000 * number, "values": values, **extra}


def message(number: int, *, name: str = "gyroscope", session: str = "s1", **extra: Any) -> dict[str, Any]:
    rows = range(EACH * number, EACH * (number + 1))
    payload = [reading_of(name, row, dict(zip("zyx", BODY[row, ::-1].tolist(), strict=True)), **extra) for row in rows]
    return {"messageId": number, "sessionId": session, "deviceId": "device-0f5c", "userId": "Ada", "payload": payload}


def lines(messages: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in messages)


def read(text: str | bytes, **said: str) -> Reading:
    hints = Hints(Formats(sensor_logger=SensorLoggerFiles(**said)))
    return sensor_logger_push.read([device_file("push.jsonl", text)], hints)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(json_blocks, "_READ_BYTES", 900)


def test_times_beyond_what_a_float_can_hold_are_exact_and_values_by_name(small_blocks):
    text = lines(map(message, range(10)))
    assert known_by_content(device_file("push.log", text)) is sensor_logger_push.READER
    reading = read(text, platform="ios")
    (stream,) = reading.streams
    assert stream.t_ns.tolist() == [START_NS + 10_000_000 * row for row in range(100)]
    np.testing.assert_array_equal(stream.values, BODY.astype(np.float32))
    assert reading.findings == ()


def test_device_and_user_leave_only_a_hash():
    reading = read(lines(map(message, range(3))))
    assert reading.device == sensor_logger_push.device([device_file("p", lines([message(0)]))])
    assert (len(reading.device), len(reading.metadata["user"])) == (16, 16)
    assert "0f5c" not in repr(reading)
    assert "Ada" not in repr(reading)


@pytest.mark.parametrize("order", [[1, 0, *range(2, 10)], list(range(9, -1, -1)), [0, 1, 2, 9, 3, 4, 5, 6, 7, 8]])
def test_messages_that_overtook_each_other_are_put_in_order_and_said(order: Sequence[int], small_blocks):
    reading = read(lines(map(message, order)), platform="android")
    (stream,) = reading.streams
    assert prepared(stream).out_of_order == 0
    np.testing.assert_array_equal(stream.values, BODY.astype(np.float32))
    assert codes(reading, "note") == ["messages_sorted"]
    assert [repair.kind for repair in stream.repairs] == ["messages_sorted"]


def test_messages_that_came_twice_count_once_and_lost_ones_are_a_warning():
    reading = read(lines(map(message, [0, 1, 1, 2, 5, 6, 2])), platform="android")
    (stream,) = reading.streams
    assert len(stream.t_ns) == 50
    assert codes(reading, "note") == ["messages_repeated"]
    assert codes(reading, "warning") == ["messages_missing"]
    sentences = [finding.reason.sentence for finding in reading.findings]
    assert sentences[0].startswith("2 of 7 messages came twice")
    assert sentences[1].startswith("2 messages never came, the first after number 2")


def test_messages_of_two_recordings_are_refused_and_a_test_message_is_none():
    two = lines([message(0), message(1), message(0, session="s2")])
    assert codes(read(two)) == ["push_several_sessions"]
    test = {"messageId": 0, "sessionId": "test", "deviceId": "device-0f5c", "payload": []}
    assert codes(read(lines([test, message(1), message(2)]))) == []


def test_only_android_states_an_accuracy_and_ios_is_turned_round():
    android = lines(message(number, name="accelerometer", accuracy=3) for number in range(3))
    assert streams(read(android))["linear_acceleration"].values[0] == pytest.approx(BODY[0])
    unknown = android.replace(', "accuracy": 3', "")
    assert codes(read(unknown), "warning") == ["platform_unknown"]
    assert streams(read(unknown, platform="ios"))["linear_acceleration"].values[0] == pytest.approx(-BODY[0])


def test_a_wrist_an_orientation_a_place_a_photo_and_an_annotation_in_one_message():
    axes = dict(zip("XYZ", (0, 0, -1), strict=True))
    fused = {f"{kind}{axis}": value for kind in ("rotationRate", "acceleration", "gravity") for axis, value in axes.items()}
    quaternion = {"quaternionW": 1, "quaternionX": 0, "quaternionY": 0, "quaternionZ": 0}
    payload = [
        reading_of("wrist motion", 1, {**fused, **quaternion}),
        reading_of("orientation", 1, {"qw": 1, "qx": 0, "qy": 0, "qz": 0, "yaw": 1, "pitch": 2, "roll": 3}),
        reading_of("location", 1, {"latitude": 52.5, "horizontalAccuracy": 3}),
        {"name": "camera", "time": START_NS, "image": "aGVsbG8=" * 1000, "imageFormat": "jpg"},
        reading_of("annotation", 1, {"text": "go", "millisecond_press_duration": 1}),
        reading_of("bluetooth-AA:BB", 1, {"id": "AA:BB", "rssi": None}),
    ]
    reading = read(lines([{"messageId": 0, "sessionId": "s", "deviceId": "d", "payload": payload}]), platform="ios")
    found = streams(reading)
    wrist = {f"{sensor}@wrist" for sensor in ("accelerometer", "linear_acceleration", "gravity", "gyroscope", "orientation")}
    assert set(found) == {"orientation", *wrist}
    assert found["gravity@wrist"].values[0].tolist() == pytest.approx([0, 0, G])
    assert [(annotation.label, annotation.start_ns) for annotation in reading.annotations] == [("go", START_NS + 10_000_000)]
    assert reading.metadata["left_out"] == "bluetooth 1, camera 1, location 1"
    assert "AA:BB" not in repr(reading)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda text: text.replace('"time": 16985011444', '"time": 1.6985011444e18, "was": 1', 1), "push.jsonl record 1"),
        (lambda text: text.replace('"messageId": 4', '"messageId": null'), "push.jsonl record 5 field messageId"),
        (lambda text: text.replace('{"messageId": 4', '{"messageId": 4,,'), "push.jsonl record 5"),
        (lambda text: text.replace('"x"', '"q"', 1), "push.jsonl record 1 field x"),
    ],
)
def test_a_broken_message_names_its_line(change, place):
    (finding,) = read(change(lines(map(message, range(8))))).findings
    assert finding.severity == "error"
    assert finding.reason.place == place


def test_a_server_that_was_killed_costs_the_line_it_was_writing():
    text = lines(map(message, range(4)))
    reading = read(text[:-30], platform="ios")
    assert len(reading.streams[0].t_ns) == 30
    assert [repair.kind for repair in reading.repairs] == ["tail_cut"]
    assert len(read(text.rstrip("\n")).streams[0].t_ns) == 40


@settings(max_examples=150)
@given(st.data())
def test_mutated_messages_are_read_or_refused_with_a_reason(data):
    text = bytearray(lines(map(message, range(2))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 30))] = data.draw(
            st.sampled_from([b"null", b"\n", b"[", b"]", b"{", b"}", b'"', b"[null]", b"{}", b"1e999", b"\xff", b",", b"-1"])
        )
    reading = read(bytes(text))
    assert reading.streams or codes(reading)


@pytest.mark.parametrize("text", ["", "null\n", "{}\n", "{}\nnull\n", "[]\n", "7\n", '{"payload": null}\n', "{" * 100_000])
def test_what_is_no_message_is_refused_with_a_reason(text):
    assert codes(read(text))
    assert known_by_content(device_file("push.jsonl", text)) is None
