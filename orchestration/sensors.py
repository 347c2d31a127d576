"""The two watchers. Both look at what is, not at what happened: a tick that was missed is made up for by the next.

A run is asked for once per state of its partition; after a failure again, `MOST_ATTEMPTS` times, then the nightly
schedule takes over, so that a batch that cannot work does not spin.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from assets.partitions import BATCHES, TASKS
from assets.resources import HomeResource
from orchestration.jobs import BATCH_JOBS, train_task
from orchestration.liveness import UNFINISHED, fail_dead_runs
from orchestration.pending import Pending, pending_batches, pending_landings, pending_tasks

MOST_ATTEMPTS = 3
_MOST_REQUESTS = 50


@dg.sensor(jobs=BATCH_JOBS, minimum_interval_seconds=10, default_status=dg.DefaultSensorStatus.RUNNING)
def landing_zone(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult:
    """One run per batch that lies in the landing zone, or that is not in the lake as it should be today."""
    opened = home.open()
    fail_dead_runs(context.instance, opened)
    due = [*pending_batches(opened), *pending_landings(opened, failed=context.log.error)]
    return _asked_for(context.instance, due, BATCHES)


@dg.sensor(job=train_task, minimum_interval_seconds=20, default_status=dg.DefaultSensorStatus.RUNNING)
def retraining(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult:
    """One run per task whose training table would differ today from the one its newest models were trained on."""
    opened = home.open()
    unfinished = (dg.RunsFilter(job_name=job.name, statuses=UNFINISHED) for job in BATCH_JOBS)
    if any(context.instance.get_runs(filters=filters, limit=1) for filters in unfinished):
        return dg.SensorResult(skip_reason="batches are being processed; training waits for them")
    return _asked_for(context.instance, pending_tasks(opened), TASKS)


def attempt_of(instance: dg.DagsterInstance, due: Pending) -> int | None:
    """Number of the next attempt at this state, from 0; None while one is under way."""
    filters = dg.RunsFilter(tags={"dagster/partition": due.key, "kinelake/state": due.state})
    runs = instance.get_runs(filters=filters)
    if any(run.status in UNFINISHED for run in runs):
        return None
    return len(runs)


def request(due: Pending, attempt: int) -> dg.RunRequest:
    """The run that brings one partition up to date."""
    return dg.RunRequest(
        run_key=f"{due.key}:{due.state}:{attempt}",
        job_name=due.job,
        partition_key=due.key,
        tags={"kinelake/state": due.state, "kinelake/why": due.why},
    )


def _asked_for(
    instance: dg.DagsterInstance, due: Iterable[Pending], partitions: dg.DynamicPartitionsDefinition
) -> dg.SensorResult:
    requests: list[dg.RunRequest] = []
    given_up: list[str] = []
    for pending in due:
        attempt = attempt_of(instance, pending)
        if attempt is None:
            continue
        if attempt >= MOST_ATTEMPTS:
            given_up.append(pending.key)
        elif len(requests) < _MOST_REQUESTS:
            requests.append(request(pending, attempt))
    if not requests:
        tried = f"tried {MOST_ATTEMPTS} times without success, left to the nightly schedule: {', '.join(given_up)}"
        return dg.SensorResult(skip_reason=tried if given_up else "nothing is pending")
    keys = [run.partition_key for run in requests if run.partition_key is not None]
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=[partitions.build_add_request(keys)])
