"""Drafts the manifest of a folder or zip that has none, from the names of its files and what their readers tell.

Belongs here: a first version for a person to check. Reading and checking a manifest is `ingestion.manifest`'s.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ingestion.bundles import SEPARATOR, device_file, unbundled
from ingestion.grouping import captures
from ingestion.manifest import COLUMNS
from ingestion.pattern import PathPattern
from ingestion.pickles.conversion import SUFFIXES as PICKLES
from ingestion.readers import NO_HINTS, Hints
from ingestion.source import Source, open_source
from studies.study import ManifestDraft, Study
from warehouse.errors import DeliveryRefused, KinelakeError, Reason, did_you_mean

_TABLES = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".zip", ".gz", ".parquet"}
_EXPORTS = {".cwa", ".gt3x", ".bin", ".fit", ".edf", ".npz", ".npy"}
_VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif"}
_DATA_FILES = frozenset(_TABLES | _EXPORTS | _VIDEOS)
_NOT_DATA = re.compile(r"(manifest\.csv|(readme|license|licence|provenance|changelog)\b.*|\..*)", re.IGNORECASE)
_FIELD = re.compile(r"\{([a-z0-9_]+)\}")


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
        Where the pattern names no participant: ``P`` and 8 digits of what the file's reader gives in place of the device's
        serial number.

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
    defaults = study.manifest if study else ManifestDraft()
    patterns = defaults.patterns if pattern is None else (pattern,)
    participant_from = participant_from or defaults.participant_from
    if participant_from not in (None, "device"):
        sentence = f"participants cannot be taken from '{participant_from}'{did_you_mean(participant_from, ['device'])}"
        raise KinelakeError(Reason("participant_from_unknown", sentence))
    hints = Hints(study.formats) if study else NO_HINTS
    with open_source(folder) as sent, unbundled(sent, hints) as source:
        paths = sorted(path for path in source.files if _is_device_data(path) and not defaults.leaves_out(path))
        if not paths:
            raise DeliveryRefused(_no_device_data(source, folder))
        found = dict(zip(paths, _fields(paths, patterns, _of_pickles(source)), strict=True))
        marks = {path: _annotations_of(fields, defaults, source.files) for path, fields in found.items()}
        named = set(marks.values())
        rows = [
            {"path": path, "participant": defaults.participant or "", "annotations": marks[path], **fields}
            for path, fields in found.items()
            if path not in named
        ]
        if participant_from == "device":
            participants = _participants_of_devices(source, paths)
            for row in rows:
                row["participant"] = row.get("participant") or participants.get(row["path"], "")
    return _as_csv(rows)


def _is_device_data(path: str) -> bool:
    name = path.rpartition("/")[2]
    hidden = any(part.startswith(".") for part in path.split("/"))
    return Path(name).suffix.casefold() in _DATA_FILES and not hidden and not _NOT_DATA.match(name)


def _no_device_data(source: Source, folder: Path) -> Reason:
    sentence = f"none of its {len(source.files)} files looks like device data ({' '.join(sorted(_DATA_FILES))})"
    return Reason("no_device_data", sentence, str(folder), _of_pickles(source) or "name the folder or zip that holds recordings")


def _of_pickles(source: Source) -> str:
    """Return what to do about pickles, which no manifest lists; nothing if there are none."""
    pickled = any(Path(path).suffix.casefold() in PICKLES for path in source.files)
    return "convert its pickles first: kinelake convert-pickles FOLDER --out DIR" if pickled else ""


def _fields(paths: Sequence[str], patterns: Sequence[str], instead: str) -> list[dict[str, str]]:
    """Return the fields of every path, by the first pattern that fits it."""
    templates = [PathPattern(pattern) for pattern in patterns]
    found = [_first_that_fits(templates, path.rpartition(SEPARATOR)[2]) for path in paths]
    if templates and not any(fields is not None for fields in found):
        named = " or ".join(f"'{pattern}'" for pattern in patterns)
        sentence = f"pattern {named} fits none of the {len(paths)} files, such as '{paths[0]}'"
        remedy = instead or "give another with --pattern; '*' fits everything and fills nothing"
        raise KinelakeError(Reason("pattern_fits_nothing", sentence, remedy=remedy))
    return [fields or {} for fields in found]


def _first_that_fits(templates: Sequence[PathPattern], path: str) -> dict[str, str] | None:
    return next((fields for one in templates if (fields := one.fields(path)) is not None), None)


def _annotations_of(fields: Mapping[str, str], draft: ManifestDraft, present: Collection[str]) -> str:
    """Return the annotation file of a recording: the study's path with the recording's fields, if it is in the delivery."""
    filled = (_FIELD.sub(lambda field: fields.get(field[1], ""), template) for template in draft.annotations)
    return next((path for path in filled if path in present), "")


def _participants_of_devices(source: Source, paths: Sequence[str]) -> dict[str, str]:
    """Return a participant for every file whose device is named; the others stay empty for a person to see."""
    found = [capture for capture in captures([device_file(source, path) for path in paths]) if capture.reader]
    devices = [(capture, capture.reader.device(capture.files)) for capture in found if capture.reader]
    return {file.name: f"P{device[:8]}" for capture, device in devices for file in capture.files if device}


def _as_csv(rows: Sequence[Mapping[str, str]]) -> str:
    filled = {column for row in rows for column, value in row.items() if value}
    known = [column for column in COLUMNS if column in filled or column in ("path", "participant", "label")]
    further = list(dict.fromkeys(column for row in rows for column in row if column not in COLUMNS))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*known, *further], restval="", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
