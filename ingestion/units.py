"""Tells a wrong unit, scale or sign by physics: gravity's length and direction, and how fast a body can turn.

What is beyond doubt is converted, with a repair that says so; what is not is a finding, and the values stay as they are.
Belongs here: the inference alone. Units that a file states are its reader's to convert.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingestion.facts import StreamFacts, measure
from ingestion.order import Prepared
from ingestion.recording import Finding, Repair, Stream
from ingestion.spool import scaled
from studies.sensors import placement_of, sensor_of
from warehouse.errors import Reason

STANDARD_GRAVITY = 9.80665  # m/s^2
#: A length at rest within this share of a unit's gravity is that unit's.
UNIT_TOLERANCE = 0.05
#: A length at rest that is further than this share from gravity is a scale error; calibrated sensors are within a hundredth.
SCALE_TOLERANCE = 0.1
#: No body turns faster than this for a twentieth of the time, in rad/s: 2,000 degrees a second.
FASTEST_TURN = 2000 * math.pi / 180
#: Nor does one that is shaken all the time turn slower than this for nineteen twentieths of it: 2 degrees a second.
SLOWEST_TURN = 2 * math.pi / 180

#: Fewer readings a second cannot tell a second at rest from one of movement: two that happen to be alike look still.
FEWEST_A_SECOND = 5

_SHAKEN = 0.2
_AGAINST = -0.9
_FEWEST_SECONDS = 3
_SAMPLED_ROWS = 1 << 16
_COMPARED_ROWS = 1 << 18
_NS_PER_S = 1_000_000_000
_WITH_GRAVITY = ("accelerometer", "gravity")
#: Gravity's length where numbers of one unit were taken for another.
_GRAVITY_IN = {
    "g": 1.0,
    "milli-g": 1000.0,
    "m/s^2 taken for g": STANDARD_GRAVITY**2,
    "milli-g taken for g": 1000 * STANDARD_GRAVITY,
}

_Means = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


class Measured(NamedTuple):
    """A stream as delivered, in order, and what was measured on it."""

    stream: Stream
    ready: Prepared
    facts: StreamFacts


@dataclass(frozen=True)
class _Change:
    """Values to multiply by a factor, and what is said about it."""

    kind: str
    factor: float
    before: str
    sentence: str


def settled(streams: Sequence[Measured]) -> tuple[list[Measured], list[Finding]]:
    """Convert what is beyond doubt in a wrong unit or mirrored, and find what is doubtful.

    Parameters
    ----------
    streams : sequence of Measured
        All of one recording.

    Returns
    -------
    streams : list of Measured
        A converted stream has a repair (``unit_inferred``, ``sign_flipped``) and is measured anew; its values are changed in
        place.
    findings : list of Finding
        ``scale_error`` and ``unit_doubtful``, both warnings.
    """
    still = {placement_of(one.stream.name): one.facts.still for one in streams if sensor_of(one.stream.name) == "accelerometer"}
    in_unit = [_changed(one, _unit_change(one, still.get(placement_of(one.stream.name)))) for one in streams]
    upright = [_changed(one, _sign_change(one, in_unit)) for one in in_unit]
    told = [_scale_told(one) for one in upright]
    return [one for one, _ in told], [finding for _, found in told for finding in found]


def _changed(one: Measured, change: _Change | None) -> Measured:
    if change is None:
        return one
    values = one.ready.values
    ready = replace(one.ready, values=scaled(values if values.flags.writeable else values.copy(), change.factor))
    repair = Repair(
        change.kind,
        change.sentence,
        one.stream.source,
        rows=len(one.ready.t_ns),
        stream=one.stream.name,
        start_ns=one.facts.start_ns,
        end_ns=one.facts.end_ns,
        before=change.before,
        after=one.stream.unit,
    )
    stream = replace(one.stream, repairs=(*one.stream.repairs, repair))
    return Measured(stream, ready, measure(stream, ready))


def _unit_change(one: Measured, still: float | None) -> _Change | None:
    sensor = sensor_of(one.stream.name)
    if rest := _rest(one):
        return _by_gravity(rest)
    if sensor == "gyroscope" and one.facts.rows:
        return _by_turning(one, still)
    return None


def _rest(one: Measured) -> float | None:
    """Return the length at rest of what measures gravity; None for other sensors, and where no rest is certain."""
    often = one.facts.rate_hz is not None and one.facts.rate_hz >= FEWEST_A_SECOND
    return one.facts.norm_rest if often and sensor_of(one.stream.name) in _WITH_GRAVITY else None


def _by_gravity(rest: float) -> _Change | None:
    for unit, gravity in _GRAVITY_IN.items():
        if abs(rest / gravity - 1) <= UNIT_TOLERANCE:
            sentence = f"at rest the length is {rest:.4g}, as gravity's is in {unit}; the values were converted to m/s^2"
            return _Change("unit_inferred", STANDARD_GRAVITY / gravity, unit, sentence)
    return None


def _by_turning(one: Measured, still: float | None) -> _Change | None:
    usual = _fast_turn(one)
    if usual > FASTEST_TURN:
        sentence = (
            f"a twentieth of the readings turn faster than {usual:.4g}, where no body exceeds {FASTEST_TURN:.0f} rad/s: they are "
            "degrees a second and were converted"
        )
        return _Change("unit_inferred", math.pi / 180, "deg/s", sentence)
    if one.stream.declared_unit.startswith("deg") and still is not None and still < _SHAKEN and 0 < usual < SLOWEST_TURN:
        sentence = (
            f"the file says {one.stream.declared_unit}, but read so, a body that moved all the time hardly turned "
            f"({usual:.4g} rad/s): the file's numbers are radians a second, and were taken so"
        )
        return _Change("unit_inferred", 180 / math.pi, "rad/s taken for deg/s", sentence)
    return None


def _fast_turn(one: Measured) -> float:
    """Return the 95th percentile of the angular speed, over evenly chosen readings."""
    step = -(-len(one.ready.values) // _SAMPLED_ROWS)
    return float(np.percentile(np.linalg.norm(one.ready.values[::step], axis=1), 95))


def _sign_change(one: Measured, streams: Sequence[Measured]) -> _Change | None:
    """The accelerometer measures, gravity is derived from it: where they point opposite ways, gravity is turned round."""
    place = placement_of(one.stream.name)
    measured = [other for other in streams if other.stream.name == one.stream.name.replace("gravity", "accelerometer", 1)]
    if sensor_of(one.stream.name) != "gravity" or not measured or placement_of(measured[0].stream.name) != place:
        return None
    agreement = _agreement(_second_means(one.ready), _second_means(measured[0].ready))
    if agreement is None or agreement > _AGAINST:
        return None
    sentence = (
        f"gravity points against the accelerometer (cosine {agreement:.2f} where 1 is expected); its sign was turned round, so "
        "that both read +g on the axis that points up"
    )
    return _Change("sign_flipped", -1.0, "opposite sign", sentence)


def _second_means(ready: Prepared) -> _Means:
    """Return whole seconds and the mean vector of each, of the first readings."""
    seconds, starts = np.unique(np.asarray(ready.t_ns[:_COMPARED_ROWS]) // _NS_PER_S, return_index=True)
    sums = np.add.reduceat(ready.values[:_COMPARED_ROWS].astype(np.float64), starts, axis=0)
    return seconds, sums


def _agreement(one: _Means, other: _Means) -> float | None:
    """Return the median cosine between two sensors' mean vectors in the seconds that both have."""
    _, mine, yours = np.intersect1d(one[0], other[0], return_indices=True)
    if mine.size < _FEWEST_SECONDS:
        return None
    a, b = one[1][mine], other[1][yours]
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.median((a * b).sum(axis=1)[lengths > 0] / lengths[lengths > 0])) if (lengths > 0).any() else None


def _scale_told(one: Measured) -> tuple[Measured, list[Finding]]:
    """Flag an accelerometer whose gravity is too long or too short; the study's limits decide what follows."""
    rest = _rest(one)
    if rest is None or abs(rest / STANDARD_GRAVITY - 1) <= SCALE_TOLERANCE:
        return one, []
    factor = rest / STANDARD_GRAVITY
    sentence = (
        f"at rest the {one.stream.name} reads {rest:.4g} m/s^2 where gravity is {STANDARD_GRAVITY:.4g}: {factor - 1:+.0%}, a "
        f"factor of {factor:.4g}; the values were left as they are"
    )
    if not 0.5 <= factor <= 2:
        remedy = "look up the unit that the device writes; no known unit has gravity at that length"
        return one, [Finding(Reason("unit_doubtful", sentence, one.stream.source, remedy), "warning")]
    flagged = Repair(
        "scale_flagged",
        sentence,
        one.stream.source,
        rows=0,
        stream=one.stream.name,
        start_ns=one.facts.start_ns,
        end_ns=one.facts.end_ns,
        before=f"{factor:.4g}",
        after=f"{factor:.4g}",
    )
    stream = replace(one.stream, repairs=(*one.stream.repairs, flagged))
    remedy = "calibrate the sensor, or widen 'gravity' in the study if its models are to learn from it as it is"
    return one._replace(stream=stream), [Finding(Reason("scale_error", sentence, one.stream.source, remedy), "warning")]
