"""Stretches that somebody marked, made into segments: instants paired, labels of the study, nothing across a gap.

Belongs here: arithmetic on the annotations of one recording. Reading the table `annotations` is in `ml.preprocessing.batch`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.preprocessing.clock import Clock
from ml.preprocessing.segmentation import Spans
from studies.preparation import Segmentation

_Ints = npt.NDArray[np.int64]

#: Share of a marked stretch that must lie in one run without a gap: a device may start a moment after the mark.
_LEAST_COVERED = 0.8
_SEPARATORS = re.compile(r"[\s_-]+")
_BEGINS = re.compile(r"\b(start|begin)\b", re.IGNORECASE)
_ENDS = re.compile(r"\b(stop|end)\b", re.IGNORECASE)
_SHOWN = 5


@dataclass(frozen=True)
class Marks:
    """Marked stretches of one recording, by start.

    Parameters
    ----------
    start_ns, end_ns : ndarray of int64, shape (n,)
        Ns since 1970 UTC.
    labels : tuple of str or None
        Of the study's schema; None where the annotation has none.
    statement : str
        Which annotations are none of them, and why, in plain words.
    """

    start_ns: _Ints
    end_ns: _Ints
    labels: tuple[str | None, ...]
    statement: str = ""

    def __len__(self) -> int:
        return len(self.labels)


NO_MARKS = Marks(np.zeros(0, np.int64), np.zeros(0, np.int64), ())


def marks_of(
    start_ns: Sequence[int], end_ns: Sequence[int], labels: Sequence[str | None], *, canonical: Callable[[str], str | None]
) -> Marks:
    """Return the marked stretches of one recording.

    A row with a duration is one. An instant opens a stretch that the next instant of the same label closes, whether they are
    called ``squat``, ``squat``, or ``squat start``, ``squat end``. What stays open, and what has a label that the study does
    not know, is none, and that is said.

    Parameters
    ----------
    start_ns, end_ns : sequence of int
        Ns since 1970 UTC; equal for an instant.
    labels : sequence of str or None
        As delivered.
    canonical : callable
        Takes a delivered label, returns the study's or None.

    Returns
    -------
    Marks
    """
    found: list[_Mark] = []
    unknown: Counter[str] = Counter()
    opened: dict[str | None, int] = {}
    lonely = 0
    for start, end, label in sorted(zip(start_ns, end_ns, labels, strict=True), key=lambda row: row[:2]):
        plain, role = _plain((label or "").strip(), instant=start == end, canonical=canonical)
        known = canonical(plain) if plain else None
        if plain and known is None:
            unknown[plain] += 1
        elif end > start:
            found.append((start, end, known))
        elif role != "begins" and known in opened:
            found.append((opened.pop(known), start, known))
        else:
            lonely += role == "ends" or known in opened
            if role != "ends":
                opened[known] = start
    found.sort(key=lambda mark: mark[:2])
    return _marks(found, lonely + len(opened), unknown)


def middles_of(mid_ns: Sequence[int], labels: Sequence[str | None], *, canonical: Callable[[str], str | None]) -> Marks:
    """Return the labelled deepest frames of one recording as instants; what has a label that the study does not know is none.

    Parameters
    ----------
    mid_ns : sequence of int
        Ns since 1970 UTC.
    labels : sequence of str or None
        As delivered.
    canonical : callable
        Takes a delivered label, returns the study's or None.

    Returns
    -------
    Marks
    """
    known = [(mid, canonical(label) if label else None, label) for mid, label in sorted(zip(mid_ns, labels, strict=True))]
    unknown = Counter(label for _, own, label in known if label and own is None)
    return _marks([(mid, mid, own) for mid, own, label in known if own or not label], 0, unknown)


def cut_marks(common: Spans, marks: Marks, segmentation: Segmentation, *, clock: Clock) -> tuple[Spans, list[int], str]:
    """Return the ticks of marked stretches, each inside one run without a gap.

    Parameters
    ----------
    common : Spans
        Runs without a gap, as `segmentation.common_spans` returns them.
    marks : Marks
    segmentation : Segmentation
        A stretch that is shorter than `min_seconds` or longer than `max_seconds` is not used, nor one of which a gap, or the
        beginning or end of the recording, takes away more than a fifth.
    clock : Clock

    Returns
    -------
    spans : Spans
        By start.
    used : list of int
        For each of them the number of its mark.
    statement : str
        What was not used, and why, in plain words.
    """
    if not len(marks) or not len(common):
        lost = [f"{len(marks)} lie where its streams never run together"] if len(marks) else []
        return Spans(np.zeros(0, np.int64), np.zeros(0, np.int64)), [], _joined(marks.statement, _ignored(lost))
    first, last = clock.at_or_after(marks.start_ns), clock.at_or_before(marks.end_ns)
    begin = np.maximum(first[:, np.newaxis], common.first)
    steps = np.minimum(last[:, np.newaxis] + 1, common.first + common.steps) - begin
    best, rows = steps.argmax(axis=1), np.arange(len(marks))
    begin, steps = begin[rows, best], np.maximum(steps[rows, best], 0)
    seconds = (marks.end_ns - marks.start_ns) / 1e9
    longest = np.inf if segmentation.max_seconds is None else segmentation.max_seconds
    faults = {
        f"shorter than {segmentation.min_seconds:g} s": seconds < segmentation.min_seconds,
        f"longer than {longest:g} s": seconds > longest,
        "broken by a gap or cut off by the end of the recording": steps < np.maximum(2, _LEAST_COVERED * (last + 1 - first)),
    }
    used = np.flatnonzero(~np.logical_or.reduce(list(faults.values())))
    said = [f"{np.count_nonzero(found)} are {fault}" for fault, found in faults.items() if found.any()]
    return Spans(begin[used], steps[used]), used.tolist(), _joined(marks.statement, _ignored(said))


def mark_ticks(ticks: Spans, marks: Marks, *, clock: Clock) -> tuple[str | None, ...]:
    """Return the label of the mark that each tick lies in; None outside all of them, and where the mark has none.

    Parameters
    ----------
    ticks : Spans
        Of one tick each, ascending, as `segmentation.cut_spans` cuts them by frame.
    marks : Marks
        Where two overlap, such as a set and a repetition in it, the one that begins later counts.
    clock : Clock
    """
    first, last = clock.at_or_after(marks.start_ns), clock.at_or_before(marks.end_ns)
    begin, end = np.searchsorted(ticks.first, first), np.searchsorted(ticks.first, last, side="right")
    mark = np.full(len(ticks), len(marks))
    for number, (start, stop) in enumerate(zip(begin.tolist(), end.tolist(), strict=True)):
        mark[start:stop] = number
    labels = np.array([*marks.labels, None], object)
    return tuple(labels[mark].tolist())


_Mark = tuple[int, int, str | None]


def _plain(name: str, *, instant: bool, canonical: Callable[[str], str | None]) -> tuple[str, str]:
    """An annotation's label without words such as 'start' and 'end', and what an instant of it does: begins, ends or either."""
    if not instant or (name and canonical(name) is not None):
        return name, "either"
    spaced = _SEPARATORS.sub(" ", name)
    for role, words in (("begins", _BEGINS), ("ends", _ENDS)):
        if words.search(spaced):
            return words.sub(" ", spaced).strip(), role
    return name, "either"


def _marks(found: Sequence[_Mark], lonely: int, unknown: Counter[str]) -> Marks:
    said = [f"{lonely} are instants without a partner"] if lonely else []
    if unknown:
        names = ", ".join(f"'{name}'" for name, _ in unknown.most_common(_SHOWN))
        said.append(f"{unknown.total()} have a label that the study does not know ({names})")
    times = np.array([mark[:2] for mark in found], np.int64).reshape(-1, 2)
    return Marks(times[:, 0], times[:, 1], tuple(mark[2] for mark in found), _ignored(said))


def _ignored(said: Sequence[str]) -> str:
    return f"Of the annotations {'; '.join(said)}: they were not used." if said else ""


def _joined(*statements: str) -> str:
    return " ".join(statement for statement in statements if statement)
