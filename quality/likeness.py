"""Whether two streams hold the same values over a stretch, told by the samples themselves.

Belongs here: two arrays and an offset. Which streams are worth comparing is told by `quality.matches`, what follows from it by
`quality.copies`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Two stretches are the same if what is left between them is at most this share of how much they vary (root mean square) ...
MOST_LEFT = 0.08
#: ... and of how much they change from row to row: rounding leaves more there, a mere likeness of shape far more.
MOST_LEFT_OF_STEPS = 0.5
#: Fewer rows, or fewer that differ from the one before them, prove nothing.
FEWEST_ROWS = 32

_ASIDE = (0, -1, 1, -2, 2)
_LOOKED_AT = 1024
_WIDEST = 4.0
_ROUNDING = 1e-5

_Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """Rows that two streams have in common.

    Parameters
    ----------
    first, other_first : int
        Row of either stream at which it begins, from 0.
    rows : int
        How long it is.
    factor : float
        What the other stream's values are multiplied by to give these.
    left : float
        Root mean square of what then is left between the two, as a share of how much the values vary; 0 if nothing is.
    """

    first: int
    other_first: int
    rows: int
    factor: float
    left: float


def common_stretch(own: _Values, other: _Values, *, offset: int, first: int, last: int) -> Stretch | None:
    """Find the longest run of rows around a place in which two streams hold the same values, but for a factor and rounding.

    Parameters
    ----------
    own, other : ndarray of float64, shape (n, channels) and (m, channels)
        Without NaN.
    offset : int
        Row of `own` less the row of `other` that is thought to be the same; two more or less are tried as well.
    first, last : int
        Rows of `own` between which the two are thought to be the same.

    Returns
    -------
    Stretch or None
        None if they are not the same there, or the stretch is too short or too still to tell.
    """
    if own.shape[1] != other.shape[1]:
        return None
    middle = (first + last) // 2
    first, last = max(first, middle - _LOOKED_AT), min(last, middle + _LOOKED_AT)
    tried = [_compared(own, other, offset + aside, first, last) for aside in _ASIDE]
    found = [one for one in tried if one is not None]
    if not found:
        return None
    _, shift, factor, tolerance = min(found)
    run = _run(own, other, shift, factor, tolerance)
    return _judged(own[run], other[run.start - shift : run.stop - shift], run, shift)


def _compared(own: _Values, other: _Values, shift: int, first: int, last: int) -> tuple[float, int, float, float] | None:
    start, stop = max(first, shift, 0), min(last, len(own), len(other) + shift)
    if stop - start < 2:
        return None
    a, b = own[start:stop], other[start - shift : stop - shift]
    factor = _factor(a, b)
    if not factor > 0:
        return None
    left = a - factor * b
    return _share(left, a), shift, factor, _WIDEST * _rms(left) + _ROUNDING * float(np.abs(a).max())


def _run(own: _Values, other: _Values, shift: int, factor: float, tolerance: float) -> slice:
    start, stop = max(shift, 0), min(len(own), len(other) + shift)
    differs = (np.abs(own[start:stop] - factor * other[start - shift : stop - shift]) > tolerance).any(axis=1)
    ends = np.concatenate([[-1], np.flatnonzero(differs), [stop - start]])
    longest = int(np.argmax(np.diff(ends)))
    return slice(start + int(ends[longest]) + 1, start + int(ends[longest + 1]))


def _judged(a: _Values, b: _Values, run: slice, shift: int) -> Stretch | None:
    if len(a) < FEWEST_ROWS or min(_changes(a), _changes(b)) < FEWEST_ROWS:
        return None
    factor = _factor(a, b)
    left = a - factor * b
    share = _share(left, a)
    if share > MOST_LEFT or _rms(np.diff(left, axis=0)) > MOST_LEFT_OF_STEPS * _rms(np.diff(a, axis=0)):
        return None
    return Stretch(run.start, run.start - shift, len(a), factor, share)


def _factor(a: _Values, b: _Values) -> float:
    square = float(np.vdot(b, b))
    return float(np.vdot(a, b)) / square if square > 0 else 0.0


def _share(left: _Values, values: _Values) -> float:
    varies = _rms(values - values.mean(axis=0))
    return _rms(left) / varies if varies > 0 else np.inf


def _rms(values: _Values) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0


def _changes(values: _Values) -> int:
    return int(np.count_nonzero((values[1:] != values[:-1]).any(axis=1)))
