"""What is there and what is still to be done, as plain rows for people and programs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from assets.resources import delivered
from ingestion.vault import Vault
from ml.registry import Registry
from orchestration.pending import pending_batches, pending_landings, pending_tasks
from warehouse.batches import received_rows
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
    due = [*pending_landings(home), *pending_batches(home), *pending_tasks(home)]
    return {
        "batches": _batches(home),
        "models": [row for row in model_versions(home) if row["alias"] == "champion"],
        "pending": [{"key": pending.key, "why": pending.why} for pending in due],
    }


def model_versions(home: Home, task: str | None = None) -> list[dict[str, Any]]:
    """Every model version with its scores over all labels, newest first.

    Parameters
    ----------
    home : Home
    task : str, optional
        Only versions of this ``<study>.<task>``.
    """
    lake = Lake(home)
    where = {"task": task} if task else None
    aliases = Registry(home).aliases()
    scores = _overall(lake.read("evaluations", where=where))
    rows = lake.read("models", where=where).sort_by([("task", "ascending"), ("version", "descending")]).to_pylist()
    return [
        {
            "task": row["task"],
            "version": row["version"],
            "family": row["family"],
            "macro_f1": scores.get((row["task"], row["version"], "macro_f1")),
            "accuracy": scores.get((row["task"], row["version"], "accuracy")),
            "honest": row["honest"],
            "alias": aliases.get((row["task"], row["version"])),
            "gate": row["gate"],
            "fingerprint": row["fingerprint"],
        }
        for row in rows
    ]


def _batches(home: Home) -> list[dict[str, Any]]:
    read = Lake(home).read("batches")
    known = set(read["batch_id"].to_pylist())
    waiting = received_rows([delivered(receipt) for receipt in Vault(home).receipts() if receipt.batch_id not in known])
    rows = pa.concat_tables([read, waiting]).sort_by("received_at")
    return list(rows.select(_SHOWN).to_pylist())


def _overall(evaluations: pa.Table) -> dict[tuple[str, int, str], float]:
    """Scores over all labels; where there are two protocols, the test counts and not the cross-validation."""
    rows = [row for row in evaluations.to_pylist() if row["label"] is None]
    ordered = sorted(rows, key=lambda row: row["protocol"] == "test")
    return {(row["task"], row["version"], row["metric"]): row["value"] for row in ordered}
