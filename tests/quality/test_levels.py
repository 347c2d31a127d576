"""Each level has its suite; what it says is a row of `checks`, errors apart from warnings."""

from __future__ import annotations

import json

from quality.checks import Check
from quality.judging import judge_batch
from quality.suites import balance_suite, confounding_suite, study_suite, suites_of
from studies.study import Study
from tests.quality.conftest import CONTRACT, Recorded, write_batch
from warehouse.home import Home
from warehouse.lake import Lake

MILD = {"severity": "warning", "code": "time_backwards"}


def checks(home: Home, study: Study, *recordings: Recorded) -> dict[str, Check]:
    return {check.name: check for check in judge_batch(write_batch(home, *recordings), study, home).checks}


def test_every_level_has_a_suite_and_every_declared_sensor_its_own() -> None:
    study = Study.model_validate(CONTRACT)
    suites = (*suites_of(study), balance_suite(), study_suite(), confounding_suite())
    assert list(dict.fromkeys(suite.level for suite in suites)) == ["file", "stream", "recording", "label", "study"]
    assert [suite.about for suite in suites if suite.level == "stream"] == list(study.streams)


def test_checks_are_rows_of_the_lake_as_they_were_told(home: Home, study: Study) -> None:
    told = checks(home, study, Recorded("odd", facts={"gyroscope": {"rate_hz": 9.0}}), Recorded("fine"))
    rows = Lake(home).read("checks", where={"batch_id": "batch-1"}).to_pylist()
    assert [row["check_name"] for row in rows] == list(told)
    for row in rows:
        check = told[row["check_name"]]
        assert (row["level"], row["severity"], row["passed"]) == (check.level, check.severity, check.passed)
        assert row["sentence"] == check.sentence and json.loads(row["figures"]) == dict(check.figures)
        assert row["contract_version"] == study.contract_version
    judge_batch("batch-1", study, home)
    assert Lake(home).read("checks").num_rows == len(rows)


def test_a_warning_is_told_as_one_and_sets_nothing_aside(home: Home, study: Study) -> None:
    odd = {"accelerometer": {"declared_rate_hz": 100.0, "rate_hz": 50.0}, "gyroscope": {"held": 0.9}}
    told = checks(home, study, Recorded("odd", facts=odd, findings=(MILD,)))
    assert Lake(home).read("verdicts")["accepted"].to_pylist() == [True]
    for name in ("files_repaired", "stream_oddities"):
        assert not told[name].passed and told[name].severity == "warning"
    assert told["stream_oddities"].figures == {"rate_not_as_declared": 1, "readings_repeated": 1}
    assert told["files_repaired"].figures == {"repaired": 1, "time_backwards": 1}


def test_what_sets_a_recording_aside_is_told_as_an_error(home: Home, study: Study) -> None:
    told = checks(home, study, Recorded("odd", streams=("gyroscope",), participant="Ann", label="jog"))
    failed = {name for name, check in told.items() if not check.passed}
    assert failed == {"recordings_complete", "participants", "labels", "class_balance"}
    assert {name for name in failed if told[name].severity == "warning"} == {"class_balance"}


def test_a_device_that_gives_the_label_away_is_a_warning_of_the_study(home: Home, study: Study) -> None:
    recordings = [
        Recorded(
            f"{label}-{n}",
            label=label,
            participant=f"P00{n % 4}",
            recording={"device": f"phone_{label}"},
            facts={"accelerometer": {"value_hash": f"{label}{n}a"}, "gyroscope": {"value_hash": f"{label}{n}g"}},
        )
        for label in ("hop", "rest")
        for n in range(8)
    ]
    told = checks(home, study, *recordings)
    assert not told["confounding"].passed and told["confounding"].severity == "warning"
    assert "phone_hop" in told["confounding"].sentence and told["confounding"].figures["device_share"] == 1.0


def test_a_sensor_at_several_places_is_judged_by_the_contract_of_the_sensor(home: Home, study: Study) -> None:
    both = ("accelerometer@waist", "accelerometer@wrist", "gyroscope")
    slow = Recorded("odd", streams=both, facts={"accelerometer@wrist": {"rate_hz": 9.0}})
    told = checks(home, study, slow, Recorded("fine", streams=both))
    assert Lake(home).read("verdicts").sort_by("recording_id")["accepted"].to_pylist() == [True, False]
    assert told["stream_contracts"].figures["accelerometer_streams"] == 4
