"""A simulated cohort, written as a delivery: device files as the devices write them, and the manifest beside them.

Belongs here: who records what and when, which recording gets which dirt, and the delivery's folder or zip.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ingestion.simulation import metabase, sensor_logger
from ingestion.simulation.dirt import (
    Dirt,
    Kind,
    copied,
    misspelt,
    padded,
    shortened,
    soil_bytes,
    soil_capture,
    soil_texts,
)
from ingestion.simulation.exercises import EXERCISES
from ingestion.simulation.instruments import Capture, capture, device_of
from ingestion.simulation.people import Person, generator, person
from ingestion.simulation.sensing import mount

Device = Literal["sensor_logger_android", "sensor_logger_ios", "mixed", "metabase"]

#: First day of recording, 9 o'clock local time; winter, so that clocks show UTC+1 on every day used.
_FIRST_DAY = datetime(2026, 1, 12, 8, tzinfo=UTC)
_DAYS = 60
_TURN_S = 300.0


@dataclass(frozen=True)
class CohortSpec:
    """What to simulate. The same spec makes the same bytes.

    Parameters
    ----------
    people : int
        How many take part.
    sets_per_exercise : int
        Recordings of each exercise that everybody makes.
    seconds : float
        Usual length of a recording; single ones differ by up to a tenth.
    seed : int
        Grows the people and everything they do. Deliveries of one seed are about the same people.
    dirt : tuple of Dirt
        What is to be wrong; nothing by default.
    device : str
        ``sensor_logger_android``, ``sensor_logger_ios``, ``mixed`` (both phones, one kind for each person) or ``metabase``.
        Phones are carried in the front pocket, MetaBase's sensor on the lower back.
    exercises : tuple of str
        Keys of `ingestion.simulation.exercises.EXERCISES`.
    site : str
        Where it is recorded; begins the name of every session.
    first_person, first_set : int
        Numbers to begin with: other people, or further sets of the same people, for a later delivery.

    Raises
    ------
    ValueError
        If a value is not allowed; the message says which are.
    """

    people: int = 4
    sets_per_exercise: int = 1
    seconds: float = 8.0
    seed: int = 0
    dirt: tuple[Dirt, ...] = ()
    device: Device = "sensor_logger_android"
    exercises: tuple[str, ...] = tuple(EXERCISES)
    site: str = "clinic_a"
    first_person: int = 1
    first_set: int = 1

    def __post_init__(self) -> None:
        if self.device not in get_args(Device):
            raise ValueError(f"device '{self.device}' is not known; known: {', '.join(get_args(Device))}")
        if unknown := [name for name in self.exercises if name not in EXERCISES]:
            raise ValueError(f"exercise '{unknown[0]}' is not known; known: {', '.join(EXERCISES)}")
        if min(self.people, self.sets_per_exercise, self.first_person, self.first_set, len(self.exercises)) < 1:
            raise ValueError("people, sets_per_exercise, first_person, first_set and exercises count from 1")
        if not 4 <= self.seconds <= 240:
            raise ValueError(
                f"seconds is {self.seconds}; a recording takes 4 to 240, longer ones are made by ingestion.simulation.load"
            )
        self._check_dirt()

    def _check_dirt(self) -> None:
        kinds = {dirt.kind for dirt in self.dirt}
        if "corrupt_zip" in kinds and self.device == "metabase":
            raise ValueError("dirt 'corrupt_zip' needs a device that writes zips; MetaBase writes CSV files")
        if "copied_participant" in kinds and self.people < 2:
            raise ValueError("dirt 'copied_participant' needs two people")
        chosen = [dirt.recording for dirt in self.dirt if dirt.recording is not None]
        if len(self.dirt) > self.recordings or len(chosen) != len(set(chosen)):
            raise ValueError("a recording takes one piece of dirt; give fewer, or other recordings")
        if any(not 0 <= index < self.recordings for index in chosen):
            raise ValueError(f"recordings are numbered 0 to {self.recordings - 1}")

    @property
    def recordings(self) -> int:
        """How many recordings are made, copies not counted."""
        return self.people * len(self.exercises) * self.sets_per_exercise


@dataclass(frozen=True)
class SimulatedDelivery:
    """A delivery ready for `ingestion.delivery.deliver`.

    Parameters
    ----------
    folder : Path
        What to deliver: the folder, or the zip.
    manifest : Path
        Where the manifest is; inside the zip if it is one.
    files : tuple of str
        Paths in the manifest, in its order.
    expected : mapping of str to str
        Path -> kind of dirt in it; every other path is clean.
    originals : mapping of str to str
        Path of a copied recording's file -> path of the file that it was copied from.
    """

    folder: Path
    manifest: Path
    files: tuple[str, ...]
    expected: Mapping[str, str]
    originals: Mapping[str, str]


def simulate_delivery(folder: Path, spec: CohortSpec, *, as_zip: bool = False) -> SimulatedDelivery:
    """Write the cohort of `spec` to `folder`, or to a zip beside it named ``<folder>.zip``.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    spec : CohortSpec
    as_zip : bool
        Write one zip with the manifest at its root, and no folder.

    Raises
    ------
    FileExistsError
        If the folder has anything in it, or the zip is there.
    """
    lines = _write_zip(folder.with_name(f"{folder.name}.zip"), spec) if as_zip else _write_folder(folder, spec)
    target = folder.with_name(f"{folder.name}.zip") if as_zip else folder
    expected = {line.path: str(line.dirt) for line in lines if line.dirt}
    originals = {line.path: line.original for line in lines if line.original}
    return SimulatedDelivery(target, target / "manifest.csv", tuple(line.path for line in lines), expected, originals)


@dataclass(frozen=True)
class _Line:
    """A file of the delivery with its line of the manifest."""

    path: str
    content: bytes = field(repr=False)
    participant: str
    session: str
    label: str
    placement: str
    dirt: Kind | None = None
    original: str = ""


@dataclass(frozen=True)
class _Take:
    """One recording to be made."""

    person: Person
    system: str
    exercise: str
    set_number: int
    dirt: Dirt | None

    @property
    def placement(self) -> str:
        return "lower_back" if self.system == "metabase" else "front_pocket"

    @property
    def started(self) -> datetime:
        """Everybody has a day; a set takes its turn on it, whatever else is recorded."""
        _, number = self.person.key
        turn = (self.set_number - 1) * len(EXERCISES) + list(EXERCISES).index(self.exercise)
        late_s = generator(self.person.key, "start", self.exercise, self.set_number).uniform(0, 40)
        return _FIRST_DAY + timedelta(days=(number - 1) % _DAYS, milliseconds=round(1000 * (_TURN_S * turn + late_s)))

    def title(self, participant: str, set_number: int) -> str:
        """What the person types as the recording's name."""
        return f"{participant}-{self.exercise}-{set_number}" if self.system == "metabase" else f"{self.exercise}_{set_number}"


def _write_folder(folder: Path, spec: CohortSpec) -> list[_Line]:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} has files in it; a simulated delivery needs an empty folder")
    lines = []
    for line in _lines(spec):
        (folder / line.path).parent.mkdir(exist_ok=True)
        (folder / line.path).write_bytes(line.content)
        lines.append(replace(line, content=b""))
    (folder / "manifest.csv").write_bytes(_manifest(lines))
    return lines


def _write_zip(path: Path, spec: CohortSpec) -> list[_Line]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    with zipfile.ZipFile(path, "x") as archive:
        for line in _lines(spec):
            archive.writestr(sensor_logger.entry(line.path), line.content)
            lines.append(replace(line, content=b""))
        archive.writestr(sensor_logger.entry("manifest.csv"), _manifest(lines))
    return lines


def _manifest(lines: Sequence[_Line]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("path", "participant", "session", "label", "placement", "timezone"))
    for line in lines:
        writer.writerow((line.path, line.participant, line.session, line.label, line.placement, sensor_logger.TIMEZONE))
    return buffer.getvalue().encode()


def _lines(spec: CohortSpec) -> Iterator[_Line]:
    for take in _takes(spec):
        rng = generator(take.person.key, "soiling", take.exercise, take.set_number)
        recording = _recorded(spec, take, rng)
        texts = _texts(recording)
        files = _files(recording, soil_texts(texts, take.dirt) if take.dirt else texts)
        if take.dirt:
            files = {path: soil_bytes(content, take.dirt) for path, content in files.items()}
        whole = take.dirt is None or take.dirt.kind == "copied_participant"
        yield from _listed(spec, take, recording, files, dirt=None if whole else take.dirt)
        if take.dirt and take.dirt.kind == "copied_participant":
            yield from _copy(spec, take, recording, tuple(files))


def _takes(spec: CohortSpec) -> Iterator[_Take]:
    dirt = _assigned(spec)
    index = 0
    for number in range(spec.first_person, spec.first_person + spec.people):
        who, system = person(spec.seed, number), _system(spec.device, number)
        for exercise in spec.exercises:
            for set_number in range(spec.first_set, spec.first_set + spec.sets_per_exercise):
                yield _Take(who, system, exercise, set_number, dirt.get(index))
                index += 1


def _system(device: Device, number: int) -> str:
    if device == "mixed":
        return ("android", "ios")[number % 2]
    return device.removeprefix("sensor_logger_")


def _assigned(spec: CohortSpec) -> dict[int, Dirt]:
    chosen = {dirt.recording: dirt for dirt in spec.dirt if dirt.recording is not None}
    free = [index for index in range(spec.recordings) if index not in chosen]
    rng = generator((spec.seed,), "dirt", spec.site, spec.first_person, spec.first_set)
    drawn = rng.permutation(free).tolist()
    return chosen | dict(zip(drawn, (dirt for dirt in spec.dirt if dirt.recording is None), strict=False))


def _recorded(spec: CohortSpec, take: _Take, rng: np.random.Generator) -> Capture:
    usual = spec.seconds * generator(take.person.key, "length", take.exercise, take.set_number).uniform(0.9, 1.1)
    seconds = usual + (take.dirt.longer_s if take.dirt else 0.0)
    sensor = mount(take.person, take.exercise, placement=take.placement, seconds=seconds, set_number=take.set_number)
    recording = capture(
        device_of(take.person, take.system),
        sensor,
        title=take.title(take.person.participant, take.set_number),
        person=take.person,
        started_ns=round(take.started.timestamp() * 1000) * 1_000_000,
        seconds=seconds,
    )
    return soil_capture(recording, take.dirt, rng) if take.dirt else recording


def _texts(recording: Capture) -> dict[str, bytes]:
    writer = metabase if recording.device.model.system == "metabase" else sensor_logger
    return writer.members(recording)


def _files(recording: Capture, texts: Mapping[str, bytes]) -> dict[str, bytes]:
    if recording.device.model.system == "metabase":
        return dict(texts)
    return {f"{recording.participant}/{sensor_logger.file_name(recording)}": sensor_logger.pack(texts)}


def _listed(
    spec: CohortSpec, take: _Take, recording: Capture, files: Mapping[str, bytes], *, dirt: Dirt | None
) -> Iterator[_Line]:
    kind = dirt.kind if dirt else None
    who = recording.participant
    for path, content in files.items():
        yield _Line(
            path,
            content,
            participant=shortened(who) if kind == "unknown_participant" else who,
            session=f"{spec.site}-{datetime.fromtimestamp(recording.started_ns // 1_000_000_000, UTC):%Y-%m-%d}",
            label=misspelt(take.exercise) if kind == "bad_label" else take.exercise,
            placement=take.placement,
            dirt=kind,
        )


def _copy(spec: CohortSpec, take: _Take, recording: Capture, originals: Sequence[str]) -> Iterator[_Line]:
    _, number = take.person.key
    other = spec.first_person + (number + 1 - spec.first_person) % spec.people
    participant = person(spec.seed, other).participant
    twin = copied(recording, participant, take.title(participant, take.set_number + spec.sets_per_exercise))
    files = _files(twin, padded(_texts(twin)))
    for line, original in zip(_listed(spec, take, twin, files, dirt=take.dirt), originals, strict=True):
        yield replace(line, original=original)
