"""Measures a stream: clock, gaps, range and identity, all in vectorised passes over time-sorted data.

Belongs here: what is true of a stream whoever asks. What a study allows is judged in `quality`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.recording import Stream
from warehouse.value_hash import value_hash

#: A step longer than this many median steps is a gap.
GAP_STEPS = 2.5

_NS_PER_S = 1e9

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]


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
        Those of them that repeat an earlier reading, time and values: a buffer that was written twice.
    """

    t_ns: _Times
    values: _Values
    duplicates: int
    out_of_order: int
    replayed: int


@dataclass(frozen=True)
class StreamFacts:
    """What was measured on one stream; fields are columns of table `streams` and documented there."""

    rows: int
    start_ns: int | None
    end_ns: int | None
    rate_hz: float | None
    mean_rate_hz: float | None
    jitter: float | None
    gaps: int
    longest_gap_s: float | None
    duplicates: int
    out_of_order: int
    saturated: float | None
    held: float | None
    minimum: float | None
    maximum: float | None
    norm_median: float | None
    value_hash: str | None


def prepared(stream: Stream) -> Prepared:
    """Sort a stream by time (stable) and drop repeats of a time stamp.

    Parameters
    ----------
    stream : Stream

    Returns
    -------
    Prepared
        Shares memory with the stream where nothing had to change.
    """
    t_ns, values = stream.t_ns, stream.values
    late = np.zeros(0, dtype=np.bool_)
    if (np.diff(t_ns) < 0).any():
        late = t_ns < np.maximum.accumulate(t_ns)
        order = np.argsort(t_ns, kind="stable")
        t_ns, values, late = t_ns[order], _rows(values, order), late[order]
    first = np.concatenate([np.ones(min(len(t_ns), 1), dtype=np.bool_), np.diff(t_ns) != 0])
    duplicates = len(t_ns) - int(np.count_nonzero(first))
    replayed = _replayed(values, first, late) if duplicates and late.size else 0
    if duplicates:
        t_ns, values = t_ns[first], _rows(values, first)
    return Prepared(t_ns, values, duplicates, int(np.count_nonzero(late)), replayed)


def measure(stream: Stream, ready: Prepared | None = None) -> StreamFacts:
    """Measure one stream.

    Rate, jitter and gaps are over the steps between different time stamps, in whole nanoseconds; ``jitter`` is the standard
    deviation of the steps of at most `GAP_STEPS` median steps, over the median step. A reading is ``saturated`` if on some
    axis it stays at the largest or smallest value of the whole stream for two readings or more in a row.

    Parameters
    ----------
    stream : Stream
    ready : Prepared, optional
        ``prepared(stream)``, if it is at hand.

    Returns
    -------
    StreamFacts
        None where too few readings exist to tell.
    """
    ready = ready or prepared(stream)
    t_ns, values = ready.t_ns, ready.values
    if not t_ns.size:
        return StreamFacts(0, *(None,) * 5, 0, None, 0, 0, *(None,) * 6)
    rate_hz, mean_rate_hz, jitter, gaps, longest_gap_s = _clock(t_ns)
    saturated, held = _stuck(values)
    return StreamFacts(
        rows=len(stream.t_ns),
        start_ns=int(t_ns[0]),
        end_ns=int(t_ns[-1]),
        rate_hz=rate_hz,
        mean_rate_hz=mean_rate_hz,
        jitter=jitter,
        gaps=gaps,
        longest_gap_s=longest_gap_s,
        duplicates=ready.duplicates,
        out_of_order=ready.out_of_order,
        saturated=saturated,
        held=held,
        minimum=float(values.min()),
        maximum=float(values.max()),
        norm_median=float(np.median(_norm(_over_a_second(values, rate_hz)))),
        value_hash=value_hash(values),
    )


def _rows(values: _Values, chosen: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> _Values:
    return np.stack([values[:, axis][chosen] for axis in range(values.shape[1])]).T


def _replayed(values: _Values, first: npt.NDArray[np.bool_], late: npt.NDArray[np.bool_]) -> int:
    """Count late readings that equal the one kept for their time stamp; rows sorted by time, `first` of each stamp."""
    dropped = np.flatnonzero(~first & late)
    kept = np.flatnonzero(first)[np.cumsum(first)[dropped] - 1]
    return int(np.count_nonzero((values[dropped] == values[kept]).all(axis=1)))


def _clock(t_ns: _Times) -> tuple[float | None, float | None, float | None, int, float | None]:
    if t_ns.size < 2:
        return None, None, None, 0, None
    steps = np.diff(t_ns)
    median = float(np.median(steps))
    regular = steps <= GAP_STEPS * median
    gaps = int(steps.size - np.count_nonzero(regular))
    usual = steps[regular] if gaps else steps
    mean_rate_hz = steps.size * _NS_PER_S / int(t_ns[-1] - t_ns[0])
    return _NS_PER_S / median, mean_rate_hz, float(usual.std()) / median, gaps, int(steps.max()) / _NS_PER_S


def _stuck(values: _Values) -> tuple[float, float]:
    """Return the shares of readings that are saturated and that repeat the one before them."""
    saturated = np.zeros(len(values), dtype=bool)
    held = np.ones(max(len(values) - 1, 0), dtype=bool)
    lowest, highest = values.min(), values.max()
    for axis in range(values.shape[1]):
        column = values[:, axis]
        repeats = column[1:] == column[:-1]
        held &= repeats
        run = repeats & ((column[1:] == highest) | (column[1:] == lowest))
        saturated[1:] |= run
        saturated[:-1] |= run
    return float(saturated.mean()), float(np.count_nonzero(held)) / len(values)


def _over_a_second(values: _Values, rate_hz: float | None) -> npt.NDArray[np.float64]:
    """Running mean over one second: what is left of an acceleration is gravity, however hard somebody jumps."""
    window = min(max(round(rate_hz or 1), 1), len(values))
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, dtype=np.float64, out=sums[1:])
    return (sums[window:] - sums[:-window]) / window


def _norm(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.sqrt(np.einsum("ij,ij->i", values, values))
