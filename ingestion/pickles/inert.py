"""The child that looks into one pickle: run by itself, without the platform, without any package, under limits.

A pickle is a program. Here it is run by an unpickler that knows only the names of `ALLOWED`, and gives it, for each of them, an
inert class that keeps what it was called with: nothing of pandas, numpy or Python's builtins is ever called. Any other name ends
the reading. Belongs here: from bytes on stdin to a table on stdout; `ingestion.pickles.conversion` starts it.

The answer is one line of JSON: ``{"rows": n, "blocks": [...]}`` followed by the bytes of the number blocks, or
``{"refused": code, "sentence": why}``.
"""

from __future__ import annotations

import io
import json
import pickle
import resource
import sys
from typing import Any

#: The only names that a pickle may use: what pandas 0.2x writes for a table of numbers and texts.
ALLOWED = frozenset(
    {
        "pandas.core.frame.DataFrame",
        "pandas.core.internals.BlockManager",
        "pandas.core.indexes.base._new_Index",
        "pandas.core.indexes.base.Index",
        "pandas.core.indexes.range.RangeIndex",
        "numpy.core.multiarray._reconstruct",
        "numpy.ndarray",
        "numpy.dtype",
        "builtins.slice",
    }
)

MOST_MEMORY_BYTES = 1 << 30
MOST_SECONDS = 20


class Refused(Exception):
    """The pickle is not read; carries code and sentence."""


class Inert:
    """Stands for an object of a class that was never imported: what it was called with, and the state it was given."""

    __slots__ = ("arguments", "state")
    name = ""
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Inert:
        made = super().__new__(cls)
        made.arguments, made.state = arguments, None
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


_STANDS_FOR = {name: type(name.rpartition(".")[2], (Inert,), {"__slots__": (), "name": name}) for name in ALLOWED}


class InertUnpickler(pickle.Unpickler):
    """An unpickler that imports nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the inert class of an allowed name; raise `Refused` for every other."""
        wanted = f"{module}.{name}"
        if wanted not in _STANDS_FOR:
            raise Refused("pickle_names_global", f"it names {wanted[:200]!r}, which is not on the list of allowed names")
        return _STANDS_FOR[wanted]


def table_of(content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Return the table in a pickle: the answer's first line, and the bytes of its number blocks.

    Raises
    ------
    Refused
        If it names anything that is not allowed, is broken, or is no table.
    """
    try:
        frame = InertUnpickler(io.BytesIO(content)).load()
    except Refused:
        raise
    except Exception as error:
        raise Refused("pickle_broken", f"it cannot be read: {type(error).__name__}: {str(error)[:200]}") from error
    try:
        return _table(frame)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Refused("pickle_not_a_table", "it holds no pandas table of numbers and texts") from error


def _table(frame: Any) -> tuple[dict[str, Any], list[bytes]]:
    _expect(frame, "DataFrame")
    manager = frame.state["_data"]
    _expect(manager, "BlockManager")
    layout = manager.state[3]["0.14.1"]
    names = [str(name) for name in _values(layout["axes"][0].arguments[1]["data"])[1]]
    blocks = [_block(block, names) for block in layout["blocks"]]
    rows = {block["shape"][1] for block, _ in blocks}
    if len(rows) != 1 or sorted(name for block, _ in blocks for name in block["names"]) != sorted(names):
        raise ValueError
    return {"rows": rows.pop(), "names": names, "blocks": [block for block, _ in blocks]}, [data for _, data in blocks]


def _block(block: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], bytes]:
    header, content = _values(block["values"])
    header["names"] = [names[place] for place in _places(block["mgr_locs"], len(names))]
    if len(header["shape"]) != 2 or header["shape"][0] != len(header["names"]):
        raise ValueError
    if isinstance(content, bytes):
        return header, content
    header["texts"] = [None if cell is None else str(cell) for cell in content]
    return header, b""


def _values(array: Any) -> tuple[dict[str, Any], Any]:
    """Return how an array's values lie in memory, and them: bytes, or a list of the simple objects in it."""
    _expect(array, "_reconstruct")
    _, shape, dtype, fortran, content = array.state
    _expect(dtype, "dtype")
    order = dtype.state[1] if dtype.state else "|"
    if isinstance(content, list) and not all(isinstance(cell, str | int | float | bool | None) for cell in content):
        raise ValueError
    header = {"dtype": f"{order}{dtype.arguments[0]}", "shape": [int(size) for size in shape], "fortran": bool(fortran)}
    return header, content if isinstance(content, list) else bytes(content)


def _places(locations: Any, columns: int) -> list[int]:
    if locations.name == "builtins.slice":
        return list(range(columns))[slice(*locations.arguments)]
    header, content = _values(locations)
    width = int(header["dtype"][-1])
    cells = (content[start : start + width] for start in range(0, len(content), width))
    return [int.from_bytes(cell, "little", signed=True) for cell in cells]


def _expect(found: Any, kind: str) -> None:
    if not isinstance(found, Inert) or found.name.rpartition(".")[2] != kind:
        raise ValueError


def main() -> None:
    """Read a pickle from stdin under limits of memory and time, and write the answer to stdout."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        answer, data = table_of(sys.stdin.buffer.read())
    except Refused as refused:
        answer, data = {"refused": refused.args[0], "sentence": refused.args[1]}, []
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    for block in data:
        sys.stdout.buffer.write(block)


if __name__ == "__main__":
    main()
