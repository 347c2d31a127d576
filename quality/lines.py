"""The recordings of a batch as its report tells them: who, what, when, its sensors and its verdict.

Belongs here: gathering what the tables say of each recording. What is told of all of them together is in `quality.report`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from quality.facts import BatchFacts, contract_name
from quality.reasons import figure, listed, spoken
from studies.sensors import placement_of, sensor_of
from studies.study import Study
from warehouse.lake import Lake

_UNSET = 1970


@dataclass(frozen=True)
class Line:
    """One recording as the page tells it.

    Parameters
    ----------
    state : {"accepted", "released", "set aside", "not judged"}
    started_ns : int or None
        First reading, ns since 1970 UTC.
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
    started_ns: int | None
    duration_s: float | None
    state: str
    streams: tuple[dict[str, Any], ...]
    reasons: tuple[dict[str, str], ...]

    @property
    def clocks(self) -> list[str]:
        """Rate and longest pause of every sensor, those with the same figures together."""
        alike: dict[str, list[str]] = defaultdict(list)
        for row in self.streams:
            rate, pause = (
                "–" if row[name] is None else figure(float(f"{row[name]:.{digits}g}"))
                for name, digits in (("rate_hz", 4), ("longest_gap_s", 2))
            )
            alike[f"{rate} Hz, {pause} s"].append(row["stream"])
        return [f"{', '.join(sensors_in_words(streams))}: {figures}" for figures, streams in alike.items()]

    @property
    def usable(self) -> bool:
        return self.state in ("accepted", "released")


def lines_of(facts: BatchFacts, study: Study, lake: Lake) -> list[Line]:
    """Return every recording of a batch, by participant, label and time."""
    verdicts = {row["recording_id"]: row for row in lake.read("verdicts", where={"batch_id": facts.batch_id}).to_pylist()}
    streams = by_recording(facts.streams)
    order = {name: number for number, name in enumerate(study.streams)}
    lines = []
    for row in facts.recordings.to_pylist():
        name = row["recording_id"]
        own = sorted(
            streams.get(name, []), key=lambda stream: order.get(contract_name(stream["stream"], study) or "", len(order))
        )
        lines.append(_line(row, verdicts.get(name), own))
    return sorted(lines, key=lambda line: (line.participant, line.label, line.started, line.recording_id))


def by_recording(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each recording."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        groups[row["recording_id"]].append(row)
    return groups


def sensors_in_words(streams: Iterable[str]) -> list[str]:
    """Name sensors, each once with all places where it sat.

    Examples
    --------
    >>> sensors_in_words(["accelerometer@waist", "gyroscope", "accelerometer@calf"])
    ['accelerometer (waist and calf)', 'gyroscope']
    """
    places: dict[str, list[str]] = defaultdict(list)
    for stream in streams:
        places[sensor_of(stream)] += [spoken(placement_of(stream))] if placement_of(stream) else []
    return [spoken(sensor) + (f" ({listed(of_sensor)})" if of_sensor else "") for sensor, of_sensor in places.items()]


def _line(row: Mapping[str, Any], verdict: Mapping[str, Any] | None, streams: Sequence[dict[str, Any]]) -> Line:
    starts = [stream["start_ns"] for stream in streams if stream["start_ns"] is not None]
    return Line(
        row["recording_id"],
        row["participant"] or "",
        row["label"] or "",
        row["session"] or "",
        _when(row["started_at"]),
        min(starts, default=None),
        row["duration_s"],
        _state(verdict),
        tuple(streams),
        tuple(verdict["reasons"]) if verdict else (),
    )


def _state(verdict: Mapping[str, Any] | None) -> str:
    if verdict is None:
        return "not judged"
    if not verdict["accepted"]:
        return "set aside"
    return "released" if verdict["released_by"] else "accepted"


def _when(started: datetime | None) -> str:
    # A clock that nobody set, and times that tell no date, count from 1970.
    return f"{started:%Y-%m-%d %H:%M}" if started and started.year > _UNSET else ""
