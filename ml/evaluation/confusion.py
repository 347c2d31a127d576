"""How good a model is: every figure of one test, from true labels and predicted probabilities.

Belongs here: gathering the figures, and their rows in the table `evaluations`. Which predictions are compared is decided in
`ml.training`. No participant is named in what is kept, so that scores need no erasure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ml.evaluation.curves import Calibration, Roc, calibration, roc_curves
from ml.evaluation.intervals import Interval, accuracy, bootstrap_intervals, macro_f1

CROSS_VALIDATION = "cross_validation"
TEST = "test"
#: The protocol of the study's authors: reported beside the one that decides.
AUTHORS = "authors"
PARTICIPANTS = "participants"

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
        ``cross_validation`` (each fold predicted by a model of the other folds, all pooled), ``test`` or ``authors``.
    labels : tuple of str
        Labels that are true or predicted for some example, sorted.
    confusion : tuple of tuple of int
        Examples by true label (row) and predicted label (column).
    participant_accuracy, participant_f1 : tuple of float
        Accuracy and macro F1 of each participant, each ascending, without their names.
    intervals : mapping of str to Interval
        ``accuracy`` and ``macro_f1``: what they could have been with other participants like these, or others of `interval_of`.
    roc : tuple of Roc
        Of every label that is true for some examples and false for others.
    calibration : Calibration
    positive : str, optional
        The label that must not be said in error, such as ``good``: its false positives come before every other figure.
    interval_of : str
        What was drawn again and again for the intervals, in the plural: ``participants``, ``recordings``, …
    of_recordings : mapping of str to float
        ``recordings``, how many were answered as a whole, by the mean over their examples; ``recording_accuracy`` and
        ``recording_macro_f1`` of these answers, and the ends of their intervals. Empty where recordings have several labels, one
        example each, or examples in several groups.
    """

    protocol: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    participant_accuracy: tuple[float, ...]
    participant_f1: tuple[float, ...]
    intervals: Mapping[str, Interval]
    roc: tuple[Roc, ...]
    calibration: Calibration
    positive: str | None = None
    interval_of: str = PARTICIPANTS
    of_recordings: Mapping[str, float] = field(default_factory=dict)

    def overall(self) -> dict[str, float]:
        """Return the scores over all labels.

        Returns
        -------
        dict of str to float
            First, where one label is the positive one, ``false_positives`` (examples of other labels that were given it) and
            ``false_positive_rate`` (their share of all examples of other labels). Then ``accuracy``; ``macro_f1``,
            ``precision`` and ``recall``, each the plain mean over the labels that are true for
            some example; ``mean_participant_accuracy``, ``worst_participant_accuracy`` and ``worst_participant_f1``;
            ``calibration_error`` and ``brier``; ``accuracy_low``, ``macro_f1_high`` … where there is an interval; what is in
            `of_recordings`; ``support``, the number of tested examples.
        """
        counts, by_label = self._counts(), self._by_label()
        occur = counts.sum(axis=1) > 0
        return {
            **self._false_positives(),
            "accuracy": float(accuracy(counts)),
            "macro_f1": float(macro_f1(counts)),
            "precision": float(by_label["precision"][occur].mean()),
            "recall": float(by_label["recall"][occur].mean()),
            "mean_participant_accuracy": float(np.mean(self.participant_accuracy)),
            "worst_participant_accuracy": self.participant_accuracy[0],
            "worst_participant_f1": self.participant_f1[0],
            "calibration_error": self.calibration.error,
            "brier": self.calibration.brier,
            **_ends(self.intervals),
            **self.of_recordings,
            "support": float(counts.sum()),
        }

    def scores(self) -> Iterator[Score]:
        """Yield every figure: over all labels, by label, operating points, and the confusion matrix."""
        yield from (Score(metric, None, None, value) for metric, value in self.overall().items())
        for metric, values in self._by_label().items():
            yield from (Score(metric, label, None, float(value)) for label, value in zip(self.labels, values, strict=True))
        for curve in self.roc:
            for metric in ("auc", "threshold", "sensitivity", "specificity", "youden"):
                yield Score(metric, curve.label, None, getattr(curve, metric))
        for true, row in zip(self.labels, self.confusion, strict=True):
            yield from (Score("confusion", true, guess, float(count)) for guess, count in zip(self.labels, row, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {**asdict(self), "intervals": {metric: list(interval) for metric, interval in self.intervals.items()}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the evaluation that `to_json` wrote."""
        return cls(
            protocol=content["protocol"],
            labels=tuple(content["labels"]),
            confusion=tuple(tuple(row) for row in content["confusion"]),
            participant_accuracy=tuple(content["participant_accuracy"]),
            participant_f1=tuple(content["participant_f1"]),
            intervals={metric: Interval(*ends) for metric, ends in content["intervals"].items()},
            roc=tuple(Roc(**_with_tuples(curve)) for curve in content["roc"]),
            calibration=Calibration(**_with_tuples(content["calibration"])),
            positive=content.get("positive"),
            interval_of=content.get("interval_of", PARTICIPANTS),
            of_recordings=content.get("of_recordings", {}),
        )

    def _false_positives(self) -> dict[str, float]:
        if self.positive is None:
            return {}
        is_positive = np.array(self.labels) == self.positive
        of_others = self._counts()[~is_positive]
        wrong = int(of_others[:, is_positive].sum())
        return {"false_positives": float(wrong), "false_positive_rate": wrong / max(1, int(of_others.sum()))}

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


@dataclass(frozen=True)
class Answers:
    """What a model said to examples that it did not learn from.

    Parameters
    ----------
    truth, participants : ndarray of str, shape (n,)
        With at least one example.
    probabilities : ndarray of float, shape (n, len(classes))
        Rows add up to one.
    classes : sequence of str
        Labels of the columns, sorted; every true label is one of them.
    units : ndarray of str, shape (n,), optional
        What the intervals are over, where that is not the participant.
    unit : str
        What a unit is called, in the plural.
    recordings : ndarray of str, shape (n,), optional
        Which recording each example is of.
    """

    truth: _Texts
    participants: _Texts
    probabilities: npt.NDArray[np.float64]
    classes: Sequence[str]
    units: _Texts | None = None
    unit: str = PARTICIPANTS
    recordings: _Texts | None = None
    predicted: _Texts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "predicted", np.asarray(self.classes)[self.probabilities.argmax(axis=1)])


def evaluate(answers: Answers, *, protocol: str, seed: int = 0, positive: str | None = None) -> Evaluation:
    """Score what a model said.

    Parameters
    ----------
    answers : Answers
    protocol : str
        ``cross_validation``, ``test`` or ``authors``.
    seed : int
        Of the bootstrap.
    positive : str, optional
        The label whose false positives are counted.
    """
    truth, predicted = answers.truth, answers.predicted
    labels, number = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    true, guess = number[: len(truth)], number[len(truth) :]
    by_person = _confusion_by(answers.participants, true, guess)
    by_unit = by_person if answers.units is None else _confusion_by(answers.units, true, guess)
    return Evaluation(
        protocol=protocol,
        labels=tuple(labels.tolist()),
        confusion=tuple(map(tuple, by_person.sum(axis=0).tolist())),
        participant_accuracy=tuple(np.sort(accuracy(by_person)).tolist()),
        participant_f1=tuple(np.sort(macro_f1(by_person)).tolist()),
        intervals=bootstrap_intervals(by_unit, seed=seed),
        roc=roc_curves(truth, answers.probabilities, answers.classes),
        calibration=calibration(truth, answers.probabilities, answers.classes),
        positive=positive,
        interval_of=answers.unit,
        of_recordings=_of_recordings(answers, seed=seed),
    )


def _confusion_by(names: _Texts, true: npt.NDArray[np.int64], guess: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Confusion matrix of the examples of every name, shape (names, labels, labels)."""
    known, of = np.unique(names, return_inverse=True)
    labels = int(max(true.max(), guess.max())) + 1
    found = np.zeros((len(known), labels, labels), dtype=np.int64)
    np.add.at(found, (of, true, guess), 1)
    return found


def _of_recordings(answers: Answers, *, seed: int) -> dict[str, float]:
    """Scores of recordings that are answered as a whole: see `Evaluation.of_recordings`."""
    if answers.recordings is None:
        return {}
    names, first, of, examples = np.unique(answers.recordings, return_index=True, return_inverse=True, return_counts=True)
    units = answers.participants if answers.units is None else answers.units
    whole = (units == units[first][of]).all() and (answers.truth == answers.truth[first][of]).all()
    if not whole or examples.max() == 1 or len(names) < 2:
        return {}
    summed = np.zeros((len(names), len(answers.classes)))
    np.add.at(summed, of, answers.probabilities)
    true = np.searchsorted(answers.classes, answers.truth[first])
    by_unit = _confusion_by(units[first], true, summed.argmax(axis=1))
    total = by_unit.sum(axis=0)
    scores = {"accuracy": float(accuracy(total)), "macro_f1": float(macro_f1(total))}
    figures = {**scores, **_ends(bootstrap_intervals(by_unit, seed=seed))}
    return {"recordings": float(len(names)), **{f"recording_{name}": value for name, value in figures.items()}}


def _ends(intervals: Mapping[str, Interval]) -> dict[str, float]:
    return {f"{metric}_{end}": value for metric, interval in intervals.items() for end, value in interval._asdict().items()}


def _with_tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
