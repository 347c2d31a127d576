"""Commands for whoever runs the platform: demo, run, up, status, verify."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

import typer

from orchestration.cli.face import face
from warehouse.errors import KinelakeError, Reason


def demo(context: typer.Context) -> None:
    """Simulate a small cohort in real device formats, run everything, and show what came of it."""
    from orchestration.demo import run_demo, summary_text

    shown = face(context)
    summary = run_demo(shown.home, progress=shown.say)
    shown.answer(summary, summary_text(summary))


def run(
    context: typer.Context,
    tasks: Annotated[bool, typer.Option(help="Train what is due; --no-tasks stops after the warehouse.")] = True,
) -> None:
    """Bring everything pending up to date, in this process."""
    from orchestration.running import run as bring_up_to_date

    shown = face(context)
    summary = bring_up_to_date(shown.home, tasks=tasks, progress=shown.say)
    lines = [f"{len(summary.batches)} batches and {len(summary.tasks)} tasks brought up to date"]
    lines += [f"refused {name}: {why}" for name, why in summary.refused.items()]
    lines += [f"waiting {name}: {why}" for name, why in summary.waiting.items()]
    shown.answer(vars(summary), "\n".join(lines))
    _refuse_failed(summary.failed)


def rejudge(
    context: typer.Context,
    study: Annotated[str | None, typer.Option(help="Only batches of this study.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only this batch.")] = None,
) -> None:
    """Judge complete batches again by their studies of today; no delivered file is read."""
    from orchestration.running import rejudge as judge_again

    shown = face(context)
    summary = judge_again(shown.home, study=study, batch_id=batch, progress=shown.say)
    shown.answer(vars(summary), f"{len(summary.batches)} batches judged again")
    _refuse_failed(summary.failed)


def up(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port of Dagster's web pages.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow pages.")] = 5000,
) -> None:
    """Start Dagster's webserver and daemon and the MLflow UI on loopback, until interrupted."""
    from ingestion.landing import LANDING
    from orchestration.servers import serve

    shown = face(context)
    bucket = os.environ.get(LANDING)
    shown.say(f"home {shown.home.root}; drop deliveries into {shown.home.landing}/<site>/<study>/")
    if bucket:
        shown.say(f"or upload them to {bucket.rstrip('/')}/<site>/<study>/")
    serve(shown.home, port=port, mlflow_port=mlflow_port, progress=shown.say)


def status(context: typer.Context) -> None:
    """Show batches, verdicts, models and what is still to be done."""
    from orchestration.status import status as state_of
    from orchestration.status import without_gate

    shown = face(context)
    state = state_of(shown.home)
    if shown.as_json:
        shown.answer(state)
        return
    shown.table(state["batches"], title="Batches", empty="no batch yet: kinelake submit delivers one")
    shown.table([without_gate(row) for row in state["models"]], title="Champions", empty="no champion yet")
    pending = state["pending"]
    shown.answer(pending, "\n".join(f"pending: {due['key']} ({due['why']})" for due in pending) or "nothing is pending")


def verify(context: typer.Context) -> None:
    """Hash the vault again and check what the platform promises of this home."""
    from orchestration.verifying import verify as broken_promises

    shown = face(context)
    checks = broken_promises(shown.home)
    shown.table([{"promise": check.promise, "kept": check.kept, "figures": check.figures} for check in checks])
    broken = [reason for check in checks for reason in check.reasons]
    if broken:
        raise KinelakeError(*broken)


def _refuse_failed(failed: Mapping[str, str]) -> None:
    if failed:
        remedy = "kinelake status shows what is there"
        raise KinelakeError(*(Reason("run_failed", why, name, remedy) for name, why in failed.items()))


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (demo, run, rejudge, up, status, verify):
        app.command()(command)
