"""Every reason code provoked by a minimal case; verdicts, releases and checks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from quality.judging import judge_batch
from quality.quarantine import release
from studies.study import Study
from tests.quality.conftest import CONTRACT, FIRST_NS, Recorded, write_batch
from warehouse.home import Home
from warehouse.lake import Lake

CHECKS = {
    "files_readable",
    "files_repaired",
    "stream_contracts",
    "stream_oddities",
    "units",
    "recordings_complete",
    "participants",
    "labels",
    "class_balance",
    "every_recording_judged",
    "copies",
    "confounding",
}


@pytest.fixture
def study() -> Study:
    """A study with every kind of limit."""
    return Study.model_validate(CONTRACT)


def verdicts_of(home: Home, batch_id: str = "batch-1") -> dict[str, dict[str, Any]]:
    rows = Lake(home).read("verdicts", where={"batch_id": batch_id}).to_pylist()
    return {row["recording_id"]: row for row in rows}


def codes_of(home: Home, batch_id: str = "batch-1") -> dict[str, list[str]]:
    return {name: [reason["code"] for reason in row["reasons"]] for name, row in verdicts_of(home, batch_id).items()}


def odd(stream: str = "accelerometer", **facts: Any) -> Recorded:
    return Recorded("odd", facts={stream: facts})


CASES: dict[str, tuple[Recorded, str, str, str]] = {
    "rate too high": (
        odd(rate_hz=56.07, declared_rate_hz=100.0),
        "rate_out_of_contract",
        "56.07 times a second (its file says 100)",
        "odd.zip::accelerometer.csv",
    ),
    "rate too low": (
        odd("gyroscope", rate_hz=12.5),
        "rate_out_of_contract",
        "the gyroscope was read 12.5 times a second; the study allows 45 to",
        "gyroscope",
    ),
    "one row": (
        odd(rows=1, rate_hz=None, jitter=None, longest_gap_s=None),
        "rate_out_of_contract",
        "has 1 reading, too few or too odd to tell its sampling rate, longest pause and regularity",
        "accelerometer",
    ),
    "rate not a number": (odd(rate_hz=float("nan")), "rate_out_of_contract", "sampling rate", "accelerometer"),
    "rate infinite": (odd(rate_hz=float("inf")), "rate_out_of_contract", "inf", "accelerometer"),
    "gap": (
        odd(longest_gap_s=10.0, gaps=3),
        "gap_too_long",
        "pauses for 10 s, one of 3; the study allows 0.5 s",
        "accelerometer",
    ),
    "jitter": (odd(jitter=0.45), "jitter_too_high", "varies by 45 % of its usual length; the study allows 20 %", "accelerometer"),
    "too large": (odd(maximum=812.5), "out_of_range", "reads -20 to 812.5 m/s²; believable is -160 to 160", "accelerometer"),
    "too small": (odd(minimum=-1000.0), "out_of_range", "-1,000", "accelerometer"),
    "saturated": (
        odd(saturated=0.12),
        "saturated",
        "12 % of the accelerometer's readings stick at its extreme; the study allows 5 %",
        "accelerometer",
    ),
    "in g": (odd(norm_median=1.0, minimum=-3.0, maximum=3.0), "unit_implausible", "looks like g (", "accelerometer"),
    "in milli-g": (odd(norm_median=1003.0), "unit_implausible", "looks like milli-g", "accelerometer"),
    "multiplied twice": (odd(norm_median=96.2), "unit_implausible", "multiplied by 9.81 twice", "accelerometer"),
    "no gravity": (odd(norm_median=0.2), "unit_implausible", "gravity had been removed", "accelerometer"),
    "scale": (odd(norm_median=13.93), "unit_implausible", "42% more than gravity", "accelerometer"),
    "another unit": (odd("gyroscope", unit="deg/s"), "unit_implausible", "is in deg/s; the study expects rad/s", "gyroscope"),
    "stream missing": (
        Recorded("odd", streams=("accelerometer",)),
        "stream_missing",
        "no gyroscope, which the study requires; found: accelerometer",
        "odd.zip",
    ),
    "stream without rows": (odd("gyroscope", rows=0, value_hash=None), "stream_missing", "no gyroscope", "odd.zip"),
    "too short": (
        Recorded("odd", recording={"duration_s": 2.1}),
        "too_short",
        "lasts 2.1 s; the study asks for at least 4 s",
        "odd.zip",
    ),
    "duration unknown": (Recorded("odd", recording={"duration_s": None}), "too_short", "no known duration", "odd.zip"),
    "label unknown": (
        Recorded("odd", label="hopp"),
        "label_unknown",
        "label 'hopp' is not one of the study's; did you mean 'hop'?",
        "manifest.csv, label of odd.zip",
    ),
    "label missing": (Recorded("odd", label=None), "label_missing", "allowed: hop, rest", "manifest.csv, label of odd.zip"),
    "participant unknown": (
        Recorded("odd", participant="xP001"),
        "participant_unknown",
        r"'xP001' does not fit the study's pattern ^P\d{3}$",
        "manifest.csv, participant of odd.zip",
    ),
    "participant and a new line": (Recorded("odd", participant="P001\n"), "participant_unknown", "P001", "odd.zip"),
    "finding": (
        Recorded("odd", findings=({"severity": "error", "code": "csv_row_ragged", "sentence": "5 fields", "place": "row 7"},)),
        "csv_row_ragged",
        "5 fields",
        "row 7",
    ),
    "finding of no severity": (
        Recorded("odd", findings=({"severity": "grave", "code": "csv_odd", "sentence": "?"},)),
        "csv_odd",
        "?",
        "odd.zip",
    ),
}


def test_a_clean_recording_is_accepted_without_a_reason(home: Home, study: Study, clean: Recorded) -> None:
    judgement = judge_batch(write_batch(home, clean), study, home)
    assert (judgement.accepted, judgement.quarantined, judgement.reasons) == (1, 0, {})
    verdict = verdicts_of(home)["walk-1"]
    assert verdict["accepted"] and verdict["reasons"] == [] and verdict["participant"] == "P001"
    assert verdict["contract_version"] == study.contract_version and verdict["released_by"] is None


def test_every_fault_sets_its_recording_aside_with_its_code_and_no_other(home: Home, study: Study, clean: Recorded) -> None:
    faulty = {f"odd-{number}": case for number, case in enumerate(CASES.values())}
    named = [case[0].but(name=name) for name, case in faulty.items()]
    judgement = judge_batch(write_batch(home, clean, *named), study, home)
    assert (judgement.accepted, judgement.quarantined) == (1, len(CASES))
    verdicts = verdicts_of(home)
    assert verdicts["walk-1"]["accepted"]
    for (name, (_, code, sentence, place)), case in zip(faulty.items(), CASES, strict=True):
        verdict = verdicts[name]
        assert not verdict["accepted"], case
        assert [reason["code"] for reason in verdict["reasons"]] == [code], case
        (reason,) = verdict["reasons"]
        assert sentence in reason["sentence"], case
        assert place.replace("odd", name) in reason["place"], case
        assert reason["remedy"] or code.startswith("csv_"), case
    assert sum(judgement.reasons.values()) == len(CASES)


def test_degrees_per_second_are_named_in_the_remedy(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, odd("gyroscope", minimum=-600.0, maximum=573.0)), study, home)
    (reason,) = verdicts_of(home)["odd"]["reasons"]
    assert reason["code"] == "out_of_range" and "degrees per second" in reason["remedy"]


def test_several_faults_of_one_recording_are_all_told(home: Home, study: Study) -> None:
    worse = Recorded(
        "odd",
        participant="Ann",
        label="jog",
        streams=("accelerometer",),
        facts={"accelerometer": {"rate_hz": 9.0, "jitter": 3.0}},
    )
    judge_batch(write_batch(home, worse), study, home)
    expected = ["rate_out_of_contract", "jitter_too_high", "participant_unknown", "stream_missing", "label_unknown"]
    assert codes_of(home)["odd"] == expected


def test_warnings_and_notes_set_nothing_aside(home: Home, study: Study) -> None:
    mild = ({"severity": "warning", "code": "time_backwards"}, {"severity": "note", "code": "time_duplicates"})
    assert judge_batch(write_batch(home, Recorded("walk", findings=mild)), study, home).accepted == 1


def test_a_stream_that_the_study_does_not_require_may_be_absent_but_not_wrong(home: Home, study: Study) -> None:
    three = ("accelerometer", "gyroscope", "orientation")
    wrong = Recorded("wrong", streams=three, facts={"orientation": {"rate_hz": 10.0}})
    judge_batch(write_batch(home, Recorded("right", streams=three), wrong, Recorded("without")), study, home)
    assert codes_of(home) == {"right": [], "wrong": ["rate_out_of_contract"], "without": []}


def test_an_unreadable_recording_has_only_the_reasons_of_its_files(home: Home, study: Study) -> None:
    finding = {"severity": "error", "code": "csv_empty", "sentence": "the file is empty", "place": "odd.zip"}
    judge_batch(write_batch(home, Recorded("odd", streams=(), findings=(finding,))), study, home)
    assert codes_of(home) == {"odd": ["csv_empty"]}


def test_a_recording_without_streams_and_without_findings_is_never_accepted(home: Home) -> None:
    lenient = {name: {**contract, "required": False} for name, contract in CONTRACT["streams"].items()}
    study = Study.model_validate({**CONTRACT, "streams": lenient, "min_duration_s": None})
    judge_batch(write_batch(home, Recorded("odd", streams=()), Recorded("fine", streams=("gyroscope",))), study, home)
    assert codes_of(home) == {"odd": ["stream_missing"], "fine": []}


def test_judging_twice_gives_the_same(home: Home, study: Study, clean: Recorded) -> None:
    twin = clean.but(name="walk-2", start_ns=FIRST_NS + 5, facts={"gyroscope": {"value_hash": "walk-1-gyroscope"}})
    batch = write_batch(home, clean, twin, odd(rate_hz=9.0))
    first, before = judge_batch(batch, study, home), verdicts_of(home)
    second, after = judge_batch(batch, study, home), verdicts_of(home)
    assert (first.changed, second.changed) == (3, 0)
    assert replace(first, changed=0) == second
    assert [{**row, "judged_at": None} for row in before.values()] == [{**row, "judged_at": None} for row in after.values()]


def test_another_contract_judges_otherwise_and_signs_with_another_version(home: Home, study: Study) -> None:
    wider = {
        **CONTRACT,
        "streams": {**CONTRACT["streams"], "accelerometer": {**CONTRACT["streams"]["accelerometer"], "rate_hz": [45, 60]}},
    }
    batch = write_batch(home, odd(rate_hz=56.07))
    assert judge_batch(batch, study, home).accepted == 0
    first = verdicts_of(home)["odd"]["contract_version"]
    assert judge_batch(batch, Study.model_validate(wider), home).accepted == 1
    assert verdicts_of(home)["odd"]["contract_version"] != first


def test_an_empty_batch_is_judged_and_has_no_verdicts(home: Home, study: Study) -> None:
    judgement = judge_batch("batch-0", study, home)
    assert (judgement.accepted, judgement.quarantined) == (0, 0)
    assert verdicts_of(home, "batch-0") == {} and all(check.passed for check in judgement.checks)


def test_checks_carry_figures_and_only_the_invariant_blocks(home: Home, study: Study, clean: Recorded) -> None:
    faults = [case[0].but(name=f"odd-{number}") for number, case in enumerate(CASES.values())]
    judgement = judge_batch(write_batch(home, clean, *faults), study, home)
    checks = {check.name: check for check in judgement.checks}
    assert set(checks) == CHECKS
    assert [name for name, check in checks.items() if check.blocking] == ["every_recording_judged"]
    passed = {name for name, check in checks.items() if check.passed}
    assert passed == {"every_recording_judged", "copies", "files_repaired", "confounding"}
    assert checks["every_recording_judged"].figures == {"recordings": len(CASES) + 1, "verdicts": len(CASES) + 1}
    assert checks["stream_contracts"].figures["rate_out_of_contract"] == 5
    assert checks["stream_contracts"].figures["accelerometer_longest_gap_s"] == 10.0
    assert checks["units"].figures["unit_implausible"] == 6
    assert all(check.sentence for check in judgement.checks)
    figures = [value for check in judgement.checks for value in check.figures.values()]
    assert all(isinstance(value, str) or math.isfinite(value) for value in figures)


def test_two_rows_for_one_recording_fail_the_blocking_check(home: Home, study: Study, clean: Recorded) -> None:
    judgement = judge_batch(write_batch(home, clean, clean), study, home)
    check = next(check for check in judgement.checks if check.name == "every_recording_judged")
    assert check.blocking and check.severity == "error" and not check.passed


def test_a_label_of_one_participant_only_and_a_rare_one_are_warned_about(home: Home, study: Study) -> None:
    hops = [Recorded(f"hop-{n}", participant=f"P00{n % 3}") for n in range(11)]
    judgement = judge_batch(write_batch(home, *hops, Recorded("rest", label="rest", participant="P001")), study, home)
    check = next(check for check in judgement.checks if check.name == "class_balance")
    assert not check.passed and not check.blocking
    assert "rest (1)" in check.sentence and "one participant only" in check.sentence
    assert check.figures["recordings_hop"] == 11 and check.figures["participants_rest"] == 1


def test_a_release_overrules_and_keeps_the_reasons(home: Home, study: Study) -> None:
    batch = write_batch(home, odd(rate_hz=56.07))
    judge_batch(batch, study, home)
    release(home, "odd", who="Dr Lee", why="the phone cannot do better")
    release(home, "odd", who="Dr Kim", why="agreed")
    judgement = judge_batch(batch, study, home)
    verdict = verdicts_of(home)["odd"]
    assert judgement.accepted == 1 and verdict["accepted"] and verdict["released_by"] == "Dr Kim"
    assert [reason["code"] for reason in verdict["reasons"]] == ["rate_out_of_contract"]
    assert judgement.reasons == {"rate_out_of_contract": 1}


def test_a_release_of_a_recording_without_samples_changes_nothing(home: Home, study: Study) -> None:
    batch = write_batch(home, odd(rate_hz=56.07))
    judge_batch(batch, study, home)
    release(home, "odd", who="Dr Lee", why="fine")
    finding = {"severity": "error", "code": "csv_empty"}
    write_batch(home, Recorded("odd", streams=(), findings=(finding,)))
    judge_batch(batch, study, home)
    verdict = verdicts_of(home)["odd"]
    assert not verdict["accepted"] and verdict["released_by"] is None


def test_hostile_labels_are_only_ever_data(home: Home, study: Study) -> None:
    names = ["walk'; DROP TABLE x; --", "<script>alert(1)</script>", "\u202e{{ 7*7 }}"]
    judge_batch(
        write_batch(home, *(Recorded(f"odd-{n}", label=name, participant=name) for n, name in enumerate(names))), study, home
    )
    for n, name in enumerate(names):
        reasons = {reason["code"]: reason["sentence"] for reason in verdicts_of(home)[f"odd-{n}"]["reasons"]}
        assert set(reasons) == {"label_unknown", "participant_unknown"} and name in reasons["label_unknown"]
