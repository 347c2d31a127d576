"""How much a score depends on who happened to be tested: bootstrap intervals over groups of examples.

Belongs here: resampling whole groups (participants, sessions), never examples: those of one person resemble each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
LEVEL = 0.95

_Counts = npt.NDArray[np.int64]


class Interval(NamedTuple):
    """Percentile interval of a score at `LEVEL`."""

    low: float
    high: float


def bootstrap_intervals(confusion_by_group: _Counts, *, seed: int) -> dict[str, Interval]:
    """Draw groups with replacement and return the interval of accuracy and macro F1.

    Parameters
    ----------
    confusion_by_group : ndarray of int64, shape (groups, labels, labels)
        Confusion matrix of each group's examples: true label by predicted label.
    seed : int

    Returns
    -------
    dict of str to Interval
        ``accuracy`` and ``macro_f1``; empty for a single group, which tells nothing about others.

    Notes
    -----
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13, with the group as the unit. With few groups the
    interval is too narrow rather than too wide.
    """
    groups = len(confusion_by_group)
    if groups < 2:
        return {}
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
    totals = np.tensordot(drawn, confusion_by_group, axes=1)
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    return {name: Interval(*map(float, np.percentile(score(totals), tails))) for name, score in _SCORES.items()}


def accuracy(confusion: _Counts) -> npt.NDArray[np.float64]:
    """Share of right answers of confusion matrices of shape (…, labels, labels)."""
    right: npt.NDArray[np.float64] = np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))
    return right


def macro_f1(confusion: _Counts) -> npt.NDArray[np.float64]:
    """Mean F1 of confusion matrices of shape (…, labels, labels), over the labels that are true for some example."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, guessed = confusion.sum(axis=-1), confusion.sum(axis=-2)
    f1 = 2 * right / np.maximum(support + guessed, 1)
    mean: npt.NDArray[np.float64] = (f1 * (support > 0)).sum(axis=-1) / (support > 0).sum(axis=-1)
    return mean


def macro_f1_of(truth: npt.NDArray[np.str_], predicted: npt.NDArray[np.str_]) -> float:
    """Return the macro F1 of answers.

    Examples
    --------
    >>> macro_f1_of(np.array(["a", "b"]), np.array(["a", "a"]))
    0.3333333333333333
    """
    names, number = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (number[: len(truth)], number[len(truth) :]), 1)
    return float(macro_f1(confusion))


_SCORES = {"accuracy": accuracy, "macro_f1": macro_f1}
