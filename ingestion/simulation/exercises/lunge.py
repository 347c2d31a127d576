"""Lunges: a long step, both knees bend, and back again, or on with the other leg by those who walk while lunging."""

from __future__ import annotations

import numpy as np

from ingestion.simulation.exercises.bout import Body, Bout, Repetitions
from ingestion.simulation.motion import Floats, eased, shocks


def lunge(bout: Bout) -> Body:
    """One set: the thigh in front bends twice (to step, and to sink), the one behind stretches."""
    person, t_s = bout.person, bout.t_s
    travels = person.lunge_style == "walking"
    reps = bout.repetitions(usual_s=(2.2 if travels else 2.9) / person.tempo, pause_s=0.3 * person.unsteadiness)
    front = _in_front(bout, len(reps.start_s))
    deep = bout.rng.uniform(0.75, 1.0) * min(person.depth, 1.6)
    sink = reps.part(t_s, reps.size, first=0.2, out=0.26, hold=0.08, back=0.28)
    turned = reps.part(t_s, reps.size * (2 * front - 1), first=0.05, out=0.35, hold=0.15, back=0.4)
    impact = _impact(bout, reps, front)
    low = impact - 0.19 * person.leg_m * deep * sink
    outwards = person.side * (0.4 * person.turnout + 0.1 * turned)
    return bout.standing().moved(
        hip_m=(_ahead(bout, reps) - 0.4 * impact, 0.02 * turned, low),
        pelvis=(0.07 * turned, 0.35 * person.lean * sink, 0.16 * turned),
        thigh=(person.side * 0.06 * sink, _thigh_pitch(bout, reps, front, deep), outwards),
    )


def _in_front(bout: Bout, count: int) -> Floats:
    """1 where the leg with the pocket leads, 0 where the other one does."""
    if bout.person.lunge_style == "same_leg":
        return np.full(count, float(bout.rng.random() < 0.65))
    return np.mod(np.arange(count) + float(bout.rng.integers(2)), 2.0)


def _thigh_pitch(bout: Bout, reps: Repetitions, front: Floats, deep: float) -> Floats:
    lead, trail = reps.size * front, reps.size * (1 - front)
    stepped = reps.part(bout.t_s, lead, first=0.0, out=0.14, hold=0.0, back=0.14)
    sunk = reps.part(bout.t_s, lead, first=0.2, out=0.26, hold=0.08, back=0.28)
    returned = reps.part(bout.t_s, lead, first=0.74, out=0.12, hold=0.0, back=0.14)
    stretched = reps.part(bout.t_s, trail, first=0.1, out=0.3, hold=0.14, back=0.34)
    return 0.3 * stretched - deep * (sunk + 0.55 * stepped + 0.4 * returned)


def _ahead(bout: Bout, reps: Repetitions) -> Floats:
    step_m = (-0.3 if bout.person.lunge_style == "reverse" else 0.38) * bout.person.leg_m
    if bout.person.lunge_style != "walking":
        return step_m * reps.part(bout.t_s, reps.size, first=0.03, out=0.34, hold=0.2, back=0.38)
    travelled: Floats = eased((bout.t_s[:, None] - reps.start_s) / (0.9 * reps.length_s)) @ (2 * step_m * reps.size)
    return travelled


def _impact(bout: Bout, reps: Repetitions, front: Floats) -> Floats:
    landing = (2.5 + 9 * bout.person.vigour) * reps.size * np.where(front > 0, 1.0, 0.55)
    down = shocks(bout.t_s, at_s=reps.at(0.24), peak=landing, frequency_hz=7.0)
    return down + shocks(bout.t_s, at_s=reps.at(0.97), peak=0.5 * landing, frequency_hz=7.0)
