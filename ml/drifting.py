"""Drift of a batch, as its run finds it: every task's champion is asked what it learnt from, and the batch is held against it.

Belongs here: which table a batch is compared with, the rows of `drift`, and the sentence for the scheduler. The figures are
`ml.drift`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ml.drift import Drift, Reference, drift
from ml.preprocessing.baseline import baselines_of, beside_baselines
from ml.preprocessing.originals import cut_segments
from ml.preprocessing.selection import answers, segments_of_batch
from ml.preprocessing.tensors import channel_names
from ml.registry import Registry
from ml.storage import ModelRefused, read_description
from studies.study import Study
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

#: Share of labels that may lie elsewhere before a batch is called unlike: deliveries of one exercise only are normal.
LABELS_SHIFTED = 0.5
_NAMED = 5


@dataclass(frozen=True)
class TaskDrift:
    """What a batch is to the champion of one task."""

    task: str
    version: int
    found: Drift


def measure_drift(batch_id: str, study: Study, home: Home) -> tuple[TaskDrift, ...]:
    """Hold a batch against the training table of every champion of its study; write `drift`.

    Tasks without a champion, or whose recipe is another one since, have nothing to compare with and are left out; so are those
    whose champion cannot be read any more, because an older version of this code wrote it: their next training mends that.

    Parameters
    ----------
    batch_id : str
        A batch with its segments in the lake.
    study : Study
    home : Home
    """
    found = tuple(drifted for task in study.tasks if (drifted := _of_task(batch_id, study, task, home)) is not None)
    rows = [row for one in found for row in _rows(batch_id, one)]
    Lake(home).replace("drift", pa.Table.from_pylist(rows, schema=TABLES["drift"].schema), where={"batch_id": batch_id})
    return found


def in_words(found: Sequence[TaskDrift]) -> str:
    """Say what drifted, for a person.

    Examples
    --------
    >>> in_words([])
    'no champion to compare with yet'
    """
    if not found:
        return "no champion to compare with yet"
    return "; ".join(f"{one.task} (version {one.version}): {_sentence(one.found)}" for one in found)


def is_steady(found: Sequence[TaskDrift]) -> bool:
    """Return True if no feature and no label of any task lies beyond its limit."""
    return all(not one.found.shifted and one.found.label_shift <= LABELS_SHIFTED for one in found)


def _of_task(batch_id: str, study: Study, task: str, home: Home) -> TaskDrift | None:
    registry, recipe = Registry(home), study.tasks[task]
    champion = registry.champion(f"{study.study}.{task}")
    if champion is None:
        return None
    try:
        facts = read_description(registry.artifact(champion))["facts"]
    except ModelRefused:
        return None
    cut_alike = all(facts["recipe"][part] == recipe.model_dump(mode="json")[part] for part in ("input", "segment"))
    segments = segments_of_batch(batch_id, study, task, home)
    if "reference" not in facts or not cut_alike or not segments.num_rows:
        return None
    signals, labels = cut_segments(segments, recipe, home), np.array(answers(segments, recipe))
    if recipe.input.baseline:
        # Of this batch alone: what else its people did is in batches that may not be through yet.
        people = segments["participant"].to_numpy(zero_copy_only=False).astype(np.str_)
        signals = beside_baselines(signals, people, baselines_of(signals, people))
    known = Reference.from_json(facts["reference"])
    return TaskDrift(champion.task, champion.version, drift(known, signals, channels=channel_names(recipe.input), labels=labels))


def _rows(batch_id: str, one: TaskDrift) -> list[dict[str, Any]]:
    same = {"batch_id": batch_id, "task": one.task, "version": one.version, "examples": one.found.examples}
    features = [
        {**same, "feature": name, "value": value, "allowed": one.found.limit[name], "shifted": value > one.found.limit[name]}
        for name, value in one.found.index.items()
    ]
    shift = one.found.label_shift
    return [*features, {**same, "feature": "label", "value": shift, "allowed": LABELS_SHIFTED, "shifted": shift > LABELS_SHIFTED}]


def _sentence(found: Drift) -> str:
    parts = []
    if found.shifted:
        named = [f"{name} {found.index[name]:.2f} (limit {found.limit[name]:.2f})" for name in found.shifted[:_NAMED]]
        more = len(found.shifted) - len(named)
        parts.append(f"{len(found.shifted)} features lie elsewhere: {', '.join(named)}{f' and {more} more' if more else ''}")
    if found.label_shift > LABELS_SHIFTED:
        parts.append(f"{found.label_shift:.0%} of the labels come in other shares")
    return " and ".join(parts) or f"{found.examples} examples like those that it learnt from"
