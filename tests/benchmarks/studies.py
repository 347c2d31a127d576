"""How well the shipped studies are learnt: each task's families by both of its protocols, over three seeds, beside a target.

The recordings are real, but for `phone_exercises`, whose cohort is simulated. They go the way of every delivery (manifest,
contract, copies, clock, segments); then every family is scored as training scores it. A seed is the seed of the task: it decides
folds, altered copies and networks. Where a split is given by its groups, it changes only the latter two. The family that the
task's own split ranks first stands for the study, except where the target names one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ingestion.delivery import deliver
from ingestion.simulation.cohort import CohortSpec, simulate_delivery
from ml.evaluation import AUTHORS, CROSS_VALIDATION, TEST
from ml.learner import Learner
from ml.preprocessing.examples import Sides, TrainingTable, freeze_examples
from ml.transfer import open_source
from orchestration.running import run as bring_up_to_date
from studies import find_study
from studies.study import Study
from tests.benchmarks.real_recordings import SOURCES, deliver_source
from tests.conftest import REAL
from warehouse.home import Home

_SEEDS = (1, 2, 3)
_SOURCE_OF = {"squat_identity": "squat_form"}
_COHORT = CohortSpec(people=12, sets_per_exercise=2, seconds=14, seed=11, device="mixed")
_OURS, _THEIRS = "split", "authors_split"


@dataclass(frozen=True)
class Target:
    """What the mean over the seeds must reach.

    Parameters
    ----------
    study, task, protocol : str
        `protocol` is ``split`` or ``authors_split``.
    score : str
        Of `ml.evaluation.Evaluation.overall`.
    at_least : float
    family : str, optional
        The best by the task's own split if left out.
    """

    study: str
    task: str
    protocol: str
    score: str
    at_least: float
    family: str | None = None


_TARGETS = (
    Target("fitness_ble", "exercise_class", _OURS, "macro_f1", 0.97),
    Target("fitness_ble", "exercise_class", _THEIRS, "macro_f1", 0.99),
    Target("barbell", "exercise_class", _OURS, "macro_f1", 0.88),
    Target("squat_form", "form_class", _OURS, "macro_f1", 0.92),
    Target("squat_form", "form_class", _OURS, "worst_participant_f1", 0.80),
    Target("squat_identity", "identity", _OURS, "macro_f1", 0.97),
    Target("phone_exercises", "exercise_class", _OURS, "macro_f1", 0.97, "cnn_gru"),
)

#: Protocol, family -> the scores of every seed.
_Scores = dict[tuple[str, str], list[dict[str, float]]]


def run() -> list[dict[str, object]]:
    """Score every study that has a target."""
    if not REAL.exists():
        return [{"figure": "studies", "note": f"not measured: the real recordings are not at {REAL}"}]
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = _home_with_recordings(Path(folder))
        for name, task in dict.fromkeys((target.study, target.task) for target in _TARGETS):
            scores = _scored(find_study(name), task, home)
            best = max((family for protocol, family in scores if protocol == _OURS), key=lambda f: _mean(scores[_OURS, f]))
            rows += _rows(f"{name}.{task}", scores, best)
        rows += _transfer(find_study("squat_identity"), "identity", home)
    return rows


def _home_with_recordings(folder: Path) -> Home:
    home = Home.at(folder / "home")
    for name in dict.fromkeys([*(target.study for target in _TARGETS), "gait"]):
        if name == "phone_exercises":
            simulated = simulate_delivery(folder / name, _COHORT)
            deliver(simulated.folder, study=find_study(name), site="lab", home=home, batch_id=name)
        else:
            source = SOURCES[_SOURCE_OF.get(name, name)](REAL, folder / "source")
            deliver_source(name, source, home, manifest=folder / f"{name}.csv")
    shutil.rmtree(folder / "source", ignore_errors=True)
    assert bring_up_to_date(home, tasks=False).failed == {}
    return home


def _scored(study: Study, task: str, home: Home) -> _Scores:
    scores: _Scores = {}
    for seed in _SEEDS:
        for learner in _learners(_seeded(study, task, seed), task, home):
            for protocol, evaluation in _evaluations(learner):
                scores.setdefault((protocol, learner.family), []).append(evaluation)
    return scores


def _seeded(study: Study, task: str, seed: int) -> Study:
    return study.model_copy(update={"tasks": {task: study.tasks[task].model_copy(update={"seed": seed})}})


def _learners(study: Study, task: str, home: Home) -> Iterator[Learner]:
    recipe, source, table = study.tasks[task], open_source(study, task, home), freeze_examples(study, task, home)
    for model in recipe.models:
        yield Learner(table, recipe, model.family, model.parameters, source.features if source else None)


def _evaluations(learner: Learner) -> Iterator[tuple[str, dict[str, float]]]:
    """What training reports last, which the gate looks at, and what it reports beside."""
    table = learner.table
    yield _OURS, _evaluated(learner, table, CROSS_VALIDATION)
    if table.authors is not None:
        yield _THEIRS, _evaluated(learner, table.authors, AUTHORS)


def _evaluated(learner: Learner, sides: TrainingTable | Sides, protocol: str) -> dict[str, float]:
    held_out = sides.held_out()
    rounds = list(sides.rounds()) if held_out is None else [held_out]
    said = np.concatenate([learner.answer(taught, tested) for taught, tested in rounds])
    rows = np.concatenate([tested for _, tested in rounds])
    return learner.evaluate(rows, said, protocol=protocol if held_out is None else TEST).overall()


def _mean(scores: Sequence[dict[str, float]], score: str = "macro_f1") -> float:
    return float(np.mean([one[score] for one in scores]))


def _rows(task: str, scores: _Scores, best: str) -> Iterator[dict[str, object]]:
    for (protocol, family), found in sorted(scores.items(), key=lambda item: (item[0][0] != _OURS, -_mean(item[1]))):
        targets = {
            target.score: target.at_least
            for target in _TARGETS
            if (f"{target.study}.{target.task}", target.protocol, target.family or best) == (task, protocol, family)
        }
        for score in dict.fromkeys(["macro_f1", *targets]):
            yield _row(f"{task}, {protocol}, {family}", score, [one[score] for one in found], targets.get(score))
    forest, hybrid = scores.get((_OURS, "random_forest")), scores.get((_OURS, "cnn_gru"))
    if task.startswith("phone_exercises") and forest and hybrid:
        gained = [b["macro_f1"] - a["macro_f1"] for a, b in zip(forest, hybrid, strict=True)]
        yield {**_row(f"{task}, cnn_gru over random_forest", "macro_f1", gained, 0.0), "target": "more than 0"}


def _row(figure: str, score: str, found: Sequence[float], at_least: float | None) -> dict[str, object]:
    mean, spread = float(np.mean(found)), float(np.std(found, ddof=1))
    row: dict[str, object] = {"figure": figure, "value": f"{mean:.3f} ± {spread:.3f}", "unit": score}
    if at_least is not None:
        row |= {"target": f"at least {at_least:g}", "met": mean >= at_least}
    return row


def _transfer(study: Study, task: str, home: Home) -> Iterator[dict[str, object]]:
    """Epochs until features that were carried reach what training from scratch reaches at its best, as a share of its own."""
    shares, best = [], []
    for seed in _SEEDS:
        learners = _learners(_seeded(study, task, seed), task, home)
        carried = next(learner for learner in learners if learner.family == "identity_cnn").having({"members": 1})
        taught, tested = carried.table.held_out() or next(carried.table.rounds())
        accuracy = {
            how: [epoch["watched_accuracy"] for epoch in learner.fit(taught, watched=tested).curves_[0]]
            for how, learner in (("carried", carried), ("scratch", replace(carried, carried=None)))
        }
        highest = max(accuracy["scratch"])
        reached = [number for number, found in enumerate(accuracy["carried"], start=1) if found >= highest]
        shares.append(reached[0] / (accuracy["scratch"].index(highest) + 1) if reached else np.inf)
        best.append(f"{max(accuracy['carried']):.3f} against {highest:.3f}")
    yield {
        "figure": f"{study.study}.{task}, epochs of the carried features to scratch's best, over scratch's own",
        "value": ", ".join(f"{share:.2f}" for share in shares),
        "target": "at most 0.5",
        "met": bool(np.mean(shares) <= 0.5),
        "note": f"best accuracy on the test, carried against scratch: {'; '.join(best)}",
    }
