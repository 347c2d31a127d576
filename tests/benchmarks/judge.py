"""Judging 100,000 recordings' facts with Great Expectations: facts in the lake to verdicts, history and checks in the lake."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from quality.judging import judge_batch
from studies.study import Study
from tests.quality.conftest import CONTRACT
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_RECORDINGS = 100_000
_PEOPLE = 500
_SHARE_FAST = 0.01
_MOST_SECONDS = 10.0
_BATCH = "bench"


def run() -> list[dict[str, object]]:
    """Judge one batch of 100,000 recordings with two sensors each, 2 % of them outside the contract, the import apart."""
    study = Study.model_validate(CONTRACT)
    imported = _seconds(_import_great_expectations)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(folder)
        _lay_down(home)
        first = _seconds(lambda: judge_batch(_BATCH, study, home))
        again = _seconds(lambda: judge_batch(_BATCH, study, home))
        aside = Lake(home).read("verdicts")["accepted"].to_pylist().count(False)
    note = f"{aside:,} set aside; import of Great Expectations {imported:.1f} s, not counted"
    same = {"unit": "s", "target": f"<= {_MOST_SECONDS}", "peer": "", "note": note}
    return [
        {"figure": f"{name} {_RECORDINGS:,} recordings", "value": taken, "met": taken <= _MOST_SECONDS, **same}
        for name, taken in (("judging", first), ("judging again", again))
    ]


def _import_great_expectations() -> None:
    import great_expectations  # noqa: F401


def _lay_down(home: Home) -> None:
    ids = [f"r{number:06d}" for number in range(_RECORDINGS)]
    people = [f"P{number % _PEOPLE:03d}" for number in range(_RECORDINGS)]
    twice = {"recording_id": np.repeat(ids, 2).tolist(), "participant": np.repeat(people, 2).tolist()}
    fast = np.random.default_rng(0).random(2 * _RECORDINGS) < _SHARE_FAST
    known = {"recording_id": ids, "participant": people}
    said = {"study": "hops", "site": "a", "label": "hop", "label_as_delivered": "hop", "duration_s": 10.0, "attributes": "{}"}
    measured = {
        "rows": 500,
        "start_ns": 0,
        "end_ns": 10**10,
        "mean_rate_hz": 50.0,
        "jitter": 0.01,
        "gaps": 0,
        "longest_gap_s": 0.02,
        "duplicates": 0,
        "out_of_order": 0,
        "saturated": 0.0,
        "held": 0.0,
        "minimum": -20.0,
        "maximum": 20.0,
        "stream": ["accelerometer", "gyroscope"] * _RECORDINGS,
        "unit": ["m/s^2", "rad/s"] * _RECORDINGS,
        "norm_median": [9.8, 1.2] * _RECORDINGS,
        "rate_hz": np.where(fast, 70.0, 50.0),
        "value_hash": [f"{number:032x}" for number in range(2 * _RECORDINGS)],
    }
    _write(home, "recordings", _RECORDINGS, **known, **said)
    _write(home, "streams", 2 * _RECORDINGS, **twice, **measured)
    _write(home, "files", _RECORDINGS, **known, path=[f"{one}.csv" for one in ids], sha256="0" * 64, bytes=10, state="read")


def _write(home: Home, name: str, count: int, **columns: object) -> None:
    schema = TABLES[name].schema
    given = {**columns, "batch_id": _BATCH}
    filled = {
        field.name: given[field.name]
        if isinstance(given.get(field.name), list | np.ndarray)
        else pa.repeat(pa.scalar(given.get(field.name), field.type), count)
        for field in schema
    }
    Lake(home).replace(name, pa.table(filled, schema=schema), where={"batch_id": _BATCH})


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    for row in run():
        sys.stdout.write("\n".join(f"{key}: {value}" for key, value in row.items()) + "\n\n")
