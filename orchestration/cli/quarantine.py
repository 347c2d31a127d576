"""Commands for whoever decides about what was set aside: quarantine list, show, release, correct, undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from orchestration.cli.face import Face, face
from studies import find_study
from warehouse.errors import KinelakeError, Reason

_Recording = Annotated[str, typer.Argument(help="Recording id.")]
_Who = Annotated[str, typer.Option(help="Who decides.")]


quarantine = typer.Typer(no_args_is_help=True, help="What was set aside, why, and the way out.")


@quarantine.command("list")
def list_(
    context: typer.Context,
    study: Annotated[str | None, typer.Option(help="Only this study.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only this batch.")] = None,
) -> None:
    """List recordings in quarantine with their reason codes."""
    from quality.quarantine import list_quarantined

    shown = face(context)
    shown.table(list_quarantined(shown.home, study=study, batch_id=batch).to_pylist(), empty="nothing is in quarantine")


@quarantine.command()
def show(context: typer.Context, recording: _Recording) -> None:
    """Show one recording: every reason with its place and remedy, its files and streams; pictures of it go to a page."""
    from quality.exhibit import write_exhibit
    from quality.quarantine import show as shown_recording

    shown = face(context)
    found = shown_recording(shown.home, recording)
    page = write_exhibit(recording, find_study(str(found["study"])), shown.home)
    text = "\n".join(_lines(found))
    shown.answer({**found, "page": page}, f"{text}\npage: {page}")


@quarantine.command()
def release(
    context: typer.Context,
    recording: _Recording,
    who: _Who,
    why: Annotated[str, typer.Option(help="Why the reasons do not count.")],
) -> None:
    """Let a recording out; the decision is kept with who and why, and the next run judges its batch again."""
    from quality.quarantine import release as release_recording

    shown = face(context)
    release_recording(shown.home, recording, who=who, why=why)
    shown.answer({"released": recording, "who": who, "why": why}, f"{recording} is released by {who}; kinelake run takes it up")


@quarantine.command()
def correct(
    context: typer.Context,
    recording: _Recording,
    who: _Who,
    why: Annotated[str, typer.Option(help="Why what was delivered is wrong.")],
    label: Annotated[str | None, typer.Option(help="Label of the study, or an alias.")] = None,
    participant: Annotated[str | None, typer.Option(help="Pseudonym.")] = None,
    session: Annotated[str | None, typer.Option(help="Session.")] = None,
    placement: Annotated[str | None, typer.Option(help="Where the sensor sat.")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="What a stream's values are really in: accelerometer=g.")] = None,
) -> None:
    """Correct what was delivered of a recording, and judge its batch again; no delivered file is read."""
    from quality.corrections import correct as correct_recording

    shown = face(context)
    given = {"label": label, "participant": participant, "session": session, "placement": placement, **_units(unit or ())}
    changes = {field: value for field, value in given.items() if value is not None}
    taken = correct_recording(shown.home, recording, changes, who=who, why=why)
    told = ", ".join(f"{field} is {value}" for field, value in taken.items())
    _judge_again(shown, recording, {"corrected": recording, **taken}, f"{recording}: {told}, says {who}")


@quarantine.command()
def undo(
    context: typer.Context,
    recording: _Recording,
    who: _Who,
    why: Annotated[str, typer.Option(help="Why the decisions do not hold.")],
) -> None:
    """Take back the release and every correction of a recording, and judge its batch again."""
    from quality.corrections import undo as undo_decisions

    shown = face(context)
    back = undo_decisions(shown.home, recording, who=who, why=why)
    _judge_again(
        shown, recording, {"undone": recording, "decisions": back}, f"{recording}: {', '.join(back)} taken back by {who}"
    )


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(quarantine, name="quarantine")


def _units(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [one for one, (_, sign, unit) in zip(given, pairs, strict=True) if not sign or not unit]:
        raise KinelakeError(Reason("unit_unreadable", f"'{wrong[0]}' is not <stream>=<unit>", remedy="such as accelerometer=g"))
    return {f"unit:{stream}": unit for stream, _, unit in pairs}


def _judge_again(shown: Face, recording: str, answer: dict[str, Any], told: str) -> None:
    """Bring the recording's batch up to date, and say what became of it."""
    from orchestration.running import rejudge
    from quality.quarantine import show as shown_recording

    batch_id = str(shown_recording(shown.home, recording)["batch_id"])
    summary = rejudge(shown.home, batch_id=batch_id, progress=shown.say)
    if summary.failed:
        raise KinelakeError(Reason("run_failed", summary.failed[batch_id], batch_id, "kinelake run tries again"))
    verdict = shown_recording(shown.home, recording)
    reasons = verdict["reasons"]
    assert isinstance(reasons, list)
    state = "accepted" if verdict["accepted"] else f"in quarantine: {'; '.join(reason['sentence'] for reason in reasons)}"
    shown.answer({**answer, "accepted": verdict["accepted"], "reasons": reasons}, f"{told}\nnow {state}")


def _lines(value: object, indent: int = 0) -> list[str]:
    pad = "  " * indent
    if isinstance(value, dict):
        lines = []
        for key, part in value.items():
            nested = isinstance(part, dict | list) and part
            lines += [f"{pad}{key}:", *_lines(part, indent + 1)] if nested else [f"{pad}{key}: {part}"]
        return lines
    if isinstance(value, list):
        return [line for part in value for line in [f"{pad}-", *_lines(part, indent + 1)]]
    return [f"{pad}{value}"]
