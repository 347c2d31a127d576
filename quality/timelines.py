"""Where recordings fell silent: a lane for each, from its first to its last reading, with its gaps and pauses on it.

Belongs here: choosing the lanes and placing the marks. Only numbers and the lake's own names leave this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from quality.lines import Line, sensors_in_words

#: Width of a lane, in drawing units.
LANE = 640
#: What one page draws at most; the rest is counted.
MOST_LANES = 12
MOST_MARKS = 150

_THINNEST = 1.5


@dataclass(frozen=True)
class Mark:
    """One silence on a lane: left edge and width in drawing units; `pause` if all sensors were silent."""

    left: float
    width: float
    pause: bool


@dataclass(frozen=True)
class Lane:
    """A recording, or those of its sensors that fell silent together.

    Parameters
    ----------
    line : Line
    sensors : str
        In words.
    gaps, pauses : int
        All of the lane, drawn or not; the second those of all sensors at once.
    longest_s : float
    marks : tuple of Mark
        The longest `MOST_MARKS`.
    """

    line: Line
    sensors: str
    gaps: int
    pauses: int
    longest_s: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Timelines:
    """The lanes of a page, longest silence first; how many there are in all, and of how many recordings."""

    lanes: tuple[Lane, ...]
    lanes_in_all: int
    recordings: int


def timelines_of(gaps: pa.Table, lines: Sequence[Line]) -> Timelines:
    """Place a batch's gaps on lanes.

    Parameters
    ----------
    gaps : Table
        Rows of table `gaps`.
    lines : sequence of Line
    """
    known = {line.recording_id: line for line in lines if line.started_ns is not None and line.duration_s}
    together = _together([row for row in _streams_with_gaps(gaps) if row["recording_id"] in known])
    shown = sorted(together, key=lambda rows: -rows[0]["seconds_max"])[:MOST_LANES]
    lanes = tuple(_lane(rows, known[rows[0]["recording_id"]], gaps) for rows in shown)
    return Timelines(lanes, len(together), len({rows[0]["recording_id"] for rows in together}))


def _streams_with_gaps(gaps: pa.Table) -> list[dict[str, Any]]:
    measured = [("seconds", "count"), ("seconds", "max"), ("paused", "sum"), ("start_ns", "min")]
    told = gaps.append_column("paused", pc.cast(pc.equal(gaps["kind"], "pause"), pa.int64()))
    found: list[dict[str, Any]] = told.group_by(["recording_id", "stream"]).aggregate(measured).to_pylist()
    return sorted(found, key=lambda row: (row["recording_id"], row["stream"]))


def _together(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Sensors of a recording that have the same gaps share a lane, and those that all paused as often."""
    alike: dict[tuple[object, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        paused = row["seconds_count"] == row["paused_sum"]
        same = (row["seconds_count"], None if paused else (row["seconds_max"], row["start_ns_min"]))
        key = (row["recording_id"], *same)
        alike.setdefault(key, []).append(row)
    return list(alike.values())


def _lane(rows: Sequence[Mapping[str, Any]], line: Line, gaps: pa.Table) -> Lane:
    first = rows[0]
    own = pc.and_(pc.equal(gaps["recording_id"], first["recording_id"]), pc.equal(gaps["stream"], first["stream"]))
    longest = gaps.filter(own).sort_by([("seconds", "descending")]).slice(0, MOST_MARKS)
    assert line.started_ns is not None and line.duration_s
    scale = LANE / line.duration_s
    marks = tuple(
        Mark((row["start_ns"] - line.started_ns) / 1e9 * scale, max(row["seconds"] * scale, _THINNEST), row["kind"] == "pause")
        for row in longest.to_pylist()
    )
    sensors = ", ".join(sensors_in_words([row["stream"] for row in rows])) if len(rows) < len(line.streams) else "all sensors"
    return Lane(line, sensors, first["seconds_count"] - first["paused_sum"], first["paused_sum"], first["seconds_max"], marks)
