"""The bones of a simulated person, and how that person holds the arms: what stays from one squat to the next."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.simulation.people import Person, generator

#: Ways to hold the arms in a squat without a bar.
ARMS = ("ahead", "crossed", "waist")

#: Lengths as shares of the height, with what people differ by; hip to hip and shoulder to shoulder are joint centres.
_SHARES = {
    "trunk": (0.288, 0.010),
    "neck": (0.058, 0.004),
    "head": (0.118, 0.004),
    "upper_arm": (0.172, 0.006),
    "forearm": (0.150, 0.005),
    "foot": (0.150, 0.004),
    "ankle": (0.039, 0.002),
    "hips": (0.112, 0.008),
    "shoulders": (0.205, 0.011),
}


@dataclass(frozen=True)
class Physique:
    """Lengths in metres, and habits.

    Parameters
    ----------
    thigh, shank, trunk, neck, head, upper_arm, forearm, foot, ankle : float
        Of the bones; `ankle` is its height above the floor.
    hips, shoulders : float
        From the left one to the right one.
    stance : float
        From ankle to ankle, as a share of `shoulders`.
    turnout : float
        Of the feet, in rad.
    arms : str
        One of `ARMS`.
    """

    thigh: float
    shank: float
    trunk: float
    neck: float
    head: float
    upper_arm: float
    forearm: float
    foot: float
    ankle: float
    hips: float
    shoulders: float
    stance: float
    turnout: float
    arms: str


def physique(person: Person) -> Physique:
    """Return the bones of a person; always the same ones.

    Means follow D. A. Winter, *Biomechanics and Motor Control of Human Movement*.
    """
    rng = generator(person.key, "physique")
    lengths = {name: person.height_m * float(rng.normal(mean, spread)) for name, (mean, spread) in _SHARES.items()}
    return Physique(
        thigh=person.thigh_m,
        shank=person.shank_m,
        stance=float(rng.normal(1.1, 0.11)),
        turnout=float(rng.normal(0.3, 0.08)),
        arms=str(rng.choice(ARMS, p=(0.5, 0.3, 0.2))),
        **lengths,
    )
