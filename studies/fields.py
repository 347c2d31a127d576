"""What the models of a study file have in common: the base that refuses unknown keys, and kinds of values.

Belongs here: types that more than one section uses. The sections are in `studies.study` and the modules that it names.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Copies = Annotated[int, Field(ge=1, le=100)]


def ascending(values: tuple[float, float]) -> tuple[float, float]:
    """Return two numbers of which the smaller comes first; refuse others."""
    if values[0] > values[1]:
        raise ValueError(f"the smaller number comes first: [{values[1]:g}, {values[0]:g}]")
    return values


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of which none is there twice; refuse others."""
    again = [name for number, name in enumerate(names) if name in names[:number]]
    if again:
        raise ValueError(f"'{again[0]}' is there twice")
    return names


Range = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(ascending)]


class Strict(BaseModel):
    """A frozen section of a study file in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)
