"""A linear classifier on MiniRocket's features, of the signal and of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from ml.models.estimator import LabelClassifier
from ml.models.parameters import OneOf, Real, Whole, check_parameters, parameter
from ml.models.rocket import fit_rocket
from ml.models.signals import checked_examples, checked_signals

_Signals = npt.NDArray[np.float32]
_Texts = npt.NDArray[np.str_]

_MOST_ITERATIONS = 500


@dataclass(kw_only=True, eq=False, repr=False)
class MiniRocket(LabelClassifier):
    """Multinomial logistic regression on thousands of convolutional features; labels weighted by how rare they are.

    Parameters
    ----------
    rocket_features : int
        About as many features are made.
    steps : {"added", "left_out"}
        Whether half of the features are of the steps from sample to sample.
    C : float
        Weight of a training error: smaller values keep the weights of the features smaller.
    random_state : int

    Attributes
    ----------
    classes_ : ndarray of str
    mean_, scale_ : ndarray of float32, shape (channels,)
        In the channel's unit.
    rockets_ : list of Rocket
        Of the signal, and of its steps.
    scaler_ : StandardScaler
    linear_ : LogisticRegression
    """

    rocket_features: int = parameter(9996, Whole(168, 100_000))
    steps: str = parameter("added", OneOf(("added", "left_out")))
    C: float = parameter(0.01, Real(1e-9, 1e6))
    random_state: int = parameter(0, Whole(0, 2**31))

    def fit(self, signals: _Signals, labels: _Texts, groups: _Texts | None = None) -> Self:
        """Train.

        Parameters
        ----------
        signals : ndarray of float32, shape (n, length, channels)
            With at least ten samples.
        labels : ndarray of str, shape (n,)
        groups : ndarray of str, optional
            Not used: nothing is held out.

        Raises
        ------
        StudyError
            A parameter is outside what is allowed.
        """
        check_parameters(type(self), self.get_params())
        signals, labels = checked_examples(signals, labels)
        self.n_channels_ = signals.shape[2]
        self.mean_ = signals.mean(axis=(0, 1))
        self.scale_ = np.maximum(signals.std(axis=(0, 1)), np.float32(1e-6))
        parts = self._parts(signals)
        share = self.rocket_features // len(parts)
        self.rockets_ = [fit_rocket(part, features=share, seed=self.random_state + number) for number, part in enumerate(parts)]
        raw = self._raw(signals)
        self.scaler_ = StandardScaler().fit(raw)
        linear = LogisticRegression(C=self.C, max_iter=_MOST_ITERATIONS, class_weight="balanced")
        self.linear_ = linear.fit(self.scaler_.transform(raw), labels)
        self.classes_ = self.linear_.classes_
        return self

    def predict_proba(self, signals: _Signals) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, len(classes_)), each row summing to 1."""
        check_is_fitted(self, "linear_")
        signals = checked_signals(signals, channels=self.n_channels_)
        found = self.linear_.predict_proba(self.scaler_.transform(self._raw(signals)))
        return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)

    def _parts(self, signals: _Signals) -> list[_Signals]:
        standardised = (signals - self.mean_) / self.scale_
        return [standardised, np.diff(standardised, axis=1)] if self.steps == "added" else [standardised]

    def _raw(self, signals: _Signals) -> npt.NDArray[np.float32]:
        parts = zip(self.rockets_, self._parts(signals), strict=True)
        return np.concatenate([rocket.transform(part) for rocket, part in parts], axis=1)
