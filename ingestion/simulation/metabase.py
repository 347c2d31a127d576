"""Writes what the app MetaBase exports for a MetaMotion: a CSV for the accelerometer and one for the gyroscope.

Belongs here: names, columns and units of that app (version 1.4.4). Reading such files is `ingestion.readers.metabase`'s.
Times are whole milliseconds, values have three decimals: g and degrees a second.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from ingestion.recording import Stream
from ingestion.simulation.instruments import Capture
from ingestion.simulation.motion import G

_OFFSET = timedelta(hours=1)
#: Stream -> its name in file names, the unit in the header, and how many of that unit one SI unit is.
_SENSORS: Mapping[str, tuple[str, str, float]] = {
    "accelerometer": ("Accelerometer", "g", 1 / G),
    "gyroscope": ("Gyroscope", "deg/s", 180 / np.pi),
}


def file_name(recording: Capture, stream: str) -> str:
    """Name that the app gives: ``P001-squat-1_MetaWear_2026-01-13T09.30.00.000_<MAC>_Accelerometer_50.000Hz_1.4.4.csv``."""
    local = datetime.fromtimestamp(recording.started_ns / 1e9, UTC) + _OFFSET
    start = f"{local:%Y-%m-%dT%H.%M.%S}.{local.microsecond // 1000:03d}"
    rate_hz = recording.streams[stream].declared_rate_hz
    return f"{recording.title}_MetaWear_{start}_{recording.device.serial}_{_SENSORS[stream][0]}_{rate_hz:.3f}Hz_1.4.4.csv"


def members(recording: Capture) -> dict[str, bytes]:
    """Return the text of the recording's files by name, accelerometer first."""
    return {
        file_name(recording, name): header(name) + rows(stream, int(stream.t_ns[0])) for name, stream in recording.streams.items()
    }


def header(stream: str) -> bytes:
    """Return the first line of a file of `stream`."""
    axes = ",".join(f"{axis}-axis ({_SENSORS[stream][1]})" for axis in "xyz")
    return f"epoch (ms),time (01:00),elapsed (s),{axes}\n".encode()


def rows(stream: Stream, first_ns: int) -> bytes:
    """Return the lines of a stretch of `stream`, in a file whose first reading is at `first_ns`."""
    epoch_ms = (stream.t_ns + 500_000) // 1_000_000
    elapsed_ms = epoch_ms - (first_ns + 500_000) // 1_000_000
    local = pa.array(epoch_ms + _OFFSET // timedelta(milliseconds=1)).cast(pa.timestamp("ms")).cast(pa.string())
    columns = [epoch_ms, compute.replace_substring(local, " ", "T"), _thousandths(elapsed_ms)]
    factor = 1000 * _SENSORS[stream.name][2]
    columns += [_thousandths(np.round(axis.astype(np.float64) * factor).astype(np.int64)) for axis in stream.values.T]
    buffer = io.BytesIO()
    table = pa.table(columns, names=["epoch", "time", "elapsed", "x", "y", "z"])
    arrow_csv.write_csv(table, buffer, arrow_csv.WriteOptions(include_header=False, quoting_style="none"))
    return buffer.getvalue()


def _thousandths(whole: npt.NDArray[np.int64]) -> pa.Array:
    """Whole thousandths as exact decimals, which Arrow writes with all three places."""
    words = np.column_stack((whole, whole >> 63))
    return pa.Array.from_buffers(pa.decimal128(18, 3), len(whole), [None, pa.py_buffer(np.ascontiguousarray(words))])
