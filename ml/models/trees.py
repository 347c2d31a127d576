"""What the families of many trees share: an estimator around scikit-learn's forests, on vectors of examples.

Belongs here: fitting, repeatable probabilities. Which kind of trees is in `random_forest` and `extra_trees`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from ml.models.estimator import LabelClassifier
from ml.models.parameters import OneOf, Real, Whole, check_parameters, parameter
from ml.models.signals import checked_examples
from ml.models.vectors import VECTORS, ExampleVectors


@dataclass(kw_only=True, eq=False, repr=False)
class Trees(LabelClassifier):
    """Trees on vectors of examples, labels weighted by the inverse of how often they occur.

    Parameters
    ----------
    vector : {"features", "samples", "both"}
        What a tree sees of an example; see `ml.models.vectors`.
    n_estimators : int
        Trees.
    max_depth : int or None
    min_samples_leaf : int
    max_features : float or {"sqrt", "log2"}
        Numbers tried at a split: a share, or a function of how many there are.
    random_state : int

    Attributes
    ----------
    classes_ : ndarray of str
    vectors_ : ExampleVectors
    forest_ : estimator of scikit-learn
    """

    vector: str = parameter("features", OneOf(VECTORS))
    n_estimators: int = parameter(300, Whole(1, 100_000))
    max_depth: int | None = parameter(None, Whole(1, 1000, or_none=True))
    min_samples_leaf: int = parameter(1, Whole(1, 100_000))
    max_features: float | str = parameter("sqrt", Real(0.001, 1), OneOf(("sqrt", "log2")))
    random_state: int = parameter(0, Whole(0, 2**31))

    @abstractmethod
    def forest(self, **settings: Any) -> Any:
        """Return scikit-learn's estimator."""

    def fit(
        self, signals: npt.NDArray[np.float32], labels: npt.NDArray[np.str_], groups: npt.NDArray[np.str_] | None = None
    ) -> Self:
        """Train.

        Parameters
        ----------
        signals : ndarray of float32, shape (n, length, channels)
        labels : ndarray of str, shape (n,)
        groups : ndarray of str, optional
            Not used: a forest holds nothing out.

        Raises
        ------
        StudyError
            A parameter is outside what is allowed.
        """
        check_parameters(type(self), self.get_params())
        signals, labels = checked_examples(signals, labels)
        self.vectors_ = ExampleVectors(self.vector).fit(signals)
        settings = {name: value for name, value in self.get_params().items() if name != "vector"}
        self.forest_ = self.forest(**settings, n_jobs=-1).fit(self.vectors_.transform(signals), labels)
        # One by one from here: threads add the trees' votes in any order, which changes the last bits of a probability.
        self.forest_.n_jobs = None
        self.classes_ = self.forest_.classes_
        return self

    def predict_proba(self, signals: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, len(classes_)), each row summing to 1."""
        check_is_fitted(self, "forest_")
        return np.asarray(self.forest_.predict_proba(self.vectors_.transform(signals)))
