"""Selected segments cut out of the lake's resampled rows: the examples before any augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.preprocessing.filters import Ticks
from ml.preprocessing.recordings import by_stream, codes, in_groups, read_streams, run_starts, ticks_of
from ml.preprocessing.segmentation import Spans
from ml.preprocessing.tensors import channel_names, cut, rows_of
from studies.study import Task
from warehouse.errors import LakeError, Reason
from warehouse.home import Home

_Floats = npt.NDArray[np.float32]
_COLUMNS = ("recording_id", "stream", "piece", "t_ns", "x", "y", "z", "w")


def cut_segments(segments: pa.Table, recipe: Task, home: Home) -> _Floats:
    """Cut segments out of `resampled` and bring each to the task's length.

    Recordings are read some million rows at a time, those of many batches in one read.

    Parameters
    ----------
    segments : Table
        ``batch_id, recording_id, start_ns, end_ns, steps``, those of a batch and in it of a recording together.
    recipe : Task
    home : Home

    Returns
    -------
    ndarray of float32, shape (n, length, channels)
        In the order of `segments`.

    Raises
    ------
    LakeError
        If `resampled` lacks ticks of a segment, because its batch was run again in between.
    """
    signals = np.empty((segments.num_rows, rows_of(recipe), len(channel_names(recipe.input))), np.float32)
    bounds = [*run_starts(codes(segments["recording_id"])[0]).tolist(), segments.num_rows]
    recordings = [segments.slice(start, end - start) for start, end in pairwise(bounds)]
    for part in in_groups([_ticks_in(recording, recipe) for recording in recordings]):
        read = segments.slice(bounds[part.start], bounds[part.stop] - bounds[part.start])
        streams = by_stream(_resampled(read, recipe, home))
        for index in range(part.start, part.stop):
            own = recordings[index]
            found = streams.get(own["recording_id"][0].as_py(), {})
            signals[bounds[index] : bounds[index + 1]] = _cut_recording(own, found, recipe)
    return signals


def _ticks_in(recording: pa.Table, recipe: Task) -> int:
    lasting_s = (pc.max(recording["end_ns"]).as_py() - pc.min(recording["start_ns"]).as_py()) / 1e9
    return int(lasting_s * recipe.input.rate_hz) * len(recipe.input.streams)


def _resampled(segments: pa.Table, recipe: Task, home: Home) -> pa.Table:
    of = {name: pc.unique(segments[name]).to_pylist() for name in ("batch_id", "recording_id")}
    return read_streams("resampled", _COLUMNS, home, of={**of, "stream": recipe.input.streams}, rate_hz=recipe.input.rate_hz)


def _cut_recording(segments: pa.Table, streams: Mapping[str, pa.Table], recipe: Task) -> _Floats:
    spans = Spans(segments["start_ns"].to_numpy(), segments["steps"].to_numpy())
    ticks = {name: ticks_of(rows, name, at="t_ns") for name, rows in streams.items()}
    for name in recipe.input.streams:
        if name not in ticks or not _has_all(ticks[name], spans, segments["end_ns"].to_numpy()):
            recording = segments["recording_id"][0].as_py()
            sentence = f"stream '{name}' of recording {recording} lacks resampled rows that its segments name"
            raise LakeError(Reason("resampled_rows_missing", sentence, "lake/resampled", "run its batch again, then train"))
    return cut(ticks, spans, recipe)


def _has_all(ticks: Ticks, spans: Spans, end_ns: npt.NDArray[np.int64]) -> bool:
    row = np.searchsorted(ticks.at, spans.first)
    last = row + spans.steps - 1
    return bool((last < len(ticks.at)).all() and (ticks.at[row] == spans.first).all() and (ticks.at[last] == end_ns).all())
