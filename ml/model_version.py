"""A registered version of a model, and how it is written into the registry's tags.

Belongs here: what is known of one version. Which versions there are, and who is champion, is in `ml.registry`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ml.mlflow_store import RawVersion

_SCORE = "score."


@dataclass(frozen=True)
class ModelVersion:
    """A registered version of a task's model.

    Parameters
    ----------
    task : str
        ``<study>.<task>``.
    version : int
        Counted per task from 1.
    family : str
    fingerprint : str
        Of the training table.
    honest : bool
        Scored on participants that it never saw.
    protocol, statement : str
        How it was scored, and what the scores mean.
    scores : mapping of str to float
        ``macro_f1``, ``accuracy``, ``precision``, ``recall``, … in the test, or in the cross-validation where nothing is
        held out.
    parameters : mapping
        Every parameter of the estimator.
    seed : int
    code_version : str
    trained_at : datetime
        UTC.
    train_seconds : float
    parameters_count : int or None
        Learned numbers, where the family has such a count.
    artifact : str
        Folder of the model, relative to the registry.
    gate : str
        Why it was promoted or not; empty before the gate has decided.
    chosen : bool
        Whether it was the best of its training.
    promoted : bool
        Whether the gate let it become champion when it was registered.
    alias : str or None
        ``champion``, ``challenger`` or none.
    promoted_by, promoted_why, promoted_at : str
        Of its last promotion; empty if there was none.
    """

    task: str
    version: int
    family: str
    fingerprint: str
    honest: bool
    protocol: str
    statement: str
    scores: Mapping[str, float]
    parameters: Mapping[str, Any]
    seed: int
    code_version: str
    trained_at: datetime
    train_seconds: float
    parameters_count: int | None
    artifact: str
    gate: str = ""
    chosen: bool = False
    promoted: bool = False
    alias: str | None = None
    promoted_by: str = ""
    promoted_why: str = ""
    promoted_at: str = ""


def to_tags(version: ModelVersion) -> dict[str, str]:
    """Return what the registry keeps of a version that was just trained."""
    texts = ("family", "fingerprint", "protocol", "statement", "code_version", "artifact")
    plain = {name: getattr(version, name) for name in texts}
    numbers = {name: str(getattr(version, name)) for name in ("honest", "seed", "train_seconds", "parameters_count")}
    parameters = {"parameters": json.dumps(version.parameters, sort_keys=True), "trained_at": version.trained_at.isoformat()}
    return {**plain, **numbers, **parameters, **{f"{_SCORE}{name}": repr(value) for name, value in version.scores.items()}}


def from_tags(task: str, raw: RawVersion, alias: str | None) -> ModelVersion:
    """Return the version that the registry keeps under the tags."""
    tags = raw.tags
    return ModelVersion(
        task=task,
        version=raw.version,
        family=tags["family"],
        fingerprint=tags["fingerprint"],
        honest=tags["honest"] == "True",
        protocol=tags["protocol"],
        statement=tags["statement"],
        scores={name.removeprefix(_SCORE): float(value) for name, value in tags.items() if name.startswith(_SCORE)},
        parameters=json.loads(tags["parameters"]),
        seed=int(tags["seed"]),
        code_version=tags["code_version"],
        trained_at=datetime.fromisoformat(tags["trained_at"]),
        train_seconds=float(tags["train_seconds"]),
        parameters_count=None if tags["parameters_count"] == "None" else int(tags["parameters_count"]),
        artifact=tags["artifact"],
        gate=tags.get("gate", ""),
        chosen=tags.get("chosen") == "True",
        promoted=tags.get("promoted") == "True",
        alias=alias,
        promoted_by=tags.get("promoted_by", ""),
        promoted_why=tags.get("promoted_why", ""),
        promoted_at=tags.get("promoted_at", ""),
    )
