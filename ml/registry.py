"""The registry: every model version with what it was made from, who promoted it and why; MLflow on SQLite underneath.

Belongs here: versions, aliases and their history. The files of a model are written by `ml.storage`, the gate's decision is
`ml.gate`. MLflow is imported when there is something to ask it, for its import takes seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml.gate import Decision
from ml.mlflow_store import MlflowStore, RawModel
from ml.model_version import ModelVersion, from_tags, to_tags
from ml.search import Trial
from warehouse.errors import KinelakeError, Reason, UnknownName, did_you_mean
from warehouse.home import Home

CHAMPION = "champion"
CHALLENGER = "challenger"
#: Who promotes when no person does.
GATE = "gate"
#: Who gives the place back when the champion had to go.
ERASURE = "erasure"

_TRAINED = "trained_fingerprint"
_HISTORY = "champion."


class PromotionRefused(KinelakeError):
    """A version may not become champion, or there is none to go back to; the sentence says why."""


@dataclass(frozen=True)
class Change:
    """A champion that came: by promotion, or back by rollback."""

    version: int
    action: str
    who: str
    why: str
    at: str


class Registry:
    """Versions, aliases and history of all tasks of one home.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home) -> None:
        self.root = home.registry
        self._store = MlflowStore(home.registry)

    def tasks(self) -> list[str]:
        """Return the tasks that have a version, sorted."""
        return sorted(model.name for model in self._store.models())

    def versions(self, task: str | None = None) -> list[ModelVersion]:
        """Return every version of a task, or of all tasks, oldest first.

        Raises
        ------
        UnknownName
            If a task is given that has no version; the error offers the nearest name.
        """
        if task is not None:
            self._known(task)
        wanted = [task] if task is not None else self.tasks()
        return [version for name in wanted for version in self._versions(name)]

    def version(self, task: str, version: int) -> ModelVersion:
        """Return one version.

        Raises
        ------
        UnknownName
            If the task or the version is not there.
        """
        there = {str(found.version): found for found in self.versions(task)}
        if str(version) not in there:
            sentence = f"'{task}' has no version {version}{did_you_mean(str(version), there)}"
            raise UnknownName(Reason("version_unknown", sentence, remedy="see 'kinelake models'"))
        return there[str(version)]

    def champion(self, task: str) -> ModelVersion | None:
        """Return the version that answers for a task; None if nothing was promoted yet or the task is unknown."""
        return next((found for found in self._versions(task) if found.alias == CHAMPION), None)

    def asked_for(self, task: str, version: int | None) -> ModelVersion:
        """Return a version by number, or without one the champion, or else the newest.

        Raises
        ------
        UnknownName
            If the task or the version is not there.
        """
        if version is not None:
            return self.version(task, version)
        return self.champion(task) or self.versions(task)[-1]

    def aliases(self) -> dict[tuple[str, int], str]:
        """Return ``{(task, version): "champion" or "challenger"}`` for every version that has one."""
        return {(model.name, int(version)): alias for model in self._store.models() for alias, version in model.aliases.items()}

    def trained_fingerprint(self, task: str) -> str | None:
        """Return the fingerprint of the newest training that was completed; None if there was none."""
        return self._find_tags(task).get(_TRAINED)

    def history(self, task: str) -> list[Change]:
        """Return every change of a task's champion, oldest first."""
        tags = self._find_tags(task)
        return [Change(**json.loads(tags[key])) for key in sorted(tags) if key.startswith(_HISTORY)]

    def artifact(self, version: ModelVersion) -> Path:
        """Return the folder of a version's model."""
        return self.root / version.artifact

    def searches(self, task: str, fingerprint: str) -> Path:
        """Return the folder of a training's searches for parameters."""
        return self.root / "searches" / task / fingerprint

    def log_trials(self, draft: ModelVersion, metric: str, trials: Sequence[Trial]) -> None:
        """Write a run for every trial of a search; one that is there already stays as it is."""
        for trial in trials:
            self._store.log_run(
                draft.task,
                tags={"searched": draft.family, "fingerprint": draft.fingerprint, "trial": f"{trial.trial:05d}"},
                parameters=trial.parameters,
                metrics={metric: trial.value},
                files={},
            )

    def promote(self, task: str, version: int, *, who: str, why: str) -> ModelVersion:
        """Make a version champion by a person's decision.

        Parameters
        ----------
        task : str
            ``<study>.<task>``.
        version : int
        who, why : str
            Recorded with the change.

        Raises
        ------
        UnknownName
            The task or the version is not there.
        PromotionRefused
            Its scores are not honest, it is champion already, or who and why are not stated.
        """
        self._known(task)
        with self.locked(task):
            chosen = self.version(task, version)
            _check_stated(who, why)
            if not chosen.honest:
                sentence = f"version {version} of '{task}' cannot be champion, for its scores are not honest. {chosen.statement}"
                raise PromotionRefused(Reason("not_honest", sentence, remedy="deliver recordings that allow an honest split"))
            if chosen.alias == CHAMPION:
                raise PromotionRefused(Reason("already_champion", f"version {version} of '{task}' is champion already"))
            self._crown(task, Change(version, "promote", who, why, _now()))
            return self.version(task, version)

    def rollback(self, task: str, *, who: str, why: str) -> ModelVersion:
        """Make the champion before the present one champion again; a second rollback goes one further back.

        Raises
        ------
        UnknownName
            The task is not there.
        PromotionRefused
            There is no earlier champion, or who and why are not stated.
        """
        self._known(task)
        with self.locked(task):
            _check_stated(who, why)
            line = self._line_of_champions(task)
            if len(line) < 2:
                raise PromotionRefused(Reason("no_earlier_champion", f"'{task}' has no champion before the present one"))
            self._crown(task, Change(line[-2], "rollback", who, why, _now()))
            return self.version(task, line[-2])

    @contextmanager
    def locked(self, task: str) -> Iterator[None]:
        """Let one process at a time train, promote or roll back a task; others wait."""
        name = hashlib.sha256(task.encode()).hexdigest()[:16]
        with (self.root / f".{name}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def find(self, task: str, fingerprint: str, family: str) -> ModelVersion | None:
        """Return the version of a training's family; None if it is not registered yet."""
        return next((found for found in self._versions(task) if (found.fingerprint, found.family) == (fingerprint, family)), None)

    def register(self, draft: ModelVersion, *, metrics: Mapping[str, float], files: Mapping[str, Any]) -> ModelVersion:
        """Register a trained model as a new version, unless its family already has one under that fingerprint.

        Parameters
        ----------
        draft : ModelVersion
            With any number as its version; the model's folder is there already.
        metrics : mapping of str to float
            For MLflow's run.
        files : mapping of str to JSON
            Artifacts of the run by name, such as the confusion matrix.

        Returns
        -------
        ModelVersion
        """
        there = self.find(draft.task, draft.fingerprint, draft.family)
        if there is not None:
            return there
        self._store.create_model(draft.task)
        run_id = self._store.log_run(
            draft.task,
            tags={"family": draft.family, "fingerprint": draft.fingerprint},
            parameters=draft.parameters,
            metrics=metrics,
            files=files,
        )
        number = self._store.create_version(draft.task, self.artifact(draft), run_id, to_tags(draft))
        return replace(draft, version=number)

    def settle(self, task: str, decision: Decision) -> None:
        """Write down what the gate decided for a training, and let it be so; repeating it changes nothing.

        The sentences of all versions are written before the alias moves: where it has moved, they are complete.
        """
        for version, sentence in decision.sentences.items():
            chosen = {"chosen": str(version == decision.best), "promoted": str(version == decision.promoted)}
            self._store.tag_version(task, version, {"gate": sentence, **chosen})
        if decision.promoted is not None and decision.promoted not in {change.version for change in self.history(task)}:
            self._crown(task, Change(decision.promoted, "promote", GATE, decision.sentence, _now()))
        best = self.version(task, decision.best)
        self._store.set_alias(task, CHALLENGER, best.version if best.honest and best.alias != CHAMPION else None)

    def settled(self, task: str, fingerprint: str) -> Decision | None:
        """Return the gate's decision on a training if it moved the alias, or if the training was completed."""
        versions = [found for found in self._versions(task) if found.fingerprint == fingerprint]
        chosen = next((found for found in versions if found.chosen), None)
        if chosen is None:
            return None
        crowned = {change.version for change in self.history(task)}
        moved = chosen.promoted and (chosen.version in crowned or chosen.alias == CHAMPION)
        if not moved and self.trained_fingerprint(task) != fingerprint:
            return None
        sentences = {found.version: found.gate for found in versions}
        return Decision(chosen.version if chosen.promoted else None, chosen.version, chosen.gate, sentences)

    def complete(self, task: str, fingerprint: str) -> None:
        """Mark a training as completed: the last step of it."""
        self._store.tag_model(task, _TRAINED, fingerprint)

    def forget(self, task: str, fingerprints: Collection[str]) -> int:
        """Erase every version of some trainings, with files, runs, aliases and history; repeating it changes nothing.

        Where the champion goes, the last one before it that stays takes its place. Numbers are not given a second time.

        Parameters
        ----------
        task : str
            ``<study>.<task>``.
        fingerprints : collection of str
            Of the training tables.

        Returns
        -------
        int
            Versions erased.
        """
        doomed = {found.version for found in self._versions(task) if found.fingerprint in fingerprints}
        if doomed & set(self._aliases(task).values()):
            self._give_way(task, doomed)
        models = (self.root / "models" / task / fingerprint for fingerprint in fingerprints)
        for folder in (*models, *(self.searches(task, fingerprint) for fingerprint in fingerprints)):
            if folder.exists():
                shutil.rmtree(folder)
        for key, text in self._find_tags(task).items():
            if key.startswith(_HISTORY) and Change(**json.loads(text)).version in doomed:
                self._store.delete_model_tag(task, key)
        if self.trained_fingerprint(task) in fingerprints:
            self._store.delete_model_tag(task, _TRAINED)
        for version in doomed:
            self._store.delete_version(task, version)
        self._store.erase("fingerprint", fingerprints)
        return len(doomed)

    def _give_way(self, task: str, doomed: Collection[int]) -> None:
        aliases = self._aliases(task)
        staying = [version for version in self._line_of_champions(task) if version not in doomed]
        if aliases.get(CHAMPION) in doomed and staying:
            self._crown(task, Change(staying[-1], "rollback", ERASURE, "the champion had learnt from an erased person", _now()))
        for alias in (CHAMPION, CHALLENGER):
            if self._aliases(task).get(alias) in doomed:
                self._store.set_alias(task, alias, None)

    def _find_tags(self, task: str) -> Mapping[str, str]:
        model = self._find(task)
        return model.tags if model else {}

    def _crown(self, task: str, change: Change) -> None:
        """The alias first: if the process dies before the history is written, the alias still says who is champion."""
        numbers = [int(key.removeprefix(_HISTORY)) for key in self._find_tags(task) if key.startswith(_HISTORY)]
        number = max(numbers, default=0) + 1
        promotion = {"promoted_by": change.who, "promoted_why": change.why, "promoted_at": change.at}
        self._store.tag_version(task, change.version, promotion)
        self._store.set_alias(task, CHAMPION, change.version)
        if self._aliases(task).get(CHALLENGER) == change.version:
            self._store.set_alias(task, CHALLENGER, None)
        self._store.tag_model(task, f"{_HISTORY}{number:06d}", json.dumps(asdict(change)))

    def _line_of_champions(self, task: str) -> list[int]:
        line: list[int] = []
        for change in self.history(task):
            line = line[:-1] if change.action == "rollback" else [*line, change.version]
        champion = self._aliases(task).get(CHAMPION)
        return line if champion is None or line[-1:] == [champion] else [*line, champion]

    def _versions(self, task: str) -> list[ModelVersion]:
        model = self._find(task)
        if model is None:
            return []
        aliases = {version: alias for alias, version in model.aliases.items()}
        return [from_tags(task, raw, aliases.get(raw.version)) for raw in self._store.versions(task)]

    def _find(self, task: str) -> RawModel | None:
        return next((model for model in self._store.models() if model.name == task), None)

    def _aliases(self, task: str) -> Mapping[str, int]:
        model = self._find(task)
        return model.aliases if model else {}

    def _known(self, task: str) -> None:
        tasks = self.tasks()
        if task not in tasks:
            sentence = f"no model of a task '{task}' is registered{did_you_mean(task, tasks)}"
            raise UnknownName(Reason("task_unknown", sentence, remedy="a task is named <study>.<task>; see 'kinelake models'"))


def _check_stated(who: str, why: str) -> None:
    if not who.strip() or not why.strip():
        sentence = "a change of champion by hand states who decides and why"
        raise PromotionRefused(Reason("who_and_why", sentence, remedy="give both --who and --why"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
