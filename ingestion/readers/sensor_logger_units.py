"""Brings what Sensor Logger wrote on any platform to one convention: m/s^2, with +g on the axis that points up at rest.

iOS writes accelerations with the opposite sign and some of them in g, unless the app's "Standardise Units & Frames" is on;
that is Android's convention, and the one kept. Belongs here: units, signs, and acceleration with gravity made from its parts.

CROSSPLATFORM.md, UNITS.md and COORDINATES.md of github.com/tszheichoi/awesome-sensor-logger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ingestion.readers.sensor_logger_metadata import Metadata
from ingestion.readers.sensor_logger_names import STANDS_IN_FOR, Part
from ingestion.recording import Finding, Repair, Stream
from ingestion.spool import mapped, scaled
from studies.sensors import placement_of, stream_name
from warehouse.errors import Reason

STANDARD_GRAVITY = 9.80665  # m/s^2

#: Median length that tells g from m/s^2: 1 against 9.8.
_LARGEST_IN_G = 3.0
_TOLD_BY_ROWS = 1 << 20
#: A watch hands over its readings in pieces; more steps back than this share are no pieces any more.
_MOST_PIECES = 0.01
_ACCELERATIONS = frozenset({"accelerometer", "linear_acceleration", "gravity"})
_WATCH = frozenset({"WatchAccelerometerUncalibrated", "WristMotion"})


@dataclass(frozen=True)
class Raw:
    """One stream's rows as written.

    Parameters
    ----------
    sensor : str
        A key of `sensor_logger_names.MOTION`.
    part : Part
    source : str
        File (and ``::member``) the rows came from.
    t_ns : ndarray of int64, shape (n,)
    values : ndarray of float32, shape (n, 3) or (n, 4)
    repairs : tuple of Repair
    """

    sensor: str
    part: Part
    source: str
    t_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    repairs: tuple[Repair, ...] = ()


def in_one_convention(raws: Sequence[Raw], metadata: Metadata) -> tuple[list[Stream], list[Finding]]:
    """Convert to SI units with Android's signs, and add acceleration with gravity where only its parts were written.

    Parameters
    ----------
    raws : sequence of Raw
        At most one for each stream; values are changed in place.
    metadata : Metadata

    Returns
    -------
    streams : list of Stream
        Declared rates are those that the app was asked for.
    findings : list of Finding
        Notes: ``uncalibrated_used``, ``accelerometer_summed``.
    """
    streams = []
    for raw in raws:
        in_g, mirrored = _convention(raw, raws, metadata)
        streams.append(_stream(_converted(_pieces_sorted(raw), in_g=in_g, mirrored=mirrored), in_g=in_g, metadata=metadata))
    sums = _sums(streams)
    return [*streams, *sums], [*_stand_ins(raws, metadata), *map(_summed, sums)]


def _convention(raw: Raw, raws: Sequence[Raw], metadata: Metadata) -> tuple[bool, bool]:
    """Return whether the rows are in g, and whether they have iOS's sign."""
    if raw.part.sensor not in _ACCELERATIONS:
        return False, False
    unstandardised = metadata.platform != "android" and not metadata.standardised
    if raw.sensor in _WATCH:  # told by size: until 1.63 a watch did not do as the metadata say; only Apple's own way is in g
        in_g = _watch_is_in_g(raw, raws, unstandardised=unstandardised)
        return in_g, in_g
    if raw.sensor == "Headphone":  # Apple's only; its gravity is in m/s^2 whatever the setting
        return unstandardised and raw.part.sensor == "linear_acceleration", unstandardised
    uncalibrated = next((other for other in raws if other.sensor == "AccelerometerUncalibrated"), None)
    apple = unstandardised and (metadata.platform == "ios" or (uncalibrated is not None and _is_short(uncalibrated)))
    return apple and raw is uncalibrated, apple


def _watch_is_in_g(raw: Raw, raws: Sequence[Raw], *, unstandardised: bool) -> bool:
    if raw.part.sensor != "linear_acceleration":
        return _is_short(raw)
    gravity = next((other for other in raws if other.sensor == raw.sensor and other.part.sensor == "gravity"), None)
    return _is_short(gravity) if gravity else unstandardised


def _is_short(raw: Raw) -> bool:
    first = np.asarray(raw.values[:_TOLD_BY_ROWS])
    return bool(np.median(np.sqrt(np.einsum("ij,ij->i", first, first))) < _LARGEST_IN_G)


def _converted(raw: Raw, *, in_g: bool, mirrored: bool) -> Raw:
    factor = (STANDARD_GRAVITY if in_g else 1.0) * (-1.0 if mirrored else 1.0)
    if factor == 1.0:
        return raw
    scaled(raw.values, factor)
    made = []
    if in_g:
        made.append(_repair(raw, "unit_converted", "the platform writes this acceleration in g", before="g", after="m/s^2"))
    if mirrored:
        made.append(
            _repair(
                raw,
                "sign_flipped",
                "iOS writes accelerations with the opposite sign; Android's is kept",
                before="ios",
                after="android",
            )
        )
    return replace(raw, repairs=(*raw.repairs, *made))


def _repair(raw: Raw, kind: str, sentence: str, *, before: str, after: str) -> Repair:
    return Repair(kind, sentence, raw.source, rows=len(raw.t_ns), before=before, after=after)


def _pieces_sorted(raw: Raw) -> Raw:
    """Sort what a watch or a headphone handed over piece by piece; a clock that jumps all the time is left to be judged."""
    back = np.diff(raw.t_ns) < 0 if placement_of(raw.part.stream) else np.zeros(0, dtype=np.bool_)
    pieces = int(np.count_nonzero(back))
    if not pieces or pieces > max(1, _MOST_PIECES * len(raw.t_ns)):
        return raw
    late = int(np.count_nonzero(raw.t_ns < np.maximum.accumulate(raw.t_ns)))
    order = np.argsort(raw.t_ns, kind="stable")
    sentence = f"the watch handed its readings over in {pieces + 1} pieces that are not in order; they were sorted by time"
    repair = Repair("sorted", sentence, raw.source, rows=late)
    return replace(raw, t_ns=raw.t_ns[order], values=raw.values[order], repairs=(*raw.repairs, repair))


def _stream(raw: Raw, *, in_g: bool, metadata: Metadata) -> Stream:
    rate = metadata.rates_hz.get(raw.sensor)
    unit = "g" if in_g else ""
    return Stream(raw.part.stream, raw.t_ns, raw.values, raw.source, rate, declared_unit=unit, repairs=raw.repairs)


def _sums(streams: Sequence[Stream]) -> list[Stream]:
    """Add gravity to acceleration without it, as the app's documentation says for iOS; only if both have the same clock."""
    by_name = {stream.name: stream for stream in streams}
    placements = sorted({placement_of(name) for name in by_name})
    made = (_sum(by_name, placement) for placement in placements if stream_name("accelerometer", placement) not in by_name)
    return [stream for stream in made if stream]


def _sum(by_name: Mapping[str, Stream], placement: str) -> Stream | None:
    linear, gravity = (by_name.get(stream_name(sensor, placement)) for sensor in ("linear_acceleration", "gravity"))
    if linear is None or gravity is None or not np.array_equal(linear.t_ns, gravity.t_ns):
        return None
    total = mapped(np.add, linear.values, gravity.values)
    sentence = "the device wrote no acceleration with gravity; it was made by adding gravity to the acceleration without it"
    repair = Repair("accelerometer_summed", sentence, linear.source, rows=len(total))
    name = stream_name("accelerometer", placement)
    return replace(linear, name=name, values=total, declared_unit="", repairs=(*linear.repairs, repair))


def _summed(stream: Stream) -> Finding:
    sentence = f"the export has no {stream.name} with gravity; it was made by adding acceleration without gravity and gravity"
    remedy = "nothing to do; tick Accelerometer Uncalibrated in the app to have it measured"
    return Finding(Reason("accelerometer_summed", sentence, stream.source, remedy), "note")


def _stand_ins(raws: Sequence[Raw], metadata: Metadata) -> list[Finding]:
    """Say where only the uncalibrated readings are there; iOS has no other acceleration with gravity, so there it is no news."""
    usual = {"AccelerometerUncalibrated"} if metadata.platform != "android" else set()
    return [_stand_in(raw) for raw in raws if raw.sensor in STANDS_IN_FOR and raw.sensor not in usual]


def _stand_in(raw: Raw) -> Finding:
    sentence = f"the export has no {STANDS_IN_FOR[raw.sensor]}; the uncalibrated readings are used in its place"
    return Finding(Reason("uncalibrated_used", sentence, raw.source, "tick the calibrated sensor in the app too"), "note")
