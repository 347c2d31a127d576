"""The errors that people meet, and the `Reason` every one of them carries.

Belongs here: the exception hierarchy and the four parts of a message. What raises them stays where it is raised.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why something was refused, set aside or repaired: what happened, where, and what to do.

    Parameters
    ----------
    code : str
        Stable snake_case name that a program can match, such as ``rate_out_of_contract``.
    sentence : str
        What was found and what is allowed, for a reader who has never seen the code.
    place : str
        File, row, column or key, such as ``walk.zip::Accelerometer.csv row 17 column x``.
    remedy : str
        What the reader can do about it.
    """

    code: str
    sentence: str
    place: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        where = f" [{self.place}]" if self.place else ""
        then = f" → {self.remedy}" if self.remedy else ""
        return f"{self.code}: {self.sentence}{where}{then}"


class KinelakeError(Exception):
    """Base of every error with a stated reason; the CLI prints it and exits 1, never a traceback."""

    def __init__(self, *reasons: Reason) -> None:
        self.reasons = reasons
        super().__init__(_first_few(reasons))


class StudyError(KinelakeError):
    """A study file breaks the schema; raised on load, before anything else runs."""


class DeliveryRefused(KinelakeError):
    """A delivery is not taken in: nothing of it is a batch, the source stays with the sender."""


class UnreadableFile(KinelakeError):
    """A device file cannot be read; the reading step turns it into findings, its recording is quarantined."""


class LakeError(KinelakeError):
    """A table of the lake is asked for something it cannot do."""


class QueryRefused(KinelakeError):
    """SQL for the warehouse is not read-only, or the warehouse is not there or cannot answer."""


class TrainingRefused(KinelakeError):
    """A task has nothing it could learn from; the sentence says what is missing."""


class UnknownName(KinelakeError):
    """A study, task, batch, recording or model of that name is not there; the nearest match is offered."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'? Known: …"`` for an unknown name.

    Examples
    --------
    >>> did_you_mean("acelerometer", ["accelerometer", "gyroscope"])
    "; did you mean 'accelerometer'? Known: accelerometer, gyroscope"
    >>> did_you_mean("zzz", ["a"])
    '; known: a'
    """
    names = sorted(set(known))
    listed = ", ".join(names[:20]) + (f", … ({len(names)} in all)" if len(names) > 20 else "")
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(given.casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean '{folded[near[0]]}'? Known: {listed}" if near else f"; known: {listed or 'none'}"


def _first_few(reasons: tuple[Reason, ...], most: int = 10) -> str:
    lines = [str(reason) for reason in reasons[:most]]
    if len(reasons) > most:
        lines.append(f"… and {len(reasons) - most} more of {len(reasons)}")
    return "\n".join(lines)
