"""Real devices: what they add to the truth, and when they look at it.

Belongs here: errors of one device (bias, noise, drift, resolution, range), the clock of each of its streams, and the models
of devices that the simulated people own. How a device writes files is in `sensor_logger` and `metabase`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ingestion.recording import Stream
from ingestion.simulation.motion import Floats, G
from ingestion.simulation.people import Person, generator
from ingestion.simulation.sensing import Mounted, quaternions

_DEGREE = float(np.pi / 180)


@dataclass(frozen=True)
class Errors:
    """Errors of one kind of sensor in a stream's unit.

    Parameters
    ----------
    bias, noise, drift : float
        Standard deviations: of the constant offset of a device, of every reading, and of the slow change in a recording.
    scale : float
        Standard deviation of the relative error of each axis.
    resolution : float
        Smallest step that a reading can make.
    limit : float
        Largest reading; more is clipped.
    """

    bias: float
    noise: float
    drift: float
    scale: float
    resolution: float
    limit: float


@dataclass(frozen=True)
class Clock:
    """When a stream is read: rate, spread of single readings, and how much later than the recording it may start."""

    rate_hz: float
    jitter_s: float
    start_s: tuple[float, float]


@dataclass(frozen=True)
class Model:
    """A make of device.

    Parameters
    ----------
    name, system, system_version : str
        As the device states them; `system` is ``android``, ``ios`` or ``metabase``.
    clocks : mapping of str to Clock
        By stream. Streams that share a clock object are read at the same instants.
    accelerometer, gyroscope : Errors
    """

    name: str
    system: str
    system_version: str
    clocks: Mapping[str, Clock]
    accelerometer: Errors
    gyroscope: Errors


@dataclass(frozen=True)
class Device:
    """One device of somebody: a model, a serial number and its own constant errors, each of shape (3,)."""

    model: Model
    serial: str
    bias: Mapping[str, Floats]
    scale: Mapping[str, Floats]


@dataclass(frozen=True)
class Capture:
    """One recording as a device holds it before writing.

    Parameters
    ----------
    title : str
        What the person typed as its name.
    participant : str
    device : Device
    started_ns : int
        Start of the recording, ns since 1970 UTC.
    streams : mapping of str to Stream
        In the lake's units and Android's signs; writers convert to what their device writes.
    """

    title: str
    participant: str
    device: Device
    started_ns: int
    streams: Mapping[str, Stream]


def device_of(person: Person, system: str) -> Device:
    """Return the device that `person` owns among the models of `system`; always the same one.

    Raises
    ------
    KeyError
        If no model of `system` is known.
    """
    rng = generator(person.key, "device", system)
    models = MODELS[system]
    model = models[int(rng.integers(len(models)))]
    kinds = {"accelerometer": model.accelerometer, "gyroscope": model.gyroscope}
    serial = uuid.UUID(bytes=rng.bytes(16), version=4)
    return Device(
        model,
        serial.hex[:12].upper() if system == "metabase" else str(serial),
        {kind: rng.normal(0, errors.bias, 3) for kind, errors in kinds.items()},
        {kind: rng.normal(1, errors.scale, 3) for kind, errors in kinds.items()},
    )


def capture(device: Device, sensor: Mounted, *, title: str, person: Person, started_ns: int, seconds: float) -> Capture:
    """Record `sensor` with `device` for `seconds`; the dice follow from the person and the start."""
    rng = generator(person.key, "capture", started_ns)
    readings = Readings(device, sensor, rng, seconds)
    streams = {}
    for name, clock in device.model.clocks.items():
        t_ns, values = started_ns + readings.ticks(clock), readings.values(name, clock)
        streams[name] = Stream(name, t_ns, values.astype(np.float32), title, clock.rate_hz)
    return Capture(title, person.participant, device, started_ns, streams)


class Readings:
    """Everything that a device measures in one recording; what two streams have in common is measured once."""

    def __init__(self, device: Device, sensor: Mounted, rng: np.random.Generator, seconds: float) -> None:
        self._device, self._sensor, self._rng, self._seconds = device, sensor, rng, seconds
        self._tilt = Tilt(rng)
        self._ticks: dict[Clock, npt.NDArray[np.int64]] = {}
        self._total: dict[Clock, Floats] = {}

    def ticks(self, clock: Clock) -> npt.NDArray[np.int64]:
        """Times in ns after the start at which `clock` makes its streams read, in order."""
        if clock not in self._ticks:
            self._ticks[clock] = _ticks(clock, self._seconds, self._rng)
        return self._ticks[clock]

    def values(self, name: str, clock: Clock) -> Floats:
        """What stream `name` holds, one row for each tick of `clock`."""
        at_s = self.ticks(clock) / 1e9
        if name == "gyroscope":
            return self._measured(self._sensor.angular_rate(at_s), name, self._device.model.gyroscope)
        if name == "accelerometer":
            return self._acceleration(clock, at_s)
        believed = self._sensor.orientation(at_s) * self._tilt.at(at_s)
        if name == "orientation":
            return quaternions(believed)
        gravity = believed.inv().apply((0.0, 0.0, G))
        return gravity if name == "gravity" else self._linear(clock, at_s, gravity)

    def _linear(self, clock: Clock, at_s: Floats, gravity: Floats) -> Floats:
        linear = self._acceleration(clock, at_s) - gravity
        if self._device.model.system == "android":
            linear[0] = 0.0  # its filter has nothing yet to compare the first reading with
        return linear

    def _acceleration(self, clock: Clock, at_s: Floats) -> Floats:
        if clock not in self._total:
            errors = self._device.model.accelerometer
            self._total[clock] = self._measured(self._sensor.specific_force(at_s), "accelerometer", errors)
        return self._total[clock]

    def _measured(self, truth: Floats, kind: str, errors: Errors) -> Floats:
        rng, device = self._rng, self._device
        drift = np.cumsum(rng.normal(0, 1, truth.shape), axis=0) * (errors.drift / np.sqrt(len(truth)))
        measured = truth * device.scale[kind] + device.bias[kind] + drift + rng.normal(0, errors.noise, truth.shape)
        steps = np.round(measured / errors.resolution)
        return np.clip(steps * errors.resolution, -errors.limit, errors.limit)


class Tilt:
    """How far a device's idea of where up is lies from the truth: a slow wave that all its fused streams share."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._frequency_hz = rng.uniform(0.02, 0.4, (4, 1))
        self._phase = rng.uniform(0, 2 * np.pi, (4, 3))
        self._size = rng.normal(0, 0.006, (4, 3))

    def at(self, at_s: Floats) -> Rotation:
        """Rotation to add on the sensor's side at n times."""
        waves = np.sin(2 * np.pi * self._frequency_hz * at_s[:, None, None] + self._phase)
        return Rotation.from_rotvec((waves * self._size).sum(axis=1))


def _ticks(clock: Clock, seconds: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Times in ns after the start, in order."""
    first_s = rng.uniform(*clock.start_s)
    rate_hz = clock.rate_hz * (1 + rng.normal(0, 3e-5))
    even = first_s + np.arange(int((seconds - first_s) * rate_hz)) / rate_hz
    late = np.clip(rng.normal(0, clock.jitter_s, len(even)), -0.4 / rate_hz, 0.4 / rate_hz)
    return np.round((even + late) * 1e7).astype(np.int64) * 100


def _android(name: str, version: str, *, rate_hz: float, orientation_hz: float, jitter_s: float) -> Model:
    total = Clock(rate_hz, jitter_s, (0.04, 0.32))
    clocks = {
        "linear_acceleration": total,
        "gravity": Clock(rate_hz, 1.1 * jitter_s, (0.02, 0.3)),
        "gyroscope": Clock(rate_hz, 1.5 * jitter_s, (-0.002, 0.17)),
        "orientation": Clock(orientation_hz, jitter_s, (0.03, 0.32)),
        "accelerometer": total,
    }
    errors = Errors(bias=0.08, noise=0.03, drift=0.02, scale=0.006, resolution=8 * G / 2**14, limit=8 * G)
    turning = Errors(bias=0.004, noise=0.003, drift=0.002, scale=0.005, resolution=2000 * _DEGREE / 2**15, limit=2000 * _DEGREE)
    return Model(name, "android", version, clocks, errors, turning)


def _iphone(name: str, version: str) -> Model:
    fused = Clock(99.93, 4e-6, (0.11, 0.32))
    raw = Clock(99.94, 4e-6, (0.09, 0.3))
    clocks = {"linear_acceleration": fused, "gravity": fused, "gyroscope": fused, "orientation": fused, "accelerometer": raw}
    errors = Errors(bias=0.03, noise=0.02, drift=0.01, scale=0.004, resolution=G / 2**16, limit=16 * G)
    turning = Errors(bias=0.003, noise=0.002, drift=0.002, scale=0.004, resolution=1e-6, limit=2000 * _DEGREE)
    return Model(name, "ios", version, clocks, errors, turning)


def _metamotion() -> Model:
    clocks = {"accelerometer": Clock(50.0, 0.0, (0.02, 0.12)), "gyroscope": Clock(50.0, 0.0, (0.15, 0.32))}
    errors = Errors(bias=0.15, noise=0.03, drift=0.02, scale=0.008, resolution=16 * G / 2**15, limit=16 * G)
    turning = Errors(bias=0.008, noise=0.004, drift=0.003, scale=0.006, resolution=2000 * _DEGREE / 2**15, limit=2000 * _DEGREE)
    return Model("MetaMotionR", "metabase", "1.5.0", clocks, errors, turning)


#: Device models by the system that writes the files.
MODELS: Mapping[str, tuple[Model, ...]] = {
    "android": (
        _android("Tern 4", "34", rate_hz=100.0, orientation_hz=99.6, jitter_s=0.0004),
        _android("Tern 4 Lite", "33", rate_hz=52.71, orientation_hz=59.9, jitter_s=0.0009),
        _android("Grebe S", "35", rate_hz=99.56, orientation_hz=60.3, jitter_s=0.0006),
    ),
    "ios": (_iphone("iPhone 12", "18.3"), _iphone("iPhone 14 Pro", "18.5")),
    "metabase": (_metamotion(),),
}
