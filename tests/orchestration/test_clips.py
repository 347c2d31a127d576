"""A clip as people meet it: its page has frames without a face, the champion answers squat by squat, and an erasure takes all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets.resources import delivered
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ingestion.simulation.poses import PoseSpec, simulate_poses
from ingestion.video.faces import SETTING
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.pose.bodies import keep_bodies
from ml.training import train_task
from orchestration.classifying import classify_files
from orchestration.cli import app
from orchestration.erasing import erase
from orchestration.running import run
from quality.judging import judge_batch
from studies import find_study
from tests.ingestion.pose_files import landmark_csv, landmarks
from warehouse.batches import complete_batch
from warehouse.errors import KinelakeError, UnknownName
from warehouse.home import Home

_STUDY, _TASK = "quick_squats", "quick_squats.depth"
_FRAMES = {"frames": 150, "seed": 5}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a champion that learnt from files of landmarks."""
    home = Home.at(tmp_path_factory.mktemp("learnt") / "home")
    source = tmp_path_factory.mktemp("poses") / "delivery"
    simulate_poses(source, PoseSpec(people=4, forms=("good", "shallow"), **_FRAMES))
    study = find_study(_STUDY)
    receipt = deliver(source, study=study, site="gym", home=home, batch_id="poses")
    read_batch(receipt, study, home)
    for step in (judge_batch, resample_batch, keep_bodies, segment_batch):
        step("poses", study, home)
    complete_batch(delivered(receipt), home, contract_version=study.contract_version, recipe_version=study.recipe_version)
    train_task(study, "depth", home)
    return home


@pytest.fixture(scope="module")
def somebody_new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landmarks of one who was never seen."""
    folder = simulate_poses(
        tmp_path_factory.mktemp("new") / "one", PoseSpec(people=1, first_person=9, forms=("good",), **_FRAMES)
    )
    return next(folder.glob("*.csv"))


def _refused(file: Path, home: Home, task: str = _TASK) -> tuple[str, str]:
    with pytest.raises(KinelakeError) as refused:
        classify_files([file], task, home)
    return refused.value.reasons[0].code, refused.value.reasons[0].sentence


def test_every_squat_is_answered_for_in_words(learnt: Home, somebody_new: Path) -> None:
    *lines, whole = classify_files([somebody_new], _TASK, learnt).sentence.splitlines()
    assert len(lines) >= 1 and whole.startswith(("deep, with", "low, with"))
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(
            rf"repetition {number}, \d\.\d–\d\.\d s, deepest at \d\.\d s, knee \d+°: (deep|low) \(\d+%\)", line
        ), line


def test_every_squat_is_answered_for_in_json(learnt: Home, somebody_new: Path) -> None:
    done = CliRunner().invoke(
        app, ["--home", str(learnt.root), "--json", "classify", str(somebody_new), "--task", _TASK], catch_exceptions=False
    )
    said = json.loads(done.stdout)
    assert len(said["repetitions"]) == len(said["segments"]) >= 1
    for told in said["repetitions"]:
        assert 0 <= told["start_s"] < told["deepest_s"] < told["end_s"] < 5
        assert told["probabilities"][told["label"]] == told["probability"] == max(told["probabilities"].values())
        assert set(told["probabilities"]) == {"deep", "low"} and sum(told["probabilities"].values()) == pytest.approx(1)
        assert 20 < told["knee_deg"] < 140 and 0.2 < told["hip_height_m"] < 1


def test_the_page_of_a_recording_says_what_the_champion_says_of_each_squat(learnt: Home) -> None:
    CliRunner().invoke(app, ["--home", str(learnt.root), "report", "poses"], catch_exceptions=False)
    pages = [page.read_text(encoding="utf-8") for page in (learnt.reports / "poses").glob("*.html")]
    assert len(pages) == 8
    assert all("The poses came without a clip" in page and f"{_TASK}, version 1" in page for page in pages)
    assert all(re.search(r'<td>(deep|low) <span class="small">\d+ %</span></td>', page) for page in pages)


def test_somebody_who_only_stands_is_told_that_no_squat_was_found_and_why(learnt: Home, tmp_path: Path) -> None:
    (tmp_path / "still.csv").write_text(landmark_csv(landmarks(90, deep=0.02)), encoding="utf-8")
    code, sentence = _refused(tmp_path / "still.csv", learnt)
    assert code == "squat_missing"
    assert re.search(
        r"no squat deep enough was found, .*: the knees are bent to 1[5-8]\d° at most .*, and the hips sink by \d%", sentence
    )


def test_what_is_no_clip_and_what_nobody_learnt_is_refused_in_words(learnt: Home, somebody_new: Path, tmp_path: Path) -> None:
    (tmp_path / "half.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(60))
    assert _refused(tmp_path / "half.mp4", learnt)[0] in ("video_unreadable", "pose_unavailable")
    assert _refused(somebody_new, learnt, "squat_frames.form")[0] == "no_champion"
    with pytest.raises(UnknownName, match=r"task 'squat_form_frames' is not known; did you mean 'squat_frames.form'\?"):
        classify_files([somebody_new], "squat_form_frames", learnt)


@pytest.mark.pose
def test_a_clips_page_has_frames_without_a_face_and_an_erasure_takes_them(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, study = (
        simulate_poses(tmp_path / "clips", PoseSpec(people=1, forms=("good",), kind="clip", frames=90)),
        find_study(_STUDY),
    )
    for file in simulate_poses(tmp_path / "more", PoseSpec(people=1, forms=("good",), frames=90, first_person=2)).glob("P*"):
        file.rename(source / file.name)
    (source / "manifest.csv").write_text(draft_manifest(source, study), encoding="utf-8")
    deliver(source, study=study, site="gym", home=home, batch_id="clips")
    assert run(home, tasks=False).failed == {}
    first, second = sorted((home.reports / "clips").glob("*.html"), key=lambda page: not _images(page))
    hidden = _images(first)
    assert len(hidden) >= 5 and sum(map(len, hidden)) < 400_000
    assert "averaged away for good" in first.read_text(encoding="utf-8")
    monkeypatch.setenv(SETTING, "off")
    CliRunner().invoke(app, ["--home", str(home.root), "report", "clips"], catch_exceptions=False)
    assert len(_images(first)) == len(hidden) and not set(_images(first)) & set(hidden)
    done = erase("P001", _STUDY, home)
    assert done.left == ()
    assert [page.stem for page in (home.reports / "clips").glob("*.html")] == [second.stem]


def _images(page: Path) -> list[str]:
    return re.findall(r'href="(data:image/jpeg;base64,[^"]+)"', page.read_text(encoding="utf-8"))
