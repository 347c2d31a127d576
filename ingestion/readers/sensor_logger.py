"""Reads Sensor Logger exports of iOS and Android: a zip or a folder with one CSV for each sensor.

Columns are taken by name (the app writes z, y, x, and Orientation scrambled), ``time`` as whole nanoseconds. The two
platforms differ in sign and unit unless the app's "Standardise Units & Frames" is on; streams come out in Android's
convention on both: m/s^2, +g on the axis that points up at rest. Only the motion files of `MOTION` are ever opened: an
export may hold photos, voice and places, and those are left out unread and counted.

Formats, units and signs: UNITS.md, COORDINATES.md and CROSSPLATFORM.md of github.com/tszheichoi/awesome-sensor-logger.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.parallel import in_parallel
from ingestion.readers import csv_columns, export
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.recording import Annotation, Finding, Reading, Repair, Stream
from ingestion.spool import mapped, scaled
from warehouse.errors import Reason, UnreadableFile

NAME = "sensor_logger"
STANDARD_GRAVITY = 9.80665  # m/s^2

_XYZ = ("x", "y", "z")
_QUATERNION = ("qx", "qy", "qz", "qw")
#: Motion files that become a stream as they are; the files that accelerometer is made from are in `_TOTAL`.
_DIRECT: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Accelerometer": ("linear_acceleration", _XYZ),
    "Gravity": ("gravity", _XYZ),
    "Gyroscope": ("gyroscope", _XYZ),
    "Magnetometer": ("magnetometer", _XYZ),
    "Orientation": ("orientation", _QUATERNION),
}
#: Acceleration with gravity, best first: Android has the first, iOS the second; without either it is the sum of two others.
_TOTAL = ("TotalAcceleration", "AccelerometerUncalibrated")
#: The allow-list: nothing else of an export is opened.
MOTION = frozenset({*_DIRECT, *_TOTAL, "Annotation", "Metadata"})

#: Signs differ between the platforms for these; rotation and magnetic field are alike.
_MIRRORED = frozenset({"Accelerometer", "Gravity", *_TOTAL})
#: Median length that tells g from m/s^2 where no metadata does: 1 against 9.8.
_LARGEST_IN_G = 3.0
_TOLD_BY_ROWS = 1 << 20

_MEMBER = re.compile(r"(\w+?)\s*(?:\((\d+)\))?\.csv", re.IGNORECASE)
_WHOLE_NS = re.compile(r"\d{1,18}|[1-3]\d{18}")
_BY_FOLDED_NAME: Mapping[str, str] = {name.casefold(): name for name in MOTION}


@dataclass(frozen=True)
class _Metadata:
    """What Metadata.csv says, whichever of its versions; device name and serial number stay out."""

    platform: str = ""
    standardised: bool = False
    device: str = ""
    rates_hz: Mapping[str, float] | None = None
    stated: Mapping[str, str] | None = None


@dataclass(frozen=True)
class _Raw:
    """A sensor's rows as written."""

    sensor: str
    member: DeviceFile
    t_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    repairs: tuple[Repair, ...] = ()


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a zip that holds motion files, or a CSV with Sensor Logger's time or metadata columns."""
    if file.is_zip:
        return any(_sensor_of(DeviceFile(name, 0, file.open)) for name in file.members)
    names = set(csv_columns.header_of(file.head).names)
    return {"time", "seconds_elapsed"} <= names or {"version", "device name", "platform"} <= names


def pairing_key(file: DeviceFile) -> str:
    """Return the file's own name for a zip, else its folder: loose files of one folder are one recording."""
    return file.name if file.is_zip or file.name.lower().endswith(".zip") else export.folder_of(file)


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the device id in Metadata.csv; empty if there is none."""
    try:
        with export.opened(files) as members:
            metadata = _first(members, "Metadata")
            return _read_metadata(metadata).device if metadata else ""
    except UnreadableFile:
        return ""


def read(files: Sequence[DeviceFile], _hints: Hints = NO_HINTS) -> Reading:
    """Read one export: one zip, or the loose files of one folder."""
    try:
        with export.opened(files) as members:
            return _read_members(members)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


def _read_members(members: Sequence[DeviceFile]) -> Reading:
    motion, findings = _motion_files(members)
    left_out = [member for member in members if _sensor_of(member) is None]
    findings += [_left_out(member) for member in left_out if "::" not in member.name]
    metadata, found = _metadata_of(motion)
    findings += found
    raw, found = _read_sensors(motion)
    findings += found
    streams, found = _in_one_convention(raw, metadata)
    findings += found
    annotations, found = _read_annotations(motion)
    findings += found
    if not streams and not any(finding.severity == "error" for finding in findings):
        findings.append(Finding(_nothing_in(members)))
    return Reading(
        format=NAME,
        streams=tuple(streams),
        annotations=tuple(annotations),
        findings=tuple(findings),
        device=metadata.device,
        metadata=metadata.stated or {},
        left_out=len(left_out),
    )


def _sensor_of(member: DeviceFile) -> str | None:
    found = _MEMBER.fullmatch(export.base_name(member))
    return _BY_FOLDED_NAME.get(found[1].casefold()) if found else None


def _first(members: Sequence[DeviceFile], sensor: str) -> DeviceFile | None:
    return next((member for member in members if _sensor_of(member) == sensor and member.size), None)


def _motion_files(members: Sequence[DeviceFile]) -> tuple[dict[str, DeviceFile], list[Finding]]:
    """Return the file of each sensor that recorded anything; an empty one is normal: nothing happened."""
    motion: dict[str, DeviceFile] = {}
    findings: list[Finding] = []
    known = [member for member in members if _sensor_of(member) and member.size]
    folders = sorted({export.folder_of(member) for member in known})
    if len(folders) > 1:
        sentence = f"the archive holds {len(folders)} recordings: {', '.join(folders[:5])}"
        raise UnreadableFile(Reason("zip_several_recordings", sentence, _export_of(members), "send one zip for each recording"))
    for member in sorted(known, key=lambda member: (len(member.name), member.name)):
        sensor = _sensor_of(member) or ""
        if sensor in motion:
            sentence = f"a second file of {sensor} is in the export; only {export.base_name(motion[sensor])} is read"
            findings.append(
                Finding(Reason("sensor_twice", sentence, member.name, "remove the one that is not wanted"), "warning")
            )
        else:
            motion[sensor] = member
    return motion, findings


def _left_out(member: DeviceFile) -> Finding:
    sentence = "the file is no motion file of Sensor Logger and was not read"
    return Finding(
        Reason(export.NOT_MOTION_DATA, sentence, member.name, "nothing to do; leave it out of the next delivery"), "note"
    )


def _nothing_in(members: Sequence[DeviceFile]) -> Reason:
    allowed = ", ".join(sorted([*_DIRECT, *_TOTAL]))
    sentence = f"no motion file with readings is in the export; looked for {allowed}"
    remedy = "switch the sensors on before recording, and keep the app's file names"
    return Reason("recording_empty", sentence, _export_of(members), remedy)


def _export_of(members: Sequence[DeviceFile]) -> str:
    return members[0].name.split("::")[0] if members else ""


def _metadata_of(motion: Mapping[str, DeviceFile]) -> tuple[_Metadata, list[Finding]]:
    member = motion.get("Metadata")
    try:
        metadata = _read_metadata(member) if member else _Metadata()
    except UnreadableFile as error:
        return _Metadata(), [Finding(reason) for reason in error.reasons]
    if metadata.platform:
        return metadata, []
    sentence = "Metadata.csv is missing or names no platform: signs are taken as Android's, the unit from the values"
    place = next(iter(motion.values())).name if motion else ""
    return metadata, [
        Finding(Reason("platform_unknown", sentence, place, "send the whole export, Metadata.csv included"), "warning")
    ]


def _read_metadata(member: DeviceFile) -> _Metadata:
    with export.reading(member):
        rows = csv_columns.text_rows(member)
    row = {re.sub(r"[\s_]", "", name).casefold(): value.strip() for name, value in (rows[0] if rows else {}).items()}
    platform = row.get("platform", "").casefold()
    standardised = row.get("standardisation", "").casefold() == "true"
    serial = row.get("deviceid", "")
    stated = {
        "platform": platform,
        "platform_version": row.get("platformversion", ""),
        "app_version": row.get("appversion", ""),
        "schema_version": row.get("version", ""),
        "standardised": str(standardised).lower() if row.get("standardisation") else "",
        "timezone": row.get("recordingtimezone", ""),
    }
    return _Metadata(
        platform=platform if platform in {"ios", "android"} else "",
        standardised=standardised,
        device=hashlib.sha256(f"sensor_logger:{serial}".encode()).hexdigest()[:16] if serial else "",
        rates_hz=_declared_rates(row.get("sensors", ""), row.get("sampleratems", "")),
        stated={name: value[:100] for name, value in stated.items() if value},
    )


def _declared_rates(sensors: str, periods_ms: str) -> dict[str, float]:
    names = [re.sub(r"\s", "", name) for name in sensors.split("|")]
    periods = periods_ms.split("|")
    if len(periods) == 1:
        periods *= len(names)
    pairs = zip(names, periods, strict=False)
    return {
        name: 1000.0 / float(period) for name, period in pairs if re.fullmatch(r"\d{1,7}(\.\d+)?", period) and float(period) > 0
    }


def _read_sensors(motion: Mapping[str, DeviceFile]) -> tuple[dict[str, _Raw], list[Finding]]:
    total = [sensor for sensor in _TOTAL if sensor in motion][:1]
    wanted = [*(sensor for sensor in _DIRECT if sensor in motion), *total]
    size = sum(motion[sensor].size for sensor in wanted)
    outcomes = in_parallel(lambda sensor: _read_sensor(sensor, motion[sensor]), wanted, size=size)
    raw = {outcome.sensor: outcome for outcome in outcomes if isinstance(outcome, _Raw)}
    return raw, [finding for outcome in outcomes if not isinstance(outcome, _Raw) for finding in outcome]


def _read_sensor(sensor: str, member: DeviceFile) -> _Raw | list[Finding]:
    axes = _DIRECT[sensor][1] if sensor in _DIRECT else _XYZ
    try:
        with export.reading(member):
            columns = csv_columns.read_columns(member, time="time", ns_per_tick=1, axes=axes)
            return _Raw(sensor, member, columns.t_ns, columns.values, columns.repairs)
    except UnreadableFile as error:
        return [Finding(reason) for reason in error.reasons]


def _in_one_convention(raw: Mapping[str, _Raw], metadata: _Metadata) -> tuple[list[Stream], list[Finding]]:
    """Convert to m/s^2 with Android's sign; rates are those that the app was asked for."""
    uncalibrated = raw.get("AccelerometerUncalibrated")
    in_g = uncalibrated is not None and _is_in_g(uncalibrated, metadata)
    mirrored = not metadata.standardised and (metadata.platform == "ios" or (not metadata.platform and in_g))
    for sensor in _MIRRORED & raw.keys():
        factor = (-1.0 if mirrored else 1.0) * (STANDARD_GRAVITY if in_g and raw[sensor] is uncalibrated else 1.0)
        if factor != 1.0:
            scaled(raw[sensor].values, factor)
    rates = metadata.rates_hz or {}
    streams = [_stream(_DIRECT[sensor][0], one, rates) for sensor, one in raw.items() if sensor in _DIRECT]
    total = next((raw[sensor] for sensor in _TOTAL if sensor in raw), None)
    if total:
        return [*streams, _stream("accelerometer", total, rates)], []
    summed, findings = _sum_of_parts(raw, rates)
    return [*streams, *summed], findings


def _is_in_g(uncalibrated: _Raw, metadata: _Metadata) -> bool:
    if metadata.platform:
        return metadata.platform == "ios" and not metadata.standardised
    return float(np.median(np.linalg.norm(uncalibrated.values[:_TOLD_BY_ROWS], axis=1))) < _LARGEST_IN_G


def _sum_of_parts(raw: Mapping[str, _Raw], rates: Mapping[str, float]) -> tuple[list[Stream], list[Finding]]:
    """Add gravity to acceleration without it, as the app's documentation says for iOS; only if both have the same clock."""
    linear, gravity = raw.get("Accelerometer"), raw.get("Gravity")
    if linear is None or gravity is None or not np.array_equal(linear.t_ns, gravity.t_ns):
        return [], []
    total = _Raw("Accelerometer", linear.member, linear.t_ns, mapped(np.add, linear.values, gravity.values))
    sentence = "the export has no acceleration with gravity; it was made by adding Accelerometer.csv and Gravity.csv"
    remedy = "nothing to do; tick Accelerometer Uncalibrated in the app to have it measured"
    return [_stream("accelerometer", total, rates)], [
        Finding(Reason("accelerometer_summed", sentence, linear.member.name, remedy), "note")
    ]


def _stream(name: str, raw: _Raw, rates: Mapping[str, float]) -> Stream:
    return Stream(name, raw.t_ns, raw.values, raw.member.name, rates.get(raw.sensor), repairs=raw.repairs)


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
