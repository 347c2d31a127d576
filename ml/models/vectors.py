"""One vector of an example, for families that learn from a table: hand-made features, its samples, or both.

Belongs here: nothing is fitted but the shape of the examples, so no test example can leak into a vector.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from ml.models.signals import checked_signals
from ml.preprocessing.features import MotionFeatures

#: What `ExampleVectors` can make of an example.
VECTORS = ("features", "samples", "both")


class ExampleVectors(TransformerMixin, BaseEstimator):
    """Vectors of examples.

    Parameters
    ----------
    kind : {"features", "samples", "both"}
        Motion features; every sample of every channel, which suits examples that begin and end alike, such as repetitions;
        or samples, then features.

    Attributes
    ----------
    n_length_, n_channels_ : int
        Of the examples seen in `fit`.
    features_ : MotionFeatures
        Where they are part of the vector.
    """

    def __init__(self, kind: str = "features") -> None:
        self.kind = kind

    def fit(self, X: npt.NDArray[np.float32], y: object = None) -> Self:
        """Remember the shape of examples, (n, length, channels)."""
        self.n_length_, self.n_channels_ = X.shape[1:]
        if self.kind != "samples":
            self.features_ = MotionFeatures().fit(X)
        return self

    def transform(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return vectors, shape (n, numbers).

        Raises
        ------
        ValueError
            Another number of channels than in `fit`; of samples too, where they are part of the vector.
        """
        X = checked_signals(X, channels=self.n_channels_)
        if self.kind == "features":
            return self.features_.transform(X)
        if X.shape[1] != self.n_length_:
            raise ValueError(f"signals have {X.shape[1]} samples; the model was fitted on {self.n_length_}")
        samples = X.reshape(len(X), -1)
        return samples if self.kind == "samples" else np.concatenate([samples, self.features_.transform(X)], axis=1)
