"""Reads JSON files of marked windows: ``{"source_file": …, "windows": [{"start_sample": …, "end_sample": …}, …]}``.

A window counts rows of the recording as delivered, from 0, its end not included. Seconds in such files are rows over a declared
rate, which need not be the rate at which the device ran: they are not used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, TypeGuard

from ingestion.annotations.marked import Marked, Recorded, left_out
from ingestion.readers.interface import DeviceFile
from ingestion.recording import Annotation, Finding, Stream
from warehouse.errors import Reason, UnreadableFile

#: A larger file is no list of windows.
MOST_BYTES = 16 << 20

_TOLERATED = 0.02


def sniff(file: DeviceFile) -> bool:
    """Return True for a JSON object; whether it has windows is told when it is read."""
    return file.head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def read(file: DeviceFile, recorded: Recorded) -> Marked:
    """Read the windows of one recording.

    Raises
    ------
    UnreadableFile
        ``annotations_not_read`` if it is no such JSON.
    """
    content = _content(file)
    windows = content.get("windows")
    if not isinstance(windows, list):
        raise UnreadableFile(_broken("it has no list 'windows'", file.name))
    stream = _marked_stream(content, recorded)
    findings = [*_other_source(content, recorded, file), *_wrong_rate(content, stream, file)]
    annotations, places = [], []
    for number, window in enumerate(windows):
        place = f"{file.name} window {number}"
        fault = _fault(window, stream)
        if fault:
            findings.append(left_out(*fault, place))
            continue
        annotations.append(_annotation(window, stream, recorded, file))
        places.append(place)
    return Marked(tuple(annotations), tuple(places), tuple(findings))


def _content(file: DeviceFile) -> Mapping[str, Any]:
    if file.size > MOST_BYTES:
        raise UnreadableFile(_broken(f"it has {file.size:,} bytes; at most {MOST_BYTES:,} are read", file.name))
    with file.open() as stream:
        try:
            content = json.loads(stream.read().decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None)
            raise UnreadableFile(_broken(f"it is no JSON: {error}", file.name + (f" row {line}" if line else ""))) from error
    return content if isinstance(content, dict) else {}


def _broken(sentence: str, place: str) -> Reason:
    return Reason("annotations_not_read", sentence[:200], place, "write the file again from the program that made it")


def _marked_stream(content: Mapping[str, Any], recorded: Recorded) -> Stream:
    """Return the stream whose rows are counted: of the file that the windows name, else the first."""
    named = PurePosixPath(str(content.get("source_file", ""))).name
    of_file = (stream for stream in recorded.streams if PurePosixPath(stream.source).name == named)
    return next(of_file, recorded.streams[0])


def _other_source(content: Mapping[str, Any], recorded: Recorded, file: DeviceFile) -> list[Finding]:
    named = str(content.get("source_file", ""))
    names = {PurePosixPath(stream.source).name for stream in recorded.streams}
    if not named or PurePosixPath(named).name in names:
        return []
    sentence = f"the windows are of '{named[:100]}', the recording is {', '.join(sorted(names))}"
    remedy = "correct the column annotations, or source_file in the annotations"
    return [Finding(Reason("annotations_of_another_file", sentence, file.name, remedy), "error")]


def _wrong_rate(content: Mapping[str, Any], stream: Stream, file: DeviceFile) -> list[Finding]:
    declared, lasting_ns = content.get("sampling_rate"), int(stream.t_ns.max()) - int(stream.t_ns.min())
    if not isinstance(declared, int | float) or not declared or not lasting_ns:
        return []
    measured = (len(stream.t_ns) - 1) * 1e9 / lasting_ns
    if abs(measured / declared - 1) <= _TOLERATED:
        return []
    sentence = (
        f"the windows declare {declared:g} Hz, the recording runs at {measured:.2f} Hz: their rows count, not their seconds"
    )
    return [Finding(Reason("annotation_rate_wrong", sentence, file.name, "nothing to do"), "note")]


def _fault(window: object, stream: Stream) -> tuple[str, str] | None:
    if not isinstance(window, dict):
        return "annotation_malformed", "it is no object with start_sample and end_sample"
    start, end = window.get("start_sample"), window.get("end_sample")
    if not (_whole(start) and _whole(end)):
        return "annotation_malformed", f"start_sample {str(start)[:20]} and end_sample {str(end)[:20]} are no whole numbers"
    if end <= start:
        return "annotation_backwards", f"it ends at row {end}, before or where it starts, at row {start}"
    if start < 0 or start >= len(stream.t_ns):
        return "annotation_outside", f"it starts at row {start}; the recording has {len(stream.t_ns)} rows"
    return None


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _annotation(window: Mapping[str, Any], stream: Stream, recorded: Recorded, file: DeviceFile) -> Annotation:
    last = len(stream.t_ns) - 1
    start_ns, end_ns = (int(stream.t_ns[min(window[name], last)]) for name in ("start_sample", "end_sample"))
    return Annotation(start_ns, end_ns, str(window.get("label") or recorded.label), file.name)
