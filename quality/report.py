"""The quality report: one self-contained page per batch, for the people who recorded it.

Belongs here: what is told and in which order; the page itself is ``report.html``. Pictures come from `quality.charts` and
`quality.previews`. Everything that came from outside reaches the page as text and is escaped there.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from quality.charts import Dot, rates_and_pauses
from quality.facts import BatchFacts, read_facts
from quality.overview import people_by_label, told_by_one_person
from quality.previews import HEIGHT, MOST_READINGS, SHORTEST_PAUSE_S, WIDTH, Preview, read_previews
from quality.reasons import figure, heading, sign, spoken
from studies.study import StreamContract, Study
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home
from warehouse.lake import PARTITION_VALUE, Lake

#: What one page shows at most; the rest is in the warehouse, and the page says so.
MOST_LINES = 1000
MOST_EXAMPLES = 8
MOST_ODD = 60

_MOST_PLACES = 5
_LONGEST_TEXT = 600


@dataclass(frozen=True)
class Line:
    """One recording as the page tells it.

    Parameters
    ----------
    state : {"accepted", "released", "set aside", "not judged"}
    streams : tuple of dict
        Rows of table `streams`, in the study's order.
    reasons : tuple of dict
        Reasons of the verdict.
    """

    recording_id: str
    participant: str
    label: str
    session: str
    started: str
    duration_s: float | None
    state: str
    streams: tuple[dict[str, Any], ...]
    reasons: tuple[dict[str, str], ...]
    files: tuple[str, ...]

    @property
    def clocks(self) -> list[str]:
        """Rate and longest pause of every sensor, those with the same figures together."""
        alike: dict[str, list[str]] = defaultdict(list)
        for row in self.streams:
            pause = "–" if row["longest_gap_s"] is None else f"{row['longest_gap_s']:.2g}"
            alike[f"{_figure(row['rate_hz'])} Hz, {pause} s"].append(spoken(row["stream"]))
        return [f"{', '.join(names)}: {figures}" for figures, names in alike.items()]

    @property
    def usable(self) -> bool:
        return self.state in ("accepted", "released")


@dataclass(frozen=True)
class Fault:
    """The first reason of one code against a recording, and how many more of that code it has (other sensors, other places)."""

    line: Line
    reason: dict[str, str]
    more: int


@dataclass(frozen=True)
class Drawing:
    """A preview with the words beside it."""

    line: Line
    stream: str
    unit: str
    preview: Preview


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
    page = home.reports / f"{batch_id}.html"
    unfinished = page.with_name(f".{batch_id}.{os.getpid()}.html")
    unfinished.write_text(_rendered(_content(batch_id, study, Lake(home))), encoding="utf-8")
    unfinished.replace(page)
    return page


def _rendered(content: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader(Path(__file__).parent)
    pages = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters |= {"figure": _figure, "spoken": spoken, "sign": sign, "short": _short, "told": _told, "heading": heading}
    return pages.get_template("report.html").render(content)


def _content(batch_id: str, study: Study, lake: Lake) -> dict[str, Any]:
    from markupsafe import Markup

    facts = read_facts(batch_id, lake)
    lines = _lines(facts, study, lake)
    drawings = _drawings(batch_id, lines, study, lake)
    usable = [drawing for drawing in drawings if drawing.line.usable]
    delivery = lake.read("batches", where={"batch_id": batch_id}).to_pylist()
    return {
        "study": study,
        "batch_id": batch_id,
        "received_at": delivery[0]["received_at"] if delivery else None,
        "sites": sorted({site for site in facts.recordings["site"].to_pylist() if site}),
        "files": facts.files.num_rows,
        "size": _size(sum(size or 0 for size in facts.files["bytes"].to_pylist())),
        "lines": lines[:MOST_LINES],
        "counts": Counter(line.state for line in lines),
        "people": len({line.participant for line in lines}),
        "recordings": len(lines),
        "faults": _by_code(line for line in lines if not line.usable),
        "overruled": [line for line in lines if line.state == "released"],
        "table": _label_table(facts, lines),
        # Safe: quality.charts draws numbers and the study's own stream names, no text from outside.
        "chart": Markup(rates_and_pauses(_dots(lines, study), dict(study.streams.items()))),
        "examples": usable,
        "odd": [drawing for drawing in drawings if not drawing.line.usable],
        "odd_in_all": sum(not line.usable and _drawable(line) is not None for line in lines),
        "remarks": _remarks(facts),
        "left_out": sum(count or 0 for count in facts.files["left_out"].to_pylist()),
        "paper": {"width": WIDTH, "height": HEIGHT},
        "written_at": datetime.now(UTC),
        "most_lines": MOST_LINES,
        "demands_in_words": demands_in_words,
    }


def _lines(facts: BatchFacts, study: Study, lake: Lake) -> list[Line]:
    verdicts = {row["recording_id"]: row for row in lake.read("verdicts", where={"batch_id": facts.batch_id}).to_pylist()}
    streams, files = _grouped(facts.streams), _grouped(facts.files)
    order = {name: number for number, name in enumerate(study.streams)}
    lines = []
    for row in facts.recordings.to_pylist():
        name = row["recording_id"]
        verdict = verdicts.get(name)
        own = sorted(streams.get(name, []), key=lambda stream: order.get(stream["stream"], len(order)))
        reasons = tuple(verdict["reasons"]) if verdict else ()
        paths = tuple(file["path"] for file in files.get(name, []))
        said = (row["participant"] or "", row["label"] or "", row["session"] or "", _when(row["started_at"]), row["duration_s"])
        lines.append(Line(name, *said, _state(verdict), tuple(own), reasons, paths))
    return sorted(lines, key=lambda line: (line.participant, line.label, line.started, line.recording_id))


def _state(verdict: Mapping[str, Any] | None) -> str:
    if verdict is None:
        return "not judged"
    if not verdict["accepted"]:
        return "set aside"
    return "released" if verdict["released_by"] else "accepted"


def _grouped(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        groups[row["recording_id"]].append(row)
    return groups


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
    return {"by_label": by_label, "people": people[:MOST_LINES], "alone": told_by_one_person(by_label)}


def _dots(lines: Sequence[Line], study: Study) -> dict[str, list[Dot]]:
    dots: dict[str, list[Dot]] = {name: [] for name in study.streams}
    for line in lines:
        for row in line.streams:
            if row["stream"] in dots:
                dots[row["stream"]].append(Dot(row["rate_hz"], row["longest_gap_s"], line.usable))
    return {name: of_stream for name, of_stream in dots.items() if of_stream}


def _drawings(batch_id: str, lines: Sequence[Line], study: Study, lake: Lake) -> list[Drawing]:
    """Choose whom to draw: an example of each label, and everything that was set aside, as far as the page allows."""
    labels: dict[str, Line] = {}
    for line in lines:
        if line.usable and _drawable(line):
            labels.setdefault(line.label, line)
    odd = [line for line in lines if not line.usable and _drawable(line)]
    chosen, readings = [], 0
    for line in [*list(labels.values())[:MOST_EXAMPLES], *odd[:MOST_ODD]]:
        stream = _drawable(line)
        if stream and readings + stream["rows"] <= MOST_READINGS:
            readings += stream["rows"]
            chosen.append((line, stream))
    found = read_previews(batch_id, [(line.recording_id, stream["stream"]) for line, stream in chosen], lake) if chosen else {}
    return [
        Drawing(line, stream["stream"], stream["unit"], found[line.recording_id, stream["stream"]])
        for line, stream in chosen
        if (line.recording_id, stream["stream"]) in found
    ]


def _drawable(line: Line) -> dict[str, Any] | None:
    """Return the stream that the first reason is about, else the one with the longest pause; None if there are no readings."""
    held = [row for row in line.streams if (row["rows"] or 0) > 1]
    places = [reason["place"] or "" for reason in line.reasons[:1]]
    meant = [row for row in held if any(place.startswith(f"{row['source']}, ") for place in places)]
    return max(meant or held, key=_telling_pause, default=None)


def _telling_pause(row: Mapping[str, Any]) -> float:
    pause: float = row["longest_gap_s"] or 0.0
    return pause if pause > SHORTEST_PAUSE_S else 0.0


def _remarks(facts: BatchFacts) -> list[dict[str, Any]]:
    """Group warnings and notes by code, with the first few places of each."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in facts.findings.sort_by([("path", "ascending"), ("code", "ascending")]).to_pylist():
        if row["severity"] in ("warning", "note"):
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


def _when(started: datetime | None) -> str:
    return f"{started:%Y-%m-%d %H:%M}" if started else ""


def _size(size: int) -> str:
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"


def _figure(value: float | None) -> str:
    return "–" if value is None else figure(value)


def _told(text: str | None) -> str:
    """Begin a reason's part with a capital and end it with a full stop, as on paper."""
    text = _short(text).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
