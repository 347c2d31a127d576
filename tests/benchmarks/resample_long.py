"""Memory of resampling one recording of seven days at 100 Hz: 60 million readings of three axes, to 50 Hz, table to table.

It runs in a fresh process, so that its peak memory is its own, and over a day as well: the peak must not follow the length.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.preprocessing.batch import resample_batch
from studies import load_study
from tests.benchmarks.resample import own_peak_mb
from tests.ml.written_batches import ORIGIN_NS, Recorded, write_batch
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_RATE_HZ, _ROWS_A_CHUNK = 100, 1_000_000
_DAYS = (1, 7)
_MOST_MB = 1500.0
_SCHEMA = pa.schema([field for field in TABLES["samples"].schema if field.name != "batch_id"])
_STUDY = """
study: long
title: A week of a wrist
participants: '^P\\d+$'
labels: [week]
streams: {accelerometer: {unit: m/s^2, rate_hz: [90, 110]}}
tasks:
  which:
    input: {streams: [accelerometer], rate_hz: 50}
    segment: {by: window, seconds: 10, length: 500}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""


def run() -> list[dict[str, object]]:
    """Resample a day and a week, each in a process of its own."""
    rows: list[dict[str, object]] = []
    for days in _DAYS:
        with tempfile.TemporaryDirectory() as folder:
            _prepare(Path(folder), days)
            program = [sys.executable, "-m", "tests.benchmarks.resample_long", folder]
            done = subprocess.run(program, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
        seconds, peak_mb = map(float, done.stdout.split())
        same = {"unit": "MB", "target": f"<= {_MOST_MB:g}", "peer": "", "note": f"in {seconds:.1f} s"}
        rows.append({"figure": f"peak memory, {days} d of 100 Hz to 50 Hz", "value": peak_mb, "met": peak_mb <= _MOST_MB, **same})
    return rows


def _prepare(folder: Path, days: int) -> None:
    (folder / "long.yaml").write_text(_STUDY)
    home, study = Home.at(folder / "home"), load_study(folder / "long.yaml")
    still = {"accelerometer": (ORIGIN_NS + np.arange(2, dtype=np.int64) * 10_000_000, np.zeros((2, 3), np.float32))}
    write_batch(home, study, "b1", [Recorded("r", "P1", "week", still)])
    count = days * 86_400 * _RATE_HZ
    Lake(home).replace("samples", pa.RecordBatchReader.from_batches(_SCHEMA, _chunks(count)), where={"batch_id": "b1"})
    streams = Lake(home).read("streams")
    counted = streams.set_column(streams.schema.get_field_index("rows"), "rows", pa.array([count], pa.int64()))
    Lake(home).replace("streams", counted, where={"batch_id": "b1"})


def _chunks(count: int) -> Iterator[pa.RecordBatch]:
    random = np.random.default_rng(0)
    for start in range(0, count, _ROWS_A_CHUNK):
        number = np.arange(start, min(start + _ROWS_A_CHUNK, count), dtype=np.int64)
        values = random.normal(size=(3, len(number))).astype(np.float32)
        same = {"recording_id": "r", "participant": "P1", "stream": "accelerometer"}
        columns = {name: pa.repeat(value, len(number)) for name, value in same.items()}
        columns["t_ns"] = pa.array(ORIGIN_NS + number * 10_000_000 + random.integers(-1_500_000, 1_500_000, len(number)))
        columns |= {axis: pa.array(part) for axis, part in zip("xyz", values, strict=True)}
        columns["w"] = pa.nulls(len(number), pa.float32())
        yield pa.RecordBatch.from_arrays([columns[name] for name in _SCHEMA.names], schema=_SCHEMA)


if __name__ == "__main__":
    if sys.argv[1:]:
        root = Path(sys.argv[1])
        loaded, started = load_study(root / "long.yaml"), time.perf_counter()
        resample_batch("b1", loaded, Home.at(root / "home"))
        print(time.perf_counter() - started, own_peak_mb())
    else:
        for row in run():
            print("  ".join(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()))
