"""How well the shipped studies are learnt: each task's families by both of its protocols, over three seeds, beside a target.

The recordings are real; simulated ones are in `tests.benchmarks.cohorts`. They go the way of every delivery (manifest,
contract, copies, clock, segments); then every family is scored as training scores it. A seed is the seed of the task: it decides
folds, altered copies and networks. Where a split is given by its groups, it changes only the latter two. The family that the
task's own split ranks first stands for the study.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ml.evaluation import AUTHORS, CROSS_VALIDATION, TEST
from ml.learner import Learner
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.training_table import Sides, TrainingTable
from ml.transfer import open_source
from orchestration.running import run as bring_up_to_date
from studies import find_study
from studies.study import Study
from tests.benchmarks.real_recordings import SOURCES, deliver_source
from tests.conftest import REAL
from warehouse.home import Home

_SEEDS = (1, 2, 3)
_SOURCE_OF = {"squat_identity": "squat_form"}
OURS, _THEIRS = "split", "authors_split"


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
    """

    study: str
    task: str
    protocol: str
    score: str
    at_least: float


_TARGETS = (
    Target("fitness_ble", "exercise_class", OURS, "macro_f1", 0.97),
    Target("fitness_ble", "exercise_class", _THEIRS, "macro_f1", 0.99),
    Target("barbell", "exercise_class", OURS, "macro_f1", 0.88),
    Target("squat_form", "form_class", OURS, "macro_f1", 0.92),
    Target("squat_form", "form_class", OURS, "worst_participant_f1", 0.80),
    Target("squat_identity", "identity", OURS, "macro_f1", 0.97),
)

#: Protocol, family -> the scores of every seed.
Scores = dict[tuple[str, str], list[dict[str, float]]]


def run() -> list[dict[str, object]]:
    """Score every study that has a target."""
    if not REAL.exists():
        return [{"figure": "studies", "note": f"not measured: the real recordings are not at {REAL}"}]
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = _home_with_recordings(Path(folder))
        for name, task in dict.fromkeys((target.study, target.task) for target in _TARGETS):
            scores = scored(find_study(name), task, home)
            best = max((family for protocol, family in scores if protocol == OURS), key=lambda f: _mean(scores[OURS, f]))
            rows += _rows(f"{name}.{task}", scores, best)
        rows += _transfer(find_study("squat_identity"), "identity", home)
    return rows


def _home_with_recordings(folder: Path) -> Home:
    home = Home.at(folder / "home")
    for name in dict.fromkeys([*(target.study for target in _TARGETS), "gait"]):
        source = SOURCES[_SOURCE_OF.get(name, name)](REAL, folder / "source")
        deliver_source(name, source, home, manifest=folder / f"{name}.csv")
    shutil.rmtree(folder / "source", ignore_errors=True)
    assert bring_up_to_date(home, tasks=False).failed == {}
    return home


def scored(study: Study, task: str, home: Home, *, seeds: Sequence[int] = _SEEDS) -> Scores:
    """Score every family of a task by its protocols, once for each seed."""
    scores: Scores = {}
    for seed in seeds:
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
    yield OURS, _evaluated(learner, table, CROSS_VALIDATION)
    if table.authors is not None:
        yield _THEIRS, _evaluated(learner, table.authors, AUTHORS)


def _evaluated(learner: Learner, sides: TrainingTable | Sides, protocol: str) -> dict[str, float]:
    held_out = sides.held_out()
    rounds = list(sides.rounds()) if held_out is None else [held_out]
    began = time.perf_counter()
    said = np.concatenate([learner.answer(taught, tested) for taught, tested in rounds])
    seconds = time.perf_counter() - began
    rows = np.concatenate([tested for _, tested in rounds])
    return {**learner.evaluate(rows, said, protocol=protocol if held_out is None else TEST).overall(), "seconds": seconds}


def _mean(scores: Sequence[dict[str, float]], score: str = "macro_f1") -> float:
    return float(np.mean([one[score] for one in scores]))


def _rows(task: str, scores: Scores, best: str) -> Iterator[dict[str, object]]:
    for (protocol, family), found in sorted(scores.items(), key=lambda item: (item[0][0] != OURS, -_mean(item[1]))):
        targets = {
            target.score: target.at_least
            for target in _TARGETS
            if (f"{target.study}.{target.task}", target.protocol, best) == (task, protocol, family)
        }
        for score in dict.fromkeys(["macro_f1", *targets]):
            yield row(f"{task}, {protocol}, {family}", score, [one[score] for one in found], targets.get(score))


def row(figure: str, score: str, found: Sequence[float], at_least: float | None) -> dict[str, object]:
    """Return a line of the printed table: mean and deviation of what was found, beside what it must reach."""
    mean = float(np.mean(found))
    spread = f" ± {np.std(found, ddof=1):.3f}" if len(found) > 1 else ""
    line: dict[str, object] = {"figure": figure, "value": f"{mean:.3f}{spread}", "unit": score}
    if at_least is not None:
        line |= {"target": f"at least {at_least:g}", "met": mean >= at_least}
    return line


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
