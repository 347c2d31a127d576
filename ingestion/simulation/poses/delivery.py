"""A delivery of simulated squats: who squats in which form how often, one file each, and the manifest beside them.

Belongs here: the cohort and the folder. How a squat goes is in `squatting`, what is written of it in `files` and `drawing`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ingestion.simulation.exercises.bout import Bout
from ingestion.simulation.motion import Floats
from ingestion.simulation.people import generator, person
from ingestion.simulation.poses.camera import Camera, find_landmarks, placed
from ingestion.simulation.poses.drawing import clip_of
from ingestion.simulation.poses.files import distance_json, landmark_csv
from ingestion.simulation.poses.forms import FORMS, posture
from ingestion.simulation.poses.physique import physique
from ingestion.simulation.poses.squatting import Performance

#: How a squat is delivered: world landmarks (``.csv``), joint distances (``.json``), or the clip itself (``.mp4``).
Kind = Literal["landmarks", "distances", "clip"]

FRAMES_PER_S = 30


@dataclass(frozen=True)
class PoseSpec:
    """What to simulate. The same spec makes the same bytes.

    Parameters
    ----------
    people : int
        How many squat.
    sets : int
        Recordings of each form that everybody makes.
    frames : int
        Of a recording, 30 a second.
    seed : int
        Grows the people and everything they do.
    kind : str
        ``landmarks``, ``distances`` or ``clip``.
    forms : tuple of str
        Keys of `FORMS`.
    first_person, first_set : int
        Numbers to begin with, for a later delivery.

    Raises
    ------
    ValueError
        If a value is not allowed; the message says which are.
    """

    people: int = 4
    sets: int = 1
    frames: int = 120
    seed: int = 0
    kind: Kind = "landmarks"
    forms: tuple[str, ...] = tuple(FORMS)
    first_person: int = 1
    first_set: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind '{self.kind}' is not known; known: {', '.join(get_args(Kind))}")
        if unknown := [form for form in self.forms if form not in FORMS]:
            raise ValueError(f"form '{unknown[0]}' is not known; known: {', '.join(FORMS)}")
        if min(self.people, self.sets, self.first_person, self.first_set, len(self.forms)) < 1:
            raise ValueError("people, sets, first_person, first_set and forms count from 1")
        if not 90 <= self.frames <= 9000:
            raise ValueError(f"frames is {self.frames}; a recording has 90 to 9,000")

    @property
    def recordings(self) -> int:
        """How many recordings are made."""
        return self.people * self.sets * len(self.forms)


@dataclass(frozen=True)
class Squatting:
    """One recording before it is written.

    Parameters
    ----------
    participant, form : str
    set_number : int
    t_s : ndarray of float64, shape (n,)
        When each frame was taken.
    landmarks : ndarray of float64, shape (n, 33, 3)
        In the world; see `ingestion.simulation.poses.squatting`.
    camera : Camera
    rng : Generator
        For what the pose tool makes of it.
    """

    participant: str
    form: str
    set_number: int
    t_s: Floats
    landmarks: Floats
    camera: Camera
    rng: np.random.Generator

    @property
    def name(self) -> str:
        """Of its file, without the ending."""
        return f"{self.participant}_{self.form}_{self.set_number}"


def squats_of(spec: PoseSpec) -> Iterator[Squatting]:
    """Yield every recording of a spec, person by person."""
    t_s = np.arange(spec.frames) / FRAMES_PER_S
    for number in range(spec.first_person, spec.first_person + spec.people):
        who = person(spec.seed, number)
        for form in spec.forms:
            for set_number in range(spec.first_set, spec.first_set + spec.sets):
                rng = generator(who.key, "squatting", form, set_number)
                bout = Bout(who, rng, t_s, float(rng.uniform(0.2, 0.7)), float(t_s[-1] - rng.uniform(0.1, 0.4)))
                landmarks = Performance(physique(who), posture(who, form, set_number=set_number), bout).landmarks()
                camera = placed(rng, height_m=who.height_m)
                yield Squatting(who.participant, form, set_number, t_s, landmarks, camera, rng)


def simulate_poses(folder: Path, spec: PoseSpec) -> Path:
    """Write squats as files with a manifest.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    spec : PoseSpec

    Returns
    -------
    Path
        The folder, ready to be delivered.

    Raises
    ------
    FileExistsError
        If the folder has anything in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} has files in it; a simulated delivery needs an empty folder")
    lines = []
    for squatting in squats_of(spec):
        path = f"{squatting.name}.{_ENDINGS[spec.kind]}"
        (folder / path).write_bytes(_written(squatting, spec.kind))
        lines.append((path, squatting.participant, f"{squatting.participant}-{squatting.set_number}", squatting.form))
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([("path", "participant", "session", "label"), *lines])
    (folder / "manifest.csv").write_text(buffer.getvalue(), encoding="utf-8")
    return folder


_ENDINGS: dict[Kind, str] = {"landmarks": "csv", "distances": "json", "clip": "mp4"}


def _written(squatting: Squatting, kind: Kind) -> bytes:
    if kind == "clip":
        return clip_of(squatting.landmarks, squatting.camera, rate_hz=FRAMES_PER_S)
    found = find_landmarks(squatting.camera, squatting.landmarks, squatting.t_s, squatting.rng)
    return landmark_csv(found) if kind == "landmarks" else distance_json(found)
