"""Reads Sensor Logger's JSON export: one array of flat records, sensor by sensor, every value a text.

``[{"sensor": "Accelerometer", "time": "1698501144401773000", "seconds_elapsed": "0.2", "z": "…", "y": "…", "x": "…"}, …]``, and
a record of sensor ``Metadata`` with the columns of Metadata.csv. Numbers that somebody unquoted are read as well. Names, units
and signs are those of the CSV export.

Format: README.md of github.com/tszheichoi/awesome-sensor-logger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ingestion.readers.csv_columns import spool_folder
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.readers.json_blocks import ArrayRecords, BrokenRecord, in_blocks, table_of, tail_cut
from ingestion.readers.sensor_logger_metadata import Metadata, metadata_of, with_platform
from ingestion.readers.sensor_logger_names import MOTION
from ingestion.readers.sensor_logger_records import Gathering, Sorted, by_sensor, columns_in
from ingestion.readers.sensor_logger_units import in_one_convention
from ingestion.recording import Finding, Reading
from warehouse.errors import Reason, UnreadableFile

NAME = "sensor_logger_json"

_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{")
_METADATA = re.compile(rb'\{[^{}]*"sensor"\s*:\s*"Metadata"[^{}]*\}')
_UNQUOTED = "changed from string to number"
_EXPORT_AGAIN = "export the recording again from the app"


@dataclass(frozen=True)
class _Block:
    records: int
    found: Sorted
    metadata: Metadata | None
    broken: BrokenRecord | None = None


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for an array of objects that have a sensor and Sensor Logger's time or metadata."""
    head = file.head
    return bool(_BEGINS.match(head)) and b'"sensor"' in head and (b'"seconds_elapsed"' in head or b'"Metadata"' in head)


def pairing_key(file: DeviceFile) -> str:
    """Return the file's name: it is a recording by itself."""
    return file.name


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the device id, if the metadata come among the first records."""
    metadata = _metadata_in(files[0].head)
    return metadata.device if metadata else ""


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read one export, of any length: it is never in memory as text."""
    (file,) = files
    try:
        return _read(file, hints)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


def _read(file: DeviceFile, hints: Hints) -> Reading:
    records = ArrayRecords(file)
    gathered = Gathering(file.name, spool_folder(file))
    stated: Metadata | None = None
    before = 0
    for block in in_blocks(records, _sorted):
        if block.broken:
            raise UnreadableFile(block.broken.reason(file, before=before, remedy=_EXPORT_AGAIN))
        gathered.add(block.found)
        stated = stated or block.metadata
        before += block.records
    metadata, findings = with_platform(stated or Metadata(), hints, place=file.name)
    streams, notes = in_one_convention([raw for raw, _ in gathered.raws()], metadata)
    if not streams:
        sentence = f"none of the {before} records is of a motion sensor; looked for {', '.join(MOTION)}"
        findings = [Finding(Reason("recording_empty", sentence, file.name, "switch the sensors on before recording"))]
    return Reading(
        format=NAME,
        streams=tuple(streams),
        annotations=gathered.annotations(),
        findings=(*findings, *notes),
        device=metadata.device,
        metadata={**metadata.stated, **gathered.left_out_said()},
        left_out=len(gathered.left_out),
        repairs=tail_cut(file, records.cut),
    )


def _sorted(block: bytes) -> _Block:
    try:
        table = _table(block)
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        found = by_sensor(columns.pop("sensor"), columns.pop("time"), columns)
    except BrokenRecord as error:
        return _Block(0, Sorted(), None, error)
    return _Block(table.num_rows, found, _metadata_in(block))


def _table(block: bytes) -> pa.Table:
    motion = columns_in(block)
    texts = pa.schema([(name, pa.string()) for name in ("sensor", "time", *motion)])
    try:
        return table_of(block, texts)
    except BrokenRecord as error:
        if _UNQUOTED not in error.sentence:
            raise
    kinds = {"sensor": pa.string(), "time": pa.int64(), "text": pa.string()}
    return table_of(block, pa.schema([(name, kinds.get(name, pa.float64())) for name in ("sensor", "time", *motion)]))


def _metadata_in(block: bytes) -> Metadata | None:
    found = _METADATA.search(block) if b'"Metadata"' in block else None
    try:
        record = json.loads(found[0]) if found else None
    except ValueError:
        return None
    return metadata_of({name: str(value) for name, value in record.items()}) if record else None


READER = Reader(NAME, sniff, pairing_key, device, read)
