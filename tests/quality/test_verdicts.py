"""The history of verdicts: a row for the first one and for every one that says something else."""

from __future__ import annotations

from typing import Any

from quality.judging import judge_batch
from quality.quarantine import release
from studies.study import Study
from tests.quality.conftest import CONTRACT, Recorded, write_batch
from warehouse.home import Home
from warehouse.lake import Lake

FAST = {"accelerometer": {"rate_hz": 56.07}}


def history(home: Home, recording_id: str) -> list[dict[str, Any]]:
    found = Lake(home).read("verdict_history", where={"recording_id": recording_id})
    rows: list[dict[str, Any]] = found.sort_by("number").to_pylist()
    return rows


def wider() -> Study:
    limits = CONTRACT["streams"]["accelerometer"] | {"rate_hz": [45, 60]}
    return Study.model_validate({**CONTRACT, "streams": {**CONTRACT["streams"], "accelerometer": limits}})


def test_judging_again_adds_nothing_and_another_contract_adds_what_it_says(home: Home, study: Study) -> None:
    batch = write_batch(home, Recorded("odd", facts=FAST), Recorded("fine"))
    for _ in range(2):
        judge_batch(batch, study, home)
    assert [row["number"] for row in history(home, "odd")] == [1]
    judge_batch(batch, wider(), home)
    told = [(row["number"], row["accepted"], [reason["code"] for reason in row["reasons"]]) for row in history(home, "odd")]
    assert told == [(1, False, ["rate_out_of_contract"]), (2, True, [])]
    assert [row["contract_version"] for row in history(home, "fine")] == [study.contract_version, wider().contract_version]


def test_a_release_is_a_change_and_the_last_row_is_the_verdict_that_counts(home: Home, study: Study) -> None:
    batch = write_batch(home, Recorded("odd", facts=FAST))
    judge_batch(batch, study, home)
    release(home, "odd", who="Dr Lee", why="good enough")
    judge_batch(batch, study, home)
    assert [row["released_by"] for row in history(home, "odd")] == [None, "Dr Lee"]
    (verdict,) = Lake(home).read("verdicts").to_pylist()
    assert {name: verdict[name] for name in ("accepted", "reasons", "judged_at")} == {
        name: history(home, "odd")[-1][name] for name in ("accepted", "reasons", "judged_at")
    }
    assert verdict["decisions"] == 1


def test_a_batch_touches_its_own_history_only(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, Recorded("one", facts=FAST)), study, home)
    files = {path for path, _ in Lake(home).parquet_files("verdict_history")}
    judge_batch(write_batch(home, Recorded("two", facts=FAST), batch_id="batch-2"), study, home)
    assert files < {path for path, _ in Lake(home).parquet_files("verdict_history")}


def test_two_reasons_that_differ_in_their_words_only_are_two_verdicts(home: Home, study: Study) -> None:
    batch = write_batch(home, Recorded("odd", facts=FAST))
    judge_batch(batch, study, home)
    write_batch(home, Recorded("odd", facts={"accelerometer": {"rate_hz": 57.5}}))
    judge_batch(batch, study, home)
    assert ["56.07" in row["reasons"][0]["sentence"] for row in history(home, "odd")] == [True, False]
