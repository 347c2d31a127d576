"""Erasing a participant from the lake: finding every recording of theirs, deleting its rows, removing the old files.

Belongs here: the tables that a batch or a person writes. Training tables go with their models, in `ml.erasure`; the order of
an erasure and its proof are `orchestration`'s.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.accepted_index import AcceptedIndex
from warehouse.fingerprint_index import FingerprintIndex
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES
from warehouse.study_index import bring_all_in_step

_BY_BATCH = tuple(name for name, table in TABLES.items() if table.partition_by == ("batch_id",) and name != "batches")
_WHOLE = tuple(name for name, table in TABLES.items() if not table.partition_by)
_BY_TRAINING = tuple(name for name, table in TABLES.items() if table.partition_by == ("task", "fingerprint"))
_WAIT_S = 60.0


@dataclass(frozen=True)
class Traces:
    """What the lake knows of a participant.

    Parameters
    ----------
    recordings : frozenset of str
        Recording ids: the participant's own, and those of others with the same sensor values.
    also_under : frozenset of str
        Other participants under whom those lie.
    files : frozenset of (str, str)
        Batch id and path of every delivered file of them.
    """

    recordings: frozenset[str]
    also_under: frozenset[str]
    files: frozenset[tuple[str, str]]


def batches_of(study: str, home: Home) -> set[str]:
    """Return the batches of a study that were read."""
    rows = Lake(home).read("recordings", columns=["batch_id"], where={"study": study})
    return set(rows["batch_id"].to_pylist())


def find_traces(
    participant: str, *, batches: Collection[str], sha256: Collection[str], home: Home, recordings: Collection[str] = ()
) -> Traces:
    """Find every recording that holds sensor values of a participant.

    Parameters
    ----------
    participant : str
    batches : collection of str
        Of the study: a pseudonym is one person in one study only.
    sha256 : collection of str
        Hashes of the files that the receipts know as theirs.
    home : Home
    recordings : collection of str, optional
        Recordings that are known to hold values of theirs, altered or cut, under whatever name.
    """
    lake, where = Lake(home), {"batch_id": sorted(batches)}
    own = set(recordings)
    own |= _distinct(lake.read("recordings", columns=["recording_id"], where={**where, "participant": participant}))
    own |= _distinct(lake.read("files", columns=["recording_id"], where={**where, "sha256": sorted(sha256)}))
    hashes = _distinct(lake.read("streams", columns=["value_hash"], where={**where, "recording_id": sorted(own)}))
    same = _distinct(lake.read("streams", columns=["recording_id"], where={**where, "value_hash": sorted(hashes)}))
    found = {**where, "recording_id": sorted(own | same)}
    files = lake.read("files", columns=["batch_id", "path"], where=found)
    people = _distinct(lake.read("recordings", columns=["participant"], where=found))
    paths = zip(files["batch_id"].to_pylist(), files["path"].to_pylist(), strict=True)
    return Traces(frozenset(own | same), frozenset(people - {participant}), frozenset(paths))


def batches_that_mention(participant: str, recordings: Collection[str], *, batches: Collection[str], home: Home) -> set[str]:
    """Return the batches that name one of these recordings in a verdict that holds or held, or the participant in a check."""
    lake, where = Lake(home), {"batch_id": sorted(batches)}
    named = {row["batch_id"] for name in ("verdicts", "verdict_history") for row in _mentions(name, recordings, lake, where)}
    checks = lake.read("checks", columns=["batch_id", "sentence", "figures"], where=where)
    alone = rf"(^|[^A-Za-z0-9_-]){re.escape(participant)}($|[^A-Za-z0-9_-])"
    told = pc.or_(*(pc.match_substring_regex(checks[column], alone) for column in ("sentence", "figures")))
    return named | _distinct(checks.filter(told))


def erase_rows(
    participant: str, *, recordings: Collection[str], sha256: Collection[str], batches: Collection[str], home: Home
) -> int:
    """Delete every row of a participant, of these recordings and of these files; return how many there were.

    Repeating it changes nothing. The old files lie there until `purge`.
    """
    lake, known = Lake(home), {"recording_id": sorted(recordings), "sha256": sorted(sha256)}
    deleted = 0
    for name in (*_BY_BATCH, *_WHOLE):
        by_batch = name in _BY_BATCH
        wanted = {**known, "participant": [participant]} if by_batch else known
        columns = {column.name for column in TABLES[name].columns}
        rows = {column: values for column, values in wanted.items() if column in columns}
        if rows:
            deleted += lake.delete(name, rows, where={"batch_id": sorted(batches)} if by_batch else None)
    deleted += _erase_mentions(participant, recordings, batches, lake)
    for kind in (FingerprintIndex, AcceptedIndex):
        bring_all_in_step(kind, home)
    return deleted


def _erase_mentions(participant: str, recordings: Collection[str], batches: Collection[str], lake: Lake) -> int:
    """Delete what other people's rows say of them: earlier verdicts over their values, corrections that no longer hold."""
    where = {"batch_id": sorted(batches)}
    deleted = 0
    for batch_id in {row["batch_id"] for row in _mentions("verdict_history", recordings, lake, where)}:
        history = lake.read("verdict_history", where={"batch_id": batch_id})
        kept = [not _names(reasons, recordings) for reasons in history["reasons"].to_pylist()]
        lake.replace("verdict_history", history.filter(pa.array(kept)), where={"batch_id": batch_id})
        deleted += kept.count(False)
    moved = {"field": "participant", "value": participant}
    corrections = lake.read("corrections", columns=["correction_id", "recording_id"], where=moved)
    named = corrections["recording_id"].to_pylist()
    of_study = lake.read("recordings", columns=["recording_id"], where={**where, "recording_id": named})
    here = corrections.filter(pc.is_in(corrections["recording_id"], of_study["recording_id"].combine_chunks()))
    return deleted + lake.delete("corrections", {"correction_id": here["correction_id"].to_pylist()})


def _mentions(name: str, recordings: Collection[str], lake: Lake, where: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return batch and reasons of every verdict of a table whose reasons name one of these recordings."""
    verdicts = lake.read(name, columns=["batch_id", "reasons"], where=where)
    given = verdicts.filter(pc.greater(pc.list_value_length(verdicts["reasons"]), 0)).to_pylist()
    return [row for row in given if _names(row["reasons"], recordings)]


def _names(reasons: object, recordings: Collection[str]) -> bool:
    return any(name in str(reasons) for name in recordings)


def purge(batches: Collection[str], home: Home) -> int:
    """Remove every file of an earlier version of these batches, of all trainings and of tables without partitions.

    Other batches keep theirs: the warehouse shows one that is being run again as it was before.
    """
    lake = Lake(home)
    old = sum(lake.purge(name, where={"batch_id": sorted(batches)}) for name in _BY_BATCH)
    return old + sum(lake.purge(name) for name in (*_WHOLE, *_BY_TRAINING))


def vacuum(database: Path) -> None:
    """Write an SQLite file anew, so that nothing deleted is left in its free pages or its log."""
    with closing(sqlite3.connect(database, timeout=_WAIT_S, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _distinct(rows: pa.Table) -> set[str]:
    return set(pc.unique(rows.column(0)).drop_null().to_pylist())
