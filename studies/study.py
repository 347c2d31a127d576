"""What a study file may say: the contract of its recordings and the tasks learnt from them.

Belongs here: the shape of a study, as frozen models. Reading YAML and pointing at lines is in `studies.loader`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator
from pydantic_core import PydanticCustomError

from studies.formats import Formats
from studies.sensors import StreamName, sensor_of, unit_of
from warehouse.errors import did_you_mean

#: A key (mapping keys and list positions from the top) and what is wrong with it.
Misfit = tuple[tuple[str | int, ...], str]

Family = Literal[
    "random_forest", "extra_trees", "svm", "minirocket", "cnn", "gru", "cnn_gru", "bilstm", "resnet1d", "identity_cnn"
]
Metric = Literal["macro_f1", "accuracy", "precision", "recall"]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


def _ascending(values: tuple[float, float]) -> tuple[float, float]:
    if values[0] > values[1]:
        raise ValueError(f"the smaller number comes first: [{values[1]:g}, {values[0]:g}]")
    return values


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    again = [name for number, name in enumerate(names) if name in names[:number]]
    if again:
        raise ValueError(f"'{again[0]}' is there twice")
    return names


Range = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(_ascending)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StreamContract(_Strict):
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


class ManifestDraft(_Strict):
    """How `kinelake manifest` fills a draft from paths.

    Parameters
    ----------
    pattern : str, optional
        Path with fields in braces, ``*`` for anything: ``{participant}-{label}-{load}_*``.
    participant_from : {"device"}, optional
        Fill the participant with a hash of the device's serial where paths name nobody.
    """

    pattern: str | None = None
    participant_from: Literal["device"] | None = None


class Input(_Strict):
    """The channels of an example: streams in this order, x, y, z (and w) of each, on one clock of `rate_hz`."""

    streams: Annotated[tuple[StreamName, ...], Field(min_length=1), AfterValidator(_distinct)]
    rate_hz: Positive
    magnitude: bool = False


class Segmentation(_Strict):
    """How recordings are cut.

    Parameters
    ----------
    by : {"window", "recording"}
    length : int
        Samples of an example; a segment is interpolated to it.
    seconds, overlap : float
        For windows: length in seconds and the share that two neighbours have in common.
    min_seconds : float
        Shorter stretches are not used.
    """

    by: Literal["window", "recording"]
    length: Annotated[int, Field(ge=8, le=100_000)]
    seconds: Positive | None = None
    overlap: Annotated[float, Field(ge=0, lt=1)] = 0.0
    min_seconds: Positive = 1.0

    @model_validator(mode="after")
    def _window_has_seconds(self) -> Segmentation:
        if (self.by == "window") != (self.seconds is not None):
            raise ValueError("seconds goes with 'by: window', and windows need it")
        return self


class MultiplicativeNoise(_Strict):
    """Multiply a share of the time points by a random factor between `low` and `high`."""

    share: Share
    low: FiniteFloat
    high: FiniteFloat
    copies: Annotated[int, Field(ge=1, le=100)] = 1

    @model_validator(mode="after")
    def _low_comes_first(self) -> MultiplicativeNoise:
        _ascending((self.low, self.high))
        return self


class Subsequence(_Strict):
    """Cut a random stretch of at least `min_share` of the example, and bring it back to full length."""

    min_share: Annotated[float, Field(gt=0, le=1)]
    copies: Annotated[int, Field(ge=1, le=100)] = 1


class Augmentation(_Strict):
    """One step of the recipe: exactly one of the kinds."""

    multiplicative_noise: MultiplicativeNoise | None = None
    subsequence: Subsequence | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Augmentation:
        if (self.multiplicative_noise is None) == (self.subsequence is None):
            raise ValueError("an augmentation is one of: multiplicative_noise, subsequence")
        return self


class Split(_Strict):
    """Who is tested.

    Parameters
    ----------
    group : {"participant"}
        Nobody of a group is in two splits.
    test : float
        Share of the groups held out for the test; 0 where every group is tested once (`folds`).
    folds : int or "leave_one_out"
        Folds of the cross-validation over the groups that are not held out.
    """

    group: Literal["participant"] = "participant"
    test: Annotated[float, Field(ge=0, lt=1)] = 0.0
    folds: Annotated[int, Field(ge=2, le=50)] | Literal["leave_one_out"] = 5


class Model(_Strict):
    """A model family of `ml.models` with parameters other than its config file's."""

    family: Family
    parameters: Mapping[str, float | int | str | bool | None] = Field(default_factory=dict)


class Promotion(_Strict):
    """The gate: what a version must reach on honest splits to become champion."""

    metric: Metric = "macro_f1"
    at_least: Share
    beat_champion_by: Annotated[float, Field(ge=-1, le=1)] = 0.0


class Task(_Strict):
    """What to learn from which examples."""

    title: str = ""
    labels: Annotated[tuple[str, ...], AfterValidator(_distinct)] | None = None
    input: Input
    segment: Segmentation
    augment: tuple[Augmentation, ...] = ()
    split: Split = Split()
    models: tuple[Model, ...] = Field(min_length=1)
    promote: Promotion
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0


class Study(_Strict):
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
        for number, label in enumerate(task.labels or ()):
            if label not in self.labels:
                sentence = f"label '{label}' is not declared under labels{did_you_mean(label, self.labels)}"
                yield ("tasks", task_name, "labels", number), sentence

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
        wanted = {name: task.model_dump(mode="json", include={"labels", "input", "segment"}) for name, task in self.tasks.items()}
        return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]


def _folded(label: str) -> str:
    return re.sub(r"[\s_-]+", "_", label.strip().casefold())


def _spellings(labels: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {_folded(spelling): label for label, aliases in labels.items() for spelling in (label, *aliases)}
