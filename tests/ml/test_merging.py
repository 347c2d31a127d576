"""Labels that a task does not tell apart: one answer for several, a share of them taught, all of them tested."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ml.learner import Learner
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.training_table import TrainingTable
from studies.study import Study
from tests.ml.written_batches import STUDY, wrist_study
from warehouse.home import Home


@pytest.fixture(scope="module")
def merged(segmented: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, TrainingTable]:
    """Shakes and waves as one answer of which half is taught."""
    text = STUDY.replace("    input:", "    merge: {moves: {labels: [shake, wave], share: 0.5}}\n    input:", 1)
    root = tmp_path_factory.mktemp("merged")
    study = wrist_study(root, text)
    shutil.copytree(segmented, root / "home")
    return study, freeze_examples(study, "movement", Home.at(root / "home"))


class _Noted:
    """An estimator that remembers how much it was taught."""

    def fit(self, signals: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> _Noted:
        self.labels, self.groups = labels, groups
        return self


def _taught(study: Study, table: TrainingTable, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> _Noted:
    monkeypatch.setattr("ml.learner.create", lambda *_: _Noted())
    return Learner(table, study.tasks["movement"], "svm", {}).fit(rows)


def test_merged_labels_are_one_answer_of_which_nothing_is_left_out_of_the_table(merged: tuple[Study, TrainingTable]) -> None:
    _, table = merged
    assert "moves" in table.meta.labels
    assert not {"shake", "wave"} & set(table.labels)
    assert len(np.unique(table.segment_id[table.labels == "moves"])) > 10


def test_half_of_their_segments_teach_with_all_their_copies_and_of_other_labels_all(
    merged: tuple[Study, TrainingTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, table = merged
    rows, tested = table.held_out() or pytest.fail("nothing is held out")
    taught = _taught(study, table, rows, monkeypatch)
    for label in table.meta.labels:
        there = (table.labels[rows] == label).sum()
        share = 0.5 if label == "moves" else 1
        assert (taught.labels == label).sum() == pytest.approx(share * there, abs=len(np.unique(table.augmentation)))
    assert (table.labels[tested] == "moves").any()
    again = _taught(study, table, rows, monkeypatch)
    assert np.array_equal(taught.groups, again.groups)


def test_another_seed_teaches_another_half(merged: tuple[Study, TrainingTable], monkeypatch: pytest.MonkeyPatch) -> None:
    study, table = merged
    rows = np.flatnonzero(table.labels == "moves")
    recipe = study.tasks["movement"]
    halves = [Learner(table, recipe.model_copy(update={"seed": seed}), "svm", {})._thinned(rows).tolist() for seed in (1, 2)]
    assert halves[0] != halves[1]


def test_the_whole_way_is_told_by_the_merged_name(merged: tuple[Study, TrainingTable]) -> None:
    study, table = merged
    rows = np.flatnonzero(table.original)
    learner = Learner(
        table, study.tasks["movement"].model_copy(update={"positive": "moves"}), "random_forest", {"n_estimators": 5}
    )
    found = learner.evaluate(rows, learner.answer(rows, rows), protocol="test")
    assert set(found.labels) == set(table.meta.labels)
    assert found.positive == "moves"
