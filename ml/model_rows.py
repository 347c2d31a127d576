"""Rows of `models`, `evaluations` and `trials`: what the registry keeps of a training, for analysts.

Belongs here: which column is filled from what. Their types and meaning are in `warehouse.schemas`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ml.evaluation import Evaluation
from ml.model_version import ModelVersion
from ml.registry import Registry
from ml.storage import read_description
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_TRIALS = TABLES["trials"].unpartitioned


def evaluations_of(version: ModelVersion, registry: Registry) -> list[Evaluation]:
    """Return every evaluation of a version: the one that chooses among families first, that of the authors' protocol last."""
    kept = read_description(registry.artifact(version))["facts"]["evaluations"]
    return [Evaluation.from_json(content) for content in kept]


def write_rows(versions: Sequence[ModelVersion], registry: Registry, home: Home) -> None:
    """Replace the rows of one training, all versions of it, in `evaluations`, `trials` and `models`."""
    lake, where = Lake(home), {"task": versions[0].task, "fingerprint": versions[0].fingerprint}
    scores = [row for version in versions for row in _score_rows(version, registry)]
    trials = [row for version in versions for row in _trial_rows(version, registry)]
    lake.replace("evaluations", pa.Table.from_pylist(scores), where=where)
    lake.replace("trials", pa.Table.from_pylist(trials, schema=_TRIALS), where=where)
    lake.replace("models", pa.Table.from_pylist([_model_row(version) for version in versions]), where=where)


def _score_rows(version: ModelVersion, registry: Registry) -> list[dict[str, Any]]:
    return [
        {"version": version.version, "family": version.family, "protocol": evaluation.protocol, **score._asdict()}
        for evaluation in evaluations_of(version, registry)
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
