"""Dagster's own storage below the home, opened so that a laptop does not wait for it."""

from __future__ import annotations

import fcntl
from typing import Any

import dagster as dg
import sqlalchemy
from sqlalchemy.engine import Engine

from orchestration.environment import prepare_environment
from warehouse.home import Home


def open_instance(home: Home) -> dg.DagsterInstance:
    """Open Dagster's storage of this home, with commits that do not wait for the disk one by one.

    Dagster's tables say which runs there were; what was done is in the lake. Losing the last second of them to a
    power cut costs nothing, so SQLite may sync at checkpoints only.
    """
    prepare_environment(home)
    if not sqlalchemy.event.contains(Engine, "connect", _sync_at_checkpoints):
        sqlalchemy.event.listen(Engine, "connect", _sync_at_checkpoints)
    with (home.dagster / ".storage.lock").open("w") as handle:
        # Two processes that make the tables at once would break each other's migration.
        fcntl.flock(handle, fcntl.LOCK_EX)
        instance = dg.DagsterInstance.get()
        # Each storage makes its tables when it is first asked for.
        assert instance.run_storage and instance.event_log_storage and instance.schedule_storage
        instance.get_runs(limit=1)
    return instance


def _sync_at_checkpoints(connection: Any, _record: object) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA synchronous=NORMAL")
