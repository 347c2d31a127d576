"""`kinelake run`: everything that is pending, in this process, in the order in which one thing feeds the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.execution.plan.objects import StepFailureData

from assets.learning import WAITS_FOR_DATA
from assets.partitions import BATCHES, TASKS
from assets.warehouse import publish_home
from ingestion.landing import take, waiting
from orchestration.definitions import build_defs
from orchestration.instance import open_instance
from orchestration.liveness import fail_dead_runs
from orchestration.pending import Pending, pending_batches, pending_tasks, rejudgings
from orchestration.progress import Progress
from warehouse.errors import DeliveryRefused, KinelakeError
from warehouse.home import Home

#: Loggers count only where the run's configuration names them.
_SPOKEN: dict[str, Any] = {"loggers": {"console": {}}}


@dataclass
class RunSummary:
    """What one `kinelake run` did.

    Parameters
    ----------
    delivered, refused : list of str
        Deliveries taken from the landing zone, and those refused with the reason.
    batches, tasks : list of str
        Partitions brought up to date.
    waiting : dict of str to str
        Tasks that there is too little to learn from yet, with what is missing.
    failed : dict of str to str
        Partitions whose run failed, and landing zones or deliveries that could not be reached, with the reason.
    """

    delivered: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    batches: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def run(home: Home, *, tasks: bool = True, progress: Progress = lambda _: None) -> RunSummary:
    """Bring everything pending up to date: landing zone, batches, tasks, warehouse.

    Parameters
    ----------
    home : Home
    tasks : bool
        False leaves training to a later run.
    progress : callable, optional
        Gets a line of text per step.

    Returns
    -------
    RunSummary
        A failed run is named in it and stops none of the others.
    """
    summary = RunSummary()
    with open_instance(home) as instance:
        fail_dead_runs(instance, home)
        _take_landed(home, summary, progress)
        definitions = build_defs(home=home, progress=progress)
        for due in pending_batches(home):
            progress(f"batch {due.key}: {due.why}")
            _execute(definitions, instance, BATCHES.name, due, summary.batches, summary)
        for due in pending_tasks(home) if tasks else ():
            progress(f"task {due.key}: {due.why}")
            _execute(definitions, instance, TASKS.name, due, summary.tasks, summary)
    if not home.warehouse.exists() or summary.failed:
        publish_home(home)
    return summary


def rejudge(
    home: Home, *, study: str | None = None, batch_id: str | None = None, progress: Progress = lambda _: None
) -> RunSummary:
    """Judge complete batches again, with all that follows up to the warehouse; no delivered file is read.

    Parameters
    ----------
    home : Home
    study, batch_id : str, optional
        Only the batches of one study, or one batch.
    progress : callable, optional
        Gets a line of text per step.

    Returns
    -------
    RunSummary
        A failed run is named in it and stops none of the others.

    Raises
    ------
    UnknownName
        If there is no such batch, or none of such a study; the error offers the nearest.
    """
    summary = RunSummary()
    due_batches = rejudgings(home, study=study, batch_id=batch_id)
    with open_instance(home) as instance:
        fail_dead_runs(instance, home)
        definitions = build_defs(home=home, progress=progress)
        for due in due_batches:
            progress(f"batch {due.key}: {due.why}")
            _execute(definitions, instance, BATCHES.name, due, summary.batches, summary)
    return summary


def _take_landed(home: Home, summary: RunSummary, progress: Progress) -> None:
    def not_looked_at(error: KinelakeError) -> None:
        summary.failed["landing zone"] = str(error)

    for entry in waiting(home, failed=not_looked_at):
        if not entry.settled:
            progress(f"landing: {entry.place} is still being written, left for later")
            continue
        try:
            summary.delivered.append(take(entry, home).batch_id)
        except DeliveryRefused as refusal:
            summary.refused[entry.batch_id] = str(refusal)
        except KinelakeError as error:
            summary.failed[entry.batch_id] = str(error)


def _execute(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    partitions: str | None,
    due: Pending,
    done: list[str],
    summary: RunSummary,
) -> None:
    assert partitions is not None
    instance.add_dynamic_partitions(partitions, [due.key])
    result = definitions.resolve_job_def(due.job).execute_in_process(
        instance=instance, partition_key=due.key, raise_on_error=False, run_config=_SPOKEN, tags={"kinelake/state": due.state}
    )
    if result.success:
        done.append(due.key)
        return
    failure = next((event.step_failure_data for event in result.all_events if event.is_step_failure), None)
    waits = failure is not None and failure.user_failure_data is not None and WAITS_FOR_DATA in failure.user_failure_data.metadata
    (summary.waiting if waits else summary.failed)[due.key] = _reason_of(failure)


def _reason_of(failure: StepFailureData | None) -> str:
    if failure is None:
        return "no step failed, but the run did"
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "no reason stated"
