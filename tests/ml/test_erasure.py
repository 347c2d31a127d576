"""Trainings that learnt from somebody leave registry and lake; the champion before them comes back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ml.erasure import erase_trainings
from ml.registry import Registry
from ml.training import TrainingOutcome
from studies.study import Study
from tests.ml.test_registry import TASK, register
from warehouse.home import Home
from warehouse.lake import Lake


@pytest.fixture
def crowned(registry_home: Home) -> Registry:
    """Three versions that were champions one after the other."""
    registry = Registry(registry_home)
    for number in (1, 2, 3):
        register(registry, fingerprint=f"f{number}", statement=f"learnt from secret{number}")
        registry.promote(TASK, number, who="ann", why=f"reason{number}")
        registry.complete(TASK, f"f{number}")
    return registry


def test_a_forgotten_champion_gives_its_place_back_and_leaves_nothing_in_the_file(crowned: Registry) -> None:
    assert crowned.forget(TASK, ["f3"]) == 1
    champion = crowned.champion(TASK)
    assert champion is not None
    assert (champion.version, champion.promoted_by) == (2, "erasure")
    assert [(change.version, change.action) for change in crowned.history(TASK)] == [
        (1, "promote"),
        (2, "promote"),
        (2, "rollback"),
    ]
    assert crowned.trained_fingerprint(TASK) is None
    content = (crowned.root / "mlflow.db").read_bytes()
    assert b"secret3" not in content and b"reason3" not in content and b"secret2" in content
    assert crowned.rollback(TASK, who="ann", why="back").version == 1


def test_forgetting_again_changes_nothing_and_a_number_is_not_given_twice(crowned: Registry) -> None:
    assert [crowned.forget(TASK, ["f2", "f3"]) for _ in range(2)] == [2, 0]
    assert [found.version for found in crowned.versions(TASK)] == [1]
    assert register(crowned, fingerprint="f4").version == 4


def test_with_every_training_gone_nobody_is_champion(crowned: Registry) -> None:
    crowned.forget(TASK, ["f1", "f2", "f3"])
    assert (crowned.champion(TASK), crowned.aliases(), crowned.history(TASK), crowned.versions(TASK)) == (None, {}, [], [])


def test_only_trainings_that_learnt_from_the_participant_go(trained: tuple[Home, Study, TrainingOutcome], tmp_path: Path) -> None:
    shutil.copytree(trained[0].root, tmp_path / "home", dirs_exist_ok=True)
    home, outcome = Home.at(tmp_path / "home"), trained[2]
    assert erase_trainings("wrist", "nobody", recordings=[], home=home) == 0
    someone = Lake(home).read("examples", columns=["participant"])["participant"][0].as_py()
    assert erase_trainings("wrist", someone, recordings=[], home=home) == len(outcome.versions)
    assert Registry(home).versions() == []
    assert [Lake(home).read(name).num_rows for name in ("examples", "training_tables", "models", "evaluations")] == [0] * 4
    assert not list(home.registry.glob("models/*/*")) and not list(home.registry.glob("runs/*/*/artifacts"))
