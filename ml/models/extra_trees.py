"""Extremely randomised trees (Geurts, Ernst and Wehenkel, 2006): strong on repetitions brought to one length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.ensemble import ExtraTreesClassifier

from ml.models.parameters import OneOf, parameter
from ml.models.trees import Trees


@dataclass(kw_only=True, eq=False, repr=False)
class ExtraTrees(Trees):
    """Extremely randomised trees; their parameters are those of `Trees`."""

    vector: str = parameter("both", OneOf(("both", "features", "samples")))

    def forest(self, **settings: Any) -> ExtraTreesClassifier:
        return ExtraTreesClassifier(**settings, class_weight="balanced")
