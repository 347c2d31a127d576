"""Which stretches of which recordings a report draws, each around what a reason is about.

Belongs here: choosing, within what one page may read and hold. Where in a stream a reason's matter lies is told by
`quality.evidence`, the drawing itself is `quality.previews`'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quality.accounts import REPAIRS
from quality.evidence import evidence_of
from quality.lines import Line
from quality.previews import MOST_READINGS, SHORTEST_PAUSE_S, Preview, preview, read_readings
from quality.reasons import spoken
from studies.study import Study
from warehouse.lake import Lake

#: What one page draws at most: of used recordings, of those set aside, and of these for the same reason.
MOST_EXAMPLES = 8
MOST_ODD = 40
MOST_ALIKE = 6
#: Recordings that are used, though something was noticed.
MOST_NOTICED = 6

#: A used recording is drawn for a pause of at least so long, or for so large a share of readings that repeat the one before.
_NOTICED_PAUSE_S = 1.0
_NOTICED_HELD = 0.5
_NOTED = {
    "gap": "A long pause",
    "readings_repeated": "Readings that mostly repeat the one before",
    **{kind: REPAIRS[kind] for kind in ("replay_removed", "unit_inferred")},
}

_AROUND = {
    "gap_too_long": "around a pause of {}",
    "saturated": "around {} at the end of the range",
    "out_of_range": "around {} of values that cannot be true",
    "jitter_too_high": "around {} of irregular steps",
    "readings_repeated": "around {} in which one reading is repeated",
    "time_backwards": "around the place where the clock goes back",
    "copy_of_recording": "the shaded {} are shared",
    "copy_of_other_participant": "the shaded {} are shared",
}


@dataclass(frozen=True)
class Drawing:
    """A preview with the words beside it.

    Parameters
    ----------
    line : Line
    stream, unit : str
    preview : Preview
    about : str
        Code of what the shaded part is; empty if it is the longest pause, or nothing.
    noted : str
        What was noticed on a used recording; else empty.
    """

    line: Line
    stream: str
    unit: str
    preview: Preview
    about: str
    noted: str

    @property
    def where(self) -> str:
        """What the shaded part is; empty without one."""
        if not self.preview.marked_s and self.about != "time_backwards":
            return ""
        length = f"{self.preview.marked_s:.3g} s"
        return _AROUND.get(self.about, "around the longest pause of {}").format(length)


@dataclass(frozen=True)
class Drawings:
    """The drawings of a page: set aside, used but noticed, an example of each label; and how many `odd` ones there are in all."""

    odd: tuple[Drawing, ...]
    noticed: tuple[Drawing, ...]
    examples: tuple[Drawing, ...]
    odd_in_all: int


@dataclass(frozen=True)
class _Wish:
    line: Line
    row: Mapping[str, Any]
    reason: Mapping[str, str]

    @property
    def key(self) -> tuple[str, str]:
        return self.line.recording_id, self.row["stream"]


def drawings_of(batch_id: str, lines: Sequence[Line], repairs: Iterable[Mapping[str, Any]], study: Study, lake: Lake) -> Drawings:
    """Draw what was set aside, what was noticed on used recordings, and an example of each label, as far as a page allows.

    Parameters
    ----------
    batch_id : str
    lines : sequence of Line
    repairs : iterable of dict
        Rows of table `repairs`.
    study : Study
    lake : Lake
    """
    odd_in_all = [wish for line in lines if not line.usable and (wish := _wish_of_set_aside(line))]
    odd = _few_alike(odd_in_all)
    noticed = _noticed([line for line in lines if line.usable], repairs)
    shown = {wish.line.recording_id for wish in noticed}
    examples: dict[str, _Wish] = {}
    for line in lines:
        if line.usable and line.recording_id not in shown and (row := _most_telling(line.streams)):
            examples.setdefault(line.label, _Wish(line, row, {}))
    groups = [odd[:MOST_ODD], noticed, list(examples.values())[:MOST_EXAMPLES]]
    drawn = _drawn(batch_id, [wish for group in groups for wish in group], study, lake)
    found = [tuple(drawn[wish.key] for wish in group if wish.key in drawn) for group in groups]
    return Drawings(found[0], found[1], found[2], odd_in_all=len(odd_in_all))


def _few_alike(wishes: Sequence[_Wish]) -> list[_Wish]:
    alike: Counter[str] = Counter()
    few = []
    for wish in wishes:
        code = next((reason["code"] for reason in wish.line.reasons), "")
        alike[code] += 1
        few += [wish] if alike[code] <= MOST_ALIKE else []
    return few


def _wish_of_set_aside(line: Line) -> _Wish | None:
    """The first reason that is about one of its sensors; else the sensor with the longest pause."""
    held = [row for row in line.streams if (row["rows"] or 0) > 1]
    for reason in line.reasons:
        place = reason["place"] or ""
        meant = [row for row in held if place == f"{row['source']}, {spoken(row['stream'])}"]
        meant = meant or [row for row in held if row["source"] and place.startswith((f"{row['source']}, ", f"{row['source']} "))]
        if meant:
            row = _most_telling(meant)
            return _Wish(line, row, reason) if row else None
    row = _most_telling(held)
    return _Wish(line, row, {}) if row else None


def _most_telling(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return max((row for row in rows if (row["rows"] or 0) > 1), key=_telling_pause, default=None)


def _telling_pause(row: Mapping[str, Any]) -> float:
    pause: float = row["longest_gap_s"] or 0.0
    return pause if pause > SHORTEST_PAUSE_S else 0.0


def _noticed(usable: Sequence[Line], repairs: Iterable[Mapping[str, Any]]) -> list[_Wish]:
    """Used recordings with a long pause, held readings or a repair that a person should see; one of each first."""
    repaired = {(row["recording_id"], row["stream"]): row["kind"] for row in repairs if row["kind"] in _NOTED}
    by_code: dict[str, list[_Wish]] = {}
    for line in usable:
        for row in line.streams:
            if (row["rows"] or 0) > 1 and (code := _noticeable(row, repaired.get((line.recording_id, row["stream"]), ""))):
                by_code.setdefault(code, []).append(_Wish(line, row, {"code": code, "place": "", "sentence": ""}))
                break
    turns = max(map(len, by_code.values()), default=0)
    return [wishes[turn] for turn in range(turns) for wishes in by_code.values() if turn < len(wishes)][:MOST_NOTICED]


def _noticeable(row: Mapping[str, Any], repair: str) -> str:
    if (row["longest_gap_s"] or 0.0) >= _NOTICED_PAUSE_S and row["gaps"]:
        return "gap"
    return "readings_repeated" if (row["held"] or 0.0) > _NOTICED_HELD else repair


def _drawn(batch_id: str, wishes: Sequence[_Wish], study: Study, lake: Lake) -> dict[tuple[str, str], Drawing]:
    readings, chosen = 0, []
    for wish in wishes:
        if readings + wish.row["rows"] <= MOST_READINGS:
            readings += wish.row["rows"]
            chosen.append(wish)
    found = read_readings(batch_id, [wish.key for wish in chosen], lake) if chosen else {}
    drawn = {}
    for wish in chosen:
        if wish.key in found and (drawing := _drawing(wish, study, *found[wish.key])):
            drawn[wish.key] = drawing
    return drawn


def _drawing(wish: _Wish, study: Study, t_ns: Any, values: Any) -> Drawing | None:
    contract = study.contract_of(wish.row["stream"])
    marked = evidence_of(t_ns, values, contract, wish.reason) if wish.reason else None
    picture = preview(t_ns, values, marked)
    if picture is None:
        return None
    code = wish.reason.get("code", "")
    noted = _NOTED.get(code, "") if wish.line.usable else ""
    return Drawing(wish.line, wish.row["stream"], wish.row["unit"], picture, code if marked else "", noted)
