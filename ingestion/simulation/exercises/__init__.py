"""The exercises that simulated people do. A new one is a module with one function, and a line in `EXERCISES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ingestion.simulation.exercises.bout import Body, Bout
from ingestion.simulation.exercises.jumping_jack import jumping_jack
from ingestion.simulation.exercises.lunge import lunge
from ingestion.simulation.exercises.squat import squat
from ingestion.simulation.exercises.walking import walking
from ingestion.simulation.motion import GRID_HZ, Course, Floats, G, grid, wander
from ingestion.simulation.people import Person, generator

EXERCISES: Mapping[str, Callable[[Bout], Body]] = {
    "jumping_jack": jumping_jack,
    "lunge": lunge,
    "squat": squat,
    "walking": walking,
}

#: Where a sensor may sit, and the segment that carries it there.
PLACEMENTS: Mapping[str, str] = {"front_pocket": "thigh", "lower_back": "pelvis"}


def perform(person: Person, exercise: str, *, placement: str, seconds: float, set_number: int) -> Course:
    """Return where the segment under the sensor goes while `person` does set `set_number` of `exercise`.

    Parameters
    ----------
    person : Person
    exercise : str
        A key of `EXERCISES`.
    placement : str
        A key of `PLACEMENTS`.
    seconds : float
        Length of the recording; rest before and after the movement is inside it.
    set_number : int
        Another set is another performance of the same person.

    Raises
    ------
    KeyError
        If exercise or placement is not known.
    """
    draw, segment = EXERCISES[exercise], PLACEMENTS[placement]
    rng = generator(person.key, "performance", exercise, set_number)
    today = replace(person, tempo=person.tempo * rng.lognormal(0, 0.05))
    bout = Bout(today, rng, grid(seconds), seconds * rng.uniform(0.02, 0.1), seconds * rng.uniform(0.92, 0.99))
    body = draw(bout)
    angles = body.thigh if segment == "thigh" else body.pelvis
    shaking = _effort(bout, body.hip_m, angles)
    hip_m = body.hip_m + shaking * wander(rng, bout.t_s, knots_hz=14.0, size=0.0005)
    angles = angles + shaking * wander(rng, bout.t_s, knots_hz=14.0, size=0.0028)
    if segment == "thigh":
        angles = angles + _flopping(bout, body.hip_m[:, 2])
    return Course(bout.t_s, hip_m, angles)


def _effort(bout: Bout, hip_m: Floats, angles: Floats) -> Floats:
    """How much muscles work and flesh shakes, shape (n, 1): 0 at rest, about 1 in a quick movement."""
    turning = np.linalg.norm(np.gradient(angles, bout.t_s, axis=0), axis=1)
    shaken = np.linalg.norm(np.gradient(np.gradient(hip_m, bout.t_s, axis=0), bout.t_s, axis=0), axis=1)
    effort = gaussian_filter1d(0.6 * turning + 2 * shaken / G, 0.2 * GRID_HZ)[:, None]
    return np.minimum(bout.person.unsteadiness * effort, 2.2)


def _flopping(bout: Bout, height_m: Floats) -> Floats:
    """Rotation in rad, shape (n, 3), of a phone that is thrown about in its pocket by whatever shakes the hip."""
    shaken = np.gradient(np.gradient(height_m, bout.t_s), bout.t_s) / G
    thrown = gaussian_filter1d(shaken, 0.035 * GRID_HZ)[:, None] * bout.rng.normal(0, 0.09, 3)
    return bout.person.looseness * thrown
