"""What is looked up over all batches of a study at a cost that hardly grows with their number: an SQLite file for each study.

Belongs here: keeping such a file in step with the lake, whatever happened to either. What lies in one is told by those who derive
theirs from `StudyIndex`. It holds nothing that the lake does not, so anyone may delete it.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

from warehouse.home import Home
from warehouse.lake import Lake

_WAIT_S = 60.0
_AT_A_TIME = 200
_BATCHES = "CREATE TABLE batches (batch_id TEXT PRIMARY KEY, files TEXT NOT NULL) WITHOUT ROWID;"


class StudyIndex(ABC):
    """An open index, in step with the lake; see `open_index`."""

    #: Folder below `Home.index`, in which there is a file for each study.
    folder: ClassVar[str]
    #: Changes with `schema` and with what is put in: a file with another one is made anew.
    layout: ClassVar[int]
    schema: ClassVar[str]
    #: Tables of the lake that are partitioned by batch and nothing else, from whose rows it is made.
    made_from: ClassVar[tuple[str, ...]]

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @abstractmethod
    def take_in(self, batches: Sequence[str], study: str, lake: Lake) -> None:
        """Add what the lake holds of some batches, of which the index holds nothing; inside a transaction."""

    @abstractmethod
    def take_out(self, batch_id: str) -> None:
        """Delete what the index holds of a batch; inside a transaction."""

    def bring_in_step(self, study: str, lake: Lake) -> None:
        """Take out what the lake does not hold any more, and take in what is new; all or nothing."""
        now = _files_by_batch(self.made_from, lake)
        if self._known() == now:
            return
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            # Asked again: meanwhile another process may have done the same.
            known = self._known()
            for batch_id in (batch_id for batch_id, files in known.items() if now.get(batch_id) != files):
                self.take_out(batch_id)
                self._connection.execute("DELETE FROM batches WHERE batch_id = ?", [batch_id])
            new = [batch_id for batch_id, files in now.items() if known.get(batch_id) != files]
            for start in range(0, len(new), _AT_A_TIME):
                self.take_in(new[start : start + _AT_A_TIME], study, lake)
            self._connection.executemany("INSERT INTO batches VALUES (?, ?)", [(batch_id, now[batch_id]) for batch_id in new])

    def _known(self) -> dict[str, str]:
        return dict(self._connection.execute("SELECT batch_id, files FROM batches"))


_Index = TypeVar("_Index", bound=StudyIndex)


@contextmanager
def open_index(kind: type[_Index], study: str, *, home: Home) -> Iterator[_Index]:
    """Open the index of a study, in step with the lake as it is now; one that cannot be read is made anew.

    Parameters
    ----------
    kind : type
        A `StudyIndex`.
    study : str
    home : Home
    """
    path = home.index / kind.folder / f"{study}.sqlite"
    try:
        index = _opened(kind, path, home)
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        index = _opened(kind, path, home)
    try:
        yield index
    finally:
        index._connection.close()


def bring_all_in_step(kind: type[StudyIndex], home: Home) -> None:
    """Bring every study's index of a kind in step with the lake; whatever was deleted there is overwritten in the file."""
    for path in sorted((home.index / kind.folder).glob("*.sqlite")):
        with open_index(kind, path.stem, home=home):
            pass


def _opened(kind: type[_Index], path: Path, home: Home) -> _Index:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    try:
        # Without it the bytes of a deleted row stay in the file: an erasure must leave none.
        connection.execute("PRAGMA secure_delete = ON")
        _lay_out(kind, connection)
        index = kind(connection)
        index.bring_in_step(path.stem, Lake(home))
    except BaseException:
        connection.close()
        raise
    return index


def _lay_out(kind: type[StudyIndex], connection: sqlite3.Connection) -> None:
    if _layout(connection) == kind.layout:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if _layout(connection) == kind.layout:
            return
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f"DROP TABLE {table}")
        for statement in (*f"{_BATCHES} {kind.schema}".split(";"), f"PRAGMA user_version = {kind.layout}"):
            connection.execute(statement)


def _layout(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _files_by_batch(tables: Sequence[str], lake: Lake) -> dict[str, str]:
    """Name, for each batch, the files that its rows would be taken from."""
    named = [lake.files_by_batch(table) for table in tables]
    return {batch_id: "; ".join(files.get(batch_id, "") for files in named) for batch_id in set().union(*named)}
