"""Times of readings that a device writes in blocks with one time stamp each, as clinical loggers do.

Belongs here: from block stamps to a stamp for every reading. How a device writes its stamps is in that device's reader.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_NS_PER_S = 1_000_000_000
#: A block whose successor starts later or earlier than this share of its length is not followed without a pause.
_TOLERANCE = 0.5

_Ints = npt.NDArray[np.int64]


def reading_times(start_ns: _Ints, counts: _Ints, *, rate_hz: float) -> _Ints:
    """Spread each block's readings evenly up to the next block's start, so that the device's own clock sets the pace.

    The last block, and one that a pause or a step back follows, keep the nominal rate.

    Parameters
    ----------
    start_ns : ndarray of int64, shape (blocks,)
        Time of each block's first reading, ns.
    counts : ndarray of int64, shape (blocks,)
        Readings of each block, at least 1.
    rate_hz : float
        Nominal sampling rate.

    Returns
    -------
    ndarray of int64, shape (sum of counts,)
        Nanoseconds.

    Examples
    --------
    >>> reading_times(np.array([0, 2_000_000_000]), np.array([2, 2]), rate_hz=1.1).tolist()
    [0, 1000000000, 2000000000, 2909090909]
    """
    nominal = counts * (_NS_PER_S / rate_hz)
    lengths = nominal.copy()
    to_next = np.diff(start_ns)
    followed = np.abs(to_next - nominal[:-1]) <= _TOLERANCE * nominal[:-1]
    lengths[:-1][followed] = to_next[followed]
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.rint(inside * np.repeat(lengths / counts, counts)).astype(np.int64)
    return np.repeat(start_ns, counts) + offsets
