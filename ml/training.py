"""Training: every family of a task on one frozen table, scored, registered, and put before the gate.

Belongs here: the order of the steps. Each is keyed by task, fingerprint and family and looks first whether it was done, so
that a training that was killed anywhere and is run again ends as if it had never been killed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.code_version import code_version
from ml.evaluation import CROSS_VALIDATION, TEST, Answers, Evaluation, evaluate
from ml.gate import Candidate, Champion, Decision, decide
from ml.models import create
from ml.preprocessing.examples import TrainingTable, freeze_examples, training_fingerprint
from ml.preprocessing.selection import find_task
from ml.registry import ModelVersion, Registry
from ml.storage import read_description, save
from studies.study import Model, Study, Task
from warehouse.errors import Reason, StudyError
from warehouse.home import Home
from warehouse.lake import Lake

_Rows = npt.NDArray[np.int64]
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
        table = freeze_examples(study, task, home)
        fingerprint = table.meta.fingerprint
        versions = [_version(table, model, recipe, registry, say) for model in recipe.models]
        registry.settle(name, registry.settled(name, fingerprint) or _decision(table, versions, recipe, registry))
        _write_rows(name, fingerprint, registry, home)
        registry.complete(name, fingerprint)
        return _outcome(registry, name, fingerprint, already_trained=False)


def _check_families(study: Study, task: str, recipe: Task) -> None:
    for model in recipe.models:
        _estimator(model, recipe)
    twice = [family for family, times in Counter(model.family for model in recipe.models).items() if times > 1]
    if twice:
        sentence = f"family {twice[0]} is listed more than once; a training gives one version of each"
        raise StudyError(Reason("family_twice", sentence, f"studies/{study.study}.yaml tasks.{task}.models"))


def _estimator(model: Model, recipe: Task) -> Any:
    return create(model.family, {"random_state": recipe.seed, **model.parameters})


def _version(table: TrainingTable, model: Model, recipe: Task, registry: Registry, say: _Say) -> ModelVersion:
    meta = table.meta
    there = registry.find(meta.task, meta.fingerprint, model.family)
    if there is not None:
        say(f"{meta.task}: {model.family} is registered already, as version {there.version}")
        return there
    taught, tested = table.held_out() or (np.arange(len(table.labels)), None)
    evaluations = _cross_validation(table, model, recipe, say)
    say(f"{meta.task}: {model.family} learns from {len(taught)} examples")
    started = time.perf_counter()
    estimator = _fitted(table, taught, model, recipe)
    seconds = time.perf_counter() - started
    if tested is not None:
        evaluations.append(_evaluated(table, tested, _said(estimator, table, tested), TEST, recipe))
    draft = ModelVersion(
        task=meta.task,
        version=0,
        family=model.family,
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
        artifact=f"models/{meta.task}/{meta.fingerprint}/{model.family}",
    )
    kept = [evaluation.to_json() for evaluation in evaluations]
    save(registry.artifact(draft), estimator, family=model.family, facts={**_facts(table, draft), "evaluations": kept})
    metrics = {f"{found.protocol}.{name}": value for found in evaluations for name, value in found.overall().items()}
    return registry.register(draft, metrics=metrics, files={"evaluations.json": kept})


def _cross_validation(table: TrainingTable, model: Model, recipe: Task, say: _Say) -> list[Evaluation]:
    """Every fold is answered by a model that never saw it; the answers of all folds are scored together."""
    rounds = list(table.rounds())
    said = []
    for number, (taught, tested) in enumerate(rounds, start=1):
        say(f"{table.meta.task}: {model.family}, fold {number} of {len(rounds)}")
        known = np.unique(table.labels[taught])
        if len(known) > 1:
            said.append(_said(_fitted(table, taught, model, recipe), table, tested))
        else:
            # All that such a fold could learn is to say its one label.
            said.append(np.tile((_labels(table) == known).astype(np.float64), (len(tested), 1)))
    if not rounds:
        return []
    tested = np.concatenate([rows for _, rows in rounds])
    return [_evaluated(table, tested, np.concatenate(said), CROSS_VALIDATION, recipe)]


def _fitted(table: TrainingTable, rows: _Rows, model: Model, recipe: Task) -> Any:
    return _estimator(model, recipe).fit(table.signals[rows], table.labels[rows], table.groups[rows])


def _labels(table: TrainingTable) -> npt.NDArray[np.str_]:
    return np.unique(table.labels)


def _said(estimator: Any, table: TrainingTable, rows: _Rows) -> npt.NDArray[np.float64]:
    """Probabilities of every label of the table; zero for those that the estimator never saw."""
    labels = _labels(table)
    probabilities = np.zeros((len(rows), len(labels)))
    probabilities[:, np.searchsorted(labels, estimator.classes_)] = estimator.predict_proba(table.signals[rows])
    return probabilities


def _evaluated(table: TrainingTable, rows: _Rows, said: npt.NDArray[np.float64], protocol: str, recipe: Task) -> Evaluation:
    answers = Answers(table.labels[rows], table.participant[rows], said, _labels(table).tolist())
    return evaluate(answers, protocol=protocol, seed=recipe.seed)


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
    lake.replace("evaluations", pa.Table.from_pylist(scores), where=where)
    lake.replace("models", pa.Table.from_pylist([_model_row(version) for version in versions]), where=where)


def _score_rows(version: ModelVersion, registry: Registry) -> list[dict[str, Any]]:
    return [
        {"version": version.version, "family": version.family, "protocol": evaluation.protocol, **score._asdict()}
        for evaluation in _evaluations(version, registry)
        for score in evaluation.scores()
    ]


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
