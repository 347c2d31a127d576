"""Batches as the reading step leaves them: rows in real Delta tables, clean unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from studies.sensors import unit_of
from studies.study import Study
from warehouse.fingerprints import fingerprints
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

FIRST_NS = int(datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()) * 10**9
_NORM = {"accelerometer": 9.8, "gyroscope": 1.2}

CONTRACT: dict[str, Any] = {
    "study": "hops",
    "title": "Hops on one leg",
    "participants": r"^P\d{3}$",
    "labels": {"hop": ["hops"], "rest": []},
    "streams": {
        "accelerometer": {
            "unit": "m/s^2",
            "rate_hz": [45, 55],
            "max_gap_s": 0.5,
            "max_jitter": 0.2,
            "range": [-160, 160],
            "gravity": [8, 12],
            "max_saturated": 0.05,
            "required": True,
        },
        "gyroscope": {"unit": "rad/s", "rate_hz": [45, 55], "max_gap_s": 0.5, "range": [-40, 40], "required": True},
        "orientation": {"unit": "quaternion", "rate_hz": [45, 55]},
    },
    "min_duration_s": 4,
}


@dataclass(frozen=True)
class Recorded:
    """A recording with 50 Hz accelerometer and gyroscope of 10 s; every field can be told otherwise."""

    name: str
    participant: str = "P001"
    label: str | None = "hop"
    start_ns: int = FIRST_NS
    streams: tuple[str, ...] = ("accelerometer", "gyroscope")
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    findings: tuple[Mapping[str, str], ...] = ()
    recording: Mapping[str, Any] = field(default_factory=dict)
    samples: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    repairs: tuple[Mapping[str, Any], ...] = ()
    gaps: tuple[Mapping[str, Any], ...] = ()
    annotations: tuple[Mapping[str, Any], ...] = ()

    def stream_row(self, stream: str) -> dict[str, Any]:
        row = {
            "unit": unit_of(stream),
            "source": f"{self.name}.zip::{stream}.csv",
            "rows": 500,
            "start_ns": self.start_ns,
            "end_ns": self.start_ns + 10 * 10**9,
            "rate_hz": 50.0,
            "mean_rate_hz": 49.9,
            "declared_rate_hz": None,
            "jitter": 0.02,
            "gaps": 0,
            "longest_gap_s": 0.021,
            "duplicates": 0,
            "out_of_order": 0,
            "saturated": 0.0,
            "held": 0.0,
            "minimum": -20.0,
            "maximum": 25.0,
            "norm_median": _NORM.get(stream, 1.0),
            "value_hash": f"{self.name}-{stream}",
        }
        return {"recording_id": self.name, "participant": self.participant, "stream": stream, **row, **self.facts.get(stream, {})}

    def recording_row(self) -> dict[str, Any]:
        row = {
            "study": "hops",
            "site": "clinic-a",
            "session": "1",
            "device": None,
            "placement": "back",
            "format": "sensor_logger",
            "started_at": self.start_ns // 1000 if self.streams else None,
            "duration_s": 10.0 if self.streams else None,
            "label": self.label,
            "label_as_delivered": self.label,
            "attributes": "{}",
            "value_hash": self.name if self.streams else None,
        }
        return {"recording_id": self.name, "participant": self.participant, **row, **self.recording}

    def file_row(self) -> dict[str, Any]:
        known = {"recording_id": self.name, "participant": self.participant, "path": f"{self.name}.zip"}
        faulty = [finding["code"] for finding in self.findings if finding["severity"] == "error"]
        state = {"state": "set_aside" if faulty else "read", "reason": faulty[0] if faulty else None}
        return {
            **known,
            "sha256": f"{hash(self.name):064x}"[-64:],
            "bytes": 1234,
            "format": "sensor_logger",
            **state,
            "left_out": 2,
        }

    def finding_rows(self) -> list[dict[str, Any]]:
        empty = {"sentence": "", "place": f"{self.name}.zip", "remedy": ""}
        return [{"recording_id": self.name, "path": f"{self.name}.zip", **empty, **finding} for finding in self.findings]

    def further_rows(self, table: str) -> list[dict[str, Any]]:
        return [{"recording_id": self.name, "participant": self.participant, **row} for row in getattr(self, table)]

    def sample_table(self, stream: str) -> pa.Table:
        times, values = self.samples[stream]
        texts = {"recording_id": self.name, "participant": self.participant, "stream": stream}
        columns = {name: pa.repeat(text, len(times)) for name, text in texts.items()}
        axes = {axis: pa.array(np.asarray(values[:, n], np.float32)) for n, axis in enumerate("xyz")}
        return pa.table({**columns, "t_ns": pa.array(times, pa.int64()), **axes, "w": pa.nulls(len(times), pa.float32())})

    def fingerprint_table(self, stream: str) -> pa.Table:
        marks = fingerprints(np.asarray(self.samples[stream][1], np.float32), self.stream_row(stream)["rate_hz"])
        texts = {"recording_id": self.name, "participant": self.participant, "stream": stream}
        columns = {name: pa.repeat(text, len(marks.hashes)) for name, text in texts.items()}
        return pa.table({**columns, "position": pa.array(marks.positions), "hash": pa.array(marks.hashes)})

    def but(self, **changes: Any) -> Recorded:
        return replace(self, **changes)


def write_batch(home: Home, *recordings: Recorded, batch_id: str = "batch-1") -> str:
    """Write the tables that reading a batch writes."""
    lake = Lake(home)
    rows = {
        "recordings": [one.recording_row() for one in recordings],
        "streams": [one.stream_row(stream) for one in recordings for stream in one.streams],
        "files": [one.file_row() for one in recordings],
        "findings": [row for one in recordings for row in one.finding_rows()],
        **{name: [row for one in recordings for row in one.further_rows(name)] for name in ("repairs", "gaps", "annotations")},
    }
    for name, of_table in rows.items():
        schema = TABLES[name].schema
        lake.replace(
            name, pa.Table.from_pylist([{"batch_id": batch_id, **row} for row in of_table], schema), where={"batch_id": batch_id}
        )
    samples = [one.sample_table(stream) for one in recordings for stream in one.samples]
    if samples:
        lake.replace("samples", pa.concat_tables(samples), where={"batch_id": batch_id})
        marks = pa.concat_tables([one.fingerprint_table(stream) for one in recordings for stream in one.samples])
        lake.replace("fingerprints", marks, where={"batch_id": batch_id})
    return batch_id


@pytest.fixture
def study() -> Study:
    """A study with a limit on rates, pauses and duration only: judging is the quicker the less is asked."""
    limits = ("unit", "rate_hz", "max_gap_s", "required")
    streams = {name: {key: of[key] for key in limits if key in of} for name, of in CONTRACT["streams"].items()}
    return Study.model_validate({**CONTRACT, "streams": streams})


@pytest.fixture
def known_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the contract a study that `studies.find_study` finds."""
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "hops.yaml").write_text(yaml.safe_dump(CONTRACT), encoding="utf-8")
    monkeypatch.setenv("KINELAKE_STUDIES", str(folder))


@pytest.fixture
def clean() -> Recorded:
    """A recording that nothing is wrong with."""
    return Recorded("walk-1")
