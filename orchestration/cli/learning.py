"""Commands for ML engineers: models, promote, rollback, classify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.face import face

_Task = Annotated[str, typer.Argument(help="<study>.<task>")]
_Who = Annotated[str, typer.Option(help="Who decides.")]
_Why = Annotated[str, typer.Option(help="Why.")]


def models(context: typer.Context, task: Annotated[str | None, typer.Argument(help="Only this <study>.<task>.")] = None) -> None:
    """List model versions with their scores and the champion of each task."""
    from orchestration.status import model_versions, without_gate

    shown = face(context)
    rows = model_versions(shown.home, task)
    if shown.as_json:
        shown.answer(rows)
        return
    shown.table([without_gate(row) for row in rows], empty="no model yet: kinelake run trains what can be trained")
    for sentence in dict.fromkeys(f"{row['task']} {row['version']}: {row['gate']}" for row in rows):
        shown.answer(sentence)


def promote(context: typer.Context, task: _Task, version: Annotated[int, typer.Argument()], who: _Who, why: _Why) -> None:
    """Make a version champion by hand; who and why are kept."""
    from assets.warehouse import publish_home
    from ml.registry import Registry

    shown = face(context)
    Registry(shown.home).promote(task, version, who=who, why=why)
    publish_home(shown.home)
    shown.answer({"task": task, "champion": version}, f"version {version} is champion of {task}")


def rollback(context: typer.Context, task: _Task, who: _Who, why: _Why) -> None:
    """Give the champion's place back to the version before; who and why are kept."""
    from assets.warehouse import publish_home
    from ml.registry import Registry

    shown = face(context)
    version = Registry(shown.home).rollback(task, who=who, why=why).version
    publish_home(shown.home)
    shown.answer({"task": task, "champion": version}, f"version {version} is champion of {task} again")


def classify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A device file, or several of one recording.")],
    task: Annotated[str, typer.Option(help="<study>.<task>")],
    also: Annotated[list[Path] | None, typer.Option("--with", help="Further files of the same recording.")] = None,
) -> None:
    """Ask the champion of a task what a recording shows."""
    from orchestration.classifying import classify_files

    shown = face(context)
    answer = classify_files([file, *(also or [])], task, shown.home)
    shown.answer(answer, answer.sentence)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (models, promote, rollback, classify):
        app.command()(command)
