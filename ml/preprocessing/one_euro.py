"""The 1 € filter: a low-pass that lets more through the faster a signal moves, and looks at nothing that comes later.

Belongs here: the loop, compiled, after Casiez, Roussel and Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy
Input in Interactive Systems" (CHI 2012). Where it is asked for is in `ml.preprocessing.filters`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.preprocessing.kernels import compiled
from studies.preparation import OneEuro

_Floats = npt.NDArray[np.float32]


def follow(values: _Floats, starts: npt.NDArray[np.int64], wanted: OneEuro, *, rate_hz: float) -> _Floats:
    """Filter every axis by itself, beginning anew with each piece.

    Parameters
    ----------
    values : ndarray of float32, shape (n, axes)
    starts : ndarray of int64, shape (pieces,)
        The row that each piece begins with, the first of them 0.
    wanted : OneEuro
    rate_hz : float
        Rate of the clock, in Hz.

    Returns
    -------
    ndarray of float32, shape (n, axes)
    """
    out = np.empty(values.shape, np.float32)
    _follow(values, np.append(starts, len(values)), rate_hz, wanted.min_cutoff_hz, wanted.beta, wanted.derivative_cutoff_hz, out)
    return out


@compiled
def _follow(values, bounds, rate_hz, min_cutoff_hz, beta, derivative_cutoff_hz, out):  # type: ignore[no-untyped-def]
    steady = _weight(derivative_cutoff_hz, rate_hz)
    for piece in range(len(bounds) - 1):
        for axis in range(values.shape[1]):
            speed, place = 0.0, 0.0
            for row in range(bounds[piece], bounds[piece + 1]):
                if row == bounds[piece]:
                    place = float(values[row, axis])
                else:
                    away = values[row, axis] - place
                    speed += steady * (away * rate_hz - speed)
                    place += _weight(min_cutoff_hz + beta * abs(speed), rate_hz) * away
                out[row, axis] = place


@compiled
def _weight(cutoff_hz, rate_hz):  # type: ignore[no-untyped-def]
    """Return how much a new reading counts in an exponential low-pass with this cutoff."""
    return 1 / (1 + rate_hz / (2 * np.pi * cutoff_hz))
