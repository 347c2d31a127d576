"""Reads columns of a text table that is described from outside, block by block; if it is broken, says exactly where.

Unlike `csv_columns`, which reads what apps export, the table may have no header, lines above it, comments, blanks as delimiters
and several kinds of columns. Belongs here: text to Arrow batches. Which columns, and what they mean, is each reader's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from ingestion.readers import csv_columns
from ingestion.readers.csv_columns import BLOCK_BYTES, EXPORT_AGAIN, LONGEST_LINE
from ingestion.readers.interface import DeviceFile
from ingestion.readers.whole_lines import WholeLines
from ingestion.recording import Repair
from warehouse.errors import Reason, UnreadableFile, did_you_mean

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Layout:
    """How the table is written.

    Parameters
    ----------
    names : tuple of str
        Of all columns, in order.
    delimiter : str
        One character; a blank stands for any number of blanks and tabs.
    decimal : str
    header : bool
        The first row names the columns.
    comment : str
        Lines that begin with it are left out.
    skip_lines : int
        Lines above the table.
    """

    names: tuple[str, ...]
    delimiter: str = ","
    decimal: str = "."
    header: bool = True
    comment: str = ""
    skip_lines: int = 0


class TextTable:
    """A text table and how it is written.

    Parameters
    ----------
    file : DeviceFile
    layout : Layout
    types : mapping of str to DataType
        The columns that are wanted: int64, float32 or string.
    """

    def __init__(self, file: DeviceFile, layout: Layout, types: Mapping[str, pa.DataType]) -> None:
        self.file, self.layout, self.types = file, layout, types
        self._lines: WholeLines | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the wanted columns block by block; nothing in them is missing, every number is finite.

        Raises
        ------
        UnreadableFile
            One reason with file, row and column: ``csv_empty``, ``csv_header_unknown``, ``csv_no_rows``, ``csv_row_ragged``,
            ``csv_not_a_number``, ``csv_value_missing``, ``csv_too_large`` or ``csv_not_parsed``.
        """
        self._check()
        with self.file.open() as stream:
            self._lines = WholeLines(cast(BinaryIO, _Rows(stream, self.layout)), self.layout.delimiter, len(self.layout.names))
            try:
                for batch in self._parsed(self._lines):
                    _check_holes(batch)
                    yield batch
            except (pa.ArrowInvalid, _Hole) as error:
                raise UnreadableFile(self._first_fault() or self._not_parsed(error)) from error

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """``tail_cut`` if the last line was cut off; known once every batch was taken."""
        if self._lines is None or self._lines.cut is None:
            return ()
        sentence = f"the last line was cut off while writing and is left out: {self._lines.cut[:60]!r}"
        return (Repair("tail_cut", sentence, self.file.name, rows=1, before=self._lines.cut[:60]),)

    def place(self, row: int, column: str) -> str:
        """Name the place of a reading, counted from 0, as an editor shows it."""
        numbers = (number for number, _ in self._numbered())
        number = next((number for at, number in enumerate(numbers) if at == row), row + 1)
        return f"{self.file.name} row {number} column {column}"

    def no_rows(self) -> Reason:
        """Say that there is no reading in the table."""
        return Reason("csv_no_rows", "the table has no rows", self.file.name, EXPORT_AGAIN)

    def _check(self) -> None:
        if not self.file.size:
            raise UnreadableFile(Reason("csv_empty", "the file is empty: 0 bytes", self.file.name, EXPORT_AGAIN))
        csv_columns.check_size(self.file, csv_columns.MOST_BYTES)
        for name in self.types:
            if (found := self.layout.names.count(name)) != 1:
                what = f"column '{name}' is there {found} times" if found else f"column '{name}' is not there"
                sentence = f"{what}{did_you_mean(name, self.layout.names) if not found else ''}"
                remedy = "correct the columns that the study names under formats, or export the file again"
                raise UnreadableFile(Reason("csv_header_unknown", sentence, self.file.name, remedy))

    def _parsed(self, lines: WholeLines) -> Iterator[pa.RecordBatch]:
        if not self.file.head.strip():
            return iter(())
        convert = pa_csv.ConvertOptions(
            include_columns=list(self.types), column_types=dict(self.types), decimal_point=self.layout.decimal
        )
        read = pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=self.layout.names)
        parse = pa_csv.ParseOptions(delimiter=self.layout.delimiter)
        try:
            return pa_csv.open_csv(pa.PythonFile(lines, "r"), read_options=read, parse_options=parse, convert_options=convert)
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return iter(())
            raise

    def _first_fault(self) -> Reason | None:
        """Walk the lines until one breaks the rules; only ever called for a file that is known to be broken."""
        wanted = [(self.layout.names.index(name), name, kind) for name, kind in self.types.items()]
        for number, fields in self._numbered():
            place = f"{self.file.name} row {number}"
            if len(fields) != len(self.layout.names):
                sentence = f"the row has {len(fields)} fields, the table has {len(self.layout.names)} columns"
                return Reason("csv_row_ragged", sentence, place, "mend or remove the row: it was probably cut off while writing")
            for index, name, kind in wanted:
                if fault := self._faulty(fields[index], kind, f"{place} column {name}"):
                    return fault
        return None

    def _faulty(self, field: str, kind: pa.DataType, place: str) -> Reason | None:
        if pa.types.is_floating(kind):
            return csv_columns.faulty_number(field, self.layout.decimal, place)
        if pa.types.is_integer(kind):
            return csv_columns.faulty_integer(field, place)
        return None if field.strip() else Reason("csv_value_missing", "the value is missing", place, "mend or remove the row")

    def _numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Give the fields of every row of the table with the number of its line in the file."""
        layout, skip = self.layout, self.layout.skip_lines
        header = layout.header
        with self.file.open() as stream:
            for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE), b""), start=1):
                if number <= skip or not line.strip() or _is_comment(line, layout):
                    continue
                if header:
                    header = False
                    continue
                yield number, _fields_of(line, layout.delimiter)

    def _not_parsed(self, error: Exception) -> Reason:
        sentence = f"the file is no table that can be read: {str(error)[:200]}"
        return Reason("csv_not_parsed", sentence, self.file.name, EXPORT_AGAIN)


def header_names(file: DeviceFile, layout: Layout) -> tuple[str, ...]:
    """Return the names in the header of a table whose `layout` does not know them yet."""
    lines = file.head.removeprefix(_BOM).splitlines()[layout.skip_lines :]
    first = next((line for line in lines if line.strip() and not _is_comment(line, layout)), b"")
    return tuple(field.strip() for field in _fields_of(first, layout.delimiter))


class _Hole(ValueError):
    """A value is missing or not finite; caught where the slow pass finds out which."""


class _Rows:
    """A binary stream of the table's rows alone: no header, comments or lines above it, one blank between cells."""

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        self._stream, self._layout = stream, layout
        self._above, self._header, self._rest = layout.skip_lines, layout.header, b""

    def read(self, _size: int = -1, /) -> bytes:
        """Return whole rows, however many; none only at the end."""
        while True:
            chunk = self._stream.read(BLOCK_BYTES)
            data = self._rest + chunk
            stop = data.rfind(b"\n") + 1 if chunk and len(data) < BLOCK_BYTES + LONGEST_LINE else len(data)
            self._rest = data[stop:]
            rows = self._rows(data[:stop])
            if rows or not chunk:
                return rows

    def _rows(self, data: bytes) -> bytes:
        while self._above and data:
            data, self._above = data.partition(b"\n")[2], self._above - 1
        data = self._without_comments(data)
        if self._layout.delimiter == " ":
            data = _with_single_blanks(data)
        if self._header and data:
            data = data.removeprefix(_BOM).lstrip(b"\r\n")
            data, self._header = data.partition(b"\n")[2], not data
        return data

    def _without_comments(self, data: bytes) -> bytes:
        mark = self._layout.comment.encode()
        if not mark or mark not in data:
            return data
        return re.sub(rb"(?m)^" + re.escape(mark) + rb"[^\n]*(?:\n|\Z)", b"", data)


def _with_single_blanks(data: bytes) -> bytes:
    data = data.replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.replace(b" \r\n", b"\r\n").replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")


def _is_comment(line: bytes, layout: Layout) -> bool:
    return bool(layout.comment) and line.startswith(layout.comment.encode())


def _fields_of(line: bytes, delimiter: str) -> list[str]:
    text = line.decode("utf-8", errors="replace").rstrip("\r\n").partition("\r")[0]  # Arrow takes that for the end of a row
    return text.split() if delimiter == " " else next(csv.reader([text], delimiter=delimiter), [])


def _check_holes(batch: pa.RecordBatch) -> None:
    for column in batch.columns:
        if column.null_count or (pa.types.is_floating(column.type) and not np.isfinite(column.to_numpy()).all()):
            raise _Hole("a value is missing or not finite")
