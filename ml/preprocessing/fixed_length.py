"""Stretches of any number of samples brought to a fixed number, and signals read at fractional positions.

Belongs here: what training, inference and augmentation do alike, on cubics (`ml.preprocessing.kernels.follow_cubics`).
Which channels there are and where segments lie is in `ml.preprocessing.tensors`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]
_Positions = npt.NDArray[np.float64]


def stretch(values: _Floats, first: _Ints, steps: _Ints, length: int) -> _Floats:
    """Bring segments of a signal to a fixed number of samples, first and last sample kept.

    A segment of as many samples or fewer is followed on cubics. Of a longer one each sample is the mean over a stretch that
    grows with the ratio r of the two numbers, √(r² - 1) samples, so that what the new samples cannot hold is damped rather
    than folded into what they can, and a ratio near one changes next to nothing.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, channels)
    first, steps : ndarray of int64, shape (n,)
        First row and number of rows of each segment; at least two.
    length : int
        At least two.

    Returns
    -------
    ndarray of float32, shape (n, length, channels)
    """
    if len(steps) and (steps == length).all():
        return _rows_from(values, first, length)
    last = (steps - 1)[:, np.newaxis].astype(np.float64)
    positions = np.arange(length) * last / (length - 1)  # exact where a sample is met
    ratio = last / (length - 1)
    halves = np.broadcast_to(np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2, positions.shape)
    return _followed(values, first, steps, positions, halves)


def _rows_from(values: _Floats, first: _Ints, length: int) -> _Floats:
    """So many rows from each first one on, shape (n, length, channels); each is one copy of memory."""
    channels = values.shape[1]
    flat = np.lib.stride_tricks.sliding_window_view(np.ascontiguousarray(values).reshape(-1), length * channels)
    return flat[first * channels].reshape(len(first), length, channels)


def resize(signals: _Floats, length: int) -> _Floats:
    """Bring signals of one length to another, as `stretch` does.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, steps, channels)
        With at least two steps.
    length : int
        At least two.

    Returns
    -------
    ndarray of float32, shape (n, length, channels)

    Examples
    --------
    >>> resize(np.array([[[0.0], [1.0], [4.0], [9.0]]], np.float32), 7).ravel().tolist()
    [0.0, 0.25, 1.0, 2.25, 4.0, 6.25, 9.0]
    """
    count, steps, channels = signals.shape
    first, same = np.arange(count, dtype=np.int64) * steps, np.full(count, steps, np.int64)
    return stretch(signals.reshape(-1, channels), first, same, length)


def read_at(signals: _Floats, positions: _Positions) -> _Floats:
    """Return signals at fractional positions, on cubics through the samples.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, steps, channels)
    positions : ndarray of float64, shape (n, length)
        For each signal, in samples from 0 to steps - 1.

    Returns
    -------
    ndarray of float32, shape (n, length, channels)
    """
    count, steps, channels = signals.shape
    first, same = np.arange(count, dtype=np.int64) * steps, np.full(count, steps, np.int64)
    return _followed(signals.reshape(-1, channels), first, same, positions, np.broadcast_to(0.0, positions.shape))


def _followed(values: _Floats, first: _Ints, steps: _Ints, positions: _Positions, halves: _Positions) -> _Floats:
    from ml.preprocessing import kernels

    out = np.empty((*positions.shape, values.shape[1]), np.float32)
    given = (np.ascontiguousarray(array) for array in (values, first, steps, positions, halves))
    kernels.follow_cubics(*map(_read_only, given), out)
    return out


def _read_only(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """A view of one kind, whether the array can be written to or not: numba compiles the two apart."""
    view = array.view()
    view.flags.writeable = False
    return view
