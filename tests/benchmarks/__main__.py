"""Runs every benchmark and prints one table: figure, ours, target, peer, met or not. Nothing is remembered or typed in.

``real`` is none: it prints what becomes of every real recording; see `tests.benchmarks.real_recordings` for its options.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    cohorts,
    copies,
    distances,
    freezing,
    ingest,
    judge,
    long_recordings,
    orchestrate,
    poses,
    publishing,
    real_recordings,
    resample,
    resample_long,
    studies,
    thousand,
    training,
    video,
    windows,
)

_BENCHMARKS: dict[str, Callable[[], list[dict[str, object]]]] = {
    "ingest": ingest.run,
    "long_recordings": long_recordings.run,
    "judge": judge.run,
    "resample": resample.run,
    "resample_long": resample_long.run,
    "freezing": freezing.run,
    "orchestrate": orchestrate.run,
    "publishing": publishing.run,
    "copies": copies.run,
    "thousand": thousand.run,
    "training": training.run,
    "distances": distances.run,
    "video": video.run,
    "windows": windows.run,
    "studies": studies.run,
    "cohorts": cohorts.run,
    "poses": poses.run,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks (default: all) and print what came out; always 0, a missed target is a printed fact."""
    console = Console(stderr=True)
    rows: list[dict[str, object]] = []
    for name in names or list(_BENCHMARKS):
        console.print(f"{name} …")
        rows += _BENCHMARKS[name]()
    drawn = Table(
        title=f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    for column in ("figure", "value", "unit", "target", "met", "peer", "note"):
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(row.get(column.header)) for column in drawn.columns))
    Console(width=200).print(drawn)
    sys.stdout.write(json.dumps(rows, default=str) + "\n")
    return 0


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.4g}" if isinstance(value, float) else str(value if value is not None else "")


if __name__ == "__main__":
    if sys.argv[1:2] == ["real"]:
        real_recordings.main(sys.argv[2:])
    else:
        raise SystemExit(main(sys.argv[1:]))
