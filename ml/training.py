"""Training: every family of a task on one frozen table, scored, registered, and put before the gate.

Belongs here: the order of the steps. Each is keyed by task, fingerprint and family and looks first whether it was done, so
that a training that was killed anywhere and is run again ends as if it had never been killed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ml.code_version import code_version
from ml.describing import Sample, describe, write_examples
from ml.evaluation import AUTHORS, CROSS_VALIDATION, TEST, Evaluation
from ml.gate import Candidate, Champion, Decision, decide
from ml.learner import Learner, Rows
from ml.model_rows import evaluations_of, write_rows
from ml.model_version import ModelVersion
from ml.models import FAMILIES, create
from ml.preprocessing.examples import freeze_examples, training_fingerprint
from ml.preprocessing.selection import find_task
from ml.preprocessing.training_table import TrainingTable
from ml.registry import Registry
from ml.report.telling import write_page
from ml.rivalry import compare
from ml.search import EVERYTHING, Trial, check_search, chosen_parameters, find_parameters
from ml.storage import save
from ml.transfer import Source, check_pretrain, compare_with_scratch, open_source
from studies.learning import Model
from studies.study import Study, Task
from warehouse.errors import Reason, StudyError
from warehouse.home import Home

_OF_THE_TABLE = (
    *("labels", "participants", "recordings", "segments", "examples", "copies_dropped"),
    *("authors_protocol", "authors_statement"),
)
_Say = Callable[[str], None]


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
        registry.settle(name, registry.settled(name, fingerprint) or _decision(table, versions, recipe, registry, home))
        versions = list(_of_training(registry, name, fingerprint))
        write_rows(versions, registry, home)
        for version in versions:
            write_page(version, registry, home)
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
    evaluations, trials, sample = _cross_validation(training)
    learner, last = training.tuned(taught, EVERYTHING)
    training.say(f"{meta.task}: {family} learns from {len(taught)} examples")
    started = time.perf_counter()
    estimator = learner.fit(taught)
    seconds = time.perf_counter() - started
    if tested is not None:
        evaluations.append(learner.evaluate(tested, learner.said(estimator, tested), protocol=TEST))
        sample = Sample(estimator, taught, tested)
    described, examples = describe(learner, sample, say=training.say) if sample else ({}, ())
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
        "evaluations": [evaluation.to_json() for evaluation in [*evaluations, *_by_the_authors(training, learner)]],
        "trials": [asdict(trial) for trial in [*trials, *last]],
        "curves": getattr(estimator, "curves_", []),
        **described,
        **_transfer(training, learner),
    }
    save(registry.artifact(draft), estimator, family=family, facts={**_facts(table, draft), **kept})
    write_examples(registry.artifact(draft), examples)
    metrics = {f"{found.protocol}.{name}": value for found in evaluations for name, value in found.overall().items()}
    registry.log_trials(draft, recipe.promote.metric, last)
    return registry.register(draft, metrics=metrics, files={f"{name}.json": content for name, content in kept.items() if content})


def _cross_validation(training: _Training) -> tuple[list[Evaluation], list[Trial], Sample | None]:
    """Every fold is answered by a model that never saw it; the answers of all folds are scored together.

    The first of these models is kept, with the rows that it never saw.
    """
    table, learner = training.table, training.learner
    rounds = list(table.rounds())
    said, trials, sample = [], [], None
    for number, (taught, tested) in enumerate(rounds, start=1):
        training.say(f"{table.meta.task}: {learner.family}, fold {number} of {len(rounds)}")
        tuned, tried = training.tuned(taught, f"without_fold_{number}")
        answers, estimator = tuned.answer_and_estimator(taught, tested)
        said.append(answers)
        trials += tried
        if sample is None and estimator is not None:
            sample = Sample(estimator, taught, tested)
    if not rounds:
        return [], [], None
    rows = np.concatenate([tested for _, tested in rounds])
    return [learner.evaluate(rows, np.concatenate(said), protocol=CROSS_VALIDATION)], trials, sample


def _by_the_authors(training: _Training, learner: Learner) -> list[Evaluation]:
    """The same family by the protocol of the study's authors, where the task names one."""
    sides = training.table.authors
    if sides is None:
        return []
    held_out = sides.held_out()
    rounds = [held_out] if held_out is not None else list(sides.rounds())
    training.say(f"{training.table.meta.task}: {learner.family} by the authors' own protocol")
    said = [learner.answer(taught, tested) for taught, tested in rounds]
    rows = np.concatenate([tested for _, tested in rounds])
    return [learner.evaluate(rows, np.concatenate(said), protocol=AUTHORS)]


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
        "table": {name: getattr(meta, name) for name in _OF_THE_TABLE},
    }


def _decision(table: TrainingTable, versions: Sequence[ModelVersion], recipe: Task, registry: Registry, home: Home) -> Decision:
    metric = recipe.promote.metric
    candidates = [
        Candidate(
            version.version,
            version.family,
            selection=evaluations_of(version, registry)[0].overall()[metric],
            score=version.scores[metric],
            worst=version.scores["worst_participant_f1"],
        )
        for version in versions
    ]
    present = registry.champion(table.meta.task)
    champion = None
    if present:
        best = max(zip(candidates, versions, strict=True), key=lambda pair: pair[0].selection)[1]
        rivalry = compare(best, present, table, registry, home, metric=metric)
        champion = Champion(present.version, present.family, present.scores[metric], rivalry)
    return decide(candidates, champion, recipe.promote, honest=table.meta.honest, statement=table.meta.statement)


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
