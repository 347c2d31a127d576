"""The manifest of a delivery: which files it has, who they are of, what was done.

Belongs here: reading and checking `manifest.csv`, and drafting one. Whether participants and labels are ones that the
study knows is judged later, per recording: a wrong one costs itself and not the delivery.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import re
import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestion.pattern import PathPattern
from ingestion.source import BROKEN_ZIP, MAX_FILES, Source, normal_path, open_source, path_fault
from studies.study import Study
from warehouse.errors import DeliveryRefused, KinelakeError, Reason, did_you_mean

MANIFEST_NAME = "manifest.csv"
REQUIRED = ("path", "participant")
#: What a manifest may say of a file beside its participant, each a field of `ingestion.receipt.DeliveredFile`.
DESCRIBING = ("session", "label", "device", "placement", "timezone", "annotations")
COLUMNS = (*REQUIRED, "sha256", *DESCRIBING)
MAX_MANIFEST_BYTES = 64 << 20

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_DATA_FILES = frozenset(
    ".csv .tsv .txt .json .jsonl .zip .gz .parquet .cwa .gt3x .bin .fit .edf .npz .npy .mp4 .mov .avi .mkv .webm .gif".split()
)
_NOT_DATA = re.compile(r"(manifest\.csv|(readme|license|licence|provenance|changelog)\b.*|\..*)", re.IGNORECASE)
_METADATA_BYTES = 1 << 16


@dataclass(frozen=True)
class Row:
    """One file as the manifest names it; `number` counts from 1 with the header, as a spreadsheet does."""

    number: int
    path: str
    participant: str
    sha256: str | None
    described: Mapping[str, str | None]
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """A manifest as read: the rows that are sound, and every fault of the others."""

    name: str
    rows: tuple[Row, ...]
    faults: tuple[Reason, ...]

    def place(self, row: int, column: str = "") -> str:
        """Return how messages name a cell."""
        return f"{self.name} row {row}" + (f" column {column}" if column else "")


def read_manifest(content: bytes, *, name: str, present: Collection[str]) -> Manifest:
    """Read a manifest and check it against the files that are there.

    A byte order mark, CRLF, ``;`` or tabs between cells, blanks round cells, empty rows and capitals in the names of
    columns are all right.

    Parameters
    ----------
    content : bytes
        CSV in UTF-8.
    name : str
        How messages name it.
    present : collection of str
        Paths of the delivery's files.

    Raises
    ------
    DeliveryRefused
        If it is no table with the required columns. Faults of rows are returned instead, all of them.
    """
    header, records = _table(content, name)
    rows: list[Row] = []
    faults: list[Reason] = []
    seen: dict[str, int] = {}
    absent = _Absent(present)
    for number, cells in records:
        row = _row(number, header, cells)
        found = [*_cell_faults(row, name), *_place_faults(row, name, seen, absent)]
        if any(cell.strip() for cell in cells[len(header) :]):
            sentence = f"the row has {len(cells)} cells and the header {len(header)}; a cell with the delimiter in it needs quotes"
            found.append(Reason("manifest_row_ragged", sentence, f"{name} row {number}", "quote the cell, or remove the extra one"))
        faults += found
        rows += [] if found else [row]
    return Manifest(name, tuple(rows), tuple(faults))


def draft_manifest(folder: Path, study: Study | None, *, pattern: str | None = None, participant_from: str | None = None) -> str:
    """Draft the manifest of a folder or zip that has none, for a person to check and complete.

    Parameters
    ----------
    folder : Path
        Folder or zip with device files; nothing is extracted.
    study : Study or None
        Its `manifest` section gives the defaults of the two parameters below.
    pattern : str, optional
        `PathPattern` on the paths. Fields with the name of a column fill it, others become columns of their own.
        A file that does not fit is listed with empty cells.
    participant_from : {"device"}, optional
        Where the pattern names no participant: ``P`` and 8 digits of the hash of the device id in Sensor Logger's
        Metadata.csv.

    Returns
    -------
    str
        CSV, a row for every file that looks like device data, sorted by path: path, participant, label, further
        columns that have a value, further fields of the pattern.

    Raises
    ------
    DeliveryRefused
        If there is no such folder or zip, or no device data in it.
    KinelakeError
        If the pattern is none, or fits no file.
    """
    defaults = study.manifest if study else None
    pattern = pattern if pattern is not None else (defaults.pattern if defaults else None)
    participant_from = participant_from or (defaults.participant_from if defaults else None)
    if participant_from not in (None, "device"):
        sentence = f"participants cannot be taken from '{participant_from}'{did_you_mean(participant_from, ['device'])}"
        raise KinelakeError(Reason("participant_from_unknown", sentence))
    with open_source(folder) as source:
        paths = sorted(path for path in source.files if _is_device_data(path))
        if not paths:
            allowed = " ".join(sorted(_DATA_FILES))
            sentence = f"none of its {len(source.files)} files looks like device data ({allowed})"
            raise DeliveryRefused(Reason("no_device_data", sentence, str(folder), "name the folder or zip that holds the recordings"))
        rows = [{"path": path, **fields} for path, fields in zip(paths, _fields(paths, pattern), strict=True)]
        if participant_from == "device":
            for row in rows:
                row.setdefault("participant", _participant_of_device(source, row["path"]))
    return _as_csv(rows)


def _table(content: bytes, name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    text = _text(content, name)
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    records: list[tuple[int, list[str]]] = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1):
            if any(cell.strip() for cell in cells):
                records.append((number, cells))
    except csv.Error as error:
        reason = Reason("manifest_not_csv", f"not CSV: {error}", f"{name} row {len(records) + 1}", "save it as CSV UTF-8")
        raise DeliveryRefused(reason) from error
    if not records:
        raise DeliveryRefused(Reason("manifest_empty", f"it is empty; its first row is {','.join(COLUMNS)}", name, _DRAFT))
    if len(records) > MAX_FILES:
        sentence = f"it has {len(records):,} rows; at most {MAX_FILES:,} are allowed"
        raise DeliveryRefused(Reason("manifest_too_long", sentence, name, "split the delivery"))
    number, first = records[0]
    header = [_column_name(cell) for cell in first]
    faults = list(_header_faults(header, f"{name} row {number}"))
    if faults:
        raise DeliveryRefused(*faults)
    return header, records[1:]


_DRAFT = "`kinelake manifest DIR` drafts one"


def _text(content: bytes, name: str) -> str:
    if len(content) > MAX_MANIFEST_BYTES:
        sentence = f"it has {len(content):,} bytes; at most {MAX_MANIFEST_BYTES:,} are allowed"
        raise DeliveryRefused(Reason("manifest_too_long", sentence, name, "split the delivery"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        reason = Reason("manifest_not_utf8", "it is not UTF-8 text", f"{name} row {row}", "save it as 'CSV UTF-8'")
        raise DeliveryRefused(reason) from error


def _column_name(cell: str) -> str:
    name = cell.strip()
    return name.casefold() if name.casefold() in COLUMNS else name


def _header_faults(header: list[str], place: str) -> Iterator[Reason]:
    for required in REQUIRED:
        if required not in header:
            sentence = f"column '{required}' is missing{did_you_mean(required, filter(None, header))}"
            remedy = f"name the column '{required}'; required are {' and '.join(REQUIRED)}, or: {_DRAFT}"
            yield Reason("manifest_column_missing", sentence, f"{place} column {required}", remedy)
    for column in sorted({name for name in header if name and header.count(name) > 1}):
        yield Reason("manifest_column_twice", f"column '{column}' is there twice", f"{place} column {column}", "remove or rename one")


def _row(number: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    given = {column: cell.strip() for column, cell in zip(header, cells, strict=False) if column}
    return Row(
        number=number,
        path=given.get("path", ""),
        participant=given.get("participant", ""),
        sha256=given.get("sha256", "").lower() or None,
        described={column: given.get(column) or None for column in DESCRIBING},
        attributes={column: cell for column, cell in sorted(given.items()) if cell and column not in COLUMNS},
    )


class _Absent:
    pass
