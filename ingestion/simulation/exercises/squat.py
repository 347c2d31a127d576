"""Squats: the thighs turn towards the horizontal, the hip sinks and goes back, the trunk leans forward."""

from __future__ import annotations

import numpy as np

from ingestion.simulation.exercises.bout import Body, Bout
from ingestion.simulation.motion import shocks


def squat(bout: Bout) -> Body:
    """One set: knees and hips bend together; the quick bounce at the bottom and settle hard at the top."""
    person, t_s = bout.person, bout.t_s
    reps = bout.repetitions(usual_s=2.5 / person.tempo, pause_s=0.35 * person.unsteadiness)
    down, hold = bout.rng.uniform(0.38, 0.5), bout.rng.uniform(0.02, 0.15)
    bend = reps.part(t_s, reps.size, first=0.0, out=down, hold=hold, back=1 - down - hold)
    thigh, shank = person.depth * bend, 0.36 * person.depth * bend
    ahead = person.shank_m * np.sin(shank) - person.thigh_m * np.sin(thigh)
    low = person.thigh_m * (np.cos(thigh) - 1) + person.shank_m * (np.cos(shank) - 1)
    low += shocks(t_s, at_s=reps.at(down + hold / 2), peak=4.5 * person.vigour * reps.size, frequency_hz=3.5)
    low += shocks(t_s, at_s=reps.at(1.0), peak=2.5 * person.vigour * reps.size, frequency_hz=6.0)
    outwards = person.side * person.turnout
    return bout.standing().moved(
        hip_m=(ahead, 0.05 * person.asymmetry * bend, low),
        pelvis=(0.4 * person.asymmetry * bend, person.lean * bend, 0.5 * person.asymmetry * bend),
        thigh=(0.5 * outwards * bend, -(1 + person.asymmetry) * thigh, outwards * (0.4 + 0.3 * bend)),
    )
