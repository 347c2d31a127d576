"""How good a model is: accuracy, precision, recall, F1 and confusion, from true and predicted labels.

Belongs here: the figures and their rows in the table `evaluations`. Which predictions are compared is decided in
`ml.training`. No participant is named in what is kept, so that scores need no erasure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

CROSS_VALIDATION = "cross_validation"
TEST = "test"

_Texts = npt.NDArray[np.str_]


class Score(NamedTuple):
    """One figure: `label` is None over all labels, `predicted` is given for a count of the confusion matrix only."""

    metric: str
    label: str | None
    predicted: str | None
    value: float


@dataclass(frozen=True)
class Evaluation:
    """What came out when a model was tested.

    Parameters
    ----------
    protocol : str
        ``cross_validation`` (each fold predicted by a model of the other folds, all pooled) or ``test``.
    labels : tuple of str
        Labels that are true or predicted for some example, sorted.
    confusion : tuple of tuple of int
        Examples by true label (row) and predicted label (column).
    participant_accuracy : tuple of float
        Accuracy of each participant, ascending, without their names.
    """

    protocol: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    participant_accuracy: tuple[float, ...]

    def overall(self) -> dict[str, float]:
        """Return the scores over all labels.

        Returns
        -------
        dict of str to float
            ``accuracy``; ``macro_f1``, ``precision`` and ``recall``, each the plain mean over the labels that are true for
            some example; ``mean_participant_accuracy`` and ``worst_participant_accuracy``; ``support``, the number of
            tested examples.
        """
        counts, by_label = self._counts(), self._by_label()
        occur = counts.sum(axis=1) > 0
        return {
            "accuracy": float(counts.trace() / counts.sum()),
            "macro_f1": float(by_label["f1"][occur].mean()),
            "precision": float(by_label["precision"][occur].mean()),
            "recall": float(by_label["recall"][occur].mean()),
            "mean_participant_accuracy": float(np.mean(self.participant_accuracy)),
            "worst_participant_accuracy": self.participant_accuracy[0],
            "support": float(counts.sum()),
        }

    def scores(self) -> Iterator[Score]:
        """Yield every figure: over all labels, by label, and the confusion matrix."""
        yield from (Score(metric, None, None, value) for metric, value in self.overall().items())
        for metric, values in self._by_label().items():
            yield from (Score(metric, label, None, float(value)) for label, value in zip(self.labels, values, strict=True))
        for true, row in zip(self.labels, self.confusion, strict=True):
            yield from (Score("confusion", true, guess, float(count)) for guess, count in zip(self.labels, row, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {
            "protocol": self.protocol,
            "labels": list(self.labels),
            "confusion": [list(row) for row in self.confusion],
            "participant_accuracy": list(self.participant_accuracy),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the evaluation that `to_json` wrote."""
        return cls(
            protocol=content["protocol"],
            labels=tuple(content["labels"]),
            confusion=tuple(tuple(row) for row in content["confusion"]),
            participant_accuracy=tuple(content["participant_accuracy"]),
        )

    def _counts(self) -> npt.NDArray[np.int64]:
        return np.array(self.confusion, dtype=np.int64)

    def _by_label(self) -> dict[str, npt.NDArray[np.float64]]:
        counts = self._counts()
        right, support, guessed = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
        return {
            "precision": right / np.maximum(guessed, 1),
            "recall": right / np.maximum(support, 1),
            "f1": 2 * right / np.maximum(support + guessed, 1),
            "support": support.astype(np.float64),
        }


def evaluate(truth: _Texts, predicted: _Texts, *, participants: _Texts, protocol: str) -> Evaluation:
    """Compare predicted labels with the true ones.

    Parameters
    ----------
    truth, predicted, participants : ndarray of str, shape (n,)
        With at least one example.
    protocol : str
        ``cross_validation`` or ``test``.

    Returns
    -------
    Evaluation
    """
    labels, number = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (number[: len(truth)], number[len(truth) :]), 1)
    _, person = np.unique(participants, return_inverse=True)
    accuracy = np.bincount(person, weights=truth == predicted) / np.bincount(person)
    return Evaluation(protocol, tuple(labels.tolist()), tuple(map(tuple, confusion.tolist())), tuple(np.sort(accuracy).tolist()))
