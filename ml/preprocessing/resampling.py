"""Streams of readings at uneven times, brought to a uniform clock.

Belongs here: gaps, anti-aliasing, blocks and threads. The clock is in `clock`, the compiled loops and how they
interpolate are in `kernels`; tables are read and written in `batch`.

Readings are interpolated onto a grid whose points are the ticks of the clock and, on the way down, `factor` − 1 more
between two of them; a low-pass then leaves the ticks. The grid is just dense enough that whatever the source can hold
folds to above the new Nyquist frequency, where the low-pass removes it. On the way up nothing is filtered. Work goes block
by block, so that no grid is ever held whole, and the blocks of long streams over all cores.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ml.preprocessing.clock import Clock

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]
_Number = TypeVar("_Number", bound=np.generic)

#: A step longer than this many median steps is a gap, as in the table `streams`.
GAP_STEPS = 2.5
#: Where the low-pass halves, as a share of the new Nyquist frequency.
CUTOFF = 0.9
#: A source at most this much faster than the clock counts as equally fast: "50 Hz" of a device is 49.9 to 50.4.
_SAME_RATE = 1.02
_REACH_TICKS = 24  # half length of the low-pass
_KAISER = 7.0
_GRID_POINTS_A_BLOCK = 16_384
_LEAST_TICKS_A_BLOCK = 256
_MOST_POINTS_A_TICK = 5_000  # keeps a block at some megabytes; enough for sources 10,000 times faster than the clock
_BLOCKS_FOR_THREADS = 4
_LEAST_LENGTH = 0.1  # of a resampled quaternion, before it is brought to one


@dataclass(frozen=True)
class Piece:
    """A stretch without a gap on the uniform clock.

    Parameters
    ----------
    first_step : int
        Tick of the first row; the others follow one by one.
    values : ndarray of float32, shape (n, channels)
        In the unit of the readings.
    """

    first_step: int
    values: _Values


@dataclass(frozen=True)
class Pace:
    """How fast the readings of a whole stream come.

    Parameters
    ----------
    longest_ns : float
        A longer step is a gap.
    mean_ns : float
        Mean of the steps that are none; infinite where there are none such.
    """

    longest_ns: float
    mean_ns: float


def pace_of(steps_ns: npt.NDArray[np.integer], *, max_gap_s: float | None = None) -> Pace:
    """Return the pace of a stream from the steps between its readings, in ns, above 0; see `resample` for gaps."""
    longest = min(GAP_STEPS * float(np.median(steps_ns)) if len(steps_ns) else math.inf, _check_gap(max_gap_s))
    bridged = steps_ns <= longest
    count = int(np.count_nonzero(bridged))
    return Pace(longest, int(np.sum(steps_ns, where=bridged, dtype=np.int64)) / count if count else math.inf)


def resample(
    t_ns: _Times,
    values: _Values,
    *,
    rate_hz: float,
    origin_ns: int,
    max_gap_s: float | None = None,
    pace: Pace | None = None,
) -> list[Piece]:
    """Bring one stream to a uniform clock, piece by piece between its gaps.

    Tick k is at ``origin_ns + round(k × 1e9 / rate_hz)`` (`clock.Clock`), so streams with the same origin share their ticks.
    A step longer than 2.5 median steps is a gap: it is never bridged, and no tick lies in it or beyond the first and last
    reading of a piece. A reading with a value that is not finite counts as never delivered, on all its channels.

    If the stream is over 2 % faster than the clock (mean rate, gaps left out), a linear-phase low-pass keeps what lies
    above the new Nyquist frequency from folding down: flat to 0.8 of it, half at 0.9, −70 dB from 1.0 on. Beyond the ends of
    a piece the signal goes on as its own point reflection, so constants and straight lines come out as they are, and the
    filter fades out over the last 24 ticks before an end. A slower stream is only interpolated; see `kernels` for how, also
    near gaps and in short pieces.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Times of the readings, ns since 1970 UTC, strictly ascending.
    values : ndarray of float32, shape (n, channels)
    rate_hz : float
        Rate of the clock, in Hz.
    origin_ns : int
        Time of tick 0, ns since 1970 UTC.
    max_gap_s : float, optional
        Longer steps are gaps too, in seconds. It can only make pieces shorter.
    pace : Pace, optional
        Of the whole stream, where these are some of its readings; `max_gap_s` then counts for nothing.

    Returns
    -------
    list of Piece
        In order; stretches on which no tick falls are left out.

    Raises
    ------
    ValueError
        If the shapes do not fit, times do not ascend, the rate is not above 0 and at most 1 MHz, or `max_gap_s` is not
        positive.

    Examples
    --------
    >>> t_ns = np.arange(0, 1_000_000_000, 40_000_000)
    >>> (piece,) = resample(t_ns, np.ones((25, 3), np.float32), rate_hz=10, origin_ns=-300_000_000)
    >>> piece.first_step, piece.values.shape
    (3, (10, 3))
    """
    clock = Clock.of(rate_hz, origin_ns=origin_ns)
    t_ns, values = _finite(*_checked(t_ns, values))
    if not len(t_ns):
        return []
    steps = _ascending_steps(t_ns)
    pace = pace or pace_of(steps, max_gap_s=max_gap_s)
    starts = np.append(0, np.flatnonzero(steps > pace.longest_ns) + 1)
    stretches = _stretches(_plan(clock, pace.mean_ns), t_ns, values, starts)
    _work_through(block for stretch in stretches for block in stretch.blocks())
    return [Piece(stretch.first, stretch.out) for stretch in stretches]


def resample_quaternions(
    t_ns: _Times,
    values: _Values,
    *,
    rate_hz: float,
    origin_ns: int,
    max_gap_s: float | None = None,
    pace: Pace | None = None,
) -> list[Piece]:
    """Bring a stream of orientations to a uniform clock; the same as `resample`, and every row is a unit quaternion.

    A quaternion and its negative are the same orientation: each reading first takes the sign that is nearer to the one
    before it. The four parts are then resampled and brought back to length one, which for neighbours this close is the
    chordal mean (Markley et al., J. Guid. Control Dyn. 30, 2007). The real part of a piece's first row is not negative.
    Where the parts cancel out, because orientations spin faster than they are sampled, the nearest reading stands.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
    values : ndarray of float32, shape (n, 4)
        x, y, z, w; of any length but zero, which counts as never delivered.
    rate_hz, origin_ns, max_gap_s, pace
        As for `resample`.

    Returns
    -------
    list of Piece

    Raises
    ------
    ValueError
        As `resample`, or if there are not four channels.
    """
    t_ns, values = _checked(t_ns, values)
    if values.shape[1] != 4:
        raise ValueError(f"quaternions have 4 channels (x, y, z, w); given are {values.shape[1]}")
    length = magnitude(values)[:, np.newaxis]
    with np.errstate(invalid="ignore", divide="ignore"):
        t_ns, unit = _finite(t_ns, values / length)
    unit = unit * _signs(unit)[:, np.newaxis]
    clock = Clock.of(rate_hz, origin_ns=origin_ns)
    pieces = resample(t_ns, unit, rate_hz=rate_hz, origin_ns=origin_ns, max_gap_s=max_gap_s, pace=pace)
    return [Piece(piece.first_step, _of_unit_length(piece, t_ns, unit, clock)) for piece in pieces]


def magnitude(values: _Values) -> _Values:
    """Return the length of each row's vector.

    Parameters
    ----------
    values : ndarray of float32, shape (…, channels)

    Returns
    -------
    ndarray of float32, shape (…)

    Examples
    --------
    >>> magnitude(np.array([[3, 4, 0]], np.float32))
    array([5.], dtype=float32)
    """
    return np.sqrt(np.einsum("...i,...i->...", values, values, dtype=np.float64)).astype(np.float32)


@dataclass(frozen=True)
class _Plan:
    """What all pieces of a stream have in common: `factor` grid points a tick, and the low-pass if there is one."""

    clock: Clock
    grid: Clock
    factor: int
    taps: _Values | None
    step_ns: float

    @property
    def reach(self) -> int:
        """Grid points that a tick needs on either side of it."""
        return 0 if self.taps is None else _REACH_TICKS * self.factor - 1

    @property
    def spare(self) -> int:
        """Zeros at the end of the taps, which need something to be multiplied with."""
        return 0 if self.taps is None else len(self.taps) - 2 * self.reach - 1

    @property
    def ticks_a_block(self) -> int:
        return max(_LEAST_TICKS_A_BLOCK, _GRID_POINTS_A_BLOCK // self.factor)


@dataclass(frozen=True)
class _Stretch:
    """A piece on its way: readings in, ticks from `first` on out; `points` are its first and last grid point."""

    plan: _Plan
    t_ns: _Times
    values: _Values
    first: int
    points: tuple[int, int]
    out: _Values

    def blocks(self) -> Iterator[tuple[_Stretch, int, int]]:
        ticks, size = len(self.out), self.plan.ticks_a_block
        return ((self, start, min(start + size, ticks)) for start in range(0, ticks, size))


def _stretches(plan: _Plan, t_ns: _Times, values: _Values, starts: npt.NDArray[np.intp]) -> list[_Stretch]:
    """The pieces on which a tick falls."""
    ends = np.append(starts[1:], len(t_ns))
    from_ns, to_ns = t_ns[starts], t_ns[ends - 1]
    first, last = plan.clock.at_or_after(from_ns), plan.clock.at_or_before(to_ns)
    # Ticks and grid points are both rounded to whole ns, so the outermost tick and its grid point are both inside.
    low, high = plan.grid.at_or_after(from_ns), plan.grid.at_or_before(to_ns)
    ticks = last - first + 1
    return [
        _Stretch(
            plan,
            t_ns[starts[piece] : ends[piece]],
            values[starts[piece] : ends[piece]],
            int(first[piece]),
            (int(low[piece]), int(high[piece])),
            np.empty((ticks[piece], values.shape[1]), np.float32),
        )
        for piece in np.flatnonzero(ticks > 0)
    ]


def _checked(t_ns: _Times, values: _Values) -> tuple[_Times, _Values]:
    t_ns, values = np.ascontiguousarray(t_ns, np.int64), np.ascontiguousarray(values, np.float32)
    if t_ns.ndim != 1 or values.ndim != 2 or len(t_ns) != len(values) or not values.shape[1]:
        raise ValueError(f"t_ns of shape (n,) goes with values of shape (n, channels); given are {t_ns.shape} and {values.shape}")
    return t_ns, values


def _finite(t_ns: _Times, values: _Values) -> tuple[_Times, _Values]:
    finite = np.isfinite(values)
    if finite.all():
        return t_ns, values
    kept = finite.all(axis=1)
    return t_ns[kept], values[kept]


def _check_gap(max_gap_s: float | None) -> float:
    if max_gap_s is not None and not max_gap_s > 0:
        raise ValueError(f"max_gap_s is {max_gap_s}; it must be above 0")
    return math.inf if max_gap_s is None else max_gap_s * 1e9


def _ascending_steps(t_ns: _Times) -> npt.NDArray[np.int64]:
    steps = np.diff(t_ns)
    if len(steps) and steps.min() <= 0:
        row = int(np.argmin(steps > 0)) + 1
        raise ValueError(f"times must ascend; the reading at index {row} is not later than the one before it")
    return steps


def _plan(clock: Clock, step_ns: float) -> _Plan:
    ratio = float(clock.period_ns) / step_ns
    if ratio <= _SAME_RATE:
        return _Plan(clock, clock, 1, None, step_ns)
    # What lies at the source's Nyquist frequency folds to no lower than the new one's: factor × new − source / 2 ≥ new / 2.
    factor = min(max(2, math.ceil(ratio / 2 + 0.5)), _MOST_POINTS_A_TICK)
    return _Plan(clock, clock.finer(factor), factor, _low_pass(factor), step_ns)


@lru_cache(maxsize=64)
def _low_pass(factor: int) -> _Values:
    """A Kaiser-windowed sinc of 48 ticks' length, symmetric, with a sum of one; zeros fill it up to whole vectors."""
    reach = _REACH_TICKS * factor - 1
    position = np.arange(-reach, reach + 1)
    taps = np.sinc(CUTOFF * position / factor) * np.kaiser(len(position), _KAISER)
    vectors = math.ceil(len(taps) / 32) * 32
    return np.pad(taps / taps.sum(), (0, vectors - len(taps))).astype(np.float32)


def _work_through(blocks: Iterable[tuple[_Stretch, int, int]]) -> None:
    """Fill every block; on all cores of this process where there is work for more than one."""
    waiting = list(blocks)
    if len(waiting) < _BLOCKS_FOR_THREADS:
        for block in waiting:
            _fill(*block)
        return
    # Threads of our own, not numba's: its pools end the process when two threads enter, or after a fork.
    with ThreadPoolExecutor(_cores()) as pool:
        for _ in pool.map(lambda block: _fill(*block), waiting):
            pass


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fill(stretch: _Stretch, start: int, end: int) -> None:
    """Write ticks `start` to `end` of a stretch."""
    from ml.preprocessing import kernels

    plan, (first_point, last_point) = stretch.plan, stretch.points
    wanted = (stretch.first + start) * plan.factor - plan.reach, (stretch.first + end - 1) * plan.factor + plan.reach
    there = max(wanted[0], first_point), min(wanted[1], last_point)
    t_ns, values = _around(stretch, plan.grid.instant(there[0]), plan.grid.instant(there[1]), kernels.READINGS)
    lead_ns = float(plan.grid.instant(there[0]) - int(t_ns[0]))
    grid = np.zeros((values.shape[1], wanted[1] - wanted[0] + 1 + plan.spare), np.float32)
    known = slice(there[0] - wanted[0], there[1] - wanted[0] + 1)
    for channel in range(0, values.shape[1], kernels.CHANNELS):
        some = slice(channel, channel + kernels.CHANNELS)
        readings = _frozen(np.ascontiguousarray(values[:, some]))
        kernels.interpolate(
            t_ns, readings, lead_ns, float(plan.grid.period_ns), plan.step_ns, grid[some], known.start, known.stop - known.start
        )
    if plan.taps is None:
        np.add(grid.T, values[0], out=stretch.out[start:end])
    else:
        _reflect(grid[:, : grid.shape[1] - plan.spare], known)
        kernels.decimate(grid, plan.taps, plan.factor, values[0], stretch.out[start:end])


def _around(stretch: _Stretch, start_ns: Fraction, end_ns: Fraction, margin: int) -> tuple[_Times, _Values]:
    """The readings from one instant to another, with some more on both sides as far as the piece has them."""
    low, high = np.searchsorted(stretch.t_ns, [math.floor(start_ns), math.ceil(end_ns)])
    part = slice(max(0, int(low) - margin), int(high) + margin)
    return _frozen(stretch.t_ns[part]), _frozen(stretch.values[part])


def _frozen(array: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """A read-only view: numba compiles read-only and writable arrays apart, and so once."""
    view = array.view()
    view.flags.writeable = False
    return view


def _reflect(grid: _Values, known: slice) -> None:
    """Go on beyond the known points as their reflection in the end points, as often as it takes."""
    points = np.arange(grid.shape[1])
    unknown = np.concatenate([points[: known.start], points[known.stop :]])
    if not len(unknown):
        return
    inside = grid[:, known]
    last = inside.shape[1] - 1
    turns, place = np.divmod(unknown - known.start, max(1, 2 * last))
    back = place > last
    found = inside[:, np.where(back, 2 * last - place, place)]
    grid[:, unknown] = np.where(back, 2 * inside[:, -1:] - found, found) + turns * 2 * (inside[:, -1:] - inside[:, :1])


def _signs(unit: _Values) -> _Values:
    """One or minus one for each quaternion, so that neighbours are never more than a right angle apart in four dimensions."""
    turned = np.einsum("ij,ij->i", unit[1:], unit[:-1]) < 0
    return np.cumprod(np.concatenate([[1], np.where(turned, -1, 1)]))[: len(unit)].astype(np.float32)


def _of_unit_length(piece: Piece, t_ns: _Times, unit: _Values, clock: Clock) -> _Values:
    length = magnitude(piece.values)
    lost = np.flatnonzero(length < _LEAST_LENGTH)
    found = np.divide(piece.values, np.maximum(length, _LEAST_LENGTH)[:, np.newaxis], dtype=np.float32)
    found[lost] = unit[_nearest(t_ns, clock.ticks(piece.first_step + lost))]
    return -found if found[0, 3] < 0 else found


def _nearest(t_ns: _Times, instants: _Times) -> npt.NDArray[np.intp]:
    after = np.clip(np.searchsorted(t_ns, instants), 1, max(1, len(t_ns) - 1))
    before = after - 1
    after = np.minimum(after, len(t_ns) - 1)
    return np.where(instants - t_ns[before] <= t_ns[after] - instants, before, after)
