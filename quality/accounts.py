"""What there is to tell of a batch, by kind: repairs, units, copies, what was left unread, marks, people's decisions.

Belongs here: counting rows of the tables and naming the kinds in plain words. The page is `quality.report`'s.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from quality.copies import COPY_CODES
from quality.facts import BatchFacts
from quality.headings import heading
from quality.lines import Line, sensors_in_words
from quality.reasons import origin, sign
from studies.study import Study
from warehouse.lake import Lake

#: Kinds of repairs in plain words, those that people should look at first.
REPAIRS: Mapping[str, str] = {
    "scale_flagged": "A sensor reads too much or too little; nothing was changed",
    "unit_inferred": "A unit put right, against what the file says",
    "sensor_assumed": "Which sensor a file is of was taken from the study",
    "header_inferred": "A missing line of column names was supplied",
    "replay_removed": "Readings that were written twice were left out",
    "duplicate_stamps_removed": "Of readings with the same time the first was kept",
    "sorted": "Readings were put in the order of their times",
    "messages_sorted": "Messages were put in the order of their numbers",
    "messages_repeated": "Messages that came twice were taken once",
    "tail_cut": "A last reading that was cut off was left out",
    "sub_second_rebuilt": "Times within a second were worked out",
    "clock_chosen": "The steadier of two clocks was used",
    "accelerometer_summed": "Acceleration was put together from its two parts",
    "euler_to_quaternion": "Angles were written as quaternions",
    "sign_flipped": "Directions were turned, so that all devices agree",
    "unit_converted": "Units were converted, as the files declare them",
}

_DECLARED = "as the file or the study says"
_KIND = re.compile(r"([a-z_ ]{1,40}) (\d{1,9})")


@dataclass(frozen=True)
class Mended:
    """Repairs of one kind.

    Parameters
    ----------
    heading : str
    recordings, readings : int
    sensors : tuple of str
        In words; empty if whole recordings were concerned.
    change : tuple of str
        ``g → m/s²``, each once; empty where that says nothing.
    sentence : str
        Of the first one.
    sentences : int
        Different ones.
    """

    kind: str
    heading: str
    recordings: int
    readings: int
    sensors: tuple[str, ...]
    change: tuple[str, ...]
    sentence: str
    sentences: int


@dataclass(frozen=True)
class UnitTold:
    """In which unit sensors came, and how that is known: ``declared``, ``told by the values``, ``corrected by a person``."""

    sensors: tuple[str, ...]
    declared: str
    kept: str
    known: str
    recordings: int


@dataclass(frozen=True)
class Copied:
    """Copies of one participant's recordings of another's, or of their own, that are equally far apart in time.

    Parameters
    ----------
    participant, other : str
    batch : str
        Where the other one's are: ``the same batch`` or ``batch ...``.
    stamped : str
        How the other one's are stamped: ``24 h earlier``.
    whole : bool
        False if parts are shared, or values were altered.
    labels : tuple of str
    recordings : int
    """

    participant: str
    other: str
    batch: str
    stamped: str
    whole: bool
    labels: tuple[str, ...]
    recordings: int


@dataclass(frozen=True)
class Marked:
    """Delivered annotations of one label."""

    label: str
    stretches: int
    recordings: int
    seconds: float


@dataclass(frozen=True)
class Decision:
    """What a person decided about a recording: what, and who, why and when."""

    line: Line
    what: str
    who: str
    why: str
    when: str


def mended(repairs: Sequence[Mapping[str, Any]]) -> list[Mended]:
    """Group rows of table `repairs` by kind, those first that people should look at."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in repairs:
        groups.setdefault(row["kind"], []).append(row)
    order = {kind: number for number, kind in enumerate(REPAIRS)}
    return [_mended(kind, groups[kind]) for kind in sorted(groups, key=lambda kind: (order.get(kind, -1), kind))]


def _mended(kind: str, rows: Sequence[Mapping[str, Any]]) -> Mended:
    changes = Counter((row["before"], row["after"]) for row in rows if row["before"] and row["after"] != row["before"])
    shown = [f"{sign(before)} → {sign(after)}" for (before, after), _ in changes.most_common(4) if after]
    sentences = Counter(row["sentence"] for row in rows)
    return Mended(
        kind,
        REPAIRS.get(kind, heading(kind)),
        len({row["recording_id"] for row in rows}),
        sum(row["rows"] or 0 for row in rows),
        tuple(sensors_in_words(sorted({row["stream"] for row in rows if row["stream"]}))),
        tuple(shown),
        sentences.most_common(1)[0][0],
        len(sentences),
    )


def units(facts: BatchFacts, repairs: Sequence[Mapping[str, Any]]) -> list[UnitTold]:
    """Tell in which units the sensors of a batch came; those whose files claim none are left out."""
    inferred = {(row["recording_id"], row["stream"]) for row in repairs if row["kind"] == "unit_inferred"}
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in facts.streams.to_pylist():
        known = "told by the values" if (row["recording_id"], row["stream"]) in inferred else _DECLARED
        known = f"corrected by a person: {sign(row['corrected_unit'])}" if row["corrected_unit"] else known
        if row["declared_unit"] or known != _DECLARED:
            groups.setdefault((row["declared_unit"] or "", row["unit"], known), []).append(row)
    return [
        UnitTold(
            tuple(sensors_in_words(sorted({row["stream"] for row in rows}))),
            sign(declared),
            sign(kept),
            known,
            len({row["recording_id"] for row in rows}),
        )
        for (declared, kept, known), rows in sorted(groups.items(), key=lambda group: (group[0][2] == _DECLARED, group[0]))
    ]


def copied(lines: Iterable[Line]) -> list[Copied]:
    """Tell whose recordings are copies of whose, most first."""
    groups: dict[tuple[str, str, str, str, bool], list[Line]] = {}
    for line in lines:
        origins = [origin(reason["sentence"] or "") for reason in line.reasons if reason["code"] in COPY_CODES]
        for one in filter(None, origins):
            groups.setdefault((line.participant, one.participant, one.batch, one.stamped, one.whole), []).append(line)
    found = [Copied(*key, tuple(sorted({line.label for line in group})), len(group)) for key, group in groups.items()]
    return sorted(found, key=lambda one: (-one.recordings, one.participant, one.other, one.stamped))


def left_out(facts: BatchFacts) -> dict[str, int]:
    """Count what was left unread by kind, most first; what no file tells the kind of is ``other``."""
    kinds: Counter[str] = Counter()
    for text in facts.recordings["attributes"].to_pylist():
        said = json.loads(text or "{}").get("left_out", "")
        kinds.update({name.replace("_", " "): int(count) for name, count in _KIND.findall(str(said))})
    in_all = pc.sum(facts.files["left_out"]).as_py() or 0
    if in_all > kinds.total():
        kinds["other"] += in_all - kinds.total()
    return dict(kinds.most_common())


def annotated(annotations: pa.Table, study: Study) -> list[Marked]:
    """Count delivered annotations by label, most first; labels as the study spells them, where it knows them."""
    lasting = pc.divide(pc.cast(pc.subtract(annotations["end_ns"], annotations["start_ns"]), pa.float64()), 1e9)
    measured = [("seconds", "count"), ("recording_id", "count_distinct"), ("seconds", "sum")]
    rows = annotations.append_column("seconds", lasting).group_by("label").aggregate(measured).to_pylist()
    found = [
        Marked(
            study.canonical_label(row["label"]) or row["label"] or "",
            row["seconds_count"],
            row["recording_id_count_distinct"],
            row["seconds_sum"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (-one.stretches, one.label))


def decisions(lines: Iterable[Line], lake: Lake) -> list[Decision]:
    """Return what people decided about these recordings, in the order of time; a participant's former name is not told."""
    by_id = {line.recording_id: line for line in lines}
    where = {"recording_id": sorted(by_id)}
    if not by_id:
        return []
    corrected = [
        (row["corrected_at"], row, f"{row['field'].replace(':', ' of ')}: {_change(row)}")
        for row in lake.read("corrections", where=where).to_pylist()
    ]
    released = [
        (row["released_at"], row, "let in" if not row["withdrawn"] else "no longer let in")
        for row in lake.read("releases", where=where).to_pylist()
    ]
    return [
        Decision(by_id[row["recording_id"]], what, row["who"], row["why"], f"{at:%Y-%m-%d %H:%M}")
        for at, row, what in sorted([*corrected, *released], key=lambda one: one[0])
    ]


def _change(row: Mapping[str, Any]) -> str:
    value = "as delivered again" if row["value"] is None else row["value"]
    return f"{row['before']} → {value}" if row["before"] else value
