"""The manifest of a delivery: which files it has, who they are of, what was done.

Belongs here: reading and checking `manifest.csv`; drafting one is `ingestion.draft`'s. Whether participants and labels are
ones that the study knows is judged later, per recording: a wrong one costs itself and not the delivery.
"""

from __future__ import annotations

import csv
import difflib
import heapq
import io
import re
from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile, zip_longest

from ingestion.source import MAX_FILES, normal_path, path_fault
from warehouse.errors import DeliveryRefused, Reason, did_you_mean

MANIFEST_NAME = "manifest.csv"
REQUIRED = ("path", "participant")
#: What a manifest may say of a file beside its participant, each a field of `ingestion.receipt.DeliveredFile`.
DESCRIBING = ("session", "label", "device", "placement", "timezone", "annotations")
COLUMNS = (*REQUIRED, "sha256", *DESCRIBING)
MAX_MANIFEST_BYTES = 64 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATHS = "write paths as seen from the manifest's folder, with '/'"
#: Faults that are given a nearest match: finding one is slow.
_MOST_NEIGHBOURS = 10
_DRAFT = "`kinelake manifest DIR` drafts one"


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
    present = frozenset(present)
    rows: list[Row] = []
    faults: list[Reason] = []
    seen: dict[str, int] = {}
    for number, cells in records:
        row = _row(number, header, cells, present)
        found = [
            *_cell_faults(header, cells),
            *_content_faults(row),
            *_path_faults(row, present, seen, hint=len(faults) < _MOST_NEIGHBOURS),
        ]
        faults += [replace(fault, place=f"{name} row {number} {fault.place}".rstrip()) for fault in found]
        rows += [] if found else [row]
    rows, found = _with_annotation_files(rows, present, name)
    faults += found
    if not records:
        faults.append(Reason("batch_empty", "the manifest names no file", f"{name} row 2", "add a row for every file"))
    return Manifest(name, tuple(rows), tuple(faults))


def _table(content: bytes, name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    text = _text(content, name)
    delimiter = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        records = [(number, cells) for number, cells in enumerate(reader, 1) if any(map(str.strip, cells))]
    except csv.Error as error:
        reason = Reason("manifest_not_csv", f"not CSV: {error}", f"{name} row {reader.line_num}", "save it as CSV UTF-8")
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
        yield Reason(
            "manifest_column_twice", f"column '{column}' is there twice", f"{place} column {column}", "remove or rename one"
        )


def _row(number: int, header: Sequence[str], cells: Sequence[str], present: Collection[str]) -> Row:
    raw = dict(zip(header, cells, strict=False))
    given = {column: cell.strip() for column, cell in raw.items() if column}
    exact = normal_path(raw.get("path", ""))  # blanks may be part of a file's name
    return Row(
        number=number,
        path=exact if exact in present else given.get("path", ""),
        participant=given.get("participant", ""),
        sha256=given.get("sha256", "").lower() or None,
        described={column: given.get(column) or None for column in DESCRIBING},
        attributes={column: cell for column, cell in sorted(given.items()) if cell and column not in COLUMNS},
    )


def _cell_faults(header: Sequence[str], cells: Sequence[str]) -> Iterator[Reason]:
    for column, cell in zip_longest(header, cells, fillvalue=""):
        if cell.strip() and not column:
            sentence = f"'{cell.strip()[:80]}' stands under no column name; the header names {len(list(filter(None, header)))}"
            yield Reason("manifest_cell_extra", sentence, "", "quote a cell that holds the delimiter, or name the column")
        elif column in (*REQUIRED[1:], *DESCRIBING) and _CONTROL.search(cell.strip()):
            yield Reason("manifest_cell_text", "the cell holds control characters", f"column {column}", "write it anew")


def _content_faults(row: Row) -> Iterator[Reason]:
    if not row.participant:
        sentence = f"'{row.path}' has no participant"
        yield Reason("participant_empty", sentence, "column participant", "write the pseudonym of the person recorded")
    if row.sha256 and not _SHA256.fullmatch(row.sha256):
        sentence = f"'{row.sha256[:80]}' is no sha256: 64 digits 0-9 a-f"
        yield Reason("sha256_malformed", sentence, "column sha256", "write what sha256sum prints, or leave it empty")


def _path_faults(row: Row, present: Collection[str], seen: dict[str, int], *, hint: bool) -> Iterator[Reason]:
    unsafe = path_fault(row.path)
    path = normal_path(row.path)
    if unsafe:
        sentence = f"path '{row.path[:200]}' is not allowed: {unsafe}"
        yield Reason("path_unsafe", sentence, "column path", _PATHS)
    elif path in seen:
        sentence = f"'{path}' is named in row {seen[path]} already"
        yield Reason("path_twice", sentence, "column path", "a file has one row: remove one")
    elif path not in present:
        near = _nearest(path, present) if hint else ""
        sentence = f"'{path}' is not in the delivery" + (f"; did you mean '{near}'?" if near else "")
        yield Reason("file_absent", sentence, "column path", "send the file too, or correct or remove the row")
    seen.setdefault(path, row.number)


def _with_annotation_files(rows: Sequence[Row], present: Collection[str], name: str) -> tuple[list[Row], list[Reason]]:
    """Add a row for every file that the column `annotations` names and that has none: it is delivered with its recording."""
    owners = {normal_path(row.path): row.participant for row in rows}
    added: list[Row] = []
    faults: list[Reason] = []
    for row in rows:
        path, place = row.described.get("annotations") or "", f"{name} row {row.number} column annotations"
        if not path:
            continue
        if unsafe := path_fault(path):
            faults.append(Reason("path_unsafe", f"path '{path[:200]}' is not allowed: {unsafe}", place, _PATHS))
        elif normal_path(path) not in present:
            near = _nearest(normal_path(path), present) if len(faults) < _MOST_NEIGHBOURS else ""
            sentence = f"'{path}' is not in the delivery" + (f"; did you mean '{near}'?" if near else "")
            faults.append(Reason("file_absent", sentence, place, "send the file too, or leave the cell empty"))
        elif owners.get(normal_path(path), row.participant) != row.participant:
            sentence = f"'{path}' is of {owners[normal_path(path)]} and of {row.participant}"
            remedy = "make a file for each participant: whoever is erased takes the whole file along"
            faults.append(Reason("annotations_shared", sentence, place, remedy))
        elif normal_path(path) not in owners:
            owners[normal_path(path)] = row.participant
            added.append(Row(row.number, path, row.participant, None, dict.fromkeys(DESCRIBING), {}))
    return [*rows, *added], faults


def _nearest(path: str, present: Collection[str]) -> str:
    name = path.rpartition("/")[2].casefold()
    elsewhere = (other for other in present if other.rpartition("/")[2].casefold() == name)
    ordered = sorted(present)  # difflib is slow: it sees the ten likeliest of the thousand neighbours only
    at = bisect(ordered, path)
    likely = heapq.nlargest(10, ordered[max(0, at - 500) : at + 500], key=lambda other: _common_ends(path, other))
    near = difflib.get_close_matches(path, likely, n=1)
    return next(elsewhere, near[0] if near else "")


def _common_ends(one: str, other: str) -> int:
    return sum(
        sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*pairs, strict=False)))
        for pairs in ((one, other), (one[::-1], other[::-1]))
    )
