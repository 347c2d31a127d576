"""Real recordings, the whole way: copies set aside, an honest champion, and the refusal where no honest score exists."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from orchestration.classifying import classify_files
from orchestration.running import run
from orchestration.status import model_versions, status
from orchestration.verifying import verify
from studies import find_study
from tests.conftest import REAL
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.query import query

pytestmark = [pytest.mark.real, pytest.mark.slow]

_BARBELL = "metamotion_barbell/MetaMotion"
_PHONES = "sensor_logger/phones_a"


@pytest.fixture(scope="module")
def real_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that was given both real studies, with the manifests that are drafted for them."""
    home = Home.at(tmp_path_factory.mktemp("real"))
    for name, folder in (("barbell", _BARBELL), ("phone_activities", _PHONES)):
        study = find_study(name)
        manifest = home.root / f"{name}.csv"
        manifest.write_text(draft_manifest(REAL / folder, study), encoding="utf-8")
        deliver(REAL / folder, study=study, site="lab", home=home, batch_id=name, manifest=manifest)
    assert run(home).failed == {}
    return home


def test_the_copies_of_the_barbell_study_are_set_aside_and_nothing_else_but_one_incomplete_recording(real_home: Home) -> None:
    rows = query(
        real_home,
        "SELECT participant, count(*) AS recordings, count(*) FILTER (WHERE accepted) AS accepted "
        "FROM verdicts WHERE batch_id = 'barbell' GROUP BY ALL ORDER BY ALL",
    ).to_pylist()
    assert {row["participant"]: row["accepted"] for row in rows} == {"A": 27, "B": 9, "C": 14, "D": 9, "E": 0}
    assert sum(row["recordings"] for row in rows) == 94
    codes = query(real_home, "SELECT DISTINCT code FROM quarantine WHERE batch_id = 'barbell'")["code"].to_pylist()
    assert set(codes) == {"copy_of_other_participant", "copy_of_recording", "stream_missing"}


def test_the_manifest_takes_participant_exercise_and_load_from_the_file_names(real_home: Home) -> None:
    rows = query(
        real_home,
        "SELECT DISTINCT label, attributes->>'load' AS load FROM recordings "
        "WHERE study = 'barbell' AND participant = 'B' ORDER BY ALL",
    ).to_pylist()
    assert {"label": "bench", "load": "heavy1-rpe8"} in rows


def test_rates_and_units_are_those_that_were_measured(real_home: Home) -> None:
    streams = query(
        real_home,
        "SELECT study, stream, min(rate_hz) AS low, max(rate_hz) AS high "
        "FROM streams JOIN recordings USING (recording_id) GROUP BY ALL",
    )
    rates = {(row["study"], row["stream"]): (row["low"], row["high"]) for row in streams.to_pylist()}
    assert rates["barbell", "accelerometer"] == pytest.approx((12.5, 12.5), abs=0.1)
    assert rates["barbell", "gyroscope"] == pytest.approx((25, 25), abs=0.1)
    assert rates["phone_activities", "accelerometer"] == pytest.approx((99.56, 99.94), abs=0.1)


def test_an_honest_champion_is_registered_that_beats_the_forest_of_the_reference(real_home: Home) -> None:
    champion = [row for row in model_versions(real_home, "barbell.exercise_class") if row["alias"] == "champion"]
    assert len(champion) == 1
    assert champion[0]["honest"]
    assert champion[0]["macro_f1"] > 0.804
    assert {row["family"] for row in model_versions(real_home, "barbell.exercise_class")} == {
        "random_forest",
        "svm",
        "cnn",
        "gru",
        "cnn_gru",
    }


def test_nobody_is_trained_on_and_tested_at_once(real_home: Home) -> None:
    table = Lake(real_home).read("examples", columns=["task", "participant", "split"], where={"task": "barbell.exercise_class"})
    splits = {(row["participant"], row["split"]) for row in table.to_pylist()}
    assert len(splits) == len({participant for participant, _ in splits}) == 4


def test_where_each_label_is_one_persons_the_platform_says_so_and_promotes_nothing(real_home: Home) -> None:
    (candidate,) = model_versions(real_home, "phone_activities.activity_class")
    assert (candidate["honest"], candidate["alias"]) == (False, None)
    assert "No honest split exists" in candidate["gate"]
    for label in ("jumping", "standing", "still", "walking"):
        assert f"'{label}'" in candidate["gate"]


def test_the_champion_answers_for_a_file_and_its_sibling(real_home: Home) -> None:
    file = next(path for path in sorted((REAL / _BARBELL).iterdir()) if path.name.startswith("A-squat") and "Accel" in path.name)
    answer = classify_files([file], "barbell.exercise_class", real_home).answer
    assert answer.label == "squat"
    kept = Lake(real_home).read("predictions")
    assert kept["label"].to_pylist() == [label for _, _, label, _ in answer.segments]
    kinelake = str(Path(sys.executable).with_name("kinelake"))
    done = subprocess.run(
        [kinelake, "--home", str(real_home.root), "--json", "classify", str(file), "--task", "barbell.exercise_class"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said: dict[str, Any] = json.loads(done.stdout)
    assert (said["label"], said["version"]) == (answer.label, answer.version)


def test_every_promise_is_kept_and_nothing_is_pending(real_home: Home) -> None:
    assert [check for check in verify(real_home) if not check.kept] == []
    assert status(real_home)["pending"] == []
