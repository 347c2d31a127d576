"""The rows of small tables for a new warehouse: from the live one where it has them, so that only new batches are read.

Belongs here: deciding what of the live file can be taken over. A Parquet file is never changed once written, so a batch made of
the same files has the same rows; nothing is taken from a file that is not as the last publish left it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from warehouse.delta import LakeFile
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import Table
from warehouse.sql_text import name, sql_type, text


class SmallTables:
    """Reads the rows of some files of a table.

    Parameters
    ----------
    lake : Lake
    live : DuckDBPyConnection or None
        Where the live warehouse is attached as ``live``; None if nothing can be taken over.
    """

    def __init__(self, lake: Lake, live: duckdb.DuckDBPyConnection | None) -> None:
        self._lake = lake
        self._live = live

    def rows(self, table: Table, files: Sequence[LakeFile]) -> pa.Table:
        """Return all rows of these files, with the columns of `table`."""
        known = _unchanged_batches(self._live, table, files) if self._live and table.partition_by == ("batch_id",) else set()
        if not known:
            return self._lake.read_files(table.name, files)
        fresh = [file for file in files if file.partition["batch_id"] not in known]
        return pa.concat_tables([self._taken_over(table, known), self._lake.read_files(table.name, fresh)])

    def _taken_over(self, table: Table, batch_ids: set[str]) -> pa.Table:
        assert self._live is not None
        columns = ", ".join(name(column.name) for column in table.columns)
        asked = f"SELECT {columns} FROM live.{name(table.name)} WHERE batch_id IN (SELECT unnest(?))"  # noqa: S608
        return self._live.execute(asked, [sorted(batch_ids)]).to_arrow_table().cast(table.schema)


@contextmanager
def small_tables(home: Home, lake: Lake) -> Iterator[SmallTables]:
    """Open the live warehouse, if there is one that is as the last publish left it, beside the lake."""
    with duckdb.connect() as database:
        known = _untouched(home) and _attach(database, home)
        yield SmallTables(lake, database if known else None)


def remember(home: Home) -> None:
    """Note what the live file looks like, right after it was published."""
    _note(home).write_text(_looks(home), encoding="utf-8")


def _unchanged_batches(live: duckdb.DuckDBPyConnection, table: Table, files: Sequence[LakeFile]) -> set[str]:
    if _columns(live, table.name) != [(column.name, sql_type(column.type).replace('"', "")) for column in table.columns]:
        return set()
    before = live.execute("SELECT path FROM live.sources WHERE table_name = ?", [table.name]).fetchall()
    had = _by_batch((path.split("/", 1)[0].removeprefix("batch_id="), path) for (path,) in before)
    has = _by_batch((file.partition["batch_id"], file.name) for file in files)
    return {batch_id for batch_id, names in has.items() if had.get(batch_id) == names}


def _by_batch(pairs: Iterable[tuple[str, str]]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for batch_id, path in pairs:
        found[batch_id].add(path)
    return found


def _columns(live: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    of_table = "database_name = 'live' AND table_name = ? ORDER BY column_index"
    found = live.execute(f"SELECT column_name, data_type FROM duckdb_columns() WHERE {of_table}", [table])  # noqa: S608
    return [(column, kind.replace('"', "")) for column, kind in found.fetchall()]


def _attach(database: duckdb.DuckDBPyConnection, home: Home) -> bool:
    try:
        database.execute(f"ATTACH {text(home.warehouse)} AS live (READ_ONLY)")
    except duckdb.IOException:  # somebody has it open for writing: what they may change is not taken over
        return False
    return True


def _untouched(home: Home) -> bool:
    note = _note(home)
    if not (note.exists() and home.warehouse.exists()) or Path(f"{home.warehouse}.wal").exists():
        return False
    return note.read_text(encoding="utf-8") == _looks(home)


def _looks(home: Home) -> str:
    found = home.warehouse.stat()
    return json.dumps({"inode": found.st_ino, "bytes": found.st_size, "changed_ns": found.st_mtime_ns})


def _note(home: Home) -> Path:
    return home.lake / ".published.json"
