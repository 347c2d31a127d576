"""Commands for analysts: query, tables."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.face import face


def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One read-only statement.")],
    limit: Annotated[int, typer.Option(min=1, help="Most rows shown to a person; JSON gives all.")] = 50,
) -> None:
    """Ask the warehouse in SQL, read-only."""
    from warehouse.query import query as ask

    shown = face(context)
    rows = ask(shown.home, sql, limit=None if shown.as_json else limit + 1).to_pylist()
    shown.table(rows[:limit] if not shown.as_json else rows, empty="no rows")
    if len(rows) > limit and not shown.as_json:
        shown.say(f"first {limit} rows; --limit shows more, --json gives all")


def tables(context: typer.Context, table: Annotated[str | None, typer.Argument(help="Only this table.")] = None) -> None:
    """Show the data dictionary: every table and column with type, unit and meaning."""
    from warehouse.errors import Reason, UnknownName, did_you_mean
    from warehouse.query import data_dictionary

    shown = face(context)
    rows = data_dictionary(shown.home).to_pylist()
    names = {row["table"] for row in rows}
    if table is not None and table not in names:
        raise UnknownName(Reason("table_unknown", f"table '{table}' is not known{did_you_mean(table, names)}"))
    shown.table([row for row in rows if table in (None, row["table"])])


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (query, tables):
        app.command()(command)
