"""The frame size that a container's own header states, read before any library that would make room for it.

Belongs here: the few bytes of GIF and ISO base media (MP4, QuickTime; ISO/IEC 14496-12) that hold it. It runs in the child.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

_INTO_TRACK = (b"mdia", b"minf", b"stbl", b"stsd")
_ENTRY_TO_SIZE = 8 + 32  # version and count of entries, then what stands before the width in a picture's sample entry
_HANDLER_TO_TYPE = 8

_Span = tuple[int, int]


def declared_sizes(clip: BinaryIO, container: str) -> list[tuple[int, int]]:
    """Return width and height of every picture track that the header states; empty where it states none.

    The file is left at its first byte.
    """
    if container == "gif":
        sizes = [struct.unpack("<HH", _at(clip, 6, 4).ljust(4, b"\0"))]
    elif container == "mov":
        sizes = list(_of_tracks(clip))
    else:
        sizes = []  # Matroska's is what the library itself checks
    clip.seek(0)
    return [(width, height) for width, height in sizes]


def _of_tracks(clip: BinaryIO) -> Iterator[tuple[int, int]]:
    whole = (0, clip.seek(0, os.SEEK_END))
    for movie in _inside(clip, whole, b"moov"):
        for track in _inside(clip, movie, b"trak"):
            entries = _below(clip, track, _INTO_TRACK)
            if _handler(clip, track) == b"vide" and entries is not None:
                size = _at(clip, entries[0] + _ENTRY_TO_SIZE, 4)
                if len(size) == 4:
                    yield struct.unpack(">HH", size)


def _handler(clip: BinaryIO, track: _Span) -> bytes:
    box = _below(clip, track, (b"mdia", b"hdlr"))
    return _at(clip, box[0] + _HANDLER_TO_TYPE, 4) if box else b""


def _below(clip: BinaryIO, span: _Span, path: tuple[bytes, ...]) -> _Span | None:
    """The first box at the end of a path of boxes; None if one is missing."""
    found: _Span | None = span
    for kind in path:
        found = next(_inside(clip, found, kind), None) if found else None
    return found


def _inside(clip: BinaryIO, span: _Span, kind: bytes) -> Iterator[_Span]:
    """Give where the content of each box of a kind begins and ends; boxes of impossible size end the search."""
    start, end = span
    while start + 8 <= end:
        size, name = struct.unpack(">I4s", _at(clip, start, 8).ljust(8, b"\0"))
        head = 8
        if size == 1:
            head, size = 16, int.from_bytes(_at(clip, start + 8, 8), "big")
        size = size or end - start
        if size < head:
            return
        if name == kind:
            yield start + head, min(start + size, end)
        start += size


def _at(clip: BinaryIO, place: int, count: int) -> bytes:
    clip.seek(place)
    return clip.read(count)
