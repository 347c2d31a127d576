"""Decides which recordings of a batch are copies: of recordings that share sensor values one is kept, the others name it.

Belongs here: who is kept, and why not the others. What shares values with what is found in `quality.matches`; the wording is in
`quality.reasons`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from quality.facts import BatchFacts
from quality.headings import VERDICTS
from quality.matches import Match, find_matches
from quality.reasons import Other, Shared, copy_reason
from studies.study import Study
from warehouse.errors import Reason
from warehouse.fingerprint_index import FingerprintIndex
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.study_index import open_index

#: The codes that a copy gets.
COPY_CODES = tuple(code for code in VERDICTS if code.startswith("copy_"))

_COLUMNS = ["batch_id", "recording_id", "participant", "stream", "source", "start_ns", "rows", "duplicates"]


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


@dataclass(frozen=True)
class _Stream:
    """A stream's row of table `streams`."""

    batch_id: str
    recording_id: str
    participant: str
    stream: str
    source: str
    start_ns: int
    rows: int
    duplicates: int

    @property
    def samples(self) -> int:
        """Readings that were kept, repeats of a time stamp not counted."""
        return self.rows - self.duplicates


_Streams = Mapping[tuple[str, str], _Stream]


def find_copies(facts: BatchFacts, study: Study, home: Home, *, unusable: Collection[str]) -> Copies:
    """Find the copies of a batch; of recordings that share a sensor's values, or a stretch of them, one is no copy.

    That one is a recording of another batch that is accepted already (and was not let in as a copy, by a person), else a usable
    one of this batch before an unusable one, a longer one before a shorter one, an earlier one before a later one.

    Parameters
    ----------
    facts : BatchFacts
    study : Study
        Only recordings of the same study are compared, and only with batches that have verdicts.
    home : Home
    unusable : collection of str
        Recordings of the batch that are set aside for another reason.
    """
    lake = Lake(home)
    with open_index(FingerprintIndex, study.study, home=home) as index:
        matches = find_matches(facts.batch_id, index, lake)
    keeps = _keeps({one.other.batch_id for one in matches} - {facts.batch_id}, matches, lake)
    matches = [one for one in matches if one.other.batch_id == facts.batch_id or one.other.recording_id in keeps]
    streams = _streams(matches, lake)
    by_recording: dict[str, list[Match]] = {}
    for match in matches:
        by_recording.setdefault(match.own.recording_id, []).append(match)
    kept = {recording_id for recording_id, keeps_it in keeps.items() if keeps_it}
    reasons: dict[str, list[Reason]] = {}
    for recording_id in _in_order(by_recording, streams, unusable):
        repeated = [match for match in by_recording[recording_id] if match.other.recording_id in kept]
        if repeated:
            reasons[recording_id] = _reasons(repeated, streams)
        else:
            kept.add(recording_id)
    return Copies(reasons, _also_in_quarantine(matches, keeps))


def recordings_alike(recordings: Collection[str], study: Study, home: Home) -> set[str]:
    """Return the other recordings of a study that hold values of these, altered or cut ones too; judged or not.

    Parameters
    ----------
    recordings : collection of str
    study : Study
    home : Home
    """
    lake = Lake(home)
    batches = lake.read("recordings", columns=["batch_id"], where={"recording_id": sorted(recordings)})
    with open_index(FingerprintIndex, study.study, home=home) as index:
        matches = [one for batch_id in _distinct(batches) for one in find_matches(batch_id, index, lake)]
    return {one.other.recording_id for one in matches if one.own.recording_id in recordings} - set(recordings)


def _distinct(rows: pa.Table) -> list[str]:
    return sorted(pc.unique(rows.column(0)).to_pylist())


def _keeps(batches: Collection[str], matches: Sequence[Match], lake: Lake) -> dict[str, bool]:
    """Tell of the matching recordings of other batches that were judged whether their values are theirs to keep."""
    if not batches:
        return {}
    where = {"batch_id": sorted(batches), "recording_id": sorted({one.other.recording_id for one in matches})}
    verdicts = lake.read("verdicts", columns=["recording_id", "accepted", "reasons"], where=where).to_pylist()
    return {verdict["recording_id"]: verdict["accepted"] and not _let_in_as_a_copy(verdict) for verdict in verdicts}


def _let_in_as_a_copy(verdict: Mapping[str, list[dict[str, str]]]) -> bool:
    return any(reason["code"] in COPY_CODES for reason in verdict["reasons"])


def _streams(matches: Sequence[Match], lake: Lake) -> _Streams:
    keys = {key for one in matches for key in (one.own, one.other)}
    if not keys:
        return {}
    where = {"batch_id": sorted({key.batch_id for key in keys}), "recording_id": sorted({key.recording_id for key in keys})}
    rows = lake.read("streams", columns=_COLUMNS, where=where)
    rows = rows.filter(pc.is_valid(rows["start_ns"]))
    return {(row["recording_id"], row["stream"]): _Stream(**row) for row in rows.to_pylist()}


def _in_order(recordings: Collection[str], streams: _Streams, unusable: Collection[str]) -> list[str]:
    """Whoever comes first is kept; of copies the full one, whenever its cut piece is said to be from."""
    of_each: dict[str, list[_Stream]] = {}
    for stream in streams.values():
        of_each.setdefault(stream.recording_id, []).append(stream)
    return sorted(
        recordings,
        key=lambda one: (
            one in unusable,
            -sum(stream.samples for stream in of_each[one]),
            min(stream.start_ns for stream in of_each[one]),
            one,
        ),
    )


def _reasons(repeated: Sequence[Match], streams: _Streams) -> list[Reason]:
    """Give a reason for each recording that is repeated; of several that have a stream, the one that has most of it."""
    by_stream: dict[str, Match] = {}
    for match in sorted(repeated, key=lambda match: _preference(match, streams), reverse=True):
        by_stream[match.own.stream] = match
    by_owner: dict[str, list[Match]] = {}
    for stream in sorted(by_stream):
        by_owner.setdefault(by_stream[stream].other.recording_id, []).append(by_stream[stream])
    return [_reason(matches, streams) for matches in by_owner.values()]


def _preference(match: Match, streams: _Streams) -> tuple[bool, int, bool, int, str]:
    """The smallest is preferred: equal before alike, more before less, another batch before this one, early before late."""
    other = streams[match.other.recording_id, match.other.stream]
    rows = match.stretch.rows if match.stretch else 0
    return match.stretch is not None, -rows, match.other.batch_id == match.own.batch_id, other.start_ns, other.recording_id


def _reason(matches: Sequence[Match], streams: _Streams) -> Reason:
    own = [streams[match.own.recording_id, match.own.stream] for match in matches]
    others = [streams[match.other.recording_id, match.other.stream] for match in matches]
    shared = [_shared(*one) for one in zip(matches, own, others, strict=True)]
    other = Other(others[0].recording_id, others[0].participant, others[0].batch_id, others[0].source)
    return copy_reason(other, shared, participant=own[0].participant, source=own[0].source, batch_id=own[0].batch_id)


def _shared(match: Match, own: _Stream, other: _Stream) -> Shared:
    if match.stretch is None or match.shift_ns is None:
        return Shared(own.stream, own.start_ns - other.start_ns)
    part = match.stretch
    return Shared(
        own.stream,
        match.shift_ns,
        rows=(part.first + 1, part.first + part.rows),
        other_rows=(part.other_first + 1, part.other_first + part.rows),
        share=part.rows / own.samples,
        other_share=part.rows / other.samples,
        factor=part.factor,
        left=part.left,
    )


def _also_in_quarantine(matches: Sequence[Match], keeps: Mapping[str, bool]) -> int:
    """Count recordings with a stream that another batch's quarantine has and no recording kept elsewhere."""
    has_owner = {match.own for match in matches if keeps.get(match.other.recording_id) is True}
    known = {match.own for match in matches if keeps.get(match.other.recording_id) is False}
    return len({key.recording_id for key in known - has_owner})
