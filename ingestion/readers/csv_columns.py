"""Reads a time column and a few number columns out of a CSV, fast; if it is broken, says exactly where.

The fast path is Arrow's parser with declared types. Only when that fails, or leaves a hole, a slow pass walks the lines
and names the row and column. Belongs here: text to arrays. What columns mean and in which unit is each reader's.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from ingestion.readers.interface import DeviceFile
from warehouse.errors import Reason, UnreadableFile, did_you_mean

#: Last allowed time stamp: 2100-01-01 UTC. Later ones, and those before 1970, are no times but damage.
LATEST_NS = 4_102_444_800_000_000_000

#: A CSV with more text is refused: a day at 100 Hz is about a third of it, and hostile archives unpack to much more.
MOST_BYTES = 2 << 30

_MOST_TEXT_BYTES = 16 << 20
_BLOCK_BYTES = 1 << 22
_LONGEST_LINE = 1 << 16
_INTEGER = re.compile(r"[+-]?\d+")
_SPREADSHEET = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
_EXPORT_AGAIN = "export the file again from the app, and do not open it in a spreadsheet on the way"

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Header:
    """The first line of a CSV: column names without byte order mark and blanks, and how the rows are written."""

    names: tuple[str, ...]
    delimiter: str = ","
    decimal_point: str = "."


def header_of(head: bytes) -> Header:
    """Read the header from the first bytes of a file.

    Comma, semicolon and tab are told apart, and with semicolons the decimal comma.

    Examples
    --------
    >>> header_of(b"time;x\\r\\n17;0,5\\r\\n")
    Header(names=('time', 'x'), delimiter=';', decimal_point=',')
    """
    lines = re.split(rb"\r\n|\r|\n", head.removeprefix(b"\xef\xbb\xbf"), maxsplit=2)
    line = lines[0].decode("utf-8", errors="replace")
    delimiter = max(",;\t", key=line.count)
    names = tuple(name.strip().strip('"').strip() for name in line.split(delimiter))
    decimal_comma = delimiter != "," and len(lines) > 1 and b"," in lines[1]
    return Header(names, delimiter, "," if decimal_comma else ".")


def read_columns(file: DeviceFile, *, time: str, ns_per_tick: int, axes: Sequence[str]) -> tuple[_Times, _Values]:
    """Read the time column and the axes of a CSV, by name; other columns are not parsed.

    Parameters
    ----------
    file : DeviceFile
    time : str
        Column of whole ticks since 1970-01-01 UTC.
    ns_per_tick : int
        Nanoseconds of a tick: 1 for nanoseconds, 1,000,000 for milliseconds.
    axes : sequence of str
        Columns of decimal numbers, in the order wanted.

    Returns
    -------
    t_ns : ndarray of int64, shape (n,)
        Nanoseconds since 1970-01-01 UTC, exact, in the file's order.
    values : ndarray of float32, shape (n, len(axes))
        As written, stored column by column (Fortran order); all finite.

    Raises
    ------
    UnreadableFile
        One reason with file, row (the header is row 1) and column: ``csv_empty``, ``csv_header_unknown``, ``csv_no_rows``,
        ``csv_row_ragged``, ``csv_not_a_number``, ``csv_value_missing``, ``csv_not_parsed`` or ``time_out_of_range``.
    """
    header = header_of(file.head)
    _check_header(file, header, (time, *axes))
    try:
        table = _parsed(file, header, time, axes)
    except pa.ArrowInvalid as error:
        raise UnreadableFile(_first_fault(file, header, time, axes) or _not_parsed(file, error)) from error
    if table.num_rows == 0:
        raise UnreadableFile(_no_rows(file))
    values = np.empty((table.num_rows, len(axes)), dtype=np.float32, order="F")
    for index, axis in enumerate(axes):
        values[:, index] = table[axis].to_numpy()
    if any(column.null_count for column in table.columns) or not np.isfinite(values).all():
        fault = _first_fault(file, header, time, axes)
        raise UnreadableFile(fault or _not_parsed(file, ValueError("a value is missing or not finite")))
    return _nanoseconds(file, table[time].to_numpy(), time, ns_per_tick), values


def text_rows(file: DeviceFile) -> list[dict[str, str]]:
    """Read a small CSV of texts (metadata, annotations) as one mapping a row, by column name.

    Raises
    ------
    UnreadableFile
        If it is no CSV (``csv_not_parsed``) or larger than 16 MiB (``csv_too_large``).
    """
    _check_size(file, _MOST_TEXT_BYTES)
    header = header_of(file.head)
    with file.open() as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        rows = csv.DictReader(text, delimiter=header.delimiter, restkey="", restval="")
        try:
            return [{name.strip(): value for name, value in row.items() if name} for row in rows]
        except csv.Error as error:
            raise UnreadableFile(_not_parsed(file, error)) from error


def _check_header(file: DeviceFile, header: Header, wanted: Iterable[str]) -> None:
    if not file.head:
        raise UnreadableFile(Reason("csv_empty", "the file is empty: 0 bytes, not even a header", file.name, _EXPORT_AGAIN))
    _check_size(file, MOST_BYTES)
    for name in wanted:
        found = header.names.count(name)
        if found != 1:
            given = ", ".join(header.names[:12])
            what = f"column '{name}' is not in the header" if found == 0 else f"column '{name}' is in the header {found} times"
            sentence = f"{what} ({given}){did_you_mean(name, header.names) if found == 0 else ''}"
            raise UnreadableFile(Reason("csv_header_unknown", sentence, f"{file.name} row 1", _EXPORT_AGAIN))


def _check_size(file: DeviceFile, most: int) -> None:
    if file.size > most:
        sentence = f"the file is {file.size / 2**20:,.0f} MiB of text; at most {most / 2**20:,.0f} MiB are read"
        raise UnreadableFile(Reason("csv_too_large", sentence, file.name, "split the recording"))


def _parsed(file: DeviceFile, header: Header, time: str, axes: Sequence[str]) -> pa.Table:
    convert = pa_csv.ConvertOptions(
        include_columns=[time, *axes],
        column_types={time: pa.int64(), **dict.fromkeys(axes, pa.float32())},
        decimal_point=header.decimal_point,
    )
    read = pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, skip_rows=1, column_names=header.names)
    parse = pa_csv.ParseOptions(delimiter=header.delimiter)
    with file.open() as stream:
        return pa_csv.read_csv(pa.PythonFile(stream, "r"), read_options=read, parse_options=parse, convert_options=convert)


def _nanoseconds(file: DeviceFile, ticks: _Times, column: str, ns_per_tick: int) -> _Times:
    latest = LATEST_NS // ns_per_tick
    if ticks.min() < 0 or ticks.max() >= latest:
        row = int(np.argmax((ticks < 0) | (ticks >= latest)))
        sentence = f"time stamp {ticks[row]} is not between 1970 and 2100 in units of {ns_per_tick} ns"
        raise UnreadableFile(Reason("time_out_of_range", sentence, f"{file.name} row {row + 2} column {column}", _EXPORT_AGAIN))
    return ticks * np.int64(ns_per_tick) if ns_per_tick != 1 else ticks


def _first_fault(file: DeviceFile, header: Header, time: str, axes: Sequence[str]) -> Reason | None:
    """Walk the lines until one breaks the rules; only ever called for a file that is known to be broken."""
    integers, numbers = header.names.index(time), {header.names.index(axis): axis for axis in axes}
    row = 0
    with file.open() as stream:
        for row, fields in _rows(stream, header.delimiter):
            place = f"{file.name} row {row}"
            if len(fields) != len(header.names):
                sentence = f"the row has {len(fields)} fields, the header has {len(header.names)}"
                return Reason("csv_row_ragged", sentence, place, "mend or remove the row: it was probably cut off while writing")
            if fault := _faulty_integer(fields[integers], f"{place} column {time}"):
                return fault
            for index, axis in numbers.items():
                if fault := _faulty_number(fields[index], header.decimal_point, f"{place} column {axis}"):
                    return fault
    return None if row else _no_rows(file)


def _no_rows(file: DeviceFile) -> Reason:
    return Reason("csv_no_rows", "the file has a header and no rows", file.name, _EXPORT_AGAIN)


def _rows(stream: BinaryIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")
    lines = csv.reader(iter(lambda: text.readline(_LONGEST_LINE), ""), delimiter=delimiter)
    next(lines)
    yield from ((lines.line_num, fields) for fields in lines if fields)


def _faulty_integer(field: str, place: str) -> Reason | None:
    text = field.strip()
    if not text:
        return Reason("csv_value_missing", "the time stamp is missing", place, "mend or remove the row")
    if _SPREADSHEET.fullmatch(text):
        sentence = f"'{text}' is a rounded number as spreadsheets write it; a time stamp must be whole and exact"
        return Reason("csv_not_a_number", sentence, place, _EXPORT_AGAIN)
    if not _INTEGER.fullmatch(text) or abs(int(text[:20])) >= 2**63:
        return Reason("csv_not_a_number", f"{text[:40]!r} is not a whole number that fits a time stamp", place, _EXPORT_AGAIN)
    return None


def _faulty_number(field: str, decimal_point: str, place: str) -> Reason | None:
    text = field.strip().replace(decimal_point, ".")
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return Reason("csv_not_a_number", f"{field[:40]!r} is not a number", place, _EXPORT_AGAIN)
    if math.isfinite(value) and abs(value) <= float(np.finfo(np.float32).max):
        return None
    what = f"'{text}' is not a finite number" if text else "the value is missing"
    return Reason("csv_value_missing", what, place, "mend or remove the row, or export the recording again")


def _not_parsed(file: DeviceFile, error: Exception) -> Reason:
    return Reason("csv_not_parsed", f"the file is not a CSV that can be read: {str(error)[:200]}", file.name, _EXPORT_AGAIN)
