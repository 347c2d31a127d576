"""Scores, against scikit-learn's where it has them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from ml.evaluation import Evaluation, evaluate

ANSWERS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(["P1", "P2"])), min_size=1)


def evaluated(answers: list[tuple[str, str, str]]) -> Evaluation:
    truth, predicted, people = (np.array(column) for column in zip(*answers, strict=True))
    return evaluate(truth, predicted, participants=people, protocol="test")


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
