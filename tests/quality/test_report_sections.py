"""What else the report tells: repairs, units, silences, parts left unread, marks, decisions, checks, what gives labels away."""

from __future__ import annotations

import json

import numpy as np
import pytest

from quality.corrections import correct
from quality.judging import judge_batch
from quality.lines import sensors_in_words
from quality.quarantine import release
from quality.reasons import Origin, Other, Shared, copy_reason, origin
from quality.timelines import MOST_LANES
from studies.study import Study
from tests.quality.conftest import FIRST_NS, Recorded, write_batch
from tests.quality.test_report import HOSTILE, Page, page_of, sampled, wave
from warehouse.home import Home

DAY_NS = 86_400 * 10**9
SORTED = {"kind": "sorted", "stream": "accelerometer", "rows": 7, "sentence": "7 readings came late"}
INFERRED = {
    "kind": "unit_inferred",
    "stream": "accelerometer",
    "rows": 500,
    "before": "g",
    "after": "m/s^2",
    "sentence": "gravity is 1 there",
}


def told(home: Home, study: Study, *recordings: Recorded) -> Page:
    judge_batch(write_batch(home, *recordings), study, home)
    return page_of(home, study)


def gap(stream: str, start_s: float, seconds: float, kind: str = "gap") -> dict[str, object]:
    start = FIRST_NS + int(start_s * 1e9)
    return {
        "stream": stream,
        "start_ns": start,
        "end_ns": start + int(seconds * 1e9),
        "seconds": seconds,
        "kind": kind,
        "missing": 9,
    }


def test_repairs_are_told_by_kind_in_plain_words_with_counts(home: Home, study: Study) -> None:
    odd = {"kind": "hinge_oiled", "stream": None, "rows": 1, "sentence": "the hinge was oiled"}
    words = told(home, study, Recorded("a", repairs=(SORTED, INFERRED)), Recorded("b", repairs=(SORTED, odd))).words
    assert "Readings were put in the order of their times 7 readings came late. accelerometer 2 14" in words
    assert "A unit put right, against what the file says g → m/s² Gravity is 1 there. accelerometer 1 500" in words
    assert "Hinge oiled The hinge was oiled. all 1 1" in words
    assert words.index("A unit put right") < words.index("Readings were put in the order")


def test_units_are_told_with_how_they_are_known(home: Home, study: Study) -> None:
    in_g = {"accelerometer": {"declared_unit": "g"}}
    words = told(home, study, Recorded("a", facts=in_g, repairs=(INFERRED,)), Recorded("b", facts=in_g), Recorded("c")).words
    assert "accelerometer g m/s² told by the values 1" in words
    assert "accelerometer g m/s² as the file or the study says 1" in words


def test_silences_are_drawn_a_lane_a_recording_sensors_that_pause_together_on_one(home: Home, study: Study) -> None:
    both = (gap("accelerometer", 4, 2, "pause"), gap("gyroscope", 4.01, 1.98, "pause"))
    one = (gap("gyroscope", 1, 0.3), gap("gyroscope", 8, 0.1))
    page = told(
        home, study, Recorded("a", gaps=both), Recorded("b", gaps=one, participant="P002"), Recorded("c", participant="P003")
    )
    assert "In 2 recordings readings are missing" in page.words
    assert "all sensors, 2026-03-02 09:00 1 pause2 s of 10 s" in page.words.replace("1 pause 2", "1 pause2")
    assert "gyroscope, 2026-03-02 09:00 2 gaps" in page.words and "longest 0.3 s of 10 s" in page.words
    marks = [value for name, value in page.attributes if name == "class" and value in ("gap", "pause")]
    assert marks == ["pause", "gap", "gap"]


def test_of_many_recordings_with_silences_those_with_the_longest_are_drawn(home: Home, study: Study) -> None:
    many = [Recorded(f"r-{n:02d}", participant=f"P{n:03d}", gaps=(gap("gyroscope", 1, 0.1 + n / 100),)) for n in range(40)]
    words = told(home, study, *many).words
    assert f"the {MOST_LANES} of 40 with the longest silences are drawn" in words
    assert "0.49 s of 10 s" in words and "0.11 s of 10 s" not in words


def test_what_was_left_unread_is_counted_by_kind(home: Home, study: Study) -> None:
    said = [{"attributes": json.dumps({"left_out": text})} for text in ("camera 2, heart_rate 1", "camera 1", f"{HOSTILE} x")]
    words = told(home, study, *(Recorded(f"r{n}", recording=one) for n, one in enumerate(said))).words
    assert "6 parts of the exports are no motion data" in words
    assert "camera 3 other 2 heart rate 1" in words


def test_labels_that_the_device_gives_away_are_shown_in_a_table_and_else_there_is_none(home: Home, study: Study) -> None:
    def recorded(n: int, label: str, device: str) -> Recorded:
        return Recorded(f"{label}-{n}", label=label, participant=f"P{n % 4:03d}", recording={"device": device})

    apart = [recorded(n, label, device) for n in range(12) for label, device in (("hop", "phone-a"), ("rest", "phone-b"))]
    words = told(home, study, *apart).words
    assert "Labels that the device gives away" in words and "Hop was recorded only with device phone-a" in words
    assert "Label phone-a phone-b hop 12 – rest – 12" in words
    mixed = [recorded(n, label, ("phone-a", "phone-b")[n % 2]) for n in range(12) for label in ("hop", "rest")]
    assert "gives away" not in told(home, study, *mixed).words


def test_delivered_marks_are_counted_by_the_studys_labels(home: Home, study: Study) -> None:
    def mark(label: str, start_s: float, end_s: float) -> dict[str, object]:
        return {
            "label": label,
            "start_ns": FIRST_NS + int(start_s * 1e9),
            "end_ns": FIRST_NS + int(end_s * 1e9),
            "source": "a.json",
        }

    marked = Recorded("a", annotations=(mark("hops", 0, 2), mark("hops", 3, 4), mark("", 5, 6)))
    words = told(home, study, marked).words
    assert "hop 2 1 3" in words and "as the recording 1 1 1" in words


@pytest.mark.usefixtures("known_study")
def test_what_people_decided_is_told_and_a_participants_former_name_is_not(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, Recorded("a", label="hopp"), Recorded("b", facts={"gyroscope": {"rate_hz": 9.0}})), study, home)
    correct(home, "a", {"label": "hop", "participant": "P007"}, who="Dr Lee", why="a slip")
    release(home, "b", who="Dr Kim", why="meant so")
    judge_batch("batch-1", study, home)
    words = page_of(home, study).words
    assert "label: hopp → hop Dr Lee" in words and "participant: P007 Dr Lee" in words and "a slip" in words
    assert "let in Dr Kim" in words and "meant so" in words
    assert "→ P007" not in words


def test_checks_are_told_what_failed_first_and_codes_in_words(home: Home, study: Study) -> None:
    note = {"severity": "warning", "code": "clock_shifted"}
    words = told(home, study, Recorded("a", findings=(note,)), Recorded("b", label="hopp", participant="P002")).words
    checked = words[words.index("What was checked") :]
    assert checked.index("set aside Are the labels right?") < checked.index("notice Is anything odd about the files?")
    assert checked.index("notice Is anything odd") < checked.index("fine Can every file be read?")
    assert "odd was found in 1 of 2 files: the clock does not agree with the file's name (1)" in checked


def test_a_used_recording_that_something_was_noticed_on_is_drawn(home: Home, study: Study) -> None:
    words = told(home, study, sampled(Recorded("a", repairs=(INFERRED,)))).words
    assert "In use, with something to look at" in words and "an example of each label" not in words


def test_a_sensor_at_several_places_is_named_once_with_its_places(home: Home, study: Study) -> None:
    placed = ("accelerometer@waist", "accelerometer@left_calf", "gyroscope")
    alike = {stream: {"rate_hz": 50.0, "longest_gap_s": 0.021, "norm_median": 9.8} for stream in placed}
    slow = {"accelerometer@left_calf": {**alike["accelerometer@left_calf"], "rate_hz": 9.0, "source": "b.zip"}}
    fine, odd = (
        Recorded("a", streams=placed, facts=alike),
        Recorded("b", participant="P002", streams=placed, facts={**alike, **slow}),
    )
    words = told(home, study, fine, odd).words
    assert "accelerometer (left calf and waist), gyroscope: 50 Hz, 0.021 s" in words
    assert "The left calf accelerometer was read 9 times a second" in words
    assert "@" not in words
    assert sensors_in_words([]) == []


@pytest.mark.usefixtures("known_study")
@pytest.mark.parametrize("kind", [HOSTILE, "unit_inferred"])
def test_text_from_outside_in_the_further_tables_is_escaped(home: Home, study: Study, kind: str) -> None:
    repair = dict.fromkeys(("sentence", "before", "after", "source"), HOSTILE) | {
        "kind": kind,
        "stream": "accelerometer",
        "rows": 1,
    }
    mark = {"label": HOSTILE, "start_ns": FIRST_NS, "end_ns": FIRST_NS, "source": HOSTILE}
    devices = [{"device": f"{HOSTILE}{n}", "attributes": json.dumps({"left_out": HOSTILE}), "session": HOSTILE} for n in range(2)]
    nasty = [
        sampled(
            Recorded(f"{label}-{n}", label=label, start_ns=FIRST_NS + n, recording=devices[label == "hop"], repairs=(repair,))
        )
        for n in range(12)
        for label in ("hop", "rest")
    ]
    first = nasty[0].but(
        facts={"accelerometer": {"declared_unit": HOSTILE}}, annotations=(mark,), gaps=(gap("accelerometer", 4, 2, "pause"),)
    )
    judge_batch(write_batch(home, first, *nasty[1:]), study, home)
    correct(home, first.name, {"placement": HOSTILE}, who=HOSTILE, why=HOSTILE)
    judge_batch("batch-1", study, home)
    page = page_of(home, study)
    assert "script" not in page.tags and page.text.count(HOSTILE) > 20
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not [value for _, value in page.attributes if HOSTILE in value or "alert" in value]


def test_whose_readings_copies_have_is_told_in_one_line_for_alike_ones(home: Home, study: Study) -> None:
    sent = [sampled(Recorded(f"a{n}", label=label, start_ns=FIRST_NS + n)) for n, label in enumerate(("hop", "rest"))]
    for n, one in enumerate(sent):
        values = wave()[1] + np.float32(n)
        sent[n] = one.but(samples={"accelerometer": (wave()[0], values)}, streams=("accelerometer", "gyroscope"))
    again = [one.but(name=f"b{n}", participant="P002", start_ns=one.start_ns + DAY_NS) for n, one in enumerate(sent)]
    hashes = [{"accelerometer": {"value_hash": f"v{n}"}, "gyroscope": {"value_hash": f"g{n}"}} for n in (0, 1, 0, 1)]
    page = told(home, study, *(one.but(facts=of) for one, of in zip([*sent, *again], hashes, strict=True)))
    assert "P002 P001 hop, rest 24 h earlier all, unaltered 2" in page.words


def test_a_copied_part_and_a_copy_in_another_batch_are_told_as_such() -> None:
    part = Shared("accelerometer", -(10**9), rows=(101, 200), other_rows=(1, 100), share=0.1, other_share=0.5)
    for shared, whole in ((part, False), (Shared("accelerometer", -(10**9)), True)):
        other = Other("r1", "P002, in (batch", "b0", "b.csv")
        reason = copy_reason(other, [shared], participant="P001", source="a.csv", batch_id="b1")
        assert origin(reason.sentence) == Origin("r1", "P002, in (batch", "batch b0", "1 s later", whole)
    assert origin("the recording has no label; allowed: hop") is None


def test_times_that_tell_no_date_are_not_told_as_one(home: Home, study: Study) -> None:
    dateless = Recorded("a", start_ns=10**9, recording={"started_at": 10**6})
    words = told(home, study, dateless, Recorded("b", participant="P002")).words
    assert "1970" not in words and "2026-03-02 09:00" in words


def test_a_sentence_that_begins_with_a_unit_keeps_it(home: Home, study: Study) -> None:
    repair = {"kind": "unit_converted", "stream": "accelerometer", "rows": 1, "sentence": "mg, times 100, became m/s^2"}
    assert "mg, times 100, became m/s². accelerometer" in told(home, study, Recorded("a", repairs=(repair,))).words


def test_labels_of_a_batch_of_one_participant_are_not_called_those_of_several(home: Home, study: Study) -> None:
    alone = [Recorded(f"{label}-{n}", label=label, start_ns=FIRST_NS + n) for n in range(2) for label in ("hop", "rest")]
    words = told(home, study, *alone).words
    assert "2 labels, none of them rare, but all of one participant" in words
    assert "Everything here was recorded by one participant" in words
