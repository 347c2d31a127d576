"""The code location: it loads where Dagster's own tools look for it, and its graph is the one that the design names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import build_defs
from warehouse.home import Home
from warehouse.schemas import TABLES

_ROOT = Path(__file__).resolve().parents[2]
#: Tables that are written beside the asset that owns their partition, or by a person's command.
_NOT_ASSETS = {"training_tables", "checks", "verdict_history", "releases", "corrections", "predictions"}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_defs(home=Home.at(tmp_path_factory.mktemp("home")))


def test_every_table_is_written_by_the_asset_of_its_name(definitions: dg.Definitions) -> None:
    assets = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert set(TABLES) - _NOT_ASSETS <= assets


def test_the_batch_job_covers_everything_from_bytes_to_warehouse(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("process_batch")
    covered = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    assert covered >= {"raw_files", "recordings", "samples", "verdicts", "quality_report", "segments", "batches", "warehouse"}


def test_jobs_end_by_themselves_when_they_hang(definitions: dg.Definitions) -> None:
    for name in ("process_batch", "train_task", "publish_warehouse"):
        assert int(definitions.resolve_job_def(name).tags["dagster/max_runtime"]) > 0


def test_a_blocking_check_guards_only_the_invariant(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    assert blocking == {"every_recording_judged"}


def test_watchers_and_the_nightly_schedule_run_from_the_start(definitions: dg.Definitions) -> None:
    for name in ("landing_zone", "retraining"):
        assert definitions.resolve_sensor_def(name).default_status is dg.DefaultSensorStatus.RUNNING
    assert definitions.resolve_schedule_def("nightly").default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.slow
@pytest.mark.parametrize("command", ["dagster definitions validate -w workspace.yaml", "dg check defs"])
def test_dagsters_own_tools_load_the_code_location(command: str, tmp_path: Path) -> None:
    program, *arguments = command.split()
    environment = {"PATH": "/usr/bin:/bin", "KINELAKE_HOME": str(tmp_path / "home"), "DAGSTER_DISABLE_TELEMETRY": "1"}
    environment |= {"HOME": str(tmp_path)}
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
