"""Training from a segmented batch to versions, rows and a champion; again, elsewhere, and killed on the way."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

import ml.training
from ml.drifting import in_words, is_steady, measure_drift
from ml.mlflow_store import MlflowStore
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.training_table import load_examples
from ml.registry import PromotionRefused, Registry
from ml.storage import load, read_description
from ml.training import TrainingOutcome, train_task
from studies.study import Study
from tests.ml.conftest import movement_study
from tests.ml.written_batches import Recorded, cohort, moving, write_batch
from warehouse.errors import StudyError, TrainingRefused
from warehouse.home import Home
from warehouse.lake import Lake

TASK = "wrist.movement"
Trained = tuple[Home, Study, TrainingOutcome]


def rows(home: Home, table: str, *, without: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    read = Lake(home).read(table).drop_columns(list(without)).to_pylist()
    return sorted(read, key=lambda row: json.dumps(row, default=str))


def what_remains(home: Home) -> dict[str, Any]:
    """Everything that a training leaves, but for times, durations and ids of runs."""
    registry = Registry(home)
    versions = [
        (
            found.version,
            found.family,
            found.fingerprint,
            dict(found.scores),
            found.gate,
            found.chosen,
            found.promoted,
            found.alias,
        )
        for found in registry.versions()
    ]
    with sqlite3.connect(home.registry / "mlflow.db") as database:
        runs = database.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED' AND lifecycle_stage = 'active'").fetchone()
    return {
        "versions": versions,
        "history": [(change.version, change.action, change.who, change.why) for change in registry.history(TASK)],
        "trained": registry.trained_fingerprint(TASK),
        "runs": runs,
        "models": rows(home, "models", without=("trained_at", "train_seconds")),
        "evaluations": rows(home, "evaluations"),
        "folders": sorted(path.relative_to(home.registry).as_posix() for path in (home.registry / "models").glob("*/*/*")),
    }


def test_every_family_becomes_a_version_and_the_gate_promotes_one(trained: Trained) -> None:
    home, _, outcome = trained
    registry = Registry(home)
    assert [(version.version, version.family) for version in outcome.versions] == [(1, "random_forest"), (2, "svm")]
    assert outcome.honest
    assert not outcome.already_trained
    champion = registry.champion(TASK)
    assert champion is not None
    assert champion.version == outcome.promoted
    assert outcome.sentence == champion.gate
    assert f"{champion.family} (version {champion.version}) became champion" in outcome.sentence
    assert list(registry.versions(TASK)) == list(outcome.versions)
    assert registry.trained_fingerprint(TASK) == outcome.fingerprint


def test_a_version_names_what_it_was_made_from(trained: Trained) -> None:
    home, study, outcome = trained
    for version in outcome.versions:
        facts = load(Registry(home).artifact(version)).facts
        assert facts["fingerprint"] == version.fingerprint == outcome.fingerprint
        assert facts["seed"] == version.seed == study.tasks["movement"].seed == version.parameters["random_state"]
        assert facts["code_version"] == version.code_version
        assert facts["length"] == 40
        assert facts["channels"][3] == "accelerometer.norm"


def test_rows_of_models_and_evaluations_are_those_of_the_registry(trained: Trained) -> None:
    home, _, outcome = trained
    models = {row["version"]: row for row in rows(home, "models")}
    scores = Lake(home).read("evaluations")
    for version in outcome.versions:
        row = models[version.version]
        assert (row["family"], row["gate"], row["promoted"]) == (version.family, version.gate, version.promoted)
        assert json.loads(row["parameters"]) == version.parameters
        of_version = pc.field("version") == version.version
        overall = scores.filter(of_version & (pc.field("protocol") == "test") & pc.field("label").is_null())
        assert dict(zip(overall["metric"].to_pylist(), overall["value"].to_pylist(), strict=True)) == version.scores


def test_originals_are_tested_once_and_altered_copies_never(trained: Trained) -> None:
    home, _, outcome = trained
    table = load_examples(TASK, outcome.fingerprint, home)
    scores = Lake(home).read("evaluations")
    for protocol, tested in (("cross_validation", table.fold >= 0), ("test", table.fold < 0)):
        confusion = scores.filter((pc.field("metric") == "confusion") & (pc.field("protocol") == protocol))
        counts = confusion.group_by("family").aggregate([("value", "sum")])
        assert set(counts["value_sum"].to_pylist()) == {float(np.count_nonzero(tested & table.original))}
    assert np.count_nonzero(~table.original) > 0


def test_scores_can_be_had_again_from_the_stored_model(trained: Trained) -> None:
    home, _, outcome = trained
    table = load_examples(TASK, outcome.fingerprint, home)
    tested = np.flatnonzero(table.split == "test")
    for version in outcome.versions:
        guessed = load(Registry(home).artifact(version)).estimator.predict(table.signals[tested])
        assert version.scores["accuracy"] == pytest.approx((guessed == table.labels[tested]).mean())


def test_mlflow_holds_parameters_metrics_and_the_confusion_matrix_of_every_version(trained: Trained) -> None:
    home, _, outcome = trained
    with sqlite3.connect(home.registry / "mlflow.db") as database:
        metrics = database.execute("SELECT value FROM metrics WHERE key = 'test.macro_f1'").fetchall()
        names = {name for (name,) in database.execute("SELECT name FROM experiments")}
        parameters = {key for (key,) in database.execute("SELECT key FROM params")}
    assert sorted(value for (value,) in metrics) == sorted(version.scores["macro_f1"] for version in outcome.versions)
    assert TASK in names
    assert {"n_estimators", "C"} <= parameters
    kept = [json.loads(path.read_text()) for path in (home.registry / "runs").rglob("evaluations.json")]
    assert len(kept) == 2
    assert all(evaluation["confusion"] for evaluations in kept for evaluation in evaluations)


def test_no_participant_is_named_in_the_registry(trained: Trained) -> None:
    home, _, _ = trained
    texts = [path.read_bytes() for path in home.registry.rglob("*.json")]
    assert texts
    assert not any(f'"P{person}"'.encode() in text for text in texts for person in range(6))


def test_an_unchanged_fingerprint_is_not_trained_again(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    home, study, outcome = trained
    monkeypatch.setattr(ml.training, "freeze_examples", pytest.fail)
    lines: list[str] = []
    again = train_task(study, "movement", home, progress=lines.append)
    assert again.already_trained
    assert (again.versions, again.promoted, again.sentence) == (outcome.versions, outcome.promoted, outcome.sentence)
    assert lines == [f"{TASK}: already trained on {outcome.fingerprint}"]


def test_another_home_with_the_same_recordings_gives_the_same_scores(ready: Home, tmp_path: Path, segmented: Path) -> None:
    hybrid = "{family: cnn_gru, parameters: {epochs: 2, filters: 4, hidden: 4}}"
    study = movement_study(tmp_path, models=f"[{hybrid}, {{family: random_forest, parameters: {{n_estimators: 4}}}}]")
    shutil.copytree(segmented, tmp_path / "elsewhere")
    outcomes = [train_task(study, "movement", home) for home in (ready, Home.at(tmp_path / "elsewhere"))]
    once, again = outcomes
    assert once.fingerprint == again.fingerprint
    assert [version.scores for version in once.versions] == [version.scores for version in again.versions]
    assert rows(ready, "evaluations") == rows(Home.at(tmp_path / "elsewhere"), "evaluations")
    table = load_examples(TASK, once.fingerprint, ready)
    for version in once.versions:
        homes = (ready, Home.at(tmp_path / "elsewhere"))
        first, second = (load(Registry(home).artifact(version)).estimator.predict_proba(table.signals) for home in homes)
        assert np.array_equal(first, second)


class Killed(BaseException):
    """What no handler of the code under test catches."""


def kill_at_what_never_killed_yet(monkeypatch: pytest.MonkeyPatch, survived: set[tuple[object, ...]]) -> None:
    """Let the process die just before the first write that it has not died at yet, and right after the last of all."""

    def dying(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def written(*arguments: Any, **more: Any) -> Any:
            named = () if name == "_fill" else (part for part in arguments if isinstance(part, str | int | Path))
            which = (name, *named, *more.get("tags", {}).values())
            die_unless_survived(which)
            result = write(*arguments, **more)
            if "trained_fingerprint" in which:
                die_unless_survived(("after", *which))
            return result

        return written

    def die_unless_survived(which: tuple[object, ...]) -> None:
        if which not in survived:
            survived.add(which)
            raise Killed

    for owner, name in (
        (ml.training, "save"),
        (MlflowStore, "log_run"),
        (MlflowStore, "_fill"),
        (MlflowStore, "create_version"),
        (MlflowStore, "tag_version"),
        (MlflowStore, "set_alias"),
        (MlflowStore, "tag_model"),
        (Lake, "replace"),
    ):
        monkeypatch.setattr(owner, name, dying(name, getattr(owner, name)))


def test_killed_at_every_write_in_turn_it_ends_as_if_it_had_never_been_killed(ready: Home, trained: Trained) -> None:
    whole, study, _ = trained
    survived: set[tuple[object, ...]] = set()
    for attempts in range(1, 60):
        with pytest.MonkeyPatch.context() as patch:
            kill_at_what_never_killed_yet(patch, survived)
            try:
                train_task(study, "movement", ready)
            except Killed:
                assert len(survived) == attempts
            else:
                break
    kinds = {str(which[0]) for which in survived}
    assert kinds == {"save", "log_run", "_fill", "create_version", "tag_version", "set_alias", "tag_model", "replace", "after"}
    assert len(survived) >= 16
    assert what_remains(ready) == what_remains(whole)


def test_two_trainings_at_once_give_one_version_of_each_family(ready: Home, trained: Trained) -> None:
    whole, study, _ = trained
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: train_task(study, "movement", ready), range(2)))
    assert sorted(outcome.already_trained for outcome in outcomes) == [False, True]
    assert what_remains(ready) == what_remains(whole)


def test_new_recordings_are_trained_on_and_must_reach_the_champion(ready: Home, tmp_path: Path) -> None:
    study = movement_study(tmp_path, models="[{family: svm}]", at_least=0.2)
    before = train_task(study, "movement", ready)
    confusing = [
        Recorded(f"x{person}{label}", f"P{person}", label, moving(900 + person * 10 + number, hz=5))
        for person in range(6)
        for number, label in enumerate(("shake", "turn", "wave"))
    ]
    write_batch(ready, study, "b2", confusing, received_after_s=60)
    resample_batch("b2", study, ready)
    segment_batch("b2", study, ready)
    after = train_task(study, "movement", ready)
    registry = Registry(ready)
    assert after.fingerprint != before.fingerprint
    assert registry.trained_fingerprint(TASK) == after.fingerprint
    assert (before.promoted, after.promoted) == (1, None)
    assert "asked about the same 2 held-out groups that neither has learnt from" in after.sentence
    assert registry.aliases() == {(TASK, 1): "champion", (TASK, 2): "challenger"}
    assert {row["version"] for row in rows(ready, "models")} == {1, 2}


def test_labels_that_only_one_person_recorded_each_promote_nothing_and_say_why(registry_home: Home, tmp_path: Path) -> None:
    study = movement_study(tmp_path)
    of_one_each = [
        Recorded(f"r{number}", f"P{number % 2}", ("shake", "turn")[number % 2], moving(number, hz=1 + number % 2))
        for number in range(8)
    ]
    write_batch(registry_home, study, "b1", of_one_each)
    resample_batch("b1", study, registry_home)
    segment_batch("b1", study, registry_home)
    outcome = train_task(study, "movement", registry_home)
    registry = Registry(registry_home)
    assert not outcome.honest
    assert outcome.promoted is None
    assert outcome.sentence == f"Nothing was promoted, for the scores are not honest. {outcome.statement}"
    assert "only P0 recorded 'shake'" in outcome.statement
    assert registry.champion(TASK) is None
    assert len(registry.versions(TASK)) == 2
    with pytest.raises(PromotionRefused, match="not honest"):
        registry.promote(TASK, 1, who="Ada", why="the scores look great")


def test_leaving_each_participant_out_in_turn_scores_every_original_once(ready: Home, tmp_path: Path) -> None:
    study = movement_study(tmp_path)
    outcome = train_task(study, "whole", ready)
    (version,) = outcome.versions
    scores = Lake(ready).read("evaluations", where={"task": "wrist.whole"})
    assert set(scores["protocol"].to_pylist()) == {"cross_validation"}
    assert version.scores["support"] == 12  # six people, two labels
    assert "leave one participant out" in version.protocol


def test_nothing_is_printed(ready: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train_task(movement_study(tmp_path, models="[{family: svm}]"), "movement", ready)
    assert capfd.readouterr() == ("", "")


def test_wrong_parameters_are_refused_before_anything_is_frozen(ready: Home, tmp_path: Path) -> None:
    study = movement_study(tmp_path, models="[{family: svm}, {family: cnn, parameters: {kernels: 3}}]")
    with pytest.raises(StudyError, match="'kernels' is not known to cnn; did you mean 'kernel'"):
        train_task(study, "movement", ready)
    assert Lake(ready).version("examples") is None


def test_a_family_listed_twice_is_refused(ready: Home, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="family svm is listed more than once"):
        train_task(movement_study(tmp_path, models="[{family: svm}, {family: svm}]"), "movement", ready)


def test_without_accepted_recordings_there_is_nothing_to_learn_from(home: Home, tmp_path: Path) -> None:
    study = movement_study(tmp_path)
    with pytest.raises(TrainingRefused, match="nothing_to_learn_from"):
        train_task(study, "movement", home)
    write_batch(home, study, "b1", cohort(people=3), complete=False)
    with pytest.raises(TrainingRefused, match="nothing_to_learn_from"):
        train_task(study, "movement", home)


def test_every_version_has_a_page_with_what_its_training_kept(trained: Trained) -> None:
    home, _, outcome = trained
    registry = Registry(home)
    for version in outcome.versions:
        page = (registry.artifact(version) / "report.html").read_text(encoding="utf-8")
        for said in (outcome.statement, "Which channels count", "Which moments count", "Model card", version.fingerprint):
            assert said in page, said
        facts = read_description(registry.artifact(version))["facts"]
        assert len(facts["importance"]) == len(facts["channels"])
        assert facts["inference_ms"] > 0
        assert set(facts["reference"]["labels"]) == set(facts["table"]["labels"])


def test_a_batch_like_the_champions_own_is_steady_and_one_from_a_sensor_turned_round_is_not(
    trained: Trained, tmp_path: Path
) -> None:
    whole, study, _ = trained
    shutil.copytree(whole.root, tmp_path / "home")
    home = Home.at(tmp_path / "home")
    assert is_steady(measure_drift("b1", study, home))
    shifted = [
        replace(one, streams={name: (t_ns, 30 * values + 50) for name, (t_ns, values) in one.streams.items()})
        for one in cohort(people=3)
    ]
    shifted = [replace(one, recording_id=f"x{one.recording_id}", participant=f"Q{one.participant}") for one in shifted]
    write_batch(home, study, "b2", shifted, received_after_s=60)
    resample_batch("b2", study, home)
    segment_batch("b2", study, home)
    found = measure_drift("b2", study, home)
    assert not is_steady(found)
    assert "features lie elsewhere" in in_words(found)
    kept = Lake(home).read("drift", where={"batch_id": "b2"})
    assert any(kept["shifted"].to_pylist())
