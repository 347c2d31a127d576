"""Commands for ML engineers: models, card, export, promote, rollback, classify."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.face import face, results_in

_Task = Annotated[str, typer.Argument(help="<study>.<task>")]
_Version = Annotated[int | None, typer.Option(help="Its number; the champion if left out.")]
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


def card(context: typer.Context, task: _Task, version: _Version = None) -> None:
    """Write the page of a model version: scores, curves, explanations, drift and model card."""
    from ml.registry import Registry
    from ml.report.telling import write_page

    shown = face(context)
    registry = Registry(shown.home)
    page = write_page(registry.asked_for(task, version), registry, shown.home)
    shown.answer({"page": str(page)}, str(page))


def export(
    context: typer.Context,
    task: _Task,
    out: Annotated[Path, typer.Option(help="Folder for model.onnx and model.int8.onnx.")],
    version: _Version = None,
) -> None:
    """Export a model version to ONNX, as trained and with weights in 8 bits, held against the original."""
    from ml.export import export_version
    from ml.registry import Registry

    shown = face(context)
    registry = Registry(shown.home)
    with results_in(out, option="--out"):
        files = export_version(registry.asked_for(task, version), registry, shown.home, out)
    if shown.as_json:
        shown.answer([{**asdict(file), "path": str(file.path)} for file in files])
        return
    for file in files:
        shown.answer(
            f"{file.path}: {file.bytes / 1000:,.0f} kB, {file.latency_ms:.2f} ms for one example, "
            f"{file.agreement:.1%} of the answers as the model's, probabilities within {file.difference:.2g}"
        )


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
    file: Annotated[Path, typer.Argument(help="A device file, a clip, or a folder with one recording.")],
    task: Annotated[str, typer.Option(help="<study>.<task>")],
    also: Annotated[list[Path] | None, typer.Option("--with", help="Further files of the same recording.")] = None,
    participant: Annotated[str | None, typer.Option(help="Whose recording it is: for tasks with input.baseline.")] = None,
) -> None:
    """Ask the champion of a task what a recording or a clip shows, repetition by repetition."""
    from orchestration.classifying import classify_files

    shown = face(context)
    answer = classify_files([file, *(also or [])], task, shown.home, participant=participant)
    shown.answer(answer.to_dict(), answer.sentence)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (models, card, export, promote, rollback, classify):
        app.command()(command)
