"""Real poses, the way of every delivery from the manifest to a scored model: frames, clips, and sequences of whole squats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import studies
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from orchestration.running import run
from studies import find_study
from tests.conftest import REAL
from warehouse.home import Home
from warehouse.query import query

pytestmark = [pytest.mark.real]

_KEYPOINTS = REAL / "keypoints"


@pytest.fixture
def learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Take a folder through a shipped study of which only one task and family is trained; return the home."""

    def learn(name: str, task: str, folder: Path, family: str, **parameters: Any) -> Home:
        said = yaml.safe_load((Path(studies.__file__).parent / f"{name}.yaml").read_text(encoding="utf-8"))
        said["tasks"] = {task: {**said["tasks"][task], "models": [{"family": family, "parameters": parameters}]}}
        (tmp_path / "studies").mkdir()
        (tmp_path / "studies" / f"{name}.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
        monkeypatch.setenv("KINELAKE_STUDIES", str(tmp_path / "studies"))
        home, study, manifest = Home.at(tmp_path / "home"), find_study(name), tmp_path / "manifest.csv"
        manifest.write_text(draft_manifest(folder, study), encoding="utf-8")
        deliver(folder, study=study, site="lab", home=home, batch_id=name, manifest=manifest)
        assert run(home).failed == {}
        return home

    return learn


def _scores(home: Home, task: str) -> dict[str, dict[str, float]]:
    """Scores over all labels, by protocol."""
    rows = query(home, f"SELECT protocol, metric, value FROM evaluations WHERE task = '{task}' AND label IS NULL").to_pylist()
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        found.setdefault(row["protocol"], {})[row["metric"]] = row["value"]
    return found


def test_frames_of_a_video_never_seen_are_told_up_from_down(learnt: Any) -> None:
    home = learnt("exercise_mediapipe", "phase", _KEYPOINTS / "exercise_mediapipe", "svm", vector="samples")
    test = _scores(home, "exercise_mediapipe.phase")["test"]
    assert test["support"] == 853
    assert test["accuracy_low"] > 0.9
    taught = query(home, "SELECT split, label, count(*) AS frames FROM examples GROUP BY ALL ORDER BY ALL").to_pylist()
    assert sum(row["frames"] for row in taught if row["split"] == "train") == 4160
    assert {row["label"] for row in taught} == {"up", "down"}


def test_clips_that_were_never_seen_are_told_good_from_bad_better_than_by_chance(learnt: Any) -> None:
    clips = _KEYPOINTS / "good_bad_squat_2d" / "output_csv"
    home = learnt("good_bad_squat_2d", "form_of_frames", clips, "extra_trees", vector="samples", n_estimators=30)
    scores = _scores(home, "good_bad_squat_2d.form_of_frames")
    assert scores["cross_validation"]["support"] == 5292
    for found in scores.values():
        assert found["recordings"] == 166
        assert found["recording_accuracy_low"] > 0.5
    assert scores["authors"]["recording_accuracy"] > scores["cross_validation"]["recording_accuracy"] > 0.6


def test_squats_of_other_people_are_told_correct_from_incorrect_less_well_than_those_of_people_who_taught(learnt: Any) -> None:
    home = learnt("uiprmd_deep_squat", "form", _KEYPOINTS / "uiprmd_deep_squat", "svm", vector="samples")
    scores = _scores(home, "uiprmd_deep_squat.form")
    assert scores["authors"]["support"] == scores["cross_validation"]["support"] == 180
    assert scores["authors"]["accuracy"] > 0.95
    assert scores["authors"]["accuracy"] > scores["cross_validation"]["accuracy"] > 0.7
    assert scores["cross_validation"]["accuracy_low"] > 0.5
