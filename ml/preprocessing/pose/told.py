"""The squats of one recording as people are told of them, whether or not the recording is in a table.

Belongs here: numbers from joints, and why there is no squat. What a champion makes of each is `ml.assessing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ml.preprocessing.blocks import Readings
from ml.preprocessing.pose.bodies import body_of, found_squats, measures_at
from studies.sensors import sensor_of


@dataclass(frozen=True)
class Squat:
    """One squat: times in ns since 1970 UTC, knee angle in degrees and height of the hips in metres at its deepest frame."""

    start_ns: int
    deepest_ns: int
    end_ns: int
    knee_deg: float
    hip_height_m: float


@dataclass(frozen=True)
class Told:
    """The squats of a recording by time, and, where there is none, why."""

    repetitions: tuple[Squat, ...]
    why_none: str = ""


def repetitions_of(streams: Mapping[str, Readings]) -> Told:
    """Find the squats in the joints of a recording.

    Parameters
    ----------
    streams : mapping of str to (t_ns, values)
        Of one recording; only ``joint@…`` count.
    """
    if not any(sensor_of(name) == "joint" and len(t_ns) for name, (t_ns, _) in streams.items()):
        return Told((), "it has no joints of a body")
    body = body_of(streams)
    found = found_squats(body)
    knee, height, _ = measures_at(body, found["deepest_ns"])
    times = (found[name].tolist() for name in ("start_ns", "deepest_ns", "end_ns"))
    squats = tuple(Squat(*one) for one in zip(*times, knee.tolist(), height.tolist(), strict=True))
    if squats:
        return Told(squats)
    knees, sunk = body.knee_deg, measures_at(body, body.t_ns)[2]
    seen = np.isfinite(knees) & np.isfinite(sunk)
    if not seen.any():
        return Told((), "in no frame hips, knees and ankles are seen together")
    bent, down = float(knees[seen].min()), float(sunk[seen].max())
    return Told((), f"the knees are bent to {bent:.0f}° at most (180° is straight), and the hips sink by {max(down, 0.0):.0%}")
