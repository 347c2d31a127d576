"""Copied values are found across files, times, participants and batches; exactly one of each set is kept."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from quality import judging
from quality.copies import Copies, find_copies
from quality.facts import read_facts
from quality.judging import ContractFindings, judge_batch
from quality.quarantine import release
from studies.study import Study
from tests.quality.conftest import CONTRACT, FIRST_NS, Recorded, write_batch
from warehouse.home import Home
from warehouse.lake import Lake

HOUR_NS = 3600 * 10**9


def repeating(name: str, of: str, *streams: str, later_ns: int = 0, participant: str = "P001", **changes: object) -> Recorded:
    hashes = {stream: {"value_hash": f"{of}-{stream}"} for stream in streams or ("accelerometer", "gyroscope")}
    return Recorded(name, participant=participant, start_ns=FIRST_NS + later_ns, facts=hashes).but(**changes)


def copies_of(
    home: Home, study: Study, *recordings: Recorded, batch_id: str = "batch-1", unusable: set[str] | None = None
) -> Copies:
    write_batch(home, *recordings, batch_id=batch_id)
    return find_copies(read_facts(batch_id, Lake(home)), study, home, unusable=unusable or set())


def accepted(home: Home) -> set[str]:
    rows = Lake(home).read("verdicts", columns=["recording_id", "accepted"]).to_pylist()
    return {row["recording_id"] for row in rows if row["accepted"]}


def test_the_later_of_two_is_the_copy_and_names_the_other(home: Home, study: Study) -> None:
    later = repeating("a-later", "z-first", later_ns=48 * HOUR_NS)
    (reason,) = copies_of(home, study, later, Recorded("z-first")).reasons["a-later"]
    assert reason.code == "copy_of_recording"
    assert "the accelerometer and gyroscope values are identical to those of recording z-first" in reason.sentence
    assert (
        "participant P001" in reason.sentence
        and "stamped 48 h earlier" in reason.sentence
        and "the same batch" in reason.sentence
    )
    assert reason.place == "a-later.zip::accelerometer.csv, accelerometer and gyroscope"


def test_a_copy_under_another_participant_has_its_own_code(home: Home, study: Study) -> None:
    other = repeating("b", "a", "gyroscope", later_ns=24 * HOUR_NS, participant="P002")
    reasons = copies_of(home, study, Recorded("a"), other).reasons
    assert [(name, reason.code) for name, given in reasons.items() for reason in given] == [("b", "copy_of_other_participant")]
    assert "the gyroscope values" in reasons["b"][0].sentence and "of participant P001" in reasons["b"][0].sentence


def test_at_the_same_time_the_smaller_id_is_kept(home: Home, study: Study) -> None:
    reasons = copies_of(home, study, Recorded("b"), repeating("a", "b")).reasons
    assert list(reasons) == ["b"] and "with the very same time" in reasons["b"][0].sentence


def test_streams_that_hardly_vary_have_no_hash_and_are_no_copies(home: Home, study: Study) -> None:
    idle = {stream: {"value_hash": None} for stream in ("accelerometer", "gyroscope")}
    assert copies_of(home, study, Recorded("a", facts=idle), Recorded("b", facts=idle)).reasons == {}


def test_a_recording_set_aside_for_another_reason_is_never_the_one_kept(home: Home, study: Study) -> None:
    first, second = Recorded("a"), repeating("b", "a", later_ns=5)
    assert list(copies_of(home, study, first, second, unusable={"a"}).reasons) == ["a"]
    assert list(copies_of(home, study, first, second, unusable={"a", "b"}).reasons) == ["b"]


def test_a_recording_that_shares_with_two_others_names_both(home: Home, study: Study) -> None:
    hashes = {"accelerometer": {"value_hash": "a-accelerometer"}, "gyroscope": {"value_hash": "b-gyroscope"}}
    both = Recorded("c", start_ns=FIRST_NS + 9, facts=hashes)
    reasons = copies_of(home, study, Recorded("a"), Recorded("b"), both).reasons["c"]
    assert ["recording a" in reasons[0].sentence, "recording b" in reasons[1].sentence] == [True, True]


def test_one_that_shares_only_with_a_copy_is_kept(home: Home, study: Study) -> None:
    middle = repeating("b", "a", "accelerometer", later_ns=1)
    last = Recorded("c", start_ns=FIRST_NS + 2, facts={"gyroscope": {"value_hash": "b-gyroscope"}})
    assert list(copies_of(home, study, Recorded("a"), middle, last).reasons) == ["b"]


def test_the_accepted_recording_of_an_earlier_batch_wins_even_if_it_started_later(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, Recorded("old", participant="P002", start_ns=FIRST_NS + 10**9)), study, home)
    judge_batch(write_batch(home, repeating("new", "old"), batch_id="batch-2"), study, home)
    assert accepted(home) == {"old"}
    (reason,) = Lake(home).read("verdicts", where={"batch_id": "batch-2"})["reasons"].to_pylist()[0]
    assert reason["code"] == "copy_of_other_participant" and "in batch batch-1" in reason["sentence"]
    judge_batch("batch-1", study, home)
    assert accepted(home) == {"old"}


def test_an_earlier_batch_in_quarantine_takes_nothing_away_but_is_told(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, Recorded("old", recording={"duration_s": 1.0})), study, home)
    judgement = judge_batch(write_batch(home, repeating("new", "old"), batch_id="batch-2"), study, home)
    assert accepted(home) == {"new"}
    check = next(check for check in judgement.checks if check.name == "copies")
    assert not check.passed and check.figures["values_in_another_quarantine"] == 1
    judge_batch("batch-1", study, home)
    assert accepted(home) == {"new"}


def test_a_released_copy_does_not_take_the_place_of_the_original(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, Recorded("old")), study, home)
    batch = write_batch(home, repeating("new", "old", participant="P002"), batch_id="batch-2")
    judge_batch(batch, study, home)
    release(home, "new", who="Dr Lee", why="the twins share a phone")
    for batch_id in ("batch-2", "batch-1", "batch-2"):
        judge_batch(batch_id, study, home)
        assert accepted(home) >= {"old"}
    assert accepted(home) == {"old", "new"}


def test_of_two_batches_judged_at_the_same_time_one_finds_the_other(
    home: Home, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read everything before either looks for copies, and looking takes long."""
    both_have_read = Barrier(2)

    def nothing_later(*_: object) -> ContractFindings:
        both_have_read.wait(timeout=30)
        return ContractFindings({}, {}, ())

    def slowly(*arguments: Any, **named: Any) -> Copies:
        copies = find_copies(*arguments, **named)
        time.sleep(0.2)
        return copies

    monkeypatch.setattr(judging, "contract_findings", nothing_later)
    monkeypatch.setattr(judging, "find_copies", slowly)
    write_batch(home, Recorded("a"))
    write_batch(home, repeating("b", "a", participant="P002"), batch_id="batch-2")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda batch_id: judge_batch(batch_id, study, home), ["batch-1", "batch-2"]))
    assert len(accepted(home)) == 1


@pytest.mark.parametrize("judged", [True, False])
def test_other_studies_and_batches_without_verdicts_are_not_compared(home: Home, study: Study, judged: bool) -> None:
    if judged:
        other = Study.model_validate({**CONTRACT, "study": "other"})
        write_batch(home, Recorded("old", recording={"study": "other"}))
        judge_batch("batch-1", other, home)
    else:
        write_batch(home, Recorded("old"))
    assert copies_of(home, study, repeating("new", "old"), batch_id="batch-2").reasons == {}
