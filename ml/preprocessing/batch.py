"""The two preprocessing steps of a batch: samples to a uniform clock, and the clock cut into segments.

Belongs here: reading the batch's tables, calling the transformations, writing `resampled` and `segments`. Only accepted
recordings are touched, and only the streams and rates that a task of the study asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.preprocessing.annotations import NO_MARKS, Marks, marks_of, middles_of
from ml.preprocessing.blocks import Block, Extent, Readings, counting, extent_of, resample_blocks
from ml.preprocessing.clock import Clock
from ml.preprocessing.cutting import Segments, labelled_deepest, marked_segments, segments_of
from ml.preprocessing.filters import Ticks
from ml.preprocessing.recordings import (
    ROWS_AT_ONCE,
    Accepted,
    accepted_recordings,
    by_stream,
    codes,
    in_groups,
    read_streams,
    run_starts,
    stream_parts,
    ticks_of,
    values_of,
)
from ml.preprocessing.resampling_quality import interpolation_error
from ml.preprocessing.segmentation import Spans, common_spans, method_of
from ml.preprocessing.selection import learnt_labels
from ml.preprocessing.sessions import lent_marks
from ml.preprocessing.tensors import method_for
from studies.sensors import axes_of
from studies.study import Study, Task
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_AXES = ("x", "y", "z", "w")
_RESAMPLED = TABLES["resampled"].unpartitioned
_RESAMPLING = TABLES["resampling"].unpartitioned
_SEGMENTS = TABLES["segments"].unpartitioned
_CUTS = TABLES["cuts"].unpartitioned
_ORDER = ("task", "recording_id", "start_ns", "end_ns")
_ROWS_A_GROUP = 1_000_000
#: Ways of cutting in which annotations say the label of a segment.
_BY_MARKS = ("annotation", "frame")


def resample_batch(batch_id: str, study: Study, home: Home) -> int:
    """Bring the accepted recordings of a batch to the clocks that the study's tasks ask for; write `resampled`.

    All streams of a recording share one clock that starts with the earliest of them, so that the same step of two streams
    is the same instant. Nothing is bridged over a gap. A recording of more readings than are held at once is read in parts,
    so that memory does not grow with its length. Writes `resampling` too, how well each stream could be resampled.

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
    told: list[dict[str, object]] = []

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal written
        for table in _in_row_groups(_resampled(batch_id, study, home, told)):
            written += table.num_rows
            yield from table.to_batches()

    lake.replace("resampled", pa.RecordBatchReader.from_batches(_RESAMPLED, batches()), where={"batch_id": batch_id})
    lake.replace("resampling", pa.Table.from_pylist(told, schema=_RESAMPLING), where={"batch_id": batch_id})
    return written


def segment_batch(batch_id: str, study: Study, home: Home) -> int:
    """Cut the resampled recordings of a batch into the segments that every task of the study asks for.

    A segment lies where all streams of the task run together without a gap. It has the label of its annotation, where the
    task is cut by annotations, else the recording's; what has a label that a task does not know is none of its segments.
    Writes `cuts`, a row for each recording and task, and `segments`.

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
    found = list(_segments(batch_id, study, home))
    cuts = pa.concat_tables([_CUTS.empty_table(), *(cut for _, cut in found)]).sort_by([(key, "ascending") for key in _ORDER[:2]])
    rows = pa.concat_tables([_SEGMENTS.empty_table(), *(rows for rows, _ in found)]).sort_by(
        [(key, "ascending") for key in _ORDER]
    )
    Lake(home).replace("cuts", cuts, where={"batch_id": batch_id})
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


def _resampled(batch_id: str, study: Study, home: Home, told: list[dict[str, object]]) -> Iterator[pa.Table]:
    """Rows of every stream on every clock; what is to be told of each is added to `told`."""
    clocks = _clocks(study)
    for group in _groups(accepted_recordings(batch_id, home)):
        ids = [recording.recording_id for recording in group]
        of = {"batch_id": [batch_id], "recording_id": ids}
        if group[0].rows > ROWS_AT_ONCE:
            parts = {stream: partial(stream_parts, stream, home, of=of) for stream in clocks}
            yield from _on_clocks(group[0], parts, clocks, told)
            continue
        columns = ["recording_id", "stream", "t_ns", *_AXES]
        samples = by_stream(read_streams("samples", columns, home, of={**of, "stream": list(clocks)}))
        for recording in group:
            streams = samples.get(recording.recording_id, {})
            whole = {name: partial(_whole, rows, name) for name, rows in streams.items()}
            yield from _on_clocks(recording, whole, clocks, told)


def _whole(rows: pa.Table, stream: str) -> list[Readings]:
    return [(rows["t_ns"].to_numpy(), values_of(rows, stream))]


def _on_clocks(
    recording: Accepted,
    streams: Mapping[str, Callable[[], Iterable[Readings]]],
    clocks: Mapping[str, Sequence[float]],
    told: list[dict[str, object]],
) -> Iterator[pa.Table]:
    """Rows of one recording; `streams` give the parts of each, every time they are asked."""
    extents = {stream: extent for stream, parts in streams.items() if (extent := extent_of(parts())) is not None}
    origin_ns = min((extent.first_ns for extent in extents.values()), default=0)
    for stream, extent in extents.items():
        method, error = method_for(stream), _error_of(streams[stream](), extent, stream)
        for rate_hz in clocks[stream]:
            ticks = pieces = 0
            blocks = resample_blocks(streams[stream](), extent, rate_hz=rate_hz, origin_ns=origin_ns, method=method)
            for block in blocks:
                yield _stream_rows(recording, stream, block, rate_hz=rate_hz, origin_ns=origin_ns)
                ticks, pieces = ticks + len(block.step), int(block.piece[-1]) + 1
            told.append(_told(recording, stream, extent, rate_hz=rate_hz, ticks=ticks, pieces=pieces) | {"error_rms": error})


def _error_of(parts: Iterable[Readings], extent: Extent, stream: str) -> float | None:
    """Of the first part: a stream is made alike all along."""
    t_ns, values = counting(next(iter(parts)))
    return interpolation_error(t_ns, values, pace=extent.pace, method=method_for(stream))


def _told(recording: Accepted, stream: str, extent: Extent, *, rate_hz: float, ticks: int, pieces: int) -> dict[str, object]:
    lasting_s = (extent.last_ns - extent.first_ns) / 1e9
    return {
        "recording_id": recording.recording_id,
        "participant": recording.participant,
        "stream": stream,
        "rate_hz": rate_hz,
        "source_rate_hz": 1e9 / extent.pace.mean_ns if np.isfinite(extent.pace.mean_ns) else None,
        "pieces": pieces,
        # Between its first and last tick a piece has one tick less of time than it has ticks; up to one more is at each end.
        "covered": min(1.0, ticks / rate_hz / lasting_s) if lasting_s else 0.0,
    }


def _stream_rows(recording: Accepted, stream: str, block: Block, *, rate_hz: float, origin_ns: int) -> pa.Table:
    count = len(block.step)
    axes = dict(zip(axes_of(stream), np.ascontiguousarray(block.values.T), strict=True))
    columns = {
        "recording_id": pa.repeat(recording.recording_id, count),
        "participant": pa.repeat(recording.participant, count),
        "stream": pa.repeat(stream, count),
        "rate_hz": pa.repeat(rate_hz, count),
        "piece": block.piece.astype(np.int32),
        "step": block.step,
        "t_ns": Clock.of(rate_hz, origin_ns=origin_ns).ticks(block.step),
        **{axis: axes.get(axis, pa.nulls(count, pa.float32())) for axis in _AXES},
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


def _segments(batch_id: str, study: Study, home: Home) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The segments of every recording for every task, and how it was cut; tasks that borrow come last."""
    marks, middles = _marks(batch_id, study, home)
    borrowing = {name: least for name, task in study.tasks.items() if (least := task.segment.borrow) is not None}
    own = {name: task for name, task in study.tasks.items() if name not in borrowing}
    found = []
    marked = {name: (task, middles if task.segment.by == "deepest" else marks) for name, task in own.items()}
    for cut in _cut(batch_id, study, home, marked):
        found.append(cut[0])
        yield cut
    if borrowing:
        seen = {**_found_marks(found), **marks}
        lent = {name: lent_marks(batch_id, seen, home, min_confidence=least) for name, least in borrowing.items()}
        yield from _cut(batch_id, study, home, {name: (study.tasks[name], lent[name]) for name in borrowing})


def _found_marks(segments: Sequence[pa.Table]) -> dict[str, Marks]:
    """Repetitions that were found in a recording as marks, those of the first task that looked for them."""
    found: dict[str, Marks] = {}
    for rows in segments:
        if rows.num_rows and rows["method"][0].as_py().startswith("repetition"):
            marks = Marks(rows["start_ns"].to_numpy(), rows["end_ns"].to_numpy(), tuple(rows["label"].to_pylist()))
            found.setdefault(rows["recording_id"][0].as_py(), marks)
    return found


def _cut(
    batch_id: str, study: Study, home: Home, tasks: Mapping[str, tuple[Task, Mapping[str, Marks]]]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The segments of every recording for some tasks, each with its marks."""
    for group in _groups(accepted_recordings(batch_id, home)):
        rows = _pieces(group, batch_id, home)
        for name, (task, marks) in tasks.items():
            pieces = by_stream(rows.filter(pc.field("rate_hz") == task.input.rate_hz))
            values = _values(group, batch_id, task, home) if task.segment.by in ("repetition", "deepest") else {}
            for recording in group:
                streams, own = pieces.get(recording.recording_id, {}), marks.get(recording.recording_id)
                if not streams.keys() >= set(task.input.streams) or not _may_teach(recording, study, task, own):
                    continue
                common = common_spans([_spans(streams[stream]) for stream in task.input.streams])
                clock = _clock_of(streams[task.input.streams[0]], task.input.rate_hz)
                if task.segment.by in _BY_MARKS:
                    found = marked_segments(common, task.segment, NO_MARKS if own is None else own, clock=clock)
                elif task.segment.by == "deepest" and own is not None:
                    found = labelled_deepest(common, task.segment, own, clock=clock)
                else:
                    ticks = values.get(recording.recording_id, {})
                    found = segments_of(common, task.segment, ticks, rate_hz=task.input.rate_hz)
                yield _rows(recording, f"{study.study}.{name}", task, found, clock, learnt_labels(study, task))


def _may_teach(recording: Accepted, study: Study, task: Task, marks: Marks | None) -> bool:
    """Whether a recording can have a segment of a label that the task learns from; annotations have labels of their own."""
    labels = learnt_labels(study, task)
    own = task.segment.by in _BY_MARKS or (task.segment.by == "deepest" and marks is not None)
    return own or labels is None or recording.label in labels


def _marks(batch_id: str, study: Study, home: Home) -> tuple[dict[str, Marks], dict[str, Marks]]:
    """Marked stretches, and labelled deepest frames, of every recording that has some, as far as a task asks for them."""
    stretches: dict[str, Marks] = {}
    middles: dict[str, Marks] = {}
    if not {task.segment.by for task in study.tasks.values()} & {*_BY_MARKS, "deepest"}:
        return stretches, middles
    canonical = study.canonical_label if study.labels else str
    rows = Lake(home).read("annotations", where={"batch_id": batch_id})
    for recording_id in pc.unique(rows["recording_id"]).to_pylist():
        own = rows.filter(pc.field("recording_id") == recording_id)
        stretches[recording_id] = marks_of(
            *(own[name].to_pylist() for name in ("start_ns", "end_ns", "label")), canonical=canonical
        )
        squats = own.filter(pc.field("mid_ns").is_valid())
        if squats.num_rows:
            middles[recording_id] = middles_of(squats["mid_ns"].to_pylist(), squats["label"].to_pylist(), canonical=canonical)
    return stretches, middles


def _values(recordings: Sequence[Accepted], batch_id: str, task: Task, home: Home) -> dict[str, dict[str, Ticks]]:
    """The resampled streams of a task, by recording and stream."""
    ids = [recording.recording_id for recording in recordings]
    of = {"batch_id": [batch_id], "recording_id": ids, "stream": list(task.input.streams)}
    columns = ["recording_id", "stream", "piece", "step", *_AXES]
    rows = by_stream(read_streams("resampled", columns, home, of=of, rate_hz=task.input.rate_hz))
    return {
        recording: {stream: ticks_of(part, stream, at="step") for stream, part in own.items()} for recording, own in rows.items()
    }


def _spans(pieces: pa.Table) -> Spans:
    return Spans(pieces["first_step"].to_numpy(), pieces["steps"].to_numpy())


def _rows(
    recording: Accepted, name: str, task: Task, found: Segments, clock: Clock, labels: tuple[str, ...] | None
) -> tuple[pa.Table, pa.Table]:
    own = [recording.label if label is None else label for label in found.labels]
    kept = np.array([number for number, label in enumerate(own) if labels is None or label in labels], np.int64)
    spans = Spans(found.spans.first[kept], found.spans.steps[kept])
    confidence = None if found.confidence is None else found.confidence[kept]
    method = method_of(task.segment)
    start_ns, end_ns = spans.times_ns(clock)
    cut = f"{recording.recording_id} {name} {method}"
    # Two marks may begin together, such as a set and its first repetition.
    ends = end_ns.tolist() if task.segment.by == "annotation" else [""] * len(kept)
    same = {"task": name, "recording_id": recording.recording_id, "participant": recording.participant, "method": method}
    columns = {
        **{column: pa.repeat(value, len(kept)) for column, value in same.items()},
        "segment_id": pa.array(_segment_ids(cut, start_ns, ends), pa.string()),
        "label": pa.array([own[number] for number in kept], pa.string()),
        "confidence": pa.nulls(len(kept), pa.float64()) if confidence is None else confidence,
        "rate_hz": pa.repeat(task.input.rate_hz, len(kept)),
        "start_ns": start_ns,
        "end_ns": end_ns,
        "steps": spans.steps,
    }
    summary = {
        **same,
        "segments": len(kept),
        "confidence": float(confidence.mean()) if confidence is not None and len(kept) else None,
        "statement": found.statement,
    }
    return pa.table([columns[field] for field in _SEGMENTS.names], schema=_SEGMENTS), pa.Table.from_pylist(
        [summary], schema=_CUTS
    )


def _clock_of(pieces: pa.Table, rate_hz: float) -> Clock:
    """The clock of resampled rows, from the step and the time of one of them."""
    (from_origin_ns,) = Clock.of(rate_hz, origin_ns=0).ticks(pieces["first_step"][:1].to_numpy()).tolist()
    return Clock.of(rate_hz, origin_ns=pieces["t_ns"][0].as_py() - from_origin_ns)


def _segment_ids(cut: str, start_ns: npt.NDArray[np.int64], ends: Sequence[int | str]) -> list[str]:
    named = (f"{cut} {start} {end}".rstrip() for start, end in zip(start_ns.tolist(), ends, strict=True))
    return [hashlib.sha256(name.encode()).hexdigest()[:24] for name in named]
