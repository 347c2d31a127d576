"""What a study file may say: the contract of its recordings and the tasks learnt from them.

Belongs here: the shape of a study, as frozen models. Reading YAML and pointing at lines is in `studies.loader`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic.main import IncEx
from pydantic_core import PydanticCustomError

from studies.augmentation import OF_COURSES, OF_IMAGES, Augmentation
from studies.fields import Positive, Range, Share, Strict, distinct
from studies.formats import Formats, fits
from studies.learning import OF_FRAMES, Model, Pretrain
from studies.preparation import FEWEST_SAMPLES, Input, Segmentation
from studies.sensors import StreamName, sensor_of, stream_name, unit_of
from studies.splitting import AuthorsSplit, Split
from warehouse.errors import did_you_mean

#: A key (mapping keys and list positions from the top) and what is wrong with it.
Misfit = tuple[tuple[str | int, ...], str]

Metric = Literal["macro_f1", "accuracy", "precision", "recall"]
#: Keys of a task that decide which segments there are.
_CUT: Mapping[str, bool | IncEx] = {"target": True, "labels": True, "input": {"streams", "rate_hz"}, "segment": True}
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class StreamContract(Strict):
    """What one sensor of every recording must be like.

    Parameters
    ----------
    unit : str
        The lake's unit for that sensor; written out so that a reader of the file need not look it up.
    rate_hz : tuple of float
        Lowest and highest allowed median sampling rate, in Hz.
    max_gap_s : float, optional
        Longest allowed step between two readings, in seconds.
    max_jitter : float, optional
        Largest allowed standard deviation of the steps over the median step.
    range : tuple of float, optional
        Smallest and largest believable value, in the stream's unit.
    gravity : tuple of float, optional
        Allowed median length of the acceleration vector, in m/s²: tells g from m/s² and finds scale errors.
    max_saturated : float, optional
        Largest allowed share of readings held at the stream's own extreme.
    required : bool
        Quarantine a recording without it.
    """

    unit: str
    rate_hz: Range
    max_gap_s: Positive | None = None
    max_jitter: Positive | None = None
    range: Range | None = None
    gravity: Range | None = None
    max_saturated: Share | None = None
    required: bool = False


class ManifestDraft(Strict):
    """How `kinelake manifest` fills a draft from paths.

    Parameters
    ----------
    pattern : str or tuple of str, optional
        Path with fields in braces, ``*`` for anything: ``{participant}-{label}-{load}_*``; of several the first that fits.
    participant_from : {"device"}, optional
        Fill the participant with a hash of the device's serial where paths name nobody.
    participant : str, optional
        Whose all recordings are said to be where paths name nobody.
    annotations : tuple of str
        Paths of annotation files, with the fields of `pattern`; of several the first that is in the delivery.
    leave_out : tuple of str
        Shell patterns of files that are no recordings.
    """

    pattern: str | tuple[str, ...] | None = None
    participant_from: Literal["device"] | None = None
    participant: str | None = None
    annotations: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns in the order in which they are tried."""
        return (self.pattern,) if isinstance(self.pattern, str) else self.pattern or ()

    def leaves_out(self, path: str) -> bool:
        """Tell whether a file is said to be no recording."""
        return any(fits(path, pattern) for pattern in self.leave_out)


class Promotion(Strict):
    """The gate: what a version must reach on honest splits to become champion.

    Parameters
    ----------
    metric : str
        Score that decides.
    at_least : float
        What must be reached.
    beat_champion_by : float
        How much better than the champion; less than 0 allows that much worse.
    beyond_chance : bool
        Ask that of the lower end of the difference's 95 % interval over the people that both were tested on.
    worst_participant : float
        Macro F1 that every tested participant must reach.
    """

    metric: Metric = "macro_f1"
    at_least: Share
    beat_champion_by: Annotated[float, Field(ge=-1, le=1)] = 0.0
    beyond_chance: bool = False
    worst_participant: Share = 0.0


class Merged(Strict):
    """Labels that a task does not tell apart.

    Parameters
    ----------
    labels : tuple of str
        Labels of the study.
    share : float
        Share of their segments that teach, drawn by the task's seed; every one of them is tested.
    """

    labels: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)]
    share: Annotated[float, Field(gt=0, le=1)] = 1.0


#: What a squat is found in.
_LEGS = tuple(stream_name("joint", f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle"))
Target = Literal["label", "participant", "participant_and_label"]


class Task(Strict):
    """What to learn from which examples.

    `target` is what a model answers: the ``label`` of a segment, which ``participant`` it is of, or both at once. `merge` gives
    several labels one name; `positive` is the answer that must not be given in error.
    """

    title: str = ""
    target: Target = "label"
    labels: Annotated[tuple[str, ...], AfterValidator(distinct)] | None = None
    merge: Mapping[str, Merged] = Field(default_factory=dict)
    positive: str | None = None
    input: Input
    segment: Segmentation
    augment: tuple[Augmentation, ...] = ()
    split: Split = Split()
    authors_split: AuthorsSplit | None = None
    models: tuple[Model, ...] = Field(min_length=1)
    pretrain: Pretrain | None = None
    promote: Promotion
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0

    @model_validator(mode="after")
    def _copies_can_be_turned(self) -> Task:
        if self.input.derive in ("distances", "images") and any(step.rotation for step in self.augment):
            raise ValueError(
                f"what is derived is no vector and cannot be turned: leave it out beside 'derive: {self.input.derive}'"
            )
        return self

    @model_validator(mode="after")
    def _copies_are_of_images_or_of_signals(self) -> Task:
        images = self.input.derive == "images"
        for step in self.augment:
            if (step.kind in OF_IMAGES) != images:
                allowed = f"allowed: {', '.join(OF_IMAGES)}" if images else "it needs 'derive: images'"
                raise ValueError(f"augmentation '{step.kind}' is not made for what the task learns from; {allowed}")
        return self

    @model_validator(mode="after")
    def _a_frame_has_no_course(self) -> Task:
        if self.segment.by != "frame":
            return self
        if self.input.derive == "images":
            raise ValueError("'by: frame' learns from single samples of the channels: leave out 'derive: images'")
        seen = {model.family: model.parameters.get("vector") for model in self.models}
        wrong = [family for family, vector in seen.items() if family not in OF_FRAMES or vector != "samples"]
        if wrong:
            allowed = ", ".join(OF_FRAMES)
            raise ValueError(
                f"family '{wrong[0]}' looks for a course in time, and a frame has none; allowed with 'by: frame': {allowed}, "
                "each with 'parameters: {vector: samples}'"
            )
        courses = [step.kind for step in self.augment if step.kind in OF_COURSES]
        if courses:
            raise ValueError(f"augmentation '{courses[0]}' changes a course in time, and a frame has none: leave it out")
        return self

    @model_validator(mode="after")
    def _movements_have_a_course(self) -> Task:
        few = self.segment.by != "frame" and self.segment.length < FEWEST_SAMPLES
        if few and self.input.derive != "images":
            raise ValueError(f"'by: {self.segment.by}' needs length, {FEWEST_SAMPLES} samples or more; only images may be fewer")
        return self

    @model_validator(mode="after")
    def _legs_are_there_to_squat_with(self) -> Task:
        missing = [stream for stream in _LEGS if stream not in self.input.streams] if self.segment.by == "deepest" else []
        if missing:
            raise ValueError(
                f"'by: deepest' is found in hips, knees and ankles; {missing[0]} is missing: 'streams: [joints]' has all"
            )
        return self


class Study(Strict):
    """A protocol with its label schema, sensors, rate limits and tasks.

    Parameters
    ----------
    study : str
        Name; also the name of the file.
    participants : str
        Regular expression that every pseudonym must match as a whole.
    labels : mapping of str to tuple of str
        Labels with their aliases. A plain list of labels is read as labels without aliases.
    """

    study: Name
    title: str
    participants: str
    labels: Mapping[str, tuple[str, ...]]
    manifest: ManifestDraft = ManifestDraft()
    formats: Formats = Formats()
    streams: Mapping[StreamName, StreamContract] = Field(min_length=1)
    min_duration_s: Positive | None = None
    tasks: Mapping[Name, Task] = Field(default_factory=dict)

    @field_validator("labels", mode="before")
    @classmethod
    def _list_is_labels_without_aliases(cls, value: object) -> object:
        if isinstance(value, str) or (isinstance(value, list) and any(isinstance(label, list | dict) for label in value)):
            raise ValueError("a list of labels, or labels with lists of aliases")
        if isinstance(value, list | tuple):
            return dict.fromkeys(value, ())
        return value

    @field_validator("participants")
    @classmethod
    def _is_a_regular_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @field_validator("labels")
    @classmethod
    def _no_spelling_means_two_labels(cls, labels: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        owner: dict[str, str] = {}
        for label, aliases in labels.items():
            for spelling in (label, *aliases):
                first = owner.setdefault(_folded(spelling), label)
                if first != label:
                    raise ValueError(
                        f"'{spelling}' means both {first} and {label}; case, blanks, '-' and '_' do not tell labels apart"
                    )
        return labels

    @model_validator(mode="after")
    def _parts_fit(self) -> Study:
        misfits = [
            *self._unit_misfits(),
            *(misfit for name, task in self.tasks.items() for misfit in self._task_misfits(name, task)),
        ]
        if misfits:
            raise PydanticCustomError("misfits", "parts of the study do not fit together", {"misfits": misfits})
        return self

    def _unit_misfits(self) -> Iterator[Misfit]:
        for name, stream in self.streams.items():
            if stream.unit != unit_of(name):
                sentence = f"unit of {name} is '{stream.unit}'; the lake keeps {name} in '{unit_of(name)}'"
                yield ("streams", name, "unit"), sentence

    def _task_misfits(self, task_name: str, task: Task) -> Iterator[Misfit]:
        for number, stream in enumerate(task.input.streams):
            if self.contract_of(stream) is None:
                sentence = f"stream '{stream}' is not declared under streams{did_you_mean(stream, self.streams)}"
                yield ("tasks", task_name, "input", "streams", number), sentence
        if task.target != "label" and task.split.group == "participant":
            sentence = (
                f"who a person is can only be tested on people who also taught: with 'target: {task.target}' the group is "
                "session, recording or a column of the manifest"
            )
            yield ("tasks", task_name, "split", "group"), sentence
        if task.target != "label" and task.input.baseline:
            sentence = "what tells a person apart is what a baseline takes away: leave it out, or ask for labels"
            yield ("tasks", task_name, "input", "baseline"), sentence
        for number, label in enumerate(task.labels or ()):
            if label not in self.labels:
                sentence = f"label '{label}' is not declared under labels{did_you_mean(label, self.labels)}"
                yield ("tasks", task_name, "labels", number), sentence
        yield from (((("tasks", task_name, *key), sentence)) for key, sentence in self._answer_misfits(task))

    def _answer_misfits(self, task: Task) -> Iterator[Misfit]:
        """Merged labels that a task has not or has twice, and a positive that it never answers."""
        if task.target != "label" and (task.merge or task.positive):
            key = "merge" if task.merge else "positive"
            yield (key,), f"{key} is about labels; 'target: {task.target}' answers with people"
            return
        labels = task.labels or tuple(self.labels)
        merged = [(name, number, label) for name, one in task.merge.items() for number, label in enumerate(one.labels)]
        into: dict[str, str] = {}
        for name, number, label in merged:
            if label not in labels:
                yield ("merge", name, "labels", number), f"label '{label}' is none of the task's{did_you_mean(label, labels)}"
            if into.setdefault(label, name) != name:
                yield ("merge", name, "labels", number), f"label '{label}' goes into {into[label]} already"
        left = [label for label in labels if label not in into]
        for name in task.merge:
            if name in left:
                yield (
                    ("merge", name),
                    f"'{name}' is a label of its own that would be told from the merged ones no more: give another name",
                )
        if task.positive is not None and task.positive not in (*left, *task.merge):
            sentence = f"'{task.positive}' is no answer of the task{did_you_mean(task.positive, (*left, *task.merge))}"
            yield ("positive",), sentence

    def contract_of(self, stream: str) -> StreamContract | None:
        """Return what a stream must be like: its own contract, else its sensor's; None if the study names neither."""
        contracts: dict[str, StreamContract] = dict(self.streams.items())
        return contracts.get(stream, contracts.get(sensor_of(stream)))

    def canonical_label(self, delivered: str | None) -> str | None:
        """Return the schema's label for a delivered one (alias, case, space or hyphen), or None if there is none.

        Examples
        --------
        ``Push-Ups`` and ``push ups`` find ``push_ups``, and ``ohp`` finds ``overhead_press`` where that is its alias.
        """
        return _spellings(self.labels).get(_folded(delivered)) if delivered else None

    @property
    def contract_version(self) -> str:
        """Hash of everything that a verdict depends on; tasks do not change it."""
        contract = self.model_dump(mode="json", exclude={"tasks", "title", "manifest"})
        return hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def recipe_version(self) -> str:
        """Hash of the clocks and cuts that the tasks ask for; another one means that segments must be made anew."""
        wanted = {name: task.model_dump(mode="json", include=dict(_CUT)) for name, task in self.tasks.items()}
        return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]


def _folded(label: str) -> str:
    return re.sub(r"[\s_-]+", "_", label.strip().casefold())


def _spellings(labels: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {_folded(spelling): label for label, aliases in labels.items() for spelling in (label, *aliases)}
