"""The identity of sensor values: equal for copies, whatever their file, time or memory layout.

Belongs here: hashing only, for whoever writes values into the lake.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

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
    columns = [_canonical(values[:, axis]) for axis in range(values.shape[1])]
    if not _varies(columns):
        return None
    digest = hashlib.blake2b(f"{values.shape[0]}x{values.shape[1]}:".encode(), digest_size=_HASH_BYTES)
    for column in columns:
        digest.update(column.data)
    return digest.hexdigest()


def recording_hash(stream_hashes: Iterable[str | None]) -> str | None:
    """Hash the identities of a recording's streams, in any order; None if no stream has one."""
    known = sorted(filter(None, stream_hashes))
    return hashlib.blake2b(",".join(known).encode(), digest_size=_HASH_BYTES).hexdigest() if known else None


def _canonical(column: _Values) -> _Values:
    clean = np.ascontiguousarray(column) + np.float32(0)  # -0.0 + 0.0 is 0.0
    clean[np.isnan(clean)] = np.float32(np.nan)
    return clean


def _varies(columns: list[_Values]) -> bool:
    """Look for `FEWEST_DISTINCT` different rows, in the first few before in all: sorting every row is dear and rarely needed."""
    for rows in (64, 4096, None):
        table = np.column_stack([column[:rows] for column in columns])
        if np.unique(table.view(np.dtype((np.void, table.itemsize * table.shape[1])))).size >= FEWEST_DISTINCT:
            return True
    return False
