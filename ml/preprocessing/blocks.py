"""A stream of any length brought to a uniform clock block by block, so that its length is no matter of memory.

Belongs here: blocks of readings with a margin, and the ticks of a block put after those of the one before. What a block
comes to is in `ml.preprocessing.resampling`; reading and writing tables is in `ml.preprocessing.batch`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.preprocessing.clock import Clock
from ml.preprocessing.resampling import Pace, Piece, pace_of

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]
#: Times and values of some readings in a row.
Readings = tuple[_Times, _Values]

#: More than the low-pass (24 ticks) and the interpolation (16 readings) reach.
_MARGIN = 32
#: Steps up to it take half of the memory; a longer one is a gap in any stream whose steps are typically below a second.
_SHORT_NS, _TYPICAL_NS = np.iinfo(np.uint32).max, 10**9


@dataclass(frozen=True)
class Extent:
    """A stream as a whole, of the readings that count.

    Parameters
    ----------
    pace : Pace
    first_ns, last_ns : int
        Times of its first and last reading.
    starts : ndarray of int64, shape (pieces,)
        Number of the first reading of each stretch without a gap.
    """

    pace: Pace
    first_ns: int
    last_ns: int
    starts: _Times


@dataclass(frozen=True)
class Block:
    """Ticks in a row.

    Parameters
    ----------
    step, piece : ndarray of int64, shape (n,)
        Tick, and number of the stretch without a gap, counted over all blocks.
    values : ndarray of float32, shape (n, axes)
    """

    step: _Times
    piece: npt.NDArray[np.int64]
    values: _Values


def extent_of(parts: Iterable[Readings]) -> Extent | None:
    """Look through a stream once: its pace and its gaps. None if no reading counts.

    Parameters
    ----------
    parts : iterable of (t_ns, values)
        The stream in order; times ascend.
    """
    steps: list[npt.NDArray[np.integer]] = []
    first, last = None, 0
    for t_ns, _ in map(counting, parts):
        if not len(t_ns):
            continue
        step = np.diff(t_ns) if first is None else np.diff(t_ns, prepend=last)
        typical = len(step) and np.median(step) < _TYPICAL_NS
        steps.append(np.clip(step, 0, _SHORT_NS).astype(np.uint32) if typical else step)
        first, last = int(t_ns[0]) if first is None else first, int(t_ns[-1])
    if first is None:
        return None
    together = np.concatenate(steps)
    steps.clear()
    pace = pace_of(together)
    return Extent(pace, first, last, np.append(0, np.flatnonzero(together > pace.longest_ns) + 1))


def resample_blocks(
    parts: Iterable[Readings], extent: Extent, *, rate_hz: float, origin_ns: int, method: Callable[..., list[Piece]]
) -> Iterator[Block]:
    """Yield the ticks of a stream, a block for each part; together what `method` makes of the whole stream at once.

    Parameters
    ----------
    parts : iterable of (t_ns, values)
        The same as `extent_of` looked through.
    extent : Extent
    rate_hz : float
    origin_ns : int
    method : callable
        `resample`, or `resample_quaternions`.

    Yields
    ------
    Block
    """
    clock, pace = Clock.of(rate_hz, origin_ns=origin_ns), extent.pace
    margin_ns = int(_MARGIN * (float(clock.period_ns) + min(pace.mean_ns, float(clock.period_ns))))
    t_ns, values = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
    number, done_ns, piece = 0, extent.first_ns, -1
    before: Block | None = None
    for part in map(counting, parts):
        if not len(part[0]):
            continue
        t_ns, values = (np.concatenate([t_ns, part[0]]), np.concatenate([values, part[1]])) if len(t_ns) else part
        # A stream that comes in one part is resampled at once. The margin is in readings too, where they are sparser than ticks.
        whole = int(t_ns[-1]) == extent.last_ns
        until_ns = extent.last_ns + 1 if whole else min(int(t_ns[-_MARGIN:][0]), int(t_ns[-1]) - margin_ns)
        if until_ns <= done_ns:
            continue
        found = method(t_ns, values, rate_hz=rate_hz, origin_ns=origin_ns, pace=pace)
        overlapping = _ticks_of(found)
        block = _between(overlapping, clock, done_ns, until_ns, starts=_starts_in(extent, t_ns, number))
        if len(block.step):
            if before is not None and block.piece[0] == before.piece[-1] and _turned(overlapping, before):
                block.values[block.piece == block.piece[0]] *= -1
            numbers = piece + np.cumsum(np.diff(block.piece, prepend=-1 if before is None else before.piece[-1]) != 0)
            before, piece = block, int(numbers[-1])
            yield Block(block.step, numbers, block.values)
        kept = max(0, min(int(np.searchsorted(t_ns, until_ns - margin_ns)), int(np.searchsorted(t_ns, until_ns)) - _MARGIN))
        t_ns, values, number, done_ns = t_ns[kept:], values[kept:], number + kept, until_ns


def counting(part: Readings) -> Readings:
    """Return the readings that count: finite ones, and orientations of some length."""
    t_ns, values = part
    there = np.isfinite(values).all(axis=1)
    if values.shape[1] == 4:
        there &= (values != 0).any(axis=1)
    return part if there.all() else (t_ns[there], values[there])


def _starts_in(extent: Extent, t_ns: _Times, number: int) -> tuple[int, _Times]:
    """How many pieces start before the held readings, of which the first is `number`, and when those start that do in them."""
    low, high = np.searchsorted(extent.starts, [number, number + len(t_ns)])
    return int(low), t_ns[extent.starts[low:high] - number]


def _ticks_of(pieces: list[Piece]) -> tuple[_Times, _Values]:
    if not pieces:
        return np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
    step = np.concatenate([one.first_step + np.arange(len(one.values), dtype=np.int64) for one in pieces])
    return step, np.concatenate([one.values for one in pieces])


def _turned(ticks: tuple[_Times, _Values], before: Block) -> bool:
    """Whether quaternions have the other sign than those of the block before, told by the last tick of that one."""
    step, values = ticks
    row = int(np.searchsorted(step, before.step[-1]))
    return values.shape[1] == 4 and float(values[row] @ before.values[-1]) < 0


def _between(ticks: tuple[_Times, _Values], clock: Clock, from_ns: int, until_ns: int, *, starts: tuple[int, _Times]) -> Block:
    """Ticks of a time, each with the number of its piece among all, those without a tick counted too."""
    step, values = ticks
    t_ns = clock.ticks(step)
    kept = (t_ns >= from_ns) & (t_ns < until_ns)
    piece = starts[0] + np.searchsorted(starts[1], t_ns[kept], side="right")
    return Block(step[kept], piece, values[kept])
