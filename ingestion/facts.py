"""Measures a stream: clock, gaps, range and identity, in vectorised passes that hold one block of sorted rows at a time.

Belongs here: what is true of a stream whoever asks. What a study allows is judged in `quality`; how readings come into
order is in `ingestion.order`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion import spool
from ingestion.median import exact_median
from ingestion.order import Prepared, prepared
from ingestion.recording import Stream
from ingestion.spool import blocks, in_blocks, let_go
from warehouse.value_hash import hash_of_blocks

#: A step longer than this many median steps is a gap.
GAP_STEPS = 2.5
#: A clock that counts in more than this share of its median step is coarse: the median is a whole number of its ticks.
COARSE_TICK = 0.01
#: A step of so many median steps or more may hold a lost reading, though a coarse clock rounds it down; a shorter one is late.
LOST_STEPS = 5 / 3
#: A second is still if its readings scatter by less than this share of their mean's length.
STILL = 0.05
#: Fewer still windows (ten a second) tell no length at rest.
FEWEST_STILL = 10

_NS_PER_S = 1e9
_LONGEST_WINDOW = 1 << 16
#: A clock is hardly ever coarser than so many of its steps tell: the others are only held against what they told.
_FIRST_STEPS = 1 << 12

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]


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
    norm_rest: float | None
    still: float | None
    value_hash: str | None


@dataclass(frozen=True)
class Clock:
    """Steps between readings.

    Parameters
    ----------
    median_ns : float
        Median step.
    step_ns : float
        Step that the rate is of: the median; where the clock is coarse (`COARSE_TICK`) the mean of those below `LOST_STEPS`.
    mean_ns : float
        Duration over the number of steps.
    jitter : float
        Standard deviation of the steps of at most `GAP_STEPS` median steps, over the median step.
    longest_ns : int
        Longest step.
    gap_start_ns, gap_end_ns : ndarray of int64
        The readings before and after each longer step.
    """

    median_ns: float
    step_ns: float
    mean_ns: float
    jitter: float
    longest_ns: int
    gap_start_ns: _Times
    gap_end_ns: _Times


@dataclass(frozen=True)
class Norms:
    """Length of the running mean over a second, `all` of them and those while the sensor lay `still`; float64."""

    all: npt.NDArray[np.float64]
    still: npt.NDArray[np.float64]


def measure(stream: Stream, ready: Prepared | None = None) -> StreamFacts:
    """Measure one stream, a block at a time.

    Rate, jitter and gaps are over the steps between different time stamps, in whole nanoseconds (`clock_of`). A reading is
    ``saturated`` if on some axis it stays at the largest or smallest value of the whole stream for two readings or more in a
    row.

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
        return StreamFacts(0, *(None,) * 5, 0, None, 0, 0, *(None,) * 8)
    clock = clock_of(t_ns) if t_ns.size > 1 else None
    rate_hz = _NS_PER_S / clock.step_ns if clock else None
    low, high, held = _extremes(values)
    norms = norms_over_a_second(values, rate_hz)
    return StreamFacts(
        rows=len(stream.t_ns),
        start_ns=int(t_ns[0]),
        end_ns=int(t_ns[-1]),
        rate_hz=rate_hz,
        mean_rate_hz=_NS_PER_S / clock.mean_ns if clock else None,
        jitter=clock.jitter if clock else None,
        gaps=clock.gap_start_ns.size if clock else 0,
        longest_gap_s=clock.longest_ns / _NS_PER_S if clock else None,
        duplicates=ready.duplicates,
        out_of_order=ready.out_of_order,
        saturated=_saturated(values, low, high),
        held=held,
        minimum=float(low.min()),
        maximum=float(high.max()),
        norm_median=float(np.median(norms.all)),
        norm_rest=float(np.median(norms.still)) if norms.still.size >= FEWEST_STILL else None,
        still=norms.still.size / norms.all.size,
        value_hash=hash_of_blocks(lambda: (part for (part,) in in_blocks(values)), rows=len(values), channels=values.shape[1]),
    )


def clock_of(t_ns: _Times) -> Clock:
    """Measure the steps of a strictly increasing clock of two readings or more."""

    def steps() -> Iterator[_Times]:
        for part in blocks(len(t_ns) - 1):
            yield np.diff(t_ns[part.start : part.stop + 1])
            let_go(t_ns)

    median = exact_median(steps, len(t_ns) - 1)
    longest, usual, sums, squares = 0, 0, 0.0, 0.0
    tick, coarse, count, total = 0, True, 0, 0
    gaps = [np.zeros(0, dtype=np.intp)]
    for part, found in zip(blocks(len(t_ns) - 1), steps(), strict=True):
        longest = max(longest, int(found.max()))
        tick = _tick(found, tick) if coarse else tick
        coarse = tick > COARSE_TICK * median
        off = found - median
        if longest > GAP_STEPS * median:
            off = off[found <= GAP_STEPS * median]
            gaps.append(np.flatnonzero(found > GAP_STEPS * median) + part.start)
        usual, sums, squares = usual + off.size, sums + float(off.sum()), squares + float(off @ off)
        if coarse:
            whole = found[found < LOST_STEPS * median]
            count, total = count + whole.size, total + int(whole.sum())
    at = np.concatenate(gaps)
    jitter = math.sqrt(max(squares / usual - (sums / usual) ** 2, 0.0)) / median
    mean = (int(t_ns[-1]) - int(t_ns[0])) / (len(t_ns) - 1)
    # One tick a step is a clock without remainder, not a coarse one.
    step = total / count if coarse and median >= 2 * tick else median
    return Clock(median, step, mean, jitter, longest, np.asarray(t_ns[at]), np.asarray(t_ns[at + 1]))


def _tick(steps: _Times, known: int) -> int:
    """Return the greatest common divisor of the steps and of `known`, which is that of those before them; 0: there are none."""
    tick = int(np.gcd.reduce(steps[:_FIRST_STEPS], initial=known))
    rest = steps[_FIRST_STEPS:] % tick if tick > 1 else steps[:0]
    return int(np.gcd.reduce(rest[rest > 0], initial=tick))


def norms_over_a_second(values: _Values, rate_hz: float | None) -> Norms:
    """Average over a second, ten times a second: what is left of an acceleration is gravity, however hard somebody jumps.

    Parameters
    ----------
    values : ndarray of float32, shape (n, channels)
    rate_hz : float or None

    Returns
    -------
    Norms
        A second is still if its readings scatter by less than `STILL` of its mean's length round its mean.
    """
    window = min(max(round(min(rate_hz or 1, _LONGEST_WINDOW)), 1), len(values))
    stride = max(window // 10, 1)
    rows = stride * max(spool.BLOCK_ROWS // stride, 1)
    lengths, scatters = [], []
    for start in range(0, len(values) - window + 1, rows):
        length, scatter = _running(np.asarray(values[start : start + rows - stride + window]), window, stride)
        lengths.append(length)
        scatters.append(scatter)
        let_go(values)
    norms = np.sqrt(np.concatenate(lengths))
    return Norms(norms, norms[np.concatenate(scatters) <= (STILL * norms) ** 2])


def _running(values: _Values, window: int, stride: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the squared length of the mean, and the variance round it, of every `stride`-th window of rows."""
    length = squares = np.zeros(0)
    for axis in range(values.shape[1]):
        column = values[:, axis].astype(np.float64)
        mean = _windowed(column, window, stride) / window
        square = _windowed(column * column, window, stride) / window
        length, squares = (length + mean * mean, squares + square) if axis else (mean * mean, square)
    return length, squares - length


def _windowed(column: npt.NDArray[np.float64], window: int, stride: int) -> npt.NDArray[np.float64]:
    sums = np.zeros(len(column) + 1)
    np.cumsum(column, out=sums[1:])
    return sums[window::stride] - sums[: len(column) - window + 1 : stride]


def _extremes(values: _Values) -> tuple[_Values, _Values, float]:
    """Return the smallest and largest value of every block, and the share of readings that equal the one before them."""
    low, high, held, before = [], [], 0, values[:0]
    for (part,) in in_blocks(values):
        low.append(min(part[:, axis].min() for axis in range(part.shape[1])))
        high.append(max(part[:, axis].max() for axis in range(part.shape[1])))
        held += _held(np.concatenate([before, part[:1]])) + _held(part)
        before = part[-1:].copy()
    return np.array(low), np.array(high), held / len(values)


def _held(rows: _Values) -> int:
    same = rows[1:, 0] == rows[:-1, 0]
    for axis in range(1, rows.shape[1]):
        same &= rows[1:, axis] == rows[:-1, axis]
    return int(np.count_nonzero(same))


def _saturated(values: _Values, low: _Values, high: _Values) -> float:
    """Return the share of saturated readings; only blocks that reach an extreme of the whole stream are looked at."""
    lowest, highest = low.min(), high.max()
    saturated, run = 0, np.zeros(1, dtype=np.bool_)
    for part, reaches in zip(blocks(len(values)), (low == lowest) | (high == highest), strict=True):
        if not reaches:
            saturated, run = saturated + int(run[-1]), np.zeros(1, dtype=np.bool_)
            continue
        rows = np.asarray(values[max(part.start - 1, 0) : part.stop])
        run = np.concatenate([run[-1:], _at_an_extreme(rows, lowest, highest)])
        saturated += int(np.count_nonzero(run[:-1] | run[1:]))
        let_go(values)
    return (saturated + int(run[-1])) / len(values)


def _at_an_extreme(rows: _Values, lowest: np.float32, highest: np.float32) -> npt.NDArray[np.bool_]:
    """Tell for every pair of neighbours whether both are at the same extreme, on some axis."""
    run = np.zeros(len(rows) - 1, dtype=np.bool_)
    for axis in range(rows.shape[1]):
        column = rows[:, axis]
        for extreme in (lowest, highest):
            at = column == extreme
            run |= at[1:] & at[:-1]
    return run
