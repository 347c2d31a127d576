"""A killed run neither hangs nor blocks: its process is gone, so it is failed at the next look."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg

from orchestration.instance import open_instance
from orchestration.liveness import LivingHome, fail_dead_runs
from warehouse.home import Home

_HANGING = """
import sys, time, dagster as dg
from orchestration.instance import open_instance
from orchestration.liveness import LivingHome
from warehouse.home import Home

@dg.op
def hang(home: LivingHome):
    time.sleep(60)

@dg.job(resource_defs={"home": LivingHome(path=sys.argv[1])})
def hanging():
    hang()

hanging.execute_in_process(instance=open_instance(Home.at(sys.argv[1])))
"""


def test_a_killed_run_is_failed_at_the_next_look_and_a_living_one_is_left_alone(home: Home) -> None:
    process = subprocess.Popen([sys.executable, "-c", _HANGING, str(home.root)], stderr=subprocess.DEVNULL)
    run_id = _wait_for_lock(home.dagster / "alive")
    with open_instance(home) as instance:
        assert fail_dead_runs(instance, home) == []
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert fail_dead_runs(instance, home) == [run_id]
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.FAILURE
        assert fail_dead_runs(instance, home) == []


def test_a_finished_run_leaves_no_lock_behind(home: Home) -> None:
    @dg.op
    def look(home: LivingHome) -> None:
        assert len(list((home.open().dagster / "alive").iterdir())) == 1

    @dg.job(resource_defs={"home": LivingHome(path=str(home.root))})
    def looking() -> None:
        look()

    with open_instance(home) as instance:
        assert looking.execute_in_process(instance=instance).success
    assert list((home.dagster / "alive").iterdir()) == []


def _wait_for_lock(folder: Path) -> str:
    deadline = time.monotonic() + 45
    while time.monotonic() < deadline:
        locks = list(folder.iterdir()) if folder.is_dir() else []
        if locks:
            return locks[0].name
        time.sleep(0.1)
    raise AssertionError("the run never started")
