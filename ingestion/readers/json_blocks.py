"""Reads long JSON from outside block by block: one array of flat objects, or one object a line; says which one is broken.

Arrow parses each block into columns that are declared, and never looks at others. Belongs here: bytes to tables. What the
objects mean is each reader's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.json as pa_json

from ingestion.parallel import in_parallel
from ingestion.readers.interface import DeviceFile
from ingestion.recording import Repair
from warehouse.errors import Reason, UnreadableFile

_READ_BYTES = 1 << 22
_AT_A_TIME = 4
#: A photo that is pushed inline is a few MiB; what has no end after so much is no record.
_LONGEST_RECORD = 1 << 27
_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
#: Between two objects of an array. Not inside a text: there the quote that begins a name would have ended it.
_BETWEEN = re.compile(rb'\}\s*,\s*\{(?=\s*")')
_LOOSE = re.compile(rb"\}(?:\s+,|,\s)")
_LOOK_BACK = 1 << 16
#: Arrow 25 crashes on a block whose first value is null; behind an object null is a row like any other.
_GUARD = b"{}\n"
_ROW = re.compile(r" in row (\d+)$")

_Result = TypeVar("_Result")


class BrokenRecord(ValueError):
    """A record of a block is no JSON, or a value in it is not what it must be.

    Parameters
    ----------
    row : int
        Of the record in its block, from 0.
    sentence : str
    column : str
        Empty if the record as a whole is broken.
    """

    def __init__(self, row: int, sentence: str, column: str = "") -> None:
        super().__init__(sentence)
        self.row, self.sentence, self.column = row, sentence, column

    def reason(self, file: DeviceFile, *, before: int, remedy: str) -> Reason:
        """Return what is said of it if `before` records come before its block; the first record is 1."""
        place = f"{file.name} record {before + self.row + 1}" + (f" field {self.column}" if self.column else "")
        return Reason("json_value" if self.column else "json_not_parsed", self.sentence, place, remedy)


class Records:
    """The records of a file as blocks of whole ones, one below the other; iterate once.

    Parameters
    ----------
    file : DeviceFile

    Attributes
    ----------
    cut : str or None
        The last record if it was cut off while writing, which is not in any block; known at the end.

    Raises
    ------
    UnreadableFile
        ``json_not_array`` or ``json_too_long``, while it is iterated.
    """

    def __init__(self, file: DeviceFile) -> None:
        self.cut: str | None = None
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        with self._file.open() as stream:
            held = self._begin(stream)
            while chunk := stream.read(_READ_BYTES):
                held += chunk
                end, start = self._last_end(held)
                if end:
                    yield self._one_below_the_other(held[:end])
                    held = held[start:]
                elif len(held) > _LONGEST_RECORD:
                    sentence = f"a record has more than {_LONGEST_RECORD >> 20} MiB"
                    raise UnreadableFile(Reason("json_too_long", sentence, self._file.name, "record without the camera"))
            if rest := self._rest(held):
                yield self._one_below_the_other(rest)

    def _begin(self, stream: BinaryIO) -> bytes:
        return stream.read(_READ_BYTES).removeprefix(_BOM)

    def _last_end(self, held: bytes) -> tuple[int, int]:
        """Return where the last whole record ends and where the next one starts; zeros if none ends."""
        end = held.rfind(b"\n") + 1
        return end, end

    def _one_below_the_other(self, records: bytes) -> bytes:
        return records

    def _rest(self, held: bytes) -> bytes:
        start = max(self._last_end(held.rstrip(_BLANK)))
        whole, last = held[:start], held[start:].strip(_BLANK)
        return whole + self._if_whole(last)

    def _if_whole(self, last: bytes) -> bytes:
        try:
            json.loads(last or b"0")
        except (ValueError, RecursionError):
            self.cut = last[:80].decode("utf-8", errors="replace")
            return b""
        return last


class ArrayRecords(Records):
    """`Records` of one JSON array of flat objects."""

    def _begin(self, stream: BinaryIO) -> bytes:
        first = super()._begin(stream).lstrip(_BLANK)
        if not first.startswith(b"["):
            sentence = "the file is no JSON array: it does not begin with '['"
            raise UnreadableFile(Reason("json_not_array", sentence, self._file.name, "export the recording again from the app"))
        return first[1:]

    def _last_end(self, held: bytes) -> tuple[int, int]:
        found = list(_BETWEEN.finditer(held, max(0, len(held) - _LOOK_BACK))) or list(_BETWEEN.finditer(held))
        return (found[-1].start() + 1, found[-1].end() - 1) if found else (0, 0)

    def _one_below_the_other(self, records: bytes) -> bytes:
        return _BETWEEN.sub(b"}\n{", records) if _LOOSE.search(records) else records.replace(b'},{"', b'}\n{"')

    def _rest(self, held: bytes) -> bytes:
        rest = held.rstrip(_BLANK)
        if rest.endswith(b"]"):
            return rest[:-1].rstrip(_BLANK)
        rest = rest.rstrip(_BLANK + b",")
        end, start = self._last_end(rest)
        last = self._if_whole(rest[start:])
        if self.cut is None and not rest[start:]:
            self.cut = ""
        return rest[:end] + b"\n" + last


def tail_cut(file: DeviceFile, cut: str | None) -> tuple[Repair, ...]:
    """Return the repair of a file whose last record was cut off while writing, as `Records.cut` tells."""
    if cut is None:
        return ()
    sentence = f"the last record was cut off while writing and is left out: {cut[:60]!r}"
    return (Repair("tail_cut", sentence, file.name, rows=1, before=cut[:60]),)


def table_of(block: bytes, schema: pa.Schema) -> pa.Table:
    """Parse one block of whole records; fields that are not in the schema are skipped unread.

    Raises
    ------
    BrokenRecord
        If it is no JSON, or a field has another type than the schema's.
    """
    text = _GUARD + (block if block.isascii() else block.decode("utf-8", errors="replace").encode())
    read = pa_json.ReadOptions(use_threads=False, block_size=len(text) + 1)
    parse = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        return pa_json.read_json(pa.BufferReader(text), read_options=read, parse_options=parse).slice(1)
    except pa.ArrowInvalid as error:
        found = _ROW.search(str(error))
        raise BrokenRecord(max(0, int(found[1]) - 1) if found else 0, str(error)[:200]) from error


def in_blocks(records: Records, work: Callable[[bytes], _Result]) -> Iterator[_Result]:
    """Apply `work` to every block, in order, a few at a time on several cores."""
    blocks = iter(records)
    while some := list(islice(blocks, _AT_A_TIME)):
        yield from in_parallel(work, some, size=sum(map(len, some)))
