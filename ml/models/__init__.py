"""Model families: estimators that tell labels from signals, by name. One module and one YAML of defaults each.

Belongs here: the list of families, and making one with its parameters. Nothing heavy is imported before a family is asked
for. A new family is a module, its YAML beside it, and a line in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
import yaml

from warehouse.errors import Reason, StudyError, did_you_mean

_Signals = npt.NDArray[np.float32]
_Texts = npt.NDArray[np.str_]


class Classifier(Protocol):
    """What every family is: a scikit-learn estimator on signals of shape (n, length, channels), float32, in SI units."""

    classes_: _Texts

    def fit(self, signals: _Signals, labels: _Texts, groups: _Texts | None = None) -> Self: ...

    def predict(self, signals: _Signals) -> _Texts: ...

    def predict_proba(self, signals: _Signals) -> npt.NDArray[np.float64]: ...

    def get_params(self, deep: bool = True) -> dict[str, Any]: ...


class Family(NamedTuple):
    """The estimator's class, in the module of the family's name; made of torch layers, or of scikit-learn's parts."""

    estimator: str
    network: bool


FAMILIES: Mapping[str, Family] = {
    "random_forest": Family("RandomForest", network=False),
    "extra_trees": Family("ExtraTrees", network=False),
    "svm": Family("Svm", network=False),
    "minirocket": Family("MiniRocket", network=False),
    "cnn": Family("Cnn", network=True),
    "gru": Family("Gru", network=True),
    "cnn_gru": Family("CnnGru", network=True),
    "bilstm": Family("BiLstm", network=True),
    "resnet1d": Family("ResNet1d", network=True),
    "identity_cnn": Family("IdentityCnn", network=True),
    "image_cnn": Family("ImageCnn", network=True),
}


def create(family: str, parameters: Mapping[str, object] | None = None) -> Any:
    """Return an unfitted estimator: the family's YAML, with `parameters` in place of what it says.

    Parameters
    ----------
    family : str
        A key of `FAMILIES`.
    parameters : mapping of str to object, optional

    Returns
    -------
    Classifier

    Raises
    ------
    StudyError
        The family or a parameter is unknown, or a value is not allowed; the error offers the nearest name.
    """
    chosen = {**defaults(family), **(parameters or {})}
    check_family(family, chosen)
    return _estimator(family)(**chosen)


def check_family(family: str, parameters: Mapping[str, object]) -> None:
    """Check names and values of parameters.

    Raises
    ------
    StudyError
        As `create`.
    """
    from ml.models.parameters import check_parameters

    check_parameters(_estimator(family), parameters)


@cache
def _config(family: str) -> str:
    return (Path(__file__).parent / f"{family}.yaml").read_text(encoding="utf-8")


def defaults(family: str) -> dict[str, Any]:
    """Return what a family's YAML says, before a study overrides any of it."""
    _estimator(family)
    return dict(yaml.safe_load(_config(family)))


def _estimator(family: str) -> Any:
    if family not in FAMILIES:
        sentence = f"model family '{family}' is not known{did_you_mean(family, FAMILIES)}"
        raise StudyError(Reason("family_unknown", sentence, remedy="choose one of the families of ml/models"))
    return getattr(import_module(f"{__name__}.{family}"), FAMILIES[family].estimator)
