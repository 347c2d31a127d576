"""Reads a time column and a few number columns out of a CSV of any length, fast; if it is broken, says exactly where.

The fast path is Arrow's parser with declared types, block by block; the columns of a long file are spooled to disk. Only
when that fails, or leaves a hole, a slow pass walks the lines and names the row and column. Belongs here: text to arrays.
What columns mean and in which unit is each reader's; a last line that was cut off is `ingestion.readers.whole_lines`.
"""

from __future__ import annotations

import csv
import io
import math
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from ingestion.readers.interface import DeviceFile
from ingestion.readers.whole_lines import WholeLines
from ingestion.recording import Repair
from ingestion.spool import Growing
from warehouse.errors import Reason, UnreadableFile, did_you_mean

#: Last allowed time stamp: 2100-01-01 UTC. Later ones, and those before 1970, are no times but damage.
LATEST_NS = 4_102_444_800_000_000_000

#: A CSV with more text is refused: a week at 100 Hz is a tenth of it.
MOST_BYTES = 64 << 30
#: The columns of a CSV with more text are spooled to disk: about a million readings.
SPOOLED_FROM_BYTES = 96 << 20

_MOST_TEXT_BYTES = 16 << 20
_LONGEST_NAME = 60
#: Text that the parser is given at a time.
BLOCK_BYTES = 1 << 22
#: No line of a table of numbers is longer.
LONGEST_LINE = 1 << 16
_INTEGER = re.compile(r"[+-]?\d+")
_SPREADSHEET = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
#: Remedy for a file that something went over.
EXPORT_AGAIN = "export the file again from the app, and do not open it in a spreadsheet on the way"

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Header:
    """The first line of a CSV: column names without byte order mark and blanks, and how the rows are written."""

    names: tuple[str, ...]
    delimiter: str = ","
    decimal_point: str = "."


@dataclass(frozen=True)
class Columns:
    """What `read_columns` read.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Nanoseconds since 1970-01-01 UTC, exact, in the file's order.
    values : ndarray of float32, shape (n, axes)
        As written, all finite. Scale them with `ingestion.spool.scaled`: those of a long file lie on disk.
    repairs : tuple of Repair
        ``tail_cut`` if the last line was cut off; hand them on in `Stream.repairs`.
    """

    t_ns: _Times
    values: _Values
    repairs: tuple[Repair, ...] = ()


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


def read_columns(file: DeviceFile, *, time: str, ns_per_tick: int, axes: Sequence[str]) -> Columns:
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
    Columns
        A last line that was cut off while writing is left out, with a repair that says so.

    Raises
    ------
    UnreadableFile
        One reason with file, row (the header is row 1) and column: ``csv_empty``, ``csv_header_unknown``, ``csv_no_rows``,
        ``csv_row_ragged``, ``csv_not_a_number``, ``csv_value_missing``, ``csv_not_parsed`` or ``time_out_of_range``.
    """
    header = header_of(file.head)
    _check_header(file, header, (time, *axes))
    folder = spool_folder(file)
    t_ns, values = Growing(np.int64, folder=folder), Growing(np.float32, len(axes), folder=folder)
    with file.open() as stream:
        lines = WholeLines(stream, header.delimiter, len(header.names))
        try:
            for batch in _parsed(lines, header, time, axes):
                values.add(_values_of(batch, axes))
                t_ns.add(_nanoseconds(file, batch[time].to_numpy(), column=time, ns_per_tick=ns_per_tick, row=t_ns.rows))
        except (pa.ArrowInvalid, _Hole) as error:
            raise UnreadableFile(_first_fault(file, header, time, axes) or _not_parsed(file, error)) from error
    if not t_ns.rows:
        raise UnreadableFile(_no_rows(file))
    times = t_ns.array()
    return Columns(times, values.array(), _tail_cut(file, lines, times))


def spool_folder(file: DeviceFile) -> Path | None:
    """Return where the columns of a long file are spooled; None if they stay in memory."""
    return (file.scratch or Path(tempfile.gettempdir())) if file.size > SPOOLED_FROM_BYTES else None


def text_rows(file: DeviceFile) -> list[dict[str, str]]:
    """Read a small CSV of texts (metadata, annotations) as one mapping a row, by column name.

    Raises
    ------
    UnreadableFile
        If it is no CSV (``csv_not_parsed``) or larger than 16 MiB (``csv_too_large``).
    """
    check_size(file, _MOST_TEXT_BYTES)
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
        raise UnreadableFile(Reason("csv_empty", "the file is empty: 0 bytes, not even a header", file.name, EXPORT_AGAIN))
    check_size(file, MOST_BYTES)
    for name in wanted:
        found = header.names.count(name)
        if found != 1:
            given = ", ".join(_legible(name) for name in header.names[:12])
            what = f"column '{name}' is not in the header" if found == 0 else f"column '{name}' is in the header {found} times"
            near = did_you_mean(name, map(_legible, header.names)) if found == 0 else ""
            sentence = f"{what} ({given}){near}"
            raise UnreadableFile(Reason("csv_header_unknown", sentence, f"{file.name} row 1", EXPORT_AGAIN))


def _legible(name: str) -> str:
    """Return a column's name as a person can read it: damaged bytes are neither long nor do they reach a terminal."""
    shown = "".join(letter if letter.isprintable() else "·" for letter in name)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}…"


def check_size(file: DeviceFile, most: int) -> None:
    """Refuse a file of more bytes with ``csv_too_large``."""
    if file.size > most:
        sentence = f"the file is {file.size / 2**20:,.0f} MiB of text; at most {most / 2**20:,.0f} MiB are read"
        raise UnreadableFile(Reason("csv_too_large", sentence, file.name, "split the recording"))


class _Hole(ValueError):
    """A value is missing or not finite; caught where the slow pass finds out which."""


def _parsed(lines: WholeLines, header: Header, time: str, axes: Sequence[str]) -> pa_csv.CSVStreamingReader:
    convert = pa_csv.ConvertOptions(
        include_columns=[time, *axes],
        column_types={time: pa.int64(), **dict.fromkeys(axes, pa.float32())},
        decimal_point=header.decimal_point,
    )
    read = pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, skip_rows=1, column_names=header.names)
    parse = pa_csv.ParseOptions(delimiter=header.delimiter)
    return pa_csv.open_csv(pa.PythonFile(lines, "r"), read_options=read, parse_options=parse, convert_options=convert)


def _values_of(batch: pa.RecordBatch, axes: Sequence[str]) -> _Values:
    """Return shape (n, axes), row by row."""
    if any(column.null_count for column in batch.columns):
        raise _Hole("a value is missing")
    block = np.empty((batch.num_rows, len(axes)), dtype=np.float32)
    for index, axis in enumerate(axes):
        block[:, index] = batch[axis].to_numpy()
    if not np.isfinite(block).all():
        raise _Hole("a value is not finite")
    return block


def _nanoseconds(file: DeviceFile, ticks: _Times, *, column: str, ns_per_tick: int, row: int) -> _Times:
    latest = LATEST_NS // ns_per_tick
    if ticks.size and (ticks.min() < 0 or ticks.max() >= latest):
        worst = int(np.argmax((ticks < 0) | (ticks >= latest)))
        sentence = f"time stamp {ticks[worst]} is not between 1970 and 2100 in units of {ns_per_tick} ns"
        place = f"{file.name} row {row + worst + 2} column {column}"
        raise UnreadableFile(Reason("time_out_of_range", sentence, place, EXPORT_AGAIN))
    return ticks * np.int64(ns_per_tick) if ns_per_tick != 1 else ticks


def _tail_cut(file: DeviceFile, lines: WholeLines, t_ns: _Times) -> tuple[Repair, ...]:
    if lines.cut is None:
        return ()
    sentence = f"the last line, row {len(t_ns) + 2}, was cut off while writing and is left out: {lines.cut[:60]!r}"
    last_ns = int(t_ns[-1])
    return (Repair("tail_cut", sentence, file.name, rows=1, start_ns=last_ns, end_ns=last_ns, before=lines.cut[:60]),)


def _first_fault(file: DeviceFile, header: Header, time: str, axes: Sequence[str]) -> Reason | None:
    """Walk the lines until one breaks the rules; only ever called for a file that is known to be broken."""
    integers, numbers = header.names.index(time), {header.names.index(axis): axis for axis in axes}
    row = 0
    with file.open() as stream:
        for row, fields in _rows(WholeLines(stream, header.delimiter, len(header.names)), header.delimiter):
            place = f"{file.name} row {row}"
            if len(fields) != len(header.names):
                sentence = f"the row has {len(fields)} fields, the header has {len(header.names)}"
                return Reason("csv_row_ragged", sentence, place, "mend or remove the row: it was probably cut off while writing")
            if fault := faulty_integer(fields[integers], f"{place} column {time}"):
                return fault
            for index, axis in numbers.items():
                if fault := faulty_number(fields[index], header.decimal_point, f"{place} column {axis}"):
                    return fault
    return None if row else _no_rows(file)


def _no_rows(file: DeviceFile) -> Reason:
    return Reason("csv_no_rows", "the file has a header and no rows", file.name, EXPORT_AGAIN)


def _rows(stream: WholeLines, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    text = io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", errors="replace")
    lines = csv.reader(iter(lambda: text.readline(LONGEST_LINE), ""), delimiter=delimiter)
    next(lines)
    yield from ((lines.line_num, fields) for fields in lines if fields)


def faulty_integer(field: str, place: str) -> Reason | None:
    """Return what is wrong with the text of a whole number, None if nothing is."""
    text = field.strip()
    if not text:
        return Reason("csv_value_missing", "the time stamp is missing", place, "mend or remove the row")
    if _SPREADSHEET.fullmatch(text):
        sentence = f"'{text}' is a rounded number as spreadsheets write it; a time stamp must be whole and exact"
        return Reason("csv_not_a_number", sentence, place, EXPORT_AGAIN)
    if not _INTEGER.fullmatch(text) or abs(int(text[:20])) >= 2**63:
        return Reason("csv_not_a_number", f"{text[:40]!r} is not a whole number that fits a time stamp", place, EXPORT_AGAIN)
    return None


def faulty_number(field: str, decimal_point: str, place: str) -> Reason | None:
    """Return what is wrong with the text of a number, None if nothing is."""
    text = field.strip().replace(decimal_point, ".")
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return Reason("csv_not_a_number", f"{field[:40]!r} is not a number", place, EXPORT_AGAIN)
    if math.isfinite(value) and abs(value) <= float(np.finfo(np.float32).max):
        return None
    what = f"'{text}' is not a finite number" if text else "the value is missing"
    return Reason("csv_value_missing", what, place, "mend or remove the row, or export the recording again")


def _not_parsed(file: DeviceFile, error: Exception) -> Reason:
    return Reason("csv_not_parsed", f"the file is not a CSV that can be read: {str(error)[:200]}", file.name, EXPORT_AGAIN)
