"""Training: every family of a task on one frozen table, scored, registered, and put before the gate.

Belongs here: the order of the steps. Each is keyed by task, fingerprint and family and looks first whether it was done, so
that a training that was killed anywhere and is run again ends as if it had never been killed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from ml.code_version import code_version
from ml.evaluation import CROSS_VALIDATION, TEST, Evaluation
from ml.gate import Candidate, Champion, Decision, decide
from ml.learner import Learner, Rows
from ml.models import FAMILIES, create
from ml.preprocessing.examples import TrainingTable, freeze_examples, training_fingerprint
from ml.preprocessing.selection import find_task
from ml.registry import ModelVersion, Registry
from ml.search import EVERYTHING, Trial, check_search, chosen_parameters, find_parameters
from ml.storage import read_description, save
from ml.transfer import Source, check_pretrain, compare_with_scratch, open_source
from studies.learning import Model
from studies.study import Study, Task
from warehouse.errors import Reason, StudyError
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_Say = Callable[[str], None]
_TRIALS = pa.schema([field for field in TABLES["trials"].schema if field.name not in ("task", "fingerprint")])


@dataclass(frozen=True)
class TrainingOutcome:
    """What a training came to.

    Parameters
    ----------
    task : str
        ``<study>.<task>``.
    fingerprint : str
    honest : bool
    statement : str
        What the scores mean, or why no honest split exists.
    already_trained : bool
        True if this fingerprint had been trained before, and nothing was done.
    versions : tuple of ModelVersion
        One per family, in the order of their numbers.
    promoted : int or None
        The version that the gate let become champion.
    sentence : str
        The gate's decision.
    """

    task: str
    fingerprint: str
    honest: bool
    statement: str
    already_trained: bool
    versions: tuple[ModelVersion, ...]
    promoted: int | None
    sentence: str


def train_task(study: Study, task: str, home: Home, *, progress: _Say | None = None) -> TrainingOutcome:
    """Train all families of a task on what the lake holds now, unless that was done before.

    Parameters
    ----------
    study : Study
    task : str
        Bare name, without the study.
    home : Home
    progress : callable, optional
        Takes a line for a person before each step.

    Returns
    -------
    TrainingOutcome

    Raises
    ------
    StudyError
        A family is listed twice, or its parameters are not what it allows.
    TrainingRefused
        There is nothing to learn from, or too little to be scored.
    """
    recipe, name, say = find_task(study, task), f"{study.study}.{task}", progress or _nobody
    _check_families(study, task, recipe)
    registry = Registry(home)
    with registry.locked(name):
        if registry.trained_fingerprint(name) == (now := training_fingerprint(study, task, home)) and now is not None:
            say(f"{name}: already trained on {now}")
            return _outcome(registry, name, now, already_trained=True)
        source = open_source(study, task, home)
        table = freeze_examples(study, task, home)
        fingerprint = table.meta.fingerprint
        versions = [_version(_Training(table, model, recipe, source, registry, say)) for model in recipe.models]
        registry.settle(name, registry.settled(name, fingerprint) or _decision(table, versions, recipe, registry))
        _write_rows(name, fingerprint, registry, home)
        registry.complete(name, fingerprint)
        return _outcome(registry, name, fingerprint, already_trained=False)


def _check_families(study: Study, task: str, recipe: Task) -> None:
    for model in recipe.models:
        create(model.family, {"random_state": recipe.seed, **model.parameters})
        check_search(model)
    twice = [family for family, times in Counter(model.family for model in recipe.models).items() if times > 1]
    if twice:
        sentence = f"family {twice[0]} is listed more than once; a training gives one version of each"
        raise StudyError(Reason("family_twice", sentence, f"studies/{study.study}.yaml tasks.{task}.models"))
    check_pretrain(study, task)


@dataclass(frozen=True, eq=False)
class _Training:
    """One family of one training."""

    table: TrainingTable
    model: Model
    recipe: Task
    source: Source | None
    registry: Registry
    say: _Say

    @property
    def learner(self) -> Learner:
        """The family as the study gives it, before anything is searched for."""
        carried = self.source.features if self.source and FAMILIES[self.model.family].network else None
        return Learner(self.table, self.recipe, self.model.family, self.model.parameters, carried)

    def tuned(self, rows: Rows, part: str) -> tuple[Learner, list[Trial]]:
        """The family with the parameters that a search among these rows finds, where the study asks for one."""
        if self.model.search is None:
            return self.learner, []
        meta = self.table.meta
        database = self.registry.searches(meta.task, meta.fingerprint) / f"{self.model.family}.db"
        trials = find_parameters(self.learner, rows, self.model.search, part=part, database=database, say=self.say)
        return self.learner.having(chosen_parameters(trials)), trials


def _version(training: _Training) -> ModelVersion:
    table, recipe, registry, family = training.table, training.recipe, training.registry, training.model.family
    meta = table.meta
    there = registry.find(meta.task, meta.fingerprint, family)
    if there is not None:
        training.say(f"{meta.task}: {family} is registered already, as version {there.version}")
        return there
    taught, tested = table.held_out() or (np.arange(len(table.labels)), None)
    evaluations, trials = _cross_validation(training)
    learner, last = training.tuned(taught, EVERYTHING)
    training.say(f"{meta.task}: {family} learns from {len(taught)} examples")
    started = time.perf_counter()
    estimator = learner.fit(taught)
    seconds = time.perf_counter() - started
    if tested is not None:
        evaluations.append(learner.evaluate(tested, learner.said(estimator, tested), protocol=TEST))
    draft = ModelVersion(
        task=meta.task,
        version=0,
        family=family,
        fingerprint=meta.fingerprint,
        honest=meta.honest,
        protocol=meta.protocol,
        statement=meta.statement,
        scores=evaluations[-1].overall(),
        parameters=estimator.get_params(),
        seed=recipe.seed,
        code_version=code_version("ml"),
        trained_at=datetime.now(UTC),
        train_seconds=seconds,
        parameters_count=getattr(estimator, "parameters_count_", None),
        artifact=f"models/{meta.task}/{meta.fingerprint}/{family}",
    )
    kept = {
        "evaluations": [evaluation.to_json() for evaluation in evaluations],
        "trials": [asdict(trial) for trial in [*trials, *last]],
        "curves": getattr(estimator, "curves_", []),
        **_transfer(training, learner),
    }
    save(registry.artifact(draft), estimator, family=family, facts={**_facts(table, draft), **kept})
    metrics = {f"{found.protocol}.{name}": value for found in evaluations for name, value in found.overall().items()}
    registry.log_trials(draft, recipe.promote.metric, last)
    return registry.register(draft, metrics=metrics, files={f"{name}.json": content for name, content in kept.items() if content})


def _cross_validation(training: _Training) -> tuple[list[Evaluation], list[Trial]]:
    """Every fold is answered by a model that never saw it; the answers of all folds are scored together."""
    table, learner = training.table, training.learner
    rounds = list(table.rounds())
    said, trials = [], []
    for number, (taught, tested) in enumerate(rounds, start=1):
        training.say(f"{table.meta.task}: {learner.family}, fold {number} of {len(rounds)}")
        tuned, tried = training.tuned(taught, f"without_fold_{number}")
        said.append(tuned.answer(taught, tested))
        trials += tried
    if not rounds:
        return [], []
    rows = np.concatenate([tested for _, tested in rounds])
    return [learner.evaluate(rows, np.concatenate(said), protocol=CROSS_VALIDATION)], trials


def _transfer(training: _Training, learner: Learner) -> dict[str, Any]:
    """What a pre-trained version was made from, and what that brought on the test, or else on the first fold."""
    rounds = [training.table.held_out() or next(training.table.rounds(), None)]
    if training.source is None or learner.carried is None:
        return {}
    meta = training.source.table.meta
    brought = [compare_with_scratch(learner, *sides, say=training.say) for sides in rounds if sides is not None]
    return {"pretrained_on": {"task": meta.task, "fingerprint": meta.fingerprint}, "transfer": brought[0] if brought else {}}


def _facts(table: TrainingTable, version: ModelVersion) -> dict[str, Any]:
    meta = table.meta
    return {
        "task": meta.task,
        "recipe": json.loads(meta.recipe),
        "channels": list(meta.channels),
        "length": meta.length,
        "fingerprint": meta.fingerprint,
        "content_sha256": meta.content_sha256,
        "code_version": version.code_version,
        "seed": version.seed,
        "honest": meta.honest,
        "statement": meta.statement,
    }


def _evaluations(version: ModelVersion, registry: Registry) -> list[Evaluation]:
    kept = read_description(registry.artifact(version))["facts"]["evaluations"]
    return [Evaluation.from_json(content) for content in kept]


def _decision(table: TrainingTable, versions: Sequence[ModelVersion], recipe: Task, registry: Registry) -> Decision:
    metric = recipe.promote.metric
    candidates = [
        Candidate(version.version, version.family, _evaluations(version, registry)[0].overall()[metric], version.scores[metric])
        for version in versions
    ]
    present = registry.champion(table.meta.task)
    champion = Champion(present.version, present.family, present.scores[metric]) if present else None
    return decide(candidates, champion, recipe.promote, honest=table.meta.honest, statement=table.meta.statement)


def _write_rows(task: str, fingerprint: str, registry: Registry, home: Home) -> None:
    versions = _of_training(registry, task, fingerprint)
    lake, where = Lake(home), {"task": task, "fingerprint": fingerprint}
    scores = [row for version in versions for row in _score_rows(version, registry)]
    trials = [row for version in versions for row in _trial_rows(version, registry)]
    lake.replace("evaluations", pa.Table.from_pylist(scores), where=where)
    lake.replace("trials", pa.Table.from_pylist(trials, schema=_TRIALS), where=where)
    lake.replace("models", pa.Table.from_pylist([_model_row(version) for version in versions]), where=where)


def _score_rows(version: ModelVersion, registry: Registry) -> list[dict[str, Any]]:
    return [
        {"version": version.version, "family": version.family, "protocol": evaluation.protocol, **score._asdict()}
        for evaluation in _evaluations(version, registry)
        for score in evaluation.scores()
    ]


def _trial_rows(version: ModelVersion, registry: Registry) -> list[Mapping[str, Any]]:
    kept = read_description(registry.artifact(version))["facts"]["trials"]
    return [{"family": version.family, **trial, "parameters": json.dumps(trial["parameters"], sort_keys=True)} for trial in kept]


def _model_row(version: ModelVersion) -> dict[str, Any]:
    same = (
        "version", "family", "protocol", "honest", "gate", "promoted", "seed", "code_version", "trained_at",
        "train_seconds", "parameters_count", "artifact",
    )  # fmt: skip
    return {name: getattr(version, name) for name in same} | {"parameters": json.dumps(version.parameters, sort_keys=True)}


def _of_training(registry: Registry, task: str, fingerprint: str) -> tuple[ModelVersion, ...]:
    return tuple(version for version in registry.versions(task) if version.fingerprint == fingerprint)


def _outcome(registry: Registry, task: str, fingerprint: str, *, already_trained: bool) -> TrainingOutcome:
    versions = _of_training(registry, task, fingerprint)
    chosen = next(version for version in versions if version.chosen)
    return TrainingOutcome(
        task=task,
        fingerprint=fingerprint,
        honest=chosen.honest,
        statement=chosen.statement,
        already_trained=already_trained,
        versions=versions,
        promoted=chosen.version if chosen.promoted else None,
        sentence=chosen.gate,
    )


def _nobody(_line: str) -> None:
    """Hear a line of progress where nobody asked for it."""
