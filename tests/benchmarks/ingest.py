"""Text to committed lake (hash, vault, parse, facts, commit), beside DuckDB's bare COPY and pandas on the same CSVs."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from studies import Study, find_study
from warehouse.home import Home

_RATE_HZ = 100
_ROWS = 3600 * _RATE_HZ
_START_MS = 1_700_000_000_000
_REPEATS = 5
_SHARE_OF_DUCKDB = 0.5
_TIMES_PANDAS = 5.0
_MOST_SECONDS_SMALL = 5.0
_REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "metamotion_barbell" / "MetaMotion"
_METADATA = (
    "version,device name,recording time,platform,appVersion,device id,sensors,sampleRateMs,standardisation\n"
    "3,phone,2023-11-14_22-13-20,android,1.54,bench,Accelerometer|Gyroscope,10|10,false\n"
)


@dataclass(frozen=True)
class _Load:
    """One delivery to take in, and the same text as loose CSVs for the peers."""

    title: str
    delivery: Path
    study: Study
    csvs: tuple[Path, ...]
    rows: int


def run() -> list[dict[str, object]]:
    """Take in an hour of each format and the small real files, each several times in turn with its peers."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = [row for load in (_metabase_hour(root), _sensor_logger_hour(root)) for row in _against_peers(load, root)]
        return [*rows, *_real_files(root)]


def _against_peers(load: _Load, root: Path) -> list[dict[str, object]]:
    jobs: dict[str, Callable[[], object]] = {
        "ours": lambda: _ingest(load.delivery, load.study, root),
        "duckdb": lambda: _duckdb(load.csvs, root),
        "pandas": lambda: _pandas(load.csvs),
    }
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(_REPEATS + 1):  # the first round warms up caches and imports, and is not counted
        for name, job in jobs.items():
            seconds[name].append(_timed(job))
    speed = {name: load.rows / statistics.median(taken[1:]) for name, taken in seconds.items()}
    note = f"{load.rows:,} rows; best of {_REPEATS}: " + ", ".join(f"{name} {min(t[1:]):.2f} s" for name, t in seconds.items())
    return [
        _figure(load, speed, "duckdb", "DuckDB COPY (FROM read_csv) TO parquet", _SHARE_OF_DUCKDB, note),
        _figure(load, speed, "pandas", "pandas.read_csv with dates", _TIMES_PANDAS, note),
    ]


def _figure(load: _Load, speed: dict[str, float], peer: str, peer_title: str, factor: float, note: str) -> dict[str, object]:
    return {
        "figure": f"{load.title}, text to committed lake, against {peer}",
        "value": speed["ours"] / speed[peer],
        "unit": f"x {peer}'s rows/s",
        "target": f">= {factor}",
        "met": speed["ours"] >= factor * speed[peer],
        "peer": f"{peer_title}: {speed[peer]:,.0f} rows/s",
        "note": f"ours {speed['ours']:,.0f} rows/s; {note}",
    }


def _real_files(root: Path) -> list[dict[str, object]]:
    if not _REAL.is_dir():
        return []
    study = find_study("barbell")
    manifest = root / "manifest.csv"
    manifest.write_text(draft_manifest(_REAL, study))
    seconds = [_timed(lambda: _ingest(_REAL, study, root, manifest=manifest)) for _ in range(_REPEATS + 1)][1:]
    taken = statistics.median(seconds)
    return [
        {
            "figure": "187 small real MetaBase files, delivered and read",
            "value": taken,
            "unit": "s",
            "target": f"<= {_MOST_SECONDS_SMALL}",
            "met": taken <= _MOST_SECONDS_SMALL,
            "peer": "",
            "note": f"best of {_REPEATS}: {min(seconds):.2f} s",
        }
    ]


def _ingest(delivery: Path, study: Study, root: Path, *, manifest: Path | None = None) -> int:
    with tempfile.TemporaryDirectory(dir=root) as folder:
        home = Home.at(folder)
        receipt = deliver(delivery, study=study, site="bench", home=home, manifest=manifest)
        return read_batch(receipt, study, home).samples


def _duckdb(csvs: tuple[Path, ...], root: Path) -> None:
    with duckdb.connect() as connection:
        for csv in csvs:
            connection.execute(f"COPY (FROM read_csv('{csv}')) TO '{root / 'peer.parquet'}'")


def _pandas(csvs: tuple[Path, ...]) -> None:
    for csv in csvs:
        if csv.name.startswith("P"):
            pd.read_csv(csv, parse_dates=["time (01:00)"])
        else:
            frame = pd.read_csv(csv)
            frame["time"] = pd.to_datetime(frame["time"], unit="ns")


def _timed(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def _metabase_hour(root: Path) -> _Load:
    """Write accelerometer and gyroscope of one hour as MetaBase does: whole milliseconds, three decimals, local time as text."""
    folder = root / "metabase"
    folder.mkdir()
    csvs = []
    for seed, (sensor, unit) in enumerate((("Accelerometer", "g"), ("Gyroscope", "deg/s"))):
        epoch_ms = _START_MS + np.cumsum(np.random.default_rng(seed).integers(9, 12, _ROWS))
        local = np.datetime_as_string((epoch_ms + 3_600_000).astype("datetime64[ms]"))
        columns = {"epoch (ms)": epoch_ms, "time (01:00)": local, "elapsed (s)": (epoch_ms - epoch_ms[0]) / 1000}
        values = _values(seed).round(3)
        path = folder / f"P-row-heavy_MetaWear_2023-11-14T23.13.20.000_AABBCCDDEEFF_{sensor}_100.000Hz_1.7.3.csv"
        _write(path, {**columns, **{f"{axis}-axis ({unit})": values[:, number] for number, axis in enumerate("xyz")}})
        csvs.append(path)
    lines = [f"{path.name},P,row" for path in csvs]
    (folder / "manifest.csv").write_text("\n".join(["path,participant,label", *lines]) + "\n")
    study = find_study("barbell")
    return _Load("one-hour MetaBase recording", folder, study, tuple(csvs), len(csvs) * _ROWS)


def _sensor_logger_hour(root: Path) -> _Load:
    """Write one hour as Sensor Logger does on Android: whole nanoseconds, full doubles, z before y before x, zipped."""
    folder, loose = root / "sensor_logger", root / "loose"
    folder.mkdir()
    loose.mkdir()
    sensors = ("Accelerometer", "Gravity", "Gyroscope", "TotalAcceleration", "Magnetometer")
    with zipfile.ZipFile(folder / "walk.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Metadata.csv", _METADATA)
        for seed, sensor in enumerate(sensors):
            steps = np.random.default_rng(seed).integers(9_000_000, 11_000_000, _ROWS)
            t_ns = _START_MS * 1_000_000 + np.cumsum(steps)
            columns = {"time": t_ns, "seconds_elapsed": (t_ns - t_ns[0]) / 1e9}
            values = _values(seed)
            _write(loose / f"{sensor}.csv", {**columns, **{axis: values[:, 2 - number] for number, axis in enumerate("zyx")}})
            archive.write(loose / f"{sensor}.csv", f"{sensor}.csv")
    (folder / "manifest.csv").write_text("path,participant,label\nwalk.zip,P001,squat\n")
    csvs = tuple(loose / f"{sensor}.csv" for sensor in sensors)
    return _Load("one-hour Sensor Logger zip", folder, find_study("phone_exercises"), csvs, len(csvs) * _ROWS)


def _values(seed: int) -> npt.NDArray[np.float64]:
    """Return shape (rows, 3): a walk-like swing with noise."""
    swing = np.sin(2 * np.pi * 1.8 * np.arange(_ROWS) / _RATE_HZ)
    return swing[:, None] * [3.0, 1.0, 5.0] + np.random.default_rng(seed).normal(0, 0.5, (_ROWS, 3)) + [0, 0, 9.81]


def _write(path: Path, columns: dict[str, npt.NDArray[np.generic]]) -> None:
    pa_csv.write_csv(pa.table(columns), path, pa_csv.WriteOptions(quoting_style="none"))


if __name__ == "__main__":
    for row in run():
        sys.stdout.write("\n".join(f"{key}: {value}" for key, value in row.items()) + "\n\n")
