"""Ten million readings, and recordings of a day and a week in one CSV: rows per second, and peak memory whatever the length.

Each delivery is taken in by a process of its own, so that its peak memory is nobody else's. A week is 6 GB of
text and takes minutes: it is measured if ``KINELAKE_BENCH_WEEK`` is set.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.readers import READERS, DeviceFile
from studies import find_study
from warehouse.home import Home

_RATE_HZ = 100
_DAY = 86_400 * _RATE_HZ
_CHUNK = 1 << 20
_START_NS = 1_700_000_000_000_000_000
_ROWS_PER_SECOND = 1.5e6
_MOST_MB = 1000
_SENSORS = ("Accelerometer", "Gravity", "Gyroscope", "TotalAcceleration", "Magnetometer")
_ZIPS = 4
_ROWS_OF_A_SENSOR = 500_000
_METADATA = (
    "version,device name,recording time,platform,appVersion,device id,sensors,sampleRateMs,standardisation\n"
    "3,phone,2023-11-14_22-13-20,android,1.54,bench{number},Accelerometer|Gyroscope,10|10,false\n"
)


def run() -> list[dict[str, object]]:
    """Measure ten million readings in zips, then one long CSV, loose and in a zip."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows += _ten_million(Path(folder))
    lengths = {"one-day": _DAY, **({"seven-day": 7 * _DAY} if os.environ.get("KINELAKE_BENCH_WEEK") else {})}
    for title, length in lengths.items():
        for kind, write in (("CSV", _loose), ("CSV in a zip", _zipped)):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(_long(Path(folder), f"{title} {kind}", length, write))
    return rows


def _ten_million(root: Path) -> list[dict[str, object]]:
    delivery, texts = root / "delivery", {}
    delivery.mkdir()
    for seed, sensor in enumerate(_SENSORS):
        with (root / f"{sensor}.csv").open("wb") as file:
            _write_text(file, _ROWS_OF_A_SENSOR, seed)
        texts[sensor] = root / f"{sensor}.csv"
    for number in range(_ZIPS):
        with zipfile.ZipFile(delivery / f"walk{number}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("Metadata.csv", _METADATA.format(number=number))
            for sensor, path in texts.items():
                archive.write(path, f"{sensor}.csv")
    _manifest(delivery)
    measured = _in_a_process(delivery)
    note = f"{measured['rows']:,.0f} rows; {measured['cpu_s']:.1f} s of processor time; peak {measured['peak_mb']:.0f} MB"
    titles = {"read_s": "text in zip to committed lake", "parse_s": "parsed alone"}
    return [
        {
            "figure": f"ten million readings of Sensor Logger, {title}",
            "value": measured["rows"] / measured[name],
            "unit": "rows/s",
            "target": f">= {_ROWS_PER_SECOND:,.0f}",
            "met": measured["rows"] >= _ROWS_PER_SECOND * measured[name],
            "peer": "",
            "note": note,
        }
        for name, title in titles.items()
    ]


def _long(root: Path, title: str, rows: int, write: Callable[[Path, int], None]) -> dict[str, object]:
    write(root, rows)
    _manifest(root)
    measured = _in_a_process(root)
    return {
        "figure": f"{title}, {measured['rows']:,.0f} readings: peak memory",
        "value": measured["peak_mb"],
        "unit": "MB",
        "target": f"<= {_MOST_MB}",
        "met": measured["peak_mb"] <= _MOST_MB,
        "peer": "",
        "note": f"{measured['rows'] / measured['read_s']:,.0f} rows/s, {measured['cpu_s']:.0f} s of processor time",
    }


def _loose(root: Path, rows: int) -> None:
    (root / "week").mkdir()
    (root / "week" / "Metadata.csv").write_text(_METADATA.format(number=0))
    with (root / "week" / "TotalAcceleration.csv").open("wb") as file:
        _write_text(file, rows, 0)


def _zipped(root: Path, rows: int) -> None:
    with zipfile.ZipFile(root / "week.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("Metadata.csv", _METADATA.format(number=0))
        with archive.open("TotalAcceleration.csv", "w", force_zip64=True) as member:
            _write_text(member, rows, 0)  # type: ignore[arg-type]


def _write_text(file: BinaryIO, rows: int, seed: int) -> None:
    """Write as Sensor Logger does on Android: whole nanoseconds, full doubles, z before y before x."""
    rng, last = np.random.default_rng(seed), _START_NS
    for start in range(0, rows, _CHUNK):
        count = min(_CHUNK, rows - start)
        t_ns = last + np.cumsum(rng.integers(9_000_000, 11_000_000, count))
        last = int(t_ns[-1])
        swing = np.sin(2 * np.pi * 1.8 * np.arange(start, start + count) / _RATE_HZ)
        values = swing[:, None] * [3.0, 1.0, 5.0] + rng.normal(0, 0.5, (count, 3)) + [0, 0, 9.81]
        axes = {axis: values[:, 2 - number] for number, axis in enumerate("zyx")}
        table = pa.table({"time": t_ns, "seconds_elapsed": (t_ns - _START_NS) / 1e9, **axes})
        pa_csv.write_csv(table, file, pa_csv.WriteOptions(quoting_style="none", include_header=start == 0))


def _manifest(delivery: Path) -> None:
    files = sorted(path.relative_to(delivery) for path in delivery.rglob("*") if path.is_file())
    lines = [f"{path},P{number if path.suffix == '.zip' else 0:03d},squat" for number, path in enumerate(files)]
    (delivery / "manifest.csv").write_text("\n".join(["path,participant,label", *lines]) + "\n")


def _in_a_process(delivery: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.long_recordings", str(delivery)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _measured(delivery: Path) -> dict[str, float]:
    study = find_study("phone_exercises")
    with tempfile.TemporaryDirectory(dir=delivery.parent) as folder:
        home = Home.at(folder)
        receipt = deliver(delivery, study=study, site="bench", home=home)
        started, used = time.perf_counter(), _processor_s()
        rows = read_batch(receipt, study, home).samples
        read_s, cpu_s = time.perf_counter() - started, _processor_s() - used
    zips = sorted(delivery.glob("*.zip"))
    started = time.perf_counter()
    for path in zips if len(zips) > 1 else []:
        next(reader for reader in READERS if reader.name == "sensor_logger").read([DeviceFile.at(path)])
    parse_s = time.perf_counter() - started
    peak_mb = _peak_mb()
    return {"rows": rows, "read_s": read_s, "parse_s": parse_s, "cpu_s": cpu_s, "peak_mb": peak_mb}


def _peak_mb() -> float:
    """Largest resident set of this program; ``ru_maxrss`` would also count what the parent held when it started us."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024 / 1e6  # type: ignore[index]


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(Path(sys.argv[1]))) + "\n")
