"""Publishing: a new `warehouse.duckdb` beside the live one, swapped in by rename.

Belongs here: building the DuckDB file and putting it in place. Which files it may show is decided in `warehouse.snapshot`,
what it holds beyond the lake's tables in `warehouse.views`.

Readers that have the old file open keep it; whoever opens next gets the new one. A publish that is killed leaves the live file
as it was, and a remainder that the next one removes.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from types import MappingProxyType

import duckdb
import pyarrow as pa

from warehouse.disk import fsync
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.previous import SmallTables, remember, small_tables
from warehouse.schemas import TABLES
from warehouse.snapshot import Snapshot, take_snapshot
from warehouse.sql_text import columns_of, name, rows_of, text
from warehouse.views import PUBLICATION, SOURCES, analyst_views, tables_inside, tables_outside

#: The oldest DuckDB whose clients must be able to open the file.
OLDEST_CLIENT = "v1.2.0"

Aliases = Mapping[tuple[str, int], str]
_BUILDING = ".warehouse.building-"


@dataclass(frozen=True)
class Publication:
    """What was published.

    Parameters
    ----------
    path : Path
        The live file.
    published_at : datetime
        UTC.
    versions : mapping of str to int
        Version of every table of the lake that exists.
    tables : tuple of str
        Every table and view in the file.
    """

    path: Path
    published_at: datetime
    versions: Mapping[str, int]
    tables: tuple[str, ...]


def publish(home: Home, *, aliases: Aliases = MappingProxyType({}), received: pa.Table | None = None) -> Publication:
    """Publish everything that is complete in the lake.

    One publish works at a time; another waits for it. The file and its folder are on disk (fsync) before the call returns.

    Parameters
    ----------
    home : Home
    aliases : mapping of (task, version) to str
        Aliases of model versions, as the registry has them now.
    received : Table, optional
        Rows of `batches` for deliveries that are not in the lake yet; those of complete batches are passed over.

    Returns
    -------
    Publication
    """
    with _alone(home):
        _remove_remains(home)
        published_at = datetime.now(UTC)
        lake = Lake(home)
        building = home.root / f"{_BUILDING}{uuid.uuid4().hex}.duckdb"
        try:
            with small_tables(home, lake) as small, _database(building) as database:
                snapshot = take_snapshot(lake, small.rows)
                _make_tables(database, small, snapshot)
                _insert(database, "publication", _publication_rows(home, snapshot, published_at))
                _insert(database, "sources", _source_rows(snapshot))
                _mark_aliases(database, aliases)
                _add_received(database, received)
                _make_views(database, snapshot)
            _swap_in(building, home)
        finally:
            building.unlink(missing_ok=True)
    names = [thing.name for thing in (*tables_inside(), *tables_outside())]
    names += [view.name for view in analyst_views()]
    return Publication(home.warehouse, published_at, snapshot.versions, tuple(names))


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    with (home.lake / ".publish.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remove_remains(home: Home) -> None:
    for left in home.root.glob(f"{_BUILDING}*"):
        left.unlink()


@contextmanager
def _database(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with _buildable(path) as built, duckdb.connect() as database:
        how = f"(STORAGE_VERSION '{OLDEST_CLIENT}', RECOVERY_MODE 'no_wal_writes')"
        database.execute(f"ATTACH {text(built)} AS building {how}")
        database.execute("USE building; BEGIN")
        yield database
        database.execute("COMMIT; USE memory; DETACH building")


@contextmanager
def _buildable(path: Path) -> Iterator[Path]:
    """The path itself; where it holds a question mark, which DuckDB cannot write beyond, one that is copied to it in the end."""
    if "?" not in str(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / path.name
        shutil.copyfile(Path(folder) / path.name, path)


def _swap_in(building: Path, home: Home) -> None:
    fsync(building)
    # The log of somebody who wrote to the old file must not be applied to the new one.
    Path(f"{home.warehouse}.wal").unlink(missing_ok=True)
    building.replace(home.warehouse)
    fsync(home.root)
    remember(home)


def _make_tables(database: duckdb.DuckDBPyConnection, small: SmallTables, snapshot: Snapshot) -> None:
    for table in tables_inside():
        database.execute(f"CREATE TABLE {name(table.name)} ({columns_of(table)})")
        _comment_on(database, "TABLE", table.name, table.comment, {column.name: column.comment for column in table.columns})
        if table.name in TABLES:
            _insert(database, table.name, small.rows(TABLES[table.name], snapshot.files[table.name]))


def _make_views(database: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    for table in tables_outside():
        database.execute(f"CREATE VIEW {name(table.name)} AS {rows_of(table, snapshot.files[table.name])}")
        _comment_on(database, "VIEW", table.name, table.comment, {column.name: column.comment for column in table.columns})
    for view in analyst_views():
        database.execute(f"CREATE VIEW {name(view.name)} AS {view.sql}")
        _comment_on(database, "VIEW", view.name, view.comment, view.columns)


def _insert(database: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    # One chunk: thousands of files make thousands of chunks, each of which costs DuckDB more than its rows.
    database.register("given", rows.combine_chunks())
    database.execute(f"INSERT INTO {name(table)} BY NAME SELECT * FROM given")  # noqa: S608
    database.unregister("given")


def _mark_aliases(database: duckdb.DuckDBPyConnection, aliases: Aliases) -> None:
    for (task, version), alias in aliases.items():
        database.execute("UPDATE models SET alias = ? WHERE task = ? AND version = ?", [alias, task, version])


def _add_received(database: duckdb.DuckDBPyConnection, received: pa.Table | None) -> None:
    if received is None or received.num_rows == 0:
        return
    complete = {batch_id for (batch_id,) in database.execute("SELECT batch_id FROM batches").fetchall()}
    _insert(database, "batches", received.filter([batch_id not in complete for batch_id in received["batch_id"].to_pylist()]))


def _publication_rows(home: Home, snapshot: Snapshot, published_at: datetime) -> pa.Table:
    software = installed_version("kinelake")
    same = {"published_at": published_at, "home": str(home.root), "kinelake_version": software}
    rows = [
        {"table_name": table, "version": snapshot.versions.get(table), "files": len(files), **same}
        for table, files in snapshot.files.items()
    ]
    return pa.Table.from_pylist(rows, PUBLICATION.schema)


def _source_rows(snapshot: Snapshot) -> pa.Table:
    rows = [{"table_name": table, "path": file.name} for table, files in snapshot.files.items() for file in files]
    return pa.Table.from_pylist(rows, SOURCES.schema)


def _comment_on(database: duckdb.DuckDBPyConnection, kind: str, thing: str, comment: str, columns: Mapping[str, str]) -> None:
    said = [f"{kind} {name(thing)} IS {text(comment)}"]
    said += [f"COLUMN {name(thing)}.{name(column)} IS {text(meaning)}" for column, meaning in columns.items()]
    database.execute("; ".join(f"COMMENT ON {line}" for line in said))
