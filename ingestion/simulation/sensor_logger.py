"""Writes what the phone app Sensor Logger exports: one zip for each recording, in its Android and its iOS dialect.

Belongs here: members, columns, signs and units of that app (version 1.54, "Standardise Units & Frames" off). Reading
such files is `ingestion.readers.sensor_logger`'s. Columns are in the app's own order: z, y, x.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
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


def file_name(recording: Capture) -> str:
    """Name that the app proposes: title and local start, ``squat_1-2026-01-13_09-30-00.zip``."""
    return f"{recording.title}-{_local(recording.started_ns):%Y-%m-%d_%H-%M-%S}.zip"


def members(recording: Capture) -> dict[str, bytes]:
    """Return the text of every member of the export, in the order in which the app packs them."""
    tables = TABLES[recording.device.model.system]
    texts = {}
    for name, table in tables.items():
        texts[f"{name}.csv"] = header(table) + rows(table, recording.streams[table.stream], started_ns=recording.started_ns)
    silent = dict.fromkeys((f"{name}.csv" for name in SILENT[recording.device.model.system]), b"")
    return texts | {"Metadata.csv": metadata(recording)} | silent


def pack(texts: Mapping[str, bytes]) -> bytes:
    """Zip members; the same texts make the same bytes on any day."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in texts.items():
            archive.writestr(entry(name), text)
    return buffer.getvalue()


def entry(name: str) -> zipfile.ZipInfo:
    """Return the directory entry of a deflated member, with a fixed date and maker."""
    info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    # Before Python 3.13 there is no other way to say it for a member that is written as a stream.
    info._compresslevel = 1  # type: ignore[attr-defined]
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def header(table: Table) -> bytes:
    """Return the first line of a member: the app's two time columns, then the sensor's own."""
    return f"{','.join(('time', 'seconds_elapsed', *table.columns))}\n".encode()


def rows(table: Table, stream: Stream, *, started_ns: int) -> bytes:
    """Return the lines of a stretch of `stream`: numbers as the shortest decimals that give the same numbers back."""
    columns = [stream.t_ns, (stream.t_ns - started_ns) / 1e9, *table.values(stream)]
    buffer = io.BytesIO()
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
    arrow_csv.write_csv(pa.table(columns, names=["time", "seconds_elapsed", *table.columns]), buffer, options)
    return buffer.getvalue()


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


@dataclass(frozen=True)
class Table:
    """One sensor's CSV: the stream that it shows, its columns after the two of time, and what stands in them."""

    stream: str
    columns: tuple[str, ...]
    values: Callable[[Stream], Sequence[Floats]]


def _shown(stream: Stream, factor: float = 1.0) -> Sequence[Floats]:
    """z, y and x times `factor`; the app holds numbers in single precision and writes them in double."""
    shown = (stream.values * np.float32(factor)).astype(np.float64)
    return shown[:, 2], shown[:, 1], shown[:, 0]


def _flipped(stream: Stream) -> Sequence[Floats]:
    return _shown(stream, -1.0)


def _flipped_in_g(stream: Stream) -> Sequence[Floats]:
    return _shown(stream, -1.0 / G)


def _android_attitude(stream: Stream) -> Sequence[Floats]:
    (qx, qy, qz, qw), (yaw, pitch, roll) = _attitude(stream)
    return qz, qy, qx, qw, roll, -pitch, -yaw  # Android counts these two the other way round


def _ios_attitude(stream: Stream) -> Sequence[Floats]:
    (qx, qy, qz, qw), (yaw, pitch, roll) = _attitude(stream)
    return yaw, qx, qz, roll, qw, qy, pitch


def _attitude(stream: Stream) -> tuple[Floats, Floats]:
    """Quaternion, shape (4, n), and Tait-Bryan angles Z-X'-Y'' in rad, shape (3, n)."""
    quaternion = stream.values.astype(np.float64)
    angles = Rotation.from_quat(quaternion).as_euler("ZXY").astype(np.float32).astype(np.float64)
    return quaternion.T, angles.T


#: Members with readings, by system and in the app's order.
TABLES: Mapping[str, Mapping[str, Table]] = {
    "android": {
        "Accelerometer": Table("linear_acceleration", _AXES, _shown),
        "Gravity": Table("gravity", _AXES, _shown),
        "Gyroscope": Table("gyroscope", _AXES, _shown),
        "Orientation": Table("orientation", ("qz", "qy", "qx", "qw", "roll", "pitch", "yaw"), _android_attitude),
        "TotalAcceleration": Table("accelerometer", _AXES, _shown),
        "GyroscopeUncalibrated": Table("gyroscope", _AXES, _shown),
        "AccelerometerUncalibrated": Table("accelerometer", _AXES, _shown),
    },
    "ios": {
        "Gyroscope": Table("gyroscope", _AXES, _shown),
        "Gravity": Table("gravity", _AXES, _flipped),
        "GyroscopeUncalibrated": Table("gyroscope", _AXES, _shown),
        "Orientation": Table("orientation", ("yaw", "qx", "qz", "roll", "qw", "qy", "pitch"), _ios_attitude),
        "AccelerometerUncalibrated": Table("accelerometer", _AXES, _flipped_in_g),
        "Accelerometer": Table("linear_acceleration", _AXES, _flipped),
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
