"""Loose Sensor Logger CSVs that lost their name or their header: `walk.csv` that was Accelerometer.csv.

Belongs here: what can be told of such a file by its columns and values, and saying so. Its rows are read by `sensor_logger`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

import numpy as np

from ingestion.readers import csv_columns
from ingestion.readers.interface import DeviceFile, Hints
from ingestion.readers.sensor_logger_names import MOTION, QUATERNION, XYZ
from ingestion.readers.sensor_logger_units import Raw
from ingestion.recording import Finding, Repair
from warehouse.errors import Reason

#: Columns of every file with three axes, in the app's order.
_HEADER = b"time,seconds_elapsed,z,y,x\n"
_NUMBER = rb"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_ROW = re.compile(rb"(\d{18,19}),(" + _NUMBER + rb")(?:," + _NUMBER + rb"){3}\r?\n")
_MOST_APART_S = 0.002
#: Median length of what is hardly anything but acceleration with gravity, and of no acceleration without it or rotation.
_WITH_GRAVITY = (8.5, 11.5)
_TOLD_BY_ROWS = 1 << 20


@dataclass(frozen=True)
class Unnamed:
    """A file that can be read although its name or its header does not say what it is.

    Parameters
    ----------
    sensor : str
        By its columns; ``Accelerometer`` for three axes, which are alike in all sensors.
    file : DeviceFile
        With a header in any case.
    headless : bool
        True if the header was put before it.
    """

    sensor: str
    file: DeviceFile
    headless: bool

    def header_inferred(self) -> Finding:
        """Return the warning that the columns were told by the app's usual order."""
        sentence = (
            "the file has no header, its first line is data; the columns were taken in the app's order "
            f"{_HEADER.decode().strip()}, and rows are counted as if that were row 1"
        )
        remedy = "send the file as the app exported it, or put that line before it if it is right"
        return Finding(Reason("header_missing", sentence, f"{self.file.name} row 1", remedy), "warning")

    def inferred(self, raw: Raw) -> Raw:
        """Return the rows with the repair of their header."""
        if not self.headless:
            return raw
        sentence = "the header is missing; columns were taken in the app's order"
        repair = Repair("header_inferred", sentence, raw.source, rows=len(raw.t_ns), after=_HEADER.decode().strip())
        return replace(raw, repairs=(*raw.repairs, repair))

    def identified(self, raws: Sequence[Raw], hints: Hints) -> tuple[list[Raw], list[Finding]]:
        """Say which sensor the rows are of: by the columns, by the study, or by how long their vectors are."""
        if self.sensor != "Accelerometer":
            return list(raws), []
        (raw,) = raws
        stated = hints.formats.sensor_logger.unnamed
        sensor = stated or _by_length(raw)
        if sensor is None:
            return [], [Finding(_unknown(raw))]
        sentence = f"the name is of no sensor; the rows are taken for {sensor}"
        why = "as the study says" if stated else "by the length of their vectors"
        repair = Repair("sensor_assumed", f"{sentence}, {why}", raw.source, rows=len(raw.t_ns), after=sensor)
        taken = replace(raw, sensor=sensor, part=MOTION[sensor][0], repairs=(*raw.repairs, repair))
        remedy = f"name the file {sensor}.csv if that is right, or state formats.sensor_logger.unnamed in the study"
        warning = Finding(Reason("sensor_assumed", f"{sentence}, {why}", raw.source, remedy), "warning")
        return [taken], [] if stated else [warning]


def unnamed(file: DeviceFile) -> Unnamed | None:
    """Return what can be told by content of a CSV that Sensor Logger wrote, whatever it is called now; None of any other."""
    if _is_headless(file.head):
        return Unnamed("Accelerometer", _headed(file), True)
    names = set(csv_columns.header_of(file.head).names)
    if not {"time", "seconds_elapsed"} <= names:
        return None
    if "rotationRateX" in names:
        return Unnamed("Headphone" if "devicelocation" in names else "WristMotion", file, False)
    if set(QUATERNION) <= names:
        return Unnamed("Orientation", file, False)
    return Unnamed("Accelerometer", file, False) if set(XYZ) <= names else None


def _is_headless(head: bytes) -> bool:
    """Two rows of five numbers whose first two columns run on alike: nanoseconds since 1970, and seconds since the start."""
    first = _ROW.match(head)
    second = _ROW.match(head, first.end()) if first else None
    if first is None or second is None:
        return False
    apart_s = (int(second[1]) - int(first[1])) / 1e9 - (float(second[2]) - float(first[2]))
    return abs(apart_s) < _MOST_APART_S


def _headed(file: DeviceFile) -> DeviceFile:
    return replace(file, size=file.size + len(_HEADER), open=lambda: cast(BinaryIO, io.BufferedReader(_Headed(file.open()))))


class _Headed(io.RawIOBase):
    """A binary stream with the header before it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._ahead, self._stream = _HEADER, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._ahead[: len(buffer)] or self._stream.read(len(buffer))
        self._ahead = self._ahead[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _by_length(raw: Raw) -> str | None:
    first = np.asarray(raw.values[:_TOLD_BY_ROWS])
    length = float(np.median(np.sqrt(np.einsum("ij,ij->i", first, first))))
    if length > _WITH_GRAVITY[1]:
        return None
    return "TotalAcceleration" if length >= _WITH_GRAVITY[0] else "Accelerometer"


def _unknown(raw: Raw) -> Reason:
    sentence = "the name is of no sensor, and three axes of such size are neither acceleration nor rotation"
    return Reason("sensor_unnamed", sentence, raw.source, "give the file the app's own name back, such as Magnetometer.csv")
