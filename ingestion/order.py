"""Puts a stream's readings in order: sorted by time, replays and repeats of a time stamp left out, coarse times rebuilt.

Belongs here: everything that decides which readings are kept and when they were. What is measured on them is in
`ingestion.facts`, what an analyst is told about it in `ingestion.repairs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ingestion.clock import Rebuilt, rebuilt
from ingestion.recording import Stream
from ingestion.spool import Growing, blocks, in_blocks, let_go, spooled_like

#: Rows that are sorted at a time; more are sorted in runs and merged.
RUN_ROWS = 1 << 21

#: Every so many rows of a sorted run, one is looked at to cut all runs into parts that fit into memory together.
_SAMPLED = 1 << 9

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Prepared:
    """A stream sorted by time, without repeats of a time stamp.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Strictly increasing nanoseconds since 1970 UTC.
    values : ndarray of float32, shape (n, channels)
        Of readings with the same stamp, the one delivered first.
    duplicates : int
        Readings left out because another one has their time stamp.
    out_of_order : int
        Readings that were delivered after a later one.
    replayed : int
        Readings that repeat an earlier one, time and values, after the clock had gone back: a buffer that was written twice.
    coarse : Rebuilt or None
        The coarse clock that `t_ns` was rebuilt from, if it was; then readings of one stamp are all kept.
    """

    t_ns: _Times
    values: _Values
    duplicates: int
    out_of_order: int
    replayed: int
    coarse: Rebuilt | None = None


class _Rows(NamedTuple):
    """Rows on their way: times, values, and which were delivered after the clock had gone back and not yet caught up."""

    t_ns: _Times
    values: _Values
    again: _Flags


def prepared(stream: Stream) -> Prepared:
    """Sort a stream by time (stable), drop replays and repeats of a time stamp, rebuild the times of a coarse clock.

    One block is in memory at a time where the stream is spooled: what is out of order is sorted in runs of `RUN_ROWS`, which
    are merged part by part.

    Parameters
    ----------
    stream : Stream

    Returns
    -------
    Prepared
        Shares memory with the stream where nothing had to change.
    """
    t_ns, values, replayed = stream.t_ns, stream.values, 0
    if out_of_order := _out_of_order(t_ns):
        t_ns, values, replayed = _sorted(t_ns, values)
    repeats, equal = _repeats(t_ns, values)
    if 2 * repeats > len(t_ns) and 2 * equal < repeats and (coarse := rebuilt(t_ns)):
        return Prepared(coarse.t_ns, values, replayed, out_of_order, replayed, coarse)
    if repeats:
        t_ns, values = _first_of_each_stamp(t_ns, values)
    return Prepared(t_ns, values, repeats + replayed, out_of_order, replayed)


def first_step_back(t_ns: _Times) -> int:
    """Return the first row, from 0, whose time is before that of the row before it; there must be one."""
    row, last = 0, np.int64(np.iinfo(np.int64).min)
    for (part,) in in_blocks(t_ns):
        back = part < np.concatenate([[last], part[:-1]])
        if back.any():
            break
        row, last = row + len(part), part[-1]
    return row + int(np.argmax(back))


def _out_of_order(t_ns: _Times) -> int:
    count, latest = 0, np.iinfo(np.int64).min
    for (part,) in in_blocks(t_ns):
        if part[0] < latest or (part[1:] < part[:-1]).any():
            count += int(np.count_nonzero(part < np.maximum(np.maximum.accumulate(part), latest)))
        latest = max(latest, part.max())
    return count


def _sorted(t_ns: _Times, values: _Values) -> tuple[_Times, _Values, int]:
    folder = spooled_like(values)
    times, kept = Growing(np.int64, folder=folder), Growing(np.float32, values.shape[1], folder=folder)
    for rows in _in_order(t_ns, values, folder):
        replays = _replays(rows)
        times.add(rows.t_ns[~replays])
        kept.add(_chosen(rows.values, ~replays))
    return times.array(), kept.array(), len(t_ns) - times.rows


def _in_order(t_ns: _Times, values: _Values, folder: Path | None) -> Iterator[_Rows]:
    """Give all rows sorted by time in parts that split no time stamp: external merge sort, stable."""
    runs = [_laid_down(run, folder) for run in _sorted_runs(t_ns, values)]
    if len(runs) == 1:
        yield runs[0]
        return
    samples = np.sort(np.concatenate([run.t_ns[::_SAMPLED] for run in runs]))
    cuts = np.unique(samples[RUN_ROWS // _SAMPLED :: RUN_ROWS // _SAMPLED])
    places = np.stack([np.concatenate([[0], np.searchsorted(run.t_ns, cuts), [len(run.t_ns)]]) for run in runs])
    for begin, end in zip(places.T[:-1], places.T[1:], strict=True):
        if (begin == end).all():
            continue
        pieces = [[np.asarray(column[a:b]) for column in run] for run, a, b in zip(runs, begin, end, strict=True)]
        yield _by_time(_Rows(*(np.concatenate(column) for column in zip(*pieces, strict=True))))
        let_go(*(column for run in runs for column in run))


def _sorted_runs(t_ns: _Times, values: _Values) -> Iterator[_Rows]:
    latest = reached = last = np.int64(np.iinfo(np.int64).min)
    for start in range(0, len(t_ns), RUN_ROWS):
        times = np.asarray(t_ns[start : start + RUN_ROWS])
        before = np.maximum.accumulate(np.concatenate([[latest], times]))
        back = times < np.concatenate([[last], times[:-1]])
        to_reach = np.maximum.accumulate(np.where(back, before[:-1], reached))
        latest, reached, last = before[-1], to_reach[-1], times[-1]
        yield _by_time(_Rows(times, np.asarray(values[start : start + RUN_ROWS]), times <= to_reach))
        let_go(t_ns, values)


def _by_time(rows: _Rows) -> _Rows:
    order = np.argsort(rows.t_ns, kind="stable")
    return _Rows(rows.t_ns[order], _chosen(rows.values, order), rows.again[order])


def _laid_down(rows: _Rows, folder: Path | None) -> _Rows:
    """Put a sorted run onto disk, if there is a folder for it."""
    return _Rows(*(_spooled(column, folder) for column in rows)) if folder else rows


def _spooled(array: npt.NDArray[Any], folder: Path | None) -> npt.NDArray[Any]:
    growing = Growing(array.dtype, array.shape[1] if array.ndim == 2 else None, folder=folder)
    growing.add(array)
    return growing.array()


def _replays(rows: _Rows) -> _Flags:
    """Find rows that were written again: equal to an earlier one; rows sorted by time, those of a stamp as delivered."""
    replays = np.zeros(len(rows.t_ns), dtype=np.bool_)
    stamp = np.cumsum(np.concatenate([[False], np.diff(rows.t_ns) != 0]))
    asked_for = np.zeros(int(stamp[-1]) + 1, dtype=np.bool_)
    asked_for[stamp[rows.again]] = True
    asked = np.flatnonzero(asked_for[stamp])
    keys = np.column_stack([rows.values[asked].astype(np.float64), stamp[asked]])
    order = np.lexsort(keys.T)
    equal = (np.diff(keys[order], axis=0) == 0).all(axis=1)
    replays[asked[order[1:][equal]]] = True
    return replays & rows.again


def _repeats(t_ns: _Times, values: _Values) -> tuple[int, int]:
    """Count readings that have the time stamp of the one before them, and those that have its values too."""
    repeats = equal = 0
    for part in blocks(len(t_ns)):
        wider = slice(max(part.start - 1, 0), part.stop)
        again = np.flatnonzero(np.diff(t_ns[wider]) == 0)
        repeats += again.size
        if again.size:
            rows = np.asarray(values[wider])
            equal += int(np.count_nonzero((rows[again] == rows[again + 1]).all(axis=1)))
        let_go(t_ns, values)
    return repeats, equal


def _first_of_each_stamp(t_ns: _Times, values: _Values) -> tuple[_Times, _Values]:
    folder, latest = spooled_like(values), None
    times, kept = Growing(np.int64, folder=folder), Growing(np.float32, values.shape[1], folder=folder)
    for stamps, rows in in_blocks(t_ns, values):
        new = np.diff(stamps, prepend=stamps[0] - 1 if latest is None else latest) != 0
        latest = stamps[-1]
        times.add(stamps[new])
        kept.add(_chosen(rows, new))
    return times.array(), kept.array()


def _chosen(values: _Values, rows: npt.NDArray[np.intp] | _Flags) -> _Values:
    """Return some rows, column by column: several times faster than row by row where columns are contiguous."""
    return np.stack([values[:, axis][rows] for axis in range(values.shape[1])]).T
