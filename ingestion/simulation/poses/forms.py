"""The seven forms of a squat, and how one performance of a person comes out: what a fault changes, on top of how people differ.

Belongs here: figures of posture at the bottom of a squat. Their spread is wide on purpose: somebody's good squat may be as far
forward in the knees as somebody else's slight fault. How posture becomes movement is in `ingestion.simulation.poses.squatting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.simulation.people import Person, generator

#: Form -> what it changes: mean and spread, added to how the person squats in good form.
FORMS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "good": {},
    "inward_knees": {"valgus": (0.48, 0.11)},
    "round_back": {"curl": (0.72, 0.14), "lean": (0.1, 0.06), "gaze": (-0.12, 0.08)},
    "warped_back": {"curl": (-0.8, 0.15), "lean": (0.04, 0.06), "gaze": (0.16, 0.08)},
    "head_up": {"gaze": (0.7, 0.14)},
    "shallow": {"flexion": (-0.68, 0.13)},
    "frontal_knee": {"shank": (0.33, 0.06), "heel": (0.03, 0.015)},
}

#: How good squats are: mean, how people differ, how the sets of one person differ.
_USUAL = {
    "flexion": (1.95, 0.11, 0.06),
    "shank": (0.52, 0.04, 0.02),
    "lean": (0.55, 0.06, 0.035),
    "curl": (0.05, 0.09, 0.05),
    "gaze": (0.0, 0.09, 0.05),
    "valgus": (0.0, 0.07, 0.04),
    "heel": (0.0, 0.0, 0.004),
}
#: Whoever keeps the hips over the feet needs to lean less to stay upright: rad of lean for a rad of the shanks.
_BALANCE = -0.9


@dataclass(frozen=True)
class Posture:
    """At the bottom of a squat, in rad and metres.

    Parameters
    ----------
    flexion : float
        Of the knees.
    shank : float
        How far the shanks lean forward.
    lean : float
        How far the trunk leans forward.
    curl : float
        Of the back: more than 0 round, less than 0 arched.
    gaze : float
        How far the face looks up.
    valgus : float
        How far the knees go inwards of the feet.
    heel : float
        How high the heels rise.
    """

    flexion: float
    shank: float
    lean: float
    curl: float
    gaze: float
    valgus: float
    heel: float


def posture(person: Person, form: str, *, set_number: int) -> Posture:
    """Return how a person squats in one set.

    Raises
    ------
    KeyError
        If the form is not one of `FORMS`.
    """
    habit = generator(person.key, "posture")
    today = generator(person.key, "posture", form, set_number)
    usual = {
        name: mean + between * habit.standard_normal() + within * today.standard_normal()
        for name, (mean, between, within) in _USUAL.items()
    }
    fault = {name: mean + spread * today.standard_normal() for name, (mean, spread) in FORMS[form].items()}
    found = {name: float(value + fault.get(name, 0.0)) for name, value in usual.items()}
    found["lean"] += _BALANCE * (found["shank"] - _USUAL["shank"][0])
    return Posture(**found)
