"""The nightly schedule: training that the sensor gave up on, or missed, is asked for once more."""

from __future__ import annotations

import dagster as dg

from assets.partitions import TASKS
from assets.resources import HomeResource
from orchestration.jobs import train_task
from orchestration.pending import pending_tasks


@dg.schedule(cron_schedule="0 2 * * *", job=train_task, default_status=dg.DefaultScheduleStatus.RUNNING, execution_timezone="UTC")
def nightly(context: dg.ScheduleEvaluationContext, home: HomeResource) -> list[dg.RunRequest] | dg.SkipReason:
    """Every task that is still out of date at two in the morning, whatever was tried before."""
    due = list(pending_tasks(home.open()))
    if not due:
        return dg.SkipReason("every task was trained on what is there")
    context.instance.add_dynamic_partitions(str(TASKS.name), [pending.key for pending in due])
    night = context.scheduled_execution_time.date().isoformat()
    return [
        dg.RunRequest(
            run_key=f"{pending.key}:{pending.state}:{night}", partition_key=pending.key, tags={"kinelake/state": pending.state}
        )
        for pending in due
    ]
