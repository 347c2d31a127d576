"""How wrong resampled values may be.

Belongs here: the estimate in the table `resampling`. Resampling itself is in `ml.preprocessing.resampling`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ml.preprocessing.resampling import Pace, Piece, magnitude, resample_quaternions

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]
_Method = Callable[..., list[Piece]]

#: Readings that the error is estimated on, from the middle of a stream; fewer do not tell, more tell nothing new.
_MOST, _FEWEST = 20_000, 64


def interpolation_error(t_ns: _Times, values: _Values, *, pace: Pace, method: _Method) -> float | None:
    """Return an upper estimate of the interpolation's error: by how much values differ if every second reading is taken away.

    Root mean square over the ticks of the stream's own rate and its axes, in its unit; None for fewer than 64 readings.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
    values : ndarray of float32, shape (n, axes)
    pace : Pace
        Of the stream.
    method : callable
        `resample`, or `resample_quaternions`.
    """
    if len(t_ns) < _FEWEST or not np.isfinite(pace.mean_ns):
        return None
    middle = slice(max(0, (len(t_ns) - _MOST) // 2), (len(t_ns) + _MOST) // 2)
    t_ns, values, rate_hz = t_ns[middle], values[middle], min(1e9 / pace.mean_ns, 1e6)
    full, half = (_ticks(method(t_ns[::every], values[::every], rate_hz=rate_hz, origin_ns=int(t_ns[0]))) for every in (1, 2))
    _, of_full, of_half = np.intersect1d(full[0], half[0], assume_unique=True, return_indices=True)
    if not len(of_full):
        return None
    one, other = full[1][of_full], half[1][of_half]
    apart = magnitude(one - other)
    if method is resample_quaternions:  # a quaternion and its negative are one orientation
        apart = np.minimum(apart, magnitude(one + other))
    return float(np.sqrt(np.mean(apart.astype(np.float64) ** 2) / values.shape[1]))


def _ticks(pieces: Sequence[Piece]) -> tuple[_Times, _Values]:
    if not pieces:
        return np.zeros(0, np.int64), np.zeros((0, 1), np.float32)
    steps = [piece.first_step + np.arange(len(piece.values), dtype=np.int64) for piece in pieces]
    return np.concatenate(steps), np.concatenate([piece.values for piece in pieces])
