"""Pictures as inline SVG: all recordings of a batch with their rates and longest pauses, and one stream with what is wrong in it.

What the study allows is drawn beside it. Nothing from outside is written into a picture: names are the study's own, everything
else is a number.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quality.previews import thinned
from studies.study import StreamContract

#: More dots than this are drawn as pixels, so that the page stays small.
MOST_VECTOR_DOTS = 400
_WIDEST_NAME = 14
#: Pauses that differ by less lie on a plain scale: a logarithmic one would have a single tick.
_DECADE = 12

_INK, _MUTED, _GOOD, _BAD, _ALLOWED = "#26323b", "#6b7883", "#2a7f74", "#b4502a", "#dcefe9"
_MARKED, _AXES_COLORS = "#f0c4b2", ("#1d4e79", "#dc8a35", "#4c8a36", "#8a5aa0")
_GAP_STEPS = 2.5
#: A closer look that shows more of the readings than this is none.
_WORTH_A_LOOK = 0.7
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
    """Draw a row for each name: rates at the left, longest pauses at the right.

    Parameters
    ----------
    dots : mapping of str to sequence of Dot
        By what a row is called.
    contracts : mapping of str to StreamContract
        Under the same names.

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
            left.set_ylabel(textwrap.fill(name, _WIDEST_NAME), rotation=0, ha="right", va="center", color=_INK)
        rows[-1][0].set_xlabel("sampling rate (Hz)", color=_MUTED)
        rows[-1][1].set_xlabel("longest pause (s)", color=_MUTED)
        return _svg(figure)


def signal_and_steps(
    t_ns: npt.NDArray[np.int64], values: npt.NDArray[np.float32], stretches: npt.NDArray[np.int64], contract: StreamContract
) -> str:
    """Draw a stream: its values, the time between readings, and a closer look at the first marked stretch.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Sorted; two readings or more.
    values : ndarray of float32, shape (n, channels)
    stretches : ndarray of int64, shape (k, 2)
        First and last ns of what is to be marked.
    contract : StreamContract

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    import matplotlib
    from matplotlib.figure import Figure

    at, marked = (t_ns - t_ns[0]) / 1e9, (stretches - t_ns[0]) / 1e9
    with matplotlib.rc_context(_STYLE):
        near = _near(at, marked)
        rows = 3 if 1 < np.count_nonzero(near) < _WORTH_A_LOOK * at.size else 2
        figure = Figure(figsize=(9.2, 2.1 * rows))
        panels = figure.subplots(rows, 1, squeeze=False)[:, 0]
        figure.subplots_adjust(left=0.1, right=0.985, top=1 - 0.12 / rows, bottom=0.3 / rows, hspace=0.35)
        _values(panels[0], at, values, marked, contract)
        _steps(panels[1], at, marked, contract)
        if rows > 2:
            _values(panels[2], at[near], values[near], marked[:1], contract)
            panels[2].set_title("a closer look at the first marked stretch", fontsize=9, color=_MUTED, loc="left")
        panels[0].legend(loc="lower right", bbox_to_anchor=(1, 0.96), ncols=4, frameon=False, fontsize=8)
        panels[-1].set_xlabel("seconds since the first reading", color=_MUTED)
        return _svg(figure)


def _near(at: Any, marked: Any) -> Any:
    """Readings around the first marked stretch."""
    if not len(marked):
        return np.zeros(at.size, dtype=bool)
    around = max(2.0, 1.5 * float(marked[0, 1] - marked[0, 0]))
    return (at >= marked[0, 0] - around) & (at <= marked[0, 1] + around)


def _values(axes: Any, at: Any, values: Any, marked: Any, contract: StreamContract) -> None:
    steps = np.diff(at)
    broken = np.flatnonzero(steps > _GAP_STEPS * np.median(steps)) + 1
    for number, (name, color) in enumerate(zip("xyzw", _AXES_COLORS, strict=True)):
        if number < values.shape[1]:
            pieces = zip(np.split(at, broken), np.split(values[:, number], broken), strict=True)
            for piece, (across, up) in enumerate(pieces):
                axes.plot(*thinned(across, up), color=color, linewidth=0.9, label=None if piece else name)
    if contract.range is not None and values.size and (values.min() < contract.range[0] or values.max() > contract.range[1]):
        axes.axhspan(*contract.range, color=_ALLOWED, linewidth=0, zorder=0)
    _mark(axes, marked)
    axes.set_ylabel(contract.unit.replace("^2", "²").replace("uT", "µT"), color=_INK)
    axes.spines[["top", "right"]].set_visible(False)


def _steps(axes: Any, at: Any, marked: Any, contract: StreamContract) -> None:
    steps_ms = np.diff(at) * 1e3
    axes.set_yscale("log")
    axes.axhspan(1e3 / contract.rate_hz[1], 1e3 / contract.rate_hz[0], color=_ALLOWED, linewidth=0, zorder=0)
    if contract.max_gap_s is not None:
        axes.axhline(contract.max_gap_s * 1e3, color=_BAD, linewidth=0.8, linestyle="--")
    across, up = thinned(at[1:], np.maximum(steps_ms, 1e-3))
    axes.plot(across, up, ".", color=_INK, markersize=2.5)
    _mark(axes, marked)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter("")
    axes.set_ylabel("ms since the\nlast reading", color=_INK)
    axes.spines[["top", "right"]].set_visible(False)


def _mark(axes: Any, marked: Any) -> None:
    for start, end in marked.tolist():
        axes.axvspan(start, end, facecolor=_MARKED, edgecolor=_BAD, alpha=0.55, linewidth=0.8, zorder=1)


def _rates(axes: Any, dots: Sequence[Dot], contract: StreamContract) -> None:
    low, high = contract.rate_hz
    axes.axvspan(low, high, color=_ALLOWED, linewidth=0)
    _scatter(axes, [dot.rate_hz for dot in dots], dots)
    margin = 0.6 * (high - low) or 1.0
    shown = [dot.rate_hz for dot in dots if dot.rate_hz is not None and math.isfinite(dot.rate_hz)]
    axes.set_xlim(max(0, min([low, *shown]) - margin), max([high, *shown]) + margin)


def _pauses(axes: Any, dots: Sequence[Dot], contract: StreamContract) -> None:
    shown = [dot.longest_gap_s for dot in dots if dot.longest_gap_s and math.isfinite(dot.longest_gap_s)]
    ends = [*shown, *([contract.max_gap_s] if contract.max_gap_s else [])] or [1.0]
    left, right = min(ends) / 2, max(ends) * 2
    if right > _DECADE * left:
        axes.set_xscale("log")
    else:
        left = 0.0
        axes.locator_params(axis="x", nbins=4)
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
