"""Search for parameters: a grid, or Bayesian by Optuna, scored by cross-validation within what may be learnt from.

Belongs here: trials, and their place on disk, where they survive the process: a search that was killed and is run again goes on
after its last finished trial and ends as if it had never been killed. A search never sees what its winner is tested on, so each
fold of a cross-validation has one of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ml.code_version import code_version
from ml.evaluation import CROSS_VALIDATION
from ml.learner import Learner, Rows
from ml.models import check_family
from ml.preprocessing.training_table import TrainingTable
from studies.learning import Interval, Model, Search
from warehouse.errors import Reason, StudyError, TrainingRefused

#: The search before the version that is registered; the others are named after the fold that they do not see.
EVERYTHING = "all"

#: Trials before a poor one may be given up after its first folds.
_BEFORE_PRUNING = 5
_SECONDS = "seconds"


@dataclass(frozen=True)
class Trial:
    """One combination of parameters that was tried.

    Parameters
    ----------
    part : str
        ``all``, or ``without_fold_<n>``: what the search could see.
    trial : int
        From 0.
    state : str
        ``complete``, or ``pruned`` where the first folds were so poor that the others were left out.
    parameters : mapping
        Those that were searched for.
    value : float
        The study's metric over the folds that were scored.
    seconds : float
    chosen : bool
    """

    part: str
    trial: int
    state: str
    parameters: Mapping[str, Any]
    value: float
    seconds: float
    chosen: bool


def check_search(model: Model) -> None:
    """Check that a family has the parameters of its search, and allows their values.

    Raises
    ------
    StudyError
        One reason for each that it does not.
    """
    reasons: list[Reason] = []
    for name, values in (model.search.space if model.search else {}).items():
        ends = (values.low, values.high) if isinstance(values, Interval) else values
        for value in ends:
            try:
                check_family(model.family, {name: value})
            except StudyError as error:
                reasons += error.reasons
                break
    if reasons:
        raise StudyError(*reasons)


def find_parameters(
    learner: Learner, rows: Rows, settings: Search, *, part: str, database: Path, say: Callable[[str], None]
) -> list[Trial]:
    """Search, or go on with a search, and return every finished trial; the chosen one is the first of the best.

    Parameters
    ----------
    learner : Learner
        With the parameters that are not searched for.
    rows : ndarray of int64
        All that may be learnt from.
    settings : Search
    part : str
        Names the search among those of one database.
    database : Path
        An SQLite file, made if it is not there. Nobody else may be writing to it.
    say : callable
        Takes a line for a person before each trial.

    Raises
    ------
    TrainingRefused
        The rows are of a single recording, so that nothing can be held out.
    """
    rounds = inner_rounds(learner.table, rows, folds=settings.folds)
    points = _grid(settings) if settings.method == "grid" else None
    wanted = len(points) if points is not None else settings.trials or 0
    with _quiet_optuna() as optuna:
        study = _opened(optuna, database, part, _pruner(optuna, settings))
        for number in range(len(_finished(study)), wanted):
            best = f", best so far {study.best_value:.3f}" if _finished(study) else ""
            say(f"{learner.table.meta.task}: {learner.family}, {part.replace('_', ' ')}: trial {number + 1} of {wanted}{best}")
            study.sampler = _sampler(optuna, points[number] if points else None, seed=learner.recipe.seed + number)
            _try(optuna, study, study.ask(_distributions(optuna, settings)), learner, rounds)
        return _trials(study, part)


def chosen_parameters(trials: Sequence[Trial]) -> Mapping[str, Any]:
    """Return the parameters of the chosen trial."""
    return next(trial.parameters for trial in trials if trial.chosen)


def inner_rounds(table: TrainingTable, rows: Rows, *, folds: int) -> list[tuple[Rows, Rows]]:
    """Split rows into rounds of ``(taught, tested)``.

    By their folds; where they are all of one fold, by groups; where they are all of one group, such as the session that people
    enrol in, by recordings. Altered copies teach, and are never tested.
    """
    kinds = (table.fold, table.groups, table.recording_id)
    _, unit = next((found for units in kinds if len((found := np.unique(units[rows], return_inverse=True))[0]) > 1), (None, None))
    if unit is None:
        sentence = f"parameters of '{table.meta.task}' cannot be searched for: all that is left to learn from is one recording"
        raise TrainingRefused(Reason("search_impossible", sentence, remedy="deliver more recordings, or give parameters"))
    part = unit % min(folds, unit.max() + 1)
    return [(rows[part != held], rows[(part == held) & table.original[rows]]) for held in range(part.max() + 1)]


def _try(optuna: Any, study: Any, trial: Any, learner: Learner, rounds: Sequence[tuple[Rows, Rows]]) -> None:
    started, said = time.perf_counter(), []
    trying = learner.having(trial.params)
    for number, (taught, tested) in enumerate(rounds, start=1):
        said.append(trying.answer(taught, tested))
        rows = np.concatenate([held for _, held in rounds[:number]])
        scores = trying.evaluate(rows, np.concatenate(said), protocol=CROSS_VALIDATION).overall()
        trial.report(scores[learner.recipe.promote.metric], number)
        if number < len(rounds) and trial.should_prune():
            break
    trial.set_user_attr(_SECONDS, time.perf_counter() - started)
    if number < len(rounds):
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, scores[learner.recipe.promote.metric])


def _grid(settings: Search) -> list[dict[str, Any]]:
    lists = {name: values for name, values in settings.space.items() if not isinstance(values, Interval)}
    return [dict(zip(lists, point, strict=True)) for point in product(*lists.values())]


def _distributions(optuna: Any, settings: Search) -> dict[str, Any]:
    kinds = optuna.distributions
    found = {}
    for name, values in settings.space.items():
        if not isinstance(values, Interval):
            found[name] = kinds.CategoricalDistribution(values)
        elif isinstance(values.low, int) and isinstance(values.high, int):
            found[name] = kinds.IntDistribution(values.low, values.high, log=values.log)
        else:
            found[name] = kinds.FloatDistribution(values.low, values.high, log=values.log)
    return found


def _sampler(optuna: Any, point: Mapping[str, Any] | None, *, seed: int) -> Any:
    """A sampler for one trial. With a seed of its own, what it draws depends on the trials before and on nothing else."""
    if point is not None:
        return optuna.samplers.PartialFixedSampler(dict(point), optuna.samplers.RandomSampler(seed=seed))
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=_BEFORE_PRUNING)


def _pruner(optuna: Any, settings: Search) -> Any:
    if settings.method == "grid":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_PRUNING)


def _opened(optuna: Any, database: Path, part: str, pruner: Any) -> Any:
    """The search with this part, learnt by this code; a trial that was cut off counts as failed and is done again."""
    database.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{database}")
    name = f"{part} {code_version('ml')}"
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", pruner=pruner, load_if_exists=True)
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _finished(study: Any) -> list[Any]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in ("COMPLETE", "PRUNED")]


def _trials(study: Any, part: str) -> list[Trial]:
    finished = _finished(study)
    complete = [number for number, trial in enumerate(finished) if trial.state.name == "COMPLETE"]
    best = max(complete, key=lambda number: finished[number].value)
    return [
        Trial(
            part=part,
            trial=number,
            state=trial.state.name.lower(),
            parameters=trial.params,
            value=trial.value if trial.value is not None else trial.intermediate_values[max(trial.intermediate_values)],
            seconds=trial.user_attrs[_SECONDS],
            chosen=number == best,
        )
        for number, trial in enumerate(finished)
    ]


@contextmanager
def _quiet_optuna() -> Iterator[Any]:
    """Optuna without its own lines: progress is said through the caller's."""
    import warnings

    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield optuna
        finally:
            optuna.logging.set_verbosity(before)
