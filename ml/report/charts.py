"""The pictures of a model's report as inline SVG: numbers and the study's own names, nothing from outside.

Belongs here: drawing. What is drawn is gathered in `ml.report`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation import Evaluation
from ml.explanation import ChannelImportance, Saliency

_INK, _MUTED, _LINE, _GOOD, _BAD = "#26323b", "#64717c", "#c9d1d8", "#2a7f74", "#b4502a"
_COLOURS = ("#2f6fa7", "#c0762b", "#5b8a3c", "#8a5aa0", "#b03a5b", "#3f8f96", "#7a6a3a", "#555f9c", "#9c7fb5", "#84603f")
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "model",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "text.parse_math": False,
}
#: So many labels or channels are drawn with their names; more would be unreadable.
MOST_NAMES = 24


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Any, list[str]]]:
    """Give a figure to draw on; its SVG is the one entry of the list when the block ends."""
    import matplotlib
    from matplotlib.figure import Figure

    drawn: list[str] = []
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, drawn
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        text = written.getvalue()
        drawn.append(text[text.index("<svg") :])


def confusion_chart(evaluation: Evaluation) -> str:
    """Draw the confusion matrix: share of each true label, and the counts."""
    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 1.9 + 0.42 * min(len(counts), MOST_NAMES)
    with _figure(size + 0.8, size) as (figure, drawn):
        axes = figure.subplots()
        axes.imshow(shares, cmap="GnBu", vmin=0, vmax=1)
        if len(counts) <= MOST_NAMES:
            for row, column in np.ndindex(*counts.shape):
                if counts[row, column]:
                    colour = "white" if shares[row, column] > 0.6 else _INK
                    axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=colour, fontsize=8)
            axes.set_xticks(range(len(counts)), evaluation.labels, rotation=40, ha="right")
            axes.set_yticks(range(len(counts)), evaluation.labels)
        axes.set_xlabel("answered")
        axes.set_ylabel("true")
        axes.spines[:].set_visible(False)
    return drawn[0]


def roc_chart(evaluation: Evaluation) -> str:
    """Draw the ROC curve of every label with its best operating point; empty if there is none."""
    if not evaluation.roc:
        return ""
    with _figure(5.4, 3.4) as (figure, drawn):
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
        for number, curve in enumerate(evaluation.roc):
            colour, name = _COLOURS[number % len(_COLOURS)], f"{curve.label} ({curve.auc:.3f})"
            axes.plot(curve.false_positive_rate, curve.true_positive_rate, color=colour, linewidth=1.4, label=name)
            axes.plot(1 - curve.specificity, curve.sensitivity, "o", color=colour, markersize=4)
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        _bare(axes)
        if len(evaluation.roc) <= MOST_NAMES:
            figure.legend(loc="outside right upper", frameon=False, fontsize=8, title="label (AUC)")
    return drawn[0]


def calibration_chart(evaluation: Evaluation) -> str:
    """Draw how often answers were right over how sure they were."""
    found = evaluation.calibration
    with _figure(3.2, 3.0) as (figure, drawn):
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
        sizes = 15 + 120 * np.array(found.count) / max(found.count)
        axes.scatter(found.confidence, found.accuracy, s=sizes, color=_COLOURS[0], alpha=0.8, linewidth=0)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("probability that the model gave")
        axes.set_ylabel("share that was right")
        _bare(axes)
    return drawn[0]


def participants_chart(evaluation: Evaluation) -> str:
    """Draw the macro F1 of each participant, worst first, without names."""
    values = evaluation.participant_f1
    with _figure(5.0, 2.2) as (figure, drawn):
        axes = figure.subplots()
        axes.bar(range(1, len(values) + 1), values, color=_COLOURS[0], width=0.7)
        axes.set_ylim(0, 1)
        axes.set_xlabel("participants, worst first")
        axes.set_ylabel("macro F1")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _bare(axes)
    return drawn[0]


def lines_chart(lines: Mapping[str, Sequence[float]], *, across: str, up: str, at: Sequence[float] | None = None) -> str:
    """Draw lines over epochs or another axis; empty if no line has two points.

    Parameters
    ----------
    lines : mapping of str to sequence of float
        Names and values; those of a name that starts as another one have its colour.
    across, up : str
        What the axes show.
    at : sequence of float, optional
        Positions of the values; 1, 2, 3 … if left out.
    """
    if not any(len(values) > 1 for values in lines.values()):
        return ""
    with _figure(5.6, 2.7) as (figure, drawn):
        axes = figure.subplots()
        for number, (name, values) in enumerate(lines.items()):
            places = at if at is not None else range(1, len(values) + 1)
            axes.plot(places, values, color=_COLOURS[number % len(_COLOURS)], linewidth=1.5, label=name)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        _bare(axes)
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return drawn[0]


def bars_chart(
    values: Mapping[str, float], *, across: str, spread: Sequence[float] | None = None, limit: float | None = None
) -> str:
    """Draw a horizontal bar for each name, the first on top; values beyond `limit` stand out."""
    names = list(values)[:MOST_NAMES]
    if not names:
        return ""
    with _figure(5.6, 0.7 + 0.22 * len(names)) as (figure, drawn):
        axes = figure.subplots()
        shown = [values[name] for name in names]
        colours = [_BAD if limit is not None and value > limit else _COLOURS[0] for value in shown]
        error = None if spread is None else list(spread)[: len(names)]
        axes.barh(range(len(names)), shown, xerr=error, color=colours, height=0.7, error_kw={"ecolor": _MUTED, "elinewidth": 1})
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.axvline(0, color=_LINE, linewidth=1)
        if limit is not None:
            axes.axvline(limit, color=_BAD, linewidth=1, linestyle=":")
        axes.set_xlabel(across)
        _bare(axes)
    return drawn[0]


def importance_chart(found: Sequence[ChannelImportance]) -> str:
    """Draw how much each channel counts."""
    values = {one.channel: one.drop for one in found}
    return bars_chart(values, across="macro F1 lost without it", spread=[one.spread for one in found])


def saliency_chart(example: Saliency, channels: Sequence[str]) -> str:
    """Draw every channel of an example over a band of how much each moment speaks for the answer."""
    shown = list(range(min(len(channels), MOST_NAMES)))
    reach = float(np.abs(example.attribution).max()) or 1.0
    with _figure(5.6, 0.5 + 0.42 * len(shown)) as (figure, drawn):
        rows = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for channel, axes in zip(shown, rows, strict=True):
            signal = example.signal[:, channel]
            _band(axes, example.attribution[:, channel] / reach, signal)
            axes.plot(signal, color=_INK, linewidth=0.9)
            axes.set_ylabel(channels[channel], rotation=0, ha="right", va="center", fontsize=7.5)
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        rows[-1].set_xlabel("sample")
    return drawn[0]


def scatter_chart(points: npt.NDArray[np.floating[Any]], names: Sequence[str]) -> str:
    """Draw points of shape (n, 2), a colour for each name."""
    with _figure(5.6, 4.0) as (figure, drawn):
        axes = figure.subplots()
        for number, name in enumerate(sorted(set(names))):
            of_name = np.array([other == name for other in names])
            colour, marker = _COLOURS[number % len(_COLOURS)], "osD^v"[number // len(_COLOURS) % 5]
            axes.plot(
                *points[of_name].T, marker, color=colour, markersize=3.5, alpha=0.8, label=name, rasterized=len(names) > 800
            )
        axes.set_xticks([])
        axes.set_yticks([])
        _bare(axes)
        if len(set(names)) <= MOST_NAMES:
            figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return drawn[0]


def _band(axes: Any, attribution: npt.NDArray[np.float32], signal: npt.NDArray[np.float32]) -> None:
    low, high = float(signal.min()), float(signal.max())
    margin = 0.1 * (high - low) or 1.0
    extent = (-0.5, len(signal) - 0.5, low - margin, high + margin)
    axes.imshow(attribution[np.newaxis], cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", extent=extent, alpha=0.75)
    axes.set_ylim(extent[2:])


def _bare(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
