"""Whether a batch costs in a lake of 1,000 batches what it costs in a lake of 10: delivered, read, judged, resampled, segmented.

A thousand small batches are committed by the domain's functions; those that only fill a lake have their verdicts laid down,
for judging is most of a batch's time. Young and old lake are then timed in turn, batch for batch, and by the processor's time, so
that whatever else the machine does meets both alike: in one process, and in a new process for each batch, as runs are.
"""

from __future__ import annotations

import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from assets.resources import delivered
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.receipt import Receipt
from ml.preprocessing.batch import resample_batch, segment_batch
from orchestration.pending import pending_batches
from quality.decisions import Decisions
from quality.facts import read_facts
from quality.judging import _write_verdicts, judge_batch
from studies import Study, find_study
from tests.warehouse.rows import make_rows
from warehouse.batches import complete_batch
from warehouse.home import Home
from warehouse.lake import Lake

_BEFORE = {"young": 4, "old": 958}
_TIMED = 20
_MOST_GROWTH = 1.10
_LABELS = ("bench", "ohp", "row", "squat")
_PEOPLE = "ABCDE"
_RECORDINGS = 2
_SECONDS = 10
_START_MS = 1_700_000_000_000
_SENSORS = (("Accelerometer", "g", 12.5), ("Gyroscope", "deg/s", 25.0))
#: What a new process is spared: it is the same in a lake of any age.
_IMPORTED = ["great_expectations", "scipy.signal", "numba", "tests.benchmarks.thousand"]

_Steps = dict[str, float]


def run() -> list[dict[str, object]]:
    """Fill two lakes, then time 20 batches of each in turn in new processes, and 20 in this one."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, before in _BEFORE.items():
            for number in range(before):
                _process(number, root / name, judge=_lay_verdicts_down)
        with ProcessPoolExecutor(1, _forking(), max_tasks_per_child=1) as pool:
            timed_apart = _in_turn(root, 0, lambda number, home: pool.submit(_process, number, home).result())
        timed_here = _in_turn(root, 1 + _TIMED, _process)
        ticks = [row for name in _BEFORE for row in _ticks(root / name)]
        return [_growth(timed_here, "in one process"), _growth(timed_apart, "each in a new process"), *ticks]


def _forking() -> multiprocessing.context.ForkServerContext:
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(_IMPORTED)
    return forking


def _in_turn(root: Path, done: int, process: Callable[[int, Path], _Steps]) -> dict[str, list[_Steps]]:
    """Time batches of both lakes; the first of each is not counted, for it makes the study's index or remembers the lake."""
    timed: dict[str, list[_Steps]] = {name: [] for name in _BEFORE}
    for number in range(done, done + 1 + _TIMED):
        for name, before in _BEFORE.items():
            timed[name].append(process(before + number, root / name))
    return {name: steps[1:] for name, steps in timed.items()}


def _growth(steps: dict[str, list[_Steps]], how: str) -> dict[str, object]:
    means = {name: _means(timed) for name, timed in steps.items()}
    young, old = (sum(means[name].values()) for name in ("young", "old"))
    each = ", ".join(f"{step} {means['young'][step] * 1e3:.0f} → {taken * 1e3:.0f}" for step, taken in means["old"].items())
    return {
        "figure": f"a batch after some 980 others against one after some 20, {how}",
        "value": old / young,
        "unit": "x the processor's time",
        "target": f"<= {_MOST_GROWTH}",
        "met": old <= _MOST_GROWTH * young,
        "peer": f"young lake: {young * 1e3:.0f} ms",
        "note": f"means of {_TIMED}, in turn, one checkpoint of every table among them; ms a step: {each}",
    }


def _ticks(folder: Path) -> list[dict[str, object]]:
    """Time the look for pending batches of a process that has just started, and of one that has looked before."""
    home = Home.at(folder)
    taken = [_timed(partial(pending_batches, home)) for _ in range(6)]
    where = f"looking for pending batches, {len(Lake(home).partitions('batches')):,} in the lake"
    return [
        {"figure": f"{where}, first look of a process", "value": taken[0] * 1e3, "unit": "ms"},
        {"figure": f"{where}, each further look", "value": statistics.median(taken[1:]) * 1e3, "unit": "ms"},
    ]


def _means(timed: list[_Steps]) -> _Steps:
    return {step: statistics.mean(batch[step] for batch in timed) for step in timed[0]}


def _process(number: int, folder: Path, *, judge: Callable[[str, Study, Home], object] = judge_batch) -> _Steps:
    """Take one batch the whole way; return the seconds of every step."""
    home, study, batch_id = Home.at(folder), find_study("barbell"), f"b{number:04d}"
    sent = _delivery(folder.with_name(f"{folder.name}-sent"), number)
    receipts: list[Receipt] = []
    versions = {"contract_version": study.contract_version, "recipe_version": study.recipe_version}
    steps: dict[str, Callable[[], object]] = {
        "deliver": lambda: receipts.append(deliver(sent, study=study, site="bench", home=home, batch_id=batch_id)),
        "read": lambda: read_batch(receipts[0], study, home),
        "judge": lambda: judge(batch_id, study, home),
        "resample": lambda: resample_batch(batch_id, study, home),
        "segment": lambda: segment_batch(batch_id, study, home),
        "complete": lambda: complete_batch(delivered(receipts[0]), home, **versions),
    }
    return {name: _timed(step) for name, step in steps.items()}


def _lay_verdicts_down(batch_id: str, study: Study, home: Home) -> None:
    lake = Lake(home)
    _write_verdicts(read_facts(batch_id, lake), {}, Decisions({}, {}), study, lake)
    said = {"level": "file", "check_name": "files_readable", "severity": "error", "passed": True, "sentence": "", "figures": "{}"}
    lake.replace("checks", make_rows("checks", 12, batch_id=batch_id, **said), where={"batch_id": batch_id})


def _timed(job: Callable[[], object]) -> float:
    started = time.process_time()
    job()
    return time.process_time() - started


def _delivery(folder: Path, number: int) -> Path:
    """Write two short MetaBase recordings whose values no other batch has."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    rng, lines = np.random.default_rng(number), ["path,participant,label"]
    for recording in range(_RECORDINGS):
        label, person = _LABELS[(number + recording) % len(_LABELS)], _PEOPLE[number % len(_PEOPLE)]
        start_ms = _START_MS + (number * _RECORDINGS + recording) * 60_000
        for sensor, unit, rate_hz in _SENSORS:
            name = f"{person}-{label}-{recording}_{sensor}.csv"
            (folder / name).write_text(_metabase(rng, start_ms, unit, rate_hz))
            lines.append(f"{name},{person},{label}")
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
