"""Marks of a stream that stay where its values are shifted in time, rounded, rescaled or cut: what copies are looked up by.

Belongs here: the marks, for whoever writes values into the lake. They are hints: whether two streams that share some are copies
is told by their samples, in `quality.likeness`. They are looked up in `warehouse.fingerprint_index`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Crossings of one mark: six steps between seven.
_STEPS = 6
#: Seconds of the slow mean that the fast one crosses, and by how much shorter the fast one is.
_SLOW_S = 1.25
_FASTER = 16
_SHORTEST, _LONGEST = 32, 1024
#: A mark lasts at least this share of the slow mean: shorter ones are noise.
_LEAST_SPAN = 4
#: One mark is kept of all that begin within this share of the slow mean, on either side.
_THINNED = 8
#: Below this share of the largest value a difference of means is nothing but its own rounding.
_NOTHING = 1e-6
#: Rows that are widened to float64 at a time, and by which pieces of a long stream overlap on either side.
_BLOCK_ROWS = 1 << 18
#: Rows that are marked at a time. A multiple of `_BLOCK_ROWS`, so that pieces change no block.
_PIECE_ROWS = 1 << 21

_Ints = npt.NDArray[np.int64]
_Hashes = npt.NDArray[np.uint64]
_Part = Callable[[int, int], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Fingerprints:
    """Marks of one stream.

    Parameters
    ----------
    positions : ndarray of int64, shape (n,)
        Row at which each begins, increasing.
    hashes : ndarray of int64, shape (n,)
        What it looks like.
    """

    positions: _Ints
    hashes: _Ints


NO_FINGERPRINTS = Fingerprints(np.zeros(0, np.int64), np.zeros(0, np.int64))


def fingerprints(values: npt.NDArray[np.float32], rate_hz: float | None) -> Fingerprints:
    """Mark a stream, about three marks in the length of its slow mean (1.25 s, at least 32 rows).

    On each axis a fast running mean crosses a slow one; a mark is the steps in rows between seven such crossings, and on which
    side the other axes are half-way. Neither a factor nor an offset nor what lies further away has a part in it, and rounding
    moves a crossing only where the values hardly change. As in audio fingerprinting [1]_, a word that short is no proof; as in
    document fingerprinting [2]_, the smallest hash of each neighbourhood is kept, so that two streams which share a stretch keep
    the same marks of it.

    Parameters
    ----------
    values : ndarray of float32, shape (n, channels)
        Sorted by time.
    rate_hz : float or None
        Rate of the readings; without it there are no marks.

    References
    ----------
    .. [1] Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002.
    .. [2] Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003.
    """
    return fingerprints_of_parts(lambda start, stop: values[start:stop], rows=len(values), rate_hz=rate_hz)


def fingerprints_of_parts(part: _Part, *, rows: int, rate_hz: float | None) -> Fingerprints:
    """Mark a stream that need not be in memory: the same marks as `fingerprints` of all of it.

    Only a mark that lasts longer than 262,144 rows may be missed: hardly anything moved for that long.

    Parameters
    ----------
    part : callable
        ``(start, stop) -> values`` gives float32, shape (stop - start, channels), sorted by time.
    rows : int
        Of the whole stream.
    rate_hz : float or None
        As for `fingerprints`.
    """
    if rate_hz is None or not np.isfinite(rate_hz):
        return NO_FINGERPRINTS
    slow = int(np.clip(2.0 ** np.round(np.log2(_SLOW_S * rate_hz)), _SHORTEST, _LONGEST))
    if rows < slow + _STEPS + 1:
        return NO_FINGERPRINTS
    pieces = [_piece(part, start, rows=rows, slow=slow) for start in range(0, rows, _PIECE_ROWS)]
    return Fingerprints(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def _piece(part: _Part, start: int, *, rows: int, slow: int) -> tuple[_Ints, _Ints]:
    """Mark the rows of one piece, looking at a block before and after it."""
    first, stop = max(start - _BLOCK_ROWS, 0), min(start + _PIECE_ROWS + _BLOCK_ROWS, rows)
    begins = range(first, stop - slow, _BLOCK_ROWS)
    above = np.concatenate([_above(part(begin, min(begin + _BLOCK_ROWS + slow, stop)), slow) for begin in begins])
    marks = [_marks(above, axis, slow) for axis in range(above.shape[1])]
    positions, hashes = (np.concatenate(column) for column in zip(*marks, strict=True))
    if not hashes.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort((hashes, positions))
    positions, hashes = positions[order] + first, hashes[order]
    inside = (positions >= start) & (positions < start + _PIECE_ROWS)
    kept = _thinned(positions, hashes, slow // _THINNED) & inside
    return positions[kept] + slow // 2, hashes[kept].view(np.int64)


def _above(values: npt.NDArray[np.float32], slow: int) -> npt.NDArray[np.bool_]:
    """Tell of every row and axis, half a slow mean from either end, whether the fast mean lies above the slow one."""
    fast, count = slow // _FASTER, len(values) - slow
    first = (slow - fast) // 2
    above = np.empty((count, values.shape[1]), dtype=np.bool_)
    for axis in range(values.shape[1]):
        clean = np.nan_to_num(values[:, axis], posinf=0, neginf=0)
        sums = np.zeros(len(clean) + 1)
        np.cumsum(clean, dtype=np.float64, out=sums[1:])
        short = sums[first + fast : first + fast + count] - sums[first : first + count]
        long = sums[slow : slow + count] - sums[:count]
        above[:, axis] = short * _FASTER - long > _NOTHING * slow * max(clean.max(), -clean.min())
    return above


def _marks(above: npt.NDArray[np.bool_], axis: int, slow: int) -> tuple[_Ints, _Hashes]:
    crossings = np.flatnonzero(above[1:, axis] != above[:-1, axis]) + 1
    if crossings.size <= _STEPS:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    starts, steps = crossings[:-_STEPS], np.diff(crossings)
    middles = (crossings[:-1] + crossings[1:]) // 2
    sides = above[middles] @ (1 << np.arange(above.shape[1], dtype=np.int64))
    hashes = np.full(starts.size, axis, np.uint64)
    for ahead in range(_STEPS):
        part = slice(ahead, ahead + starts.size)
        hashes = _mixed(hashes, steps[part] // max(slow // 64, 1))
        hashes = _mixed(hashes, sides[part])
    lasting = crossings[_STEPS:] - starts >= slow // _LEAST_SPAN
    return starts[lasting], hashes[lasting]


def _mixed(hashes: _Hashes, more: _Ints) -> _Hashes:
    """Stir another number into each hash (the finaliser of splitmix64)."""
    mixed = (hashes ^ more.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _thinned(positions: _Ints, hashes: _Hashes, reach: int) -> npt.NDArray[np.bool_]:
    """Keep what has the smallest hash within `reach` rows on either side."""
    first = np.searchsorted(positions, positions - reach, side="left")
    end = np.searchsorted(positions, positions + reach, side="right")
    padded = np.append(hashes, np.iinfo(np.uint64).max)
    smallest = np.minimum.reduceat(padded, np.stack([first, end], axis=1).ravel())[::2]
    return np.asarray(hashes == smallest)
