"""The two preprocessing steps of a batch: samples to a uniform clock, and the clock cut into segments.

Belongs here: reading the batch's tables, calling the transformations, writing `resampled` and `segments`. Only accepted
recordings are touched, and only the streams and rates that a task of the study asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.preprocessing.clock import Clock
from ml.preprocessing.recordings import (
    Accepted,
    accepted_recordings,
    by_stream,
    codes,
    in_groups,
    read_streams,
    run_starts,
    values_of,
)
from ml.preprocessing.resampling import Piece
from ml.preprocessing.segmentation import Spans, common_spans, cut_spans, method_of
from ml.preprocessing.selection import labels_of
from ml.preprocessing.tensors import resample_stream
from studies.sensors import axes_of
from studies.study import Study, Task
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_AXES = ("x", "y", "z", "w")
_RESAMPLED = pa.schema([field for field in TABLES["resampled"].schema if field.name != "batch_id"])
_SEGMENTS = pa.schema([field for field in TABLES["segments"].schema if field.name != "batch_id"])
_SEGMENT_ORDER = ("task", "recording_id", "start_ns")
_ROWS_A_GROUP = 1_000_000


def resample_batch(batch_id: str, study: Study, home: Home) -> int:
    """Bring the accepted recordings of a batch to the clocks that the study's tasks ask for; write `resampled`.

    All streams of a recording share one clock that starts with the earliest of them, so that the same step of two streams
    is the same instant. Nothing is bridged over a gap.

    Parameters
    ----------
    batch_id : str
    study : Study
    home : Home

    Returns
    -------
    int
        Rows written; those of an earlier run of the batch are replaced.
    """
    lake, written = Lake(home), 0
    recordings = accepted_recordings(batch_id, home)

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal written
        for table in _in_row_groups(_resampled(recordings, batch_id, study, home)):
            written += table.num_rows
            yield from table.to_batches()

    lake.replace("resampled", pa.RecordBatchReader.from_batches(_RESAMPLED, batches()), where={"batch_id": batch_id})
    return written


def segment_batch(batch_id: str, study: Study, home: Home) -> int:
    """Cut the resampled recordings of a batch into the segments that every task of the study asks for; write `segments`.

    A segment lies where all streams of the task run together without a gap, and has the recording's label. Recordings
    whose label a task does not know have none for that task.

    Parameters
    ----------
    batch_id : str
    study : Study
    home : Home

    Returns
    -------
    int
        Segments written; those of an earlier run of the batch are replaced.
    """
    found = _segments(accepted_recordings(batch_id, home), batch_id, study, home)
    rows = pa.concat_tables([_SEGMENTS.empty_table(), *found]).sort_by([(key, "ascending") for key in _SEGMENT_ORDER])
    Lake(home).replace("segments", rows, where={"batch_id": batch_id})
    return rows.num_rows


def _groups(recordings: Sequence[Accepted]) -> Iterator[Sequence[Accepted]]:
    return (recordings[part] for part in in_groups([recording.rows for recording in recordings]))


def _clocks(study: Study) -> dict[str, list[float]]:
    """The rates that tasks ask of each stream."""
    asked: dict[str, set[float]] = {}
    for task in study.tasks.values():
        for stream in task.input.streams:
            asked.setdefault(stream, set()).add(task.input.rate_hz)
    return {stream: sorted(rates) for stream, rates in asked.items()}


def _resampled(recordings: Sequence[Accepted], batch_id: str, study: Study, home: Home) -> Iterator[pa.Table]:
    clocks = _clocks(study)
    for group in _groups(recordings):
        of = {"batch_id": [batch_id], "recording_id": [recording.recording_id for recording in group], "stream": list(clocks)}
        samples = by_stream(read_streams("samples", ["recording_id", "stream", "t_ns", *_AXES], home, of=of))
        for recording in group:
            streams = samples.get(recording.recording_id, {})
            origin_ns = min((rows["t_ns"][0].as_py() for rows in streams.values()), default=0)
            for stream, rows in streams.items():
                t_ns, values = rows["t_ns"].to_numpy(), values_of(rows, stream)
                for rate_hz in clocks[stream]:
                    pieces = resample_stream(stream, t_ns, values, rate_hz=rate_hz, origin_ns=origin_ns)
                    if pieces:
                        yield _stream_rows(recording, stream, pieces, rate_hz=rate_hz, origin_ns=origin_ns)


def _stream_rows(recording: Accepted, stream: str, pieces: Sequence[Piece], *, rate_hz: float, origin_ns: int) -> pa.Table:
    lengths = [len(piece.values) for piece in pieces]
    values = np.concatenate([piece.values for piece in pieces])
    step = np.concatenate([piece.first_step + np.arange(len(piece.values), dtype=np.int64) for piece in pieces])
    axes = dict(zip(axes_of(stream), np.ascontiguousarray(values.T), strict=True))
    columns = {
        "recording_id": pa.repeat(recording.recording_id, len(step)),
        "participant": pa.repeat(recording.participant, len(step)),
        "stream": pa.repeat(stream, len(step)),
        "rate_hz": pa.repeat(rate_hz, len(step)),
        "piece": np.repeat(np.arange(len(pieces), dtype=np.int32), lengths),
        "step": step,
        "t_ns": Clock.of(rate_hz, origin_ns=origin_ns).ticks(step),
        **{axis: axes.get(axis, pa.nulls(len(step), pa.float32())) for axis in _AXES},
    }
    return pa.table(columns, schema=_RESAMPLED)


def _in_row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Join small tables: every chunk that the lake writes becomes a row group, and many small ones read slowly."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        if rows >= _ROWS_A_GROUP:
            yield pa.concat_tables(held).combine_chunks()
            held, rows = [], 0
    if held:
        yield pa.concat_tables(held).combine_chunks()


def _pieces(recordings: Sequence[Accepted], batch_id: str, home: Home) -> pa.Table:
    """First and last row of every gap-free piece of the resampled streams."""
    of = {"batch_id": [batch_id], "recording_id": [recording.recording_id for recording in recordings]}
    rows = read_streams("resampled", ["recording_id", "stream", "rate_hz", "piece", "step", "t_ns"], home, of=of)
    texts = (codes(rows[name])[0] for name in ("recording_id", "stream"))
    starts = run_starts(*texts, rows["rate_hz"].to_numpy(), rows["piece"].to_numpy())
    ends = np.append(starts[1:], rows.num_rows)
    pieces = rows.take(pa.array(starts)).rename_columns({"step": "first_step"})
    return pieces.append_column("steps", pa.array(ends - starts))


def _segments(recordings: Sequence[Accepted], batch_id: str, study: Study, home: Home) -> Iterator[pa.Table]:
    for group in _groups(recordings):
        rows = _pieces(group, batch_id, home)
        for name, task in study.tasks.items():
            pieces = by_stream(rows.filter(pc.field("rate_hz") == task.input.rate_hz))
            for recording in group:
                streams = pieces.get(recording.recording_id, {})
                if recording.label in labels_of(study, task) and streams.keys() >= set(task.input.streams):
                    needed = [streams[stream] for stream in task.input.streams]
                    yield _segment_rows(recording, f"{study.study}.{name}", task, needed)


def _segment_rows(recording: Accepted, name: str, task: Task, streams: Sequence[pa.Table]) -> pa.Table:
    rate_hz, method = task.input.rate_hz, method_of(task.segment)
    common = common_spans([Spans(rows["first_step"].to_numpy(), rows["steps"].to_numpy()) for rows in streams])
    spans = cut_spans(common, task.segment, rate_hz=rate_hz)
    start_ns, end_ns = spans.times_ns(_clock_of(streams[0], rate_hz))
    columns = {
        "segment_id": pa.array(_segment_ids(f"{recording.recording_id} {name} {method}", start_ns), pa.string()),
        "task": pa.repeat(name, len(spans)),
        "recording_id": pa.repeat(recording.recording_id, len(spans)),
        "participant": pa.repeat(recording.participant, len(spans)),
        "label": pa.repeat(pa.scalar(recording.label, pa.string()), len(spans)),
        "method": pa.repeat(method, len(spans)),
        "rate_hz": pa.repeat(rate_hz, len(spans)),
        "start_ns": start_ns,
        "end_ns": end_ns,
        "steps": spans.steps,
    }
    return pa.table(columns, schema=_SEGMENTS)


def _clock_of(pieces: pa.Table, rate_hz: float) -> Clock:
    """The clock of resampled rows, from the step and the time of one of them."""
    (from_origin_ns,) = Clock.of(rate_hz, origin_ns=0).ticks(pieces["first_step"][:1].to_numpy()).tolist()
    return Clock.of(rate_hz, origin_ns=pieces["t_ns"][0].as_py() - from_origin_ns)


def _segment_ids(cut: str, start_ns: npt.NDArray[np.int64]) -> list[str]:
    return [hashlib.sha256(f"{cut} {start}".encode()).hexdigest()[:24] for start in start_ns.tolist()]
