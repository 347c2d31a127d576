"""Examples beside their participant's own baseline: whose numbers count, in training and when a file is classified."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.drifting import is_steady, measure_drift
from ml.inference import NoAnswer, classify
from ml.preprocessing.baseline import Baseline, baselines_of, beside_baselines
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.training_table import TrainingTable, load_examples
from ml.registry import Registry
from ml.storage import load
from ml.training import train_task
from studies.study import Study
from tests.ml.written_batches import STUDY, Recorded, cohort, moving, wrist_study, write_batch
from warehouse.errors import StudyError
from warehouse.home import Home

_INPUT = "input: {streams: [accelerometer, gyroscope], rate_hz: 20, magnitude: true"
_BESIDE = STUDY.replace(_INPUT, f"{_INPUT}, baseline: participant").replace("{family: random_forest}", "{family: svm}", 1)


def people_and_signals(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    people = random.permutation(np.repeat(["ann", "bob", "cem"], [4, 7, 12]))
    return people, random.normal(3, 2, (len(people), 10, 4)).astype(np.float32)


@given(st.integers(0, 99), st.floats(0.1, 50), st.floats(-100, 100))
def test_another_scale_or_offset_of_a_persons_sensor_changes_nothing(seed: int, gain: float, offset: float) -> None:
    people, signals = people_and_signals(seed)
    worn_otherwise = np.where((people == "bob")[:, np.newaxis, np.newaxis], gain * signals + offset, signals).astype(np.float32)
    before = beside_baselines(signals, people, baselines_of(signals, people))
    after = beside_baselines(worn_otherwise, people, baselines_of(worn_otherwise, people))
    np.testing.assert_allclose(after, before, atol=0.01 + 1e-4 * abs(offset) / gain)


@given(st.integers(0, 99))
def test_nobodys_numbers_reach_anybody_elses_examples(seed: int) -> None:
    people, signals = people_and_signals(seed)
    together = beside_baselines(signals, people, baselines_of(signals, people))
    for person in np.unique(people):
        own = signals[people == person]
        np.testing.assert_array_equal(together[people == person], Baseline.of(own).relative(own))
        assert together[people == person].mean(axis=0) == pytest.approx(0, abs=1e-5)
        assert (together[people == person] ** 2).mean(axis=(0, 1)) == pytest.approx(1, abs=1e-4)


def test_a_channel_that_never_moves_is_zero_and_no_division_by_nothing() -> None:
    still = np.full((3, 8, 1), 9.81, np.float32)
    assert (Baseline.of(still).relative(still) == 0).all()


def ran(home: Home, study: Study, recordings: list[Recorded]) -> TrainingTable:
    write_batch(home, study, "b1", recordings)
    resample_batch("b1", study, home)
    segment_batch("b1", study, home)
    return freeze_examples(study, "movement", home)


def test_the_labels_are_not_looked_at(home: Home, tmp_path: Path) -> None:
    study, recordings = wrist_study(tmp_path, _BESIDE), cohort(4)
    told = ran(home, study, recordings)
    other = {"shake": "turn", "turn": "wave", "wave": "shake"}
    retold = ran(home, study, [replace(one, label=other[one.label]) for one in recordings if one.label])
    assert told.meta.fingerprint != retold.meta.fingerprint
    np.testing.assert_array_equal(told.signals[told.original], retold.signals[retold.original])


def test_originals_and_copies_stand_beside_the_baseline_of_the_originals_and_the_statement_says_so(
    home: Home, tmp_path: Path
) -> None:
    plain = ran(home, wrist_study(tmp_path), cohort(4))
    table = ran(home, wrist_study(tmp_path, _BESIDE), cohort(4))
    assert table.example_id.tolist() == plain.example_id.tolist()
    assert set(table.augmentation) == {"original", "multiplicative_noise_1", "subsequence_1"}
    baselines = baselines_of(plain.signals[plain.original], plain.participant[plain.original])
    np.testing.assert_allclose(table.signals, beside_baselines(plain.signals, plain.participant, baselines), atol=1e-5)
    assert table.meta.honest
    assert "held against their own mean" in table.meta.statement
    assert "own mean" not in plain.meta.statement


def test_a_file_is_held_against_its_participants_recordings_and_refused_without_any(ready: Home, tmp_path: Path) -> None:
    study = wrist_study(tmp_path, _BESIDE)
    outcome = train_task(study, "movement", ready)
    recorded, table = cohort(6)[5], load_examples("wrist.movement", outcome.fingerprint, ready)
    champion = Registry(ready).champion("wrist.movement")
    assert champion is not None
    rows = table.original & (table.recording_id == recorded.recording_id)
    expected = load(Registry(ready).artifact(champion)).estimator.predict_proba(table.signals[rows]).mean(axis=0).max()
    answer = classify(recorded.streams, study=study, task="movement", home=ready, participant=recorded.participant)
    assert answer.probability == pytest.approx(expected, abs=1e-4)
    with pytest.raises(NoAnswer, match="it is not said whose recording this is; known: P0, P1, P2, P3, P4, P5"):
        classify(moving(1), study=study, task="movement", home=ready)
    with pytest.raises(NoAnswer, match="of 'P77' no accepted recording is there"):
        classify(moving(1), study=study, task="movement", home=ready, participant="P77")
    found = measure_drift("b1", study, ready)
    assert [one.task for one in found] == ["wrist.movement"]
    assert is_steady(found)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("streams: [accelerometer, gyroscope]", "streams: [accelerometer, orientation]", "orientation is none"),
        ("split: {group: participant", "target: participant\n    split: {group: session", "is what a baseline takes away"),
    ],
)
def test_a_baseline_of_what_has_none_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        wrist_study(tmp_path, _BESIDE.replace(old, new, 1))
