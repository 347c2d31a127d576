"""What Sensor Logger calls its sensors, whichever way it writes them, and which of them are motion: the allow-list.

Belongs here: names and columns, shared by the readers of its CSV, JSON and pushed messages. In which unit and with which sign
a platform writes is in `sensor_logger_units`.

Names and columns: UNITS.md and PUSHING.md of github.com/tszheichoi/awesome-sensor-logger.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from studies.sensors import sensor_of, stream_name

XYZ = ("x", "y", "z")
QUATERNION = ("qx", "qy", "qz", "qw")
WRIST, HEAD = "wrist", "head"


@dataclass(frozen=True)
class Part:
    """Columns of a sensor that become one stream."""

    stream: str
    columns: tuple[str, ...]

    @property
    def sensor(self) -> str:
        return sensor_of(self.stream)


def _fused(placement: str) -> tuple[Part, ...]:
    """Return what a watch or a headphone writes in one row: four streams."""
    written = {
        "linear_acceleration": ("acceleration", "XYZ"),
        "gravity": ("gravity", "XYZ"),
        "gyroscope": ("rotationRate", "XYZ"),
        "orientation": ("quaternion", "XYZW"),
    }
    return tuple(
        Part(stream_name(sensor, placement), tuple(f"{prefix}{axis}" for axis in axes))
        for sensor, (prefix, axes) in written.items()
    )


#: The allow-list of motion: sensor, as its CSV is called, to the streams in it. Nothing else of an export is read, but
#: annotations and what the export says about itself.
MOTION: Mapping[str, tuple[Part, ...]] = {
    "Accelerometer": (Part("linear_acceleration", XYZ),),
    "Gravity": (Part("gravity", XYZ),),
    "TotalAcceleration": (Part("accelerometer", XYZ),),
    "AccelerometerUncalibrated": (Part("accelerometer", XYZ),),
    "Gyroscope": (Part("gyroscope", XYZ),),
    "GyroscopeUncalibrated": (Part("gyroscope", XYZ),),
    "Magnetometer": (Part("magnetometer", XYZ),),
    "MagnetometerUncalibrated": (Part("magnetometer", XYZ),),
    "Orientation": (Part("orientation", QUATERNION),),
    "WristMotion": _fused(WRIST),
    "WatchAccelerometerUncalibrated": (Part(stream_name("accelerometer", WRIST), XYZ),),
    "WatchMagnetometer": (Part(stream_name("magnetometer", WRIST), XYZ),),
    "Headphone": _fused(HEAD),
}
ALLOWED = frozenset({*MOTION, "Annotation", "Metadata"})

#: What is read only where the better one is missing.
STANDS_IN_FOR: Mapping[str, str] = {
    "AccelerometerUncalibrated": "TotalAcceleration",
    "GyroscopeUncalibrated": "Gyroscope",
    "MagnetometerUncalibrated": "Magnetometer",
}

#: Kinds of data that say where somebody is, who is near, or what they look and sound like.
PRIVATE = ("bluetooth", "camera", "contacts", "location", "microphone", "network", "wifi")

_FOLDED: Mapping[str, str] = {name.casefold(): name for name in ALLOWED}
_LONGEST_FIRST = "|".join(sorted(ALLOWED, key=len, reverse=True))
_FILE = re.compile(r"(?P<stem>.*?)\s*(?:\((?P<copy>\d+)\))?\.(?:csv|txt)", re.IGNORECASE)
_RENAMED = re.compile(rf"(?:.*[^a-z0-9])?({_LONGEST_FIRST})(?:[^a-z].*)?", re.IGNORECASE)
_KINDS: Mapping[str, str] = {
    "activity": "activity",
    "barometer|watchbarometer": "barometer",
    "battery|batterytemp|batterytemperature": "battery",
    "bluetooth.*": "bluetooth",
    "brightness": "brightness",
    "camera.*": "camera",
    "compass|watchcompass": "compass",
    "contacts?": "contacts",
    "heartrate": "heart_rate",
    "light": "light",
    "location|watchlocation|gps.*": "location",
    "microphone.*|watchmicrophone|audio.*": "microphone",
    "network": "network",
    "pedometer": "pedometer",
    "gameorientation|geomagneticorientation": "orientation",
    "wifi.*": "wifi",
}
_KIND_OF_ENDING: Mapping[str, str] = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".heic", ".mp4", ".mov"), "camera"),
    **dict.fromkeys((".wav", ".m4a", ".mp3", ".caf", ".aac"), "microphone"),
    ".vcf": "contacts",
    **dict.fromkeys((".gpx", ".kml"), "location"),
    **dict.fromkeys((".zip", ".gz", ".7z", ".rar"), "archive"),
}


def sensor_named(name: str) -> str | None:
    """Return the sensor that a text names, such as ``wrist motion``; None if it is not on the allow-list."""
    return _FOLDED.get(_folded(name))


def sensor_of_file(name: str) -> str | None:
    """Return the sensor that a file is named after, also if somebody renamed it; None if none on the allow-list.

    Examples
    --------
    >>> [sensor_of_file(name) for name in ("Gyroscope(1).csv", "P01_gravity-2.csv", "Orientation_part.csv", "Location.csv")]
    ['Gyroscope', 'Gravity', 'Orientation', None]
    """
    file = _FILE.fullmatch(PurePosixPath(name).name)
    if file is None:
        return None
    stem = file["stem"]
    renamed = None if _kind_named(stem) else _RENAMED.fullmatch(stem)
    return sensor_named(stem) or (_FOLDED[renamed[1].casefold()] if renamed else None)


def is_exact(name: str) -> bool:
    """Return True if a file is named as the app names it, at most with a ``(1)``."""
    file = _FILE.fullmatch(PurePosixPath(name).name)
    return file is not None and sensor_named(file["stem"]) is not None


def kind_of(name: str) -> str:
    """Return what is in a file, or behind a sensor's name, that is not read: ``location``, ``camera``, …, ``other``.

    Never a text from outside: a Bluetooth sensor is called after its address.

    Examples
    --------
    >>> [kind_of(name) for name in ("Camera/1700.jpg", "Microphone.mp4", "WatchLocation.csv", "bluetooth-AA:BB", "notes.csv")]
    ['camera', 'microphone', 'location', 'bluetooth', 'other']
    """
    path = PurePosixPath(name)
    file = _FILE.fullmatch(path.name)
    stem = file["stem"] if file else path.name.removesuffix(path.suffix)
    if kind := _kind_named(stem) or next(filter(None, map(_kind_named, path.parts[:-1])), None):
        return kind
    return _KIND_OF_ENDING.get(path.suffix.casefold(), "other")


def counted(kinds: Iterable[str] | Mapping[str, int]) -> str:
    """Return ``camera 24, location 1``, most first, of kinds or of how many there are of each."""
    return ", ".join(f"{kind} {count}" for kind, count in sorted(Counter(kinds).items(), key=lambda item: (-item[1], item[0])))


def without_stand_ins(sensors: Collection[str]) -> list[str]:
    """Return the sensors to read, in the order of `MOTION`: uncalibrated ones only where the calibrated one is missing."""
    return [sensor for sensor in MOTION if sensor in sensors and STANDS_IN_FOR.get(sensor) not in sensors]


def _folded(name: str) -> str:
    return re.sub(r"[\s_]", "", name).casefold()


def _kind_named(name: str) -> str | None:
    folded = _folded(name)
    return next((kind for pattern, kind in _KINDS.items() if re.fullmatch(pattern, folded)), None)
