"""Which files of a Sensor Logger export are read, which are left out unread, and how that is said.

Belongs here: the choice, by name alone. What is in the chosen ones is `sensor_logger`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from ingestion.readers import csv_columns, export
from ingestion.readers.interface import ZIP_FAULTS, DeviceFile
from ingestion.readers.sensor_logger_names import MOTION, PRIVATE, counted, is_exact, kind_of, sensor_of_file
from ingestion.recording import Finding
from warehouse.errors import Reason, UnreadableFile


def holds_motion(file: DeviceFile) -> bool:
    """Return True for an archive with a file named as the app names it, or one that was renamed and has the app's columns."""
    return any(map(is_exact, file.members)) or _holds_renamed(file)


def sensor_in(member: DeviceFile) -> str | None:
    """Return the sensor that a file is named after; None if it is not on the allow-list."""
    return sensor_of_file(_inside(member))


def archive_of(members: Sequence[DeviceFile]) -> str:
    """Return the name of the archive that the members are of, or of the first loose file."""
    return members[0].name.split("::")[0] if members else ""


def _holds_renamed(file: DeviceFile) -> bool:
    if not any(map(sensor_of_file, file.members)):
        return False
    try:
        with export.opened([file]) as members:
            named = (member for member in members if sensor_in(member) in MOTION)
            return any({"time", "seconds_elapsed"} <= set(csv_columns.header_of(member.head).names) for member in named)
    except (UnreadableFile, *ZIP_FAULTS):
        return False


def _inside(member: DeviceFile) -> str:
    return member.name.rsplit("::", 1)[-1]


def motion_files(members: Sequence[DeviceFile]) -> tuple[dict[str, DeviceFile], list[Finding]]:
    """Return the file of each sensor that recorded anything; an empty one is normal: nothing happened.

    Raises
    ------
    UnreadableFile
        ``zip_several_recordings`` if motion files lie in more than one folder.
    """
    motion: dict[str, DeviceFile] = {}
    findings: list[Finding] = []
    known = [member for member in members if sensor_in(member) and member.size]
    folders = sorted({export.folder_of(member) for member in known})
    if len(folders) > 1:
        sentence = f"the archive holds {len(folders)} recordings: {', '.join(folders[:5])}"
        raise UnreadableFile(Reason("zip_several_recordings", sentence, archive_of(members), "send one zip for each recording"))
    for member in sorted(known, key=lambda member: (not is_exact(_inside(member)), len(member.name), member.name)):
        sensor = sensor_in(member) or ""
        if sensor in motion:
            findings.append(_twin(sensor, motion[sensor], member))
        else:
            motion[sensor] = member
    return motion, findings


def _twin(sensor: str, first: DeviceFile, second: DeviceFile) -> Finding:
    kept = export.base_name(first)
    if _same_bytes(first, second):
        sentence = f"the file is a copy of {kept}, byte for byte; it was not read again"
        return Finding(Reason("sensor_copied", sentence, second.name, "nothing to do"), "note")
    sentence = f"a second file of {sensor} with other content is in the export; only {kept} is read"
    return Finding(Reason("sensor_twice", sentence, second.name, "remove the one that is not wanted"), "warning")


def _same_bytes(first: DeviceFile, second: DeviceFile) -> bool:
    if first.size != second.size:
        return False
    with export.reading(first), export.reading(second), first.open() as one, second.open() as other:
        while block := one.read(1 << 20):
            if block != other.read(1 << 20):
                return False
    return True


def left_out_findings(members: Sequence[DeviceFile]) -> list[Finding]:
    """Say for every loose file that it was left out, and once for an archive, if anything private was in it."""
    loose = [member for member in members if not export.in_archive(member)]
    private = [
        kind for member in members if export.in_archive(member) and member.size and (kind := kind_of(_inside(member))) in PRIVATE
    ]
    remedy = "nothing to do; leave it out of the next delivery"
    sentence = "the file is no motion file of Sensor Logger and was not read"
    findings = [Finding(Reason(export.NOT_MOTION_DATA, sentence, member.name, remedy), "note") for member in loose]
    if private:
        sentence = f"private data in the export were left out unread: {counted(private)}"
        findings.append(Finding(Reason("private_left_out", sentence, archive_of(members), "switch them off in the app"), "note"))
    return findings


def counts(members: Sequence[DeviceFile], left_out: Sequence[DeviceFile]) -> dict[str, str]:
    """Return what `Reading.metadata` says of files without a stream: left out by kind, and empty."""
    empty = sum(not member.size for member in members)
    found = {"left_out": counted(kind_of(_inside(member)) for member in left_out), "empty_files": str(empty) if empty else ""}
    return {name: text for name, text in found.items() if text}
