"""Champion against challenger, both asked about the same people, whom neither has learnt from.

Belongs here: which examples are fair to both, and how sure the difference is. What follows from it is decided in `ml.gate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.intervals import LEVEL, RESAMPLES, Interval, accuracy, macro_f1
from ml.gate import Rivalry
from ml.model_version import ModelVersion
from ml.preprocessing.training_table import TrainingTable
from ml.registry import Registry
from ml.storage import load, read_description
from warehouse.home import Home
from warehouse.lake import Lake

_SCORES = {"macro_f1": macro_f1, "accuracy": accuracy}


def compare(
    challenger: ModelVersion, champion: ModelVersion, table: TrainingTable, registry: Registry, home: Home, *, metric: str
) -> Rivalry | None:
    """Ask both about the held-out groups of a training table that the champion has not learnt from either.

    Returns
    -------
    Rivalry or None
        None where nothing can be compared so: nothing is held out, fewer than two groups are left, the champion was trained
        on other channels or another length, or the metric is neither macro F1 nor accuracy.
    """
    held_out = table.held_out()
    facts = read_description(registry.artifact(champion))["facts"]
    same_shape = (facts["channels"], facts["length"]) == (list(table.meta.channels), table.meta.length)
    if held_out is None or metric not in _SCORES or not same_shape:
        return None
    rows = held_out[1][~np.isin(table.groups[held_out[1]], _taught(champion, home))]
    groups, group = np.unique(table.groups[rows], return_inverse=True)
    if len(groups) < 2:
        return None
    confusions = np.stack(
        [_confusions(load(registry.artifact(one)).estimator, table, rows, group) for one in (challenger, champion)]
    )
    scores, lead = _lead(confusions, metric, seed=table.meta.seed)
    return Rivalry(*scores, lead=lead, groups=len(groups), examples=len(rows))


def _taught(champion: ModelVersion, home: Home) -> list[str]:
    where = {"task": champion.task, "fingerprint": champion.fingerprint}
    rows = Lake(home).read("examples", columns=["split_group", "fold"], where=where)
    folds, groups = rows["fold"].to_numpy(), rows["split_group"].to_numpy(zero_copy_only=False)
    return sorted(set(groups[folds >= 0].tolist()))


def _confusions(
    estimator: Any, table: TrainingTable, rows: npt.NDArray[np.int64], group: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Confusion matrix of each group, over all labels of the table and of the model."""
    labels = np.unique(np.concatenate([table.labels, estimator.classes_]))
    truth, said = (np.searchsorted(labels, found) for found in (table.labels[rows], estimator.predict(table.signals[rows])))
    counts = np.zeros((group.max() + 1, len(labels), len(labels)), np.int64)
    np.add.at(counts, (group, truth, said), 1)
    return counts


def _lead(confusions: npt.NDArray[np.int64], metric: str, *, seed: int) -> tuple[tuple[float, float], Interval]:
    """Scores of both, and the interval of their difference when the same groups are drawn for both."""
    score = _SCORES[metric]
    whole = score(confusions.sum(axis=1))
    groups = confusions.shape[1]
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
    ours, theirs = (score(np.tensordot(drawn, of_model, axes=1)) for of_model in confusions)
    low, high = np.percentile(ours - theirs, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return (float(whole[0]), float(whole[1])), Interval(float(low), float(high))
