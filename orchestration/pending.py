"""What is still to be done, asked of the tables and not of past events: a missed event heals at the next look.

Belongs here: comparing what is with what should be. Who runs it is in `orchestration.sensors` and `orchestration.running`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ingestion.landing import waiting
from ingestion.receipt import Receipt
from ingestion.rows import reading_version
from ingestion.vault import Vault
from ml.preprocessing.examples import training_fingerprint
from ml.registry import Registry
from quality.decisions import decided_by_batch
from quality.settling import reading_needed
from studies import Study, find_study, load_studies
from warehouse.errors import KinelakeError, Reason, UnknownName, did_you_mean
from warehouse.home import Home
from warehouse.lake import Lake


class _Versions(NamedTuple):
    """What a batch's tables depend on beside its bytes; fields are columns of table `batches` and documented there."""

    contract_version: str | None
    recipe_version: str | None
    decisions: int
    reading_version: str | None


@dataclass(frozen=True)
class _Batch:
    """A delivered batch and the versions that its tables were made with; None if they never were."""

    batch_id: str
    study: str
    content_sha256: str
    files: int
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
    job : str
        The one that does no more than what changed asks for.
    """

    key: str
    state: str
    why: str
    job: str


def pending_batches(home: Home) -> list[Pending]:
    """Deliveries that are not in the lake as their study of today and people's decisions want them.

    A new contract or decision asks for another judging, a new recipe for other cuts; delivered files are read for batches that
    never were, where a unit is corrected for the second time, and where an older version of this code read them otherwise or the
    study says otherwise what its files do not say.
    """
    vault, completed = Vault(home), _completed(home)
    never_read = [vault.receipt(batch_id) for batch_id in vault.batch_ids() if batch_id not in completed]
    batches = [*completed.values(), *(_unread(receipt) for receipt in never_read)]
    studies, decided = load_studies(), decided_by_batch(Lake(home))
    return [due for batch in batches if batch.study in studies for due in _due(batch, studies[batch.study], decided, home)]


def rejudgings(home: Home, *, study: str | None = None, batch_id: str | None = None) -> list[Pending]:
    """Complete batches, of one study or one id if that is named, whether anything changed or not.

    Raises
    ------
    UnknownName
        If there is no such batch, or none of such a study; the error offers the nearest.
    """
    completed, decided = _completed(home), decided_by_batch(Lake(home))
    _refuse_unknown("batch", batch_id, completed)
    _refuse_unknown("study", study, {batch.study for batch in completed.values()})
    found = [batch for batch in completed.values() if study in (None, batch.study) and batch_id in (None, batch.batch_id)]
    wanted = [(batch, _wanted(batch, find_study(batch.study), decided)) for batch in found]
    return [
        Pending(batch.batch_id, _state(batch, versions), "asked for", _judging(batch, versions, home))
        for batch, versions in wanted
    ]


def pending_landings(home: Home, *, failed: Callable[[KinelakeError], object]) -> list[Pending]:
    """Deliveries in the landing zones that nothing writes to any more; `failed` gets why a zone could not be looked at."""
    found = waiting(home, failed=failed)
    return [Pending(entry.batch_id, entry.signature, "in the landing zone", "process_batch") for entry in found if entry.settled]


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
                yield Pending(key, fingerprint, "the training table changed", "train_task")


def _completed(home: Home) -> dict[str, _Batch]:
    columns = ["batch_id", "study", "content_sha256", "received_at", "files", *_Versions._fields]
    rows = Lake(home).read_remembered("batches").select(columns).sort_by("received_at").to_pylist()
    return {
        row["batch_id"]: _Batch(row["batch_id"], row["study"], row["content_sha256"], row["files"], _versions(row))
        for row in rows
    }


def _versions(row: Mapping[str, Any]) -> _Versions:
    # Before decisions were counted there were none.
    return _Versions(row["contract_version"], row["recipe_version"], row["decisions"] or 0, row["reading_version"])


def _unread(receipt: Receipt) -> _Batch:
    return _Batch(receipt.batch_id, receipt.study, receipt.content_sha256, len(receipt.files), None)


def _due(batch: _Batch, study: Study, decided: Counter[str], home: Home) -> Iterator[Pending]:
    wanted = _wanted(batch, study, decided)
    if batch.versions != wanted:
        job = _job(batch, wanted, home)
        yield Pending(batch.batch_id, _state(batch, wanted), _why(batch.versions, wanted), job)


def _wanted(batch: _Batch, study: Study, decided: Counter[str]) -> _Versions:
    # A batch that was erased to its last file has nothing that could be read again.
    reading = batch.versions.reading_version if batch.versions and not batch.files else reading_version(study)
    return _Versions(study.contract_version, study.recipe_version, decided[batch.batch_id], reading)


def _state(batch: _Batch, wanted: _Versions) -> str:
    return ":".join(map(str, (batch.content_sha256[:16], *wanted)))


def _job(batch: _Batch, wanted: _Versions, home: Home) -> str:
    recut_is_enough = batch.versions is not None and batch.versions._replace(recipe_version=wanted.recipe_version) == wanted
    return "recut_batch" if recut_is_enough else _judging(batch, wanted, home)


def _judging(batch: _Batch, wanted: _Versions, home: Home) -> str:
    read_as_today = batch.versions is not None and batch.versions.reading_version == wanted.reading_version
    return "rejudge_batch" if read_as_today and not reading_needed(batch.batch_id, Lake(home)) else "process_batch"


def _why(before: _Versions | None, wanted: _Versions) -> str:
    if before is None:
        return "never read"
    parts = (
        "the contract of its study",
        "the clocks and cuts of its study",
        "what people decided about it",
        "the way files are read",
    )
    return " and ".join(part for part, old, new in zip(parts, before, wanted, strict=True) if old != new) + " changed"


def _refuse_unknown(what: str, name: str | None, known: Collection[str]) -> None:
    if name is not None and name not in known:
        sentence = f"no {what} '{name}' is complete{did_you_mean(name, known)}"
        raise UnknownName(Reason(f"{what}_unknown", sentence, remedy="see kinelake status"))
