"""What the champion says about recordings that are in no table, and what it refuses."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.inference import NoAnswer, classify
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.tensors import cut_streams
from ml.preprocessing.training_table import load_examples
from ml.registry import Registry
from ml.storage import ModelRefused, load
from ml.training import TrainingOutcome, train_task
from studies.study import Study
from tests.ml.conftest import movement_study
from tests.ml.written_batches import ORIGIN_NS, STUDY, Streams, cohort, moving, wrist_study, write_batch
from warehouse.errors import UnknownName
from warehouse.home import Home
from warehouse.lake import Lake

TASK = "wrist.movement"
Trained = tuple[Home, Study, TrainingOutcome]


def test_somebody_never_seen_is_told_what_they_do(trained: Trained) -> None:
    home, study, outcome = trained
    for hz, label in ((1, "shake"), (2, "turn"), (3, "wave")):
        answer = classify(moving(500 + hz, hz=hz), study=study, task="movement", home=home)
        assert (answer.label, answer.version) == (label, outcome.promoted)
        assert 1 / 3 < answer.probability <= 1
        assert answer.sentence.startswith(f"{label}, with a probability of {answer.probability:.0%} (")


def test_segments_are_in_order_inside_the_recording_and_have_the_shape_of_the_study(trained: Trained) -> None:
    home, study, _ = trained
    answer = classify(moving(1, seconds=9), study=study, task="movement", home=home)
    starts, ends, labels, probabilities = (np.array(column) for column in zip(*answer.segments, strict=True))
    assert (np.diff(starts) == 1_000_000_000).all()
    assert (ends - starts == 1_950_000_000)[:-1].all()
    assert starts.min() >= ORIGIN_NS
    assert ends.max() <= ORIGIN_NS + 9_000_000_000
    assert set(labels) <= {"shake", "turn", "wave"}
    assert ((probabilities > 0) & (probabilities <= 1)).all()


def test_a_recording_of_the_training_is_cut_into_the_very_tensors_that_it_was_trained_on(trained: Trained) -> None:
    home, study, outcome = trained
    table = load_examples(TASK, outcome.fingerprint, home)
    for recorded in cohort(people=6)[:4]:
        mine = table.original & (table.recording_id == recorded.recording_id)
        cut = cut_streams(recorded.streams, study.tasks["movement"])
        segments = Lake(home).read("segments", where={"task": TASK, "recording_id": recorded.recording_id})
        assert cut.start_ns.tolist() == sorted(segments["start_ns"].to_pylist())
        np.testing.assert_array_equal(cut.signals, table.signals[mine])


def test_the_answer_is_what_the_champion_says_to_those_tensors(trained: Trained) -> None:
    home, study, outcome = trained
    recorded = cohort(people=6)[5]
    table = load_examples(TASK, outcome.fingerprint, home)
    mine = table.original & (table.recording_id == recorded.recording_id)
    champion = Registry(home).champion(TASK)
    assert champion is not None
    estimator = load(Registry(home).artifact(champion)).estimator
    answer = classify(recorded.streams, study=study, task="movement", home=home)
    assert [label for _, _, label, _ in answer.segments] == estimator.predict(table.signals[mine]).tolist()
    assert answer.probability == estimator.predict_proba(table.signals[mine]).mean(axis=0).max()


def test_a_stream_that_only_another_task_needs_and_that_starts_first_changes_no_answer(ready: Home, tmp_path: Path) -> None:
    study = movement_study(tmp_path, models="[{family: svm}]", at_least=0.0)
    orientation_first = [replace(one, streams=with_early_orientation(one.streams)) for one in cohort(people=6)]
    write_batch(ready, study, "b1", orientation_first)
    resample_batch("b1", study, ready)
    segment_batch("b1", study, ready)
    outcome = train_task(study, "movement", ready)
    table = load_examples(TASK, outcome.fingerprint, ready)
    recorded = orientation_first[3]
    mine = table.original & (table.recording_id == recorded.recording_id)
    expected = load(Registry(ready).artifact(outcome.versions[0])).estimator.predict_proba(table.signals[mine])
    barometer = (np.array([ORIGIN_NS - 10**9]), np.zeros((1, 3), np.float32))
    answer = classify({**recorded.streams, "barometer": barometer}, study=study, task="movement", home=ready)
    assert [probability for *_, probability in answer.segments] == expected.max(axis=1).tolist()


def with_early_orientation(streams: Streams) -> Streams:
    t_ns, values = streams["orientation"]
    return {**streams, "orientation": (t_ns - 77_000_001, values)}


def test_a_recording_without_a_needed_sensor_is_refused_with_what_the_task_needs(trained: Trained) -> None:
    home, study, _ = trained
    streams = {name: readings for name, readings in moving(1).items() if name != "gyroscope"}
    with pytest.raises(NoAnswer) as refused:
        classify(streams, study=study, task="movement", home=home)
    (reason,) = refused.value.reasons
    assert reason.code == "stream_missing"
    assert reason.sentence == (
        "'wrist.movement' needs accelerometer and gyroscope; the recording has no gyroscope (it has: accelerometer, orientation)"
    )


def test_a_sensor_without_readings_is_a_missing_one(trained: Trained) -> None:
    home, study, _ = trained
    streams = {**moving(1), "gyroscope": (np.zeros(0, np.int64), np.zeros((0, 3), np.float32))}
    with pytest.raises(NoAnswer, match="has no gyroscope"):
        classify(streams, study=study, task="movement", home=home)


@pytest.mark.parametrize("seconds", [0.1, 1.4])
def test_a_recording_that_is_too_short_is_refused_with_the_length_that_would_do(trained: Trained, seconds: float) -> None:
    home, study, _ = trained
    with pytest.raises(NoAnswer, match=r"too_short: the recording has no stretch of 1.5 s"):
        classify(moving(1, seconds=seconds), study=study, task="movement", home=home)


def test_before_any_training_there_is_no_answer(home: Home, tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="no model of it was trained yet"):
        classify(moving(1), study=movement_study(tmp_path), task="movement", home=home)


def test_a_task_whose_models_were_all_erased_has_no_champion(trained: Trained, tmp_path: Path) -> None:
    home, study, outcome = trained
    shutil.copytree(home.root, tmp_path / "home")
    emptied = Home.at(tmp_path / "home")
    Registry(emptied).forget(TASK, [outcome.fingerprint])
    with pytest.raises(NoAnswer, match="have been erased"):
        classify(moving(1), study=study, task="movement", home=emptied)


def test_without_a_champion_the_refusal_says_why_there_is_none(ready: Home, tmp_path: Path) -> None:
    weak = "[{family: random_forest, parameters: {n_estimators: 1, max_depth: 1}}]"
    study = movement_study(tmp_path, models=weak, at_least=1.0)
    outcome = train_task(study, "movement", ready)
    assert outcome.promoted is None
    with pytest.raises(NoAnswer) as refused:
        classify(moving(1), study=study, task="movement", home=ready)
    assert outcome.sentence in str(refused.value)


def test_an_unknown_task_is_refused_with_the_nearest_name(trained: Trained) -> None:
    home, study, _ = trained
    with pytest.raises(UnknownName, match="did you mean 'movement'"):
        classify(moving(1), study=study, task="movment", home=home)


def test_the_champion_answers_as_it_was_trained_after_the_study_has_changed(trained: Trained, tmp_path: Path) -> None:
    home, study, _ = trained
    changed = wrist_study(
        tmp_path, STUDY.replace("rate_hz: 20, magnitude: true", "rate_hz: 30").replace("length: 40", "length: 50")
    )
    before, after = (classify(moving(7), study=which, task="movement", home=home) for which in (study, changed))
    assert before == after


def test_a_damaged_champion_is_refused_and_not_asked(trained: Trained, tmp_path: Path) -> None:
    home, study, _ = trained
    shutil.copytree(home.root, tmp_path / "copy")
    copy = Home.at(tmp_path / "copy")
    champion = Registry(copy).champion(TASK)
    assert champion is not None
    (payload,) = Registry(copy).artifact(champion).glob("estimator.*")
    payload.write_bytes(b"x" + payload.read_bytes()[1:])
    with pytest.raises(ModelRefused, match="is not the file that was written"):
        classify(moving(1), study=study, task="movement", home=copy)
