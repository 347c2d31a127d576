"""Real poses, the way of every delivery from the manifest to a scored model: frames, clips, and sequences of whole squats."""

from __future__ import annotations

from collections.abc import Iterator
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

#: Study, folder, and of its tasks the one and the family that is trained here.
_LEARNT: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("exercise_mediapipe", "exercise_mediapipe", "phase", {"family": "svm", "parameters": {"vector": "samples"}}),
    (
        "good_bad_squat_2d",
        "good_bad_squat_2d/output_csv",
        "form_of_frames",
        {"family": "extra_trees", "parameters": {"vector": "samples", "n_estimators": 30}},
    ),
    ("uiprmd_deep_squat", "uiprmd_deep_squat", "form", {"family": "svm", "parameters": {"vector": "samples"}}),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that was given every shipped study of real poses, with the manifests that are drafted for them."""
    folder = tmp_path_factory.mktemp("poses")
    home, shipped = Home.at(folder / "home"), Path(studies.__file__).parent
    for name, _, task, model in _LEARNT:
        said = yaml.safe_load((shipped / f"{name}.yaml").read_text(encoding="utf-8"))
        said["tasks"] = {task: {**said["tasks"][task], "models": [model]}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KINELAKE_STUDIES", str(folder))
        for name, recordings, _, _ in _LEARNT:
            study, manifest, source = find_study(name), folder / f"{name}.csv", REAL / "keypoints" / recordings
            manifest.write_text(draft_manifest(source, study), encoding="utf-8")
            deliver(source, study=study, site="lab", home=home, batch_id=name, manifest=manifest)
        assert run(home).failed == {}
        yield home


def _scores(home: Home, task: str) -> dict[str, dict[str, float]]:
    """Scores over all labels, by protocol."""
    rows = query(home, f"SELECT protocol, metric, value FROM evaluations WHERE task = '{task}' AND label IS NULL").to_pylist()
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        found.setdefault(row["protocol"], {})[row["metric"]] = row["value"]
    return found


def test_frames_of_a_video_never_seen_are_told_up_from_down(home: Home) -> None:
    test = _scores(home, "exercise_mediapipe.phase")["test"]
    assert test["support"] == 853
    assert test["accuracy_low"] > 0.9
    asked = "SELECT split, label, count(*) AS frames FROM examples WHERE task = 'exercise_mediapipe.phase' GROUP BY ALL"
    examples = query(home, asked).to_pylist()
    assert sum(row["frames"] for row in examples if row["split"] == "train") == 4160
    assert {row["label"] for row in examples} == {"up", "down"}


def test_clips_that_were_never_seen_are_told_good_from_bad_better_than_by_chance(home: Home) -> None:
    scores = _scores(home, "good_bad_squat_2d.form_of_frames")
    assert scores["cross_validation"]["support"] == 5292
    for found in scores.values():
        assert found["recordings"] == 166
        assert found["recording_accuracy_low"] > 0.5
    assert scores["authors"]["recording_accuracy"] > scores["cross_validation"]["recording_accuracy"] > 0.6


def test_clips_without_a_frame_or_with_one_are_set_aside_and_say_why(home: Home) -> None:
    asked = "SELECT code, count(DISTINCT recording_id) AS clips FROM quarantine WHERE study = 'good_bad_squat_2d' GROUP BY ALL"
    codes = {row["code"]: row["clips"] for row in query(home, asked).to_pylist()}
    assert codes == {"csv_no_rows": 15, "rate_out_of_contract": 3}


def test_squats_are_told_correct_from_incorrect_less_well_where_other_rows_of_the_same_people_do_not_teach(home: Home) -> None:
    scores = _scores(home, "uiprmd_deep_squat.form")
    assert scores["authors"]["support"] == scores["cross_validation"]["support"] == 180
    assert scores["authors"]["accuracy"] > 0.95
    assert scores["authors"]["accuracy"] > scores["cross_validation"]["accuracy"] > 0.7
    assert scores["cross_validation"]["accuracy_low"] > 0.5
