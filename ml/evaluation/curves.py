"""What probabilities are worth: ROC curves with their best operating point, and calibration.

Belongs here: figures of probabilities, one label against all others. Figures of answers are in `ml.evaluation.confusion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: A kept curve has at most so many points; what is computed from it is computed before it is thinned.
MOST_POINTS = 101
BINS = 10

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Roc:
    """Receiver operating characteristic of one label against all others.

    Parameters
    ----------
    label : str
    false_positive_rate, true_positive_rate : tuple of float
        From (0, 0) to (1, 1), at most `MOST_POINTS` points.
    auc : float
        Area under the whole curve.
    threshold : float
        Probability from which on the label is best said (Youden's index: the largest sensitivity + specificity - 1).
    sensitivity, specificity : float
        At that threshold.
    """

    label: str
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    auc: float
    threshold: float
    sensitivity: float
    specificity: float

    @property
    def youden(self) -> float:
        """Youden's index at the threshold, 0 (no better than chance) to 1."""
        return self.sensitivity + self.specificity - 1


@dataclass(frozen=True)
class Calibration:
    """How far probabilities can be believed.

    Parameters
    ----------
    confidence, accuracy : tuple of float
        Mean probability of the answers in each of the `BINS` equal bins, and the share of them that was right; bins without
        answers are left out.
    count : tuple of int
        Answers in each of those bins.
    error : float
        Expected calibration error: mean distance of the two, weighted by count, 0 to 1.
    brier : float
        Multi-class Brier score: mean squared distance between probabilities and truth, 0 to 2.
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    count: tuple[int, ...]
    error: float
    brier: float


def roc_curves(truth: npt.NDArray[np.str_], probabilities: _Floats, labels: Sequence[str]) -> tuple[Roc, ...]:
    """Return the curve of every label that is true for some examples and false for others.

    Parameters
    ----------
    truth : ndarray of str, shape (n,)
    probabilities : ndarray of float, shape (n, len(labels))
    labels : sequence of str
        Of the columns.

    Examples
    --------
    >>> (good, bad) = roc_curves(np.array(["good", "bad"]), np.array([[0.9, 0.1], [0.4, 0.6]]), ["good", "bad"])
    >>> good.auc, good.threshold, good.youden
    (1.0, 0.9, 1.0)
    """
    flags = [truth == label for label in labels]
    return tuple(
        _roc(label, is_label, probabilities[:, column])
        for column, (label, is_label) in enumerate(zip(labels, flags, strict=True))
        if is_label.any() and not is_label.all()
    )


def _roc(label: str, is_label: _Flags, probability: _Floats) -> Roc:
    from sklearn.metrics import roc_auc_score, roc_curve

    false, true, thresholds = roc_curve(is_label, probability)
    best = int(np.argmax(true - false))
    kept = np.unique(np.concatenate([np.linspace(0, len(false) - 1, min(len(false), MOST_POINTS - 1)).astype(int), [best]]))
    return Roc(
        label=label,
        false_positive_rate=tuple(false[kept].round(6).tolist()),
        true_positive_rate=tuple(true[kept].round(6).tolist()),
        auc=float(roc_auc_score(is_label, probability)),
        threshold=float(min(thresholds[best], 1.0)),
        sensitivity=float(true[best]),
        specificity=float(1 - false[best]),
    )


def calibration(truth: npt.NDArray[np.str_], probabilities: _Floats, labels: Sequence[str]) -> Calibration:
    """Compare how sure the answers were with how often they were right.

    Parameters
    ----------
    truth : ndarray of str, shape (n,)
        With at least one example.
    probabilities : ndarray of float, shape (n, len(labels))
    labels : sequence of str
        Of the columns.
    """
    confidence = probabilities.max(axis=1)
    is_true = truth[:, np.newaxis] == np.asarray(labels)
    right = is_true[np.arange(len(truth)), probabilities.argmax(axis=1)]
    at = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(at, minlength=BINS)
    filled = count > 0
    said = np.bincount(at, weights=confidence, minlength=BINS)[filled] / count[filled]
    was = np.bincount(at, weights=right, minlength=BINS)[filled] / count[filled]
    return Calibration(
        confidence=tuple(said.round(6).tolist()),
        accuracy=tuple(was.round(6).tolist()),
        count=tuple(count[filled].tolist()),
        error=float(np.average(np.abs(said - was), weights=count[filled])),
        brier=float(((probabilities - is_true) ** 2).sum(axis=1).mean()),
    )
