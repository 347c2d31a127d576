"""Reads CSVs of marked stretches: ``start,end,label``.

Times are seconds from the recording's first reading, or s, ms, us or ns since 1970 UTC (told apart by their size), or ISO 8601.
Without an end a row is an instant; without a label it has the recording's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from ingestion.annotations.marked import Marked, Recorded, left_out
from ingestion.readers import csv_columns
from ingestion.readers.interface import DeviceFile
from ingestion.readers.local_time import in_utc
from ingestion.readers.time_text import nanoseconds
from ingestion.recording import Annotation, Finding

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
#: Digits before the decimal point, at most, and what such a number counts. Eight digits of seconds are three years.
_BY_SIZE = ((8, "elapsed"), (11, "s"), (14, "ms"), (17, "us"), (19, "ns"))


def sniff(file: DeviceFile) -> bool:
    """Return True if the header has a column ``start``."""
    return "start" in _folded(csv_columns.header_of(file.head).names)


def read(file: DeviceFile, recorded: Recorded) -> Marked:
    """Read the stretches of one recording.

    Raises
    ------
    UnreadableFile
        If it is no CSV (``csv_not_parsed``, ``csv_too_large``).
    """
    annotations, places, findings = [], [], []
    local: list[Finding] = []
    for number, row in enumerate(csv_columns.text_rows(file), start=2):
        cells = {name.casefold(): value.strip() for name, value in row.items()}
        if not any(cells.values()):
            continue
        place = f"{file.name} row {number}"
        times = [_time(cells.get(name, ""), recorded, file, local) for name in ("start", "end")]
        fault = _fault(cells, times)
        if fault:
            findings.append(left_out(*fault, place))
            continue
        start_ns, end_ns = times
        assert start_ns is not None
        label = cells.get("label") or recorded.label
        annotations.append(Annotation(start_ns, start_ns if end_ns is None else end_ns, label, file.name))
        places.append(place)
    return Marked(tuple(annotations), tuple(places), (*local[:1], *findings))


def _folded(names: tuple[str, ...]) -> list[str]:
    return [name.casefold() for name in names]


def _time(text: str, recorded: Recorded, file: DeviceFile, local: list[Finding]) -> int | None:
    """Return ns UTC, None for what is no time; what is said of local times is added to `local`."""
    number = _NUMBER.fullmatch(text)
    digits = len(text.lstrip("+-").partition(".")[0])
    unit = next((unit for most, unit in _BY_SIZE if digits <= most), None) if number else "iso"
    if not text or unit is None:
        return None
    try:
        t_ns, is_local = nanoseconds(pa.array([text]), "s" if unit == "elapsed" else unit)
    except ValueError:
        return None
    if is_local:
        t_ns, found = in_utc(t_ns, place=file.name, timezone=recorded.timezone)
        local += found
    return int(t_ns[0]) + (recorded.first_ns if unit == "elapsed" else 0)


def _fault(cells: Mapping[str, str], times: list[int | None]) -> tuple[str, str] | None:
    (start, end), text = times, cells.get("end", "")
    if start is None or (end is None and text):
        wrong = cells.get("start", "") if start is None else text
        return "annotation_malformed", f"'{wrong[:40]}' is neither a number of seconds, nor an epoch, nor ISO 8601"
    if end is not None and end < start:
        return "annotation_backwards", f"it ends {(start - end) / np.float64(1e9):.2f} s before it starts"
    return None
