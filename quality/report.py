"""The quality report: one self-contained page per batch, for the people who recorded it.

Belongs here: what is told and in which order; the page itself is ``report.html``. Pictures come from `quality.charts` and
`quality.previews`. Everything that came from outside reaches the page as text and is escaped there.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from quality.accounts import annotated, copied, decisions, left_out, mended, units
from quality.charts import Dot, rates_and_pauses
from quality.clip_page import facts_in_words
from quality.clips import frames_by_recording
from quality.confounding import confounding_of, contingency
from quality.drawings import drawings_of
from quality.facts import BatchFacts, contract_name, read_facts
from quality.headings import heading
from quality.lines import Line, lines_of
from quality.overview import people_by_label, told_by_one_person
from quality.pages import write_page
from quality.previews import HEIGHT, WIDTH
from quality.reasons import figure, listed, sign, spoken
from quality.timelines import LANE, timelines_of
from studies.sensors import SENSORS, UNITS, placement_of
from studies.study import StreamContract, Study
from warehouse.accepted_index import AcceptedIndex
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home
from warehouse.lake import PARTITION_VALUE, Lake
from warehouse.study_index import open_index

#: What one page shows at most; the rest is in the warehouse, and the page says so.
MOST_LINES = 1000
MOST_PEOPLE = 60
MOST_MARKS = 30
#: Devices, participants, sites or batches beside the labels, where they give them away.
MOST_LEVELS = 12

_MOST_PLACES = 3
_LONGEST_TEXT = 600
_PLACED = re.compile(rf"\b({'|'.join(SENSORS)})@([a-z][a-z0-9_]*)")
_FACTORS = {"device": "device", "participant": "participant", "site": "site", "batch_id": "batch"}
#: Findings with a section of their own.
_TOLD_APART = ("private_left_out",)
_CHECKS = {
    "files_readable": "Can every file be read?",
    "files_repaired": "Is anything odd about the files?",
    "stream_contracts": "Do the sensors keep the study's limits?",
    "stream_oddities": "Are rates as declared, and readings new each time?",
    "units": "Are the units right?",
    "recordings_complete": "Is every recording complete?",
    "participants": "Are the participant codes right?",
    "labels": "Are the labels right?",
    "class_balance": "Is there enough of every label, from several people?",
    "every_recording_judged": "Does every recording have a verdict?",
    "copies": "Is every recording its own?",
    "confounding": "Can labels be told from anything but the movement?",
}


@dataclass(frozen=True)
class Fault:
    """The first reason of one code against a recording, and how many more of that code it has (other sensors, other places)."""

    line: Line
    reason: dict[str, str]
    more: int


def write_report(batch_id: str, study: Study, home: Home) -> Path:
    """Write the quality report of a batch.

    Parameters
    ----------
    batch_id : str
        A batch that was read; if it was not judged yet, the page says so.
    study : Study
    home : Home

    Returns
    -------
    Path
        ``<home>/reports/<batch_id>.html``; the page before is replaced at once, never half.

    Raises
    ------
    KinelakeError
        ``batch_id`` if that is no name of a batch.
    """
    if not PARTITION_VALUE.fullmatch(batch_id):
        allowed = "letters, digits, '.', '_' and '-', at most 128"
        raise KinelakeError(Reason("batch_id", f"{batch_id!r} is no name of a batch; allowed: {allowed}"))
    return write_page(home.reports / f"{batch_id}.html", "report.html", _content(batch_id, study, home), filters=_filters())


def _filters() -> dict[str, Callable[..., Any]]:
    return {
        "figure": _figure,
        "spoken": spoken,
        "sign": sign,
        "rough": _rough,
        "short": _short,
        "told": _told,
        "heading": heading,
    }


def _content(batch_id: str, study: Study, home: Home) -> dict[str, Any]:
    lake = Lake(home)
    facts = read_facts(batch_id, lake)
    lines, fits = lines_of(facts, study, lake), re.compile(study.participants).fullmatch
    return {
        **_delivery(facts, lines, study, lake),
        **_judgement(facts, lines, study, home),
        **_signals(facts, lines, study, lake),
        "study": study,
        "batch_id": batch_id,
        "lines": lines[:MOST_LINES],
        "written_at": datetime.now(UTC),
        "most_lines": MOST_LINES,
        "most_marks": MOST_MARKS,
        "demands_in_words": demands_in_words,
        **_filmed(facts, lines, lake),
        "someone": next((name for line in lines if fits(name := line.participant)), ""),
    }


def _delivery(facts: BatchFacts, lines: Sequence[Line], study: Study, lake: Lake) -> dict[str, Any]:
    """What arrived."""
    delivery = lake.read("batches", where={"batch_id": facts.batch_id}).to_pylist()
    return {
        "received_at": delivery[0]["received_at"] if delivery else None,
        "sites": sorted({site for site in facts.recordings["site"].to_pylist() if site}),
        "files": facts.files.num_rows,
        "size": _size(sum(size or 0 for size in facts.files["bytes"].to_pylist())),
        "people": len({line.participant for line in lines}),
        "recordings": len(lines),
        "left_out": left_out(facts),
        "marked": annotated(lake.read("annotations", where={"batch_id": facts.batch_id}), study),
    }


def _filmed(facts: BatchFacts, lines: Sequence[Line], lake: Lake) -> dict[str, Any]:
    """Which recordings have a page of their own, and what was measured on those that are clips."""
    by_id = {line.recording_id: line for line in lines}
    videos = lake.read("videos", where={"batch_id": facts.batch_id}).to_pylist()
    clips = [(by_id[row["recording_id"]], row, facts_in_words(row)) for row in videos if row["recording_id"] in by_id]
    clips.sort(key=lambda clip: lines.index(clip[0]))
    return {"clips": clips[:MOST_LINES], "clips_in_all": len(clips), "shown": frames_by_recording(facts.batch_id, lake).keys()}


def _judgement(facts: BatchFacts, lines: Sequence[Line], study: Study, home: Home) -> dict[str, Any]:
    """What was decided, by the contract and by people, and what was noticed."""
    lake = Lake(home)
    checks = lake.read("checks", where={"batch_id": facts.batch_id}).to_pylist()
    codes = {*facts.findings["code"].to_pylist(), *(reason["code"] for line in lines for reason in line.reasons)}
    decided = decisions(lines, lake)
    return {
        "counts": Counter(line.state for line in lines),
        "faults": _by_code(line for line in lines if not line.usable),
        "copied": copied(lines),
        "overruled": [line for line in lines if line.state == "released"][:MOST_LINES],
        "decided": decided[-MOST_LINES:],
        "checks": _checks(checks, codes),
        "together": _together(checks, study, home),
        "table": _label_table(facts, lines),
        "remarks": _remarks(facts),
    }


def _signals(facts: BatchFacts, lines: Sequence[Line], study: Study, lake: Lake) -> dict[str, Any]:
    """What the sensors wrote, and what was mended of it."""
    from markupsafe import Markup

    where = {"batch_id": facts.batch_id}
    repairs = lake.read("repairs", where=where).to_pylist()
    return {
        # Safe: numbers, and names of sensors and places, which are lower-case words; no text from outside.
        "chart": Markup(_chart(lines, study)),
        "timelines": timelines_of(lake.read("gaps", where=where), lines),
        "drawings": drawings_of(facts.batch_id, lines, repairs, study, lake),
        "paper": {"width": WIDTH, "height": HEIGHT, "lane": LANE},
        "mended": mended(repairs),
        "units": units(facts, repairs),
    }


def _by_code(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Group what is set aside by what is wrong with it, most frequent first."""
    groups: dict[str, dict[str, Fault]] = defaultdict(dict)
    for line in lines:
        for reason in line.reasons:
            known = groups[reason["code"]].get(line.recording_id)
            groups[reason["code"]][line.recording_id] = (
                Fault(line, known.reason, known.more + 1) if known else Fault(line, reason, 0)
            )
    by_frequency = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return [_told_group(code, list(found.values())) for code, found in by_frequency]


def _told_group(code: str, found: Sequence[Fault]) -> dict[str, Any]:
    remedies = {fault.reason["remedy"] for fault in found}
    return {
        "code": code,
        "heading": heading(code),
        "recordings": len(found),
        "people": sorted({fault.line.participant for fault in found}),
        "remedy": remedies.pop() if len(remedies) == 1 else None,
        "found": found[:MOST_LINES],
    }


def _label_table(facts: BatchFacts, lines: Sequence[Line]) -> dict[str, Any]:
    by_label = people_by_label(facts.recordings, {line.recording_id for line in lines if line.usable})
    people = sorted({person for counts in by_label.values() for person in counts})
    shown = people[:MOST_PEOPLE]
    return {"by_label": by_label, "people": shown, "people_in_all": len(people), "alone": told_by_one_person(by_label)}


def _chart(lines: Sequence[Line], study: Study) -> str:
    """Draw a row for each contract of the study: a sensor's at several places of the body are marks of the same row."""
    dots: dict[str, list[Dot]] = {name: [] for name in study.streams}
    places: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        for row in line.streams:
            if name := contract_name(row["stream"], study):
                dots[name].append(Dot(row["rate_hz"], row["longest_gap_s"], line.usable))
                places[name].add(placement_of(row["stream"]))
    titles = {name: _row_title(name, places[name]) for name in study.streams if dots[name]}
    drawn = {title: dots[name] for name, title in titles.items()}
    return rates_and_pauses(drawn, {title: study.streams[name] for name, title in titles.items()})


def _row_title(name: str, places: Collection[str]) -> str:
    among = sorted(spoken(place) for place in places if place and placement_of(name) != place)
    if not among:
        return spoken(name)
    return f"{spoken(name)} ({listed(among) if len(among) <= _MOST_PLACES else f'{len(among)} places'})"


def _checks(checks: Sequence[Mapping[str, Any]], codes: Collection[str]) -> list[dict[str, Any]]:
    """Tell the checks of a batch, what failed first; codes in their sentences in words."""
    words = re.compile("|".join(rf"\b{re.escape(code)}\b" for code in sorted(codes, key=len, reverse=True)) or "(?!)")
    return [
        {
            "title": _CHECKS.get(row["check_name"], heading(row["check_name"])),
            "state": "fine" if row["passed"] else {"error": "set aside", "warning": "notice"}.get(row["severity"], "notice"),
            "sentence": words.sub(lambda code: _within(heading(code[0])), row["sentence"]),
        }
        for row in sorted(checks, key=lambda row: (row["passed"], row["severity"] != "error"))
    ]


def _within(words: str) -> str:
    return words[:1].lower() + words[1:]


def _together(checks: Sequence[Mapping[str, Any]], study: Study, home: Home) -> list[dict[str, Any]]:
    """Count the study's recordings by label and by what gives the label away; nothing is read where nothing does."""
    if all(row["passed"] for row in checks if row["check_name"] == "confounding"):
        return []
    with open_index(AcceptedIndex, study.study, home=home) as index:
        counted = index.counts()
    told = []
    for one in confounding_of(counted):
        if one.confounded:
            counts, labels, levels = contingency(counted, one.factor)
            order = np.argsort(-counts.sum(axis=0), kind="stable")[:MOST_LEVELS]
            rows = [(label, counts[number, order].tolist()) for number, label in enumerate(labels)]
            named = [levels[number] for number in order]
            told.append(
                {"factor": _FACTORS[one.factor], "sentence": one.sentence, "levels": named, "rows": rows, "of": len(levels)}
            )
    return told


def _remarks(facts: BatchFacts) -> list[dict[str, Any]]:
    """Group warnings and notes by code, with the first few places of each."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in facts.findings.sort_by([("path", "ascending"), ("code", "ascending")]).to_pylist():
        if row["severity"] in ("warning", "note") and row["code"] not in _TOLD_APART:
            groups[row["severity"], row["code"]].append(row)
    return [
        {
            "severity": severity,
            "heading": heading(code),
            "code": code,
            "count": len(rows),
            "rows": rows[:_MOST_PLACES],
            "remedy": rows[0]["remedy"],
        }
        for (severity, code), rows in sorted(groups.items(), key=lambda group: (group[0][0] == "note", -len(group[1])))
    ]


def demands_in_words(contract: StreamContract) -> str:
    """Tell what a study asks of one sensor, in one line.

    Examples
    --------
    >>> demands_in_words(StreamContract(unit="rad/s", rate_hz=(45, 55), max_gap_s=0.5, range=(-40, 40), required=True))
    'required; 45 to 55 readings a second; no pause longer than 0.5 s; values from -40 to 40 rad/s'
    """
    parts = ["required" if contract.required else "may be absent"]
    parts.append(f"{figure(contract.rate_hz[0])} to {figure(contract.rate_hz[1])} readings a second")
    if contract.max_gap_s is not None:
        parts.append(f"no pause longer than {figure(contract.max_gap_s)} s")
    if contract.max_jitter is not None:
        parts.append(f"steps in time that vary by no more than {figure(100 * contract.max_jitter)} %")
    if contract.range is not None:
        parts.append(f"values from {figure(contract.range[0])} to {figure(contract.range[1])} {sign(contract.unit)}")
    if contract.gravity is not None:
        parts.append(f"a usual length of {figure(contract.gravity[0])} to {figure(contract.gravity[1])} {sign(contract.unit)}")
    if contract.max_saturated is not None:
        parts.append(f"no more than {figure(100 * contract.max_saturated)} % of the readings at the end of the range")
    return "; ".join(parts)


def _size(size: int) -> str:
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"


def _figure(value: float | None) -> str:
    return "–" if value is None else figure(value)


def _rough(value: float) -> str:
    return figure(float(f"{value:.3g}"))


def _told(text: str | None) -> str:
    """Begin a reason's part with a capital, name sensors and units in words, and end it with a full stop, as on paper."""
    text = _PLACED.sub(lambda stream: spoken(stream[0]), sign(_short(text))).rstrip(".")
    first = re.split(r"[ ,]", text, maxsplit=1)[0]
    written_so = text[1:2].isupper() or any(first in units for units in UNITS.values())
    return f"{text[:1] if written_so else text[:1].upper()}{text[1:]}."


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
