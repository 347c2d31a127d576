"""Arrow rows to one Parquet file that is on disk when the call returns.

Belongs here: casting to a table's schema, encodings, row groups, fsync. Which file belongs to which version of a table is
in `warehouse.lake`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from warehouse.disk import fsync
from warehouse.errors import LakeError, Reason
from warehouse.schemas import Table

#: A row group ends at whichever comes first: small enough to be skipped by a reader, large enough to be read in one go.
_ROW_GROUP_ROWS = 1 << 18
_ROW_GROUP_BYTES = 1 << 26


def write_parquet(path: Path, table: Table, rows: pa.Table | pa.RecordBatchReader, *, partition: Mapping[str, str]) -> int:
    """Write rows to a new file and fsync it and its folder; nothing is left behind if there are none or they do not fit.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    table : Table
        Whose columns, those of `partition` excepted, are written in their declared order.
    rows : Table or RecordBatchReader
        A reader is streamed: no more than one row group is held at a time.
    partition : mapping of str to str
        Values of the partition columns; rows may repeat them, and must not contradict them.

    Returns
    -------
    int
        Number of rows; 0 means that no file was made.

    Raises
    ------
    LakeError
        A column is missing, cannot be cast, or names another partition.
    """
    try:
        count = _stream_to(path, table, rows, partition)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if count == 0:
        path.unlink()
        return 0
    fsync(path)
    fsync(path.parent)
    return count


def _stream_to(path: Path, table: Table, rows: pa.Table | pa.RecordBatchReader, partition: Mapping[str, str]) -> int:
    schema = pa.schema([table.schema.field(column.name) for column in table.columns if column.name not in table.partition_by])
    count = 0
    with pq.ParquetWriter(path, schema, **_encoding(schema)) as writer:
        for chunk in _chunks(rows):
            _refuse_other_partition(chunk, table, partition)
            fitted = _fitted(chunk, table, schema)
            writer.write_table(fitted, row_group_size=_rows_per_group(fitted))
            count += fitted.num_rows
    return count


def _chunks(rows: pa.Table | pa.RecordBatchReader) -> Iterator[pa.Table]:
    """A table as it is; the batches of a reader gathered until they fill a row group."""
    if isinstance(rows, pa.Table):
        yield rows
        return
    gathered: list[pa.RecordBatch] = []
    count = size = 0  # summed up as they come: batches can be many and small
    for batch in rows:
        gathered.append(batch)
        count, size = count + len(batch), size + batch.nbytes
        if count >= _ROW_GROUP_ROWS or size >= _ROW_GROUP_BYTES:
            yield pa.Table.from_batches(gathered)
            gathered, count, size = [], 0, 0
    if gathered:
        yield pa.Table.from_batches(gathered)


def _rows_per_group(rows: pa.Table) -> int:
    bytes_per_row = max(1, rows.nbytes // max(1, rows.num_rows))
    return int(min(_ROW_GROUP_ROWS, max(1, _ROW_GROUP_BYTES // bytes_per_row)))


def _fitted(chunk: pa.Table, table: Table, schema: pa.Schema) -> pa.Table:
    try:
        return chunk.select(schema.names).cast(schema)
    except (KeyError, pa.ArrowException) as error:
        why = str(error).strip("'\"")
        raise LakeError(Reason("rows_do_not_fit", f"rows do not fit table '{table.name}': {why}")) from error


def _refuse_other_partition(chunk: pa.Table, table: Table, partition: Mapping[str, str]) -> None:
    for column, value in partition.items():
        if column in chunk.column_names:
            others = set(pc.unique(chunk[column]).to_pylist()) - {value}
            if others:
                sentence = f"rows for {table.name} {column}={value} say {column}={min(map(str, others))}"
                raise LakeError(Reason("rows_of_other_partition", sentence))


def _encoding(schema: pa.Schema) -> dict[str, object]:
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    times = [field.name for field in schema if pa.types.is_int64(field.type)]
    dictionary = [field.name for field in schema if pa.types.is_string(field.type)]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": dictionary,
        "column_encoding": {
            **dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
            **dict.fromkeys(times, "DELTA_BINARY_PACKED"),
        },
    }
