"""`kinelake run`: raw files to a registered model, once; again changes nothing; killed anywhere, the result is the same."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from ingestion.landing import waiting
from ingestion.simulation import Dirt
from ml.registry import Registry
from orchestration.running import run
from orchestration.status import model_versions, status
from orchestration.verifying import verify
from quality.quarantine import list_quarantined, release
from tests.orchestration.conftest import delivered, simulated
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.query import query

_TASK = "quick_exercises.exercise_class"
#: Columns that say when, not what.
_CLOCKS = {"received_at", "judged_at", "completed_at", "frozen_at", "trained_at", "train_seconds"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with one dirty batch taken the whole way."""
    home = Home.at(tmp_path_factory.mktemp("whole") / "home")
    folder = simulated(home.root / "delivery", dirt=(Dirt("gap"), Dirt("corrupt_zip")))
    delivered(folder, home, "first")
    summary = run(home)
    assert summary.failed == {}
    return home


def test_a_delivery_becomes_verdicts_a_warehouse_and_a_champion(whole: Home) -> None:
    batch = status(whole)["batches"][0]
    assert (batch["recordings"], batch["accepted"], batch["quarantined"], batch["state"]) == (9, 7, 2, "complete")
    champion = [row for row in model_versions(whole, _TASK) if row["alias"] == "champion"]
    assert len(champion) == 1
    assert champion[0]["honest"]
    assert status(whole)["pending"] == []


def test_any_duckdb_client_reads_what_was_published(whole: Home) -> None:
    with duckdb.connect(str(whole.warehouse), read_only=True) as client:
        samples = client.sql("SELECT count(*) FROM samples").fetchone()
        accepted = client.sql("SELECT count(*) FROM verdicts WHERE accepted").fetchone()
    assert samples is not None
    assert samples[0] == Lake(whole).read("samples", columns=["t_ns"]).num_rows > 0
    assert accepted == (7,)


def test_every_promise_that_can_be_seen_is_kept(whole: Home) -> None:
    assert [check.promise for check in verify(whole) if not check.kept] == []


def test_running_again_changes_nothing(whole: Home) -> None:
    before = Lake(whole).versions()
    summary = run(whole)
    assert (summary.batches, summary.tasks, summary.failed) == ([], [], {})
    assert Lake(whole).versions() == before


def test_a_second_batch_retrains_and_only_its_own_rows_are_written(whole: Home, tmp_path: Path) -> None:
    home = _copy_of(whole, tmp_path)
    first = {path.name for path, _ in Lake(home).parquet_files("samples")}
    delivered(simulated(tmp_path / "more", people=1, first_person=4), home, "second")
    fingerprint = Registry(home).trained_fingerprint(_TASK)
    summary = run(home)
    assert (summary.batches, summary.tasks) == (["second"], [_TASK])
    assert Registry(home).trained_fingerprint(_TASK) != fingerprint
    assert first <= {path.name for path, _ in Lake(home).parquet_files("samples")}


def test_a_released_recording_is_judged_again_and_used(whole: Home, tmp_path: Path) -> None:
    home = _copy_of(whole, tmp_path)
    quarantined = list_quarantined(home).to_pylist()
    with_gap = next(row["recording_id"] for row in quarantined if "gap_too_long" in str(row))
    release(home, with_gap, who="physio", why="the pause was a rest")
    assert run(home).batches == ["first"]
    rows = query(home, f"SELECT accepted, released_by FROM verdicts WHERE recording_id = '{with_gap}'").to_pylist()
    assert rows == [{"accepted": True, "released_by": "physio"}]
    assert run(home).batches == []


def test_a_delivery_in_the_landing_zone_is_taken_and_a_bad_one_is_refused_with_the_reason(home: Home, tmp_path: Path) -> None:
    site = home.landing / "north" / "quick_exercises"
    simulated(site / "good", people=2)
    (simulated(site / "bad", people=1) / "manifest.csv").write_text("path,participant\n../x.zip,P001\n", encoding="utf-8")
    _age(site)
    summary = run(home, tasks=False)
    assert summary.batches == summary.delivered
    assert len(summary.delivered) == 1
    assert "../x.zip" in next(iter(summary.refused.values()))
    assert not (site / "good").exists()
    assert (site / "bad").exists()
    assert waiting(home) == []


def test_what_cannot_be_learnt_is_said_and_stops_nothing_else(home: Home, tmp_path: Path) -> None:
    delivered(simulated(tmp_path / "one", people=1), home, "alone")
    summary = run(home)
    assert summary.batches == ["alone"]
    assert summary.failed == {}
    assert model_versions(home) == [] or _TASK not in summary.waiting
    assert not any(row["alias"] == "champion" for row in model_versions(home))


@pytest.mark.slow
def test_killed_at_any_instant_and_started_again_the_result_is_the_same(whole: Home, tmp_path: Path) -> None:
    home = Home.at(tmp_path / "killed")
    folder = simulated(tmp_path / "delivery", dirt=(Dirt("gap"), Dirt("corrupt_zip")))
    delivered(folder, home, "first")
    dice = random.Random(7)
    for _ in range(3):
        _run_and_kill(home, after_s=dice.uniform(3.0, 9.0))
    assert run(home).failed == {}
    assert _content(home) == _content(whole)


def _run_and_kill(home: Home, *, after_s: float) -> None:
    kinelake = str(Path(sys.executable).with_name("kinelake"))
    process = subprocess.Popen([kinelake, "--home", str(home.root), "run"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def _content(home: Home) -> dict[str, list[str]]:
    tables = ("files", "recordings", "streams", "samples", "verdicts", "segments", "examples", "models", "evaluations")
    return {name: _rows(Lake(home).read(name)) for name in tables}


def _rows(table: pa.Table) -> list[str]:
    kept = [name for name in table.column_names if name not in _CLOCKS and not name.endswith("version") and name != "artifact"]
    return sorted(str(row) for row in table.select(kept).to_pylist())


def _copy_of(home: Home, folder: Path) -> Home:
    shutil.copytree(home.root, folder / "home")
    return Home.at(folder / "home")


def _age(folder: Path) -> None:
    past = time.time() - 60
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (past, past))
