"""Inference: what the champion of a task says about a recording that is in no table.

Belongs here: choosing the model, cutting as its training did, and the answer in plain words. Reading the file is done
before, by ingestion; both lead to the same tensors, for both cut with `ml.preprocessing.tensors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from ml.model_version import ModelVersion
from ml.preprocessing.baseline import Baseline
from ml.preprocessing.blocks import Readings
from ml.preprocessing.originals import cut_segments
from ml.preprocessing.pose.told import repetitions_of
from ml.preprocessing.selection import find_task, select_segments
from ml.preprocessing.tensors import cut_streams
from ml.registry import Registry
from ml.storage import StoredModel, load
from studies.sensors import sensor_of
from studies.study import Study, Task
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home
from warehouse.lake import Lake

_SHOWN = 8
_FILM_SQUATS = "film whole squats, from standing to standing, with hips, knees and feet in the picture"


class NoAnswer(KinelakeError):
    """A recording cannot be classified: no champion, a sensor is missing, or it is too short."""


@dataclass(frozen=True)
class Answer:
    """What the champion says.

    Parameters
    ----------
    label : str
        Of the whole recording.
    probability : float
        Of that label, 0 to 1: the mean over the segments.
    version : int
        Of the champion.
    family : str
    segments : tuple of (start_ns, end_ns, label, probability)
        First and last tick of each segment, ns since 1970 UTC, and what it looks like on its own.
    sentence : str
        The answer for a person.
    classes : tuple of str
        All labels that it tells apart.
    probabilities : tuple of tuple of float
        Of each class, for every segment.
    """

    label: str
    probability: float
    version: int
    family: str
    segments: tuple[tuple[int, int, str, float], ...]
    sentence: str
    classes: tuple[str, ...]
    probabilities: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Champion:
    """The champion of a task, loaded.

    Parameters
    ----------
    version : ModelVersion
    model : StoredModel
    study : Study
    task : str
        Bare name, without the study.
    home : Home
    """

    version: ModelVersion
    model: StoredModel
    study: Study
    task: str
    home: Home

    @classmethod
    def of(cls, study: Study, task: str, home: Home) -> Champion:
        """Load the champion of a task.

        Raises
        ------
        UnknownName
            The study has no such task.
        NoAnswer
            The task has no champion.
        ModelRefused
            The champion's files are damaged.
        """
        find_task(study, task)
        registry = Registry(home)
        version = _champion(registry, f"{study.study}.{task}")
        return cls(version, load(registry.artifact(version)), study, task, home)

    @cached_property
    def recipe(self) -> Task:
        """The task as it was when the champion was trained: the study may ask for another rate or other streams by now."""
        return Task.model_validate(self.model.facts["recipe"])

    @cached_property
    def learnt_from(self) -> frozenset[str]:
        """Participants of the examples that it learnt from, those of the test left out: of them it knows the answer."""
        where = {"task": self.version.task, "fingerprint": self.version.fingerprint}
        rows = Lake(self.home).read("examples", columns=["participant", "split"], where=where)
        return frozenset(rows.filter(pc.field("split") != "test")["participant"].to_pylist())

    def answer(self, streams: Mapping[str, Readings], *, participant: str | None = None) -> Answer:
        """Answer for one recording; see `classify`."""
        recipe, name = self.recipe, self.version.task
        _check_streams(streams, recipe, name)
        clocked = {*recipe.input.streams, *(stream for other in self.study.tasks.values() for stream in other.input.streams)}
        cut = cut_streams({stream: readings for stream, readings in streams.items() if stream in clocked}, recipe)
        if not len(cut):
            raise _no_squat(streams, name) if recipe.segment.by == "deepest" else _too_short(recipe, name)
        signals = _comparable(cut.signals, participant, recipe, self.study, self.task, self.home)
        estimator = self.model.estimator
        return _answer(self.version, estimator.classes_, estimator.predict_proba(signals), cut.start_ns, cut.end_ns)


def classify(streams: Mapping[str, Readings], *, study: Study, task: str, home: Home, participant: str | None = None) -> Answer:
    """Answer with the champion of a task.

    Parameters
    ----------
    streams : mapping of str to (t_ns, values)
        Sensors of one recording, as `ml.preprocessing.tensors.cut_streams` takes them.
    study : Study
    task : str
        Bare name, without the study.
    home : Home
    participant : str, optional
        Whose recording it is. Needed by a champion that learnt beside baselines (`input.baseline`), and read by no other.

    Returns
    -------
    Answer

    Raises
    ------
    UnknownName
        The study has no such task.
    NoAnswer
        The task has no champion, the recording lacks a sensor that it needs, is too short, or shows no squat where one is
        needed; or the champion needs a baseline, and none is known of the participant.
    ModelRefused
        The champion's files are damaged.
    """
    return Champion.of(study, task, home).answer(streams, participant=participant)


def _comparable(
    signals: npt.NDArray[np.float32], participant: str | None, recipe: Task, study: Study, task: str, home: Home
) -> npt.NDArray[np.float32]:
    """The examples as the champion learnt from such: beside the baseline of their participant, where it did."""
    if recipe.input.baseline is None:
        return signals
    as_trained = study.model_copy(update={"tasks": {**study.tasks, task: recipe}})
    segments = select_segments(as_trained, task, home).segments
    own = segments.filter(pc.field("participant") == participant) if participant else segments.slice(0, 0)
    if not own.num_rows:
        raise _no_baseline(f"{study.study}.{task}", participant, pc.unique(segments["participant"]).to_pylist())
    return Baseline.of(cut_segments(own, recipe, home)).relative(signals)


def _no_baseline(task: str, participant: str | None, known: list[str]) -> NoAnswer:
    who = f"of '{participant}' no accepted recording is there" if participant else "it is not said whose recording this is"
    shown = ", ".join(sorted(known)[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
    sentence = f"'{task}' holds a recording against how its participant usually moves, and {who}; known: {shown or 'nobody'}"
    remedy = "name the participant; of a new one, deliver recordings of all that is told apart first, then 'kinelake run'"
    return NoAnswer(Reason("baseline_unknown", sentence, remedy=remedy))


def _champion(registry: Registry, task: str) -> ModelVersion:
    champion = registry.champion(task)
    if champion is not None:
        return champion
    versions = registry.versions(task) if task in registry.tasks() else []
    judged = next((version for version in reversed(versions) if version.gate), None)
    if judged is None:
        sentence = f"'{task}' has no champion: no model of it was trained yet, or those that were have been erased"
        raise NoAnswer(Reason("no_champion", sentence, remedy="deliver recordings of the study, then 'kinelake run'"))
    sentence = f"'{task}' has no champion: none of its models was promoted. {judged.gate}"
    raise NoAnswer(Reason("no_champion", sentence, remedy="see 'kinelake models'"))


def _check_streams(streams: Mapping[str, Readings], recipe: Task, task: str) -> None:
    there = [name for name, (t_ns, _) in streams.items() if len(t_ns)]
    missing = [name for name in recipe.input.streams if name not in there]
    if missing:
        sentence = (
            f"'{task}' needs {_streams_in_words(recipe.input.streams)}; the recording has no {' and no '.join(missing)} "
            f"(it has: {', '.join(sorted(there)) or 'nothing'})"
        )
        raise NoAnswer(Reason("stream_missing", sentence, remedy="record with that sensor switched on"))


def _too_short(recipe: Task, task: str) -> NoAnswer:
    sentence = (
        f"the recording has no stretch of {recipe.segment.min_seconds:g} s in which {_streams_in_words(recipe.input.streams)} "
        f"run together without a gap, and '{task}' needs one"
    )
    return NoAnswer(Reason("too_short", sentence, remedy="record longer, or see in the quality report where the gaps are"))


def _streams_in_words(streams: Sequence[str]) -> str:
    """Name streams; the joints of a body are one thing to a person, and nineteen streams."""
    joints = [name for name in streams if sensor_of(name) == "joint"]
    if len(joints) <= _SHOWN:
        return " and ".join(streams)
    return " and ".join([f"{len(joints)} joints of a body", *(name for name in streams if name not in joints)])


def _no_squat(streams: Mapping[str, Readings], task: str) -> NoAnswer:
    told = repetitions_of(streams)
    if told.repetitions:
        many = f"{len(told.repetitions)} squats are" if len(told.repetitions) > 1 else "one squat is"
        sentence = f"{many} seen, deepest too near to an end of the recording or to a gap for '{task}'"
        remedy = "film from standing to standing, with the whole body in the picture"
    else:
        sentence, remedy = f"no squat deep enough was found, and '{task}' asks about squats: {told.why_none}", _FILM_SQUATS
    return NoAnswer(Reason("squat_missing", sentence, remedy=remedy))


def _answer(champion: ModelVersion, classes: Any, probabilities: Any, start_ns: Any, end_ns: Any) -> Answer:
    overall = probabilities.mean(axis=0)
    best, each = int(overall.argmax()), probabilities.argmax(axis=1)
    label, probability = str(classes[best]), float(overall[best])
    found = zip(start_ns.tolist(), end_ns.tolist(), classes[each].tolist(), probabilities.max(axis=1).tolist(), strict=True)
    agreeing = f"{np.count_nonzero(each == best)} of {len(each)} segments say so" if len(each) > 1 else "from one segment"
    sentence = f"{label}, with a probability of {probability:.0%} ({agreeing}; {champion.family}, version {champion.version})."
    names, shares = tuple(map(str, classes)), tuple(map(tuple, probabilities.tolist()))
    return Answer(label, probability, champion.version, champion.family, tuple(found), sentence, names, shares)
