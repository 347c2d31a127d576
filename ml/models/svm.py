"""A support vector machine with a radial kernel on standardised vectors of examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from ml.models.estimator import LabelClassifier
from ml.models.parameters import OneOf, Real, Whole, check_parameters, parameter
from ml.models.signals import checked_examples, held_out
from ml.models.temperature import best_temperature, log_softmax
from ml.models.vectors import VECTORS, ExampleVectors

_Signals = npt.NDArray[np.float32]
_Texts = npt.NDArray[np.str_]
_Floats = npt.NDArray[np.float64]


@dataclass(kw_only=True, eq=False, repr=False)
class Svm(LabelClassifier):
    """One-against-one machines, labels weighted by the inverse of how often they occur.

    A probability is the softmax of the decision function over a temperature. The temperature is the one with the least
    log loss on groups that a first machine did not see (temperature scaling: Guo et al., "On Calibration of Modern Neural
    Networks", 2017); the machine that is kept learns from all examples.

    Parameters
    ----------
    vector : {"features", "samples", "both"}
        What the machine sees of an example; see `ml.models.vectors`.
    C : float
        Weight of a training error.
    gamma : float or {"scale", "auto"}
        Inverse width of the kernel.
    validation : float
        Share of the groups for the temperature; 0 leaves it at 1.
    random_state : int

    Attributes
    ----------
    classes_ : ndarray of str
    vectors_ : ExampleVectors
    scaler_ : StandardScaler
    machine_ : SVC
    temperature_ : float
    """

    vector: str = parameter("features", OneOf(VECTORS))
    C: float = parameter(1.0, Real(1e-6, 1e6))
    gamma: float | str = parameter("scale", Real(1e-9, 1e6), OneOf(("scale", "auto")))
    validation: float = parameter(0.2, Real(0, 0.5))
    random_state: int = parameter(0, Whole(0, 2**31))

    def fit(self, signals: _Signals, labels: _Texts, groups: _Texts | None = None) -> Self:
        """Train.

        Parameters
        ----------
        signals : ndarray of float32, shape (n, length, channels)
        labels : ndarray of str, shape (n,)
        groups : ndarray of str, shape (n,), optional
            What must not be on both sides when the temperature is chosen, such as participants.

        Raises
        ------
        StudyError
            A parameter is outside what is allowed.
        """
        check_parameters(type(self), self.get_params())
        signals, labels = checked_examples(signals, labels)
        self.vectors_ = ExampleVectors(self.vector).fit(signals)
        raw = self.vectors_.transform(signals)
        self.classes_, target = np.unique(labels, return_inverse=True)
        aside = held_out(target, groups, share=self.validation, seed=self.random_state)
        self.temperature_ = 1.0
        if aside.any():
            self._learn(raw[~aside], labels[~aside])
            self.temperature_ = best_temperature(self._decision(raw[aside]), target[aside])
        self._learn(raw, labels)
        return self

    def predict_proba(self, signals: _Signals) -> _Floats:
        """Return probabilities, shape (n, len(classes_)), each row summing to 1."""
        check_is_fitted(self, "machine_")
        return np.exp(log_softmax(self._decision(self.vectors_.transform(signals)) / self.temperature_))

    def _learn(self, raw: npt.NDArray[np.float32], labels: _Texts) -> None:
        self.scaler_ = StandardScaler().fit(raw)
        machine = SVC(C=self.C, gamma=self.gamma, class_weight="balanced", decision_function_shape="ovr")
        self.machine_ = machine.fit(self.scaler_.transform(raw), labels)

    def _decision(self, raw: npt.NDArray[np.float32]) -> _Floats:
        found = self.machine_.decision_function(self.scaler_.transform(raw))
        return found if found.ndim == 2 else np.stack([-found, found], axis=1) / 2
