"""The picture of all recordings of a batch: sampling rates and longest pauses beside what the study allows, as inline SVG.

Nothing from outside is written into the picture: names are the study's own, everything else is a number.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.study import StreamContract

#: More dots than this are drawn as pixels, so that the page stays small.
MOST_VECTOR_DOTS = 400

_INK, _MUTED, _GOOD, _BAD, _ALLOWED = "#26323b", "#6b7883", "#2a7f74", "#b4502a", "#dcefe9"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rates",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": "#c9d1d8",
    "xtick.color": _MUTED,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Dot:
    """One stream of one recording: its rate in Hz, its longest pause in seconds (None if not measured), accepted or not."""

    rate_hz: float | None
    longest_gap_s: float | None
    accepted: bool


def rates_and_pauses(dots: Mapping[str, Sequence[Dot]], contracts: Mapping[str, StreamContract]) -> str:
    """Draw a row for each stream: rates at the left, longest pauses at the right.

    Parameters
    ----------
    dots : mapping of str to sequence of Dot
        By stream; streams of the study only.
    contracts : mapping of str to StreamContract

    Returns
    -------
    str
        An ``<svg>`` element; empty if there is no stream.
    """
    if not dots:
        return ""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with matplotlib.rc_context(_STYLE):
        height = 0.4 + 1.05 * len(dots)
        figure = Figure(figsize=(9.2, height))
        rows = figure.subplots(len(dots), 2, squeeze=False)
        figure.subplots_adjust(left=0.12, right=0.985, top=1 - 0.05 / height, bottom=0.5 / height, wspace=0.06, hspace=0.5)
        for (name, of_stream), (left, right) in zip(dots.items(), rows, strict=True):
            _rates(left, of_stream, contracts[name])
            _pauses(right, of_stream, contracts[name])
            # Few ticks: they are most of what drawing costs.
            left.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            right.minorticks_off()
            left.set_ylabel(name.replace("_", "\n"), rotation=0, ha="right", va="center", color=_INK)
        rows[-1][0].set_xlabel("sampling rate (Hz)", color=_MUTED)
        rows[-1][1].set_xlabel("longest pause (s)", color=_MUTED)
        return _svg(figure)


def _rates(axes: Any, dots: Sequence[Dot], contract: StreamContract) -> None:
    low, high = contract.rate_hz
    axes.axvspan(low, high, color=_ALLOWED, linewidth=0)
    _scatter(axes, [dot.rate_hz for dot in dots], dots)
    margin = 0.6 * (high - low) or 1.0
    shown = [dot.rate_hz for dot in dots if dot.rate_hz is not None and math.isfinite(dot.rate_hz)]
    axes.set_xlim(max(0, min([low, *shown]) - margin), max([high, *shown]) + margin)


def _pauses(axes: Any, dots: Sequence[Dot], contract: StreamContract) -> None:
    axes.set_xscale("log")
    shown = [dot.longest_gap_s for dot in dots if dot.longest_gap_s and math.isfinite(dot.longest_gap_s)]
    ends = [*shown, *([contract.max_gap_s] if contract.max_gap_s else [])] or [1.0]
    left, right = min(ends) / 2, max(ends) * 2
    if contract.max_gap_s:
        axes.axvspan(left, contract.max_gap_s, color=_ALLOWED, linewidth=0)
    _scatter(axes, [dot.longest_gap_s or None for dot in dots], dots)
    axes.set_xlim(left, right)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _scatter(axes: Any, values: Sequence[float | None], dots: Sequence[Dot]) -> None:
    as_pixels = len(dots) > MOST_VECTOR_DOTS
    for accepted, marker, color, size in ((True, "o", _GOOD, 4), (False, "x", _BAD, 5)):
        points = [(value, n) for n, (value, dot) in enumerate(zip(values, dots, strict=True)) if dot.accepted is accepted]
        points = [(value, n) for value, n in points if value is not None and math.isfinite(value)]
        across, up = zip(*points, strict=True) if points else ((), ())
        axes.plot(across, up, marker, color=color, markersize=size, alpha=0.75, markeredgewidth=1.2, rasterized=as_pixels)
    axes.set_ylim(-0.1 * len(dots) - 1, 1.1 * len(dots))
    axes.set_yticks([])
    axes.spines[["left", "top", "right"]].set_visible(False)


def _svg(figure: Any) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = written.getvalue()
    return text[text.index("<svg") :]
