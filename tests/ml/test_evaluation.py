"""Scores, against scikit-learn's where it has them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score

from ml.evaluation import Answers, Evaluation, evaluate
from ml.evaluation.curves import roc_curves
from ml.evaluation.intervals import bootstrap_intervals

CLASSES = ["a", "b", "c", "d"]
ANSWERS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(["P1", "P2"])), min_size=1)


def evaluated(answers: list[tuple[str, str, str]]) -> Evaluation:
    truth, predicted, people = (np.array(column) for column in zip(*answers, strict=True))
    return evaluate(Answers(truth, people, np.where(predicted[:, None] == CLASSES, 0.7, 0.1), CLASSES), protocol="test")


@settings(deadline=None, max_examples=40)
@given(ANSWERS)
def test_figures_are_those_of_scikit_learn(answers: list[tuple[str, str, str]]) -> None:
    truth, predicted, _ = zip(*answers, strict=True)
    occur = sorted(set(truth))
    found = evaluated(answers).overall()
    common = {"labels": occur, "average": "macro", "zero_division": 0}
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, **common))
    assert found["precision"] == pytest.approx(precision_score(truth, predicted, **common))
    assert found["recall"] == pytest.approx(recall_score(truth, predicted, **common))
    assert found["support"] == len(answers)


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None, max_examples=40)
@given(ANSWERS)
def test_the_confusion_matrix_is_that_of_scikit_learn(answers: list[tuple[str, str, str]]) -> None:
    truth, predicted, _ = zip(*answers, strict=True)
    found = evaluated(answers)
    assert np.array_equal(np.ravel(found.confusion), np.ravel(confusion_matrix(truth, predicted, labels=list(found.labels))))


def test_every_label_has_its_own_figures_and_every_pair_its_count() -> None:
    scores = set(evaluated([("a", "a", "P1"), ("a", "b", "P1"), ("b", "b", "P2")]).scores())
    assert ("precision", "a", None, 1.0) in scores
    assert ("recall", "a", None, 0.5) in scores
    assert [score.value for score in scores if score[:2] == ("f1", "b")] == [pytest.approx(2 / 3)]
    assert ("support", "a", None, 2.0) in scores
    assert ("confusion", "a", "b", 1.0) in scores
    assert ("confusion", "b", "a", 0.0) in scores


def test_a_label_that_is_only_guessed_lowers_no_mean_but_shows_in_the_matrix() -> None:
    found = evaluated([("a", "c", "P1"), ("a", "a", "P1"), ("b", "b", "P1")])
    assert found.overall()["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert ("confusion", "a", "c", 1.0) in set(found.scores())


def test_participants_count_alike_however_many_examples_they_have_and_are_not_named() -> None:
    answers = [("a", "a", "P-secret")] * 9 + [("a", "b", "P-other"), ("b", "b", "P-other")]
    found = evaluated(answers)
    assert found.overall()["mean_participant_accuracy"] == pytest.approx(0.75)
    assert found.overall()["worst_participant_accuracy"] == pytest.approx(0.5)
    assert "P-" not in json.dumps(found.to_json()) + str(list(found.scores()))


@settings(deadline=None, max_examples=40)
@given(ANSWERS)
def test_an_evaluation_survives_json(answers: list[tuple[str, str, str]]) -> None:
    found = evaluated(answers)
    assert Evaluation.from_json(json.loads(json.dumps(found.to_json()))) == found


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000))
def test_the_area_is_that_of_scikit_learn_and_the_operating_point_lies_on_the_curve(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.where(random.random(300) < 0.4, "good", "bad")
    good = np.clip(random.normal(np.where(truth == "good", 0.6, 0.4), 0.2), 0, 1)
    bad_curve, good_curve = roc_curves(truth, np.column_stack([1 - good, good]), ["bad", "good"])
    assert good_curve.auc == pytest.approx(roc_auc_score(truth == "good", good))
    assert bad_curve.auc == pytest.approx(good_curve.auc)
    said = good >= good_curve.threshold
    assert np.mean(said[truth == "good"]) == pytest.approx(good_curve.sensitivity)
    assert np.mean(~said[truth == "bad"]) == pytest.approx(good_curve.specificity)
    for threshold in random.random(20):
        other = good >= threshold
        assert np.mean(other[truth == "good"]) + np.mean(~other[truth == "bad"]) - 1 <= good_curve.youden + 1e-12


def test_a_label_that_all_examples_have_gets_no_curve() -> None:
    assert roc_curves(np.array(["a", "a"]), np.array([[1.0, 0.0], [0.5, 0.5]]), ["a", "b"]) == ()


def test_a_model_that_is_as_sure_as_it_is_right_is_calibrated_and_a_boastful_one_is_not() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 20_000)
    right = random.random(20_000) < sure
    truth = np.where(right, "a", "b")
    people = np.repeat("P", 20_000)
    honest = evaluate(Answers(truth, people, np.column_stack([sure, 1 - sure]), ["a", "b"]), protocol="test")
    boast = np.full(20_000, 0.99)
    boastful = evaluate(Answers(truth, people, np.column_stack([boast, 1 - boast]), ["a", "b"]), protocol="test")
    assert honest.calibration.error < 0.02
    assert boastful.calibration.error == pytest.approx(0.99 - right.mean(), abs=1e-6)
    assert sum(honest.calibration.count) == 20_000


def test_an_interval_holds_the_score_and_is_wider_where_people_differ() -> None:
    alike = np.repeat(np.array([[[8, 2], [2, 8]]]), 10, axis=0)
    differing = np.concatenate([np.repeat([[[10, 0], [0, 10]]], 5, axis=0), np.repeat([[[6, 4], [4, 6]]], 5, axis=0)])
    narrow, wide = bootstrap_intervals(alike, seed=0), bootstrap_intervals(differing, seed=0)
    assert narrow["accuracy"] == pytest.approx((0.8, 0.8))
    assert wide["accuracy"].low < 0.75 and wide["accuracy"].high > 0.85
    assert bootstrap_intervals(alike[:1], seed=0) == {}


def test_what_was_told_good_in_error_comes_before_every_other_figure() -> None:
    said = [
        ("bad", "good", "P1"),
        ("bad", "bad", "P1"),
        ("shallow", "good", "P2"),
        ("shallow", "bad", "P2"),
        ("good", "bad", "P2"),
    ]
    truth, predicted, people = (np.array(values) for values in zip(*said, strict=True))
    classes = ["bad", "good", "shallow"]
    probabilities = (predicted[:, None] == np.array(classes)).astype(float)
    found = evaluate(Answers(truth, people, probabilities, classes), protocol="test", positive="good")
    assert list(found.overall())[:2] == ["false_positives", "false_positive_rate"]
    assert found.overall()["false_positives"] == 2
    assert found.overall()["false_positive_rate"] == 0.5
    assert next(found.scores()) == ("false_positives", None, None, 2.0)
    assert Evaluation.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_positive_that_is_never_said_is_never_said_in_error() -> None:
    answers = Answers(np.array(["a", "b"]), np.array(["P1", "P2"]), np.eye(2), ["a", "b"])
    assert evaluate(answers, protocol="test", positive="good").overall()["false_positive_rate"] == 0


def _frames(right: list[int], *, each: int = 10, blocks: int | None = None) -> Evaluation:
    """Recordings r0, r1, … of one unknown person, of each of which so many of its frames are answered rightly."""
    truth = np.repeat([CLASSES[number % 2] for number in range(len(right))], each)
    wrong = np.concatenate([np.arange(each) >= count for count in right])
    told = np.where(wrong, np.where(truth == "a", "b", "a"), truth)
    recordings = np.repeat([f"r{number}" for number in range(len(right))], each)
    answers = Answers(
        truth,
        np.repeat("unknown", len(truth)),
        np.where(told[:, None] == CLASSES, 0.7, 0.1),
        CLASSES,
        units=recordings if blocks is None else np.tile([f"b{number}" for number in range(blocks)], len(truth) // blocks),
        unit="recordings",
        recordings=recordings,
    )
    return evaluate(answers, protocol="test")


def test_whole_recordings_are_answered_by_the_mean_over_their_frames_with_an_interval_over_them() -> None:
    found = _frames([10, 9, 6, 2, 8, 7])
    scores = found.overall()
    assert scores["recordings"] == 6
    assert scores["recording_accuracy"] == pytest.approx(5 / 6)
    assert scores["recording_accuracy_low"] < 5 / 6 <= scores["recording_accuracy_high"] == 1
    assert scores["accuracy"] == pytest.approx(42 / 60)
    assert scores["accuracy_low"] < 0.7 < scores["accuracy_high"]
    assert Evaluation.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_recordings_whose_frames_are_in_several_groups_are_not_answered_as_a_whole() -> None:
    assert "recordings" in _frames([10, 8]).overall()
    found = _frames([10, 8], blocks=5).overall()
    assert "recordings" not in found
    assert found["accuracy_low"] < 0.9 < found["accuracy_high"]
