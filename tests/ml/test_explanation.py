"""Which channels and moments count, on signals in which that is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from ml.explanation import channel_importance, salient
from ml.explanation.saliency import INTEGRATED_GRADIENTS, OCCLUSION
from ml.models import create
from studies.skeletons import JOINTS

CHANNELS = ["a.x", "a.y", "a.z"]


def examples(seed: int, count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Noise on three channels; 'late' has a bump on the second one from sample 30 to 40, and the third is a constant."""
    random = np.random.default_rng(seed)
    signals = random.normal(0, 0.3, (count, 50, 3)).astype(np.float32)
    labels = np.where(random.random(count) < 0.5, "late", "never")
    signals[labels == "late", 30:40, 1] += 3
    signals[:, :, 2] = 9.8
    return signals, labels


@pytest.mark.parametrize("family", ["random_forest", "cnn"])
def test_the_channel_that_tells_the_labels_apart_is_named_first_and_a_constant_counts_nothing(family: str) -> None:
    estimator = create(family).fit(*examples(0))
    first, *others = channel_importance(estimator, *examples(1), channels=CHANNELS, seed=0)
    assert (first.channel, first.drop > 0.3) == ("a.y", True)
    assert {other.channel: abs(other.drop) < 0.15 for other in others} == {"a.x": True, "a.z": True}


@pytest.mark.parametrize(("family", "method"), [("random_forest", OCCLUSION), ("cnn", INTEGRATED_GRADIENTS)])
def test_the_moments_that_speak_for_an_answer_are_those_of_the_bump(family: str, method: str) -> None:
    estimator = create(family).fit(*examples(0))
    signals, labels = examples(2)
    explained = salient(estimator, signals[labels == "late"][:4], labels[labels == "late"][:4])
    assert {one.method for one in explained} == {method}
    weight = np.mean([np.abs(one.attribution) for one in explained], axis=0)
    assert weight[28:42, 1].sum() > 0.6 * weight.sum()
    assert all(one.attribution.shape == (50, 3) for one in explained)


def test_attributions_add_up_to_what_sets_the_answer_apart_from_the_mean_example() -> None:
    estimator = create("cnn").fit(*examples(0))
    signals, labels = examples(3)
    baseline = np.broadcast_to(np.asarray(estimator.mean_).reshape(1, 1, -1), signals[:1].shape).astype(np.float32)
    for one in salient(estimator, signals[:5], labels[:5]):
        column = estimator.classes_.tolist().index(one.predicted)
        before = estimator.predict_proba(baseline)[0, column]
        assert one.attribution.sum() == pytest.approx(one.probability - before, abs=0.05)


def test_of_very_many_distances_the_joints_are_told_and_not_each_of_the_distances() -> None:
    """What only the left knee tells is told of the left knee, whichever of its distances it shows in."""
    names = [f"{first}-{second}" for first, second in combinations(JOINTS, 2)]
    random = np.random.default_rng(0)
    labels = np.array(["good", "bad"])[np.arange(60) % 2]
    signals = random.normal(0, 1, (60, 8, len(names))).astype(np.float32)
    of_knee = [number for number, name in enumerate(names) if "left_knee" in name.split("-")]
    signals[:, :, of_knee] += np.where(labels == "good", 2, -2)[:, None, None]

    class Means:
        def predict(self, given: np.ndarray) -> np.ndarray:
            return np.where(given[:, :, of_knee].mean(axis=(1, 2)) > 0, "good", "bad")

    found = channel_importance(Means(), signals, labels, channels=names, seed=1)
    assert {one.channel for one in found} == set(JOINTS)
    assert found[0].channel == "left_knee"
    assert found[0].drop > 0.3 > found[1].drop
