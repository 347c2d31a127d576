"""Reads what Sensor Logger pushes by HTTP or MQTT, recorded by a server as it came: one message a line.

``{"messageId": 0, "sessionId": "…", "deviceId": "…", "userId": "…", "payload": [{"name": "accelerometer", "time":
1698501144401773000, "values": {"z": …, "y": …, "x": …}}, …]}``. Times are whole numbers beyond what a float can hold. Messages
overtake each other, come twice and get lost; their numbers tell. They say no platform, but only Android states an accuracy.

Format: PUSHING.md of github.com/tszheichoi/awesome-sensor-logger.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.readers.json_blocks import BrokenRecord, Records, in_blocks, table_of, tail_cut
from ingestion.readers.sensor_logger_metadata import Metadata, pseudonym, with_platform
from ingestion.readers.sensor_logger_names import MOTION
from ingestion.readers.sensor_logger_records import Gathering, Sorted, by_sensor, columns_in
from ingestion.readers.sensor_logger_units import Raw, in_one_convention
from ingestion.recording import Finding, Reading, Repair
from warehouse.errors import Reason, UnreadableFile

NAME = "sensor_logger_push"

#: A file with more is refused: its streams are put in order in memory.
MOST_BYTES = 4 << 30

_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")
_DEVICE = re.compile(rb'"deviceId"\s*:\s*"([^"\\]{1,200})"')
_RECORD_AGAIN = "write the body of every request as it comes, one a line"

_Session = tuple[str, str, str]
_Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Block:
    """One block of messages: number and readings of each, whose they are, and the readings by sensor."""

    ids: _Whole
    of_reading: _Whole
    sessions: Counter[_Session]
    found: Sorted
    android: bool
    broken: BrokenRecord | None = None


@dataclass(frozen=True)
class _Messages:
    """All messages of one recording, in the order they came, and what is to become of them."""

    ids: _Whole
    kept: npt.NDArray[np.bool_] = field(repr=False)
    in_order: bool

    @classmethod
    def of(cls, ids: _Whole) -> _Messages:
        kept = np.zeros(len(ids), dtype=np.bool_)
        kept[np.unique(ids, return_index=True)[1]] = True
        return cls(ids, kept, bool((np.diff(ids[kept]) > 0).all()))


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for objects with a message's number, session and payload."""
    return bool(_BEGINS.match(file.head)) and all(key in file.head for key in (b'"messageId"', b'"sessionId"', b'"payload"'))


def pairing_key(file: DeviceFile) -> str:
    """Return the file's name: it is a recording by itself."""
    return file.name


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the device id of the first message."""
    found = _DEVICE.search(files[0].head)
    return pseudonym(found[1].decode("utf-8", errors="replace")) if found else ""


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read the messages of one recording; those of several in one file are refused."""
    (file,) = files
    try:
        return _read(file, hints)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


def _read(file: DeviceFile, hints: Hints) -> Reading:
    if file.size > MOST_BYTES:
        sentence = f"the file has {file.size / 2**20:,.0f} MiB; at most {MOST_BYTES / 2**20:,.0f} MiB are read"
        raise UnreadableFile(Reason("json_too_large", sentence, file.name, "write one file for each recording"))
    records, gathered = Records(file), Gathering(file.name)
    ids: list[_Whole] = []
    sessions: Counter[_Session] = Counter()
    android = False
    for block in in_blocks(records, _sorted):
        before = sum(map(len, ids))
        if block.broken:
            raise UnreadableFile(block.broken.reason(file, before=before, remedy=_RECORD_AGAIN))
        gathered.add(block.found, block.of_reading + before)
        ids.append(block.ids)
        sessions += block.sessions
        android = android or block.android
    session = _the_one_session(file, sessions)
    messages = _Messages.of(np.concatenate([np.zeros(0, dtype=np.int64), *ids]))
    metadata, findings = with_platform(Metadata(platform="android" if android else ""), hints, place=file.name)
    raws = [_put_in_order(raw, of, messages) for raw, of in gathered.raws()]
    streams, notes = in_one_convention(raws, metadata)
    if not streams:
        sentence = f"none of the {len(messages.ids)} messages has a reading of a motion sensor; looked for {', '.join(MOTION)}"
        findings = [Finding(Reason("recording_empty", sentence, file.name, "tick the motion sensors in the app"))]
    return Reading(
        format=NAME,
        streams=tuple(streams),
        annotations=gathered.annotations(),
        findings=(*findings, *notes, *_delivered(file, messages)),
        device=pseudonym(session[1]),
        metadata=_stated(metadata, session, gathered),
        left_out=len(gathered.left_out),
        repairs=tail_cut(file, records.cut),
    )


def _sorted(block: bytes) -> _Block:
    none = np.zeros(0, dtype=np.int64)
    try:
        table = table_of(block, _schema(block))
        ids = _ids(table["messageId"])
        payload = table["payload"].combine_chunks()
        readings = pc.fill_null(pc.list_value_length(payload), 0).to_numpy()
        of_reading = np.repeat(np.arange(len(ids), dtype=np.int64), readings)
        found, android = _readings(payload.flatten(), of_reading)
    except BrokenRecord as error:
        return _Block(none, none, Counter(), Sorted(), False, error)
    return _Block(ids, of_reading, _sessions(table, readings), found, android)


def _schema(block: bytes) -> pa.Schema:
    values = pa.struct([(name, pa.string() if name == "text" else pa.float64()) for name in columns_in(block)])
    reading = pa.struct([("name", pa.string()), ("time", pa.int64()), ("accuracy", pa.float64()), ("values", values)])
    texts = [(name, pa.string()) for name in ("sessionId", "deviceId", "userId")]
    return pa.schema([("messageId", pa.int64()), *texts, ("payload", pa.list_(reading))])


def _ids(column: pa.ChunkedArray) -> _Whole:
    ids = column.combine_chunks()
    if ids.null_count:
        row = int(np.argmax(ids.is_null().to_numpy(zero_copy_only=False)))
        raise BrokenRecord(row, "the message has no number", "messageId")
    return np.asarray(ids.to_numpy(), dtype=np.int64)


def _readings(flat: pa.StructArray, of_reading: _Whole) -> tuple[Sorted, bool]:
    values = pc.struct_field(flat, "values")
    columns = {field.name: pc.struct_field(values, field.name) for field in values.type}
    try:
        found = by_sensor(pc.struct_field(flat, "name"), pc.struct_field(flat, "time"), columns)
    except BrokenRecord as error:
        raise BrokenRecord(int(of_reading[error.row]), error.sentence, error.column or "payload") from error
    accuracy = pc.struct_field(flat, "accuracy")
    return found, accuracy.null_count < len(accuracy)


def _sessions(table: pa.Table, readings: npt.NDArray[np.int32]) -> Counter[_Session]:
    """Count messages by session, device and user; a test that carries no reading is of no session."""
    carrying = table.filter(pa.array(readings > 0)).select(["sessionId", "deviceId", "userId"])
    groups = carrying.group_by(carrying.column_names).aggregate([([], "count_all")]).to_pylist()
    return Counter({(row["sessionId"] or "", row["deviceId"] or "", row["userId"] or ""): row["count_all"] for row in groups})


def _the_one_session(file: DeviceFile, sessions: Counter[_Session]) -> _Session:
    if len(sessions) > 1:
        counts = ", ".join(str(count) for _, count in sessions.most_common(10))
        sentence = f"the file holds messages of {len(sessions)} recordings or devices: {counts} messages"
        remedy = "write one file for each sessionId and deviceId"
        raise UnreadableFile(Reason("push_several_sessions", sentence, file.name, remedy))
    return next(iter(sessions), ("", "", ""))


def _put_in_order(raw: Raw, of: _Whole, messages: _Messages) -> Raw:
    kept = messages.kept[of]
    repeated = len(of) - int(np.count_nonzero(kept))
    repairs = list(raw.repairs)
    t_ns, values, of = (raw.t_ns[kept], raw.values[kept], of[kept]) if repeated else (raw.t_ns, raw.values, of)
    if repeated:
        sentence = "readings of messages that came twice were left out"
        repairs.append(Repair("messages_repeated", sentence, raw.source, rows=repeated))
    if not messages.in_order:
        order = np.argsort(messages.ids[of], kind="stable")
        moved = int(np.count_nonzero(order != np.arange(len(order))))
        t_ns, values = t_ns[order], values[order]
        repairs.append(Repair("messages_sorted", "messages were put in the order of their numbers", raw.source, rows=moved))
    return replace(raw, t_ns=t_ns, values=values, repairs=tuple(repairs))


def _delivered(file: DeviceFile, messages: _Messages) -> list[Finding]:
    """Say which messages came late, twice, or never."""
    ids = np.unique(messages.ids)
    findings = []
    if repeated := len(messages.ids) - len(ids):
        sentence = f"{repeated} of {len(messages.ids)} messages came twice; the first of each was kept"
        findings.append(Finding(Reason("messages_repeated", sentence, file.name, "nothing to do"), "note"))
    if not messages.in_order:
        late = int(np.count_nonzero(messages.ids < np.maximum.accumulate(messages.ids)))
        sentence = f"{late} messages came after a later one; they were put in the order of their numbers"
        findings.append(Finding(Reason("messages_sorted", sentence, file.name, "nothing to do"), "note"))
    steps = np.diff(ids)
    if lost := int((steps - 1).sum()):
        after = int(ids[np.argmax(steps > 1)])
        sentence = f"{lost} messages never came, the first after number {after}; their readings are gaps"
        remedy = "push by HTTP, or by MQTT over a connection that holds, and export the recording from the phone as well"
        findings.append(Finding(Reason("messages_missing", sentence, file.name, remedy), "warning"))
    return findings


def _stated(metadata: Metadata, session: _Session, gathered: Gathering) -> dict[str, str]:
    said = {"platform": metadata.platform, "user": pseudonym(session[2]), **gathered.left_out_said()}
    return {name: text for name, text in said.items() if text}


READER = Reader(NAME, sniff, pairing_key, device, read)
