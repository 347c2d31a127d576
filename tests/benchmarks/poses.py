"""How well the shipped studies of real poses are learnt: each family by both protocols, over three seeds, with its interval.

They go the way of every delivery, as in `tests.benchmarks.studies`; a whole clip is answered by the mean over its frames. The
interval is that of the first seed, over what is held out together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from orchestration.running import run as bring_up_to_date
from studies import find_study
from tests.benchmarks.real_recordings import SOURCES, deliver_source
from tests.benchmarks.studies import OURS, row, scored
from tests.conftest import REAL
from warehouse.home import Home

_STUDIES = ("exercise_mediapipe", "good_bad_squat_2d", "uiprmd_deep_squat")
#: Accuracy that the family which the task's own split ranks first must reach by the authors' protocol.
_TARGETS = {"uiprmd_deep_squat.form": 0.97}


def run() -> list[dict[str, object]]:
    """Score every study of poses."""
    if not REAL.exists():
        return [{"figure": "poses", "note": f"not measured: the real recordings are not at {REAL}"}]
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(Path(folder) / "home")
        for name in _STUDIES:
            deliver_source(name, SOURCES[name](REAL, Path(folder)), home, manifest=Path(folder) / f"{name}.csv")
        assert bring_up_to_date(home, tasks=False).failed == {}
        for name in _STUDIES:
            for task in find_study(name).tasks:
                rows += _of_task(name, task, home)
    return rows


def _of_task(name: str, task: str, home: Home) -> Iterator[dict[str, object]]:
    scores = scored(find_study(name), task, home)
    ours = {
        family: np.mean([one["accuracy"] for one in found]) for (protocol, family), found in scores.items() if protocol == OURS
    }
    target = {("authors_split", max(ours, key=lambda family: ours[family])): _TARGETS.get(f"{name}.{task}")}
    for (protocol, family), found in scores.items():
        yield from _rows(f"{name}.{task}, {protocol}, {family}", found, target.get((protocol, family)))


def _rows(figure: str, found: Sequence[dict[str, float]], at_least: float | None) -> Iterator[dict[str, object]]:
    for score in ("accuracy", "macro_f1", "recording_accuracy"):
        if score in found[0]:
            line = row(figure, score, [one[score] for one in found], at_least if score == "accuracy" else None)
            ends = f"{found[0][f'{score}_low']:.3f} to {found[0][f'{score}_high']:.3f}"
            yield {**line, "note": f"95 % interval {ends}"}
