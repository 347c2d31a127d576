"""What is kept of a trained version beside its scores: explanations, learning curves, timings, what its table was like.

Belongs here: figures to look at, computed once when a version is trained, which decide nothing; and their files in the
version's folder, so that they go when it goes. How they are told is in `ml.report`.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.drift import reference
from ml.evaluation.intervals import macro_f1_of
from ml.explanation import ChannelImportance, Saliency, channel_importance, salient
from ml.learner import Learner, Rows
from ml.preprocessing.training_table import TrainingTable

_EXPLAINED = "explained.npz"
_SHARES = (0.25, 0.5)
_TIMED = 20
_FEWEST_GROUPS = 4


@dataclass(frozen=True)
class Sample:
    """A fitted copy of a version, and rows of its table that this copy never saw."""

    estimator: Any
    taught: Rows
    unseen: Rows


def describe(learner: Learner, sample: Sample, *, say: Callable[[str], None]) -> tuple[dict[str, Any], tuple[Saliency, ...]]:
    """Compute what is kept.

    Parameters
    ----------
    learner : Learner
    sample : Sample
        The version itself where people are held out for the test, else the copy of the first fold.
    say : callable
        Takes a line for a person before what takes long.

    Returns
    -------
    facts : dict
        JSON: ``importance``, ``reference`` (see `ml.drift`), ``learning`` (rows of ``groups`` and ``macro_f1``),
        ``inference_ms`` of one example.
    examples : tuple of Saliency
        One of each label, for `write_examples`; none of single frames.
    """
    table = learner.table
    signals, labels = table.signals[sample.unseen], table.labels[sample.unseen]
    say(f"{table.meta.task}: {learner.family} is explained")
    importance = channel_importance(sample.estimator, signals, labels, channels=table.meta.channels, seed=learner.recipe.seed)
    _, first = np.unique(labels, return_index=True)
    facts = {
        "importance": [asdict(one) for one in importance],
        "reference": _reference(table),
        "learning": _learning_curve(learner, sample, say=say),
        "inference_ms": _inference_ms(sample.estimator, signals),
    }
    if signals.shape[1] == 1:  # a frame has no moments of which some count more than others
        return facts, ()
    return facts, salient(sample.estimator, signals[first], labels[first])


def explained_examples(folder: Path) -> tuple[Saliency, ...]:
    """Read the examples that `write_examples` wrote; empty if there are none."""
    path = folder / _EXPLAINED
    if not path.is_file():
        return ()
    with np.load(path, allow_pickle=False) as kept:
        told = json.loads(str(kept["told"]))
        return tuple(
            Saliency(**one, signal=signal, attribution=attribution)
            for one, signal, attribution in zip(told, kept["signals"], kept["attributions"], strict=True)
        )


def importance_of(facts: Mapping[str, Any]) -> tuple[ChannelImportance, ...]:
    """Return what `describe` kept of the channels."""
    return tuple(ChannelImportance(**one) for one in facts.get("importance", ()))


def write_examples(folder: Path, examples: tuple[Saliency, ...]) -> None:
    """Write explained examples into a version's folder; nothing where there are none."""
    if not examples:
        return
    told = [
        {"label": one.label, "predicted": one.predicted, "probability": one.probability, "method": one.method} for one in examples
    ]
    arrays = {name: np.stack([getattr(one, name[:-1]) for one in examples]) for name in ("signals", "attributions")}
    np.savez_compressed(
        folder / _EXPLAINED, told=np.array(json.dumps(told)), signals=arrays["signals"], attributions=arrays["attributions"]
    )


def _reference(table: TrainingTable) -> dict[str, Any]:
    rows = np.flatnonzero(table.original)
    found = reference(
        table.signals[rows], channels=table.meta.channels, labels=table.labels[rows], participants=table.participant[rows]
    )
    return found.to_json()


def _learning_curve(learner: Learner, sample: Sample, *, say: Callable[[str], None]) -> list[dict[str, float]]:
    """Macro F1 on the unseen rows when only some of the groups are learnt from; empty for few groups."""
    table = learner.table
    groups = np.random.default_rng(learner.recipe.seed).permutation(np.unique(table.groups[sample.taught]))
    if len(groups) < _FEWEST_GROUPS:
        return []

    def score_of(estimator: Any) -> float:
        return macro_f1_of(table.labels[sample.unseen], estimator.predict(table.signals[sample.unseen]))

    points = [{"groups": float(len(groups)), "macro_f1": score_of(sample.estimator)}]
    for share in reversed(_SHARES):
        few = groups[: max(2, round(share * len(groups)))]
        rows = sample.taught[np.isin(table.groups[sample.taught], few)]
        if len(np.unique(table.labels[rows])) > 1:
            say(f"{table.meta.task}: {learner.family} learns from {len(few)} of {len(groups)} groups, for the learning curve")
            points.append({"groups": float(len(few)), "macro_f1": score_of(learner.fit(rows))})
    return points[::-1]


def _inference_ms(estimator: Any, signals: npt.NDArray[np.float32]) -> float:
    taken = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        estimator.predict_proba(signals[:1])
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)
