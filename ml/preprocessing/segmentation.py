"""Where to cut: stretches that all streams have in common, and the windows or whole recordings inside them.

Belongs here: arithmetic on ticks of a recording's uniform clock. Reading tables is in `ml.preprocessing.batch`, cutting
the values out is in `ml.preprocessing.tensors`; both use these functions, so training and inference cut alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.preprocessing.clock import Clock
from studies.preparation import Segmentation

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spans:
    """Runs of ticks without a gap.

    Parameters
    ----------
    first : ndarray of int64, shape (n,)
        First tick of each run, ascending.
    steps : ndarray of int64, shape (n,)
        Ticks in each run.
    """

    first: _Ints
    steps: _Ints

    def __len__(self) -> int:
        return len(self.first)

    def times_ns(self, clock: Clock) -> tuple[_Ints, _Ints]:
        """Return the times of the first and the last tick of each run, ns since 1970 UTC."""
        return clock.ticks(self.first), clock.ticks(self.first + self.steps - 1)


def common_spans(streams: Sequence[Spans]) -> Spans:
    """Return the runs in which every stream has ticks and none has a gap.

    Parameters
    ----------
    streams : sequence of Spans
        The gap-free pieces of each stream, on one clock; the pieces of one stream do not overlap.

    Returns
    -------
    Spans
        Every run lies inside one piece of every stream, also where two pieces of a stream touch.

    Examples
    --------
    >>> a = Spans(np.array([0, 10]), np.array([10, 10]))
    >>> b = Spans(np.array([4]), np.array([12]))
    >>> common = common_spans([a, b])
    >>> common.first.tolist(), common.steps.tolist()
    ([4, 10], [6, 6])
    """
    firsts = np.concatenate([spans.first for spans in streams])
    ends = np.concatenate([spans.first + spans.steps for spans in streams])
    at = np.concatenate([ends, firsts])
    change = np.repeat(np.array([-1, 1], np.int64), len(firsts))
    # Ends come before starts at the same tick, so that touching pieces stay two.
    order = np.lexsort((change, at))
    at, open_streams = at[order], np.cumsum(change[order])
    (begin,) = np.nonzero((open_streams[:-1] == len(streams)) & (np.diff(at) > 0)) if len(at) else (np.zeros(0, np.int64),)
    return Spans(at[begin], at[begin + 1] - at[begin])


def cut_spans(spans: Spans, segmentation: Segmentation, *, rate_hz: float) -> Spans:
    """Cut gap-free runs into segments by windows, as a whole, or tick by tick.

    Parameters
    ----------
    spans : Spans
        Runs without a gap, as `common_spans` returns them.
    segmentation : Segmentation
        ``recording``: every run of at least `min_seconds` is one segment. ``window``: windows of `seconds` whose neighbours
        share `overlap`, none across a gap; what is left at a run's end is one more, shorter window if it lasts
        `min_seconds`, else it is not used. ``frame``: every tick is a segment by itself.
    rate_hz : float
        Rate of the clock, in Hz.

    Returns
    -------
    Spans
        The segments, ascending.

    Examples
    --------
    >>> six_seconds = Segmentation(by="window", seconds=6, overlap=0.5, length=60, min_seconds=5)
    >>> cut = cut_spans(Spans(np.array([100]), np.array([145])), six_seconds, rate_hz=10)
    >>> cut.first.tolist(), cut.steps.tolist()
    ([100, 130, 160, 190], [60, 60, 60, 55])
    """
    if segmentation.by == "frame":
        return _ticks(spans)
    shortest = max(2, int(np.ceil(segmentation.min_seconds * rate_hz - 1e-6)))
    if segmentation.seconds is None:
        kept = spans.steps >= shortest
        return Spans(spans.first[kept], spans.steps[kept])
    window = max(2, round(segmentation.seconds * rate_hz))
    return _windows(spans, window, max(1, round(window * (1 - segmentation.overlap))), shortest)


def method_of(segmentation: Segmentation) -> str:
    """Return how segments are cut, in words, as in `segments.method`.

    Examples
    --------
    >>> method_of(Segmentation(by="window", seconds=6, overlap=0.5, length=75))
    'window 6s overlap 0.5'
    >>> method_of(Segmentation(by="repetition", min_seconds=1.5, max_seconds=8, length=100))
    'repetition 1.5s to 8s'
    """
    if segmentation.by == "window":
        return f"window {segmentation.seconds:g}s overlap {segmentation.overlap:g}"
    if segmentation.by == "deepest":
        return f"deepest {segmentation.frames} frames"
    if segmentation.by == "repetition":
        return f"repetition {segmentation.min_seconds:g}s to {segmentation.max_seconds:g}s"
    return segmentation.by


def _ticks(spans: Spans) -> Spans:
    before = np.repeat(np.cumsum(spans.steps) - spans.steps, spans.steps)
    first = np.repeat(spans.first, spans.steps) + np.arange(len(before)) - before
    return Spans(first, np.ones(len(first), np.int64))


def _windows(spans: Spans, window: int, stride: int, shortest: int) -> Spans:
    whole = np.maximum((spans.steps - window) // stride + 1, 0)
    left = spans.steps - whole * stride
    # A rest that the last whole window already covers would only repeat its ticks.
    fresh = (whole == 0) | (left > window - stride)
    count = whole + (fresh & (left >= shortest))
    of_run = np.repeat(np.arange(len(spans)), count)
    number = np.arange(len(of_run)) - np.repeat(np.cumsum(count) - count, count)
    first = spans.first[of_run] + number * stride
    return Spans(first, np.minimum(window, spans.first[of_run] + spans.steps[of_run] - first))
