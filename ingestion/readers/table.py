"""Reads tables that a study describes: CSV or text with any delimiter, header or comments, and Parquet.

The study's `formats.tables` says which files they are and what their columns mean. Belongs here: a described table to a
`Reading`. Text is taken apart in `ingestion.readers.text_table`, times in `ingestion.readers.time_text`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.readers import csv_columns, export
from ingestion.readers.described import GrowingStreams, counted_times, no_dates
from ingestion.readers.interface import DeviceFile, Hints, Reader
from ingestion.readers.local_time import in_utc
from ingestion.readers.sequences import read_sequences
from ingestion.readers.text_table import Layout, TextTable, header_names
from ingestion.readers.time_text import believable
from ingestion.recording import Finding, Reading, Repair
from ingestion.spool import Growing
from studies.formats import TableFormat, TimeColumn
from warehouse.errors import Reason, UnreadableFile, did_you_mean

NAME = "table"

_PARQUET_MAGIC = b"PAR1"
_PARQUET_ROWS = 1 << 17


@dataclass(frozen=True)
class _Parquet:
    """A Parquet file read as `TextTable` reads text."""

    file: DeviceFile
    columns: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()

    def batches(self) -> Iterator[pa.RecordBatch]:
        try:
            with self.file.open() as stream, pq.ParquetFile(stream) as table:
                for name in self.columns:
                    if name not in table.schema_arrow.names:
                        sentence = f"column '{name}' is not there{did_you_mean(name, table.schema_arrow.names)}"
                        raise UnreadableFile(Reason("csv_header_unknown", sentence, self.file.name, _REMEDY))
                yield from table.iter_batches(_PARQUET_ROWS, columns=list(self.columns), use_threads=False)
        except (pa.ArrowException, OSError) as error:
            sentence = f"the Parquet file cannot be read: {str(error)[:200]}"
            raise UnreadableFile(Reason("parquet_not_parsed", sentence, self.file.name, _REMEDY)) from error

    def place(self, row: int, column: str) -> str:
        return f"{self.file.name} row {row + 1} column {column}"

    def no_rows(self) -> Reason:
        return Reason("csv_no_rows", "the table has no rows", self.file.name, _REMEDY)


_REMEDY = "write the file again, with the columns that the study names under formats"


def sniff(file: DeviceFile, hints: Hints) -> bool:
    """Return True if the study describes a table whose `files` fits the path."""
    return hints.formats.table_for(file.name) is not None


def pairing_key(file: DeviceFile) -> str:
    """Return the file's own name: a table is a recording."""
    return file.name


def device(_files: Sequence[DeviceFile]) -> str:
    """Return that no device is known."""
    return ""


def read(files: Sequence[DeviceFile], hints: Hints) -> Reading:
    """Read the table, and say of further files that they are none."""
    described = [(file, found) for file in files if (found := hints.formats.table_for(file.name))]
    try:
        with export.reading(described[0][0]):
            return _read(*described[0], hints)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


def _read(file: DeviceFile, described: TableFormat, hints: Hints) -> Reading:
    if described.rows == "sequences":
        return read_sequences(file, described, name=NAME)
    table = _opened(file, described)
    folder = csv_columns.spool_folder(file)
    values, times, local = GrowingStreams(described.streams, folder), Growing(np.int64, folder=folder), False
    for batch in table.batches():
        if described.time:
            block, local = _times(table, batch, described.time, values.rows)
            times.add(block)
        values.add(_numbers(table, batch, described, values.rows))
    if not values.rows:
        raise UnreadableFile(table.no_rows())
    findings: list[Finding] = []
    t_ns = times.array() if described.time else counted_times(values.rows, described.rate_hz or 1.0, folder)
    if local:
        t_ns, findings = in_utc(t_ns, place=file.name, timezone=hints.timezone or hints.formats.timezone)
    findings += no_dates(t_ns, file.name)
    streams = values.streams(t_ns, source=file.name, rate_hz=described.rate_hz, repairs=table.repairs)
    return Reading(format=NAME, streams=streams, findings=tuple(findings))


def _opened(file: DeviceFile, described: TableFormat) -> TextTable | _Parquet:
    columns = tuple(dict.fromkeys(described.columns_asked_for()))
    if file.head.startswith(_PARQUET_MAGIC):
        return _Parquet(file, (*columns, *([described.time.column] if described.time else [])))
    layout = Layout(
        described.columns,
        delimiter=described.delimiter,
        decimal=described.decimal,
        header=described.header,
        comment=described.comment,
        skip_lines=described.skip_lines,
    )
    if described.header:
        layout = Layout(header_names(file, layout), *list(vars(layout).values())[1:])
    types: dict[str, pa.DataType] = dict.fromkeys(columns, pa.float32())
    return TextTable(file, layout, types | ({described.time.column: pa.string()} if described.time else {}))


def _times(table: TextTable | _Parquet, batch: pa.RecordBatch, time: TimeColumn, row: int) -> tuple[npt.NDArray[np.int64], bool]:
    return believable(batch[time.column], time.unit, place=lambda at: table.place(row + at, time.column))


def _numbers(
    table: TextTable | _Parquet, batch: pa.RecordBatch, described: TableFormat, row: int
) -> dict[str, npt.NDArray[np.generic]]:
    numbers = {}
    for name in described.columns_asked_for():
        column = batch[name]
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            sentence = f"column '{name}' holds {column.type}, not numbers"
            raise UnreadableFile(Reason("csv_not_a_number", sentence, table.place(row, name), _REMEDY))
        numbers[name] = column.to_numpy(zero_copy_only=False)
        finite = np.isfinite(numbers[name])
        if not finite.all():
            at = int(np.argmin(finite))
            reason = Reason("csv_value_missing", "the value is missing or not finite", table.place(row + at, name), _REMEDY)
            raise UnreadableFile(reason)
    return numbers


READER = Reader(NAME, sniff, pairing_key, device, read)
