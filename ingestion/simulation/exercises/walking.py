"""Walking up and down: thighs swing at half the step rate, the hip rises and sways, heels strike."""

from __future__ import annotations

import numpy as np
from scipy.integrate import cumulative_trapezoid

from ingestion.simulation.exercises.bout import Body, Bout
from ingestion.simulation.motion import Floats, eased, shocks, wander

_USUAL_HZ = 1.75


def walking(bout: Bout) -> Body:
    """One set: start, walk with a slowly changing rhythm, turn back at the end of the corridor, stop."""
    person, rng, t_s = bout.person, bout.rng, bout.t_s
    cadence = person.cadence_hz * rng.lognormal(0, 0.06)
    brisk = cadence / _USUAL_HZ
    gait = eased((t_s - bout.begin_s) / 0.9) - eased((t_s - bout.end_s + 0.9) / 0.9)
    rhythm = cadence * (1 + wander(rng, t_s, knots_hz=0.5, size=0.025 * person.unsteadiness, columns=1)[:, 0])
    phase = np.pi * cumulative_trapezoid(rhythm, t_s, initial=0)
    swing = rng.normal(0.36, 0.04) * brisk**0.7
    impact = _heels(bout, phase, hit=(1.0 + 5.5 * person.vigour) * brisk**1.5)
    speed = 0.42 * person.leg_m * rhythm * gait * (1 + 0.06 * np.cos(2 * phase - 0.6))
    rise = (0.012 + 0.012 * brisk**2) * person.leg_m / 0.9 * np.cos(2 * phase + 2.6)
    turn = _turning_back(bout)
    ahead, aside = (cumulative_trapezoid(speed * part, t_s, initial=0) for part in (np.cos(turn), np.sin(turn)))
    flexed = swing * (0.2 + np.cos(phase + 0.35) + 0.18 * np.cos(2 * phase + 1.2))
    outwards = person.side * (0.06 * np.cos(phase) * gait + 0.4 * person.turnout)
    return bout.standing().moved(
        hip_m=(ahead - 0.5 * impact, aside + 0.025 * np.sin(phase) * gait, rise * gait + impact),
        pelvis=(
            0.06 * np.sin(phase + 0.5) * gait,
            (0.08 + 0.03 * np.cos(2 * phase)) * gait,
            0.09 * person.side * np.cos(phase) * gait + turn,
        ),
        thigh=(0.05 * person.side * np.sin(phase) * gait, -flexed * gait, outwards + turn),
    )


def _heels(bout: Bout, phase: Floats, *, hit: float) -> Floats:
    """Own heel when the thigh is in front, the other heel, felt less, half a stride later."""
    own, other = (_strikes(bout, phase - offset) for offset in (0.0, np.pi))
    near = shocks(bout.t_s, at_s=own, peak=hit * bout.rng.lognormal(0, 0.15, len(own)), frequency_hz=8.0)
    return near + shocks(bout.t_s, at_s=other, peak=0.6 * hit * bout.rng.lognormal(0, 0.15, len(other)), frequency_hz=8.0)


def _strikes(bout: Bout, phase: Floats) -> Floats:
    at = bout.t_s[1:][np.diff(np.floor(phase / (2 * np.pi))) > 0]
    return at[(at > bout.begin_s + 0.4) & (at < bout.end_s - 0.3)]


def _turning_back(bout: Bout) -> Floats:
    """Heading in rad of somebody who walks up and down a corridor of 12 to 25 s."""
    turns = np.cumsum(bout.rng.uniform(12, 25, int(bout.t_s[-1] / 12) + 1))
    ways = np.where(bout.rng.random(len(turns)) < 0.5, np.pi, -np.pi)
    return eased((bout.t_s[:, None] - turns) / 1.6) @ ways
