"""The lake: Parquet files in Delta tables. Nothing outside this module and `warehouse.delta` knows that it is Delta.

A batch or a training replaces its own partition in one commit; readers see the version before or the version after.
Every file and every commit is on disk (fsync) before a write returns, which Delta itself does not promise.
"""

from __future__ import annotations

import fcntl
import re
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from operator import and_, or_
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs

from warehouse.delta import Added, LakeFile, Log, TableVersion, Where, values_of
from warehouse.disk import fsync
from warehouse.errors import LakeError, Reason, did_you_mean
from warehouse.home import Home
from warehouse.parquet import write_parquet
from warehouse.schemas import TABLES, Table

#: Values of a partition column: they name folders, so they are checked before they come near a path.
PARTITION_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

#: What the path of a home cannot hold: Delta decodes percent signs twice and reads a backslash as a slash, and DuckDB takes
#: a folder ``site=3`` for the column ``site`` of every file below it.
_COLUMNS = sorted({column.name for table in TABLES.values() for column in table.columns})
_UNUSABLE_PATH = re.compile(rf"%[0-9A-Fa-f]{{2}}|[\\\x00-\x1f\x7f]|(?<=/)(?:{'|'.join(_COLUMNS)})=[^/]*")

# As many rows as reading writes at once: a row group stays one.
_SCAN_ROWS = 1 << 18

_REMEMBERED: dict[Path, dict[str, pa.Table]] = {}
_REMEMBERING = threading.Lock()


class Lake:
    """Read and write the tables of `warehouse.schemas.TABLES` below one home.

    Parameters
    ----------
    home : Home

    Raises
    ------
    LakeError
        The home's path holds a backslash, a control character, a percent escape such as ``%20``, or a folder named like a
        column with a value, such as ``site=3``.
    """

    def __init__(self, home: Home) -> None:
        if found := _UNUSABLE_PATH.search(str(home.lake)):
            sentence = f"the home's path holds {found.group()!r}, which the lake's tables cannot lie under"
            raise LakeError(Reason("home_path", sentence, str(home.root), "rename the folder, or choose another --home"))
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
            Unknown table, a partition column missing, an unusable value, a column that does not fit the schema, or rows that
            say they are of another partition.
        """
        table = _table(name)
        partition = _checked_partition(table, where)
        return self._commit(table, rows, partition, keep_rows=False)

    def append(self, name: str, rows: pa.Table) -> int:
        """Add `rows` to a table that has no partitions; return its new version."""
        table = _table(name)
        if table.partition_by:
            raise LakeError(Reason("table_is_partitioned", f"{name} is partitioned: replace a partition instead"))
        return self._commit(table, rows, {}, keep_rows=True)

    def delete(self, name: str, rows: Where, *, where: Where | None = None) -> int:
        """Delete every row of which one of some columns has one of some values; repeating it changes nothing.

        What stays is written anew, in its order; the files that held the rows are no part of the newest version any more and
        lie there until `purge`.

        Parameters
        ----------
        name : str
        rows : mapping of str to str or sequence of str
            Columns that are no partition columns, and their values: a row that matches any of them is deleted.
        where : mapping of str to str or sequence of str, optional
            Only in these partitions.

        Returns
        -------
        int
            Rows deleted.

        Raises
        ------
        LakeError
            Unknown table or column.
        """
        table = _table(name)
        _refuse_unknown_columns(table, [*rows, *(where or {})])
        doomed = reduce(or_, [_is_one_of(table, column, wanted) for column, wanted in rows.items()])
        folder = self.root / name
        with self._writing(table), _locked(self.root / f".{name}.lock"):
            log = self._log(table)
            now = log.at(where=where)
            counts = [(file, _dataset(table, [file]).count_rows(filter=doomed)) for file in (now.files if now else ())]
            removed = [file for file, count in counts if count]
            kept = ((_dataset(table, [file]).scanner(filter=~doomed).to_reader(), file.partition) for file in removed)
            added = [one for rows_kept, partition in kept if (one := _write(folder, table, rows_kept, partition))]
            if now is not None and removed:
                log.commit(added=added, removed=removed, after=now.number)
        return sum(count for _, count in counts)

    def purge(self, name: str, *, where: Where | None = None) -> int:
        """Remove from disk every Parquet file that the newest version does not name; earlier versions cannot be read after it.

        Waits for whoever is writing to the table; what killed writers left goes as well.

        Parameters
        ----------
        name : str
        where : mapping of str to str or sequence of str, optional
            Only in these partitions.

        Returns
        -------
        int
            Files removed.
        """
        table, folder = _table(name), self.root / name
        wanted = _wanted_folders(table, where or {})
        if not folder.is_dir():
            return 0
        with _locked(self._writers(table)):
            named = {path for path, _ in self.parquet_files(name)}
            gone = [
                path
                for path in folder.glob("/".join(["*"] * len(table.partition_by) + ["*.parquet"]))
                if path not in named and all(path.relative_to(folder).parts[depth] in folders for depth, folders in wanted)
            ]
            for path in gone:
                path.unlink()
            for above in {path.parent for path in gone}:
                fsync(above)
            self._log(table).sweep()
        return len(gone)

    def read(
        self, name: str, *, columns: Sequence[str] | None = None, where: Where | None = None, version: int | None = None
    ) -> pa.Table:
        """Read rows of one version (default: newest) as an Arrow table with the schema's columns (or `columns`).

        Parameters
        ----------
        name : str
        columns : sequence of str, optional
        where : mapping of str to str or sequence of str, optional
            Rows whose column equals the value, or one of the values. Partition columns skip whole files.
        version : int, optional

        Raises
        ------
        LakeError
            Unknown table or column.
        """
        table = _table(name)
        wanted = [column.name for column in table.columns] if columns is None else list(columns)
        _refuse_unknown_columns(table, [*wanted, *(where or {})])
        found = self._log(table).at(version, where=where)
        return _dataset(table, found.files if found else ()).to_table(columns=wanted, filter=_row_filter(table, where or {}))

    def scan(self, name: str, *, where: Where | None = None) -> pa.RecordBatchReader:
        """Read rows of the newest version as a stream of record batches, so that a table of any size fits in memory."""
        table = _table(name)
        _refuse_unknown_columns(table, [*(where or {})])
        found = self._log(table).at(where=where)
        scanner = _dataset(table, found.files if found else ()).scanner(
            filter=_row_filter(table, where or {}), batch_size=_SCAN_ROWS
        )
        return scanner.to_reader()

    def read_files(self, name: str, files: Sequence[LakeFile]) -> pa.Table:
        """Read all rows of some files of a table, as `table_version` names them."""
        return _dataset(_table(name), files).to_table()

    def read_remembered(self, name: str) -> pa.Table:
        """Read a small table whole, for those who look again and again: files that this process has read are not opened again.

        Parameters
        ----------
        name : str
            Of a table that is partitioned, and of which a whole copy may stay in memory.
        """
        table, now = _table(name), self._log(_table(name)).at()
        files = {file.name: file for file in now.files} if now else {}
        with _REMEMBERING:
            known = {one: rows for one, rows in _REMEMBERED.get(self.root / name, {}).items() if one in files}
            fresh = [file for one, file in files.items() if one not in known]
            known |= _by_partition(fresh, self.read_files(name, fresh), table)
            _REMEMBERED[self.root / name] = known
        return pa.concat_tables([table.schema.empty_table(), *known.values()]).combine_chunks()

    def partitions(self, name: str) -> list[dict[str, str]]:
        """Return the partition values that hold files in the newest version, without reading any row."""
        found = {tuple(values.items()): values for _, values in self.parquet_files(name)}
        return list(found.values())

    def files_by_batch(self, name: str) -> dict[str, str]:
        """Name the Parquet files of every batch in the newest version of a table that is partitioned by batch and nothing else.

        Cheap enough to be asked whenever a batch is judged: a text changes if and only if the batch's rows were written again.
        """
        named = self._log(_table(name)).names()
        return {folder.removeprefix("batch_id="): " ".join(names) for folder, names in named.items()}

    def parquet_files(self, name: str, *, where: Where | None = None) -> list[tuple[Path, dict[str, str]]]:
        """Return the absolute path and partition values of every Parquet file of the newest version, or of these partitions."""
        found = self._log(_table(name)).at(where=where)
        return [] if found is None else [(file.path, dict(file.partition)) for file in found.files]

    def table_version(self, name: str, version: int | datetime | None = None) -> TableVersion | None:
        """Return one version of a table with its files; None if nothing was ever written to it.

        Parameters
        ----------
        name : str
        version : int or datetime, optional
            A number, or an instant (with time zone): the version that was the newest then. Default: the newest.
        """
        return self._log(_table(name)).at(version)

    def version(self, name: str) -> int | None:
        """Return the newest version of a table; None if nothing was ever written to it."""
        return self._log(_table(name)).version()

    def versions(self) -> dict[str, int]:
        """Return the newest version of every table that exists."""
        found = {name: self.version(name) for name in TABLES}
        return {name: version for name, version in found.items() if version is not None}

    def _log(self, table: Table) -> Log:
        return Log(self.root / table.name, table)

    def _commit(self, table: Table, rows: pa.Table | pa.RecordBatchReader, partition: dict[str, str], *, keep_rows: bool) -> int:
        log = self._log(table)
        with self._writing(table):
            added = _write(self.root / table.name, table, rows, partition)
            with _locked(self.root / f".{table.name}.lock"):
                log.create()
                now = log.at(where=partition)
                assert now is not None
                removed = () if keep_rows else now.files
                if added is None and not removed:
                    return now.number
                return log.commit(added=[added] if added else [], removed=removed, after=now.number)

    @contextmanager
    def _writing(self, table: Table) -> Iterator[None]:
        """Hold `purge` off: a file that is written lies there before a version names it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with _shared(self._writers(table)):
            yield

    def _writers(self, table: Table) -> Path:
        return self.root / f".{table.name}.writers.lock"


def _by_partition(files: Sequence[LakeFile], rows: pa.Table, table: Table) -> dict[str, pa.Table]:
    """Take the rows of files apart again; a partition has one file."""
    by = list(table.partition_by)
    runs = rows.select(by).append_column("at", pa.array(range(rows.num_rows), pa.int64())).group_by(by)
    spans = runs.aggregate([("at", "min"), ("at", "count")]).to_pylist()
    names = {tuple(file.partition.values()): file.name for file in files}
    return {names[tuple(span[column] for column in by)]: rows.slice(span["at_min"], span["at_count"]) for span in spans}


def _table(name: str) -> Table:
    if name not in TABLES:
        raise LakeError(Reason("table_unknown", f"table '{name}' is not known{did_you_mean(name, TABLES)}"))
    return TABLES[name]


def _refuse_unknown_columns(table: Table, columns: Sequence[str]) -> None:
    known = [column.name for column in table.columns]
    for column in columns:
        if column not in known:
            sentence = f"table '{table.name}' has no column '{column}'{did_you_mean(column, known)}"
            raise LakeError(Reason("column_unknown", sentence))


def _checked_partition(table: Table, where: Mapping[str, str]) -> dict[str, str]:
    if set(where) != set(table.partition_by) or not where:
        needed = ", ".join(table.partition_by) or "nothing"
        raise LakeError(Reason("partition_incomplete", f"{table.name} is partitioned by {needed}, not by {sorted(where)}"))
    for column, value in where.items():
        if not PARTITION_VALUE.fullmatch(value):
            allowed = "letters, digits, '.', '_' and '-', the first a letter or digit, at most 128"
            raise LakeError(Reason("partition_value", f"{column} {value!r} cannot name a partition; allowed: {allowed}"))
    return {column: where[column] for column in table.partition_by}


def _row_filter(table: Table, where: Where) -> pc.Expression | None:
    terms = [_is_one_of(table, column, wanted) for column, wanted in where.items() if column not in table.partition_by]
    return reduce(and_, terms) if terms else None


def _is_one_of(table: Table, column: str, wanted: str | Sequence[str]) -> pc.Expression:
    return ds.field(column).isin(pa.array(values_of(wanted), table.schema.field(column).type))


def _write(folder: Path, table: Table, rows: pa.Table | pa.RecordBatchReader, partition: Mapping[str, str]) -> Added | None:
    relative = Path(*(f"{column}={value}" for column, value in partition.items()), f"{uuid.uuid4().hex}.parquet")
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    count = write_parquet(path, table, rows, partition=partition)
    if count == 0:
        return None
    for above in relative.parents[1:]:
        fsync(folder / above)
    return Added(relative.as_posix(), dict(partition), path.stat().st_size, count)


def _dataset(table: Table, files: Sequence[LakeFile]) -> ds.Dataset:
    return ds.FileSystemDataset.from_paths(
        [f"{file.folder}/{file.name}" for file in files],
        schema=table.schema,
        format=ds.ParquetFileFormat(),
        filesystem=pa.fs.LocalFileSystem(),
        partitions=[_stated(file.partition) for file in files],
    )


def _stated(partition: Mapping[str, str]) -> pc.Expression:
    """Partition values as an expression, not parsed from a path: a folder above the home may look like one."""
    return reduce(and_, [ds.field(column) == value for column, value in partition.items()], pc.scalar(True))


def _wanted_folders(table: Table, where: Where) -> list[tuple[int, set[str]]]:
    """For every partition column that is asked for: how deep its folders lie, and the names of those wanted."""
    return [
        (depth, {f"{column}={value}" for value in values_of(where[column])})
        for depth, column in enumerate(table.partition_by)
        if column in where
    ]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _shared(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
