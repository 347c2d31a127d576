"""Small device files that tests write themselves: MetaBase CSVs and Sensor Logger zips of a body that rocks gently."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.readers import DeviceFile
from ingestion.recording import Reading, Stream

START_MS = 1_700_000_000_000  # 2023-11-14 22:13:20 UTC, 23:13:20 at +01:00
G = 9.80665

METADATA = (
    "version,device name,recording epoch time,recording time,recording timezone,platform,appVersion,device id,sensors,"
    "sampleRateMs,standardisation,platform version\n"
    "3,Somebody's phone,1700000000000,2023-11-14_22-13-20,Africa/Kigali,{platform},1.54,{serial},"
    "Accelerometer|Gravity|Gyroscope|Heart Rate|Annotation|TotalAcceleration|AccelerometerUncalibrated,"
    "10|10|20|0||10|10,{standardised},13\n"
)


def rocking(rows: int, *, seed: int = 0, rate_hz: float = 50.0) -> npt.NDArray[np.float64]:
    """Return shape (rows, 3): about 1 on z, a slow swing and a little noise on all axes."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (rows, 3))
    swing = 0.1 * np.sin(2 * np.pi * 0.7 * np.arange(rows) / rate_hz)
    return np.column_stack([swing, -swing, 1 + 0 * swing]) + noise


def metabase_name(
    sensor: str = "Accelerometer", *, who: str = "P001-squat-1", start: str = "2023-11-14T23.13.20.000", rate: str = "50.000"
) -> str:
    return f"{who}_MetaWear_{start}_AABBCCDDEEFF_{sensor}_{rate}Hz_1.7.3.csv"


def metabase_csv(values: npt.NDArray[np.float64], *, unit: str = "g", start_ms: int = START_MS, step_ms: int = 20) -> str:
    header = f"epoch (ms),time (01:00),elapsed (s),x-axis ({unit}),y-axis ({unit}),z-axis ({unit})\n"
    rows = (
        f"{start_ms + step_ms * number},2023-11-14T23:13:20.000,{step_ms * number / 1000:.3f},{x:.4f},{y:.4f},{z:.4f}\n"
        for number, (x, y, z) in enumerate(values)
    )
    return header + "".join(rows)


def sensor_csv(values: npt.NDArray[np.float64], *, start_ms: int = START_MS, step_ns: int = 10_000_100) -> str:
    rows = (
        f"{start_ms * 1_000_000 + step_ns * number + 1},{step_ns * number / 1e9},{z},{y},{x}\n"
        for number, (x, y, z) in enumerate(values.tolist())
    )
    return "time,seconds_elapsed,z,y,x\n" + "".join(rows)


def orientation_csv(quaternions: npt.NDArray[np.float64], *, start_ms: int = START_MS) -> str:
    rows = (
        f"{start_ms * 1_000_000 + 10_000_000 * number},0.1,0.5,{x},{z},0.5,{w},{y},0.5\n"
        for number, (x, y, z, w) in enumerate(quaternions.tolist())
    )
    return "time,seconds_elapsed,yaw,qx,qz,roll,qw,qy,pitch\n" + "".join(rows)


def fused_csv(body: npt.NDArray[np.float64], *, unit: float = 1.0, sign: int = 1, start_ms: int = START_MS) -> str:
    """What a watch writes of a body's acceleration in g, gravity on z: in units of `unit`, one row a reading."""
    columns = "rotationRateX,rotationRateY,rotationRateZ,gravityX,gravityY,gravityZ,accelerationX,accelerationY,accelerationZ"
    rows = (
        f"{start_ms * 1_000_000 + 10_000_000 * number},0.1,{x},{y},{z},0,0,{sign * unit},"
        f"{sign * unit * x},{sign * unit * y},{sign * unit * (z - 1)},1,0,0,0\n"
        for number, (x, y, z) in enumerate(body.tolist())
    )
    return f"time,seconds_elapsed,{columns},quaternionW,quaternionX,quaternionY,quaternionZ\n" + "".join(rows)


def metadata_csv(platform: str, *, standardised: bool = False, serial: str = "0f5c-serial") -> str:
    return METADATA.format(platform=platform, standardised=str(standardised).lower(), serial=serial)


def phone(platform: str, *, rows: int = 200, standardised: bool = False, seed: int = 0) -> dict[str, str]:
    """Return the files of one export: the same true motion, written as that platform writes it."""
    body = rocking(rows, seed=seed, rate_hz=100) * G
    gravity = np.tile([0.0, 0.0, G], (rows, 1))
    sign = -1 if platform == "ios" and not standardised else 1
    spin = rocking(rows, seed=seed + 1)
    files = {
        "Metadata.csv": metadata_csv(platform, standardised=standardised),
        "Gyroscope.csv": sensor_csv(spin),
        "Gravity.csv": sensor_csv(sign * gravity),
        "Accelerometer.csv": sensor_csv(sign * (body - gravity)),
        "Annotation.csv": "",
    }
    if platform == "ios":
        files["AccelerometerUncalibrated.csv"] = sensor_csv(body if standardised else -body / G)
    else:
        files["TotalAcceleration.csv"] = sensor_csv(body)
    return files


def zipped(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def device_file(name: str, content: str | bytes) -> DeviceFile:
    data = content.encode() if isinstance(content, str) else content
    return DeviceFile(name, len(data), lambda: io.BytesIO(data))


def streams(reading: Reading) -> dict[str, Stream]:
    """Return a reading's streams by name."""
    return {stream.name: stream for stream in reading.streams}


def codes(reading: Reading, severity: str = "error") -> list[str]:
    """Return the codes of a reading's findings of one severity."""
    return [finding.reason.code for finding in reading.findings if finding.severity == severity]


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
