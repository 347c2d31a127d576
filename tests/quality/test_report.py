"""The page tells everything, escapes everything, fetches nothing, and is there for odd batches too."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from quality.judging import judge_batch
from quality.quarantine import release
from quality.report import write_report
from studies.study import Study
from tests.quality.conftest import FIRST_NS, Recorded, write_batch
from warehouse.errors import KinelakeError
from warehouse.home import Home

HOSTILE = "<script>alert(1)</script>\"'>{{ 7*7 }}"


class Page(HTMLParser):
    """Tags, attributes and text of a page, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.titles: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.text += " " if tag in ("td", "th", "li", "br") else ""

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["title"]:
            self.titles.append(data)
        if self.tags[-1:] != ["style"]:
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def page_of(home: Home, study: Study, batch_id: str = "batch-1") -> Page:
    return Page(write_report(batch_id, study, home).read_text(encoding="utf-8"))


def wave(seconds: float = 10, rate_hz: float = 50, gap_s: float = 0) -> tuple[np.ndarray, np.ndarray]:
    times = FIRST_NS + np.round(np.arange(seconds * rate_hz) / rate_hz * 1e9).astype(np.int64)
    times[times.size // 2 :] += int(gap_s * 1e9)
    phase = np.arange(times.size) / rate_hz
    return times, np.column_stack([np.sin(6 * phase), np.cos(6 * phase), 9.8 + 0 * phase]).astype(np.float32)


def sampled(recorded: Recorded, gap_s: float = 0) -> Recorded:
    return recorded.but(samples={"accelerometer": wave(gap_s=gap_s)})


def test_the_page_tells_what_arrived_what_was_set_aside_and_what_to_do(home: Home, study: Study) -> None:
    note = {"severity": "warning", "code": "clock_shifted", "sentence": "the clock is off", "remedy": "set the clock"}
    fine = sampled(Recorded("fine", participant="P002", findings=(note,)))
    pause = {"longest_gap_s": 3.5, "gaps": 1}
    pausing = sampled(Recorded("odd", facts={"accelerometer": pause, "gyroscope": pause}), gap_s=3.5)
    judge_batch(write_batch(home, fine, pausing), study, home)
    words = page_of(home, study).words
    assert "1 of 2 recordings can be used, 1 was set aside" in words and "clinic-a" in words and "files, 2.5 kB" in words
    assert "A pause in the recording that is too long" in words and "of participant P001" in words
    assert "The accelerometer pauses for 3.5 s; the study allows 0.5 s." in words
    assert "What to do: Keep the sensor close to the receiver" in words and "odd.zip::accelerometer.csv" in words
    assert "around a pause of 3.52 s" in words
    assert "The clock does not agree with the file's name" in words and "The clock is off." in words and "Set the clock." in words
    assert "4 parts of the exports are no motion data" in words and "other 4" in words
    assert "likewise 1 more in the same recording" in words
    assert "accelerometer, gyroscope: 50 Hz, 3.5 s" in words and "set aside" in words and "accepted" in words
    assert "required; 45 to 55 readings a second; no pause longer than 0.5 s" in words


def test_text_from_outside_is_escaped_everywhere_also_inside_pictures(home: Home, study: Study) -> None:
    finding = {"severity": "warning", "code": HOSTILE, "sentence": HOSTILE, "place": HOSTILE, "remedy": HOSTILE}
    site = {"site": HOSTILE, "session": HOSTILE}
    nasty = sampled(Recorded("odd", label=HOSTILE, participant=HOSTILE, recording=site, findings=(finding,)))
    let_in = sampled(nasty.but(name="let-in", start_ns=FIRST_NS + 1))
    judge_batch(write_batch(home, nasty, let_in), study, home)
    release(home, "let-in", who=HOSTILE, why=HOSTILE)
    judge_batch("batch-1", study, home)
    page = page_of(home, study)
    assert "script" not in page.tags and page.text.count(HOSTILE) > 12
    assert any(HOSTILE in title for title in page.titles[1:])
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not [value for _, value in page.attributes if HOSTILE in value or "alert" in value]


def test_the_page_fetches_nothing(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, sampled(Recorded("fine"))), study, home)
    html = write_report("batch-1", study, home).read_text(encoding="utf-8")
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    assert all(value.startswith(("#", "data:")) for name, value in page.attributes if name in ("src", "href", "xlink:href"))
    assert not re.search(r"@import|url\((?!#)", html)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.attributes


def test_a_batch_without_anything_still_has_a_page(home: Home, study: Study) -> None:
    judge_batch("batch-0", study, home)
    assert "Nothing arrived that could be a recording" in page_of(home, study, "batch-0").words


def test_a_batch_in_which_nothing_was_readable_has_a_page(home: Home, study: Study) -> None:
    empty = {"severity": "error", "code": "csv_empty", "sentence": "the file is empty", "remedy": "export again"}
    void = [Recorded(f"void-{n}", label=None, streams=(), findings=(empty,)) for n in range(3)]
    judge_batch(write_batch(home, *void), study, home)
    words = page_of(home, study).words
    assert "None of the 3 recordings can be used yet." in words and "The table is empty" in words and "nothing readable" in words


def test_a_batch_that_was_not_judged_yet_says_so(home: Home, study: Study) -> None:
    write_batch(home, sampled(Recorded("new")))
    words = page_of(home, study).words
    assert "1 recording arrived; no verdict yet." in words and "not judged" in words


def test_a_released_recording_is_told_apart(home: Home, study: Study) -> None:
    batch = write_batch(home, sampled(Recorded("odd", facts={"accelerometer": {"rate_hz": 56.07}})))
    judge_batch(batch, study, home)
    release(home, "odd", who="Dr Lee", why="fine")
    judge_batch(batch, study, home)
    words = page_of(home, study).words
    assert "The one recording can be used." in words and "Let in by a person" in words and "released" in words


def test_a_label_that_one_participant_alone_recorded_is_warned_about(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, Recorded("a"), Recorded("b", participant="P002", label="rest")), study, home)
    assert "Recorded by one participant only: hop, rest." in page_of(home, study).words


def test_two_hundred_recordings_fit_into_two_megabytes_and_the_page_says_what_it_leaves_out(home: Home, study: Study) -> None:
    three = ("accelerometer", "gyroscope", "orientation")
    wrong = {"accelerometer": {"rate_hz": 60.0}}
    many = [sampled(Recorded(f"r-{n:03d}", streams=three, facts=wrong if n % 2 else {})) for n in range(200)]
    judge_batch(write_batch(home, *many), study, home)
    page = write_report("batch-1", study, home)
    assert page.stat().st_size < 2_000_000
    assert "6 of 100 are drawn" in Page(page.read_text(encoding="utf-8")).words


def test_the_page_is_replaced_and_leaves_nothing_beside_it(home: Home, study: Study) -> None:
    write_batch(home, Recorded("a"))
    first = write_report("batch-1", study, home).read_text(encoding="utf-8")
    judge_batch("batch-1", study, home)
    assert write_report("batch-1", study, home).read_text(encoding="utf-8") != first
    assert [path.name for path in home.reports.iterdir()] == ["batch-1.html"]


@pytest.mark.parametrize("batch_id", ["../outside", "a/b", "", "."])
def test_a_name_that_is_no_batch_never_becomes_a_path(home: Home, study: Study, batch_id: str) -> None:
    with pytest.raises(KinelakeError, match="is no name of a batch"):
        write_report(batch_id, study, home)
    assert not list(home.reports.iterdir())
