"""Families as scikit-learn estimators: parameters, what they learn, and that they learn the same again."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import (
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from ml.models import FAMILIES, create, defaults
from ml.models.cnn import shortest_input
from ml.models.signals import held_out
from studies.learning import Family
from tests.ml.conftest import Waves, make_waves
from warehouse.errors import StudyError

FAST = {
    "random_forest": {"n_estimators": 30},
    "extra_trees": {"n_estimators": 60, "vector": "features"},
    "svm": {},
    "minirocket": {"rocket_features": 840},
    "cnn": {"epochs": 12, "filters": 8},
    "gru": {"epochs": 20, "hidden": 16},
    "cnn_gru": {"epochs": 12, "filters": 8, "hidden": 16},
    "bilstm": {"epochs": 40, "patience": 40, "hidden": 12},
    "resnet1d": {"epochs": 25, "patience": 25, "filters": 24, "blocks": 1, "learning_rate": 0.005},
    "identity_cnn": {"epochs": 25, "filters": 8, "layers": 2},
    "image_cnn": {"epochs": 25, "blocks": 1, "filters": 8, "dense": 32, "learning_rate": 0.003},
}


def test_every_family_that_a_study_may_name_is_there_and_no_other() -> None:
    assert set(FAMILIES) == set(get_args(Family))


@pytest.mark.parametrize("family", FAMILIES)
class TestFamily:
    def test_parameters_follow_the_conventions_of_scikit_learn(self, family: str) -> None:
        estimator = create(family)
        check_parameters_default_constructible(family, estimator)
        check_get_params_invariance(family, estimator)
        check_set_params(family, estimator)
        check_no_attributes_set_in_init(family, estimator)
        assert clone(create(family, FAST[family])).get_params() == {**defaults(family), **FAST[family]}

    def test_config_file_and_class_state_the_same_defaults(self, family: str) -> None:
        assert defaults(family) == type(create(family))().get_params()

    def test_people_never_seen_are_told_apart_by_what_they_do(self, family: str, waves: Waves) -> None:
        seen = waves.groups != "P5"
        taught, tested = waves.part(seen), waves.part(~seen)
        estimator = create(family, FAST[family]).fit(taught.signals, taught.labels, taught.groups)
        probability = estimator.predict_proba(tested.signals)
        assert estimator.classes_.tolist() == ["lunge", "squat", "walk"]
        assert probability.shape == (len(tested.labels), 3)
        np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
        assert (estimator.predict(tested.signals) == estimator.classes_[probability.argmax(axis=1)]).all()
        assert (estimator.predict(tested.signals) == tested.labels).mean() > 0.9

    def test_learning_again_gives_the_same_probabilities_to_the_last_bit(self, family: str, waves: Waves) -> None:
        few = {name: 2 if name == "epochs" else value for name, value in FAST[family].items()}
        once, again = (create(family, {**few, "random_state": 3}).fit(*waves) for _ in range(2))
        assert np.array_equal(once.predict_proba(waves.signals), again.predict_proba(waves.signals))

    def test_two_labels_are_enough_and_a_rare_one_is_not_forgotten(self, family: str) -> None:
        waves = make_waves(240)
        of_two = waves.part((waves.labels == "walk") | ((waves.labels == "squat") & (np.arange(240) % 8 == 1)))
        guessed = create(family, FAST[family]).fit(*of_two).predict(of_two.signals)
        assert (guessed == of_two.labels)[of_two.labels == "squat"].mean() > 0.8

    def test_a_parameter_outside_what_is_allowed_is_refused_before_and_in_fit(self, family: str, waves: Waves) -> None:
        with pytest.raises(StudyError, match=f"random_state of {family} is -1; allowed: a whole number from 0"):
            create(family, {"random_state": -1})
        with pytest.raises(StudyError, match=f"random_state of {family} is 0.5"):
            create(family).set_params(random_state=0.5).fit(*waves)

    def test_signals_of_another_shape_or_with_holes_are_refused(self, family: str, waves: Waves) -> None:
        with pytest.raises(ValueError, match="allowed: \\(examples, length, channels\\)"):
            create(family).fit(waves.signals[:, :, 0], waves.labels)
        with pytest.raises(ValueError, match="no finite numbers"):
            create(family).fit(np.full_like(waves.signals, np.nan), waves.labels)
        with pytest.raises(ValueError, match="same label"):
            create(family).fit(waves.signals, np.full(len(waves.labels), "walk"))
        with pytest.raises(NotFittedError):
            create(family).predict(waves.signals)


def test_other_channels_than_in_training_are_refused(waves: Waves) -> None:
    fitted = create("svm").fit(*waves)
    with pytest.raises(ValueError, match="signals have 2 channels; the model was fitted on 3"):
        fitted.predict(waves.signals[:, :, :2])


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(StudyError, match="parameter 'kernal' is not known to cnn_gru; did you mean 'kernel'"):
        create("cnn_gru", {"kernal": 3})


def test_every_wrong_parameter_is_named_at_once() -> None:
    with pytest.raises(StudyError) as refused:
        create("cnn", {"pooling": "median", "layers": True, "dropout": "high", "kernel": 5})
    assert [reason.code for reason in refused.value.reasons] == ["parameter_out_of_range"] * 3
    assert "allowed: one of max, average" in str(refused.value)


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(StudyError, match="did you mean 'cnn_gru'"):
        create("cnn_gro")


def test_layers_that_do_not_fit_the_length_are_refused_with_the_length_that_would(waves: Waves) -> None:
    with pytest.raises(StudyError, match="examples have 24 samples, and these layers need at least 36"):
        create("cnn_gru", {"layers": 3}).fit(*waves)


@settings(deadline=None, max_examples=12)
@given(kernel=st.integers(1, 9), layers=st.integers(1, 4))
def test_the_shortest_input_passes_the_layers_and_one_less_does_not(kernel: int, layers: int) -> None:
    module = create("cnn", {"kernel": kernel, "layers": layers, "filters": 2}).module(1, 8, 2).eval()
    shortest = shortest_input(kernel, layers)
    assert module(torch.zeros(1, shortest, 1)).shape == (1, 2)
    with pytest.raises(RuntimeError):
        module(torch.zeros(1, shortest - 1, 1))


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_the_hybrid_pools_as_it_is_told(pooling: str) -> None:
    layers = [type(layer).__name__ for layer in create("cnn_gru", {"pooling": pooling}).features(3, 40).convolutions]
    assert layers[2:4] == {"max": ["LargerOfTwo", "ReLU"], "average": ["ReLU", "AvgPool1d"]}[pooling]


def test_standardisation_is_learnt_without_the_held_out_groups(waves: Waves) -> None:
    loud = waves.signals * np.where(waves.groups == "P5", 1000, 1)[:, None, None].astype(np.float32)
    target = np.unique(waves.labels, return_inverse=True)[1]
    of_p5 = (held_out(target, waves.groups, share=0.2, seed=seed)[waves.groups == "P5"].all() for seed in range(99))
    seed = list(of_p5).index(True)
    fitted = create("cnn", {"epochs": 1, "random_state": seed}).fit(loud, waves.labels, waves.groups)
    assert fitted.scale_.max() < 5


def test_training_stops_when_the_held_out_groups_get_no_better(waves: Waves) -> None:
    noise = np.random.default_rng(0).permutation(waves.labels)
    fitted = create("cnn", {"epochs": 60, "patience": 2, "filters": 8}).fit(waves.signals, noise, waves.groups)
    losses = [epoch["valid_loss"] for epoch in fitted.curves_[0]]
    assert len(losses) == int(np.argmin(losses)) + 1 + 2 < 60


def test_without_validation_every_epoch_runs_on_everything(waves: Waves) -> None:
    fitted = create("cnn", {"epochs": 3, "validation": 0.0, "filters": 8}).fit(*waves)
    assert [epoch["valid_loss"] for epoch in fitted.curves_[0]] == [None] * 3
    np.testing.assert_allclose(fitted.mean_[0], waves.signals.mean(axis=(0, 1)), atol=1e-6)


def test_torch_is_left_as_it_was_found(waves: Waves) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    create("cnn", {"epochs": 1, "filters": 4}).fit(*waves).predict(waves.signals)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())


def test_probabilities_of_the_support_vector_machine_are_calibrated_on_other_people(waves: Waves) -> None:
    guess = np.random.default_rng(0).permutation(waves.labels)
    sure = create("svm").fit(*waves).predict_proba(waves.signals).max(axis=1).mean()
    unsure = create("svm").fit(waves.signals, guess, waves.groups).predict_proba(waves.signals).max(axis=1).mean()
    assert sure > 0.9
    assert unsure < 0.6


@settings(deadline=None, max_examples=60)
@given(
    target=st.lists(st.integers(0, 3), min_size=4, max_size=60).filter(lambda labels: len(set(labels)) > 1),
    people=st.integers(1, 8),
    share=st.floats(0, 0.5),
    seed=st.integers(0, 99),
)
def test_held_out_groups_are_whole_and_leave_every_label(target: list[int], people: int, share: float, seed: int) -> None:
    numbers = np.unique(target, return_inverse=True)[1]
    groups = np.array([f"P{i % people}" for i in range(len(target))])
    aside = held_out(numbers, groups, share=share, seed=seed)
    assert set(numbers[~aside]) == set(numbers)
    if len(set(groups)) > 1:
        assert not set(groups[aside]) & set(groups[~aside])
    assert (aside == held_out(numbers, groups, share=share, seed=seed)).all()


def test_naming_the_families_imports_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, ml.models; ml.models.FAMILIES; print(sorted({'torch', 'sklearn', 'numba', 'mlflow'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def make_drawings(count: int = 48, *, rows: int = 32, columns: int = 24) -> Waves:
    """Images of a bright bar on black, upright or lying, anywhere."""
    random = np.random.default_rng(0)
    lying = np.arange(count) % 2 == 0
    images = np.zeros((count, rows, columns), np.float32)
    corners = random.integers(0, (rows - 9, columns - 9), (count, 2))
    for image, lies, (row, column) in zip(images, lying, corners, strict=True):
        image[row : row + (2 if lies else 9), column : column + (9 if lies else 2)] = 255
    return Waves(images, np.where(lying, "lying", "upright"), np.char.add("P", (np.arange(count) // 2 % 6).astype(str)))


@pytest.mark.parametrize(("blocks", "kernel"), [(2, 2), (2, 3), (3, 4)])
def test_images_are_told_apart_wherever_in_them_something_lies(blocks: int, kernel: int) -> None:
    images = make_drawings(240)
    seen = images.groups != "P5"
    parameters = {"blocks": blocks, "kernel": kernel, "filters": 8, "dense": 32, "learning_rate": 0.003, "epochs": 20}
    fitted = create("image_cnn", parameters).fit(*images.part(seen))
    assert (fitted.predict(images.signals[~seen]) == images.labels[~seen]).mean() > 0.9


def test_a_pixel_that_was_black_in_every_image_that_taught_may_be_bright_later() -> None:
    images = make_drawings()
    images.signals[:, :, :4] = 0
    fitted = create("image_cnn", {"blocks": 1, "filters": 4, "dense": 8, "epochs": 2}).fit(*images)
    images.signals[0, 0, 0] = 255
    assert abs(fitted.predict_proba(images.signals) - 0.5).max() < 0.3


def test_images_that_the_blocks_would_leave_nothing_of_are_refused() -> None:
    with pytest.raises(StudyError, match="images are 12 pixels wide, and these layers need at least 16"):
        create("image_cnn").fit(*make_drawings(rows=48, columns=12))


def test_the_networks_of_the_squat_papers_have_the_size_that_their_authors_give() -> None:
    distances = create("resnet1d", {"blocks": 2, "filters": 256}).module(171, 300, 7)
    assert sum(weights.numel() for weights in distances.parameters()) == pytest.approx(1.46e6, rel=0.01)
    images = create("image_cnn").features(108, 192).layers
    assert [type(layer).__name__ for layer in images].count("Conv2d") == 8
