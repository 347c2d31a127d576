"""The page of one recording: every reason, a picture with what is wrong marked, nothing from outside that is not text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.evidence import MOST_STRETCHES, offending
from quality.exhibit import write_exhibit
from quality.judging import judge_batch
from studies.study import StreamContract, Study
from tests.quality.conftest import CONTRACT, FIRST_NS, Recorded, write_batch
from tests.quality.test_report import HOSTILE, Page, wave
from warehouse.errors import UnknownName
from warehouse.home import Home

CONTRACT_OF_ACCELERATION = StreamContract.model_validate(CONTRACT["streams"]["accelerometer"])
NOTHING_ELSE = {"severity": "error", "code": "zip_truncated", "sentence": "ends too early", "place": "odd.zip", "remedy": "again"}


@pytest.fixture
def study() -> Study:
    return Study.model_validate(CONTRACT)


def page_of(home: Home, study: Study, recording: Recorded) -> Page:
    judge_batch(write_batch(home, recording), study, home)
    path = write_exhibit(recording.name, study, home)
    assert path == home.reports / "quarantine" / f"{recording.name}.html"
    return Page(path.read_text(encoding="utf-8"))


def test_a_pause_is_told_and_marked_in_the_stream_that_it_is_about(home: Home, study: Study) -> None:
    facts = {"accelerometer": {"longest_gap_s": 4.0, "gaps": 1}}
    recording = Recorded("odd", facts=facts, samples={"accelerometer": wave(gap_s=4), "gyroscope": wave()})
    page = page_of(home, study, recording)
    assert page.tags.count("svg") == 1
    assert "the accelerometer pauses for 4 s" in page.words and "What to do: keep the sensor close" in page.words
    assert "what it does not is marked" in page.words and "odd.zip::accelerometer.csv" in page.words


def test_a_recording_without_readings_has_a_page_without_pictures(home: Home, study: Study) -> None:
    page = page_of(home, study, Recorded("odd", streams=(), findings=(NOTHING_ELSE,)))
    assert "svg" not in page.tags and "ends too early" in page.words


def test_a_fault_of_the_manifest_is_shown_beside_the_first_stream(home: Home, study: Study) -> None:
    page = page_of(home, study, Recorded("odd", label="hopp", samples={"accelerometer": wave()}))
    assert page.tags.count("svg") == 1 and "did you mean 'hop'" in page.words


def test_the_page_holds_text_from_outside_as_text_and_fetches_nothing(home: Home, study: Study) -> None:
    page = page_of(home, study, Recorded("odd", label=HOSTILE, participant=HOSTILE, samples={"accelerometer": wave()}))
    assert "script" not in page.tags and HOSTILE in page.words
    assert not [
        value for name, value in page.attributes if name in ("src", "onload") or re.match("https?://(?!www.w3.org)", value)
    ]


def test_an_unknown_recording_is_answered_with_the_nearest(home: Home, study: Study) -> None:
    write_batch(home, Recorded("odd"))
    with pytest.raises(UnknownName, match="did you mean 'odd'"):
        write_exhibit("ood", study, home)


def test_a_spike_and_readings_that_stick_are_found_where_they_are() -> None:
    times, values = wave()
    values[100, 1] = 500.0
    values[300:310, 0] = values.min() - 1
    codes = ("out_of_range", "saturated")
    found = ((offending(times, values, CONTRACT_OF_ACCELERATION, codes) - FIRST_NS) / 20_000_000).round().astype(int)
    assert found.tolist() == [[100, 100], [300, 309]]
    assert len(offending(times, values, CONTRACT_OF_ACCELERATION, ("rate_out_of_contract",))) == 0


@given(st.lists(st.floats(1e-3, 2.0), min_size=1, max_size=400))
@settings(max_examples=60)
def test_every_long_step_lies_in_a_marked_stretch_and_there_are_never_many(steps: list[float]) -> None:
    times = np.cumsum([0, *(int(step * 1e9) for step in steps)]).astype(np.int64)
    found = offending(times, np.zeros((len(times), 3), np.float32), CONTRACT_OF_ACCELERATION, ("gap_too_long",))
    assert len(found) <= MOST_STRETCHES and (found[:, 0] <= found[:, 1]).all() and (np.diff(found[:, 0]) > 0).all()
    for at in np.flatnonzero(np.diff(times) > 0.5e9):
        assert ((found[:, 0] <= times[at]) & (times[at + 1] <= found[:, 1])).any()
