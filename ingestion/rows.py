"""Turns recordings, once read and measured, into rows of the tables `files`, `recordings`, `streams`, `fingerprints`, `gaps`,
`repairs`, `annotations`, `findings` and `samples`.

Belongs here: which column is filled from what. Their types and meaning are in `warehouse.schemas`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.readers.export import NOT_MOTION_DATA
from ingestion.receipt import DeliveredFile, Receipt
from ingestion.recording import Finding, Poses, Reading, Repair, Stream
from ingestion.spool import blocks, let_go
from ingestion.units import Measured
from studies.sensors import placement_of, sensor_of
from studies.study import Study
from warehouse.fingerprints import Fingerprints
from warehouse.schemas import TABLES
from warehouse.value_hash import recording_hash

#: Readings of one record batch: no more are written out with their texts at a time.
BLOCK_ROWS = 1 << 18

#: `files.format` of a file that says what was done when in a recording.
ANNOTATIONS = "annotations"

#: Tables that reading writes.
READ_TABLES = (
    "files",
    "recordings",
    "streams",
    "samples",
    "poses",
    "videos",
    "fingerprints",
    "gaps",
    "repairs",
    "annotations",
    "findings",
)

#: Raise it where a column that is there means something else than before, so that every batch is read again.
_READING = 2

_NS_PER_US = 1_000
_NS_PER_S = 1e9
_Row = dict[str, object]


@dataclass(frozen=True)
class ReadRecording:
    """One recording of a batch, read and measured.

    Parameters
    ----------
    recording_id : str
    delivered : tuple of DeliveredFile
        Its files, sorted by path; never empty.
    reading : Reading
        As the reader gave it.
    streams : tuple of Measured
        Sorted by name.
    fingerprints : tuple of Fingerprints
        Of each stream, in the same order.
    findings : tuple of Finding
        The reader's, those about its clocks and units, and about its annotations.
    repairs : tuple of Repair
        Likewise.
    gaps : Table
        Of all streams, as `ingestion.gaps` lists them.
    annotation_files : tuple of DeliveredFile
        Files beside it that say what was done when.
    """

    recording_id: str
    delivered: tuple[DeliveredFile, ...]
    reading: Reading
    streams: tuple[Measured, ...]
    fingerprints: tuple[Fingerprints, ...]
    findings: tuple[Finding, ...]
    repairs: tuple[Repair, ...]
    gaps: pa.Table
    annotation_files: tuple[DeliveredFile, ...] = ()

    @property
    def participant(self) -> str:
        return self.delivered[0].participant


@dataclass
class Rows:
    """Rows of the small tables, gathered while samples stream past."""

    files: list[_Row] = field(default_factory=list)
    recordings: list[_Row] = field(default_factory=list)
    streams: list[_Row] = field(default_factory=list)
    annotations: list[_Row] = field(default_factory=list)
    findings: list[_Row] = field(default_factory=list)
    repairs: list[_Row] = field(default_factory=list)
    videos: list[_Row] = field(default_factory=list)
    poses: list[tuple[str, str, Poses]] = field(default_factory=list)
    gaps: list[pa.Table] = field(default_factory=list)
    fingerprints: list[pa.RecordBatch] = field(default_factory=list)
    samples: int = 0
    marked_in: set[str] = field(default_factory=set)

    def add(self, read: ReadRecording, receipt: Receipt, study: Study) -> None:
        """Add a recording's rows to every table."""
        known = {"recording_id": read.recording_id, "participant": read.participant}
        version = reading_version(study)
        places = [(_path_of(finding, read), finding) for finding in read.findings]
        self.samples += sum(ready.t_ns.size for _, ready, _ in read.streams)
        self.files += [{**known, **_file_row(file, read, places, version)} for file in (*read.delivered, *self._new_marks(read))]
        self.recordings.append({**known, **_recording_row(read, receipt, study)})
        self.streams += [{**known, **_stream_row(stream), **asdict(facts)} for stream, _, facts in read.streams]
        self.repairs += [{**known, **_repair_row(repair)} for repair in read.repairs]
        self.videos += [{**known, **asdict(facts)} for facts in read.reading.videos]
        self.poses += [(read.recording_id, read.participant, poses) for poses in read.reading.poses]
        self.gaps.append(_with(known, read.gaps))
        self.fingerprints += fingerprint_batches(read)
        self.annotations += [{**known, **asdict(annotation)} for annotation in read.reading.annotations]
        self.findings += [{"recording_id": read.recording_id, "path": path, **_finding_row(finding)} for path, finding in places]

    def _new_marks(self, read: ReadRecording) -> list[DeliveredFile]:
        """Return the recording's annotation files that no recording before it shares: a file has one row."""
        new = [file for file in read.annotation_files if file.path not in self.marked_in]
        self.marked_in.update(file.path for file in new)
        return new

    def table(self, name: str) -> pa.Table:
        """Return the rows of one table, without its partition column."""
        schema, rows = TABLES[name].unpartitioned, getattr(self, name)
        if name == "fingerprints":
            return pa.Table.from_batches(rows, schema)
        if name == "gaps":  # there may be millions: they come as columns
            return pa.concat_tables([schema.empty_table(), *(found.select(schema.names) for found in rows)])
        return pa.Table.from_pylist(rows, schema=schema)


def reading_version(study: Study) -> str:
    """Return what the files of a study are read by: batches that were read by anything else are read again.

    It is another one if a table that reading writes has other columns, or the study says otherwise what its files do not say.
    """
    said = study.formats.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps([_READING, _COLUMNS, *([said] if said else [])], sort_keys=True).encode()).hexdigest()[:12]


_COLUMNS = {name: {field.name: str(field.type) for field in TABLES[name].schema} for name in READ_TABLES}
SAMPLES = TABLES["samples"].unpartitioned
POSES = TABLES["poses"].unpartitioned
_FINGERPRINTS = TABLES["fingerprints"].unpartitioned


def sample_batches(read: ReadRecording) -> Iterator[pa.RecordBatch]:
    """Give a recording's samples, stream by stream, at most `BLOCK_ROWS` rows at a time; values are not copied."""
    for stream, ready, _ in read.streams:
        for start in range(0, ready.t_ns.size, BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            t_ns, values = ready.t_ns[part], ready.values[part]
            texts = [pa.repeat(text, t_ns.size) for text in (read.recording_id, read.participant, stream.name)]
            axes = [pa.array(np.ascontiguousarray(values[:, axis])) for axis in range(values.shape[1])]
            absent = [pa.nulls(t_ns.size, pa.float32())] * (4 - len(axes))
            yield pa.RecordBatch.from_arrays([*texts, pa.array(np.asarray(t_ns)), *axes, *absent], schema=SAMPLES)
            let_go(ready.t_ns, ready.values)


def pose_batches(rows: Rows) -> Iterator[pa.RecordBatch]:
    """Give the frames of every clip, at most `BLOCK_ROWS` at a time; those of a long clip are still on disk."""
    for recording_id, participant, poses in rows.poses:
        for part in blocks(len(poses.t_ns)):
            t_ns = np.ascontiguousarray(poses.t_ns[part])
            texts = [pa.repeat(text, t_ns.size) for text in (recording_id, participant, poses.source)]
            lists = [_lists(values[part]) for values in (poses.world, poses.image, poses.visibility)]
            numbers = [pa.array(np.ascontiguousarray(poses.frame[part])), pa.array(t_ns)]
            yield pa.RecordBatch.from_arrays([*texts, *numbers, *lists], schema=POSES)


def _lists(values: npt.NDArray[np.float32]) -> pa.ListArray:
    """One list for each row; null where nothing is a number."""
    flat = np.ascontiguousarray(values).reshape(len(values), -1)
    offsets = np.arange(len(flat) + 1, dtype=np.int32) * flat.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat.ravel()), mask=pa.array(np.isnan(flat).all(axis=1)))


def fingerprint_batches(read: ReadRecording) -> Iterator[pa.RecordBatch]:
    """Give the fingerprints of each of a recording's streams."""
    for (stream, _, _), marks in zip(read.streams, read.fingerprints, strict=True):
        texts = [pa.repeat(text, marks.hashes.size) for text in (read.recording_id, read.participant, stream.name)]
        yield pa.RecordBatch.from_arrays([*texts, pa.array(marks.positions), pa.array(marks.hashes)], schema=_FINGERPRINTS)


def _path_of(finding: Finding, read: ReadRecording) -> str:
    place = finding.reason.place
    paths = [file.path for file in (*read.delivered, *read.annotation_files)]
    inside = [path for path in paths if place == path or place.startswith((f"{path} ", f"{path}::"))]
    return max(inside, key=len, default=read.delivered[0].path)


def _file_row(file: DeliveredFile, read: ReadRecording, places: Sequence[tuple[str, Finding]], version: str) -> _Row:
    blocking = [
        finding.reason.code
        for path, finding in places
        if path == file.path and (finding.severity == "error" or finding.reason.code == NOT_MOTION_DATA)
    ]
    return {
        "path": file.path,
        "sha256": file.sha256,
        "bytes": file.bytes,
        "format": ANNOTATIONS if file in read.annotation_files else read.reading.format or None,
        "state": "set_aside" if blocking else "read",
        "reason": blocking[0] if blocking else None,
        "left_out": read.reading.left_out if len(read.delivered) == 1 else 0,
        "reading_version": version,
    }


def _recording_row(read: ReadRecording, receipt: Receipt, study: Study) -> _Row:
    label = read.delivered[0].label
    starts = [facts.start_ns for _, _, facts in read.streams if facts.start_ns is not None]
    ends = [facts.end_ns for _, _, facts in read.streams if facts.end_ns is not None]
    return {
        "study": receipt.study,
        "site": receipt.site,
        "session": _stated(read, "session"),
        "device": _stated(read, "device") or read.reading.device or None,
        "placement": _stated(read, "placement"),
        "format": read.reading.format or None,
        "started_at": min(starts) // _NS_PER_US if starts else None,
        "duration_s": (max(ends) - min(starts)) / _NS_PER_S if starts else None,
        "label": study.canonical_label(label) or label,
        "label_as_delivered": label,
        "attributes": json.dumps(_attributes(read), sort_keys=True),
        "value_hash": recording_hash(facts.value_hash for _, _, facts in read.streams),
    }


def _stated(read: ReadRecording, column: str) -> str | None:
    """Return what the manifest says in a column, for the first file of the recording where it says anything."""
    return next(filter(None, (getattr(file, column) for file in read.delivered)), None)


def _attributes(read: ReadRecording) -> dict[str, str]:
    attributes = dict(read.reading.metadata)
    for file in reversed(read.delivered):
        attributes |= file.attributes
    for column in ("timezone", "annotations"):
        if stated := _stated(read, column):
            attributes[column] = stated
    return attributes


def _finding_row(finding: Finding) -> _Row:
    return {"severity": finding.severity, **asdict(finding.reason)}


def _repair_row(repair: Repair) -> _Row:
    return {column: None if value == "" else value for column, value in asdict(repair).items()}


def _with(known: Mapping[str, str], rows: pa.Table) -> pa.Table:
    for column, text in known.items():
        rows = rows.append_column(column, pa.repeat(text, rows.num_rows))
    return rows


def _stream_row(stream: Stream) -> _Row:
    return {
        "stream": stream.name,
        "sensor": sensor_of(stream.name),
        "placement": placement_of(stream.name) or None,
        "unit": stream.unit,
        "declared_unit": stream.declared_unit or None,
        "source": stream.source,
        "declared_rate_hz": stream.declared_rate_hz,
        "drift_ppm": stream.drift_ppm,
        "truncated": any(repair.kind == "tail_cut" for repair in stream.repairs),
    }
