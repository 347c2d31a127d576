"""Altered copies of training examples, as a task asks for them.

Belongs here: the section `augment` of a task, as frozen models: one for each kind. Copies are made in
`ml.preprocessing.augmentation`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat, model_validator

from studies.fields import Copies, Positive, Share, Strict, ascending


class MultiplicativeNoise(Strict):
    """Multiply a share of the time points by a random factor between `low` and `high`."""

    share: Share
    low: FiniteFloat
    high: FiniteFloat
    copies: Copies = 1

    @model_validator(mode="after")
    def _low_comes_first(self) -> MultiplicativeNoise:
        ascending((self.low, self.high))
        return self


class Subsequence(Strict):
    """Cut a random stretch of at least `min_share` of the example, and bring it back to full length."""

    min_share: Annotated[float, Field(gt=0, le=1)]
    copies: Copies = 1


class Jitter(Strict):
    """Add normal noise whose standard deviation is `share` of each channel's own in the example."""

    share: Positive
    copies: Copies = 1


class Scaling(Strict):
    """Multiply each sensor of the example by one random factor between `low` and `high`, as another gain would."""

    low: Positive
    high: Positive
    copies: Copies = 1

    @model_validator(mode="after")
    def _low_comes_first(self) -> Scaling:
        ascending((self.low, self.high))
        return self


class Rotation(Strict):
    """Turn the sensors about a random axis by up to `max_degrees`, all of one placement alike, as if worn otherwise."""

    max_degrees: Annotated[float, Field(gt=0, le=180)]
    copies: Copies = 1


class TimeWarp(Strict):
    """Go through the example now faster and now slower, smoothly, by up to `max_share` of the usual speed."""

    max_share: Annotated[float, Field(gt=0, lt=1)]
    knots: Annotated[int, Field(ge=1, le=50)] = 4
    copies: Copies = 1


class Flip(Strict):
    """Exchange left and right of a picture."""

    copies: Annotated[int, Field(ge=1, le=1)] = 1


class ZoomOut(Strict):
    """Show what a picture shows `factor` times as large."""

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    copies: Annotated[int, Field(ge=1, le=1)] = 1


Settings = MultiplicativeNoise | Subsequence | Jitter | Scaling | Rotation | TimeWarp | Flip | ZoomOut
#: The kinds that are of pictures, and of nothing else.
OF_IMAGES = ("flip", "zoom_out")
#: The kinds that change how a signal runs in time.
OF_COURSES = ("subsequence", "jitter", "time_warp")


class Augmentation(Strict):
    """One step of the recipe: exactly one of the kinds."""

    multiplicative_noise: MultiplicativeNoise | None = None
    subsequence: Subsequence | None = None
    jitter: Jitter | None = None
    scaling: Scaling | None = None
    rotation: Rotation | None = None
    time_warp: TimeWarp | None = None
    flip: Flip | None = None
    zoom_out: ZoomOut | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Augmentation:
        if sum(settings is not None for _, settings in self) != 1:
            raise ValueError(f"an augmentation is one of: {', '.join(type(self).model_fields)}")
        return self

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return next(name for name, settings in self if settings is not None)

    @property
    def settings(self) -> Settings:
        """What the study says about it."""
        found: Settings = getattr(self, self.kind)
        return found
