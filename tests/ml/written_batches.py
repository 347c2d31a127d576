"""Batches as reading and judging leave them in the lake, made from arrays: what preprocessing starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from studies import load_study
from studies.study import Study
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

ORIGIN_NS = 1_700_000_000_000_000_000
Streams = Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]

STUDY = """
study: wrist
title: Movements of the wrist
participants: '^P\\d+$'
labels: [shake, turn, wave]
streams:
  accelerometer: {unit: m/s^2, rate_hz: [20, 60], required: true}
  gyroscope: {unit: rad/s, rate_hz: [20, 60]}
  orientation: {unit: quaternion, rate_hz: [20, 60]}
tasks:
  movement:
    input: {streams: [accelerometer, gyroscope], rate_hz: 20, magnitude: true}
    segment: {by: window, seconds: 2, overlap: 0.5, length: 40, min_seconds: 1.5}
    augment:
      - multiplicative_noise: {share: 0.3, low: 0.8, high: 0.95}
      - subsequence: {min_share: 0.7}
    split: {group: participant, test: 0.25, folds: 3}
    models: [{family: random_forest}]
    promote: {at_least: 0.5}
    seed: 7
  whole:
    labels: [shake, wave]
    input: {streams: [accelerometer, orientation], rate_hz: 25}
    segment: {by: recording, length: 64}
    split: {folds: leave_one_out}
    models: [{family: random_forest}]
    promote: {at_least: 0.5}
"""


@dataclass(frozen=True)
class Recorded:
    """One recording and its verdict."""

    recording_id: str
    participant: str
    label: str | None
    streams: Streams
    accepted: bool = True
    session: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    #: Start and end in seconds after `ORIGIN_NS`, equal for an instant, and the label as delivered.
    marks: Sequence[tuple[float, float, str | None]] = ()
    #: Start, deepest and end of a squat likewise.
    squats: Sequence[tuple[float, float, float, str | None]] = ()


def wrist_study(folder: Path, text: str = STUDY) -> Study:
    """Write the study above (or another text of the same name) and load it."""
    path = folder / "wrist.yaml"
    path.write_text(text)
    return load_study(path)


def moving(seed: int, *, seconds: float = 8, hz: float = 2) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """Three streams with clocks of their own, an oscillation of `hz` on all axes."""
    random = np.random.default_rng(seed)
    streams = {}
    for name, rate_hz, axes, delay_s in (("accelerometer", 50, 3, 0), ("gyroscope", 40, 3, 0.1), ("orientation", 30, 4, 0.05)):
        t_s = np.arange(round(seconds * rate_hz)) / rate_hz + delay_s
        phase, level = random.uniform(0, 6, axes), random.uniform(-1, 1, axes)
        values = level + np.sin(2 * np.pi * hz * t_s[:, np.newaxis] + phase)
        if axes == 4:
            values /= np.linalg.norm(values, axis=1, keepdims=True)
        streams[name] = (ORIGIN_NS + np.rint(t_s * 1e9).astype(np.int64), values.astype(np.float32))
    return streams


def cohort(people: int = 8, labels: Sequence[str] = ("shake", "turn", "wave")) -> list[Recorded]:
    """One recording of every label by every participant."""
    return [
        Recorded(f"r{person}{label}", f"P{person}", label, moving(person * 10 + number, hz=1 + number))
        for person in range(people)
        for number, label in enumerate(labels)
    ]


def write_batch(
    home: Home,
    study: Study,
    batch_id: str,
    recordings: Sequence[Recorded],
    *,
    complete: bool = True,
    received_after_s: int = 0,
) -> None:
    """Write the tables of a batch up to its verdicts, and its row in `batches`."""
    lake, where = Lake(home), {"batch_id": batch_id}
    lake.replace("samples", _table("samples", [rows for one in recordings for rows in _samples(one)]), where=where)
    lake.replace("streams", _table("streams", [_stream(one, name) for one in recordings for name in one.streams]), where=where)
    lake.replace("recordings", _table("recordings", [_recording(one, study) for one in recordings]), where=where)
    marks = [_mark(one, *mark) for one in recordings for mark in one.marks]
    marks += [_mark(one, start, end, label, mid) for one in recordings for start, mid, end, label in one.squats]
    lake.replace("annotations", _table("annotations", marks), where=where)
    lake.replace("verdicts", _table("verdicts", [_verdict(one) for one in recordings]), where=where)
    received_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=received_after_s)
    state = "complete" if complete else "received"
    lake.replace("batches", _table("batches", [{"study": study.study, "received_at": received_at, "state": state}]), where=where)


def _table(name: str, rows: Sequence[Mapping[str, object] | pa.Table]) -> pa.Table:
    schema = pa.schema([field for field in TABLES[name].schema if field.name != "batch_id"])
    if rows and isinstance(rows[0], pa.Table):
        return pa.concat_tables([part.select(schema.names).cast(schema) for part in rows])
    return pa.Table.from_pylist([{**dict.fromkeys(schema.names), **row} for row in rows], schema=schema)


def _samples(one: Recorded) -> list[pa.Table]:
    tables = []
    for name, (t_ns, values) in one.streams.items():
        axes = {axis: values[:, i] if i < values.shape[1] else pa.nulls(len(t_ns), pa.float32()) for i, axis in enumerate("xyzw")}
        same = {"recording_id": one.recording_id, "participant": one.participant, "stream": name}
        tables.append(pa.table({**{key: pa.repeat(value, len(t_ns)) for key, value in same.items()}, "t_ns": t_ns, **axes}))
    return tables


def _hash(*values: npt.NDArray[np.float32]) -> str:
    return hashlib.sha256(b"".join(part.tobytes() for part in values)).hexdigest()


def _stream(one: Recorded, name: str) -> dict[str, object]:
    t_ns, values = one.streams[name]
    same = {"recording_id": one.recording_id, "participant": one.participant, "stream": name}
    return {**same, "rows": len(t_ns), "start_ns": int(t_ns[0]), "end_ns": int(t_ns[-1]), "value_hash": _hash(values)}


def _recording(one: Recorded, study: Study) -> dict[str, object]:
    return {
        "recording_id": one.recording_id,
        "study": study.study,
        "participant": one.participant,
        "session": one.session,
        "label": one.label,
        "attributes": json.dumps(one.attributes),
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
        "value_hash": _hash(*(values for _, values in one.streams.values())),
    }


def _verdict(one: Recorded) -> dict[str, object]:
    return {"recording_id": one.recording_id, "participant": one.participant, "accepted": one.accepted, "reasons": []}


def _mark(one: Recorded, start_s: float, end_s: float, label: str | None, mid_s: float | None = None) -> dict[str, object]:
    start_ns, end_ns = (ORIGIN_NS + round(at * 1e9) for at in (start_s, end_s))
    return {
        "recording_id": one.recording_id,
        "participant": one.participant,
        "start_ns": start_ns,
        "end_ns": end_ns,
        "mid_ns": None if mid_s is None else ORIGIN_NS + round(mid_s * 1e9),
        "label": label,
    }
