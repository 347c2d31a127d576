"""Looking for what is left of an erased participant: every file of the home is opened and searched.

Belongs here: what is looked for, and how each kind of file is decoded before it is searched: rows of Parquet, of SQLite and of
DuckDB, bytes of everything else. The vault's files of other people are not opened: their names are their hashes.
"""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.erasure import left_in_landing
from ingestion.receipt import Receipt
from ingestion.vault import Vault
from warehouse.home import Home

_CHUNK_BYTES = 1 << 23
_LONGEST_BYTES = 1 << 14
_ROWS = 1 << 18


@dataclass(frozen=True)
class Sought:
    """What must not be found any more.

    Parameters
    ----------
    study, participant : str
    batches : frozenset of str
        All batches of the study: only there the pseudonym is this person.
    recordings, sha256, paths : frozenset of str
        Recording ids, hashes of files, and paths in deliveries that no file of anybody else has.
    """

    study: str
    participant: str
    batches: frozenset[str]
    recordings: frozenset[str]
    sha256: frozenset[str]
    paths: frozenset[str]

    def found_in(self, content: bytes) -> bool:
        """Tell whether bytes name a recording, a hash or a path."""
        return any(name in content for name in self._ids) or any(
            spelt in content and pattern.search(content) for spelt, pattern in self._spelt.items()
        )

    @cached_property
    def _ids(self) -> list[bytes]:
        return [name.encode() for name in (*self.recordings, *self.sha256)]

    @cached_property
    def _spelt(self) -> Mapping[bytes, re.Pattern[bytes]]:
        """A path as itself, as JSON and as HTML write it; ``1.zip`` is not found in ``11.zip``."""
        spelt = {text for path in self.paths for text in (path, json.dumps(path)[1:-1], html.escape(path))}
        alone = rb"(?<![A-Za-z0-9_./-])%s(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
        return {text.encode(): re.compile(alone % re.escape(text.encode())) for text in spelt}


def remains(sought: Sought, home: Home, *, besides: Path) -> tuple[int, list[str]]:
    """Search every file of the home.

    Parameters
    ----------
    sought : Sought
    home : Home
    besides : Path
        Folder that is not looked into.

    Returns
    -------
    (int, list of str)
        How many files were searched, and every place in which something is left.
    """
    searched, left = 0, [str(place) for place in left_in_landing(sought.sha256, home)]
    left += [f"vault receipt {receipt.batch_id}" for receipt in Vault(home).receipts() if _received(receipt, sought)]
    for path in sorted(path for path in home.root.rglob("*") if path.is_file() and besides not in path.parents):
        searched += 1
        if _is_left(path, sought, home):
            left.append(str(path.relative_to(home.root)))
    return searched, sorted(set(left))


def strays(sought: Sought, folder: Path) -> list[Path]:
    """Return the files of a folder that still name what is sought."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _in_bytes(path, sought)]


def _received(receipt: Receipt, sought: Sought) -> bool:
    return receipt.study == sought.study and any(file.participant == sought.participant for file in receipt.files)


def _is_left(path: Path, sought: Sought, home: Home) -> bool:
    if path.name in sought.sha256:
        return True
    if path.parent.parent == home.vault and len(path.name) == 64:
        return False
    decoded = _DECODERS.get(path.suffix)
    try:
        return bool(decoded and decoded(path, sought)) or _in_bytes(path, sought)
    except FileNotFoundError:
        return False  # somebody's temporary file, gone since it was listed


def _in_bytes(path: Path, sought: Sought) -> bool:
    before = b""
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            if sought.found_in(before + chunk):
                return True
            before = chunk[-_LONGEST_BYTES:]
    return False


def _in_parquet(path: Path, sought: Sought) -> bool:
    try:
        whole = pq.ParquetFile(path)
    except pa.ArrowInvalid:
        return False  # a killed writer's, without its end: nothing in it can be decoded, and its batch is not this one
    names = [field.name for field in whole.schema_arrow if _holds_text(field.type)]
    own = bool({f"batch_id={batch_id}" for batch_id in sought.batches} & set(path.parts)) or any(
        part.startswith(f"task={sought.study}.") for part in path.parts
    )
    for batch in whole.iter_batches(batch_size=_ROWS, columns=names) if names else ():
        if own and "participant" in names and sought.participant in pc.unique(batch["participant"]).to_pylist():
            return True
        if any(sought.found_in(_joined(texts)) for column in batch.columns for texts in _texts(column)):
            return True
    return False


def _in_sqlite(path: Path, sought: Sought) -> bool:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            quoted = table.replace('"', '""')
            for row in database.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608
                if sought.found_in("\n".join(map(str, row)).encode("utf-8", "surrogateescape")):
                    return True
    return False


def _in_duckdb(path: Path, sought: Sought) -> bool:
    import duckdb

    with duckdb.connect(str(path), read_only=True) as database:
        tables = [name for (name,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for rows in (database.table(name).to_arrow_table() for name in tables):
            for texts in (texts for column in rows.columns for chunk in column.chunks for texts in _texts(chunk)):
                if sought.found_in(_joined(texts)):
                    return True
    return False


_DECODERS: Mapping[str, Callable[[Path, Sought], bool]] = {
    ".parquet": _in_parquet,
    ".db": _in_sqlite,
    ".duckdb": _in_duckdb,
}


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_map(kind):
        return True
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_text(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_holds_text(field.type) for field in kind)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _texts(column: pa.Array) -> Iterator[pa.Array]:
    """Every array of texts inside a column, each text once."""
    kind = column.type
    if pa.types.is_map(kind):
        yield from _texts(column.keys)
        yield from _texts(column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts(column.flatten())
    elif pa.types.is_struct(kind):
        for part in column.flatten():
            yield from _texts(part)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield pc.unique(column)


def _joined(texts: pa.Array) -> bytes:
    return "\n".join(text for text in texts.to_pylist() if text is not None).encode("utf-8", "surrogateescape")
