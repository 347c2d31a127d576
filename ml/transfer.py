"""Transfer learning: feature layers learnt on another study's task, carried into a task's networks, and what that brought.

Belongs here: pre-training, once for each source table and layers, and the comparison with training from scratch. That a task is
pre-trained, and on what, its study declares (`pretrain`); its fingerprint covers the source's table.

After Prabhu, Tietz and Ta, "Classifying humans using deep time-series transfer learning" (MileTS 2019).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from ml.code_version import code_version
from ml.learner import Learner, Rows
from ml.models import FAMILIES
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.sources import find_source
from ml.preprocessing.training_table import TrainingTable
from ml.registry import Registry
from ml.storage import load, save
from studies.study import Study
from warehouse.errors import Reason, StudyError, TrainingRefused
from warehouse.home import Home

#: Examples of each label that a person enrols with, as the comparison tries them.
_ENROLMENTS = (1, 2, 3, 5, 10, 20)
_PERPLEXITY = 30.0


@dataclass(frozen=True, eq=False)
class Source:
    """The frozen table that feature layers are learnt from, and the registry that keeps those layers."""

    table: TrainingTable
    registry: Registry

    def features(self, estimator: Any) -> Mapping[str, npt.NDArray[Any]]:
        """Return the feature layers for an estimator like this one, learnt here unless that was done before.

        Raises
        ------
        StudyError
            The layers do not fit the source's examples.
        """
        teacher = clone(estimator).set_params(members=1)
        meta, family = self.table.meta, type(estimator).__module__.rpartition(".")[2]
        recipe = json.dumps([code_version("ml"), teacher.get_params()], sort_keys=True)
        name = f"pretrained-{family}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
        folder = self.registry.root / "models" / meta.task / meta.fingerprint / name
        with self.registry.locked(meta.task):
            if not folder.exists():
                rows = np.flatnonzero(self.table.fold >= 0)
                teacher.fit(self.table.signals[rows], self.table.labels[rows], self.table.groups[rows])
                save(folder, teacher, family=family, facts={"curves": teacher.curves_})
        learnt: Any = load(folder).estimator
        found: Mapping[str, npt.NDArray[Any]] = learnt.feature_weights()
        return found


def check_pretrain(study: Study, task: str) -> None:
    """Check that a task's pre-training can work, before anything is frozen.

    Raises
    ------
    StudyError
        As `ml.preprocessing.sources.find_source`; or no family of the task is a network.
    """
    if find_source(study, task) is not None and not any(FAMILIES[model.family].network for model in study.tasks[task].models):
        networks = ", ".join(name for name, family in FAMILIES.items() if family.network)
        sentence = f"only networks can be pre-trained, and the task has none; networks are: {networks}"
        raise StudyError(Reason("pretrain_no_network", sentence, f"studies/{study.study}.yaml tasks.{task}.pretrain"))


def open_source(study: Study, task: str, home: Home) -> Source | None:
    """Return what a task is pre-trained on, frozen as it is now; None if it is not pre-trained.

    Raises
    ------
    TrainingRefused
        The source has nothing to learn from yet.
    """
    source = find_source(study, task)
    if source is None:
        return None
    try:
        return Source(freeze_examples(*source, home), Registry(home))
    except TrainingRefused as refusal:
        sentence = (
            f"'{study.study}.{task}' is pre-trained on '{source[0].study}.{source[1]}', and that cannot be learnt yet: {refusal}"
        )
        remedy = f"deliver recordings of '{source[0].study}', then 'kinelake run'; or take pretrain out of the task"
        raise TrainingRefused(Reason("pretrain_source_empty", sentence, remedy=remedy)) from None


def compare_with_scratch(learner: Learner, taught: Rows, tested: Rows, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Train with and without what is carried, and return what came out: figures to look at, which decide nothing.

    Parameters
    ----------
    learner : Learner
        With `carried`.
    taught, tested : ndarray of int64
    say : callable
        Takes a line for a person before each step.

    Returns
    -------
    dict
        ``over_epochs``: for ``carried`` and ``scratch`` the accuracy on `tested` after every epoch. ``over_enrolments``:
        rows of ``examples`` of each label, ``carried`` and ``scratch``. ``embedding``: rows of ``x``, ``y``, ``label``, the
        t-SNE of the tested examples' features as they came from the source, before anything was learnt here.
    """
    name = f"{learner.table.meta.task}: {learner.family}"
    single = learner.having({"members": 1})
    both = {"carried": single, "scratch": replace(single, carried=None)}
    say(f"{name}, pre-trained beside from scratch, over epochs")
    fitted = {how: learn.fit(taught, watched=tested) for how, learn in both.items()}
    epochs = {how: [epoch["watched_accuracy"] for epoch in found.curves_[0]] for how, found in fitted.items()}
    enrolments = []
    for count in _enrolments(learner.table, taught):
        say(f"{name}, pre-trained beside from scratch, {count} examples of each label")
        few = _enrolled(learner.table, taught, count, seed=learner.recipe.seed)
        accuracy = {how: _accuracy(learn, few, tested) for how, learn in both.items()}
        enrolments.append({"examples": count, **accuracy})
    return {"over_epochs": epochs, "over_enrolments": enrolments, "embedding": _embedding(single, fitted["carried"], tested)}


def _enrolments(table: TrainingTable, taught: Rows) -> list[int]:
    """Up to the last count that every label still has."""
    originals = taught[table.original[taught]]
    fewest = int(np.unique(table.labels[originals], return_counts=True)[1].min())
    return [count for count in _ENROLMENTS if count < fewest] + [fewest]


def _enrolled(table: TrainingTable, taught: Rows, count: int, *, seed: int) -> Rows:
    """So many random segments of each label, with their altered copies."""
    originals = np.random.default_rng(seed).permutation(taught[table.original[taught]])
    labels = table.labels[originals]
    first = np.concatenate([originals[labels == label][:count] for label in np.unique(labels)])
    return taught[np.isin(table.segment_id[taught], table.segment_id[first])]


def _accuracy(learner: Learner, taught: Rows, tested: Rows) -> float:
    answers: Sequence[str] = learner.fit(taught).predict(learner.table.signals[tested])
    return float(np.mean(np.asarray(answers) == learner.table.labels[tested]))


def _embedding(learner: Learner, fitted: Any, tested: Rows) -> list[dict[str, Any]]:
    from sklearn.manifold import TSNE

    if len(tested) < 4 or learner.carried is None:
        return []
    before = fitted.with_features(learner.carried(learner.estimator()))
    vectors = before.embed(learner.table.signals[tested])
    drawing = TSNE(perplexity=min(_PERPLEXITY, (len(tested) - 1) / 3), random_state=learner.recipe.seed, init="pca")
    points = drawing.fit_transform(vectors)
    return [
        {"x": float(x), "y": float(y), "label": str(label)}
        for (x, y), label in zip(points, learner.table.labels[tested], strict=True)
    ]
