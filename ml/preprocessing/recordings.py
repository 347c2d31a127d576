"""Recordings as preprocessing meets them: which are accepted, and rows of the lake taken apart into their streams.

Belongs here: reading `verdicts`, `recordings`, `samples` and `resampled` a few recordings at a time, so that a batch of
any size fits in memory. What is done with the values is elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import and_

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ml.preprocessing.blocks import Readings
from ml.preprocessing.filters import Ticks
from studies.sensors import axes_of
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

#: Rows held at once; a longer recording is resampled in parts.
ROWS_AT_ONCE = 2_000_000
_ROWS_A_PART = 500_000


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


def in_groups(sizes: Sequence[int], most: int = ROWS_AT_ONCE) -> Iterator[slice]:
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


def read_streams(
    table: str, columns: Sequence[str], home: Home, *, of: Mapping[str, Collection[str]], rate_hz: float | None = None
) -> pa.Table:
    """Read rows of `samples` or `resampled`, with ``recording_id`` and ``stream`` dictionary-encoded.

    Millions of rows name a few recordings and streams: as dictionaries they are read several times as fast as text.

    Parameters
    ----------
    table : str
    columns : sequence of str
    home : Home
    of : mapping of str to collection of str
        The ``batch_id`` values, and optionally ``recording_id`` and ``stream`` values, that are wanted.
    rate_hz : float, optional
        Only rows of the clock of that rate, in Hz.

    Returns
    -------
    Table
        Rows of a stream in the order they were written in, which is that of time.
    """
    files, wanted = _files(table, home, of), _wanted(of, rate_hz)
    if not files:
        return TABLES[table].schema.empty_table().select(columns)
    as_dictionary = ds.ParquetFileFormat(dictionary_columns=["recording_id", "stream"])
    return ds.dataset(files, format=as_dictionary).to_table(columns=list(columns), filter=wanted)


def stream_parts(stream: str, home: Home, *, of: Mapping[str, Collection[str]]) -> Iterator[Readings]:
    """Yield the readings of one stream in `samples`, some hundred thousand at a time, in the order of time.

    Parameters
    ----------
    stream : str
    home : Home
    of : mapping of str to collection of str
        The ``batch_id`` and the ``recording_id``.
    """
    wanted = _wanted({**of, "stream": [stream]}, None)
    for path in _files("samples", home, of):
        file = pq.ParquetFile(path, read_dictionary=["recording_id", "stream"])
        # Not as a dataset: its scanner reads ahead, and by whole row groups.
        for group in range(file.metadata.num_row_groups):
            rows = file.read_row_group(group, columns=["recording_id", "stream", "t_ns", *axes_of(stream)]).filter(wanted)
            for start in range(0, rows.num_rows, _ROWS_A_PART):
                yield _readings(rows.slice(start, _ROWS_A_PART), stream)
            pa.default_memory_pool().release_unused()


def _readings(rows: pa.Table, stream: str) -> Readings:
    return rows["t_ns"].to_numpy(), values_of(rows, stream)


def _files(table: str, home: Home, of: Mapping[str, Collection[str]]) -> list[str]:
    return [str(path) for path, _ in Lake(home).parquet_files(table, where={"batch_id": sorted(of["batch_id"])})]


def _wanted(of: Mapping[str, Collection[str]], rate_hz: float | None) -> pc.Expression:
    terms = [ds.field(name).isin(pa.array(sorted(wanted), pa.string())) for name, wanted in of.items() if name != "batch_id"]
    terms += [ds.field("rate_hz") == rate_hz] if rate_hz is not None else []
    return reduce(and_, terms, pc.scalar(True))


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
    (recording, recordings), (stream, streams) = codes(rows["recording_id"]), codes(rows["stream"])
    code = recording * len(streams) + stream
    starts = run_starts(code)
    if len(starts) != len(np.unique(code)):
        order = np.argsort(code, kind="stable")
        rows, code = rows.take(order), code[order]
        starts = run_starts(code)
    found: dict[str, dict[str, pa.Table]] = {}
    for start, end in pairwise([*starts, len(code)]):
        of_recording, of_stream = divmod(int(code[start]), len(streams))
        found.setdefault(recordings[of_recording], {})[streams[of_stream]] = rows.slice(start, end - start)
    return found


def codes(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return texts as numbers and what each number stands for.

    Examples
    --------
    >>> numbers, texts = codes(pa.chunked_array([["b", "b"], ["a"]]))
    >>> numbers.tolist(), texts
    ([0, 0, 1], ['b', 'a'])
    """
    if not len(column):
        return np.zeros(0, np.int64), []
    encoded = column.dictionary_encode().combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


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


def ticks_of(rows: pa.Table, stream: str, *, at: str) -> Ticks:
    """Return one stream's rows of `resampled` as ticks, by their column `at`; they need the column `piece`."""
    return Ticks(rows[at].to_numpy(), values_of(rows, stream), run_starts(rows["piece"].to_numpy()))
