"""Simulated people: who they are, how they move, how they carry the sensor.

Belongs here: what stays with a person from one recording to the next, and the seeds that make everybody reproducible.
What they do with it is in `exercises`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

#: Ways to lunge. A walking lunge travels like a slow step; the others return to where they began.
LUNGE_STYLES = ("alternating", "same_leg", "reverse", "walking")


@dataclass(frozen=True)
class Person:
    """One simulated person.

    Parameters
    ----------
    participant : str
        Pseudonym, such as ``P001``.
    key : tuple of int
        Seed of the cohort and number of the person; begins every seed of what the person does.
    height_m, leg_m : float
        Body height, and hip to floor.
    tempo : float
        1 is usual; a repetition takes ``1 / tempo`` of the usual time.
    vigour : float
        0 (careful, low impact) to 1 (high jumps, hard landings).
    depth : float
        Thigh angle at the bottom of a squat, in rad from the vertical.
    lean : float
        How far the trunk leans forward at the bottom of a squat, in rad.
    turnout : float
        Outward rotation of the leg, in rad.
    asymmetry : float
        Signed difference of left and right, as a share of the movement.
    unsteadiness : float
        Spread of timing and depth from repetition to repetition, and size of the sway; 1 is usual.
    fatigue : float
        How much slower and shallower the last repetition of a set is than the first, as a share.
    side : int
        Pocket that holds the phone: 1 left, -1 right.
    lunge_style : str
        One of `LUNGE_STYLES`.
    hop_s : float
        Time from one landing of a jumping jack to the next, in seconds.
    flight : float
        Share of a hop spent in the air: 0 for those who step instead of jumping.
    cadence_hz : float
        Steps a second when walking.
    looseness : float
        How freely the phone moves in its pocket: 0 to 1.
    """

    participant: str
    key: tuple[int, ...]
    height_m: float
    leg_m: float
    tempo: float
    vigour: float
    depth: float
    lean: float
    turnout: float
    asymmetry: float
    unsteadiness: float
    fatigue: float
    side: int
    lunge_style: str
    hop_s: float
    flight: float
    cadence_hz: float
    looseness: float

    @property
    def thigh_m(self) -> float:
        """Hip to knee, in metres."""
        return 0.49 * self.leg_m

    @property
    def shank_m(self) -> float:
        """Knee to ankle, in metres."""
        return 0.45 * self.leg_m


def person(seed: int, number: int) -> Person:
    """Return person `number` (1 or more) of the cohort grown from `seed`; always the same one.

    Body proportions follow D. A. Winter, *Biomechanics and Motor Control of Human Movement* (leg 0.53 of the height).

    Raises
    ------
    ValueError
        If `number` is below 1 or above 999, which a pseudonym of three digits cannot hold.

    Examples
    --------
    >>> person(1, 7) == person(1, 7), person(1, 7).participant
    (True, 'P007')
    """
    if not 1 <= number <= 999:
        raise ValueError(f"people are numbered 1 to 999, not {number}")
    key = (seed, number)
    rng = generator(key, "person")
    height_m = float(np.clip(rng.normal(1.72, 0.1), 1.48, 2.02))
    vigour = float(rng.beta(1.8, 1.6))
    tempo = float(np.clip(rng.lognormal(0.0, 0.16), 0.7, 1.45))
    return Person(
        participant=f"P{number:03d}",
        key=key,
        height_m=height_m,
        leg_m=height_m * float(rng.normal(0.53, 0.01)),
        tempo=tempo,
        vigour=vigour,
        depth=float(np.clip(rng.normal(1.35, 0.25), 0.75, 1.9)),
        lean=float(rng.uniform(0.25, 0.85)),
        turnout=float(rng.uniform(0.05, 0.4)),
        asymmetry=float(rng.normal(0.0, 0.08)),
        unsteadiness=float(rng.lognormal(0.0, 0.35)),
        fatigue=float(rng.uniform(0.0, 0.3)),
        side=int(rng.choice((-1, 1), p=(0.75, 0.25))),
        lunge_style=str(rng.choice(LUNGE_STYLES, p=(0.6, 0.15, 0.15, 0.1))),
        hop_s=float(np.clip(rng.normal(0.52, 0.07) / tempo**0.5, 0.38, 0.78)),
        flight=float(np.clip(0.6 * vigour + rng.normal(-0.05, 0.08), 0.0, 0.5)),
        cadence_hz=float(np.clip(rng.normal(1.75, 0.2) * tempo**0.4, 1.2, 2.35)),
        looseness=float(rng.beta(1.5, 3.0)),
    )


def generator(key: tuple[int, ...], *purposes: str | int) -> np.random.Generator:
    """Return the random generator of one purpose, so that a draw added to one never shifts another."""
    words = (word if isinstance(word, int) else zlib.crc32(word.encode()) for word in purposes)
    return np.random.default_rng([*key, *words])
