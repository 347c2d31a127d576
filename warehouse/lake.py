"""The lake: Parquet files in Delta tables. Nothing outside this module knows that it is Delta.

A batch or a training replaces its own partition in one commit; readers see the version before or the version after.
Every file and every commit is on disk (fsync) before a write returns, which Delta itself does not promise.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from warehouse.errors import LakeError, Reason, did_you_mean
from warehouse.home import Home
from warehouse.schemas import TABLES, Table

#: Values of a partition column: they name folders, so they are checked before they come near a path.
PARTITION_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

_ROW_GROUP_ROWS = 1 << 20
_KEEP_HISTORY = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}

Where = Mapping[str, str | Sequence[str]]
_Filters = list[tuple[str, str, str | list[str]]]


class Lake:
    """Read and write the tables of `warehouse.schemas.TABLES` below one home.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home) -> None:
        self.root = home.lake

    def replace(self, name: str, rows: pa.Table | pa.RecordBatchReader, *, where: Mapping[str, str]) -> int:
        """Replace one partition of a table by `rows`, all or nothing; repeating it changes nothing.

        Parameters
        ----------
        name : str
            A key of `TABLES`.
        rows : Table or RecordBatchReader
            With every column of the table (partition columns may be left out); order does not matter.
        where : mapping of str to str
            The value of every partition column.

        Returns
        -------
        int
            The table's new version.

        Raises
        ------
        LakeError
            Unknown table, a partition column missing, an unusable value, or a column that does not fit the schema.
        """
        table = _table(name)
        partition = _checked_partition(table, where)
        return self._commit(table, rows, partition, keep_rows=False)

    def append(self, name: str, rows: pa.Table) -> int:
        """Add `rows` to a table that has no partitions; return its new version."""
        table = _table(name)
        if table.partition_by:
            raise LakeError(_reason("table_is_partitioned", f"{name} is partitioned: replace a partition instead"))
        return self._commit(table, rows, {}, keep_rows=True)

    def read(self, name: str, *, columns: Sequence[str] | None = None, where: Where | None = None) -> pa.Table:
        """Read rows of the newest version as an Arrow table with the schema's columns (or `columns`).

        Parameters
        ----------
        name : str
        columns : sequence of str, optional
        where : mapping of str to str or sequence of str, optional
            Rows whose column equals the value, or one of the values. Partition columns skip whole files.
        """
        table = _table(name)
        wanted = list(columns) if columns is not None else [column.name for column in table.columns]
        delta = self._open(table)
        files = [] if delta is None else _files_of(delta, table, _partition_filters(table, where))
        if not files:
            return table.schema.empty_table().select(wanted)
        dataset = _dataset(self._folder(name), table, [path for path, _ in files])
        return dataset.to_table(columns=wanted, filter=_row_filter(table, where))

    def partitions(self, name: str) -> list[dict[str, str]]:
        """Return the partition values that hold files in the newest version, without reading any row."""
        return [dict(values) for values in {tuple(sorted(entry[1].items())): None for entry in self._entries(name)}]

    def parquet_files(self, name: str, *, version: int | None = None) -> list[tuple[Path, dict[str, str]]]:
        """Return the absolute path and partition values of every Parquet file of one version (default: newest)."""
        return [(self._folder(name) / path, values) for path, values in self._entries(name, version)]

    def version(self, name: str) -> int | None:
        """Return the newest version of a table; None if nothing was ever written to it."""
        delta = self._open(_table(name))
        return None if delta is None else delta.version()

    def versions(self) -> dict[str, int]:
        """Return the newest version of every table that exists."""
        found = {name: self.version(name) for name in TABLES}
        return {name: version for name, version in found.items() if version is not None}

    def _folder(self, name: str) -> Path:
        return self.root / name

    def _open(self, table: Table, version: int | None = None) -> DeltaTable | None:
        folder = self._folder(table.name)
        if not (folder / "_delta_log").is_dir():
            return None
        return DeltaTable(str(folder), version=version)

    def _entries(self, name: str, version: int | None = None) -> list[tuple[str, dict[str, str]]]:
        table = _table(name)
        delta = self._open(table, version)
        return [] if delta is None else _files_of(delta, table)

    def _commit(self, table: Table, rows: pa.Table | pa.RecordBatchReader, partition: dict[str, str], *, keep_rows: bool) -> int:
        folder = self._folder(table.name)
        folder.mkdir(parents=True, exist_ok=True)
        added = _write_parquet(folder, table, rows, partition)
        with _locked(self.root / f".{table.name}.lock"):
            delta = self._open(table) or _create(folder, table)
            removed = [] if keep_rows else _files_of(delta, table, _partition_filters(table, partition))
            if added is None and not removed:
                return delta.version()
            actions = [*_removals(removed, partition), *([added] if added else [])]
            delta.create_write_transaction(actions, "append", delta.schema(), partition_by=list(table.partition_by))
            delta.update_incremental()
            _fsync_log(folder, delta.version())
        return delta.version()


def _table(name: str) -> Table:
    if name not in TABLES:
        raise LakeError(_reason("table_unknown", f"table '{name}' is not known{did_you_mean(name, TABLES)}"))
    return TABLES[name]


def _reason(code: str, sentence: str, place: str = "") -> Reason:
    return Reason(code, sentence, place)


def _checked_partition(table: Table, where: Mapping[str, str]) -> dict[str, str]:
    if set(where) != set(table.partition_by) or not where:
        needed = ", ".join(table.partition_by) or "nothing"
        raise LakeError(_reason("partition_incomplete", f"{table.name} is partitioned by {needed}, not by {sorted(where)}"))
    for column, value in where.items():
        if not PARTITION_VALUE.fullmatch(value):
            allowed = "letters, digits, '.', '_' and '-', at most 128"
            raise LakeError(_reason("partition_value", f"{column} {value!r} cannot name a partition; allowed: {allowed}"))
    return {column: where[column] for column in table.partition_by}


def _partition_filters(table: Table, where: Where | None) -> _Filters | None:
    filters: _Filters = []
    for column, value in (where or {}).items():
        if column in table.partition_by:
            filters.append((column, "=", value) if isinstance(value, str) else (column, "in", list(value)))
    return filters or None


def _row_filter(table: Table, where: Where | None) -> pc.Expression | None:
    expression: pc.Expression | None = None
    for column, value in (where or {}).items():
        if column in table.partition_by and not isinstance(value, str) and not value:
            return pc.scalar(False)
        field = ds.field(column)
        term = field == value if isinstance(value, str) else field.isin(list(value))
        expression = term if expression is None else expression & term
    return expression


def _write_parquet(
    folder: Path, table: Table, rows: pa.Table | pa.RecordBatchReader, partition: Mapping[str, str]
) -> AddAction | None:
    schema = pa.schema([table.schema.field(column.name) for column in table.columns if column.name not in table.partition_by])
    relative = "/".join([*(f"{column}={quote(value)}" for column, value in partition.items()), f"{uuid.uuid4().hex}.parquet"])
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    count = _stream_to(path, table, schema, rows)
    if count == 0:
        path.unlink()
        return None
    _fsync(path)
    _fsync(path.parent)
    now_ms = int(time.time() * 1000)
    return AddAction(relative, path.stat().st_size, dict(partition), now_ms, True, json.dumps({"numRecords": count}))


def _stream_to(path: Path, table: Table, schema: pa.Schema, rows: pa.Table | pa.RecordBatchReader) -> int:
    chunks: Iterator[pa.Table]
    chunks = iter([rows]) if isinstance(rows, pa.Table) else (pa.Table.from_batches([batch]) for batch in rows)
    count = 0
    with pq.ParquetWriter(path, schema, **_encoding(schema)) as writer:
        for chunk in chunks:
            try:
                fitted = chunk.select(schema.names).cast(schema)
            except (KeyError, pa.ArrowInvalid) as error:
                raise LakeError(_reason("rows_do_not_fit", f"rows do not fit table '{table.name}': {error}")) from error
            writer.write_table(fitted, row_group_size=_ROW_GROUP_ROWS)
            count += fitted.num_rows
    return count


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


def _create(folder: Path, table: Table) -> DeltaTable:
    created = DeltaTable.create(
        str(folder),
        schema=table.schema,
        mode="ignore",
        partition_by=list(table.partition_by),
        name=table.name,
        description=table.comment,
        configuration=_KEEP_HISTORY,
    )
    _fsync_log(folder, 0)
    _fsync(folder)
    return created


def _dataset(folder: Path, table: Table, paths: Sequence[str]) -> ds.Dataset:
    names = pa.schema([table.schema.field(column) for column in table.partition_by])
    return ds.dataset(
        [str(folder / path) for path in paths],
        schema=table.schema,
        format="parquet",
        partitioning=ds.partitioning(names, flavor="hive") if table.partition_by else None,
        partition_base_dir=str(folder),
    )


def _files_of(delta: DeltaTable, table: Table, filters: _Filters | None = None) -> list[tuple[str, dict[str, str]]]:
    base = delta.table_uri.rstrip("/") + "/"
    paths = [unquote(uri.removeprefix("file://")).removeprefix(base.removeprefix("file://")) for uri in delta.file_uris(filters)]
    return [(path, _partition_values(path, table)) for path in paths]


def _partition_values(path: str, table: Table) -> dict[str, str]:
    parts = dict(part.split("=", 1) for part in path.split("/")[:-1])
    return {column: unquote(parts[column]) for column in table.partition_by}


def _removals(files: Sequence[tuple[str, dict[str, str]]], partition: Mapping[str, str]) -> list[RemoveAction]:
    now_ms = int(time.time() * 1000)
    return [
        RemoveAction(path=path, deletion_timestamp=now_ms, data_change=True, partition_values=dict(partition))
        for path, _ in files
    ]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fsync_log(folder: Path, version: int) -> None:
    log = folder / "_delta_log"
    _fsync(log / f"{version:020d}.json")
    _fsync(log)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
