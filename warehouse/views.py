"""What the warehouse holds beyond the lake's tables: ready-made views for analysts, and its own tables.

A view is one file of `warehouse/sql`: its first comment line says what a row is, the others what each column means, and
then comes one SELECT over the published tables. A new view is a new file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from warehouse.schemas import TABLES, Column, Table

_INSIDE = (
    *("batches", "recordings", "verdicts", "checks", "releases", "corrections"),
    *("models", "evaluations", "training_tables", "predictions"),
)
_FOLDER = Path(__file__).with_name("sql")

PUBLICATION = Table(
    "publication",
    "A table of the lake as it was published: what this warehouse shows of it.",
    (
        Column("table_name", pa.string(), "Table of the lake."),
        Column("version", pa.int64(), "Version of the table; null if nothing was ever written to it."),
        Column("files", pa.int64(), "Parquet files shown; those of unfinished batches and trainings are not."),
        Column("published_at", pa.timestamp("us", tz="UTC"), "When, UTC; the same in every row."),
        Column("home", pa.string(), "Folder of the installation."),
        Column("kinelake_version", pa.string(), "Version of the software that published."),
    ),
)

SOURCES = Table(
    "sources",
    "A Parquet file that a table or view of this warehouse is made of.",
    (
        Column("table_name", pa.string(), "Table of the lake."),
        Column("path", pa.string(), "Path below the folder lake/<table>; its folders name the batch or the training."),
    ),
)

_ALIAS = Column("alias", pa.string(), "Name that the registry gives the version now: champion, or null.")


@dataclass(frozen=True)
class View:
    """A ready-made view: name, what a row is, what each column means, and its SELECT."""

    name: str
    comment: str
    columns: Mapping[str, str]
    sql: str


def tables_inside() -> tuple[Table, ...]:
    """Tables that the file itself holds: small ones, wanted by every second query, and what it says of itself.

    They are as in the lake, but for `models`, which has the registry's alias besides.
    """
    models = TABLES["models"]
    with_alias = dataclasses.replace(models, columns=(*models.columns, _ALIAS))
    return (*(with_alias if name == "models" else TABLES[name] for name in _INSIDE), PUBLICATION, SOURCES)


def tables_outside() -> tuple[Table, ...]:
    """Tables that the file shows as views over the lake's Parquet files."""
    return tuple(table for name, table in TABLES.items() if name not in _INSIDE)


def analyst_views() -> tuple[View, ...]:
    """Every view of `warehouse/sql`, by name."""
    return tuple(_parsed(path) for path in sorted(_FOLDER.glob("*.sql")))


def _parsed(path: Path) -> View:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    columns = dict(line.split(": ", 1) for line in head[1:])
    return View(path.stem, head[0], columns, "\n".join(lines[len(head) :]))
