"""Reads MetaBase exports of MbientLab sensors: one CSV for each sensor, paired into recordings by their names.

A header is ``epoch (ms),time (01:00),elapsed (s),x-axis (g),y-axis (g),z-axis (g)``; the unit tells the sensor, the
bracket after ``time`` the offset of local time from UTC. Names are
``<text>_<device>_<local start>_<MAC>_<sensor>_<rate>Hz_<version>.csv``. Older apps write ``epoc (ms)`` and ``timestamp (-0700)``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingestion.parallel import in_parallel
from ingestion.readers import csv_columns
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.recording import Finding, Reading, Stream
from ingestion.spool import scaled
from warehouse.errors import Reason, UnreadableFile

NAME = "metabase"
STANDARD_GRAVITY = 9.80665  # m/s^2
_DEGREE = 0.017453292519943295  # rad
_NS_PER_MS = 1_000_000
_CLOCK_TOLERANCE_S = 60.0

_AXIS = re.compile(r"([wxyz])(?:-axis)? \((.+)\)")
_EPOCH = re.compile(r"epoch? \(ms\)")
_LOCAL_TIME = re.compile(r"time(?:stamp)? \(([+-]?)(\d\d):?(\d\d)\)")
_SENSOR = re.compile(
    r"_(accelerometer|gyroscope|magnetometer|linear[ _]?acceleration|gravity|quaternion)(?:_([\d.]+)hz)?(?=_|\.csv$)",
    re.IGNORECASE,
)
_START = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d(?:\.\d+)?)_")
_MAC = re.compile(r"_([0-9A-F]{12})_")
_VERSION = re.compile(r"_(\d+(?:\.\d+)+)\.csv$", re.IGNORECASE)

#: Unit in the header -> stream, and the factor to its SI unit. The name may tell a fused stream of the same unit apart.
_UNITS: Mapping[str, tuple[str, float]] = {
    "g": ("accelerometer", STANDARD_GRAVITY),
    "m/s^2": ("accelerometer", 1.0),
    "deg/s": ("gyroscope", _DEGREE),
    "rad/s": ("gyroscope", 1.0),
    "T": ("magnetometer", 1e6),
    "uT": ("magnetometer", 1.0),
    "number": ("orientation", 1.0),
}
_FUSED: Mapping[str, str] = {"linearacceleration": "linear_acceleration", "gravity": "gravity"}


@dataclass(frozen=True)
class _Layout:
    """What the header says: the time column, the axes in the order x, y, z(, w), their unit, the offset from UTC."""

    time: str
    axes: tuple[str, ...]
    unit: str
    offset: timedelta | None


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True if the header has a MetaBase time column and axes with a unit."""
    names = csv_columns.header_of(file.head).names
    return any(map(_EPOCH.fullmatch, names)) and any(map(_AXIS.fullmatch, names))


def pairing_key(file: DeviceFile) -> str:
    """Return the name without sensor and rate, so that ``…_Accelerometer_12.500Hz_1.4.4.csv`` meets its gyroscope."""
    sensor = _sensor(file)
    return f"{file.name[: sensor.start()]}_*{file.name[sensor.end() :]}" if sensor else file.name


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the MAC address that the name carries; empty if it carries none."""
    macs = [found[1] for file in files if (found := _MAC.search(file.name))]
    return hashlib.sha256(f"metamotion:{macs[0]}".encode()).hexdigest()[:16] if macs else ""


def read(files: Sequence[DeviceFile], _hints: Hints = NO_HINTS) -> Reading:
    """Read one recording: a file for each sensor, in any order."""
    findings: list[Finding] = []
    streams: dict[str, Stream] = {}
    outcomes = in_parallel(_read_file, sorted(files, key=_name), size=sum(file.size for file in files))
    for stream, found in outcomes:
        findings += found
        if stream and stream.name in streams:
            findings.append(Finding(_twice(stream, streams[stream.name])))
        elif stream:
            streams[stream.name] = stream
    return Reading(
        format=NAME,
        streams=tuple(streams.values()),
        findings=tuple(findings),
        device=device(files),
        metadata=_metadata(files),
    )


def _name(file: DeviceFile) -> str:
    return file.name


def _sensor(file: DeviceFile) -> re.Match[str] | None:
    found = list(_SENSOR.finditer(file.name, file.name.rfind("/") + 1))
    return found[-1] if found else None


def _read_file(file: DeviceFile) -> tuple[Stream | None, list[Finding]]:
    try:
        layout = _layout(file)
        columns = csv_columns.read_columns(file, time=layout.time, ns_per_tick=_NS_PER_MS, axes=layout.axes)
    except UnreadableFile as error:
        return None, [Finding(reason) for reason in error.reasons]
    sensor = _sensor(file)
    name, factor = _UNITS[layout.unit]
    if name == "accelerometer" and sensor:
        name = _FUSED.get(re.sub(r"[ _]", "", sensor[1].lower()), name)
    if factor != 1.0:
        scaled(columns.values, factor)
    rate = float(sensor[2]) if sensor and sensor[2] else None
    stream = Stream(name, columns.t_ns, columns.values, file.name, rate, declared_unit=layout.unit, repairs=columns.repairs)
    return stream, _clock_findings(file, layout, int(columns.t_ns[0]))


def _layout(file: DeviceFile) -> _Layout:
    names = csv_columns.header_of(file.head).names
    axes = {found[1]: (name, found[2]) for name in names if (found := _AXIS.fullmatch(name))}
    wanted = [axis for axis in "xyzw" if axis in axes]
    units = {axes[axis][1] for axis in wanted}
    time = next((name for name in names if _EPOCH.fullmatch(name)), "epoch (ms)")
    if not file.head or not units:
        return _Layout(time, ("x-axis (g)", "y-axis (g)", "z-axis (g)"), "g", None)
    unit = units.pop()
    if units or unit not in _UNITS or len(wanted) != (4 if unit == "number" else 3):
        found_units = ", ".join(f"{axis} ({axes[axis][1]})" for axis in wanted)
        sentence = f"the axes are {found_units}; allowed are x, y, z in one of {', '.join(_UNITS)}, and w for quaternions"
        raise UnreadableFile(Reason("csv_unit_unknown", sentence, f"{file.name} row 1", "export the file again from MetaBase"))
    return _Layout(time, tuple(axes[axis][0] for axis in wanted), unit, _offset(names))


def _offset(names: Sequence[str]) -> timedelta | None:
    found = next(filter(None, map(_LOCAL_TIME.fullmatch, names)), None)
    if found is None:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -offset if found[1] == "-" else offset


def _clock_findings(file: DeviceFile, layout: _Layout, first_ns: int) -> list[Finding]:
    found = _START.search(file.name)
    if found is None or layout.offset is None:
        return []
    try:
        named = datetime.strptime(found[1][:19], "%Y-%m-%dT%H.%M.%S").replace(tzinfo=UTC) - layout.offset
    except (ValueError, OverflowError):
        return []
    first = datetime.fromtimestamp(first_ns // 1_000_000_000, UTC)
    if abs(apart_s := (first - named).total_seconds()) <= _CLOCK_TOLERANCE_S:
        return []
    sentence = (
        f"the name says that recording began at {named:%Y-%m-%d %H:%M:%S} UTC, the first reading is of "
        f"{first:%Y-%m-%d %H:%M:%S} UTC, {apart_s / 3600:+.1f} h apart; at most {_CLOCK_TOLERANCE_S:.0f} s are allowed"
    )
    remedy = "look whether the file is an altered copy of another one, or its clock was set wrong"
    return [Finding(Reason("clock_shifted", sentence, f"{file.name} row 2 column {layout.time}", remedy), "warning")]


def _metadata(files: Sequence[DeviceFile]) -> dict[str, str]:
    found = _VERSION.search(files[0].name)
    return {"app_version": found[1]} if found else {}


def _twice(stream: Stream, first: Stream) -> Reason:
    sentence = f"a second {stream.name} belongs to the recording of {first.source}; only the first one is used"
    return Reason("stream_twice", sentence, stream.source, "give the second file a name of its own")


READER = Reader(NAME, sniff, pairing_key, device, read)
