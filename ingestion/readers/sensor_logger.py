"""Reads Sensor Logger exports of iOS, Android and their watches: a zip or a folder with one CSV for each sensor.

Columns are taken by name (the app writes z, y, x, and Orientation scrambled), ``time`` as whole nanoseconds. Only the motion
files of `sensor_logger_names.MOTION` are ever opened: an export may hold photos, voice and places, and those are left out
unread and counted by kind. Units and signs are brought to one convention in `sensor_logger_units`; loose files that lost
their name or their header are `sensor_logger_renamed`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ingestion.parallel import in_parallel
from ingestion.readers import csv_columns, export
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.readers.sensor_logger_members import archive_of, counts, holds_motion, left_out_findings, motion_files, sensor_in
from ingestion.readers.sensor_logger_metadata import Metadata, metadata_of, with_platform
from ingestion.readers.sensor_logger_names import MOTION, XYZ, without_stand_ins
from ingestion.readers.sensor_logger_renamed import Unnamed, unnamed
from ingestion.readers.sensor_logger_units import Raw, in_one_convention
from ingestion.recording import Annotation, Finding, Reading
from warehouse.errors import Reason, UnreadableFile

NAME = "sensor_logger"

_WHOLE_NS = re.compile(r"\d{1,18}|[1-3]\d{18}")


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a zip that holds motion files, or a CSV with Sensor Logger's columns, or rows, of time or metadata."""
    if file.is_zip:
        return holds_motion(file)
    names = set(csv_columns.header_of(file.head).names)
    return {"time", "seconds_elapsed"} <= names or {"version", "device name", "platform"} <= names or unnamed(file) is not None


def pairing_key(file: DeviceFile) -> str:
    """Return the folder of loose files: they are one recording. A zip, or a file that lost its name, is one by itself."""
    if file.is_zip or file.name.lower().endswith(".zip"):
        return file.name
    if sensor_in(file) is None and unnamed(file):
        return file.name
    return export.folder_of(file).removesuffix("Camera/") or "./"  # where the app puts photos, beside the motion files


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the device id in Metadata.csv; empty if there is none."""
    try:
        with export.opened(files) as members:
            metadata = next((member for member in members if sensor_in(member) == "Metadata" and member.size), None)
            return _read_metadata(metadata).device if metadata else ""
    except UnreadableFile:
        return ""


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read one export: one zip, the loose files of one folder, or one file that lost its name."""
    try:
        with export.opened(files) as members:
            return _read_members(members, hints)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


def _read_members(members: Sequence[DeviceFile], hints: Hints) -> Reading:
    chosen, findings = motion_files(members)
    lost = _lost(members)
    left_out = [] if lost else [member for member in members if sensor_in(member) is None]
    metadata, found = _metadata_of(chosen, hints, _place(chosen, members))
    raws, broken = _read_sensors(chosen) if lost is None else _read_unnamed(lost, hints)
    streams, notes = in_one_convention(raws, metadata)
    annotations, untimed = _read_annotations(chosen)
    findings += [*found, *broken, *notes, *untimed, *left_out_findings(left_out)]
    if not streams and not any(finding.severity == "error" for finding in findings):
        findings.append(Finding(_nothing_in(members)))
    return Reading(
        format=NAME,
        streams=tuple(streams),
        annotations=tuple(annotations),
        findings=tuple(findings),
        device=metadata.device,
        metadata={**metadata.stated, **counts(members, left_out)},
        left_out=len(left_out),
    )


def _lost(members: Sequence[DeviceFile]) -> Unnamed | None:
    """Return what can be told of a loose file that is of no sensor by its name; a member of an archive is not even looked at."""
    alone = len(members) == 1 and not export.in_archive(members[0])
    return unnamed(members[0]) if alone and sensor_in(members[0]) is None else None


def _place(chosen: Mapping[str, DeviceFile], members: Sequence[DeviceFile]) -> str:
    return next((member.name for member in (*chosen.values(), *members)), "")


def _nothing_in(members: Sequence[DeviceFile]) -> Reason:
    sentence = f"no motion file with readings is in the export; looked for {', '.join(MOTION)}"
    remedy = "switch the sensors on before recording, and keep the app's file names"
    return Reason("recording_empty", sentence, archive_of(members), remedy)


def _metadata_of(motion: Mapping[str, DeviceFile], hints: Hints, place: str) -> tuple[Metadata, list[Finding]]:
    member = motion.get("Metadata")
    try:
        metadata = _read_metadata(member) if member else Metadata()
    except UnreadableFile as error:
        return Metadata(), [Finding(reason) for reason in error.reasons]
    return with_platform(metadata, hints, place=place)


def _read_metadata(member: DeviceFile) -> Metadata:
    with export.reading(member):
        rows = csv_columns.text_rows(member)
    return metadata_of(rows[0] if rows else {})


def _read_sensors(motion: Mapping[str, DeviceFile]) -> tuple[list[Raw], list[Finding]]:
    wanted = without_stand_ins(motion)
    outcomes = in_parallel(
        lambda sensor: _read_sensor(sensor, motion[sensor]), wanted, size=sum(motion[sensor].size for sensor in wanted)
    )
    return [raw for raws, _ in outcomes for raw in raws], [finding for _, findings in outcomes for finding in findings]


def _read_sensor(sensor: str, member: DeviceFile) -> tuple[list[Raw], list[Finding]]:
    try:
        with export.reading(member):
            lost = unnamed(member)
            if lost is None or not lost.headless or MOTION[sensor][0].columns != XYZ:
                return _parts(sensor, member), []
            return list(map(lost.inferred, _parts(sensor, lost.file))), [lost.header_inferred()]
    except UnreadableFile as error:
        return [], [Finding(reason) for reason in error.reasons]


def _read_unnamed(lost: Unnamed, hints: Hints) -> tuple[list[Raw], list[Finding]]:
    try:
        raws = list(map(lost.inferred, _parts(lost.sensor, lost.file)))
    except UnreadableFile as error:
        return [], [Finding(reason) for reason in error.reasons]
    raws, findings = lost.identified(raws, hints)
    return raws, [*([lost.header_inferred()] if lost.headless else []), *findings]


def _parts(sensor: str, file: DeviceFile) -> list[Raw]:
    """Read the columns of all streams of a sensor in one pass; those that an older app did not write are no streams."""
    names = csv_columns.header_of(file.head).names
    parts = [part for part in MOTION[sensor] if set(part.columns) <= set(names)] or list(MOTION[sensor][:1])
    wanted = [column for part in parts for column in part.columns]
    columns = csv_columns.read_columns(file, time="time", ns_per_tick=1, axes=wanted)
    raws, start = [], 0
    for part in parts:
        values = columns.values[:, start : start + len(part.columns)]
        raws.append(Raw(sensor, part, file.name, columns.t_ns, values, columns.repairs))
        start += len(part.columns)
    return raws


def _read_annotations(motion: Mapping[str, DeviceFile]) -> tuple[list[Annotation], list[Finding]]:
    member = motion.get("Annotation")
    if member is None:
        return [], []
    try:
        with export.reading(member):
            rows = csv_columns.text_rows(member)
    except UnreadableFile as error:
        return [], [Finding(reason) for reason in error.reasons]
    timed = [(number, row.get("time", ""), row.get("text", "").strip()) for number, row in enumerate(rows, start=2)]
    kept = [Annotation(int(time), int(time), text, member.name) for _, time, text in timed if _WHOLE_NS.fullmatch(time)]
    broken = [number for number, time, _ in timed if not _WHOLE_NS.fullmatch(time)]
    return kept, [_untimed(member, broken)] if broken else []


def _untimed(member: DeviceFile, rows: Sequence[int]) -> Finding:
    sentence = f"{len(rows)} annotations have no whole-numbered time and are left out"
    reason = Reason(
        "annotation_time", sentence, f"{member.name} row {rows[0]} column time", "export the recording again from the app"
    )
    return Finding(reason, "warning")


READER = Reader(NAME, sniff, pairing_key, device, read)
