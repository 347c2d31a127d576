"""What is there and what is still to be done, as plain rows for people and programs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from assets.resources import delivered
from ingestion.vault import Vault
from ml.registry import Registry
from orchestration.pending import pending_batches, pending_landings, pending_tasks
from warehouse.batches import received_rows
from warehouse.errors import KinelakeError
from warehouse.home import Home
from warehouse.lake import Lake

_SHOWN = ("batch_id", "study", "site", "received_at", "files", "recordings", "accepted", "quarantined", "state")


def status(home: Home) -> dict[str, list[dict[str, Any]]]:
    """Batches, champions and everything pending.

    Returns
    -------
    dict
        ``batches``, ``models`` and ``pending``, each a list of rows.
    """
    unseen: list[KinelakeError] = []
    due = [*pending_landings(home, failed=unseen.append), *pending_batches(home), *pending_tasks(home)]
    return {
        "batches": _batches(home),
        "models": [row for row in model_versions(home) if row["alias"] == "champion"],
        "pending": [
            *({"key": "landing zone", "why": str(error)} for error in unseen),
            *({"key": pending.key, "why": pending.why} for pending in due),
        ],
    }


def model_versions(home: Home, task: str | None = None) -> list[dict[str, Any]]:
    """Every model version with its scores over all labels and its seconds of training, newest first.

    `false_positive_rate` is None for tasks that name no positive answer.

    Parameters
    ----------
    home : Home
    task : str, optional
        Only versions of this ``<study>.<task>``.
    """
    versions = Registry(home).versions(task)
    return [
        {
            "task": version.task,
            "version": version.version,
            "family": version.family,
            "false_positive_rate": version.scores.get("false_positive_rate"),
            "macro_f1": version.scores.get("macro_f1"),
            "accuracy": version.scores.get("accuracy"),
            "train_s": round(version.train_seconds, 1),
            "honest": version.honest,
            "alias": version.alias,
            "gate": version.gate,
            "fingerprint": version.fingerprint,
        }
        for version in sorted(versions, key=lambda version: (version.task, -version.version))
    ]


def without_gate(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `model_versions` that fits a terminal: without the gate's sentence, the fingerprint cut short."""
    return {name: value for name, value in row.items() if name != "gate"} | {"fingerprint": row["fingerprint"][:8]}


def _batches(home: Home) -> list[dict[str, Any]]:
    read = Lake(home).read("batches")
    known, vault = set(read["batch_id"].to_pylist()), Vault(home)
    waiting = received_rows([delivered(vault.receipt(batch_id)) for batch_id in vault.batch_ids() if batch_id not in known])
    rows = pa.concat_tables([read, waiting]).sort_by("received_at")
    return list(rows.select(_SHOWN).to_pylist())
