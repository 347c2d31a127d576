"""How well studies of simulated people are learnt: on the cohort that a recipe was chosen on, and on others beside.

Each cohort goes the way of every delivery into a home of its own; then every family is scored as training scores it. Targets are
for the other cohorts alone: what was chosen by looking at a score says little by that score. `tests.benchmarks.studies` has the
studies whose recordings are real.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingestion.delivery import deliver
from ingestion.simulation.cohort import CohortSpec, simulate_delivery
from ingestion.simulation.poses import PoseSpec, simulate_poses
from orchestration.running import run as bring_up_to_date
from studies import find_study
from tests.benchmarks.studies import OURS, Scores, row, scored
from warehouse.home import Home

_CHOSEN, _FRESH = "cohort it was chosen on", "other cohorts"


@dataclass(frozen=True)
class Simulated:
    """One task and its cohorts.

    Parameters
    ----------
    study, task : str
    spec : CohortSpec or PoseSpec
        Its seed is that of the cohort which the recipe was chosen on.
    fresh : tuple of int
        Seeds of the others. The n-th of them is learnt with the task's seed n.
    targets : mapping of str to float
        Family -> macro F1 that the mean over the others must reach.
    rivals : tuple of (str, str), optional
        Two families of which the first must be better.
    """

    study: str
    task: str
    spec: CohortSpec | PoseSpec
    fresh: tuple[int, ...]
    targets: Mapping[str, float]
    rivals: tuple[str, str] | None = None


_STUDIES = (
    Simulated(
        "phone_exercises",
        "exercise_class",
        CohortSpec(people=12, sets_per_exercise=2, seconds=14, seed=11, device="mixed"),
        (23, 37),
        {"cnn_gru": 0.97},
        ("cnn_gru", "random_forest"),
    ),
    Simulated("squat_pose", "form", PoseSpec(people=60, frames=300, seed=101), (202, 303, 404), {"resnet1d": 0.9, "bilstm": 0.9}),
    Simulated("squat_frames", "form", PoseSpec(people=60, frames=300, seed=101), (202, 303, 404), {}),
)


def run() -> list[dict[str, object]]:
    """Score every simulated study on all of its cohorts."""
    return [line for simulated in _STUDIES for line in _lines(simulated)]


def _lines(simulated: Simulated) -> Iterator[dict[str, object]]:
    name = f"{simulated.study}.{simulated.task}"
    chosen = _scores_on(simulated, simulated.spec.seed, 1)
    fresh = [_scores_on(simulated, seed, number) for number, seed in enumerate(simulated.fresh, start=1)]
    for where, cohorts in ((_CHOSEN, [chosen]), (_FRESH, fresh)):
        for protocol, family in cohorts[0]:
            found = [one for cohort in cohorts for one in cohort[protocol, family]]
            target = simulated.targets.get(family) if where == _FRESH and protocol == OURS else None
            figure = f"{name}, {where}, {protocol}, {family}"
            yield {**row(figure, "macro_f1", [one["macro_f1"] for one in found], target), "note": _note(found)}
    if simulated.rivals:
        first, second = ([cohort[OURS, family][0]["macro_f1"] for cohort in fresh] for family in simulated.rivals)
        gained = [ours - theirs for ours, theirs in zip(first, second, strict=True)]
        figure = f"{name}, {_FRESH}, {' over '.join(simulated.rivals)}"
        yield {**row(figure, "macro_f1", gained, 0.0), "target": "more than 0"}


def _scores_on(simulated: Simulated, cohort: int, seed: int) -> Scores:
    study = find_study(simulated.study)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(Path(folder) / "home")
        delivery = _delivery(Path(folder) / "delivery", replace(simulated.spec, seed=cohort))
        deliver(delivery, study=study, site="lab", home=home, batch_id="cohort")
        assert bring_up_to_date(home, tasks=False).failed == {}
        return scored(study, simulated.task, home, seeds=(seed,))


def _delivery(folder: Path, spec: CohortSpec | PoseSpec) -> Path:
    return simulate_poses(folder, spec) if isinstance(spec, PoseSpec) else simulate_delivery(folder, spec).folder


def _note(found: Sequence[Mapping[str, float]]) -> str:
    each = ", ".join(f"{one['macro_f1']:.3f}" for one in found)
    seconds = sum(one["seconds"] for one in found) / len(found)
    said = f"{each}; {sum(one['support'] for one in found):.0f} tested; {seconds:.0f} s to learn and answer"
    if "false_positive_rate" not in found[0]:
        return said
    rate = sum(one["false_positive_rate"] for one in found) / len(found)
    return f"{said}; {rate:.1%} of the others told as the positive label"
