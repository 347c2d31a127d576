"""Rows for any table of the lake, filled by type; what a test cares about it says itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
REASON = {"code": "gap", "sentence": "a gap of 10 s", "place": "walk's.csv row 3", "remedy": "record again"}


def make_rows(name: str, count: int = 1, **columns: Any) -> pa.Table:
    """Rows of a table; a column given as a list is taken as it is, any other value is repeated."""
    filled = {
        column.name: columns[column.name] if isinstance(columns.get(column.name), list) else [columns.get(column.name)] * count
        for column in TABLES[name].columns
    }
    return pa.table(filled, schema=TABLES[name].schema)


def write_batch(
    home: Home, batch_id: str, *, recordings: int = 2, samples: int = 10, complete: bool = True, attributes: str = "{}"
) -> None:
    """Write every table of one batch, the first recording accepted and the others in quarantine."""
    lake, ids = Lake(home), [f"{batch_id}-{number}" for number in range(recordings)]
    of_each: dict[str, dict[str, Any]] = {
        "files": {"path": "a.csv", "sha256": "0" * 64, "bytes": 10, "state": "read"},
        "recordings": {
            "study": "trial",
            "site": "clinic",
            "label": "squat",
            "device": "d1",
            "format": "metabase",
            "duration_s": 5.0,
            "attributes": attributes,
        },
        "streams": {
            "stream": "accelerometer",
            "unit": "m/s^2",
            "rate_hz": 50.0,
            "rows": samples,
            "gaps": 1,
            "longest_gap_s": 0.1,
        },
        "findings": {"path": "a.csv", "severity": "note", "code": "bom", "sentence": "a byte order mark", "place": "a.csv"},
        "verdicts": {
            "accepted": [number == 0 for number in range(recordings)],
            "reasons": [[] if number == 0 else [REASON, REASON | {"code": "label"}] for number in range(recordings)],
            "judged_at": datetime.now(UTC),
        },
        "segments": {"segment_id": [f"{one}-s" for one in ids], "task": "trial.which", "label": "squat", "steps": 100},
    }
    for name, values in of_each.items():
        rows = make_rows(name, recordings, batch_id=batch_id, recording_id=ids, participant="P001", **values)
        lake.replace(name, rows, where={"batch_id": batch_id})
    signal = {"recording_id": [one for one in ids for _ in range(samples)], "participant": "P001", "stream": "accelerometer"}
    ticks = {"t_ns": [10**18 + tick for _ in ids for tick in range(samples)], "x": 0.5, "y": 0.25, "z": 9.75}
    for name in ("samples", "resampled"):
        lake.replace(
            name, make_rows(name, recordings * samples, batch_id=batch_id, **signal, **ticks), where={"batch_id": batch_id}
        )
    if complete:
        complete_row(home, batch_id, recordings=recordings, accepted=1)


def complete_row(home: Home, batch_id: str, **values: Any) -> None:
    """Write the row that makes a batch visible."""
    row = {"study": "trial", "site": "clinic", "received_at": LONG_AGO, "state": "complete", "completed_at": datetime.now(UTC)}
    Lake(home).replace("batches", make_rows("batches", batch_id=batch_id, **row | values), where={"batch_id": batch_id})


def write_training(home: Home, task: str, fingerprint: str, versions: list[int], *, complete: bool = True) -> None:
    """Write one training: its table, two examples, scores and, if complete, its model versions."""
    lake, where = Lake(home), {"task": task, "fingerprint": fingerprint}
    of_training = {"study": "trial", "channels": [["accelerometer.x", "accelerometer.y"]], "labels": [["squat", "lunge"]]}
    lake.replace("training_tables", make_rows("training_tables", **where, **of_training), where=where)
    examples = {"example_id": ["e1", "e2"], "label": "squat", "split": "test", "signal": [[1.0, 2.0], [3.0, 4.0]]}
    lake.replace("examples", make_rows("examples", 2, **where, **examples), where=where)
    scores = [(version, protocol) for version in versions for protocol in ("cross_validation", "test")]
    value = [version / 10 + (protocol == "test") / 100 for version, protocol in scores]
    scored = {"version": [version for version, _ in scores], "protocol": [protocol for _, protocol in scores], "value": value}
    lake.replace("evaluations", make_rows("evaluations", len(scores), **where, **scored, metric="macro_f1"), where=where)
    if complete:
        models = make_rows("models", len(versions), **where, version=versions, family="svm", honest=True, trained_at=LONG_AGO)
        lake.replace("models", models, where=where)
