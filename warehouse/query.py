"""Read-only SQL on the published warehouse, for people: every refusal is a sentence.

Belongs here: one statement on one fresh connection that can read the warehouse and the lake, and nothing else of this
machine. What the warehouse holds is decided in `warehouse.publish`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from warehouse.errors import QueryRefused, Reason, did_you_mean
from warehouse.home import Home
from warehouse.sql_text import literal_path, text

_EXPLAIN = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*explain(?:\s+analyze)?\s(?P<explained>.*)", re.IGNORECASE | re.DOTALL)
_NO_TABLE = re.compile(r'Table with name "?(?P<name>.+?)"? does not exist')
_NO_COLUMN = re.compile(r'(?:Referenced column|does not have a column named) "(?P<name>[^"]+)"')
_READ_ONLY = "SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW and EXPLAIN of these"

# Nothing is loaded, installed or looked up in the caller's Python variables.
_CONFIGURATION: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}

_DICTIONARY = """
SELECT table_name AS "table", NULL AS "column", 'table' AS type, comment, -1 AS place
FROM duckdb_tables() WHERE database_name = 'warehouse'
UNION ALL
SELECT view_name, NULL, 'view', comment, -1
FROM duckdb_views() WHERE database_name = 'warehouse' AND NOT internal
UNION ALL
SELECT table_name, column_name, data_type, comment, column_index
FROM duckdb_columns() WHERE database_name = 'warehouse' AND NOT internal
ORDER BY 1, place
"""


def query(home: Home, sql: str, *, limit: int | None = None) -> pa.Table:
    """Ask the warehouse one read-only question.

    Parameters
    ----------
    home : Home
    sql : str
        One statement that reads.
    limit : int, optional
        Most rows to return; no more than these are computed where the question allows it.

    Returns
    -------
    Table
        Times are in UTC; whole numbers that fit are int64.

    Raises
    ------
    QueryRefused
        There is no warehouse, the statement is not one, not read-only or not understood, or it names a table, a column or a
        file that is not there. The nearest table or column is offered.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in sql):  # what the shell gives for bytes that are no text
        raise QueryRefused(Reason("not_text", "the statement holds bytes that are no UTF-8 text", remedy="write it as UTF-8"))
    with _connection(home) as warehouse:
        try:
            _refuse_more_than_reading(warehouse, sql)
            reader = warehouse.execute(sql).to_arrow_reader()
            return _whole_numbers(reader.read_all() if limit is None else _first(reader, limit))
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise QueryRefused(_explained(warehouse, sql, error)) from None


def data_dictionary(home: Home) -> pa.Table:
    """Return what the live warehouse holds: one row for every table and view, then one for each of its columns.

    Returns
    -------
    Table
        ``table``, ``column`` (null in the row of the table itself), ``type`` (``table``, ``view``, or the column's), ``comment``.
    """
    with _connection(home) as warehouse:
        rows = warehouse.execute(f'SELECT * EXCLUDE (place) FROM ({_DICTIONARY}) ORDER BY "table", place')  # noqa: S608
        return rows.to_arrow_table()


@contextmanager
def _connection(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    if not home.warehouse.exists():
        sentence = "there is no warehouse here yet"
        raise QueryRefused(Reason("warehouse_missing", sentence, str(home.warehouse), "'kinelake run' makes it"))
    with duckdb.connect(config=_CONFIGURATION) as warehouse:
        try:
            warehouse.execute(f"ATTACH {text(home.warehouse)} AS warehouse (READ_ONLY)")
        except duckdb.Error as error:
            why = f"the warehouse cannot be opened: {_first_sentence(error)}"
            remedy = "remove the file; 'kinelake run' makes it anew"
            raise QueryRefused(Reason("warehouse_unreadable", why, str(home.warehouse), remedy)) from error
        warehouse.execute("USE warehouse")
        _lock_in(warehouse, home)
        yield warehouse


def _lock_in(warehouse: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Leave nothing of this machine within reach but the lake, and no way to change that."""
    # A sort too big for memory spills into a folder, which the statement may then reach: it must hold nothing else.
    warehouse.execute(f"SET temp_directory = {text(home.lake / '.spill')}")
    # Views name their files as patterns, which in a folder called [x] are not spelled like the folder.
    warehouse.execute(f"SET allowed_directories = [{text(f'{home.lake}/')}, {text(literal_path(f'{home.lake}/'))}]")
    warehouse.execute("SET TimeZone = 'UTC'")
    warehouse.execute("SET enable_external_access = false")
    warehouse.execute("SET lock_configuration = true")


def _refuse_more_than_reading(warehouse: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = warehouse.extract_statements(sql)
    if len(statements) != 1:
        sentence = f"one statement at a time; this is {len(statements)}"
        remedy = "ask them one by one; give PIVOT its values: PIVOT … ON column IN (…)" if statements else "write one"
        raise QueryRefused(Reason("not_one_statement", sentence, remedy=remedy))
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN and (inner := _EXPLAIN.fullmatch(sql)):
        _refuse_more_than_reading(warehouse, inner["explained"])
    elif kind != duckdb.StatementType.SELECT:
        sentence = f"{kind.name} is refused: the warehouse is read-only; allowed are {_READ_ONLY}"
        remedy = "any DuckDB client can open the warehouse READ_ONLY and write to a database of its own"
        raise QueryRefused(Reason("not_read_only", sentence, remedy=remedy))


def _first(reader: pa.RecordBatchReader, limit: int) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    missing = limit
    for batch in reader:
        batches.append(batch.slice(0, missing))
        missing -= len(batches[-1])
        if missing <= 0:
            break
    return pa.Table.from_batches(batches, reader.schema)


def _whole_numbers(rows: pa.Table) -> pa.Table:
    """DuckDB sums integers to 128 bits, which Arrow calls a decimal; int64 is what a reader expects, where it fits."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            try:
                rows = rows.set_column(place, field.name, rows[field.name].cast(pa.int64()))
            except pa.ArrowInvalid:
                continue
    return rows


def _explained(warehouse: duckdb.DuckDBPyConnection, sql: str, error: Exception) -> Reason:
    said = str(error)
    remedy = "'kinelake tables' lists every table and column"
    if found := _NO_TABLE.search(said):
        sentence = f"table '{found['name']}' is not known{did_you_mean(found['name'], _columns(warehouse))}"
        return Reason("table_unknown", sentence, remedy=remedy)
    found = _NO_COLUMN.search(said)
    if found and found["name"] not in (known := _columns_in_reach(warehouse, sql)):
        sentence = f"column '{found['name']}' is not known{did_you_mean(found['name'], known)}"
        return Reason("column_unknown", sentence, remedy=remedy)
    if isinstance(error, duckdb.PermissionException):
        return Reason("file_refused", f"a query reads the warehouse and the lake, no other file: {_first_sentence(error)}")
    if isinstance(error, duckdb.IOException):
        return Reason("file_missing", _first_sentence(error), remedy="'kinelake run' publishes the warehouse anew")
    return Reason("query_failed", _first_sentence(error), remedy=remedy)


def _columns_in_reach(warehouse: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    """Columns of the tables that the statement names; of all tables if it names none."""
    known = _columns(warehouse)
    named = known.keys() & set(re.findall(r"\w+", sql.casefold()))
    return {column for table in named or known for column in known[table]}


def _columns(warehouse: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    asked = (
        "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE database_name = 'warehouse' AND NOT internal GROUP BY 1"
    )
    return dict(warehouse.execute(asked).fetchall())


def _first_sentence(error: Exception) -> str:
    """What DuckDB says, without its kind of error and the drawing of the line."""
    said = str(error).split("\n\nLINE ", 1)[0].removeprefix("Invalid Input Error: ")
    return re.sub(r"^[A-Z][\w ]* Error: ", "", said).replace("\n", " ").strip()
