"""Arrays of any length: in memory while they are short, on disk as memory maps when they are long.

Belongs here: where the rows of a stream lie, and passes over them that hold one block at a time. A reader writes
`scaled(values, factor)` or `mapped(function, values)` and need not know which of the two it was given.

A long array lies in a file that has no name (``O_TMPFILE``, else unlinked as soon as it is opened): the kernel frees it with
the last array that uses it or with the process, however that ends. So nothing is ever left to clean up.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

#: Rows that a pass holds at a time: with three axes 3 MiB, which stays in a core's cache.
BLOCK_ROWS = 1 << 18

_Array = npt.NDArray[Any]


class Spooled(np.memmap[Any, Any]):
    """An array that lies in a file without a name; what is computed from it is an ordinary array."""

    folder: Path | None = None

    def __array_finalize__(self, original: Any) -> None:
        super().__array_finalize__(original)
        self.folder = getattr(original, "folder", None)


class Growing:
    """Gathers blocks of rows into one array.

    Parameters
    ----------
    dtype : dtype
    axes : int or None
        Columns of the array; None for a plain vector.
    folder : Path or None
        Where a long array is spooled; None keeps it in memory.
    """

    def __init__(self, dtype: npt.DTypeLike, axes: int | None = None, *, folder: Path | None = None) -> None:
        self.rows = 0
        self._dtype, self._axes, self._folder = np.dtype(dtype), axes, folder
        self._blocks: list[_Array] = []
        self._file = tempfile.TemporaryFile(dir=folder) if folder else None  # noqa: SIM115 - it lives as long as the array

    def add(self, block: _Array) -> None:
        """Append rows; the block may be changed by its owner afterwards only if the array is spooled."""
        self.rows += len(block)
        if self._file is None:
            self._blocks.append(block)
        else:
            self._file.write(np.ascontiguousarray(block, dtype=self._dtype).data)

    def array(self) -> _Array:
        """Return everything that was added: shape (rows,) or (rows, axes)."""
        shape = (self.rows,) if self._axes is None else (self.rows, self._axes)
        if self._file is None or self.rows == 0:
            return self._in_memory(shape)
        self._file.flush()
        with self._file as file:
            spooled = Spooled(file, dtype=self._dtype, mode="r+", shape=shape)
        spooled.folder = self._folder
        return spooled

    def _in_memory(self, shape: tuple[int, ...]) -> _Array:
        whole = np.empty(shape, dtype=self._dtype, order="F")  # column by column: every pass is over one axis after the other
        start = 0
        for block in self._blocks:
            whole[start : start + len(block)] = block
            start += len(block)
        return whole


def blocks(rows: int) -> Iterator[slice]:
    """Cut `rows` rows into slices of at most `BLOCK_ROWS`."""
    return (slice(start, min(start + BLOCK_ROWS, rows)) for start in range(0, rows, BLOCK_ROWS))


def in_blocks(*arrays: _Array) -> Iterator[tuple[_Array, ...]]:
    """Give arrays of one length block by block, as ordinary arrays that share their memory; what was seen is let go."""
    for part in blocks(len(arrays[0])):
        yield tuple(np.asarray(array[part]) for array in arrays)
        let_go(*arrays)


def let_go(*arrays: _Array) -> None:
    """Return the memory of spooled arrays to the system; their content stays in their files."""
    for array in arrays:
        mapped_file = getattr(array, "_mmap", None)
        if mapped_file is not None:
            mapped_file.madvise(mmap.MADV_DONTNEED)


def spooled_like(array: _Array) -> Path | None:
    """Return the folder that an array is spooled in, to spool another one beside it; None if it is in memory."""
    return array.folder if isinstance(array, Spooled) else None


def gathered(found: Iterable[_Array], *, like: _Array) -> _Array:
    """Gather blocks into one array with the dtype and axes of `like`, on disk if that is."""
    growing = Growing(like.dtype, like.shape[1] if like.ndim == 2 else None, folder=spooled_like(like))
    for block in found:
        growing.add(block)
    return growing.array()


def mapped(function: Callable[..., _Array], first: _Array, *others: _Array) -> _Array:
    """Apply a function to arrays of one length block by block.

    Parameters
    ----------
    function : callable
        ``(block, *blocks) -> block`` of as many rows, or fewer where it selects some.
    first, *others : ndarray
        The result has the dtype and the axes of `first`, and is on disk if `first` is.

    Examples
    --------
    >>> mapped(np.add, np.array([1.0, 2.0]), np.array([0.5, 0.5]))
    array([1.5, 2.5])
    """
    return gathered((function(*parts) for parts in in_blocks(first, *others)), like=first)


def scaled(values: _Array, factor: float | npt.ArrayLike) -> _Array:
    """Multiply by a factor, or one for each axis, in place; return the same array.

    Examples
    --------
    >>> scaled(np.array([[1.0, 2.0]]), [2.0, -1.0])
    array([[ 2., -2.]])
    """
    for (part,) in in_blocks(values):
        np.multiply(part, factor, out=part, casting="same_kind")
    return values
