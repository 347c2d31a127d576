"""Passes on a text file line by whole line, and keeps back a last line that was cut off while it was written.

Belongs here: only what the end of a file can tell. Every other line is the parser's to judge.
"""

from __future__ import annotations

import csv
import io
import re
from typing import BinaryIO

_LONGEST_LINE = 1 << 16
_READ_BYTES = 1 << 22
_LINE_ENDS = b"\r\n"
_NUMBER = re.compile(r"[+-]?\d")


class WholeLines(io.RawIOBase):
    """A binary stream without the cut last line of the one below it.

    A last line is cut off if it has fewer fields than the header, or if it has no line end and fewer digits in its last number
    than any of the lines before it (a number that lost digits which float32 can hold would be a wrong reading).

    Parameters
    ----------
    stream : binary stream
        At its first byte.
    delimiter : str
    fields : int
        Of the header.

    Attributes
    ----------
    cut : str or None
        The line that was kept back; known at the end of the stream.
    """

    def __init__(self, stream: BinaryIO, delimiter: str, fields: int) -> None:
        self.cut: str | None = None
        self._stream, self._delimiter, self._fields = stream, delimiter, fields
        self._held = self._before = self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; none only at the end."""
        while not self._ready and not self._ended:
            self._ready = self._next()
        if size < 0 or size >= len(self._ready):
            given, self._ready = self._ready, b""
        else:
            given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _next(self) -> bytes:
        """Return whole lines but the last, which is held until it is known to be the last of all."""
        chunk = self._stream.read(_READ_BYTES)
        if not chunk:
            self._ended = True
            return self._last()
        data = self._held + chunk
        start = _start_of_last_line(data)
        self._held = data[start:]
        if len(self._held) > _LONGEST_LINE:  # no line of a table of numbers: the parser shall say so
            start, self._held = len(data), b""
        self._before = data[max(0, start - _LONGEST_LINE) : start] or self._before
        return data[:start]

    def _last(self) -> bytes:
        if self._before and self._held.strip(_LINE_ENDS) and self._is_cut():
            self.cut = self._held.strip(_LINE_ENDS).decode("utf-8", errors="replace")
            return b""
        return self._held

    def _is_cut(self) -> bool:
        last = _fields_of(self._held, self._delimiter)
        if len(last) != self._fields:
            return len(last) < self._fields
        if self._held[-1] in _LINE_ENDS:
            return False
        whole = [_fields_of(line, self._delimiter)[-1] for line in self._before.splitlines()[-200:]]
        return not last[-1] or _digits(last[-1]) < min((_digits(field) for field in whole if _NUMBER.match(field)), default=0)


def _start_of_last_line(data: bytes) -> int:
    low = max(0, len(data) - _LONGEST_LINE - 2)
    stop = low + len(data[low:].rstrip(_LINE_ENDS))
    return max(low if low == 0 else 0, *(data.rfind(end, low, stop) + 1 for end in (b"\n", b"\r")))


def _fields_of(line: bytes, delimiter: str) -> list[str]:
    return next(csv.reader([line.decode("utf-8", errors="replace").rstrip("\r\n")], delimiter=delimiter), [""])


def _digits(number: str) -> int:
    return len(number.rpartition(".")[2].rpartition(",")[2])
