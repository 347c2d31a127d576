"""Versions, aliases and their history, promotion and rollback by people."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ml.gate import Decision
from ml.mlflow_store import MlflowStore
from ml.model_version import ModelVersion
from ml.registry import PromotionRefused, Registry
from warehouse.errors import UnknownName
from warehouse.home import Home

TASK = "wrist.movement"
DRAFT = ModelVersion(
    task=TASK,
    version=0,
    family="svm",
    fingerprint="f1",
    honest=True,
    protocol="leave one participant out (6 participants)",
    statement="The scores are for people whom the model never saw in training.",
    scores={"macro_f1": 0.1 + 0.2, "accuracy": 0.75},
    parameters={"C": 1.0, "gamma": "scale"},
    seed=7,
    code_version="abc",
    trained_at=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC),
    train_seconds=1.25,
    parameters_count=None,
    artifact="models/wrist.movement/f1/svm",
)


def register(registry: Registry, **changes: object) -> ModelVersion:
    return registry.register(replace(DRAFT, **changes), metrics={"test.macro_f1": 0.3}, files={"evaluations.json": []})


@pytest.fixture(scope="module")
def three_versions(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> Path:
    """The database of a registry with three versions, none of them champion."""
    home = Home.at(tmp_path_factory.mktemp("three"))
    shutil.copy(empty_registry, home.registry / "mlflow.db")
    for number in (1, 2, 3):
        register(Registry(home), fingerprint=f"f{number}")
    return home.registry / "mlflow.db"


@pytest.fixture
def registry(home: Home, three_versions: Path) -> Registry:
    """A copy of that registry, in a home of its own."""
    shutil.copy(three_versions, home.registry / "mlflow.db")
    return Registry(home)


def test_a_version_comes_back_as_it_was_registered_to_the_last_bit(registry_home: Home) -> None:
    registered = register(Registry(registry_home), parameters_count=12, family="cnn")
    assert Registry(registry_home).versions() == [registered]
    assert registered == replace(DRAFT, version=1, parameters_count=12, family="cnn")


def test_registering_the_same_training_again_gives_the_same_version(registry: Registry) -> None:
    assert register(registry, fingerprint="f2", code_version="later").version == 2
    assert [found.version for found in registry.versions(TASK)] == [1, 2, 3]


def test_versions_count_per_task(registry: Registry) -> None:
    assert register(registry, task="wrist.whole").version == 1
    assert registry.tasks() == ["wrist.movement", "wrist.whole"]
    assert len(registry.versions()) == 4


def test_a_person_promotes_and_the_registry_keeps_who_and_why(registry: Registry) -> None:
    assert registry.champion(TASK) is None
    promoted = registry.promote(TASK, 2, who="Ada", why="better on heavy lifts")
    assert registry.champion(TASK) == promoted
    assert (promoted.version, promoted.alias, promoted.promoted_by) == (2, "champion", "Ada")
    assert promoted.promoted_why == "better on heavy lifts"
    assert registry.aliases() == {(TASK, 2): "champion"}
    (change,) = registry.history(TASK)
    assert (change.version, change.action, change.who, change.why) == (2, "promote", "Ada", "better on heavy lifts")


def test_rollback_goes_back_champion_by_champion_and_stops_at_the_first(registry: Registry) -> None:
    for version in (1, 3, 2):
        registry.promote(TASK, version, who="Ada", why="trial")
    assert registry.rollback(TASK, who="Bo", why="wrong on squats").version == 3
    assert registry.rollback(TASK, who="Bo", why="still wrong").version == 1
    with pytest.raises(PromotionRefused, match="no champion before the present one"):
        registry.rollback(TASK, who="Bo", why="even so")
    assert registry.champion(TASK) == registry.version(TASK, 1)
    assert [(change.action, change.version) for change in registry.history(TASK)] == [
        ("promote", 1),
        ("promote", 3),
        ("promote", 2),
        ("rollback", 3),
        ("rollback", 1),
    ]


def test_after_a_rollback_a_promotion_can_be_rolled_back_to_where_it_started(registry: Registry) -> None:
    registry.promote(TASK, 1, who="Ada", why="first")
    registry.promote(TASK, 2, who="Ada", why="second")
    registry.rollback(TASK, who="Ada", why="back")
    registry.promote(TASK, 3, who="Ada", why="third")
    assert registry.rollback(TASK, who="Ada", why="back again").version == 1


def test_a_version_without_an_honest_score_is_never_champion(registry: Registry) -> None:
    statement = "'jump' was recorded by P1 only."
    version = register(registry, honest=False, statement=statement, fingerprint="f9").version
    with pytest.raises(PromotionRefused, match=f"its scores are not honest. {statement}"):
        registry.promote(TASK, version, who="Ada", why="I insist")
    assert registry.champion(TASK) is None
    assert registry.history(TASK) == []


@pytest.mark.parametrize(("who", "why"), [("", "because"), ("Ada", " ")])
def test_a_change_by_hand_states_who_and_why(registry: Registry, who: str, why: str) -> None:
    with pytest.raises(PromotionRefused, match="who decides and why"):
        registry.promote(TASK, 1, who=who, why=why)
    with pytest.raises(PromotionRefused, match="who decides and why"):
        registry.rollback(TASK, who=who, why=why)


def test_promoting_the_champion_again_is_refused_and_recorded_once(registry: Registry) -> None:
    registry.promote(TASK, 1, who="Ada", why="good")
    with pytest.raises(PromotionRefused, match="is champion already"):
        registry.promote(TASK, 1, who="Bo", why="good too")
    assert len(registry.history(TASK)) == 1


def test_unknown_tasks_and_versions_are_refused_with_what_there_is(registry: Registry) -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'wrist.movement'"):
        registry.promote("wrist.movment", 1, who="Ada", why="typo")
    with pytest.raises(UnknownName, match="has no version 7; known: 1, 2, 3"):
        registry.promote(TASK, 7, who="Ada", why="typo")
    with pytest.raises(UnknownName):
        registry.rollback("../../etc", who="Ada", why="'; DROP TABLE model_versions; --")
    with pytest.raises(UnknownName):
        registry.versions("wrist")
    assert registry.champion("wrist' OR '1'='1") is None


def test_a_home_without_models_is_answered_without_mlflow(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from warehouse.home import Home; from ml.registry import Registry; "
        "r = Registry(Home(Path(sys.argv[1]))); "
        "print(r.aliases(), r.trained_fingerprint('a.b'), r.champion('a.b'), r.versions(), 'mlflow' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(home.root)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "{} None None [] False"
    assert not (home.registry / "mlflow.db").exists()


def test_a_new_database_is_made_without_a_word_and_with_telemetry_off(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    MlflowStore(home.registry).prepare()
    assert capfd.readouterr() == ("", "")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert (home.registry / "mlflow.db").is_file()


def test_the_gate_settles_once_however_often_it_is_told(registry: Registry) -> None:
    decision = Decision(2, 2, "svm (version 2) became champion.", {2: "svm (version 2) became champion."})
    for _ in range(2):
        registry.settle(TASK, decision)
    assert registry.settled(TASK, "f2") == decision
    (change,) = registry.history(TASK)
    assert (change.version, change.who, change.why) == (2, "gate", decision.sentence)
    champion = registry.champion(TASK)
    assert champion is not None
    assert (champion.version, champion.promoted, champion.chosen, champion.gate) == (2, True, True, decision.sentence)


def test_a_decision_told_again_does_not_overrule_what_a_person_did_since(registry: Registry) -> None:
    decision = Decision(2, 2, "better", {2: "better"})
    registry.settle(TASK, decision)
    registry.promote(TASK, 1, who="Ada", why="steadier")
    registry.settle(TASK, decision)
    assert registry.aliases() == {(TASK, 1): "champion", (TASK, 2): "challenger"}


def test_the_best_that_did_not_pass_is_challenger_until_it_is_promoted(registry: Registry) -> None:
    registry.settle(TASK, Decision(None, 3, "too low", {3: "too low"}))
    assert registry.aliases() == {(TASK, 3): "challenger"}
    registry.promote(TASK, 3, who="Ada", why="good enough for the trial")
    assert registry.aliases() == {(TASK, 3): "champion"}


def test_a_dishonest_best_is_not_even_challenger(registry: Registry) -> None:
    version = register(registry, honest=False, fingerprint="f9").version
    registry.settle(TASK, Decision(None, version, "not honest", {version: "not honest"}))
    assert registry.aliases() == {}


def test_a_training_is_trained_when_it_is_complete_and_not_before(registry: Registry) -> None:
    assert registry.trained_fingerprint(TASK) is None
    registry.complete(TASK, "f1")
    registry.complete(TASK, "f3")
    assert registry.trained_fingerprint(TASK) == "f3"


def test_a_home_that_was_moved_goes_on_registering_beside_its_new_place(registry: Registry, tmp_path: Path) -> None:
    shutil.move(registry.root.parent, tmp_path / "moved")
    moved = Registry(Home.at(tmp_path / "moved"))
    assert register(moved, fingerprint="f4").version == 4
    assert not registry.root.exists()
    assert list((moved.root / "runs").rglob("evaluations.json"))
    assert moved.artifact(moved.version(TASK, 1)).is_relative_to(tmp_path / "moved")
