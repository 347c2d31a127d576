"""What every exercise shares: one set of a person, its repetitions, and the body that it moves.

Belongs here: repetitions with spread, fatigue and pauses, and standing still before and after. Each exercise has its
own module; kinematics is in `ingestion.simulation.motion`.

Signs: bending the hip brings the knee forward, which is negative pitch of the thigh; leaning forward is positive pitch
of the pelvis; moving the left leg outwards is positive roll of the thigh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingestion.simulation.motion import Floats, excursions, wander
from ingestion.simulation.people import Person


@dataclass(frozen=True)
class Repetitions:
    """k repetitions, one after the other: start and length in seconds, and size as a share of the usual; each shape (k,)."""

    start_s: Floats
    length_s: Floats
    size: Floats

    def part(self, t_s: Floats, sizes: Floats, *, first: float, out: float, hold: float, back: float) -> Floats:
        """Excursions of `sizes` (k,), one in each repetition, with times given as shares of its length; shape (n,)."""
        length = self.length_s
        start = self.start_s + first * length
        return excursions(t_s, start_s=start, out_s=out * length, hold_s=hold * length, back_s=back * length, size=sizes)

    def at(self, share: float) -> Floats:
        """The moment `share` of the way through each repetition, shape (k,)."""
        return self.start_s + share * self.length_s


@dataclass(frozen=True)
class Body:
    """The moving parts on one grid of n times: hip position in metres, pelvis and thigh angles in rad, each (n, 3)."""

    hip_m: Floats
    pelvis: Floats
    thigh: Floats

    def moved(self, *, hip_m: tuple[Floats, ...], pelvis: tuple[Floats, ...], thigh: tuple[Floats, ...]) -> Body:
        """Add a movement, column by column: x, y, z of the hip, and roll, pitch, yaw of the segments."""
        return Body(
            self.hip_m + np.column_stack(hip_m), self.pelvis + np.column_stack(pelvis), self.thigh + np.column_stack(thigh)
        )


@dataclass(frozen=True)
class Bout:
    """One set: who does it, with which dice, on which grid of n times, and from when to when they move."""

    person: Person
    rng: np.random.Generator
    t_s: Floats
    begin_s: float
    end_s: float

    def repetitions(self, *, usual_s: float, pause_s: float) -> Repetitions:
        """Fill the time from begin to end, slower and smaller towards the end as the person tires."""
        person, spread = self.person, 0.06 * self.person.unsteadiness
        most = int((self.end_s - self.begin_s) / (0.6 * usual_s)) + 2
        tired = person.fatigue * np.linspace(0, 1, most)
        length = usual_s * (1 + 0.6 * tired) * np.clip(self.rng.lognormal(0, spread, most), 0.7, 1.6)
        pause = pause_s * self.rng.exponential(1.0, most)
        start = self.begin_s + np.concatenate(([0.0], np.cumsum(length + pause)[:-1]))
        fits = start + length <= self.end_s
        fits[0] = True
        size = (1 - 0.5 * tired) * np.clip(self.rng.normal(1, spread, most), 0.6, 1.3)
        return Repetitions(start[fits], length[fits], size[fits])

    def standing(self) -> Body:
        """Nobody stands quite still: slow sway and fast tremor."""
        sway = self.person.unsteadiness
        return Body(
            self._sway(slow_hz=1.0, slow=0.003 * sway, fast_hz=6.0, fast=0.0002 * sway),
            self._sway(slow_hz=1.2, slow=0.012 * sway, fast_hz=8.0, fast=0.002 * sway),
            self._sway(slow_hz=1.2, slow=0.015 * sway, fast_hz=8.0, fast=0.002 * sway),
        )

    def _sway(self, *, slow_hz: float, slow: float, fast_hz: float, fast: float) -> Floats:
        drift = wander(self.rng, self.t_s, knots_hz=slow_hz, size=slow)
        return drift + wander(self.rng, self.t_s, knots_hz=fast_hz, size=fast)
