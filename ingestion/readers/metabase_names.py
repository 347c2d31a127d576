"""What the names of MetaBase's files say: ``<text>_<device>_<local start>_<MAC>_<sensor>_<rate>Hz_<version>.csv``.

Belongs here: which files are one recording, of which device. What is in them is `metabase`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter

from ingestion.readers.interface import DeviceFile

#: Sensors of one recording start at most so far apart.
_STARTS_APART_S = 10.0

_SENSOR = re.compile(
    r"_(accelerometer|gyroscope|magnetometer|linear[ _-]?acceleration|gravity|quaternion|euler[ _-]?angles?|temperature|pressure"
    r"|altitude|humidity|ambient[ _-]?light|color|proximity)(?:_(\d+(?:\.\d+)?)hz)?(?=_|\.csv$)",
    re.IGNORECASE,
)
_START = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d(?:\.\d+)?)_")
_MAC = re.compile(r"_([0-9A-F]{12})_")
_VERSION = re.compile(r"_(\d+(?:\.\d+)+)\.csv$", re.IGNORECASE)


def pairing_key(file: DeviceFile) -> str:
    """Return the name without start, sensor and rate: files with one key are told apart by `recordings`."""
    sensor = _sensor(file)
    return _START.sub("_*_", f"{file.name[: sensor.start()]}_*{file.name[sensor.end() :]}") if sensor else file.name


def recordings(files: Sequence[DeviceFile]) -> list[list[DeviceFile]]:
    """Split files with one key into recordings: each sensor once, all begun within `_STARTS_APART_S` seconds."""
    found: list[list[DeviceFile]] = []
    begun: datetime | None = None
    for start, _, file in sorted(((named_start(file) or datetime.min, file.name, file) for file in files), key=itemgetter(0, 1)):
        new = begun is None or (start - begun).total_seconds() > _STARTS_APART_S
        if new or (start != begun and sensor_name(file) in map(sensor_name, found[-1])):
            found.append([])
            begun = start
        found[-1].append(file)
    return found


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the MAC address that the name carries; empty if it carries none."""
    macs = [found[1] for file in files if (found := _MAC.search(file.name))]
    return hashlib.sha256(f"metamotion:{macs[0]}".encode()).hexdigest()[:16] if macs else ""


def sensor_name(file: DeviceFile) -> str:
    """Return the sensor in lower case without blanks, such as ``eulerangles``; empty if the name has none."""
    sensor = _sensor(file)
    return re.sub(r"[ _-]", "", sensor[1].lower()) if sensor else ""


def stated_rate_hz(file: DeviceFile) -> float | None:
    """Return the rate that the name states, if it does."""
    sensor = _sensor(file)
    return float(sensor[2]) if sensor and sensor[2] else None


def app_version(file: DeviceFile) -> str:
    """Return the version of the app that the name states; empty if it does not."""
    found = _VERSION.search(file.name)
    return found[1] if found else ""


def named_start(file: DeviceFile) -> datetime | None:
    """Return the local time that the name says recording began at; None if it says none that exists."""
    found = _START.search(file.name)
    try:
        return datetime.strptime(found[1][:19], "%Y-%m-%dT%H.%M.%S") if found else None
    except ValueError:
        return None


def _sensor(file: DeviceFile) -> re.Match[str] | None:
    found = list(_SENSOR.finditer(file.name, file.name.rfind("/") + 1))
    return found[-1] if found else None
