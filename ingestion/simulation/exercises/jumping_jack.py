"""Jumping jacks: a hop that spreads the legs and a hop that closes them; the careful step instead of jumping."""

from __future__ import annotations

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.ndimage import gaussian_filter1d

from ingestion.simulation.exercises.bout import Body, Bout, Repetitions
from ingestion.simulation.motion import GRID_HZ, Floats, G, eased, shocks

#: Those who are in the air for less than this share of a hop step from side to side instead.
_STEPS_BELOW = 0.05


def jumping_jack(bout: Bout) -> Body:
    """One set: hops from landing to landing, each with push-off, flight and a landing on bent knees."""
    person, rng, t_s = bout.person, bout.rng, bout.t_s
    steps = person.flight < _STEPS_BELOW
    hops = bout.repetitions(usual_s=person.hop_s * (1.2 if steps else 1.0), pause_s=0.03 * person.unsteadiness)
    strength = 0.3 if steps else min(1.0, 0.4 + 2 * person.flight)
    push = strength * np.interp(t_s, hops.at(0.5), hops.size) * _push(t_s, hops, flight=person.flight)
    up = _twice_integrated(gaussian_filter1d(push, 0.012 * GRID_HZ), t_s)
    crouch = gaussian_filter1d(np.clip(push / G, 0, None), 0.04 * GRID_HZ)
    spread = _spread(t_s, hops, every=4 if steps else 2)
    width = rng.uniform(0.22, 0.45) * (0.7 + 0.6 * person.vigour)
    bend = rng.uniform(0.06, 0.2)
    return bout.standing().moved(
        hip_m=(0.02 * crouch, 0.015 * rng.normal() * spread, up + _impact(bout, hops, strength=0.15 if steps else 1.0)),
        pelvis=(0.3 * person.asymmetry * crouch, (0.03 + 0.1 * person.lean) * crouch, 0.2 * person.asymmetry * spread),
        thigh=(person.side * width * spread, -bend * crouch, person.side * person.turnout * (0.5 + 0.3 * spread)),
    )


def _push(t_s: Floats, hops: Repetitions, *, flight: float) -> Floats:
    """Vertical acceleration, m/s²: a half sine on the floor, -g in the air, so that no speed is left after a hop."""
    which = np.clip(np.searchsorted(hops.start_s, t_s, side="right") - 1, 0, None)
    share = (t_s - hops.start_s[which]) / hops.length_s[which]
    from_lowest = np.minimum(share, 1 - share)
    floor = 1 - flight
    force = np.where(from_lowest < floor / 2, np.pi / (2 * floor) * np.cos(np.pi * from_lowest / floor), 0.0)
    return np.where((share >= 0) & (share < 1), G * (force - 1), 0.0)


def _spread(t_s: Floats, hops: Repetitions, *, every: int) -> Floats:
    """0 with closed legs, 1 with open ones: the first of `every` hops opens the leg, the second closes it."""
    turn = np.arange(len(hops.start_s)) % every
    directions = np.where(turn == 0, 1.0, np.where(turn == 1, -1.0, 0.0))
    return eased((t_s[:, None] - hops.at(0.2)) / (0.6 * hops.length_s)) @ directions


def _impact(bout: Bout, hops: Repetitions, *, strength: float) -> Floats:
    peak = strength * hops.size * (4 + 30 * bout.person.vigour) * bout.rng.lognormal(0, 0.2, len(hops.size))
    landing = hops.at(1 - 0.42 * (1 - bout.person.flight))
    return shocks(bout.t_s, at_s=landing, peak=peak, frequency_hz=bout.rng.uniform(7, 12))


def _twice_integrated(acceleration: Floats, t_s: Floats) -> Floats:
    speed = cumulative_trapezoid(acceleration, t_s, initial=0)
    height: Floats = cumulative_trapezoid(speed, t_s, initial=0)
    return height
