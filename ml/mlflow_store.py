"""MLflow as a store of models, versions, tags and aliases in one SQLite file; everything that is MLflow's is in here.

Belongs here: opening it quietly, runs with their metrics, and raw versions. What tags mean is in `ml.registry`.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from warehouse.erasure import vacuum

_PAGE = 1000
_WAIT_S = 60.0


@dataclass(frozen=True)
class RawModel:
    """A task's entry: tags of the whole, and which version each alias names."""

    name: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]


@dataclass(frozen=True)
class RawVersion:
    """A version and its tags."""

    version: int
    tags: Mapping[str, str]


class MlflowStore:
    """MLflow's tracking store and registry in ``<root>/mlflow.db``, artifacts of runs in ``<root>/runs``.

    Parameters
    ----------
    root : Path
        The home's registry folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "mlflow.db"

    def prepare(self) -> None:
        """Make the database, which takes seconds, unless it is there."""
        assert self._client

    def models(self) -> list[RawModel]:
        """Return every model by name; asks nothing of MLflow while there is no database."""
        if not self.database.exists():
            return []
        found = self._all(self._client.search_registered_models)
        models = (RawModel(model.name, model.tags, _numbers(model.aliases)) for model in found)
        return sorted(models, key=lambda model: model.name)

    def versions(self, name: str, **tags: str) -> list[RawVersion]:
        """Return the versions of a model whose tags have these values, oldest first."""
        found = self._all(self._client.search_model_versions, filter_string=f"name = '{name}'")
        versions = [RawVersion(int(version.version), version.tags) for version in found]
        matching = (version for version in versions if tags.items() <= version.tags.items())
        return sorted(matching, key=lambda version: version.version)

    def create_model(self, name: str) -> None:
        """Create a model, unless it is there."""
        if name not in {model.name for model in self.models()}:
            self._client.create_registered_model(name)

    def create_version(self, name: str, source: Path, run_id: str, tags: Mapping[str, str]) -> int:
        """Create a version with its tags in one transaction, and return its number."""
        made = self._client.create_model_version(name, source=source.as_uri(), run_id=run_id, tags=dict(tags))
        return int(made.version)

    def tag_version(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(name, str(version), key, value)

    def tag_model(self, name: str, key: str, value: str) -> None:
        """Set a tag of a model."""
        self._client.set_registered_model_tag(name, key, value)

    def set_alias(self, name: str, alias: str, version: int | None) -> None:
        """Let an alias name a version, or nothing."""
        if version is None:
            self._client.delete_registered_model_alias(name, alias)
        else:
            self._client.set_registered_model_alias(name, alias, str(version))

    def log_run(
        self,
        experiment: str,
        *,
        tags: Mapping[str, str],
        parameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        files: Mapping[str, Any],
    ) -> str:
        """Write a run, or take the finished one that has the same tags.

        Parameters
        ----------
        experiment : str
            Made if it is not there.
        tags : mapping of str to str
            Name the run; a run that was left unfinished under the same tags is deleted.
        parameters, metrics : mapping
        files : mapping of str to JSON
            Artifacts by name.

        Returns
        -------
        str
            The run's id.
        """
        experiment_id = self._experiment(experiment)
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        for run in self._client.search_runs([experiment_id], wanted):
            if run.info.status == "FINISHED":
                return str(run.info.run_id)
            self._client.delete_run(run.info.run_id)
        run_id = self._client.create_run(experiment_id, tags=dict(tags), run_name="-".join(tags.values())).info.run_id
        self._fill(run_id, parameters, metrics, files)
        self._client.set_terminated(run_id)
        return str(run_id)

    def delete_model_tag(self, name: str, key: str) -> None:
        """Remove a tag of a model."""
        self._client.delete_registered_model_tag(name, key)

    def delete_version(self, name: str, version: int) -> None:
        """Delete a version. MLflow blanks its row and keeps its number, so that no later version gets it; see `erase`."""
        self._client.delete_model_version(name, str(version))

    def erase(self, tag: str, values: Collection[str]) -> None:
        """Erase all runs of which a tag has one of these values, what they logged, and what deleted versions left behind.

        MLflow's own deletion only marks a run and keeps a version's tags. Nothing of either is in the file afterwards.
        """
        if not self.database.exists():
            return
        with closing(sqlite3.connect(self.database, timeout=_WAIT_S)) as database:
            wanted = "SELECT run_uuid FROM tags WHERE key = ? AND value IN (SELECT value FROM json_each(?))"
            runs = [run_id for (run_id,) in database.execute(wanted, [tag, json.dumps(sorted(values))])]
            for run_id in runs:
                for folder in self.root.glob(f"runs/*/{run_id}"):
                    shutil.rmtree(folder)
            with database:
                database.executemany("DELETE FROM metrics WHERE run_uuid = ?", [[run_id] for run_id in runs])
                database.executemany("DELETE FROM latest_metrics WHERE run_uuid = ?", [[run_id] for run_id in runs])
                database.executemany("DELETE FROM params WHERE run_uuid = ?", [[run_id] for run_id in runs])
                database.executemany("DELETE FROM tags WHERE run_uuid = ?", [[run_id] for run_id in runs])
                database.executemany("DELETE FROM runs WHERE run_uuid = ?", [[run_id] for run_id in runs])
                database.execute(
                    "DELETE FROM model_version_tags WHERE (name, version) IN "
                    "(SELECT name, version FROM model_versions WHERE current_stage = 'Deleted_Internal')"
                )
        vacuum(self.database)

    def _fill(self, run_id: str, parameters: Mapping[str, Any], metrics: Mapping[str, float], files: Mapping[str, Any]) -> None:
        from mlflow.entities import Metric, Param

        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, now_ms, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in parameters.items()],
        )
        for name, content in files.items():
            self._client.log_dict(run_id, content, name)

    def _experiment(self, name: str) -> str:
        """The task's experiment; where the home has been moved, its artifacts would go to the old place, so a new one."""
        folder = (self.root / "runs" / name).as_uri()
        there = self._client.get_experiment_by_name(name)
        if there is not None and there.artifact_location == folder:
            return str(there.experiment_id)
        if there is not None:
            self._client.rename_experiment(there.experiment_id, f"{name} until {datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}")
        return str(self._client.create_experiment(name, artifact_location=folder))

    def _all(self, search: Any, **arguments: Any) -> list[Any]:
        page = search(max_results=_PAGE, **arguments)
        found = list(page)
        while page.token:
            page = search(max_results=_PAGE, page_token=page.token, **arguments)
            found += page
        return found

    @cached_property
    def _client(self) -> Any:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow import MlflowClient

        for chatty in ("mlflow", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        uri = f"sqlite:///{self.database}"
        with (self.root / ".mlflow.lock").open("w") as handle:
            # Two processes that make the tables at once would break each other's migration.
            fcntl.flock(handle, fcntl.LOCK_EX)
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_experiments(max_results=1)
        return client


def _numbers(aliases: Mapping[str, Any]) -> dict[str, int]:
    return {alias: int(version) for alias, version in aliases.items()}
