"""Model files: a fitted model as a folder of plain data that can be loaded without running what is in it.

A neural model is JSON and safetensors, a scikit-learn one JSON and skops with a list of the only types that are made from
it. Nothing is pickled. Belongs here: the folder and its checks. Where folders lie and which are champions is in
`ml.registry`.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ml.models import FAMILIES, Classifier, create
from warehouse.disk import fsync, sha256_of
from warehouse.errors import KinelakeError, Reason, did_you_mean

_FORMAT = 2
_WEIGHTS = "weights.safetensors"
_ESTIMATOR = "estimator.skops"
_DESCRIPTION = "model.json"

#: Every type outside skops's own list that a stored forest or support vector machine is made of.
TRUSTED_TYPES = (
    "ml.models.extra_trees.ExtraTrees",
    "ml.models.minirocket.MiniRocket",
    "ml.models.random_forest.RandomForest",
    "ml.models.rocket.Rocket",
    "ml.models.svm.Svm",
    "ml.models.vectors.ExampleVectors",
    "ml.preprocessing.features.MotionFeatures",
    "sklearn.tree._tree.Tree",
)


class ModelRefused(KinelakeError):
    """A stored model cannot be loaded: damaged, of an unknown family, or holding a type that is not on the list."""


@dataclass(frozen=True)
class StoredModel:
    """A model read back from its folder.

    Parameters
    ----------
    estimator : Classifier
        Fitted.
    facts : mapping
        What was given to `save`: recipe, channels, length, fingerprint, seed, code version, evaluations.
    """

    estimator: Classifier
    facts: Mapping[str, Any]


def save(folder: Path, estimator: Any, *, family: str, facts: Mapping[str, Any]) -> None:
    """Write a fitted model, all or nothing; a folder that is there already is replaced.

    Parameters
    ----------
    folder : Path
    estimator : Classifier
        Fitted.
    family : str
        A key of `ml.models.FAMILIES`.
    facts : mapping
        JSON to keep beside it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        _write(draft, estimator, family, facts)
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    fsync(folder.parent)


def load(folder: Path) -> StoredModel:
    """Read a model that `save` wrote; its predictions are those of the model that was saved.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    StoredModel

    Raises
    ------
    ModelRefused
        Files are missing or changed, the family is unknown, or the file holds a type that is not on `TRUSTED_TYPES`.
    """
    description = read_description(folder)
    payload = folder / (_WEIGHTS if FAMILIES[description["family"]].network else _ESTIMATOR)
    if not payload.is_file() or sha256_of(payload) != description["sha256"]:
        raise _refused("model_damaged", f"{payload.name} is missing or is not the file that was written", payload)
    estimator = _network(payload, description) if payload.name == _WEIGHTS else _estimator(payload, description)
    return StoredModel(estimator, description["facts"])


def read_description(folder: Path) -> dict[str, Any]:
    """Read ``model.json`` alone: family, parameters, classes and facts.

    Raises
    ------
    ModelRefused
        It is missing, not what `save` writes, or names an unknown family.
    """
    path = folder / _DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        complete = {"format", "family", "parameters", "classes", "sha256", "facts"} <= description.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise _refused("model_damaged", f"{_DESCRIPTION} is missing or not JSON: {error}", path) from error
    if not complete or description["format"] != _FORMAT:
        raise _refused("model_format", f"{_DESCRIPTION} lacks entries, or its format is not {_FORMAT}", path)
    if description["family"] not in FAMILIES:
        sentence = f"family {description['family']!r} is not known{did_you_mean(str(description['family']), FAMILIES)}"
        raise _refused("family_unknown", sentence, path)
    return dict(description)


def _write(folder: Path, estimator: Any, family: str, facts: Mapping[str, Any]) -> None:
    payload = folder / (_WEIGHTS if FAMILIES[family].network else _ESTIMATOR)
    if FAMILIES[family].network:
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(array) for name, array in estimator.weights().items()}, payload)
    else:
        import skops.io

        skops.io.dump(estimator, payload)
    description = {
        "format": _FORMAT,
        "family": family,
        "parameters": estimator.get_params(),
        "classes": estimator.classes_.tolist(),
        "sha256": sha256_of(payload),
        "facts": facts,
    }
    (folder / _DESCRIPTION).write_text(json.dumps(description, indent=1, sort_keys=True), encoding="utf-8")
    for path in folder.iterdir():
        fsync(path)
    fsync(folder)


def _network(payload: Path, description: Mapping[str, Any]) -> Any:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    blank = create(description["family"], description["parameters"])
    try:
        return blank.restore(np.array(description["classes"], dtype=np.str_), load_file(payload))
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise _refused("model_damaged", f"the weights do not fit the layers: {error}", payload) from error


def _estimator(payload: Path, description: Mapping[str, Any]) -> Any:
    import skops.io

    try:
        strangers = sorted(set(skops.io.get_untrusted_types(file=payload)) - set(TRUSTED_TYPES))
        estimator = None if strangers else skops.io.load(payload, trusted=list(TRUSTED_TYPES))
    except (BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise _refused("model_damaged", f"the file is not what skops writes: {error}", payload) from error
    if strangers:
        sentence = f"the file would make objects of types that no model has: {', '.join(strangers[:5])}"
        raise _refused("type_not_trusted", sentence, payload)
    if type(estimator) is not type(create(description["family"])):
        sentence = f"the file holds a {type(estimator).__name__}, and {_DESCRIPTION} says {description['family']}"
        raise _refused("model_damaged", sentence, payload)
    return estimator


def _refused(code: str, sentence: str, place: Path) -> ModelRefused:
    return ModelRefused(Reason(code, sentence, str(place), "train again, or restore the registry from a backup"))
