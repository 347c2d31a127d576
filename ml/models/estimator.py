"""What every family is: an estimator of scikit-learn that answers with its most probable label.

Belongs here: what does not depend on how a family learns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin


class LabelClassifier(ClassifierMixin, BaseEstimator, ABC):
    """A classifier of signals.

    Attributes
    ----------
    classes_ : ndarray of str
        Labels, sorted.
    """

    classes_: npt.NDArray[np.str_]

    @abstractmethod
    def predict_proba(self, signals: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, len(classes_)), each row summing to 1."""

    def predict(self, signals: npt.NDArray[np.float32]) -> npt.NDArray[np.str_]:
        """Return the most probable label of each example."""
        best = self.predict_proba(signals).argmax(axis=1)
        return np.asarray(self.classes_[best])
