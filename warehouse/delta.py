"""The log of one Delta table: which Parquet files each version has, and how a version is added.

Belongs here: everything that knows Delta's protocol, and what of it a process remembers. Rows are read and written in
`warehouse.lake`.

A table whose columns are fewer than the code's gets the missing ones with the next commit; none is ever dropped or retyped, and
files from before have no value there.

The library makes tables and checkpoints, and reads earlier versions. The newest is read and a commit is written here: opening a
table with the library parses all that was ever said of its files, and a commit of its own reads their names before and after
each. The cost of a batch would grow with the number of batches that came before it.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema

from warehouse.disk import fsync
from warehouse.errors import LakeError, Reason
from warehouse.schemas import Table

Where = Mapping[str, str | Sequence[str]]
#: For every partition column the names of the folders that are wanted, None for all.
Wanted = Sequence[set[str] | None]

# Opening a table reads the newest checkpoint and every commit after it; 20 keeps that short at any age of the table.
_CHECKPOINT_EVERY = 20
_CONFIGURATION = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": str(_CHECKPOINT_EVERY),
}
# What is read of one: all else of it, such as the sizes of files, is for other readers of the table.
_CHECKPOINTED = ["add.path", "add.modificationTime", "metaData.schemaString", "metaData.configuration"]
_TABLES_REMEMBERED = 256
#: Property of a table: when it got its newest columns, in ms since 1970.
_SINCE = "kinelake.columnsSince"
_Name = tuple[str, int]  # path below the table's folder, time of writing in ms
_Stamp = tuple[int, int]


@dataclass(frozen=True)
class LakeFile:
    """One Parquet file of one version of a table; never changed once written.

    Parameters
    ----------
    folder : Path
        The table's, absolute.
    name : str
        Path below the folder.
    partition : mapping of str to str
        Value of every partition column.
    written_at : datetime
        When the file was written, UTC.
    narrow : bool
        True if it may lack columns of the table, because it was written before they were added.
    """

    folder: Path
    name: str
    partition: Mapping[str, str]
    written_at: datetime
    narrow: bool

    @property
    def path(self) -> Path:
        """Absolute path."""
        return self.folder / self.name


@dataclass(frozen=True)
class TableVersion:
    """One version of a table: its number, and every Parquet file of it, sorted by path."""

    number: int
    files: tuple[LakeFile, ...]


class Log:
    """The versions of one table. Any number of processes may read; who writes holds the table's lock.

    Parameters
    ----------
    folder : Path
        The table's; it need not be there.
    table : Table

    Every method raises `LakeError` (``column_retyped``) if a column has another type there than in `table`.
    """

    def __init__(self, folder: Path, table: Table) -> None:
        self._folder, self._table = folder, table
        self._newest, self._types = _newest(folder), _types_of(table)
        self._nothing: Wanted = [set()] * len(table.partition_by)

    def version(self) -> int | None:
        """Return the newest version; None if the table was never written."""
        found = self._look(self._nothing)
        return None if found is None else found.version

    def at(self, version: int | datetime | None = None, *, where: Where | None = None) -> TableVersion | None:
        """Return one version (default: the newest) with its files; None if the table was never written.

        Parameters
        ----------
        version : int or datetime, optional
            A number, or an instant (with time zone): the version that was the newest then.
        where : mapping of str to str or sequence of str, optional
            Only files of these partitions. In the newest version those of a partition that is named whole are looked up,
            however many others there are.
        """
        wanted = self._wanted_folders(where or {})
        found = self._look(wanted)
        if found is not None and version not in (None, found.version):
            found = self._look_back(version, wanted)
        if found is None:
            return None
        columns = found.columns
        lacking = not self._types.keys() <= columns.types.keys()
        files = (self._file(name, ms, lacking or ms <= columns.since_ms) for name, ms in sorted(found.names))
        return TableVersion(found.version, tuple(files))

    def names(self) -> dict[str, list[str]]:
        """Return the paths below the folder of the newest version's files, sorted, by the folder of their partition."""
        found = self._look([None] * len(self._table.partition_by))
        by_folder: dict[str, list[str]] = {}
        for name, _ in sorted(found.names) if found else ():
            by_folder.setdefault(name.rpartition("/")[0], []).append(name)
        return by_folder

    def create(self) -> None:
        """Make the table, if it is not there."""
        table = self._table
        if self.version() is not None:
            return
        DeltaTable.create(
            str(self._folder),
            schema=table.schema,
            partition_by=list(table.partition_by),
            name=table.name,
            description=table.comment,
            configuration=_CONFIGURATION,
        )
        for made in (_commit_file(self._folder, 0), _commit_file(self._folder, 0).parent, self._folder, self._folder.parent):
            fsync(made)

    def commit(self, *, added: Sequence[Added], removed: Sequence[LakeFile], after: int) -> int:
        """Add the version that follows the version `after`; it is on disk when it can be seen and when the call returns.

        Raises
        ------
        LakeError
            ``commit_conflict`` if somebody who does not hold the lock added that one: the files to remove were chosen before.
        """
        version = after + 1
        now_ms = time.time_ns() // 1_000_000
        actions = [*(_removal(file, now_ms) for file in removed), *(_addition(one, now_ms) for one in added)]
        now = self._look(self._nothing)
        if now is not None and now.columns.types.keys() != self._types.keys():
            actions.insert(0, self._widened(now_ms))
        _write_commit(_commit_file(self._folder, version), [_commit_info(now_ms), *actions])
        if version % _CHECKPOINT_EVERY == 0:
            self._checkpoint()
        return version

    def sweep(self) -> None:
        """Remove what killed writers left in the log; nobody may be writing."""
        for left in (self._folder / "_delta_log").glob(".*.tmp"):
            left.unlink()

    def _checkpoint(self) -> None:
        DeltaTable(str(self._folder)).create_checkpoint()
        log = self._folder / "_delta_log"
        newest = json.loads((log / "_last_checkpoint").read_text(encoding="utf-8"))["version"]
        for made in (log / f"{newest:020d}.checkpoint.parquet", log / "_last_checkpoint", log):
            fsync(made)

    def _look(self, wanted: Wanted) -> _Seen | None:
        found = self._newest.look(wanted)
        there = found.columns.types if found else {}
        for name, kind in self._types.items():
            if there.get(name, kind) != kind:
                raise LakeError(_retyped(self._folder, name, there=there[name], here=kind))
        return found

    def _widened(self, now_ms: int) -> dict[str, Any]:
        """The table lacks columns that this code has, or the other way round: from now on it has all, and no file has to."""
        names = self._newest.look([None] * len(self._table.partition_by))
        since_ms = max([now_ms, *(written_ms for _, written_ms in (names.names if names else ()))])
        delta = DeltaTable(str(self._folder))
        stated, fields = delta.metadata(), json.loads(delta.schema().to_json())["fields"]
        known = {field["name"] for field in fields}
        fields += [field for field in _fields_of(self._table) if field["name"] not in known]
        columns = {"type": "struct", "fields": fields}
        return {
            "metaData": {
                "id": stated.id,
                "name": stated.name,
                "description": self._table.comment,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps(columns),
                "partitionColumns": stated.partition_columns,
                "configuration": {**stated.configuration, _SINCE: str(since_ms)},
                "createdTime": stated.created_time,
            }
        }

    def _look_back(self, version: int | datetime | None, wanted: Wanted) -> _Seen:
        delta = DeltaTable(str(self._folder), version=version if isinstance(version, int) else None)
        if isinstance(version, datetime):
            delta.load_as_version(version)
        return _Seen(int(delta.version()), _Files(_names_in(delta)).below(wanted), _columns_in(delta))

    def _wanted_folders(self, where: Where) -> Wanted:
        return [
            {f"{column}={value}" for value in values_of(where[column])} if column in where else None
            for column in self._table.partition_by
        ]

    def _file(self, name: str, written_ms: int, narrow: bool) -> LakeFile:
        folders = dict(part.split("=", 1) for part in name.split("/")[:-1])
        partition = {column: folders[column] for column in self._table.partition_by}
        return LakeFile(self._folder, name, partition, datetime.fromtimestamp(written_ms / 1000, UTC), narrow)


@dataclass(frozen=True)
class Added:
    """A new Parquet file of a table: its path below the folder, its size and rows."""

    name: str
    partition: Mapping[str, str]
    bytes: int
    rows: int


@dataclass(frozen=True)
class _Columns:
    """Types of a table's columns as its log has them; files written until `since_ms` may lack some of them."""

    types: Mapping[str, Any]
    since_ms: int


@dataclass(frozen=True)
class _Seen:
    """A version as the log has it, and those of its files that were asked for."""

    version: int
    names: list[_Name]
    columns: _Columns


class _Files:
    """Path and time of the files of a version, by the folder of their partition."""

    def __init__(self, names: Iterable[_Name]) -> None:
        self._folders: dict[str, dict[str, int]] = {}
        for name, written_ms in names:
            self.add(name, written_ms)

    def add(self, name: str, written_ms: int) -> None:
        self._folders.setdefault(name.rpartition("/")[0], {})[name] = written_ms

    def remove(self, name: str) -> None:
        folder = name.rpartition("/")[0]
        names = self._folders.get(folder, {})
        names.pop(name, None)
        if not names:
            self._folders.pop(folder, None)

    def below(self, wanted: Wanted) -> list[_Name]:
        return [found for folder in self._chosen(wanted) for found in self._folders.get(folder, {}).items()]

    def _chosen(self, wanted: Wanted) -> Iterable[str]:
        named = [names for names in wanted if names is not None]
        if len(named) == len(wanted):
            return ("/".join(parts) for parts in product(*named))
        return (
            folder
            for folder in self._folders
            if all(names is None or part in names for part, names in zip(folder.split("/"), wanted, strict=True))
        )


class _Newest:
    """The newest version of one table as this process last saw it, brought up to date by reading only the commits since."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._version, self._files, self._columns = -1, _Files(()), _Columns({}, -1)
        self._stamp: _Stamp | None = None

    def look(self, wanted: Wanted) -> _Seen | None:
        """Return the newest version and its files in the wanted folders; None if there is no table."""
        with self._lock:
            # Another table may lie in its place, or an older state of it: then nothing that is remembered holds.
            if self._stamp is None or _stamp(_commit_file(self._folder, self._version)) != self._stamp:
                self._read_all()
            while stamp := _stamp(_commit_file(self._folder, self._version + 1)):
                self._apply(_commit_file(self._folder, self._version + 1))
                self._version, self._stamp = self._version + 1, stamp
            return None if self._stamp is None else _Seen(self._version, self._files.below(wanted), self._columns)

    def _read_all(self) -> None:
        self._version, self._files, self._columns = _checkpointed(self._folder)
        self._stamp = _stamp(_commit_file(self._folder, self._version))

    def _apply(self, commit: Path) -> None:
        for line in commit.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "remove" in action:
                self._files.remove(unquote(action["remove"]["path"]))
            if "add" in action:
                self._files.add(unquote(action["add"]["path"]), action["add"]["modificationTime"])
            if "metaData" in action:
                self._columns = _columns(action["metaData"]["schemaString"], action["metaData"].get("configuration") or {})


def values_of(wanted: str | Sequence[str]) -> Sequence[str]:
    """Return one value or several as several."""
    return (wanted,) if isinstance(wanted, str) else wanted


@lru_cache(maxsize=_TABLES_REMEMBERED)
def _newest(folder: Path) -> _Newest:
    return _Newest(folder)


def _checkpointed(folder: Path) -> tuple[int, _Files, _Columns]:
    """Return version, files and columns of the newest checkpoint; -1 and none of either where there is none that can be read.

    Nothing is lost then: commits are kept for ever, and each tells what it changed.
    """
    log = folder / "_delta_log"
    try:
        version = int(json.loads((log / "_last_checkpoint").read_text(encoding="utf-8"))["version"])
        with pq.ParquetFile(log / f"{version:020d}.checkpoint.parquet") as file:
            rows = file.read(columns=_CHECKPOINTED, use_threads=False)
    except (FileNotFoundError, ValueError):
        return -1, _Files(()), _Columns({}, -1)
    paths, written_ms = (pc.struct_field(rows["add"].drop_null(), name).to_pylist() for name in ("path", "modificationTime"))
    stated = rows["metaData"].drop_null()[0].as_py()
    columns = _columns(stated["schemaString"], dict(stated["configuration"]))
    return version, _Files(zip(map(unquote, paths), written_ms, strict=True)), columns


def _names_in(delta: DeltaTable) -> Iterator[_Name]:
    adds = pa.table(delta.get_add_actions())
    return zip(adds["path"].to_pylist(), adds["modification_time"].to_pylist(), strict=True)


def _columns_in(delta: DeltaTable) -> _Columns:
    return _columns(delta.schema().to_json(), delta.metadata().configuration)


def _columns(schema: str, configuration: Mapping[str, str]) -> _Columns:
    return _Columns({field["name"]: field["type"] for field in json.loads(schema)["fields"]}, int(configuration.get(_SINCE, -1)))


@lru_cache(maxsize=_TABLES_REMEMBERED)
def _types_of(table: Table) -> Mapping[str, Any]:
    return {field["name"]: field["type"] for field in _fields_of(table)}


def _fields_of(table: Table) -> list[dict[str, Any]]:
    return list(json.loads(Schema.from_arrow(table.schema).to_json())["fields"])


def _retyped(folder: Path, column: str, *, there: object, here: object) -> Reason:
    kinds = f"{json.dumps(there)} in this home and {json.dumps(here)} in this version of kinelake"
    sentence = f"column '{column}' of table '{folder.name}' holds {kinds}: a column never changes its type"
    remedy = "use the version of kinelake that wrote the home, or deliver to a new --home; nothing was changed"
    return Reason("column_retyped", sentence, str(folder), remedy)


def _addition(file: Added, now_ms: int) -> dict[str, Any]:
    # Statistics are counts only: least and greatest values of people would stay in the log for ever.
    stated = {"size": file.bytes, "modificationTime": now_ms, "dataChange": True, "stats": json.dumps({"numRecords": file.rows})}
    return {"add": {"path": file.name, "partitionValues": dict(file.partition), **stated}}


def _removal(file: LakeFile, now_ms: int) -> dict[str, Any]:
    partition = dict(file.partition)
    return {"remove": {"path": file.name, "deletionTimestamp": now_ms, "dataChange": True, "partitionValues": partition}}


def _commit_info(now_ms: int) -> dict[str, Any]:
    return {"commitInfo": {"timestamp": now_ms, "operation": "WRITE", "engineInfo": "kinelake"}}


def _write_commit(target: Path, actions: Iterable[dict[str, Any]]) -> None:
    aside = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with aside.open("w", encoding="utf-8") as handle:
            handle.writelines(json.dumps(action) + "\n" for action in actions)
            handle.flush()
            os.fsync(handle.fileno())
        # A link, unlike a rename, fails where a commit of that number is there already.
        target.hardlink_to(aside)
    except FileExistsError as error:
        sentence = "somebody else wrote to the table at the same time, without holding its lock"
        raise LakeError(Reason("commit_conflict", sentence, str(target), "try again; nothing was changed")) from error
    finally:
        aside.unlink(missing_ok=True)
    fsync(target.parent)


def _commit_file(folder: Path, version: int) -> Path:
    return folder / "_delta_log" / f"{version:020d}.json"


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
