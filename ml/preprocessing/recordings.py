"""Recordings as preprocessing meets them: which are accepted, and rows of the lake taken apart into their streams.

Belongs here: reading `verdicts`, `recordings`, `samples` and `resampled` a few recordings at a time, so that a batch of
any size fits in memory. What is done with the values is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.preprocessing.tensors import axes_of
from warehouse.home import Home
from warehouse.lake import Lake

#: Rows held at once; a single longer recording is still read whole.
_ROWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Accepted:
    """An accepted recording of a batch.

    Parameters
    ----------
    recording_id, participant : str
    label : str or None
        Of the study's schema, or as delivered where the schema has none such.
    rows : int
        Readings of all its streams.
    """

    recording_id: str
    participant: str
    label: str | None
    rows: int


def accepted_recordings(batch_id: str, home: Home) -> list[Accepted]:
    """Return the accepted recordings of a batch, sorted by id."""
    lake, where = Lake(home), {"batch_id": batch_id}
    verdicts = lake.read("verdicts", columns=["recording_id", "accepted"], where=where)
    accepted = set(verdicts.filter(pc.field("accepted"))["recording_id"].to_pylist())
    streams = (
        lake.read("streams", columns=["recording_id", "rows"], where=where).group_by("recording_id").aggregate([("rows", "sum")])
    )
    rows = dict(zip(streams["recording_id"].to_pylist(), streams["rows_sum"].to_pylist(), strict=True))
    recordings = lake.read("recordings", columns=["recording_id", "participant", "label"], where=where).to_pylist()
    return [
        Accepted(found["recording_id"], found["participant"], found["label"], rows.get(found["recording_id"], 0))
        for found in sorted(recordings, key=lambda found: found["recording_id"])
        if found["recording_id"] in accepted
    ]


def in_groups(sizes: Sequence[int], most: int = _ROWS_AT_ONCE) -> Iterator[slice]:
    """Yield slices of neighbours whose sizes add up to at most `most`, or one larger than that alone.

    Examples
    --------
    >>> [(part.start, part.stop) for part in in_groups([4, 4, 4, 20, 1], most=10)]
    [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    start, held = 0, 0
    for index, size in enumerate(sizes):
        if index > start and held + size > most:
            yield slice(start, index)
            start, held = index, 0
        held += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def by_stream(rows: pa.Table) -> dict[str, dict[str, pa.Table]]:
    """Take rows apart by recording and stream, the order inside a stream unchanged.

    Parameters
    ----------
    rows : Table
        With ``recording_id`` and ``stream``.

    Returns
    -------
    dict of str to dict of str to Table
        ``found[recording_id][stream]``; zero-copy where the rows of a stream lie together, as the pipeline writes them.
    """
    rows = rows.combine_chunks()
    recording, stream = (pc.dictionary_encode(rows[key]).combine_chunks() for key in ("recording_id", "stream"))
    recording, stream = (column.chunk(0) if isinstance(column, pa.ChunkedArray) else column for column in (recording, stream))
    code = recording.indices.to_numpy().astype(np.int64) * len(stream.dictionary) + stream.indices.to_numpy()
    starts = run_starts(code)
    if len(starts) != len(np.unique(code)):
        order = np.argsort(code, kind="stable")
        rows, code = rows.take(order), code[order]
        starts = run_starts(code)
    found: dict[str, dict[str, pa.Table]] = {}
    for start, end in zip(starts, [*starts[1:], len(code)], strict=True):
        names = divmod(int(code[start]), len(stream.dictionary))
        of_recording = found.setdefault(recording.dictionary[names[0]].as_py(), {})
        of_recording[stream.dictionary[names[1]].as_py()] = rows.slice(start, end - start)
    return found


def run_starts(*keys: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return where a run of equal keys begins.

    Examples
    --------
    >>> run_starts(np.array([7, 7, 2, 2, 7])).tolist()
    [0, 2, 4]
    """
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    changed = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.concatenate([[0], np.flatnonzero(changed) + 1])


def values_of(rows: pa.Table, stream: str) -> npt.NDArray[np.float32]:
    """Return the axes of one stream's rows as float32 of shape (n, 3), or (n, 4) for orientation."""
    return np.stack([rows[axis].to_numpy() for axis in axes_of(stream)], axis=1)
