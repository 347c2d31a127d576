"""Reads an array that numpy saved, from outside: numbers only, never objects, and no more than the file really holds.

Belongs here: bytes to one array on disk. What its numbers are is `ingestion.readers.keypoint_array`'s.
"""

from __future__ import annotations

import math
import struct
import tokenize
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ingestion.readers.interface import DeviceFile
from ingestion.spool import Growing
from warehouse.errors import Reason, UnreadableFile

MAGIC = b"\x93NUMPY"

_MOST_BYTES = 1 << 30
_READ_BYTES = 1 << 22
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_HEADER_FAULTS = (ValueError, TypeError, KeyError, SyntaxError, struct.error, tokenize.TokenError, RecursionError, MemoryError)
_AGAIN = "save it again with numpy.save or numpy.savez, as an array of numbers"

_Array = npt.NDArray[Any]


def read_array(file: DeviceFile, folder: Path | None) -> _Array:
    """Return the array of an ``.npy`` file or of a member of an ``.npz``.

    Parameters
    ----------
    file : DeviceFile
    folder : Path or None
        Where it is kept, as a memory map; None keeps it in memory.

    Raises
    ------
    UnreadableFile
        ``array_malformed``, ``array_of_objects``, ``array_too_large`` or ``array_cut_off``.
    """
    with file.open() as stream:
        shape, by_columns, dtype = _header(stream, file)
        claimed = math.prod(shape) * dtype.itemsize
        if claimed > _MOST_BYTES:
            sentence = f"the array says that it has {claimed / 2**20:,.0f} MiB; at most {_MOST_BYTES >> 20:,} MiB are read"
            raise _refused("array_too_large", sentence, file, "split the recording")
        flat = _numbers(stream, claimed, dtype, folder)
    if flat.nbytes != claimed:
        sentence = f"the array says that it is {shape}, {claimed:,} bytes; {flat.nbytes:,} are there"
        raise _refused("array_cut_off", sentence, file, "send the file again, in full")
    return flat.reshape(shape, order="F" if by_columns else "C")


def _header(stream: BinaryIO, file: DeviceFile) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"version {version[0]}.{version[1]} of the format is not read")
        shape, by_columns, dtype = _HEADERS[version](stream)
    except _HEADER_FAULTS as error:
        sentence = f"the file is no array that can be read: {str(error)[:200]}"
        raise _refused("array_malformed", sentence, file, _AGAIN) from error
    if dtype.hasobject:
        sentence = "the array holds Python objects; loading one would run whatever is in it, so it is never loaded"
        raise _refused("array_of_objects", sentence, file, _AGAIN)
    if dtype.kind not in "fiu" or min(shape, default=0) < 0:
        raise _refused("array_malformed", f"the array is of {dtype} and {shape}; numbers are read", file, _AGAIN)
    return shape, by_columns, dtype


def _numbers(stream: BinaryIO, claimed: int, dtype: np.dtype[Any], folder: Path | None) -> _Array:
    """Read as many whole numbers as there are, but no more than are claimed; no room is made for those that are not there."""
    growing, left = Growing(dtype, folder=folder), claimed
    while left and (chunk := stream.read(min(left, _READ_BYTES))):
        left -= len(chunk)
        growing.add(np.frombuffer(chunk[: len(chunk) // dtype.itemsize * dtype.itemsize], dtype))
    return growing.array()


def _refused(code: str, sentence: str, file: DeviceFile, remedy: str) -> UnreadableFile:
    return UnreadableFile(Reason(code, sentence, file.name, remedy))
