"""One consistent set of table versions: which Parquet files a reader may be shown, and none of a half-written batch.

Belongs here: choosing files by their partition folder, without reading their rows. What is made of them is in
`warehouse.publish`.

A batch is shown as it was when its row in `batches` was written, which is the last thing that a run of the batch does: one
that is being run again is shown as before until it is through. A training is shown once it has rows in `models`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from warehouse.delta import LakeFile, TableVersion
from warehouse.lake import Lake
from warehouse.schemas import TABLES, Table

Read = Callable[[Table, Sequence[LakeFile]], pa.Table]

_BY_BATCH = tuple(name for name, table in TABLES.items() if table.partition_by == ("batch_id",) and name != "batches")


@dataclass(frozen=True)
class Snapshot:
    """What is complete at one instant.

    Parameters
    ----------
    versions : mapping of str to int
        Version of every table that exists.
    files : mapping of str to tuple of LakeFile
        For every table of `TABLES` its files, those of incomplete batches and trainings left out.
    """

    versions: Mapping[str, int]
    files: Mapping[str, tuple[LakeFile, ...]]


def take_snapshot(lake: Lake, read: Read) -> Snapshot:
    """Choose the files of everything that is complete now.

    Parameters
    ----------
    lake : Lake
    read : callable
        Gives all rows of some files of a table.
    """
    # `batches` and `models` say what is complete, so they come first: whatever they name was written before them.
    names = sorted(TABLES, key=lambda name: name not in ("batches", "models"))
    now = {name: version for name in names if (version := lake.table_version(name)) is not None}
    completed = _completed(read(TABLES["batches"], _files(now, "batches")))
    trainings = {tuple(file.partition.values()) for file in _files(now, "models")}
    files = {name: tuple(_of_complete(_files(now, name), completed, trainings)) for name in TABLES}
    for batch_id in _running_again(files, completed):
        files |= _as_completed(lake, files, batch_id, completed[batch_id])
    return Snapshot({name: now[name].number for name in TABLES if name in now}, files)


def _files(now: Mapping[str, TableVersion], name: str) -> tuple[LakeFile, ...]:
    return now[name].files if name in now else ()


def _completed(batches: pa.Table) -> dict[str, datetime]:
    """When each complete batch was completed; the end of time where its row does not say."""
    rows = batches.select(["batch_id", "state", "completed_at"]).to_pylist()
    return {
        row["batch_id"]: row["completed_at"] or datetime.max.replace(tzinfo=UTC) for row in rows if row["state"] == "complete"
    }


def _of_complete(
    files: tuple[LakeFile, ...], completed: Mapping[str, datetime], trainings: set[tuple[str, ...]]
) -> list[LakeFile]:
    return [
        file
        for file in files
        if not file.partition or file.partition.get("batch_id") in completed or tuple(file.partition.values()) in trainings
    ]


def _running_again(files: Mapping[str, tuple[LakeFile, ...]], completed: Mapping[str, datetime]) -> list[str]:
    """Complete batches of which something was written after their row: a run is at work on them."""
    newest: dict[str, datetime] = {}
    for file in (file for name in _BY_BATCH for file in files[name]):
        batch_id = file.partition["batch_id"]
        newest[batch_id] = max(file.written_at, newest.get(batch_id, file.written_at))
    return sorted(batch_id for batch_id, written_at in newest.items() if written_at > completed[batch_id])


def _as_completed(
    lake: Lake, files: Mapping[str, tuple[LakeFile, ...]], batch_id: str, completed_at: datetime
) -> dict[str, tuple[LakeFile, ...]]:
    """The batch's files as of its row; as of now where those are gone, which is what an erasure leaves."""
    then: dict[str, list[LakeFile]] = {}
    for name in _BY_BATCH:
        version = lake.table_version(name, completed_at)
        then[name] = [file for file in version.files if file.partition["batch_id"] == batch_id] if version else []
    if not all(file.path.exists() for kept in then.values() for file in kept):
        return {}
    others = {name: [file for file in files[name] if file.partition["batch_id"] != batch_id] for name in _BY_BATCH}
    return {name: (*others[name], *then[name]) for name in _BY_BATCH}
