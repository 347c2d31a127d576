"""Spreads the work on one recording over the cores, where it is large enough to be worth it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_WORTH_A_THREAD_BYTES = 1 << 20

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_parallel(work: Callable[[_Item], _Result], items: Sequence[_Item], *, size: int) -> list[_Result]:
    """Apply `work` to every item, in order; on several cores if there are `size` bytes to work on that are worth it.

    For work in Arrow's parser, zlib and NumPy, which release the interpreter's lock: threads are enough.

    Parameters
    ----------
    work : callable
    items : sequence
    size : int
        Bytes of all items together.

    Returns
    -------
    list
        One result for each item, in the order of `items`.

    Raises
    ------
    Exception
        What `work` raises for the first item that fails.
    """
    if len(items) < 2 or size < _WORTH_A_THREAD_BYTES:
        return [work(item) for item in items]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))
