"""What a reason says, and which name is offered for one that is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.errors import DeliveryRefused, KinelakeError, QueryRefused, Reason, did_you_mean


def test_a_reason_says_code_sentence_place_and_remedy() -> None:
    reason = Reason("rate_out_of_contract", "12 Hz; allowed are 45 to 55 Hz", "walk.csv", "set the sensor to 50 Hz")
    assert str(reason) == "rate_out_of_contract: 12 Hz; allowed are 45 to 55 Hz [walk.csv] → set the sensor to 50 Hz"


def test_a_reason_without_place_and_remedy_has_no_empty_brackets() -> None:
    assert str(Reason("x", "y")) == "x: y"


def test_an_error_shows_ten_reasons_and_counts_the_rest() -> None:
    error = DeliveryRefused(*(Reason(f"code_{number}", "no") for number in range(14)))
    lines = str(error).splitlines()
    assert len(lines) == 11
    assert lines[9] == "code_9: no"
    assert lines[10] == "… and 4 more of 14"
    assert len(error.reasons) == 14


def test_every_error_for_people_is_caught_as_one() -> None:
    with pytest.raises(KinelakeError, match="no such thing"):
        raise QueryRefused(Reason("x", "no such thing"))


def test_the_nearest_name_is_offered_whatever_its_case() -> None:
    assert did_you_mean("ACELEROMETER", ["accelerometer", "gyroscope"]).startswith("; did you mean 'accelerometer'?")


def test_a_name_like_no_other_lists_what_is_known() -> None:
    assert did_you_mean("zzz", ["squat", "lunge"]) == "; known: lunge, squat"


def test_nothing_known_is_said_as_such() -> None:
    assert did_you_mean("squat", []) == "; known: none"


def test_a_long_list_is_cut_and_counted() -> None:
    said = did_you_mean("zzz", [f"name_{number:03d}" for number in range(50)])
    assert said.count("name_") == 20
    assert said.endswith("… (50 in all)")


def test_two_names_that_differ_in_case_only_are_both_listed() -> None:
    assert "Known: Squat, squat" in did_you_mean("squads", ["Squat", "squat"])


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=20), max_size=30))
def test_whatever_is_offered_is_known(asked: str, known: list[str]) -> None:
    said = did_you_mean(asked, known)
    if said.startswith("; did you mean '"):
        assert any(said.startswith(f"; did you mean '{name}'?") for name in known)
    else:
        assert said.startswith("; known: ")
