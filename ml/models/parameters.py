"""What the parameters of a model family may be, declared beside each parameter and checked before anything is fitted.

Belongs here: the kinds of allowed values, and the check. Which parameters a family has is in the family's own module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Protocol

from warehouse.errors import Reason, StudyError, did_you_mean


class Allowed(Protocol):
    """A set of values that can be asked for membership and that says what it holds."""

    def holds(self, value: object) -> bool: ...

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class Whole:
    """A whole number between two ends, both included; None too where `or_none` is set.

    Examples
    --------
    >>> Whole(1, 31).holds(5), Whole(1, 31).holds(5.0), Whole(1, 31).holds(True)
    (True, False, False)
    """

    low: int
    high: int
    or_none: bool = False

    def holds(self, value: object) -> bool:
        if value is None:
            return self.or_none
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}" + (", or null" if self.or_none else "")


@dataclass(frozen=True)
class Real:
    """A number between two ends, both included."""

    low: float
    high: float

    def holds(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def holds(self, value: object) -> bool:
        return value in self.words

    def __str__(self) -> str:
        return "one of " + ", ".join(self.words)


@dataclass(frozen=True)
class Either:
    """What one of several kinds allows."""

    kinds: tuple[Allowed, ...]

    def holds(self, value: object) -> bool:
        return any(kind.holds(value) for kind in self.kinds)

    def __str__(self) -> str:
        return ", or ".join(str(kind) for kind in self.kinds)


def parameter(default: Any, *allowed: Allowed) -> Any:
    """Declare a parameter of a family: a dataclass field with its default and what it may be."""
    kind = allowed[0] if len(allowed) == 1 else Either(allowed)
    return field(default=default, metadata={"allowed": kind})


def check_parameters(estimator: type, given: Mapping[str, object]) -> None:
    """Check names and values of parameters for a family.

    Parameters
    ----------
    estimator : type
        The family's class, in the module of the family's name; its dataclass fields declare what is allowed.
    given : mapping of str to object

    Raises
    ------
    StudyError
        One reason per unknown name or value outside what is allowed.
    """
    family = estimator.__module__.rpartition(".")[2]
    declared = {entry.name: entry for entry in fields(estimator)}
    faults = [fault for name, value in given.items() if (fault := _fault(family, declared, name, value))]
    if faults:
        raise StudyError(*faults)


def _fault(family: str, declared: Mapping[str, Field[Any]], name: str, value: object) -> Reason | None:
    place = f"models[{family}].parameters.{name}"
    remedy = f"ml/models/{family}.yaml lists every parameter of the family with its default"
    if name not in declared:
        sentence = f"parameter '{name}' is not known to {family}{did_you_mean(name, declared)}"
        return Reason("parameter_unknown", sentence, place, remedy)
    allowed = declared[name].metadata["allowed"]
    if not allowed.holds(value):
        return Reason("parameter_out_of_range", f"{name} of {family} is {value!r}; allowed: {allowed}", place, remedy)
    return None
