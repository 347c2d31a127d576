"""Which runs are alive: each holds a lock file while its process lives.

Dagster takes a run whose process was killed for running until its `max_runtime` is over. The operating system knows at
once: it drops the lock with the process.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from assets.resources import HomeResource
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class LivingHome(HomeResource):
    """The home, with the run's lock file held for as long as the run has it."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[LivingHome]:
        """Hold the lock file while a run executes; sensors and schedules hold none."""
        if context.run_id is None:
            yield self
            return
        home = self.open()
        with _runs(home, fcntl.LOCK_SH), _alive(home, context.run_id):
            yield self


@contextmanager
def no_runs(home: Home) -> Iterator[None]:
    """Keep every run from starting; one that begins meanwhile waits.

    Raises
    ------
    KinelakeError
        ``runs_in_progress`` if one is at work.
    """
    try:
        with _runs(home, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError:
        sentence = "a run is at work, or another erasure"
        raise KinelakeError(Reason("runs_in_progress", sentence, str(home.root), "wait until it is through")) from None


@contextmanager
def _runs(home: Home, kind: int) -> Iterator[None]:
    with (home.dagster / "runs.lock").open("w") as handle:
        fcntl.flock(handle, kind)
        yield


def fail_dead_runs(instance: dg.DagsterInstance, home: Home) -> list[str]:
    """Report runs whose process is gone as failed, so that what they were doing is asked for again.

    Returns
    -------
    list of str
        Their run ids.
    """
    dead = [
        run for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)) if _is_dead(_lock_path(home, run.run_id))
    ]
    for run in dead:
        instance.report_run_failed(run, message="its process is gone; what it was doing is asked for again")
        _lock_path(home, run.run_id).unlink(missing_ok=True)
    return [run.run_id for run in dead]


@contextmanager
def _alive(home: Home, run_id: str) -> Iterator[None]:
    path = _lock_path(home, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock_path(home: Home, run_id: str) -> Path:
    return home.dagster / "alive" / run_id


def _is_dead(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("r+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
