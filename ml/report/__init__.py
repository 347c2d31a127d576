"""The report of a model version: one self-contained page, drawn from what its training kept.

Belongs here: what is told and in which order; the page itself is ``page.html``, pictures come from `ml.report.charts`. Labels
are the study's; all text is escaped on the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.evaluation import CROSS_VALIDATION, TEST, Evaluation
from ml.explanation import ChannelImportance, Saliency
from ml.model_version import ModelVersion
from ml.report.charts import (
    calibration_chart,
    confusion_chart,
    importance_chart,
    participants_chart,
    roc_chart,
    saliency_chart,
)

#: Two protocols that differ by more than this are pointed out: the larger score is of people the model already knows.
WIDE_APART = 0.05

_NAMES = {CROSS_VALIDATION: "cross-validation", TEST: "held-out test"}


@dataclass(frozen=True)
class Picture:
    """A drawing with a heading; the drawing is SVG that `ml.report.charts` made."""

    drawing: str
    title: str = ""


@dataclass(frozen=True)
class Part:
    """One further section of the page."""

    title: str
    text: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Contents:
    """What a page tells of one version.

    Parameters
    ----------
    version : ModelVersion
    evaluations : sequence of Evaluation
        By the protocol that decides; the last one is quoted.
    others : mapping of str to Evaluation
        By other protocols, such as the authors' own, with their names.
    channels : sequence of str
    importance : sequence of ChannelImportance
    examples : sequence of Saliency
    parts : sequence of Part
        Further sections: learning curves, transfer, drift.
    card : mapping of str to str
        Rows of the model card.
    """

    version: ModelVersion
    evaluations: Sequence[Evaluation]
    others: Mapping[str, Evaluation] = field(default_factory=dict)
    channels: Sequence[str] = ()
    importance: Sequence[ChannelImportance] = ()
    examples: Sequence[Saliency] = ()
    parts: Sequence[Part] = ()
    card: Mapping[str, str] = field(default_factory=dict)


def write_model_report(contents: Contents, page: Path) -> Path:
    """Write the page of one version; the page before is replaced at once, never half."""
    draft = page.with_name(f".{page.name}.draft")
    draft.write_text(_rendered(_told(contents)), encoding="utf-8")
    draft.replace(page)
    return page


def _rendered(content: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader(Path(__file__).parent)
    pages = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return pages.get_template("page.html").render(content)


def _told(contents: Contents) -> dict[str, Any]:
    quoted = contents.evaluations[-1]
    return {
        "version": contents.version,
        "tiles": _tiles(quoted, contents.version),
        "warnings": _warnings(quoted, contents.others),
        "protocols": [
            *(_protocol(_NAMES.get(one.protocol, one.protocol), one) for one in contents.evaluations),
            *(_protocol(name, one) for name, one in contents.others.items()),
        ],
        "by_label": _by_label(quoted),
        "operating": [
            {name: getattr(curve, name) if name == "label" else f"{getattr(curve, name):.3f}" for name in _OPERATING}
            for curve in quoted.roc
        ],
        "charts": _charts(quoted),
        "parts": [_safe(part) for part in (*_explained(contents), *contents.parts)],
        "card": list(contents.card.items()),
    }


_OPERATING = ("label", "auc", "threshold", "sensitivity", "specificity", "youden")


def _tiles(quoted: Evaluation, version: ModelVersion) -> list[tuple[str, str, str]]:
    scores = quoted.overall()
    ranges = {
        name: f"{ends.low:.3f} to {ends.high:.3f}, with other {quoted.interval_of}" for name, ends in quoted.intervals.items()
    }
    return [
        *_said_in_error(quoted, scores),
        ("macro F1", f"{scores['macro_f1']:.3f}", ranges.get("macro_f1", "")),
        ("accuracy", f"{scores['accuracy']:.3f}", ranges.get("accuracy", "")),
        *_of_recordings(scores, quoted.interval_of),
        ("macro F1 of the worst participant", f"{scores['worst_participant_f1']:.3f}", ""),
        ("participants tested", f"{len(quoted.participant_f1)}", ""),
        ("seconds of training", f"{version.train_seconds:.1f}", ""),
    ]


def _of_recordings(scores: Mapping[str, float], interval_of: str) -> list[tuple[str, str, str]]:
    """What is right of recordings that are answered by the mean over their examples."""
    if "recordings" not in scores:
        return []
    told = f"of {scores['recordings']:.0f}, each answered by the mean over its examples"
    if "recording_accuracy_low" in scores:
        low, high = scores["recording_accuracy_low"], scores["recording_accuracy_high"]
        told += f"; {low:.3f} to {high:.3f}, with other {interval_of}"
    return [("accuracy of whole recordings", f"{scores['recording_accuracy']:.3f}", told)]


def _said_in_error(quoted: Evaluation, scores: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """The figure that comes first where one answer must not be given in error."""
    if quoted.positive is None:
        return []
    counted = f"{scores['false_positives']:.0f} examples of other labels"
    at_best = [curve for curve in quoted.roc if curve.label == quoted.positive]
    further = [f"; {1 - curve.specificity:.3f} at the threshold of {curve.threshold:.2f}, Youden's" for curve in at_best]
    return [(f"told {quoted.positive} in error", f"{scores['false_positive_rate']:.3f}", "".join([counted, *further]))]


def _warnings(quoted: Evaluation, others: Mapping[str, Evaluation]) -> list[str]:
    own = quoted.overall()["macro_f1"]
    gaps = {name: other.overall()["macro_f1"] - own for name, other in others.items()}
    return [
        f"By the protocol '{name}' the macro F1 is {own + gap:.3f}, {100 * abs(gap):.0f} points {'more' if gap > 0 else 'less'} "
        f"than the {own:.3f} that decides. The two do not measure the same: see what is held out in each."
        for name, gap in gaps.items()
        if abs(gap) > WIDE_APART
    ]


def _protocol(name: str, evaluation: Evaluation) -> dict[str, Any]:
    scores = evaluation.overall()
    figures = {
        "accuracy": scores["accuracy"],
        "macro_f1": scores["macro_f1"],
        "worst": scores["worst_participant_f1"],
        "calibration": scores["calibration_error"],
    }
    return {"name": name, "support": scores["support"], **{key: f"{value:.3f}" for key, value in figures.items()}}


def _by_label(evaluation: Evaluation) -> list[dict[str, str]]:
    rows: dict[str, dict[str, str]] = {label: {"label": label} for label in evaluation.labels}
    for score in evaluation.scores():
        if score.label is not None and score.predicted is None and score.metric in ("precision", "recall", "f1", "support"):
            rows[score.label][score.metric] = f"{score.value:.0f}" if score.metric == "support" else f"{score.value:.3f}"
    return list(rows.values())


def _charts(evaluation: Evaluation) -> dict[str, Any]:
    from markupsafe import Markup

    # Safe: matplotlib writes text into SVG escaped.
    return {
        "confusion": Markup(confusion_chart(evaluation)),
        "roc": Markup(roc_chart(evaluation)),
        "calibration": Markup(calibration_chart(evaluation)),
        "participants": Markup(participants_chart(evaluation)),
    }


def _explained(contents: Contents) -> list[Part]:
    parts = []
    if contents.importance:
        text = (
            "What is lost when a channel is exchanged between examples. Channels that say the same can stand in for each other."
        )
        parts.append(Part("Which channels count", text, (Picture(importance_chart(contents.importance)),)))
    if contents.examples:
        text = (
            f"Red speaks for the answer, blue against it ({contents.examples[0].method}). One example of each label, of people "
            "that this copy of the model learnt from as well."
        )
        pictures = tuple(
            Picture(
                saliency_chart(example, contents.channels),
                f"{example.label}, answered {example.predicted} with a probability of {example.probability:.2f}",
            )
            for example in contents.examples
        )
        parts.append(Part("Which moments count", text, pictures))
    return parts


def _safe(part: Part) -> dict[str, Any]:
    from markupsafe import Markup

    pictures = [{"title": picture.title, "drawing": Markup(picture.drawing)} for picture in part.pictures if picture.drawing]
    return {"title": part.title, "text": part.text, "pictures": pictures}
