"""The sensors that the lake knows, their SI units, and how a stream is named after one.

Belongs here: names and units only, shared by readers, contracts, models and tables.

A stream is called after its sensor, ``gyroscope``, or, where one recording has the same sensor at several places of the
body, after sensor and placement: ``gyroscope@waist``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from warehouse.errors import did_you_mean

#: Sensor -> unit of its values in the lake.
SENSORS: Mapping[str, str] = {
    "accelerometer": "m/s^2",  # specific force, gravity included; +g on the axis that points up at rest
    "linear_acceleration": "m/s^2",  # gravity removed by the device
    "gravity": "m/s^2",
    "gyroscope": "rad/s",
    "magnetometer": "uT",
    "orientation": "quaternion",  # x, y, z, w
    "joint": "m",  # of a body in a video, from between its hips: x right in the picture, y up, z towards the camera
    "keypoint": "frame",  # the same in the picture, as shares of its height from its lower left corner; z is 0 where unknown
    "latent": "1",  # x, y, z, w: what somebody's program made of a movement, on no scale that is known
}
#: Unit in the lake -> units that somebody may find a stream's values to be in -> factor that makes the one of the other.
UNITS: Mapping[str, Mapping[str, float]] = {
    "m/s^2": {"g": 9.80665, "mg": 9.80665e-3, "cm/s^2": 0.01, "m/s^2*g": 1 / 9.80665},  # the last: multiplied by g once too often
    "rad/s": {"deg/s": math.pi / 180, "mdeg/s": math.pi / 180_000, "rpm": math.pi / 30},
    "uT": {"nT": 1e-3, "mT": 1e3, "T": 1e6, "G": 100.0, "mG": 0.1},
    "quaternion": {},
    "m": {"cm": 0.01, "mm": 1e-3},
    "frame": {},
    "1": {},
}
#: Sensors whose streams are joints of a body that a pose tool saw.
POSE_SENSORS = frozenset({"joint", "keypoint"})
PLACEMENT = re.compile(r"[a-z][a-z0-9_]{0,31}")


def stream_name(sensor: str, placement: str = "") -> str:
    """Return the name of a stream.

    Examples
    --------
    >>> stream_name("gyroscope"), stream_name("gyroscope", "waist")
    ('gyroscope', 'gyroscope@waist')
    """
    return f"{sensor}@{placement}" if placement else sensor


def sensor_of(stream: str) -> str:
    """Return the sensor of a stream: ``gyroscope`` of ``gyroscope@waist``."""
    return stream.partition("@")[0]


def placement_of(stream: str) -> str:
    """Return where the sensor of a stream sat; empty where the stream's name does not say."""
    return stream.partition("@")[2]


def unit_of(stream: str) -> str:
    """Return the SI unit that the lake keeps a stream in."""
    return SENSORS[sensor_of(stream)]


def axes_of(stream: str) -> tuple[str, ...]:
    """Return the axes of a stream: x, y, z, and w for the quaternions of ``orientation`` and for ``latent``."""
    return ("x", "y", "z", "w") if unit_of(stream) in ("quaternion", "1") else ("x", "y", "z")


def known_placement(name: str) -> str:
    """Return the name if it can be one of a placement.

    Raises
    ------
    ValueError
        If it is no lower-case name.
    """
    if not PLACEMENT.fullmatch(name):
        raise ValueError(f"'{name}' is no placement: a-z, 0-9 and '_', a letter first, such as waist")
    return name


def si_factor(stream: str, unit: str) -> float:
    """Return what the values of a stream must be multiplied with if they are found to be in `unit`.

    Examples
    --------
    >>> si_factor("accelerometer@waist", "g"), si_factor("gyroscope", "rad/s")
    (9.80665, 1.0)

    Raises
    ------
    ValueError
        If the unit cannot be converted to the stream's own.
    """
    own = unit_of(stream)
    factors = {own: 1.0, **UNITS[own]}
    if unit not in factors:
        raise ValueError(f"'{unit}' is no unit of {stream}{did_you_mean(unit, factors)}")
    return factors[unit]


def known_stream(name: str) -> str:
    """Return the name if it is one of a stream.

    Raises
    ------
    ValueError
        If its sensor is not known or its placement is no lower-case name.
    """
    sensor, at, placement = name.partition("@")
    if sensor not in SENSORS:
        raise ValueError(f"'{name}' is not known{did_you_mean(sensor, SENSORS)}")
    if at:
        known_placement(placement)
    return name


#: A sensor of `SENSORS`, with its placement where a recording has several: ``gyroscope@waist``.
StreamName = Annotated[str, AfterValidator(known_stream)]
#: Where a sensor sits.
Placement = Annotated[str, AfterValidator(known_placement)]
