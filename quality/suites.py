"""A study's contract as suites of demands, one for each level: file, stream, recording, label, study.

Belongs here: which fact must be like what, and how grave it is if not. Where the facts come from is in `quality.facts`, running
the demands in `quality.expectations`, how a broken one is told to a person in `quality.reasons` and `quality.checks`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from studies.study import StreamContract, Study

Level = Literal["file", "stream", "recording", "label", "study"]
Severity = Literal["error", "warning"]

#: A label with fewer than one recording for so many of the most frequent label is rare.
MOST_UNEVEN = 5

_LARGEST = sys.float_info.max
#: Between these, measured over declared rate: the file's claim is taken for true.
_AS_DECLARED = (0.9, 1.1)
#: A sensor that repeats itself more often than this was asked faster than it measures.
_MOST_HELD = 0.5


@dataclass(frozen=True)
class Demand:
    """What every row of a table of facts must fulfil: a number lies between, or a value is one of. An absent one does neither.

    Parameters
    ----------
    code : str
        Reason code of a row that does not.
    column : str
    between : tuple of float, optional
        Smallest and largest allowed number, both included.
    one_of : tuple, optional
        Allowed values.
    severity : {"error", "warning"}
        An error sets the recording aside; a warning is told and sets nothing aside.
    """

    code: str
    column: str
    between: tuple[float, float] | None = None
    one_of: tuple[str | bool, ...] | None = None
    severity: Severity = "error"


@dataclass(frozen=True)
class Suite:
    """The demands on one table of facts.

    Parameters
    ----------
    level : str
    demands : tuple of Demand
    about : str
        What of its level it is about, such as one of the study's sensors; empty if all of it.
    """

    level: Level
    demands: tuple[Demand, ...]
    about: str = ""

    @property
    def name(self) -> str:
        """Name of the suite: the level, and what of it it is about."""
        return f"{self.level}.{self.about}" if self.about else self.level


def suites_of(study: Study) -> tuple[Suite, ...]:
    """Return the suites that give recordings their reasons: file, one for each declared sensor, recording, label.

    Examples
    --------
    >>> from studies import find_study
    >>> [suite.name for suite in suites_of(find_study("barbell"))]
    ['file', 'stream.accelerometer', 'stream.gyroscope', 'recording', 'label']
    """
    return (
        Suite("file", (Demand("file_unreadable", "severity", one_of=("warning", "note")), *_file_warnings())),
        *(Suite("stream", tuple(_stream_demands(contract)), about=name) for name, contract in study.streams.items()),
        Suite(
            "recording",
            (Demand("participant_unknown", "participant_fits", one_of=(True,)), *_required_streams(study), *_duration(study)),
        ),
        Suite("label", (Demand("label_unknown", "label", one_of=tuple(study.labels)),) if study.labels else ()),
    )


def balance_suite() -> Suite:
    """Return the suite over the labels of a judged batch: one row for each label, all of it warnings."""
    return Suite(
        "label",
        (
            Demand("label_absent", "recordings", between=(1, _LARGEST), severity="warning"),
            Demand("label_rare", "of_most", between=(1 / MOST_UNEVEN, 1), severity="warning"),
            Demand("label_of_one_person", "of_one_person", one_of=(False,), severity="warning"),
        ),
        about="balance",
    )


def study_suite() -> Suite:
    """Return the suite over a judged batch as a whole, within its study: one row."""
    return Suite(
        "study",
        (
            Demand("verdict_count", "without_one_verdict", between=(0, 0)),
            Demand("copy_of_recording", "copies", between=(0, 0)),
            Demand("copy_in_quarantine", "values_in_another_quarantine", between=(0, 0), severity="warning"),
        ),
    )


def confounding_suite() -> Suite:
    """Return the suite over what may take the label's place in the study: one row for each such factor, all of it warnings."""
    demand = Demand("label_confounded", "confounded", one_of=(False,), severity="warning")
    return Suite("study", (demand,), about="confounding")


def has(stream: str) -> str:
    """Return the name of the fact that tells whether a recording has readings of a stream."""
    return f"has_{stream}"


def _file_warnings() -> tuple[Demand, ...]:
    return (Demand("file_repaired", "severity", one_of=("error", "note"), severity="warning"),)


def _required_streams(study: Study) -> list[Demand]:
    required = [name for name, contract in study.streams.items() if contract.required]
    columns = [has(name) for name in required] or [has("any")]
    return [Demand("stream_missing", column, one_of=(True,)) for column in columns]


def _duration(study: Study) -> tuple[Demand, ...]:
    shortest = study.min_duration_s
    return () if shortest is None else (Demand("too_short", "duration_s", between=(shortest, _LARGEST)),)


def _stream_demands(contract: StreamContract) -> Iterator[Demand]:
    yield Demand("unit_implausible", "unit", one_of=(contract.unit,))
    yield Demand("rate_out_of_contract", "rate_hz", between=contract.rate_hz)
    for code, column, largest in (
        ("gap_too_long", "longest_gap_s", contract.max_gap_s),
        ("jitter_too_high", "jitter", contract.max_jitter),
        ("saturated", "saturated", contract.max_saturated),
    ):
        if largest is not None:
            yield Demand(code, column, between=(0, largest))
    if contract.range is not None:
        yield Demand("out_of_range", "minimum", between=contract.range)
        yield Demand("out_of_range", "maximum", between=contract.range)
    if contract.gravity is not None:
        yield Demand("unit_implausible", "norm_median", between=contract.gravity)
    yield Demand("rate_not_as_declared", "over_declared", between=_AS_DECLARED, severity="warning")
    yield Demand("readings_repeated", "held", between=(0, _MOST_HELD), severity="warning")
