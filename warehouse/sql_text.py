"""Schemas and values as DuckDB's SQL text, quoted so that nothing from outside is read as SQL or as a file pattern.

Belongs here: what cannot be bound as a parameter, which is the text of views, comments and ATTACH.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa

from warehouse.delta import LakeFile
from warehouse.schemas import Table

_SCALARS: Mapping[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}


def text(value: object) -> str:
    """Return a SQL string that holds exactly this text.

    Examples
    --------
    >>> text("it's")
    "'it''s'"
    """
    return "'" + str(value).replace("'", "''") + "'"


def name(identifier: str) -> str:
    """Return a table's or column's name as SQL, also where it is a word of SQL.

    Examples
    --------
    >>> name("order")
    '"order"'
    """
    return '"' + identifier.replace('"', '""') + '"'


def sql_type(arrow: pa.DataType) -> str:
    """Return DuckDB's name of an Arrow type that `warehouse.schemas` uses.

    Examples
    --------
    >>> sql_type(pa.list_(pa.struct([("code", pa.string()), ("rows", pa.int64())])))
    'STRUCT("code" VARCHAR, "rows" BIGINT)[]'
    """
    if pa.types.is_list(arrow):
        return f"{sql_type(arrow.value_type)}[]"
    if pa.types.is_struct(arrow):
        return f"STRUCT({', '.join(f'{name(field.name)} {sql_type(field.type)}' for field in arrow)})"
    return _SCALARS[arrow]


def columns_of(table: Table) -> str:
    """Return the columns of a table with their types, as CREATE TABLE wants them."""
    return ", ".join(f"{name(column.name)} {sql_type(column.type)}" for column in table.columns)


def rows_of(table: Table, files: Sequence[LakeFile]) -> str:
    """Return a SELECT of a table's columns, in their order, from exactly these files; of no row if there are none.

    A column that a file has not, because it is older than the column, is null in its rows.
    """
    nothing = ", ".join(f"CAST(NULL AS {sql_type(column.type)}) AS {name(column.name)}" for column in table.columns)
    columns = ", ".join(name(column.name) for column in table.columns)
    whole, narrow = [file for file in files if not file.narrow], [file for file in files if file.narrow]
    parts = []
    # Names come from `warehouse.schemas`, paths are quoted.
    if whole:
        parts.append(f"SELECT {columns} FROM {_parquet(table, whole)}")  # noqa: S608
    if narrow:  # apart, since every one of them has to be opened to know its columns
        found = f"SELECT * FROM {_parquet(table, narrow, ', union_by_name = true')}"  # noqa: S608
        parts.append(f"SELECT {columns} FROM (SELECT {nothing} WHERE false UNION ALL BY NAME {found})")  # noqa: S608
    return " UNION ALL ".join(parts) or f"SELECT {nothing} WHERE false"


def _parquet(table: Table, files: Sequence[LakeFile], how: str = "") -> str:
    paths = ", ".join(text(literal_path(f"{file.folder}/{file.name}")) for file in files)
    hive = ", ".join(f"'{column}': VARCHAR" for column in table.partition_by)
    return f"read_parquet([{paths}], hive_partitioning = true, hive_types = {{{hive}}}{how})"


def literal_path(path: str) -> str:
    """Return a pattern that matches this path and no other.

    Examples
    --------
    >>> literal_path("/data/[a] b*/x.parquet")
    '/data/[[]a] b[*]/x.parquet'
    """
    return re.sub(r"[*?\[]", r"[\g<0>]", path)
