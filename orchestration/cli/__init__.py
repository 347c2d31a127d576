"""The command line: a thin face on the library. Everything it does, Python can do.

Exit status 0 done, 1 refused or failed with a stated reason, 2 misuse.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestration.cli import analysis, deliveries, learning, operation, quarantine
from orchestration.cli.face import Face, explain
from orchestration.cli.machine import reason_of_the_machine
from warehouse.errors import KinelakeError

app = typer.Typer(
    name="kinelake",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From raw recordings of human movement to a queryable lake and registered models.",
)


@app.callback()
def _options(
    context: typer.Context,
    home: Annotated[
        str | None, typer.Option(help="The installation's folder; else $KINELAKE_HOME, else ./kinelake-home.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout.")] = False,
) -> None:
    context.obj = Face(home, as_json)


for module in (operation, deliveries, quarantine, analysis, learning):
    module.register(app)


def main() -> None:
    """Run the command line; a stated reason becomes exit status 1."""
    try:
        app()
    except KinelakeError as error:
        explain(error, as_json="--json" in sys.argv)
        raise SystemExit(1) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        reason = reason_of_the_machine(error)
        if reason is None:
            raise
        explain(KinelakeError(reason), as_json="--json" in sys.argv)
        raise SystemExit(1) from None
