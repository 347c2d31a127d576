"""Writes what the phone app Sensor Logger exports: one zip for each recording, in its Android and its iOS dialect.

Belongs here: members, columns, signs and units of that app (version 1.54, "Standardise Units & Frames" off). Reading
such files is `ingestion.readers.sensor_logger`'s. Columns are in the app's own order: z, y, x.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from scipy.spatial.transform import Rotation

from ingestion.recording import Stream
from ingestion.simulation.instruments import Capture
from ingestion.simulation.motion import Floats, G

#: Where the simulated people live: clocks show UTC+1 all winter.
TIMEZONE = "Europe/Amsterdam"
_OFFSET = timedelta(hours=1)
_APP_VERSION = "1.54.1"
_AXES = ("z", "y", "x")
_UNQUOTED = arrow_csv.WriteOptions(quoting_style="none", quoting_header="none")


def file_name(recording: Capture) -> str:
    """Name that the app proposes: title and local start, ``squat_1-2026-01-13_09-30-00.zip``."""
    return f"{recording.title}-{_local(recording.started_ns):%Y-%m-%d_%H-%M-%S}.zip"


def members(recording: Capture) -> dict[str, bytes]:
    """Return the text of every member of the export, in the order in which the app packs them."""
    tables = TABLES[recording.device.model.system]
    texts = {}
    for name, table in tables.items():
        stream = recording.streams[table.stream]
        texts[f"{name}.csv"] = csv_text(stamped(stream, recording.started_ns, table.columns(stream)))
    silent = dict.fromkeys((f"{name}.csv" for name in SILENT[recording.device.model.system]), b"")
    return texts | {"Metadata.csv": metadata(recording)} | silent


def pack(texts: Mapping[str, bytes]) -> bytes:
    """Zip members; the same texts make the same bytes on any day."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in texts.items():
            archive.writestr(entry(name), text, compresslevel=1)
    return buffer.getvalue()


def entry(name: str) -> zipfile.ZipInfo:
    """Return the directory entry of a deflated member, with a fixed date and maker."""
    info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def stamped(stream: Stream, started_ns: int, columns: Mapping[str, Floats]) -> pa.Table:
    """Put the app's two time columns, ns since 1970 and seconds since the start, before `columns`."""
    return pa.table({"time": stream.t_ns, "seconds_elapsed": (stream.t_ns - started_ns) / 1e9, **columns})


def csv_text(table: pa.Table, *, header: bool = True) -> bytes:
    """Write numbers as the app does: whole or shortest decimal that gives the same number back."""
    buffer = io.BytesIO()
    options = _UNQUOTED if header else arrow_csv.WriteOptions(quoting_style="none", include_header=False)
    arrow_csv.write_csv(table, buffer, options)
    return buffer.getvalue()


def axes(stream: Stream, factor: float = 1.0) -> dict[str, Floats]:
    """Columns z, y, x, times `factor`."""
    values = (stream.values.astype(np.float64) * factor).astype(np.float32).astype(np.float64)
    return {axis: values[:, "xyz".index(axis)] for axis in _AXES}


def _android_orientation(stream: Stream) -> dict[str, Floats]:
    parts = _attitude(stream)
    parts |= {"yaw": -parts["yaw"], "pitch": -parts["pitch"]}  # Android counts these two the other way round
    return {name: parts[name] for name in ("qz", "qy", "qx", "qw", "roll", "pitch", "yaw")}


def _ios_orientation(stream: Stream) -> dict[str, Floats]:
    parts = _attitude(stream)
    return {name: parts[name] for name in ("yaw", "qx", "qz", "roll", "qw", "qy", "pitch")}


def _attitude(stream: Stream) -> dict[str, Floats]:
    """Quaternion, and Tait-Bryan angles Z-X'-Y'' in rad."""
    quaternion = stream.values.astype(np.float64)
    angles = Rotation.from_quat(quaternion).as_euler("ZXY").astype(np.float32).astype(np.float64)
    return dict(zip(("qx", "qy", "qz", "qw", "yaw", "pitch", "roll"), (*quaternion.T, *angles.T), strict=True))


def metadata(recording: Capture) -> bytes:
    """Return the text of Metadata.csv: two lines, no line end after the second."""
    model = recording.device.model
    sensors = (*TABLES[model.system], "Annotation")
    facts = {
        "version": "3",
        "device name": model.name,
        "recording epoch time": str(recording.started_ns // 1_000_000),
        "recording time": f"{_local(recording.started_ns):%Y-%m-%d_%H-%M-%S}",
        "recording timezone": TIMEZONE,
        "platform": model.system,
        "appVersion": _APP_VERSION,
        "device id": recording.device.serial,
        "sensors": "|".join(sensors),
        "sampleRateMs": "|".join("" if sensor == "Annotation" else "10" for sensor in sensors),
        "standardisation": "false",
        "platform version": model.system_version,
    }
    if model.system == "ios":
        facts["fusion"] = "system"
    return f"{','.join(facts)}\n{','.join(facts.values())}".encode()


def _local(t_ns: int) -> datetime:
    return datetime.fromtimestamp(t_ns // 1_000_000_000, UTC) + _OFFSET


def _flipped(stream: Stream) -> dict[str, Floats]:
    return axes(stream, -1.0)


def _flipped_in_g(stream: Stream) -> dict[str, Floats]:
    return axes(stream, -1.0 / G)


@dataclass(frozen=True)
class Table:
    """One sensor's CSV: the stream that it shows, and its columns after the two of time."""

    stream: str
    columns: Callable[[Stream], dict[str, Floats]]


#: Members with readings, by system and in the app's order.
TABLES: Mapping[str, Mapping[str, Table]] = {
    "android": {
        "Accelerometer": Table("linear_acceleration", axes),
        "Gravity": Table("gravity", axes),
        "Gyroscope": Table("gyroscope", axes),
        "Orientation": Table("orientation", _android_orientation),
        "TotalAcceleration": Table("accelerometer", axes),
        "GyroscopeUncalibrated": Table("gyroscope", axes),
        "AccelerometerUncalibrated": Table("accelerometer", axes),
    },
    "ios": {
        "Gyroscope": Table("gyroscope", axes),
        "Gravity": Table("gravity", _flipped),
        "GyroscopeUncalibrated": Table("gyroscope", axes),
        "Orientation": Table("orientation", _ios_orientation),
        "AccelerometerUncalibrated": Table("accelerometer", _flipped_in_g),
        "Accelerometer": Table("linear_acceleration", _flipped),
    },
}

#: Members that hold nothing because nothing happened: 0 bytes, and that is normal.
SILENT: Mapping[str, tuple[str, ...]] = {
    "android": ("Annotation",),
    "ios": (
        *("WatchMagnetometer", "WatchBarometer", "WatchCompass", "WatchLocation"),
        *("Headphone", "HeartRate", "Pedometer", "WristMotion", "Annotation"),
    ),
}
