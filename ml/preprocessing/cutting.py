"""Which stretches of one recording a task learns from, by whichever way its study says.

Belongs here: choosing among windows, whole stretches, repetitions and marked stretches, for training and inference alike.
The arithmetic of each is in `segmentation`, `repetitions` and `annotations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.preprocessing.annotations import Marks, cut_marks, mark_ticks
from ml.preprocessing.clock import Clock
from ml.preprocessing.filters import Ticks
from ml.preprocessing.pose.squats import NEEDED, find_squats
from ml.preprocessing.repetitions import find_repetitions
from ml.preprocessing.segmentation import Spans, cut_spans
from studies.preparation import Segmentation


@dataclass(frozen=True)
class Segments:
    """The segments of one recording for one task.

    Parameters
    ----------
    spans : Spans
    labels : tuple of str or None
        Own label of each; None for the recording's.
    confidence : ndarray of float64, shape (n,), or None
        Of repetitions, 0 to 1.
    statement : str
        What of the recording was not used, and why, in plain words; empty if there is nothing to say.
    """

    spans: Spans
    labels: tuple[str | None, ...]
    confidence: npt.NDArray[np.float64] | None = None
    statement: str = ""


def segments_of(common: Spans, segmentation: Segmentation, streams: Mapping[str, Ticks], *, rate_hz: float) -> Segments:
    """Cut a recording by windows, whole stretches, ticks, repetitions or the deepest points of squats.

    Parameters
    ----------
    common : Spans
        Runs in which all streams of the task have ticks, as `segmentation.common_spans` returns them.
    segmentation : Segmentation
        Not by annotation: see `marked_segments`, and `unmarked` for a recording in which nobody marked anything.
    streams : mapping of str to Ticks
        The streams of the task, `Ticks.at` in the unit of `common`; read for repetitions and squats only.
    rate_hz : float

    Returns
    -------
    Segments
    """
    if segmentation.by == "deepest":
        return _deepest(common, segmentation, streams, rate_hz)
    if segmentation.by != "repetition":
        spans = cut_spans(common, segmentation, rate_hz=rate_hz)
        return Segments(spans, (None,) * len(spans))
    return _repetitions(common, segmentation, streams, rate_hz)


def marked_segments(common: Spans, segmentation: Segmentation, marks: Marks, *, clock: Clock) -> Segments:
    """Cut a recording where its annotations say, or tick by tick; every segment has the label of its annotation.

    Parameters
    ----------
    common : Spans
    segmentation : Segmentation
    marks : Marks
        Stretches with the study's labels.
    clock : Clock
        The recording's.

    Returns
    -------
    Segments
    """
    if segmentation.by == "frame":
        ticks = cut_spans(common, segmentation, rate_hz=1e9 / float(clock.period_ns))
        return Segments(ticks, mark_ticks(ticks, marks, clock=clock), statement=marks.statement)
    spans, used, statement = cut_marks(common, marks, segmentation, clock=clock)
    return Segments(spans, tuple(marks.labels[number] for number in used), statement=statement)


def labelled_deepest(common: Spans, segmentation: Segmentation, marks: Marks, *, clock: Clock) -> Segments:
    """Cut a recording round the deepest frames that people labelled; every segment has the label of its squat.

    Parameters
    ----------
    common : Spans
    segmentation : Segmentation
        By the deepest point.
    marks : Marks
        Instants, as `annotations.middles_of` returns them.
    clock : Clock
        The recording's.

    Returns
    -------
    Segments
        Without confidence: nothing was estimated.
    """
    assert segmentation.frames is not None  # the study was checked for it
    begin = clock.nearest(marks.start_ns) - segmentation.frames
    steps = 2 * segmentation.frames + 1
    run = np.searchsorted(common.first, begin, side="right") - 1
    whole = run >= 0
    whole[whole] = begin[whole] + steps <= (common.first + common.steps)[run[whole]]
    spans = Spans(begin[whole], np.full(int(whole.sum()), steps, np.int64))
    labels = tuple(label for label, kept in zip(marks.labels, whole.tolist(), strict=True) if kept)
    said = " ".join(filter(None, (marks.statement, _cut_off(int((~whole).sum())))))
    return Segments(spans, labels, statement=said)


def unmarked(segmentation: Segmentation) -> Segmentation:
    """Return how a recording without annotations is cut: as declared, and instead of annotations by repetitions.

    Where the study does not say how long a marked stretch may be, whole stretches without a gap are taken instead.

    Examples
    --------
    >>> unmarked(Segmentation(by="annotation", length=100, max_seconds=8)).by
    'repetition'
    >>> unmarked(Segmentation(by="annotation", length=100)).by
    'recording'
    """
    if segmentation.by != "annotation":
        return segmentation
    return segmentation.model_copy(update={"by": "recording" if segmentation.max_seconds is None else "repetition"})


def _repetitions(common: Spans, segmentation: Segmentation, streams: Mapping[str, Ticks], rate_hz: float) -> Segments:
    assert segmentation.max_seconds is not None  # the study was checked for it
    first, steps, confidence, unsure = [], [], [], 0
    for begin, length in zip(common.first.tolist(), common.steps.tolist(), strict=True):
        found = find_repetitions(
            {name: _part(ticks, begin, length) for name, ticks in streams.items()},
            rate_hz=rate_hz,
            min_seconds=segmentation.min_seconds,
            max_seconds=segmentation.max_seconds,
        )
        sure = found.confidence >= segmentation.min_confidence
        first.append(begin + found.first[sure])
        steps.append(found.steps[sure])
        confidence.append(found.confidence[sure])
        unsure += len(found) - int(sure.sum())
    if not first:
        return Segments(common, (), np.zeros(0))
    spans = Spans(np.concatenate(first), np.concatenate(steps))
    said = f"{unsure} possible repetitions are less sure than {segmentation.min_confidence:g} and were left out" if unsure else ""
    return Segments(spans, (None,) * len(spans), np.concatenate(confidence), said)


def _deepest(common: Spans, segmentation: Segmentation, streams: Mapping[str, Ticks], rate_hz: float) -> Segments:
    assert segmentation.frames is not None  # the study was checked for it
    first, confidence, cut_off = [np.zeros(0, np.int64)], [np.zeros(0)], 0
    for begin, length in zip(common.first.tolist(), common.steps.tolist(), strict=True):
        found = find_squats({name: _part(streams[name], begin, length) for name in NEEDED}, rate_hz=rate_hz)
        whole = (found.deepest >= segmentation.frames) & (found.deepest + segmentation.frames < length)
        first.append(begin + found.deepest[whole] - segmentation.frames)
        confidence.append(found.confidence[whole])
        cut_off += int((~whole).sum())
    starts = np.concatenate(first)
    spans = Spans(starts, np.full(len(starts), 2 * segmentation.frames + 1, np.int64))
    return Segments(spans, (None,) * len(spans), np.concatenate(confidence), _cut_off(cut_off))


def _cut_off(squats: int) -> str:
    return f"{squats} squats are deepest too near to a gap or an end" if squats else ""


def _part(ticks: Ticks, begin: int, length: int) -> npt.NDArray[np.float32]:
    row = int(np.searchsorted(ticks.at, begin))
    return ticks.values[row : row + length]
