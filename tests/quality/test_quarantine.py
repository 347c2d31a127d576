"""Looking into quarantine and letting out of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from quality.judging import judge_batch
from quality.quarantine import list_quarantined, release, show
from studies.study import Study
from tests.quality.conftest import CONTRACT, Recorded, write_batch
from warehouse.errors import KinelakeError, UnknownName
from warehouse.home import Home

FAST = {"accelerometer": {"rate_hz": 56.07}}
EMPTY = ({"severity": "error", "code": "csv_empty", "sentence": "the file is empty"},)


@pytest.fixture(scope="module")
def judged_once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home.at(tmp_path_factory.mktemp("judged") / "home")
    aside = Recorded("hop-fast", facts=FAST, label="rest")
    batch = write_batch(home, Recorded("hop-fine"), aside, Recorded("hop-void", streams=(), findings=EMPTY))
    judge_batch(batch, Study.model_validate(CONTRACT), home)
    return home


@pytest.fixture
def judged(judged_once: Home, tmp_path: Path) -> Home:
    """A copy of its own of a home with one recording accepted and two set aside."""
    shutil.copytree(judged_once.root, tmp_path / "home")
    return Home.at(tmp_path / "home")


def test_the_list_holds_what_is_set_aside_with_its_codes(judged: Home) -> None:
    rows = list_quarantined(judged).to_pylist()
    assert [(row["recording_id"], row["codes"]) for row in rows] == [
        ("hop-fast", "rate_out_of_contract"),
        ("hop-void", "csv_empty"),
    ]
    assert rows[0]["batch_id"] == "batch-1" and rows[0]["study"] == "hops" and rows[0]["released_by"] is None


def test_the_list_is_narrowed_by_study_and_batch(judged: Home, study: Study) -> None:
    judge_batch(write_batch(judged, Recorded("hop-b", facts=FAST), batch_id="batch-2"), study, judged)
    assert list_quarantined(judged, batch_id="batch-2")["recording_id"].to_pylist() == ["hop-b"]
    assert list_quarantined(judged, study="hops").num_rows == 3
    with pytest.raises(UnknownName, match="did you mean 'batch-2'"):
        list_quarantined(judged, batch_id="batch-22")
    with pytest.raises(UnknownName, match="did you mean 'hops'"):
        list_quarantined(judged, study="hop")


def test_nothing_is_listed_in_an_empty_home(home: Home) -> None:
    assert list_quarantined(home).num_rows == 0


def test_a_recording_is_shown_with_reasons_files_and_streams_as_json(judged: Home) -> None:
    found = json.loads(json.dumps(show(judged, "hop-fast")))
    assert found["accepted"] is False and found["label"] == "rest" and found["started_at"].startswith("2026-03-02T09:00")
    assert [set(reason) for reason in found["reasons"]] == [{"code", "sentence", "place", "remedy"}]
    assert len(found["files"][0]["sha256"]) == 64 and found["files"][0]["path"] == "hop-fast.zip"
    assert [stream["stream"] for stream in found["streams"]] == ["accelerometer", "gyroscope"]


def test_an_unknown_recording_is_answered_with_the_nearest(judged: Home) -> None:
    with pytest.raises(UnknownName, match="did you mean 'hop-fast'"):
        show(judged, "hop-fas")


def test_a_recording_that_was_not_judged_yet_is_shown_without_a_verdict(home: Home) -> None:
    write_batch(home, Recorded("new"))
    assert show(home, "new")["accepted"] is None
    with pytest.raises(KinelakeError, match="not_judged"):
        release(home, "new", who="a", why="b")


def test_a_release_is_listed_at_once_and_counts_from_the_next_run(judged: Home, study: Study) -> None:
    release(judged, "hop-fast", who=" Dr Lee ", why="good enough")
    waiting = list_quarantined(judged).to_pylist()[0]
    assert (waiting["recording_id"], waiting["released_by"]) == ("hop-fast", "Dr Lee")
    judge_batch("batch-1", study, judged)
    assert list_quarantined(judged)["recording_id"].to_pylist() == ["hop-void"]
    found = show(judged, "hop-fast")
    assert found["accepted"] is True and found["released_by"] == "Dr Lee"
    assert [(one["who"], one["why"]) for one in found["releases"]] == [("Dr Lee", "good enough")]


def test_releases_that_make_no_sense_are_refused(judged: Home) -> None:
    for recording_id, who, why, code in (
        ("hop-fast", " ", "b", "release_unsigned"),
        ("hop-fast", "a", "", "release_unsigned"),
        ("hop-fine", "a", "b", "not_in_quarantine"),
        ("hop-void", "a", "b", "nothing_to_release"),
    ):
        with pytest.raises(KinelakeError, match=code):
            release(judged, recording_id, who=who, why=why)
    with pytest.raises(UnknownName, match="hop-fast"):
        release(judged, "hop-fsat", who="a", why="b")
