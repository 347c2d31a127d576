"""The identity of sensor values: equal for copies, whatever their file, time or memory layout.

Belongs here: hashing only, for whoever writes values into the lake.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

#: A stream with fewer different readings has no identity: two idle sensors are no copies of each other.
FEWEST_DISTINCT = 10

_HASH_BYTES = 16

_Values = npt.NDArray[np.float32]


def value_hash(values: _Values) -> str | None:
    """Hash sensor values, so that copies are found whatever their file, time or memory layout.

    Parameters
    ----------
    values : ndarray of float32, shape (n, channels)
        Sorted by time. All zeros are one zero and all NaN are one NaN.

    Returns
    -------
    str or None
        32 hex digits (BLAKE2b); None if there are fewer than `FEWEST_DISTINCT` different readings.
    """
    return hash_of_blocks(lambda: [values], rows=values.shape[0], channels=values.shape[1])


def hash_of_blocks(blocks: Callable[[], Iterable[_Values]], *, rows: int, channels: int) -> str | None:
    """Hash sensor values that are given in blocks of rows: the same digest as `value_hash` of all of them.

    Parameters
    ----------
    blocks : callable
        Gives all blocks of float32, shape (n, channels), anew each time that it is called: once for every channel.
    rows, channels : int
        Of all blocks together.

    Returns
    -------
    str or None
        As `value_hash`.
    """
    if not _varies(blocks()):
        return None
    digest = hashlib.blake2b(f"{rows}x{channels}:".encode(), digest_size=_HASH_BYTES)
    for axis in range(channels):
        for block in blocks():
            digest.update(_canonical(block[:, axis]).data)
    return digest.hexdigest()


def recording_hash(stream_hashes: Iterable[str | None]) -> str | None:
    """Hash the identities of a recording's streams, in any order; None if no stream has one."""
    known = sorted(filter(None, stream_hashes))
    return hashlib.blake2b(",".join(known).encode(), digest_size=_HASH_BYTES).hexdigest() if known else None


def _canonical(column: _Values) -> _Values:
    clean = np.ascontiguousarray(column) + np.float32(0)  # -0.0 + 0.0 is 0.0
    clean[np.isnan(clean)] = np.float32(np.nan)
    return clean


def _varies(blocks: Iterable[_Values]) -> bool:
    """Look for `FEWEST_DISTINCT` different readings; those that repeat the one before them need not be looked at."""
    found: _Values | None = None
    for block in blocks:
        for part in (block[:64], block):  # the first few tell nearly always
            changes = np.concatenate([part[:1], part[1:][(part[1:] != part[:-1]).any(axis=1)]])
            found = _different(changes if found is None else np.concatenate([found, changes]))
            if len(found) >= FEWEST_DISTINCT:
                return True
    return False


def _different(rows: _Values) -> _Values:
    table = np.column_stack([_canonical(rows[:, axis]) for axis in range(rows.shape[1])])
    _, index = np.unique(table.view(np.dtype((np.void, table.itemsize * table.shape[1]))), return_index=True)
    return table[index]
