"""What a study says about how its tasks are learnt: families, their parameters, the search for them, pre-training.

Belongs here: the `models` and `pretrain` sections of a task, as frozen models. Which parameters a family has, and what they may
be, is known to `ml.models`, and checked there before a training begins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from studies.fields import Strict

Family = Literal[
    "random_forest",
    "extra_trees",
    "svm",
    "minirocket",
    "cnn",
    "gru",
    "cnn_gru",
    "bilstm",
    "resnet1d",
    "identity_cnn",
    "image_cnn",
]
#: Families that learn from single samples too, where `vector: samples` is what they see of an example.
OF_FRAMES: tuple[Family, ...] = ("random_forest", "extra_trees", "svm")
Value = float | int | str | bool | None

_MOST_POINTS = 10_000


class Interval(Strict):
    """All values from `low` to `high`, whole numbers if both ends are; evenly in their logarithm where `log` is set."""

    low: int | FiniteFloat
    high: int | FiniteFloat
    log: bool = False

    @model_validator(mode="after")
    def _runs_upwards(self) -> Interval:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low:g} and high is {self.high:g}; the smaller number comes first")
        if self.log and self.low <= 0:
            raise ValueError("log needs a low of more than 0")
        return self


class Search(Strict):
    """How parameters of a family are chosen.

    Parameters
    ----------
    method : {"grid", "bayesian"}
        Every combination of lists, or so many trials, each where the ones before it promise most.
    space : mapping of str to list or interval
    trials : int, optional
        For ``bayesian``, which needs it.
    folds : int
        A trial is scored by cross-validation within what a model may learn from, in so many folds at most.
    """

    method: Literal["grid", "bayesian"]
    space: Mapping[str, Annotated[tuple[Value, ...], Field(min_length=1)] | Interval] = Field(min_length=1)
    trials: Annotated[int, Field(ge=1, le=_MOST_POINTS)] | None = None
    folds: Annotated[int, Field(ge=2, le=50)] = 3

    @model_validator(mode="after")
    def _method_fits(self) -> Search:
        if (self.method == "bayesian") != (self.trials is not None):
            raise ValueError("trials goes with 'method: bayesian', which needs it; a grid tries every combination")
        if self.method == "grid":
            ranges = [name for name, values in self.space.items() if isinstance(values, Interval)]
            if ranges:
                raise ValueError(f"a grid needs lists of values; {ranges[0]} has low and high")
            points = math.prod(len(values) for values in self.space.values() if not isinstance(values, Interval))
            if points > _MOST_POINTS:
                raise ValueError(f"the grid has {points} combinations; allowed: at most {_MOST_POINTS}")
        return self


class Model(Strict):
    """A model family of `ml.models` with parameters other than its config file's, given or to be searched for."""

    family: Family
    parameters: Mapping[str, Value] = Field(default_factory=dict)
    search: Search | None = None

    @model_validator(mode="after")
    def _given_or_searched(self) -> Model:
        both = sorted(set(self.parameters) & set(self.search.space if self.search else ()))
        if both:
            raise ValueError(f"{both[0]} is both given under parameters and searched for")
        return self


class Pretrain(Strict):
    """Another study's task on which the neural families of this one learn their feature layers first.

    Parameters
    ----------
    task : str
        ``<study>.<task>``.
    carry : {"features"}
        What comes along: the feature layers. The layers after them are new, and all are trained.
    """

    task: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}$")]
    carry: Literal["features"] = "features"

    @property
    def study(self) -> str:
        """The source's study."""
        return self.task.partition(".")[0]

    @property
    def name(self) -> str:
        """The source's task within its study."""
        return self.task.partition(".")[2]
