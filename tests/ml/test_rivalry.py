"""Champion and challenger are asked about the same people, whom neither has learnt from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.preprocessing.training_table import load_examples
from ml.registry import Registry
from ml.rivalry import compare
from ml.training import TrainingOutcome
from studies.study import Study
from warehouse.home import Home

Trained = tuple[Home, Study, TrainingOutcome]
TASK = "wrist.movement"


def test_a_model_beside_itself_is_no_better(trained: Trained) -> None:
    home, _, outcome = trained
    table, registry = load_examples(TASK, outcome.fingerprint, home), Registry(home)
    forest = outcome.versions[0]
    found = compare(forest, forest, table, registry, home, metric="macro_f1")
    assert found is not None
    assert found.challenger == found.champion == pytest.approx(forest.scores["macro_f1"])
    assert found.lead == (0.0, 0.0)


def test_groups_that_the_champion_learnt_from_are_not_asked_about(trained: Trained) -> None:
    home, _, outcome = trained
    table, registry = load_examples(TASK, outcome.fingerprint, home), Registry(home)
    held_out = table.held_out()
    assert held_out is not None
    everybody = replace(table, fold=np.full_like(table.fold, -1))  # as if all were held out of a later training
    found = compare(*outcome.versions, everybody, registry, home, metric="accuracy")
    assert found is not None
    assert found.groups == len(np.unique(table.groups[held_out[1]]))
    assert found.examples == len(held_out[1])


def test_where_nothing_fair_is_left_there_is_no_comparison(trained: Trained) -> None:
    home, _, outcome = trained
    table, registry = load_examples(TASK, outcome.fingerprint, home), Registry(home)
    nobody = replace(table, fold=np.abs(table.fold))
    assert compare(*outcome.versions, nobody, registry, home, metric="macro_f1") is None
    assert compare(*outcome.versions, table, registry, home, metric="recall") is None
