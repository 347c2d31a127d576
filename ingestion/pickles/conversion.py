"""Converts a folder of pickled tables once, by an explicit command, into files that may be delivered.

Belongs here: which files, the child that looks into each (`ingestion.pickles.inert`), checking its answer, writing the result.
Nothing of the platform ever loads a pickle: a delivered one is refused by `ingestion.readers.refused_pickle`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ingestion.pickles import inert
from warehouse.errors import DeliveryRefused, Reason, UnreadableFile

SUFFIXES = frozenset({".pckl", ".pkl", ".pickle"})
#: Larger files are not looked into.
MOST_BYTES = 256 << 20

_NUMBERS = re.compile(r"[<>|=](?:[fiu][1248]|b1|bool)")
_WAIT_S = 3 * inert.MOST_SECONDS
_REMEDY = "export the table again as CSV or Parquet from the program that made it"

TableFormat = Literal["csv", "parquet"]


@dataclass(frozen=True)
class Converted:
    """One pickle that became a table."""

    source: str
    target: str
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Conversion:
    """What came of a folder: tables written, in the order of their names, and why others were refused."""

    converted: tuple[Converted, ...]
    refused: tuple[Reason, ...]


def convert_pickles(folder: Path, out: Path, *, to: TableFormat = "csv") -> Conversion:
    """Convert every pickled table below a folder into CSV or Parquet, under the same relative names.

    Each file is looked into by a child process without packages, under limits of memory and time, which can name nothing but
    `ingestion.pickles.inert.ALLOWED`. Running it again writes the same files again.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders for ``.pckl``, ``.pkl`` and ``.pickle``; links are not followed.
    out : Path
        Made if it is not there.
    to : {"csv", "parquet"}
        CSV writes numbers so that they are read back exactly.

    Returns
    -------
    Conversion

    Raises
    ------
    DeliveryRefused
        If there is no such folder, or no pickle in it.
    """
    paths = sorted(path for path in folder.rglob("*") if _is_pickle(path)) if folder.is_dir() else []
    if not paths:
        sentence = f"no file below it ends in {', '.join(sorted(SUFFIXES))}"
        raise DeliveryRefused(Reason("no_pickles", sentence, str(folder), "name the folder that holds them"))
    targets = _targets([path.relative_to(folder) for path in paths], to)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda path: _convert(path, folder, out / targets[path.relative_to(folder)]), paths))
    return Conversion(
        tuple(one for one in found if isinstance(one, Converted)), tuple(one for one in found if isinstance(one, Reason))
    )


def read_pickle(path: Path, *, name: str) -> pa.Table:
    """Return the table in a pickle without loading it.

    Raises
    ------
    UnreadableFile
        ``pickle_too_large``, ``pickle_names_global``, ``pickle_broken``, ``pickle_not_a_table`` or ``pickle_over_limit``.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        sentence = f"the file is {size / 2**20:,.0f} MiB; at most {MOST_BYTES / 2**20:,.0f} MiB are looked into"
        raise UnreadableFile(Reason("pickle_too_large", sentence, name, _REMEDY))
    head, _, data = _answer_of(path, name).partition(b"\n")
    try:
        answer = json.loads(head)
        if "refused" in answer:
            raise UnreadableFile(Reason(answer["refused"], answer["sentence"], name, _REMEDY))
        return _table(answer, data)
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        sentence = f"it holds no table of numbers and texts: {str(error)[:120]}"
        raise UnreadableFile(Reason("pickle_not_a_table", sentence, name, _REMEDY)) from error


def _is_pickle(path: Path) -> bool:
    return path.suffix.casefold() in SUFFIXES and path.is_file() and not path.is_symlink()


def _targets(sources: list[Path], to: TableFormat) -> dict[Path, Path]:
    """Name the results; two pickles that differ only in their suffix keep it, so that none overwrites the other."""
    plain = [source.with_suffix(f".{to}") for source in sources]
    return {
        source: target if plain.count(target) == 1 else source.with_name(f"{source.name}.{to}")
        for source, target in zip(sources, plain, strict=True)
    }


def _convert(path: Path, folder: Path, target: Path) -> Converted | Reason:
    name = path.relative_to(folder).as_posix()
    try:
        table = read_pickle(path, name=name)
    except UnreadableFile as error:
        return error.reasons[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    write: Callable[[pa.Table, Path], None] = pa_csv.write_csv if target.suffix == ".csv" else pq.write_table
    write(table, unfinished)
    unfinished.replace(target)
    return Converted(name, str(target), table.num_rows, tuple(table.column_names))


def _answer_of(path: Path, name: str) -> bytes:
    command = [sys.executable, "-I", "-S", inert.__file__]  # isolated: no packages, no variables, no folder of this project
    try:
        with path.open("rb") as content:
            child = subprocess.run(command, stdin=content, capture_output=True, timeout=_WAIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise UnreadableFile(_over_limit(name)) from None
    if child.returncode != 0 or not child.stdout:
        raise UnreadableFile(_over_limit(name))
    return child.stdout


def _over_limit(name: str) -> Reason:
    sentence = (
        f"looking into it took more than {inert.MOST_MEMORY_BYTES / 2**20:,.0f} MiB of memory or {inert.MOST_SECONDS} s, "
        "or ended the child process"
    )
    return Reason("pickle_over_limit", sentence, name, _REMEDY)


def _table(answer: Mapping[str, Any], data: bytes) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    start = 0
    for block in answer["blocks"]:
        shape: tuple[int, ...] = tuple(block["shape"])
        order: Literal["F", "C"] = "F" if block["fortran"] else "C"
        if "texts" in block:
            flat: npt.NDArray[Any] = np.array(block["texts"], dtype=object)
        elif _NUMBERS.fullmatch(block["dtype"]):
            length = int(np.prod(shape)) * np.dtype(block["dtype"]).itemsize
            flat = np.frombuffer(data[start : start + length], dtype=block["dtype"])
            start += length
        else:
            raise ValueError(f"its values are of type {block['dtype']}, which is none of numbers and texts")
        columns |= {name: pa.array(row) for name, row in zip(block["names"], flat.reshape(shape, order=order), strict=True)}
    if len(columns) != len(answer["names"]):
        raise ValueError("two columns have one name")
    return pa.table({name: columns[name] for name in answer["names"]})
