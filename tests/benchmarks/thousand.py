"""Whether a batch costs in a lake of 1,000 batches what it costs in a lake of 10: delivered, read, judged, resampled, segmented.

A thousand small batches go the whole way, by the domain's functions. The young and the old lake are then timed in turn,
batch for batch, so that whatever else the machine does meets both alike.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from assets.resources import delivered
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.receipt import Receipt
from ml.preprocessing.batch import resample_batch, segment_batch
from orchestration.pending import pending_batches
from quality.judging import judge_batch
from studies import Study, find_study
from warehouse.batches import complete_batch
from warehouse.home import Home

_YOUNG, _OLD, _TIMED = 4, 979, 21
_MOST_GROWTH = 1.10
_RECORDINGS = 2
_SECONDS = 10
_START_MS = 1_700_000_000_000
_SENSORS = (("Accelerometer", "g", 12.5), ("Gyroscope", "deg/s", 25.0))


def run() -> list[dict[str, object]]:
    """Fill two lakes, then time batches 5 to 25 of the one and 980 to 1,000 of the other in turn."""
    with tempfile.TemporaryDirectory() as folder:
        root, study = Path(folder), find_study("barbell")
        homes = {"young": Home.at(root / "young"), "old": Home.at(root / "old")}
        for name, before in (("young", _YOUNG), ("old", _OLD)):
            for number in range(before):
                _process(number, study, homes[name], root)
        steps: dict[str, list[dict[str, float]]] = {name: [] for name in homes}
        for number in range(_TIMED):
            for name, before in (("young", _YOUNG), ("old", _OLD)):
                steps[name].append(_process(before + number, study, homes[name], root))
        return [_growth(steps), *(row for name, home in homes.items() for row in _ticks(name, home))]


def _growth(steps: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    medians = {name: _medians(timed) for name, timed in steps.items()}
    young, old = (sum(medians[name].values()) for name in ("young", "old"))
    each = ", ".join(f"{step} {medians['young'][step] * 1e3:.0f} → {taken * 1e3:.0f}" for step, taken in medians["old"].items())
    return {
        "figure": "batch 980-1,000 against batch 5-25 of the same size",
        "value": old / young,
        "unit": "x the time",
        "target": f"<= {_MOST_GROWTH}",
        "met": old <= _MOST_GROWTH * young,
        "peer": f"batch 5-25: {young * 1e3:.0f} ms",
        "note": f"medians of {_TIMED}, in turn; ms a step: {each}",
    }


def _ticks(name: str, home: Home) -> list[dict[str, object]]:
    """Time the look for pending batches of a process that has just started, and of one that has looked before."""
    batches = {"young": _YOUNG, "old": _OLD}[name] + _TIMED
    taken = [_timed(lambda: pending_batches(home)) for _ in range(6)]
    where = f"looking for pending batches, {batches:,} in the lake"
    return [
        {"figure": f"{where}, first look of a process", "value": taken[0] * 1e3, "unit": "ms"},
        {"figure": f"{where}, each further look", "value": statistics.median(taken[1:]) * 1e3, "unit": "ms"},
    ]


def _medians(timed: list[dict[str, float]]) -> dict[str, float]:
    return {step: statistics.median(batch[step] for batch in timed) for step in timed[0]}


def _process(number: int, study: Study, home: Home, root: Path) -> dict[str, float]:
    """Take one batch the whole way; return the seconds of every step."""
    batch_id = f"b{number:04d}"
    sent = _delivery(root / "sent", number)
    receipts: list[Receipt] = []
    versions = {"contract_version": study.contract_version, "recipe_version": study.recipe_version}
    steps: dict[str, Callable[[], object]] = {
        "deliver": lambda: receipts.append(deliver(sent, study=study, site="bench", home=home, batch_id=batch_id)),
        "read": lambda: read_batch(receipts[0], study, home),
        "judge": lambda: judge_batch(batch_id, study, home),
        "resample": lambda: resample_batch(batch_id, study, home),
        "segment": lambda: segment_batch(batch_id, study, home),
        "complete": lambda: complete_batch(delivered(receipts[0]), home, **versions),
    }
    return {name: _timed(step) for name, step in steps.items()}


def _timed(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def _delivery(folder: Path, number: int) -> Path:
    """Write two short MetaBase recordings whose values no other batch has."""
    folder.mkdir(exist_ok=True)
    rng, lines = np.random.default_rng(number), ["path,participant,label"]
    for recording in range(_RECORDINGS):
        start_ms = _START_MS + (number * _RECORDINGS + recording) * 60_000
        for sensor, unit, rate_hz in _SENSORS:
            name = f"A-bench-{recording}_{sensor}.csv"
            (folder / name).write_text(_metabase(rng, start_ms, unit, rate_hz))
            lines.append(f"{name},A,bench")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def _metabase(rng: np.random.Generator, start_ms: int, unit: str, rate_hz: float) -> str:
    elapsed_ms = np.round(np.arange(_SECONDS * rate_hz) * 1000 / rate_hz).astype(np.int64)
    local = np.datetime_as_string((start_ms + 3_600_000 + elapsed_ms).astype("datetime64[ms]"))
    values = rng.normal([0, 0, 1], 0.02, (len(elapsed_ms), 3)).round(3)
    header = f"epoch (ms),time (01:00),elapsed (s),x-axis ({unit}),y-axis ({unit}),z-axis ({unit})"
    rows = zip(start_ms + elapsed_ms, local, elapsed_ms / 1000, *values.T, strict=True)
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


if __name__ == "__main__":
    for row in run():
        sys.stdout.write("\n".join(f"{key}: {value}" for key, value in row.items()) + "\n\n")
