"""Searches for parameters: declared in a study, scored inside what may be learnt from, going on after a kill."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError

from ml.learner import Learner
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.training_table import TrainingTable
from ml.registry import Registry
from ml.search import Trial, chosen_parameters, find_parameters, inner_rounds
from ml.storage import load
from ml.training import TrainingOutcome, train_task
from studies.learning import Model, Search
from studies.study import Study
from tests.ml.conftest import movement_study
from warehouse.errors import StudyError, TrainingRefused
from warehouse.home import Home
from warehouse.lake import Lake

TASK = "wrist.movement"
BAYESIAN = "{method: bayesian, trials: 4, folds: 2, space: {C: {low: 0.01, high: 100, log: true}, vector: [features, samples]}}"
GRID = "{method: grid, folds: 2, space: {n_estimators: [2, 3], max_depth: [1, null]}}"
MODELS = f"[{{family: svm, search: {BAYESIAN}}}, {{family: random_forest, search: {GRID}}}]"
SETTINGS = Search.model_validate(
    {"method": "bayesian", "trials": 7, "folds": 2, "space": {"C": {"low": 0.01, "high": 100, "log": True}}}
)

Searched = tuple[Home, Study, TrainingOutcome]


@pytest.fixture(scope="module")
def searched(segmented: Path, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A home after a training that searched; tests only read it."""

    root = tmp_path_factory.mktemp("searched")
    shutil.copytree(segmented, root / "home")
    home, study = Home.at(root / "home"), movement_study(root, models=MODELS)
    return home, study, train_task(study, "movement", home)


@pytest.fixture(scope="module")
def table(searched: Searched) -> TrainingTable:
    home, study, _ = searched
    return freeze_examples(study, "movement", home)


def find(table: TrainingTable, study: Study, database: Path, say: Callable[[str], None] = lambda _: None) -> list[Trial]:
    learner = Learner(table, study.tasks["movement"], "svm", {})
    rows = np.flatnonzero(table.fold >= 0)
    return find_parameters(learner, rows, SETTINGS, part="all", database=database, say=say)


def trials_of(home: Home, **where: str) -> list[dict[str, Any]]:
    rows = Lake(home).read("trials")
    for name, value in where.items():
        rows = rows.filter(pc.field(name) == value)
    return rows.to_pylist()


def test_every_fold_and_the_registered_version_have_a_search_of_their_own(searched: Searched) -> None:
    home, _, _ = searched
    parts = {row["part"] for row in trials_of(home, family="svm")}
    assert parts == {"all", "without_fold_1", "without_fold_2", "without_fold_3"}
    for family in ("svm", "random_forest"):
        for part in parts:
            rows = trials_of(home, family=family, part=part)
            assert [row["trial"] for row in rows] == [0, 1, 2, 3]
            (chosen,) = [row for row in rows if row["chosen"]]
            assert chosen["value"] == max(row["value"] for row in rows if row["state"] == "complete")


def test_the_version_has_the_parameters_of_the_best_trial(searched: Searched) -> None:
    home, _, outcome = searched
    for version in outcome.versions:
        (chosen,) = [row for row in trials_of(home, family=version.family, part="all") if row["chosen"]]
        found = json.loads(chosen["parameters"])
        assert found.items() <= version.parameters.items()
        assert found.items() <= load(Registry(home).artifact(version)).estimator.get_params().items()


def test_a_grid_tries_every_combination_once(searched: Searched) -> None:
    home, _, _ = searched
    tried = [json.loads(row["parameters"]) for row in trials_of(home, family="random_forest", part="all")]
    assert [(point["n_estimators"], point["max_depth"]) for point in tried] == [(2, 1), (2, None), (3, 1), (3, None)]


def test_all_trials_of_the_last_search_are_runs_in_mlflow(searched: Searched) -> None:
    home, _, _ = searched
    with sqlite3.connect(home.registry / "mlflow.db") as database:
        searched_for = database.execute("SELECT value FROM tags WHERE key = 'searched' ORDER BY value").fetchall()
        values = database.execute(
            "SELECT m.value FROM metrics m JOIN tags t USING (run_uuid) WHERE t.key = 'searched' AND t.value = 'svm'"
        ).fetchall()
    assert [family for (family,) in searched_for] == ["random_forest"] * 4 + ["svm"] * 4
    assert sorted(value for (value,) in values) == sorted(row["value"] for row in trials_of(home, family="svm", part="all"))


def test_what_a_search_sees_holds_no_test_row_and_no_group_on_both_sides(table: TrainingTable) -> None:
    for taught, tested in table.rounds():
        for learnt, held in inner_rounds(table, taught, folds=3):
            assert not set(np.concatenate([learnt, held])) & set(tested)
            assert not set(table.groups[learnt]) & set(table.groups[held])
            assert table.original[held].all()
            assert len(held)


def test_rows_of_one_group_are_searched_in_by_recordings_and_rows_of_one_recording_not_at_all(table: TrainingTable) -> None:
    of_one = np.flatnonzero(table.groups == table.groups[0])
    for learnt, held in inner_rounds(table, of_one, folds=2):
        assert not set(table.recording_id[learnt]) & set(table.recording_id[held])
    with pytest.raises(TrainingRefused, match="all that is left to learn from is one recording"):
        inner_rounds(table, np.flatnonzero(table.recording_id == table.recording_id[0]), folds=3)


class Killed(BaseException):
    """What no handler of the code under test catches."""


def test_killed_in_every_trial_in_turn_a_search_ends_as_if_it_had_never_been(
    table: TrainingTable, searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study, _ = searched

    def result(trials: list[Trial]) -> list[tuple[object, ...]]:
        return [(trial.trial, trial.state, dict(trial.parameters), trial.value, trial.chosen) for trial in trials]

    whole = result(find(table, study, tmp_path / "whole.db"))
    answer, left = Learner.answer, iter(range(1, 99))

    def dying(self: Learner, *arguments: Any) -> Any:
        if next(left) % 3 == 0:
            raise Killed
        return answer(self, *arguments)

    monkeypatch.setattr(Learner, "answer", dying)
    kills, lines = 0, []
    for _ in range(40):
        try:
            ended = find(table, study, tmp_path / "killed.db", lines.append)
            break
        except Killed:
            kills += 1
    assert kills > 3
    assert result(ended) == whole
    assert lines[0] == f"{TASK}: svm, all: trial 1 of 7"
    assert lines[-1].startswith(f"{TASK}: svm, all: trial 7 of 7, best so far 0.")
    assert chosen_parameters(ended)["C"] == next(parameters["C"] for _, _, parameters, _, chosen in whole if chosen)


def test_an_erased_training_leaves_no_search(searched: Searched, tmp_path: Path) -> None:

    shutil.copytree(searched[0].root, tmp_path / "home")
    registry = Registry(Home.at(tmp_path / "home"))
    fingerprint = searched[2].fingerprint
    assert list(registry.searches(TASK, fingerprint).glob("*.db"))
    registry.forget(TASK, [fingerprint])
    assert not registry.searches(TASK, fingerprint).exists()
    with sqlite3.connect(registry.root / "mlflow.db") as database:
        assert database.execute("SELECT count(*) FROM tags WHERE key = 'searched'").fetchone() == (0,)


def test_a_search_for_a_parameter_that_is_not_there_or_not_allowed_is_refused_before_anything_is_frozen(
    ready: Home, tmp_path: Path
) -> None:
    for space, sentence in (
        ("{kernal: [3]}", "'kernal' is not known to cnn; did you mean 'kernel'"),
        ("{kernel: [3, 99]}", "kernel of cnn is 99; allowed: a whole number from 1 to 31"),
        ("{kernel: [3], layers: [1, 9]}", "layers of cnn is 9"),
    ):
        study = movement_study(tmp_path, models=f"[{{family: cnn, search: {{method: grid, space: {space}}}}}]")
        with pytest.raises(StudyError, match=sentence):
            train_task(study, "movement", ready)
    assert Lake(ready).version("examples") is None


@pytest.mark.parametrize(
    ("search", "sentence"),
    [
        ({"method": "grid", "space": {"C": {"low": 1, "high": 2}}}, "a grid needs lists of values; C has low and high"),
        ({"method": "grid", "trials": 3, "space": {"C": [1]}}, "trials goes with 'method: bayesian'"),
        ({"method": "bayesian", "space": {"C": [1]}}, "trials goes with 'method: bayesian'"),
        ({"method": "bayesian", "trials": 3, "space": {"C": {"low": 2, "high": 1}}}, "the smaller number comes first"),
        ({"method": "bayesian", "trials": 3, "space": {"C": {"low": 0, "high": 1, "log": True}}}, "low of more than 0"),
        ({"method": "grid", "space": {"a": list(range(101)), "b": list(range(100))}}, "the grid has 10100 combinations"),
    ],
)
def test_a_search_that_cannot_be_is_refused_when_the_study_is_read(search: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Search.model_validate(search)


def test_a_parameter_is_given_or_searched_for_and_not_both() -> None:
    search = {"method": "grid", "space": {"C": [1, 2]}}
    with pytest.raises(ValidationError, match="C is both given under parameters and searched for"):
        Model.model_validate({"family": "svm", "parameters": {"C": 1}, "search": search})
