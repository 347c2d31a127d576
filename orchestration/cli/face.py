"""How the command line speaks: answers on stdout (text or JSON), messages on stderr, reasons instead of tracebacks."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from orchestration.environment import prepare_environment
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home

_SHORT = 24
_WIDTH_OF_A_FILE = 150


@dataclass
class Face:
    """One invocation: which home, and whether a program or a person reads the answer."""

    home_path: str | None
    as_json: bool
    out: Console = field(default_factory=lambda: _console())
    err: Console = field(default_factory=lambda: _console(stderr=True))

    @property
    def home(self) -> Home:
        """The home, its folders made and the environment pointed at it."""
        home = Home.at(self.home_path)
        prepare_environment(home)
        return home

    def say(self, message: str) -> None:
        """Tell a person what is going on."""
        self.err.print(message, markup=False, soft_wrap=True)

    def answer(self, value: Any, text: str | None = None) -> None:
        """Give the answer: `value` as JSON, or `text` (default: the value itself) for a person."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")
        else:
            self.out.print(str(value) if text is None else text, markup=False, soft_wrap=True)

    def table(self, rows: Sequence[Mapping[str, Any]], *, title: str = "", empty: str = "nothing") -> None:
        """Give rows: a list of objects as JSON, or a drawn table for a person."""
        if self.as_json:
            self.answer(list(rows))
        elif not rows:
            self.out.print(empty, markup=False, soft_wrap=True)
        else:
            if not self.out.is_terminal:  # a file or pipe has no edge
                self.out.width = max(self.out.width, narrowest(rows))
            self.out.print(drawn(rows, title, width=self.out.width))


def face(context: typer.Context) -> Face:
    """The face of this invocation."""
    found = context.find_object(Face)
    assert found is not None
    return found


@contextmanager
def results_in(folder: Path, *, option: str) -> Iterator[None]:
    """Refuse a folder for results that cannot be there as ``not_writable``, when something is to be written into it."""
    try:
        yield
    except OSError as error:
        if error.filename is None or not Path(str(error.filename)).is_relative_to(folder):
            raise
        sentence = f"no results can lie at {folder}: {error.strerror}"
        raise KinelakeError(Reason("not_writable", sentence, option, f"name another place with {option}")) from error


def explain(error: KinelakeError, *, as_json: bool) -> None:
    """Print the reasons of a refusal: on stderr for a person, as JSON on stdout for a program."""
    if as_json:
        reasons = [vars(reason) for reason in error.reasons]
        sys.stdout.write(json.dumps({"error": type(error).__name__, "reasons": reasons}, ensure_ascii=False) + "\n")
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(str(error), style="red", markup=False)


def drawn(rows: Sequence[Mapping[str, Any]], title: str, *, width: int = _WIDTH_OF_A_FILE) -> RichTable:
    """Return rows as a table of at most `width` letters; the first row names the columns.

    Long texts fold, short ones only where the table has no room for them. Nothing is ever cut off.
    """
    table = RichTable(title=title or None, title_justify="left", title_style="bold", header_style="bold", box=box.SIMPLE_HEAD)
    fits = narrowest(rows) <= width
    for name, longest in _longest(rows).items():
        numeric = all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=fits and longest <= _SHORT, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(row[name])) for name in rows[0]))
    return table


def narrowest(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the least width in which no short text of the table is folded."""
    return 1 + sum(min(longest, _SHORT) + 3 for longest in _longest(rows).values())


def _longest(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return every column's longest text, its name included."""
    names = list(rows[0]) if rows else ["nothing"]
    return {name: max([cell_len(name), *(cell_len(_cell(row[name])) for row in rows)]) for name in names}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return str(value)


def _console(*, stderr: bool = False) -> Console:
    """A console that keeps tables readable in files and pipes, where no terminal states a width."""
    return Console(stderr=stderr, soft_wrap=False, highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "__dict__"):
        return vars(value)
    return str(value)
