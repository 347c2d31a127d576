"""Reads MetaBase exports of MbientLab sensors: one CSV for each sensor, paired into recordings by their names.

A header is ``epoch (ms),time (01:00),elapsed (s),x-axis (g),y-axis (g),z-axis (g)``; the unit tells the sensor, the
bracket after ``time`` the offset of local time from UTC, without daylight saving. Names are
``<text>_<device>_<local start>_<MAC>_<sensor>_<rate>Hz_<version>.csv``; each sensor's start may differ a little. Apps on iOS
write ``epoc (ms)`` and ``timestamp (-0700)``. Quaternions are ``w (number),x (number),…``, Euler angles ``pitch (deg),roll (deg),
yaw (deg),heading (deg)``; temperature, pressure, humidity and light are known and left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from ingestion.parallel import in_parallel
from ingestion.readers import csv_columns
from ingestion.readers.export import NOT_MOTION_DATA
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.readers.metabase_names import (
    app_version,
    device,
    named_start,
    pairing_key,
    recordings,
    sensor_name,
    stated_rate_hz,
)
from ingestion.recording import Finding, Reading, Repair, Stream
from ingestion.spool import in_blocks, scaled
from studies.sensors import unit_of
from warehouse.errors import Reason, UnreadableFile

NAME = "metabase"
STANDARD_GRAVITY = 9.80665  # m/s^2
_DEGREE = 0.017453292519943295  # rad
_NS_PER_MS = 1_000_000
_CLOCK_TOLERANCE_S = 60.0
_DAYLIGHT_SAVING_S = 3600.0

_AXIS = re.compile(r"([wxyz])(?:-axis)? \((.+)\)")
_EPOCH = re.compile(r"epoch? \(ms\)")
_LOCAL_TIME = re.compile(r"(time|timestamp) \((?:GMT|UTC)?([+-]?)(\d\d?):?(\d\d)\)")
_NOT_MOTION = re.compile(
    r"(temperature|pressure|altitude|illuminance|relative humidity|proximity|red|green|blue|clear) \(.+\)", re.IGNORECASE
)

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
#: The unit of Euler angles; not in `_UNITS`, since they are no quaternion yet.
_ANGLE = "deg"
_ANGLES = ("pitch (deg)", "roll (deg)", "yaw (deg)", "heading (deg)")
_FUSED: Mapping[str, str] = {"linearacceleration": "linear_acceleration", "gravity": "gravity"}


@dataclass(frozen=True)
class _Layout:
    """What the header says: the time column, the axes in the order x, y, z(, w), their unit, the offset from UTC."""

    time: str
    axes: tuple[str, ...]
    unit: str
    offset: timedelta | None


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True if the header has a MetaBase time column and axes, angles or a quantity with a unit."""
    names = csv_columns.header_of(file.head).names
    known = any(_AXIS.fullmatch(name) or _NOT_MOTION.fullmatch(name) or name in _ANGLES for name in names)
    return known and any(map(_EPOCH.fullmatch, names))


def read(files: Sequence[DeviceFile], _hints: Hints = NO_HINTS) -> Reading:
    """Read one recording: a file for each sensor, in any order."""
    left_out = [file for file in files if _is_not_motion(file)]
    motion = [file for file in files if file not in left_out]
    unused = [file for file in motion if _is_euler(file)] if any(map(_is_quaternion, motion)) else []
    findings = [*map(_not_motion, left_out), *map(_not_needed, unused)]
    streams: dict[str, Stream] = {}
    wanted = sorted((file for file in motion if file not in unused), key=_name)
    for stream, found in in_parallel(_read_file, wanted, size=sum(file.size for file in wanted)):
        findings += found
        if stream and stream.name in streams:
            findings.append(Finding(_twice(stream, streams[stream.name])))
        elif stream:
            streams[stream.name] = stream
    if not motion:
        findings.append(Finding(_nothing_in(files)))
    return Reading(
        format=NAME,
        streams=tuple(streams.values()),
        findings=tuple(findings),
        device=device(files),
        metadata=_metadata(files, left_out),
        left_out=len(left_out),
    )


def _name(file: DeviceFile) -> str:
    return file.name


def _is_not_motion(file: DeviceFile) -> bool:
    return any(map(_NOT_MOTION.fullmatch, csv_columns.header_of(file.head).names))


def _is_euler(file: DeviceFile) -> bool:
    return _ANGLES[0] in csv_columns.header_of(file.head).names


def _is_quaternion(file: DeviceFile) -> bool:
    return "w (number)" in csv_columns.header_of(file.head).names


def _read_file(file: DeviceFile) -> tuple[Stream | None, list[Finding]]:
    try:
        layout = _layout(file)
        columns = csv_columns.read_columns(file, time=layout.time, ns_per_tick=_NS_PER_MS, axes=layout.axes)
    except UnreadableFile as error:
        return None, [Finding(reason) for reason in error.reasons]
    name, repairs = _in_si_units(file, layout, columns.values)
    made = (*columns.repairs, *repairs)
    stream = Stream(name, columns.t_ns, columns.values, file.name, stated_rate_hz(file), declared_unit=layout.unit, repairs=made)
    return stream, _clock_findings(file, layout, int(columns.t_ns[0]))


def _in_si_units(file: DeviceFile, layout: _Layout, values: npt.NDArray[np.float32]) -> tuple[str, list[Repair]]:
    """Convert in place; return the name of the stream, and what was repaired."""
    if layout.unit == _ANGLE:
        for (part,) in in_blocks(values):
            part[:] = _quaternion(part)
        sentence = "no quaternion was recorded; it was made from the Euler angles, in the convention that MbientLab states"
        return "orientation", [
            Repair("euler_to_quaternion", sentence, file.name, rows=len(values), before="deg", after="quaternion")
        ]
    name, factor = _UNITS[layout.unit]
    if name == "accelerometer":
        name = _FUSED.get(sensor_name(file), name)
    if factor == 1.0:
        return name, []
    scaled(values, factor)
    sentence = f"the file is in {layout.unit}"
    return name, [Repair("unit_converted", sentence, file.name, rows=len(values), before=layout.unit, after=unit_of(name))]


def _quaternion(angles: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Turn pitch, roll, yaw in degrees, shape (n, 3 or more), into x, y, z, w.

    The device's yaw is that of the usual z-y'-x'' angles, its pitch their negated roll and its roll their negated pitch, as
    MbientLab measured (github.com/mbientlab/MetaWear-API, pull request 13).
    """
    x, y, z = np.deg2rad(angles[:, :3].astype(np.float64).T) * np.array([[-0.5], [-0.5], [0.5]])
    sx, sy, sz, cx, cy, cz = np.sin(x), np.sin(y), np.sin(z), np.cos(x), np.cos(y), np.cos(z)
    return np.column_stack(
        [
            sx * cy * cz - cx * sy * sz,
            cx * sy * cz + sx * cy * sz,
            cx * cy * sz - sx * sy * cz,
            cx * cy * cz + sx * sy * sz,
        ]
    )


def _layout(file: DeviceFile) -> _Layout:
    names = csv_columns.header_of(file.head).names
    axes = {found[1]: (name, found[2]) for name in names if (found := _AXIS.fullmatch(name))}
    wanted = [axis for axis in "xyzw" if axis in axes]
    units = {axes[axis][1] for axis in wanted}
    time = next((name for name in names if _EPOCH.fullmatch(name)), "epoch (ms)")
    if _is_euler(file):
        return _Layout(time, _ANGLES, _ANGLE, _offset(names))
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
    offset = timedelta(hours=int(found[3]), minutes=int(found[4]))
    return -offset if found[2] == "-" else offset


def _clock_findings(file: DeviceFile, layout: _Layout, first_ns: int) -> list[Finding]:
    start = named_start(file)
    if start is None or layout.offset is None:
        return []
    try:
        named = start.replace(tzinfo=UTC) - layout.offset
    except OverflowError:
        return []
    first = datetime.fromtimestamp(first_ns // 1_000_000_000, UTC)
    apart_s = (first - named).total_seconds()
    if min(abs(apart_s), abs(apart_s + _DAYLIGHT_SAVING_S)) <= _CLOCK_TOLERANCE_S:
        return []
    sentence = (
        f"the name says that recording began at {named:%Y-%m-%d %H:%M:%S} UTC, the first reading is of "
        f"{first:%Y-%m-%d %H:%M:%S} UTC, {apart_s / 3600:+.1f} h apart; at most {_CLOCK_TOLERANCE_S:.0f} s are allowed"
    )
    remedy = "look whether the file is an altered copy of another one, or its clock was set wrong"
    return [Finding(Reason("clock_shifted", sentence, f"{file.name} row 2 column {layout.time}", remedy), "warning")]


def _metadata(files: Sequence[DeviceFile], left_out: Sequence[DeviceFile]) -> dict[str, str]:
    kinds = Counter(map(_kind, left_out))
    said = {
        "app_version": app_version(files[0]),
        "left_out": ", ".join(f"{kind} {kinds[kind]}" for kind in sorted(kinds)),
    }
    return {name: text for name, text in said.items() if text}


def _kind(file: DeviceFile) -> str:
    names = csv_columns.header_of(file.head).names
    return next(found[1].lower() for found in map(_NOT_MOTION.fullmatch, names) if found)


def _not_motion(file: DeviceFile) -> Finding:
    sentence = f"the file holds {_kind(file)}, which is no motion, and was not read"
    return Finding(Reason(NOT_MOTION_DATA, sentence, file.name, "nothing to do; leave it out of the next delivery"), "note")


def _not_needed(file: DeviceFile) -> Finding:
    sentence = "the recording has quaternions; the Euler angles say the same less well and were not read"
    return Finding(Reason("euler_not_needed", sentence, file.name, "nothing to do"), "note")


def _nothing_in(files: Sequence[DeviceFile]) -> Reason:
    sentence = "no file of the recording is of a motion sensor"
    return Reason("recording_empty", sentence, files[0].name, "send the accelerometer's or gyroscope's file of the recording too")


def _twice(stream: Stream, first: Stream) -> Reason:
    sentence = f"a second {stream.name} belongs to the recording of {first.source}; only the first one is used"
    return Reason("stream_twice", sentence, stream.source, "give the second file a name of its own")


READER = Reader(NAME, sniff, pairing_key, device, read, recordings)
