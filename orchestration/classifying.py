"""One device recording through the champion of a task: reader, clock, model, in the order of the pipeline."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.resources import split_task
from ingestion.batch import read_file
from ingestion.readers import Hints
from ml.assessing import Repetition, assess
from ml.inference import Answer, Champion
from studies import load_studies
from studies.study import Study
from warehouse.disk import sha256_of
from warehouse.errors import Reason, UnknownName, did_you_mean
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES


@dataclass(frozen=True)
class Classified:
    """What the champion says of one recording, as a whole and repetition by repetition.

    Parameters
    ----------
    task : str
    answer : Answer
    repetitions : tuple of Repetition
        Empty where the recording has none that can be told.
    start_ns : int
        Its first frame or reading: seconds count from here.
    beware : tuple of str
        What was noticed on reading it that may make the answer wrong, such as a second person or an end that is missing.
    """

    task: str
    answer: Answer
    repetitions: tuple[Repetition, ...]
    start_ns: int
    beware: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The answer for a person: a line for each repetition, the recording as a whole, and what to beware of."""
        lines = [*map(self._line, self.repetitions), self.answer.sentence]
        return "\n".join([*lines, *(f"beware: {noticed}" for noticed in self.beware)])

    def to_dict(self) -> dict[str, Any]:
        """Return the answer for a program; seconds count from the recording's first frame or reading."""
        answer = self.answer
        return {
            "task": self.task,
            "label": answer.label,
            "probability": answer.probability,
            "version": answer.version,
            "family": answer.family,
            "sentence": answer.sentence,
            "start_ns": self.start_ns,
            "beware": list(self.beware),
            "repetitions": [self._told(repetition) for repetition in self.repetitions],
            "segments": [
                {"start_s": self._seconds(start), "end_s": self._seconds(end), **self._judged(number)}
                for number, (start, end, *_) in enumerate(answer.segments)
            ],
        }

    def _told(self, one: Repetition) -> dict[str, Any]:
        times = {"start_s": one.start_ns, "end_s": one.end_ns, "deepest_s": one.deepest_ns}
        return {
            "repetition": one.repetition,
            **{name: None if at is None else self._seconds(at) for name, at in times.items()},
            "knee_deg": None if one.knee_deg is None else round(one.knee_deg, 1),
            "hip_height_m": None if one.hip_height_m is None else round(one.hip_height_m, 3),
            **self._judged(one.segment),
            "why_not": one.why_not,
        }

    def _judged(self, segment: int | None) -> dict[str, Any]:
        if segment is None:
            return {"label": None, "probability": None, "probabilities": None}
        _, _, label, probability = self.answer.segments[segment]
        each = dict(zip(self.answer.classes, self.answer.probabilities[segment], strict=True))
        return {"label": label, "probability": probability, "probabilities": each}

    def _line(self, one: Repetition) -> str:
        line = f"repetition {one.repetition}, {self._seconds(one.start_ns):.1f}–{self._seconds(one.end_ns):.1f} s"
        if one.deepest_ns is not None:
            line += f", deepest at {self._seconds(one.deepest_ns):.1f} s"
        if one.knee_deg is not None:
            line += f", knee {one.knee_deg:.0f}°"
        if one.segment is None:
            return f"{line}: not judged, for {one.why_not}"
        _, _, label, probability = self.answer.segments[one.segment]
        return f"{line}: {label} ({probability:.0%})"

    def _seconds(self, t_ns: int) -> float:
        return round((t_ns - self.start_ns) / 1e9, 3)


def classify_files(files: Sequence[Path], task: str, home: Home, *, participant: str | None = None) -> Classified:
    """Ask the champion what the recording in `files` shows, and keep its answer in the table `predictions`.

    Parameters
    ----------
    files : sequence of Path
        The files of one recording, a clip included. Siblings that belong to the first are found by themselves where they lie
        beside it.
    task : str
        ``<study>.<task>``.
    home : Home
    participant : str, optional
        Whose recording it is; needed where the task says `input.baseline`.

    Returns
    -------
    Classified

    Raises
    ------
    KinelakeError
        If no reader knows a file, a stream that the task needs is missing, the task is not known or has no champion, a clip
        shows nobody, or a task about squats finds none.
    """
    study, name = _task(task)
    champion = Champion.of(study, name, home)
    readings = [read_file(file, Hints.of(study)) for file in files]
    streams = {stream.name: (stream.t_ns, stream.values) for reading in readings for stream in reading.streams}
    answer = champion.answer(streams, participant=participant)
    Lake(home).append("predictions", _predictions(answer, files[0], task))
    times = [poses.t_ns for reading in readings for poses in reading.poses] + [t_ns for t_ns, _ in streams.values()]
    start_ns = min(int(t_ns[0]) for t_ns in times if len(t_ns))
    noticed = (finding for reading in readings for finding in reading.findings if finding.severity == "warning")
    beware = tuple(dict.fromkeys(finding.reason.sentence for finding in noticed))
    return Classified(task, answer, assess(streams, answer, champion.recipe.segment), start_ns, beware)


def _task(key: str) -> tuple[Study, str]:
    """The study and the bare name of a task; of an unknown one the nearest of all studies is offered."""
    try:
        return split_task(key)
    except UnknownName as unknown:
        known = [f"{study.study}.{task}" for study in load_studies().values() for task in study.tasks]
        same_words = [task for task in known if _words(task) == _words(key)]
        near = f"; did you mean '{same_words[0]}'?" if same_words else did_you_mean(key, known)
        sentence = f"task '{key}' is not known{near}"
        raise UnknownName(Reason("task_unknown", sentence, "--task", "name it as <study>.<task>")) from unknown


def _words(task: str) -> list[str]:
    return sorted(re.split(r"[^a-z0-9]+", task.casefold()))


def _predictions(answer: Answer, file: Path, task: str) -> pa.Table:
    shared = {
        "task": task,
        "version": answer.version,
        "file": file.name,
        "sha256": _sha256(file),
        "predicted_at": datetime.now(UTC),
    }
    names = ("start_ns", "end_ns", "label", "probability")
    rows = [shared | dict(zip(names, segment, strict=True)) for segment in answer.segments]
    return pa.Table.from_pylist(rows, schema=TABLES["predictions"].schema)


def _sha256(path: Path) -> str:
    if path.is_dir():
        listed = sorted(child for child in path.iterdir() if child.is_file())
        return hashlib.sha256("".join(map(_sha256, listed)).encode()).hexdigest()
    return sha256_of(path)
