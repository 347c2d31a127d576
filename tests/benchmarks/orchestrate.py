"""What Dagster adds to a batch of 60 recordings, against the same functions called in a script."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from assets.resources import delivered
from assets.warehouse import publish_home
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.receipt import Receipt
from ingestion.simulation import CohortSpec, simulate_delivery
from ml.preprocessing.batch import resample_batch, segment_batch
from orchestration.environment import prepare_environment
from orchestration.running import run as kinelake_run
from quality.judging import judge_batch
from quality.report import write_report
from studies import Study, find_study
from warehouse.batches import complete_batch
from warehouse.home import Home

_TARGET_S = 4.0
_REPEATS = 3


def run() -> list[dict[str, object]]:
    """Measure three times in turn, script then Dagster, each in a fresh home; the first pair warms up and is not counted."""
    study = find_study("phone_exercises").model_copy(update={"tasks": {}})
    with tempfile.TemporaryDirectory() as folder:
        delivery = Path(folder) / "delivery"
        simulate_delivery(delivery, CohortSpec(people=5, sets_per_exercise=3, seconds=8, seed=5))
        pairs = [_pair(Path(folder) / str(number), delivery, study) for number in range(_REPEATS + 1)][1:]
    script = statistics.median(pair[0] for pair in pairs)
    dagster = statistics.median(pair[1] for pair in pairs)
    return [
        {
            "figure": "Dagster's addition to a batch of 60 recordings",
            "value": dagster - script,
            "unit": "s",
            "target": f"<= {_TARGET_S}",
            "met": dagster - script <= _TARGET_S,
            "peer": f"same functions in a script: {script:.2f} s",
            "note": f"kinelake run: {dagster:.2f} s, publishing included in both",
        }
    ]


def _pair(folder: Path, delivery: Path, study: Study) -> tuple[float, float]:
    return _timed(folder / "script", delivery, study, _script), _timed(folder / "dagster", delivery, study, _dagster)


def _timed(folder: Path, delivery: Path, study: Study, work: object) -> float:
    home = Home.at(folder)
    prepare_environment(home)
    receipt = deliver(delivery, study=study, site="bench", home=home)
    started = time.perf_counter()
    work(home, receipt, study)  # type: ignore[operator]
    return time.perf_counter() - started


def _script(home: Home, receipt: Receipt, study: Study) -> None:
    study = find_study(study.study)
    read_batch(receipt, study, home)
    judge_batch(receipt.batch_id, study, home)
    write_report(receipt.batch_id, study, home)
    resample_batch(receipt.batch_id, study, home)
    segment_batch(receipt.batch_id, study, home)
    complete_batch(delivered(receipt), home, contract_version=study.contract_version, recipe_version=study.recipe_version)
    publish_home(home)


def _dagster(home: Home, _receipt: Receipt, _study: Study) -> None:
    kinelake_run(home, tasks=False)


if __name__ == "__main__":
    for row in run():
        for key, value in row.items():
            __import__("sys").stdout.write(f"{key}: {value}\n")
