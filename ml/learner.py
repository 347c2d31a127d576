"""One family on one training table: what it learns from some rows, and what it then says about others.

Belongs here: from rows to a fitted estimator and to probabilities of every label. Which rows, and how often, is decided in
`ml.training` and `ml.search`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation import PARTICIPANTS, Answers, Evaluation, evaluate
from ml.models import FAMILIES, create
from ml.preprocessing.training_table import TrainingTable
from studies.study import Task

Rows = npt.NDArray[np.int64]
#: Consecutive parts of what is tested that are drawn again for an interval, where it is all of one group (block bootstrap).
_PARTS = 10
#: Feature layers learnt elsewhere, for an estimator like this one.
Carried = Callable[[Any], Mapping[str, npt.NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class Learner:
    """A family with its parameters.

    Parameters
    ----------
    table : TrainingTable
    recipe : Task
        Gives the seed, and the metric that matters.
    family : str
    parameters : mapping of str to object
        Other than the family's defaults.
    carried : callable, optional
        Takes an unfitted estimator and gives the feature layers that it starts from.
    """

    table: TrainingTable
    recipe: Task
    family: str
    parameters: Mapping[str, Any]
    carried: Carried | None = None

    def having(self, parameters: Mapping[str, Any]) -> Learner:
        """Return the same with some parameters in place of its own."""
        return replace(self, parameters={**self.parameters, **parameters})

    def estimator(self) -> Any:
        """Return the unfitted estimator."""
        return create(self.family, {"random_state": self.recipe.seed, **self.parameters})

    def fit(self, rows: Rows, *, watched: Rows | None = None) -> Any:
        """Return an estimator that has learnt from some rows; others may be watched while a network learns.

        Of labels that the task merges only the declared share teaches.
        """
        table, estimator, rows = self.table, self.estimator(), self._thinned(rows)
        more: dict[str, Any] = {}
        if FAMILIES[self.family].network:
            more["carried"] = self.carried(estimator) if self.carried else None
            more["watched"] = None if watched is None else (table.signals[watched], table.labels[watched])
        return estimator.fit(table.signals[rows], table.labels[rows], table.groups[rows], **more)

    def said(self, estimator: Any, rows: Rows) -> npt.NDArray[np.float64]:
        """Probabilities of every label of the table; zero for those that the estimator never saw."""
        labels = self._labels()
        probabilities = np.zeros((len(rows), len(labels)))
        probabilities[:, np.searchsorted(labels, estimator.classes_)] = estimator.predict_proba(self.table.signals[rows])
        return probabilities

    def answer(self, taught: Rows, tested: Rows) -> npt.NDArray[np.float64]:
        """Learn from some rows and return the probabilities for others, shape (tested, labels of the table)."""
        return self.answer_and_estimator(taught, tested)[0]

    def answer_and_estimator(self, taught: Rows, tested: Rows) -> tuple[npt.NDArray[np.float64], Any]:
        """Return what `answer` does, and the estimator that answered; None where the rows had one label only."""
        known = np.unique(self.table.labels[taught])
        if len(known) > 1:
            estimator = self.fit(taught)
            return self.said(estimator, tested), estimator
        # All that such rows can teach is to say their one label.
        return np.tile((self._labels() == known).astype(np.float64), (len(tested), 1)), None

    def evaluate(self, rows: Rows, said: npt.NDArray[np.float64], *, protocol: str) -> Evaluation:
        """Score probabilities."""
        table = self.table
        units, unit = self._drawn_again(rows)
        told = table.labels[rows], table.participant[rows], said, self._labels().tolist()
        answers = Answers(*told, units=units, unit=unit, recordings=table.recording_id[rows])
        return evaluate(answers, protocol=protocol, seed=self.recipe.seed, positive=self.recipe.positive)

    def _drawn_again(self, rows: Rows) -> tuple[npt.NDArray[np.str_], str]:
        """What intervals are over: people, else the groups of the split, else consecutive parts of the one group there is."""
        groups = f"groups by {self.recipe.split.group}"
        for names, called in ((self.table.participant[rows], PARTICIPANTS), (self.table.groups[rows], groups)):
            if len(np.unique(names)) > 1:
                return names, called
        place = np.argsort(np.argsort(rows))
        return (place * _PARTS // len(rows)).astype(np.str_), "stretches of the same recordings"

    def _thinned(self, rows: Rows) -> Rows:
        """Without the segments of merged labels that the task leaves out, each with its altered copies."""
        kept = np.ones(len(rows), np.bool_)
        for name, merged in self.recipe.merge.items():
            of_label = self.table.labels[rows] == name
            segments, of_segment = np.unique(self.table.segment_id[rows[of_label]], return_inverse=True)
            if len(segments):
                kept[of_label] = _drawn(segments, share=merged.share, seed=self.recipe.seed)[of_segment]
        return rows[kept]

    def _labels(self) -> npt.NDArray[np.str_]:
        return np.unique(self.table.labels)


def _drawn(segments: npt.NDArray[np.str_], *, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Draw a share of segments, at least one: the same ones of those that two folds have in common, as nearly as counts allow."""
    order = np.argsort([hashlib.sha256(f"{seed} {name}".encode()).hexdigest() for name in segments.tolist()])
    drawn = np.zeros(len(segments), np.bool_)
    drawn[order[: max(1, round(share * len(segments)))]] = True
    return drawn
