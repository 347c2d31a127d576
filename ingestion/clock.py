"""Time stamps that are coarser than the readings, and two clocks that run apart: pure functions over int64 nanoseconds.

Belongs here: what time stamps alone can tell. Sorting is in `ingestion.facts`; which of two clocks a
format offers is its reader's to choose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.spool import gathered, in_blocks, let_go

#: Stamps on a finer grid than this are no coarse clock: no sensor of a body is read more than a thousand times a second.
FINEST_TICK_NS = 1_000_000
#: Fewer readings for a stamp, or fewer stamps, tell nothing about the clock behind them.
FEWEST_PER_TICK = 3
#: A tick with less than this share of the usual readings lost some: they keep their step, and the hole stays a hole.
WHOLE_SHARE = 0.8

#: A device's clock that falls behind its host's by so much from one reading to the next, for good, was stopped.
SHORTEST_STOP_NS = 500_000_000

_BINS = 64
#: A delay may last so long and be made up for later; only one that outlives it is for good.
_SETTLED_NS = 2_000_000_000
_SHORTEST_NS = 60 * 1_000_000_000

_Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rebuilt:
    """Times inside the ticks of a coarse clock.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Strictly increasing; each inside ``[stamp, stamp + tick_ns)`` of its own stamp.
    tick_ns : int
        Step of the coarse clock: 1,000,000,000 where stamps are whole seconds.
    per_tick : int
        Median of the readings of one stamp.
    """

    t_ns: _Times
    tick_ns: int
    per_tick: int


@dataclass(frozen=True)
class _Ticks:
    """The different stamps, where their readings begin, and how many there are."""

    stamps: _Times
    starts: npt.NDArray[np.intp]
    counts: npt.NDArray[np.intp]


def rebuilt(t_ns: _Times) -> Rebuilt | None:
    """Spread readings over the ticks of a clock that is coarser than their rate, such as 50 readings for each whole second.

    A tick's readings are spread evenly. Of a first tick, and one after a gap, only the end was recorded: its readings are set
    back from the tick's end by the usual step. Of a last tick, one before a gap, and one that lost readings
    (`WHOLE_SHARE`), they follow the tick's beginning by the usual step.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Sorted.

    Returns
    -------
    Rebuilt or None
        None if the stamps are no coarse clock: unless more than half of all readings repeat a stamp, the stamps lie on a grid
        of at least `FINEST_TICK_NS`, and more than half of them follow the one before by exactly one tick.

    Examples
    --------
    >>> rebuilt(np.repeat([7, 8, 9], [1, 4, 2]) * 1_000_000_000).t_ns // 10_000_000
    array([775, 800, 825, 850, 875, 900, 925])
    """
    ticks = _ticks(t_ns)
    if ticks.stamps.size < FEWEST_PER_TICK or 2 * ticks.stamps.size >= t_ns.size:
        return None
    steps = np.diff(ticks.stamps)
    tick_ns = int(np.gcd.reduce(steps))
    per_tick = round(float(np.median(ticks.counts[1:-1])))
    regular = 2 * np.count_nonzero(steps == tick_ns) > steps.size
    if tick_ns < FINEST_TICK_NS or per_tick < FEWEST_PER_TICK or not regular or ticks.counts.max() > tick_ns:
        return None
    return Rebuilt(_spread(t_ns, ticks, tick_ns, per_tick), tick_ns, per_tick)


def drift_ppm(device_ns: _Times, host_ns: _Times) -> float | None:
    """Measure how much faster a device's clock runs than its host's.

    The host stamps a reading when it arrives, never before it was taken. So the earliest arrivals of 64 equal stretches are
    compared, and the median of the slopes between all pairs is taken (Theil 1950, Sen 1968): delays and bursts fall out.

    Parameters
    ----------
    device_ns, host_ns : ndarray of int64, shape (n,)
        The two times of each reading, in any order.

    Returns
    -------
    float or None
        Parts per million; None if the recording is shorter than a minute.
    """
    if not device_ns.size or int(device_ns.max()) - int(device_ns.min()) < _SHORTEST_NS:
        return None
    first = device_ns.min()
    width = (int(device_ns.max()) - int(first)) // _BINS + 1
    order = np.argsort(device_ns, kind="stable")
    elapsed, late = (device_ns - first)[order], (host_ns - device_ns)[order]
    bins, starts = np.unique(elapsed // width, return_index=True)
    earliest = np.minimum.reduceat(late, starts)
    centres = (bins + 0.5) * width
    one, other = np.triu_indices(len(bins), 1)
    slope = float(np.median((earliest[other] - earliest[one]) / (centres[other] - centres[one])))
    return (1 / (1 + slope) - 1) * 1e6


def stops(device_ns: _Times, host_ns: _Times) -> npt.NDArray[np.intp]:
    """Find where a device's clock stood still while its host's went on: pauses that the device's clock leaves out.

    A late packet is followed by one that is less late; after a stop every later reading is late. So the smallest delay from
    each reading on jumps there, which no burst makes it do.

    Parameters
    ----------
    device_ns, host_ns : ndarray of int64, shape (n,)
        The two times of each reading, in the order of the device's.

    Returns
    -------
    ndarray of intp
        Rows that are the first after a stop of at least `SHORTEST_STOP_NS`; none within two seconds of the first or last row.
    """
    if not device_ns.size:
        return np.zeros(0, dtype=np.intp)
    never_less = np.minimum.accumulate((host_ns - device_ns)[::-1])[::-1]
    rows = np.flatnonzero(np.diff(never_less) >= SHORTEST_STOP_NS) + 1
    inside = (device_ns[rows] - device_ns[0] >= _SETTLED_NS) & (device_ns[-1] - device_ns[rows] >= _SETTLED_NS)
    return rows[inside]


def _ticks(t_ns: _Times) -> _Ticks:
    starts, row, last = [], 0, None
    for (part,) in in_blocks(t_ns):
        new = np.flatnonzero(np.diff(part, prepend=part[0] - 1 if last is None else last))
        starts.append(new + row)
        row, last = row + len(part), part[-1]
    begins = np.concatenate(starts) if starts else np.zeros(0, dtype=np.intp)
    stamps = np.asarray(t_ns[begins])
    let_go(t_ns)
    return _Ticks(stamps, begins, np.diff(begins, append=len(t_ns)))


def _spread(t_ns: _Times, ticks: _Ticks, tick_ns: int, per_tick: int) -> _Times:
    follows = np.concatenate([[False], np.diff(ticks.stamps) == tick_ns])
    followed = np.concatenate([follows[1:], [False]])
    whole = follows & followed & (ticks.counts >= WHOLE_SHARE * per_tick)
    slots = np.where(whole, ticks.counts, np.maximum(ticks.counts, per_tick))
    lead = np.where(~follows & followed, slots - ticks.counts, 0)
    row = 0

    def inside(part: _Times) -> _Times:
        nonlocal row
        rows = np.arange(row, row + len(part))
        row += len(part)
        tick = np.searchsorted(ticks.starts, rows, side="right") - 1
        return part + (lead[tick] + rows - ticks.starts[tick]) * tick_ns // slots[tick]

    return gathered((inside(part) for (part,) in in_blocks(t_ns)), like=t_ns)
