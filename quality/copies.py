"""Finds recordings that repeat another one's sensor values, in the batch and against every batch judged before.

Values are compared by the hash that was taken when they were read (`streams.value_hash`), so neither another file name nor
shifted times hide a copy, and no sample is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from quality.facts import BatchFacts
from quality.reasons import HEADINGS, Other, copy_reason
from studies.study import Study
from warehouse.errors import Reason
from warehouse.lake import Lake

#: The codes that a copy gets.
COPY_CODES = tuple(code for code in HEADINGS if code.startswith("copy_"))

_COLUMNS = ["batch_id", "recording_id", "participant", "stream", "source", "start_ns", "value_hash"]
_Row = dict[str, object]


@dataclass(frozen=True)
class Copies:
    """What was found.

    Parameters
    ----------
    reasons : mapping of str to sequence of Reason
        For every recording of the batch that repeats another one: a reason for each one that it repeats.
    also_in_quarantine : int
        Recordings of the batch whose values lie in another batch's quarantine, where nobody learns from them.
    """

    reasons: Mapping[str, Sequence[Reason]]
    also_in_quarantine: int


def find_copies(facts: BatchFacts, study: Study, lake: Lake, *, unusable: Collection[str]) -> Copies:
    """Find the copies of a batch; of each set of equal recordings one is no copy.

    That one is a recording of another batch that is accepted already (and was not let in as a copy, by a person), else the
    earliest usable one of this batch, else the earliest.

    Parameters
    ----------
    facts : BatchFacts
    study : Study
        Only batches of the same study are compared.
    lake : Lake
    unusable : collection of str
        Recordings of the batch that are set aside for another reason.
    """
    own = _with_hash(facts.streams)
    elsewhere = _elsewhere(own, facts.batch_id, study, lake)
    owners = {str(row["value_hash"]): _other(row) for row in elsewhere if row["keeps"]}
    known = {str(row["value_hash"]) for row in elsewhere} - owners.keys()
    streams = _by_recording(_shared(own, {*owners, *known}))
    reasons: dict[str, list[Reason]] = {}
    for recording_id in sorted(streams, key=lambda one: (one in unusable, _start(streams[one]), one)):
        repeated = [row for row in streams[recording_id] if row["value_hash"] in owners]
        if repeated:
            reasons[recording_id] = _reasons(repeated, owners)
        else:
            owners |= {str(row["value_hash"]): _other(row) for row in streams[recording_id]}
    also = {row["recording_id"] for rows in streams.values() for row in rows if row["value_hash"] in known}
    return Copies(reasons, len(also))


def _with_hash(streams: pa.Table) -> pa.Table:
    return streams.filter(pc.is_valid(streams["value_hash"]))


def _shared(streams: pa.Table, hashes_elsewhere: Collection[str]) -> pa.Table:
    """Keep the streams whose values occur again: the few that have to be looked at one by one."""
    counts = pc.value_counts(streams["value_hash"])
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).to_pylist()
    return streams.filter(pc.is_in(streams["value_hash"], pa.array([*repeated, *hashes_elsewhere], pa.string())))


def _elsewhere(own: pa.Table, batch_id: str, study: Study, lake: Lake) -> list[_Row]:
    """Return streams of other judged batches of the study that have a value hash of this batch."""
    hashes = pc.unique(own["value_hash"]).to_pylist()
    batches = pc.unique(lake.read("streams", columns=["batch_id"], where={"value_hash": hashes})["batch_id"]).to_pylist()
    batches = [one for one in batches if one != batch_id]
    if not batches:
        return []
    streams = lake.read("streams", columns=_COLUMNS, where={"batch_id": batches, "value_hash": hashes})
    where = {"batch_id": batches, "recording_id": pc.unique(streams["recording_id"]).to_pylist()}
    of_study = lake.read("recordings", columns=["recording_id"], where={**where, "study": study.study})
    streams = streams.filter(pc.is_in(streams["recording_id"], of_study["recording_id"].combine_chunks()))
    verdicts = lake.read("verdicts", columns=["recording_id", "accepted", "reasons"], where=where).to_pylist()
    keeps = {verdict["recording_id"]: verdict["accepted"] and not _let_in_as_a_copy(verdict) for verdict in verdicts}
    rows = streams.sort_by([("start_ns", "descending"), ("recording_id", "descending")]).to_pylist()
    return [{**row, "keeps": keeps[row["recording_id"]]} for row in rows if row["recording_id"] in keeps]


def _let_in_as_a_copy(verdict: Mapping[str, list[dict[str, str]]]) -> bool:
    return any(reason["code"] in COPY_CODES for reason in verdict["reasons"])


def _by_recording(streams: pa.Table) -> dict[str, list[_Row]]:
    grouped: dict[str, list[_Row]] = {}
    for row in streams.select(_COLUMNS).to_pylist():
        grouped.setdefault(row["recording_id"], []).append(row)
    return grouped


def _start(rows: Sequence[_Row]) -> int:
    return min(_start_ns(row) for row in rows)


def _start_ns(row: _Row) -> int:
    assert isinstance(row["start_ns"], int)
    return row["start_ns"]


def _other(row: _Row) -> Other:
    recording_id, participant, batch_id, source = (
        str(row[name]) for name in ("recording_id", "participant", "batch_id", "source")
    )
    return Other(recording_id, participant, batch_id, start_ns=_start_ns(row), source=source)


def _reasons(repeated: Sequence[_Row], owners: Mapping[str, Other]) -> list[Reason]:
    by_owner: dict[str, list[_Row]] = {}
    for row in repeated:
        by_owner.setdefault(owners[str(row["value_hash"])].recording_id, []).append(row)
    return [_reason(rows, owners[str(rows[0]["value_hash"])]) for rows in by_owner.values()]


def _reason(rows: Sequence[_Row], other: Other) -> Reason:
    return copy_reason(
        other,
        participant=str(rows[0]["participant"]),
        streams=[str(row["stream"]) for row in rows],
        start_ns=_start_ns(rows[0]),
        source=str(rows[0]["source"]),
        batch_id=str(rows[0]["batch_id"]),
    )
