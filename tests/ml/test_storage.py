"""Model files: what comes back is what was saved, and nothing else is loaded."""

from __future__ import annotations

import hashlib
import json
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from ml.models import FAMILIES, create
from ml.storage import TRUSTED_TYPES, ModelRefused, load, read_description, save
from tests.ml.conftest import Waves

SMALL: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 5},
    "extra_trees": {"n_estimators": 5},
    "svm": {},
    "minirocket": {"rocket_features": 168},
    "cnn": {"epochs": 1, "filters": 4},
    "gru": {"epochs": 1, "hidden": 4},
    "cnn_gru": {"epochs": 1, "filters": 4, "hidden": 4},
    "bilstm": {"epochs": 1, "hidden": 4},
    "resnet1d": {"epochs": 1, "filters": 4},
    "identity_cnn": {"epochs": 1, "filters": 4, "members": 2},
    "image_cnn": {"epochs": 2, "blocks": 1, "filters": 4, "dense": 8},
}


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory, waves: Waves) -> Path:
    """One small model of every family."""
    root = tmp_path_factory.mktemp("models")
    for family, parameters in SMALL.items():
        save(root / family, create(family, parameters).fit(*waves), family=family, facts={"seed": 1})
    return root


@pytest.fixture
def folder(stored: Path, tmp_path: Path) -> Any:
    """Copy a stored model, so that a test may spoil it."""

    def copy(family: str) -> Path:
        (tmp_path / family).mkdir()
        for path in (stored / family).iterdir():
            (tmp_path / family / path.name).write_bytes(path.read_bytes())
        return tmp_path / family

    return copy


def respell(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def exchange(folder: Path, name: str, content: bytes) -> None:
    """Put another payload in place, with the hash that goes with it: what an attacker would do."""
    (folder / name).write_bytes(content)
    respell(folder, sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_that_comes_back_gives_the_same_probabilities_to_the_last_bit(family: str, tmp_path: Path, waves: Waves) -> None:
    fitted = create(family, {**SMALL[family], "random_state": 5}).fit(*waves)
    save(tmp_path / "model", fitted, family=family, facts={"channels": ["a", "b", "c"]})
    back = load(tmp_path / "model")
    assert np.array_equal(back.estimator.predict_proba(waves.signals), fitted.predict_proba(waves.signals))
    assert back.estimator.predict(waves.signals).tolist() == fitted.predict(waves.signals).tolist()
    assert back.estimator.get_params() == fitted.get_params()
    assert back.facts == {"channels": ["a", "b", "c"]}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_stored_file_is_a_pickle(family: str, stored: Path) -> None:
    for path in (stored / family).iterdir():
        parts = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                parts = [archive.read(name) for name in archive.namelist()]
        for part in parts:
            with pytest.raises(ValueError):
                list(pickletools.genops(part))


def test_every_trusted_type_is_needed(stored: Path) -> None:
    files = stored.glob("*/estimator.skops")
    assert {name for path in files for name in skops.io.get_untrusted_types(file=path)} == set(TRUSTED_TYPES)


def test_saving_again_replaces_and_leaves_nothing_beside(folder: Any, waves: Waves) -> None:
    place = folder("svm")
    save(place, create("random_forest", {"n_estimators": 2}).fit(*waves), family="random_forest", facts={})
    assert read_description(place)["family"] == "random_forest"
    assert [path.name for path in place.parent.iterdir()] == ["random_forest" if place.name == "random_forest" else "svm"]


def test_a_failed_save_leaves_the_model_before_it(folder: Any) -> None:
    place = folder("svm")
    before = (place / "estimator.skops").read_bytes()
    with pytest.raises(TypeError):
        save(place, load(place).estimator, family="svm", facts={"not": {"json"}})
    assert (place / "estimator.skops").read_bytes() == before
    assert [path.name for path in place.parent.iterdir()] == ["svm"]


def test_a_file_with_a_type_that_no_model_has_is_refused(folder: Any) -> None:
    place = folder("svm")
    exchange(place, "estimator.skops", skops.io.dumps({"model": np.random.default_rng(0), "call": print}))
    with pytest.raises(ModelRefused, match=r"type_not_trusted: .*builtins.print"):
        load(place)


def test_a_harmless_estimator_of_another_family_is_refused_too(folder: Any) -> None:
    place = folder("svm")
    exchange(place, "estimator.skops", skops.io.dumps(LogisticRegression()))
    with pytest.raises(ModelRefused, match=r"holds a LogisticRegression, and model.json says svm"):
        load(place)


@pytest.mark.parametrize(("family", "name"), [("svm", "estimator.skops"), ("cnn", "weights.safetensors")])
def test_a_pickle_in_place_of_a_model_is_refused(folder: Any, family: str, name: str) -> None:
    place = folder(family)
    exchange(place, name, pickle.dumps({"weights": [1, 2, 3]}))
    with pytest.raises(ModelRefused, match="model_damaged"):
        load(place)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_changed_byte_is_noticed(folder: Any, family: str) -> None:
    place = folder(family)
    payload = next(path for path in place.iterdir() if path.name != "model.json")
    payload.write_bytes(payload.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelRefused, match="is not the file that was written"):
        load(place)


def test_weights_that_do_not_fit_the_layers_are_refused(folder: Any) -> None:
    place = folder("cnn")
    respell(place, parameters={**read_description(place)["parameters"], "filters": 5})
    with pytest.raises(ModelRefused, match="the weights do not fit the layers"):
        load(place)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.unlink(), "model.json is missing or not JSON"),
        (lambda path: path.write_text("{"), "model.json is missing or not JSON"),
        (lambda path: path.write_text("[1]"), "model.json is missing or not JSON"),
        (lambda path: path.write_text("{}"), "lacks entries"),
        (lambda path: respell(path.parent, format=1), "its format is not 2"),
        (lambda path: respell(path.parent, family="cnn_gro"), "family 'cnn_gro' is not known; did you mean 'cnn_gru'"),
    ],
)
def test_a_description_that_cannot_be_trusted_is_refused(folder: Any, spoil: Any, sentence: str) -> None:
    place = folder("svm")
    spoil(place / "model.json")
    with pytest.raises(ModelRefused, match=sentence):
        load(place)
