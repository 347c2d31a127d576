"""A random forest: trees on random draws of the examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.ensemble import RandomForestClassifier

from ml.models.trees import Trees


@dataclass(kw_only=True, eq=False, repr=False)
class RandomForest(Trees):
    """A random forest; its parameters are those of `Trees`."""

    def forest(self, **settings: Any) -> RandomForestClassifier:
        return RandomForestClassifier(**settings, class_weight="balanced_subsample")
