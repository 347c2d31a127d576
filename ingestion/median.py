"""The exact median of more whole numbers than fit into memory, by narrowing histograms: a few passes, no sorting.

Belongs here: order statistics over blocks, nothing about streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

#: So many numbers are looked at as they are.
FITS = 1 << 22

_BUCKETS = 1 << 16

_Whole = npt.NDArray[np.int64]
_Parts = Callable[[], Iterable[_Whole]]


def exact_median(parts: _Parts, count: int) -> float:
    """Return the median of whole numbers that are given block by block.

    Parameters
    ----------
    parts : callable
        Gives all blocks of int64 anew each time that it is called.
    count : int
        How many numbers there are; at least one.

    Returns
    -------
    float
        As ``numpy.median`` of all of them.

    Examples
    --------
    >>> exact_median(lambda: [np.array([5, 1]), np.array([9, 2])], 4)
    3.5
    """
    if count <= FITS:
        return float(np.median(np.concatenate(list(parts()))))
    lower, upper = (count - 1) // 2, count // 2
    middle = _nth(parts, lower)
    return middle if lower == upper else (middle + _nth(parts, upper)) / 2


def _nth(parts: _Parts, rank: int) -> float:
    """Return the number of this rank, from 0: histograms of the range that holds it, until what is in it fits."""
    low, high = (int(edge) for edge in _range(parts))
    while high > low:
        width = (high - low) // _BUCKETS + 1
        counts = np.zeros(_BUCKETS + 1, dtype=np.int64)
        for part in parts():
            inside = part[(part >= low) & (part <= high)]
            counts += np.bincount((inside - low) // width, minlength=_BUCKETS + 1)
        bucket = int(np.searchsorted(np.cumsum(counts), rank, side="right"))
        rank -= int(counts[:bucket].sum())
        low, high = low + bucket * width, min(high, low + (bucket + 1) * width - 1)
        if counts[bucket] <= FITS and high > low:
            found = np.concatenate([part[(part >= low) & (part <= high)] for part in parts()])
            return float(np.partition(found, rank)[rank])
    return float(low)


def _range(parts: _Parts) -> tuple[int, int]:
    edges = [(part.min(), part.max()) for part in parts() if part.size]
    return min(low for low, _ in edges), max(high for _, high in edges)
