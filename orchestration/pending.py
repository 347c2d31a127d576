"""What is still to be done, asked of the tables and not of past events: a missed event heals at the next look.

Belongs here: comparing what is with what should be. Who runs it is in `orchestration.sensors` and `orchestration.running`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingestion.landing import waiting
from ingestion.receipt import Receipt
from ingestion.vault import Vault
from ml.preprocessing.examples import training_fingerprint
from ml.registry import Registry
from studies import Study, load_studies
from warehouse.errors import KinelakeError
from warehouse.home import Home
from warehouse.lake import Lake

_Versions = tuple[str, str, int]
_VERSIONS = ("contract_version", "recipe_version", "released")


@dataclass(frozen=True)
class _Batch:
    """A delivered batch and the versions that its tables were made with; None if they never were."""

    batch_id: str
    study: str
    content_sha256: str
    versions: _Versions | None


@dataclass(frozen=True)
class Pending:
    """One run that is due.

    Parameters
    ----------
    key : str
        Partition: batch id, or ``<study>.<task>``.
    state : str
        Fingerprint of what the run would work on; a run is asked for once per state, and again if it failed.
    why : str
        In words.
    """

    key: str
    state: str
    why: str


def pending_batches(home: Home) -> list[Pending]:
    """Deliveries that are not in the lake as their study's contract of today and the releases want them."""
    vault, completed = Vault(home), _completed(home)
    never_read = [vault.receipt(batch_id) for batch_id in vault.batch_ids() if batch_id not in completed]
    batches = [*completed.values(), *(_unread(receipt) for receipt in never_read)]
    studies, released = load_studies(), _released(home)
    return [due for batch in batches if batch.study in studies for due in _due(batch, studies[batch.study], released)]


def pending_landings(home: Home, *, failed: Callable[[KinelakeError], object]) -> list[Pending]:
    """Deliveries in the landing zones that nothing writes to any more; `failed` gets why a zone could not be looked at."""
    found = waiting(home, failed=failed)
    return [Pending(entry.batch_id, entry.signature, "in the landing zone") for entry in found if entry.settled]


def pending_tasks(home: Home) -> Iterator[Pending]:
    """Tasks whose training table would differ today from the one that their newest models were trained on."""
    if Lake(home).version("segments") is None:
        return
    registry = Registry(home)
    for study in load_studies().values():
        for task in study.tasks:
            fingerprint = training_fingerprint(study, task, home)
            key = f"{study.study}.{task}"
            if fingerprint is not None and fingerprint != registry.trained_fingerprint(key):
                yield Pending(key, fingerprint, "the training table changed")


def _completed(home: Home) -> dict[str, _Batch]:
    columns = ["batch_id", "study", "content_sha256", "received_at", *_VERSIONS]
    rows = Lake(home).read("batches", columns=columns).sort_by("received_at").to_pylist()
    return {
        row["batch_id"]: _Batch(row["batch_id"], row["study"], row["content_sha256"], tuple(row[name] for name in _VERSIONS))
        for row in rows
    }


def _unread(receipt: Receipt) -> _Batch:
    return _Batch(receipt.batch_id, receipt.study, receipt.content_sha256, None)


def _due(batch: _Batch, study: Study, released: Counter[str]) -> Iterator[Pending]:
    wanted = (study.contract_version, study.recipe_version, released[batch.batch_id])
    if batch.versions != wanted:
        state = ":".join(map(str, (batch.content_sha256[:16], *wanted)))
        yield Pending(batch.batch_id, state, _why(batch.versions, wanted))


def _why(before: _Versions | None, wanted: _Versions) -> str:
    if before is None:
        return "never read"
    parts = ("the contract of its study", "the clocks and cuts of its study", "what is released of it")
    return " and ".join(part for part, old, new in zip(parts, before, wanted, strict=True) if old != new) + " changed"


def _released(home: Home) -> Counter[str]:
    lake = Lake(home)
    released = set(lake.read("releases", columns=["recording_id"])["recording_id"].to_pylist())
    if not released:
        return Counter()
    rows = lake.read("recordings", columns=["batch_id", "recording_id"], where={"recording_id": sorted(released)})
    return Counter(rows["batch_id"].to_pylist())
