"""Reads text tables whose rows are sequences: the numbers of one reading, then those of the next, to the end of the row.

Such tables are made by programs, of movements that somebody cut out. Every row becomes a marked stretch without a label of its
own, with a second of nothing before the next. Belongs here: wide rows to streams. Other tables: `ingestion.readers.table`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.readers import csv_columns
from ingestion.readers.described import GrowingStreams, no_dates
from ingestion.readers.interface import HEAD_BYTES, DeviceFile
from ingestion.readers.text_table import Layout, TextTable, header_names
from ingestion.recording import Annotation, Reading
from ingestion.spool import Growing
from studies.formats import TableFormat
from warehouse.errors import Reason, UnreadableFile

#: Nothing lies so near to the next sequence that it could be taken for one with it (`ingestion.facts.GAP_STEPS`).
_FEWEST_STEPS_BETWEEN = 4


@dataclass(frozen=True)
class _Row:
    """How many readings a row has, and how many steps the next begins after it began."""

    readings: int
    pitch: int
    rate_hz: float

    def times(self, rows: npt.NDArray[np.int64], reading: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.rint((rows * self.pitch + reading) * (1e9 / self.rate_hz)).astype(np.int64)


def read_sequences(file: DeviceFile, described: TableFormat, *, name: str) -> Reading:
    """Read a table of sequences: a stretch of every stream, and an annotation without a label, for each row.

    Parameters
    ----------
    file : DeviceFile
    described : TableFormat
        With ``rows: sequences``.
    name : str
        Of the format.

    Raises
    ------
    UnreadableFile
        ``sequence_cut`` if a row is no whole number of readings, ``sequence_too_long``, and whatever `TextTable` raises.
    """
    table, row = _opened(file, described)
    folder = csv_columns.spool_folder(file)
    values, times, rows = GrowingStreams(described.streams, folder), Growing(np.int64, folder=folder), 0
    for batch in table.batches():
        number = np.arange(rows, rows + batch.num_rows)[:, np.newaxis]
        times.add(row.times(number, np.arange(row.readings)).ravel())
        values.add(dict(_channels(batch, described, row)))
        rows += batch.num_rows
    if not rows:
        raise UnreadableFile(table.no_rows())
    streams = values.streams(times.array(), source=file.name, rate_hz=described.rate_hz, repairs=table.repairs)
    numbers = np.arange(rows)
    first, last = row.times(numbers, np.zeros(1, np.int64)), row.times(numbers, np.array([row.readings - 1]))
    marks = (Annotation(start, end, "", file.name) for start, end in zip(first.tolist(), last.tolist(), strict=True))
    return Reading(name, streams, annotations=tuple(marks), findings=tuple(no_dates(first, file.name)))


def _opened(file: DeviceFile, described: TableFormat) -> tuple[TextTable, _Row]:
    layout = Layout(
        described.columns, described.delimiter, described.decimal, header=False, comment=described.comment,
        skip_lines=described.skip_lines,
    )  # fmt: skip
    numbers, of_one = len(header_names(file, layout)), len(described.columns)
    place = f"{file.name} row {described.skip_lines + 1}"
    if len(file.head) == HEAD_BYTES and b"\n" not in file.head:
        sentence = f"the row is longer than {HEAD_BYTES >> 10} KiB; a sequence fits into that"
        raise UnreadableFile(Reason("sequence_too_long", sentence, place, "split the sequences, or write a row for each reading"))
    readings, left = divmod(numbers, of_one)
    if left or (numbers and readings < 2):
        sentence = (
            f"the row has {numbers:,} numbers; due is a whole number of readings, at least 2, of {of_one} numbers "
            f"({', '.join(described.columns)})"
        )
        remedy = "correct the columns that the study names under formats, those of one reading, or write the file again"
        raise UnreadableFile(Reason("sequence_cut", sentence, place, remedy))
    names = tuple(_cell(column, reading) for reading in range(readings) for column in described.columns)
    wanted = {_cell(column, reading) for reading in range(readings) for column in described.columns_asked_for()}
    types = {name: pa.float32() for name in names if name in wanted}
    whole = Layout(names, *list(vars(layout).values())[1:])
    rate_hz = described.rate_hz or 1.0
    between = max(_FEWEST_STEPS_BETWEEN, math.ceil(rate_hz))
    return TextTable(file, whole, types), _Row(readings, readings - 1 + between, rate_hz)


def _channels(batch: pa.RecordBatch, described: TableFormat, row: _Row) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    """Give every column of a reading with its numbers, row by row of the table."""
    for column in described.columns_asked_for():
        parts = [batch[_cell(column, reading)].to_numpy() for reading in range(row.readings)]
        yield column, np.stack(parts, axis=1).ravel()


def _cell(column: str, reading: int) -> str:
    return f"{column} of reading {reading + 1}"
