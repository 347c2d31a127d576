"""Finds the streams of a batch whose values another recording of the study has too: all or a stretch, rounded or rescaled.

Belongs here: from the look-up in `warehouse.fingerprint_index` to matches that the samples prove. Which of two recordings is the
copy is told in `quality.copies`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from quality.likeness import Stretch, common_stretch
from warehouse.fingerprint_index import FingerprintIndex, SharedMarks, StreamKey
from warehouse.lake import Lake

#: Streams that are compared by their samples with one stream of the batch, those with most marks in common first ...
MOST_COMPARED = 32
#: ... and pairs with a single mark in common, which is mostly chance, in a whole batch.
MOST_SINGLES = 64

#: A mark is no longer than so many readings in most streams; the comparison begins with that stretch.
_MARK_ROWS = 64
_READ_ROWS = 4_000_000
_COLUMNS = ("recording_id", "stream", "t_ns", "x", "y", "z", "w")

_Values = npt.NDArray[np.float64]
_Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Match:
    """Values that two streams of different recordings share.

    Parameters
    ----------
    own, other : StreamKey
    stretch : Stretch or None
        None if the two are equal from the first to the last reading.
    shift_ns : int or None
        By how much the shared values are stamped later in `own`; None where both are equal, for their starts tell it.
    """

    own: StreamKey
    other: StreamKey
    stretch: Stretch | None = None
    shift_ns: int | None = None

    def turned(self) -> Match:
        """The same, seen from the other stream."""
        if self.stretch is None or self.shift_ns is None:
            return Match(self.other, self.own)
        one = self.stretch
        stretch = replace(one, first=one.other_first, other_first=one.first, factor=1 / one.factor)
        return Match(self.other, self.own, stretch, -self.shift_ns)


@dataclass(frozen=True)
class _Candidate:
    """Two streams that have marks in common at one distance, which lie between two rows of the own one."""

    own: int
    other: int
    offset: int
    first: int
    last: int
    marks: int


def find_matches(batch_id: str, index: FingerprintIndex, lake: Lake) -> list[Match]:
    """Find every match of a batch's streams with those of other recordings of the study, of this batch and of others.

    Parameters
    ----------
    batch_id : str
    index : FingerprintIndex
        Of the study, in step with the lake.
    lake : Lake

    Returns
    -------
    list of Match
        Between two recordings of the batch both ways.
    """
    equal = index.same_values(batch_id)
    candidates = _candidates(index.same_marks(batch_id), set(equal))
    keys = index.keys(sorted({number for pair in equal for number in pair} | _numbers(candidates)))
    worth = _worth_comparing(candidates, keys)
    found = [Match(keys[own], keys[other]) for own, other in equal]
    for match in _proved(worth, keys, lake):
        found.append(match)
        if match.other.batch_id == batch_id:
            found.append(match.turned())
    return found


def _numbers(candidates: Iterable[_Candidate]) -> set[int]:
    return {number for one in candidates for number in (one.own, one.other)}


def _candidates(shared: SharedMarks, equal: set[tuple[int, int]]) -> list[_Candidate]:
    """Of every pair of streams the distance at which they have most marks in common."""
    if not shared.own.size:
        return []
    places = np.stack([shared.own, shared.other, shared.own_position - shared.other_position], axis=1)
    distinct, of_mark, counts = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(of_mark.ravel(), kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    positions = shared.own_position[order]
    first, last = np.minimum.reduceat(positions, starts), np.maximum.reduceat(positions, starts)
    best: dict[tuple[int, int], _Candidate] = {}
    for row in np.argsort(counts, kind="stable").tolist():
        own, other, offset = distinct[row].tolist()
        best[own, other] = _Candidate(own, other, offset, int(first[row]), int(last[row]) + _MARK_ROWS, int(counts[row]))
    return [one for pair, one in best.items() if pair not in equal]


def _worth_comparing(candidates: Sequence[_Candidate], keys: Mapping[int, StreamKey]) -> list[_Candidate]:
    """Leave out what is one recording, the second way round of what lies in one batch, and what is chance."""
    pairs: dict[tuple[str, str], list[_Candidate]] = defaultdict(list)
    for one in candidates:
        own, other = keys[one.own], keys[one.other]
        if own.recording_id != other.recording_id and (own.batch_id != other.batch_id or own < other):
            pairs[own.recording_id, other.recording_id].append(one)
    several = [one for of_pair in pairs.values() for one in of_pair if sum(other.marks for other in of_pair) > 1]
    single = [one for of_pair in pairs.values() for one in of_pair if sum(other.marks for other in of_pair) == 1]
    by_stream: dict[int, list[_Candidate]] = defaultdict(list)
    for one in sorted(several, key=attrgetter("marks"), reverse=True):
        by_stream[one.own].append(one)
    return [one for of_stream in by_stream.values() for one in of_stream[:MOST_COMPARED]] + single[:MOST_SINGLES]


def _proved(candidates: Sequence[_Candidate], keys: Mapping[int, StreamKey], lake: Lake) -> Iterator[Match]:
    for part in _parts(candidates, keys):
        samples = _samples({keys[number] for number in _numbers(part)}, lake)
        for one in part:
            match = _compared(one, keys[one.own], keys[one.other], samples)
            if match is not None:
                yield match


def _parts(candidates: Sequence[_Candidate], keys: Mapping[int, StreamKey]) -> Iterator[list[_Candidate]]:
    """Cut candidates into lots whose samples are held at one time."""
    part: list[_Candidate] = []
    held = 0
    for one in sorted(candidates, key=lambda one: (keys[one.own], keys[one.other])):
        size = keys[one.own].rows + keys[one.other].rows
        if part and held + size > _READ_ROWS:
            yield part
            part, held = [], 0
        part.append(one)
        held += size
    if part:
        yield part


def _samples(streams: set[StreamKey], lake: Lake) -> dict[tuple[str, str], tuple[_Times, _Values]]:
    """Read times and values, by recording and stream; NaN as 0."""
    table = lake.read("samples", columns=_COLUMNS, where=_where(streams)).combine_chunks()
    if not table.num_rows:
        return {}
    codes = [table[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in ("recording_id", "stream")]
    places = np.flatnonzero(np.concatenate([[True], np.any([np.diff(code) != 0 for code in codes], axis=0)]))
    ends = np.append(places[1:], table.num_rows)
    found = {}
    for start, end in zip(places.tolist(), ends.tolist(), strict=True):
        part = table.slice(start, end - start)
        axes = [part[name] for name in "xyzw" if part[name].null_count < part.num_rows]
        values = np.stack([axis.to_numpy() for axis in axes], axis=1).astype(np.float64)
        key = (part["recording_id"][0].as_py(), part["stream"][0].as_py())
        found[key] = (part["t_ns"].to_numpy(), np.nan_to_num(values, posinf=0, neginf=0))
    return found


def _where(streams: set[StreamKey]) -> dict[str, list[str]]:
    return {
        "batch_id": sorted({one.batch_id for one in streams}),
        "recording_id": sorted({one.recording_id for one in streams}),
        "stream": sorted({one.stream for one in streams}),
    }


def _compared(
    candidate: _Candidate,
    own: StreamKey,
    other: StreamKey,
    samples: Mapping[tuple[str, str], tuple[_Times, _Values]],
) -> Match | None:
    own_times, own_values = samples[own.recording_id, own.stream]
    other_times, other_values = samples[other.recording_id, other.stream]
    stretch = common_stretch(own_values, other_values, offset=candidate.offset, first=candidate.first, last=candidate.last)
    if stretch is None:
        return None
    return Match(own, other, stretch, int(own_times[stretch.first] - other_times[stretch.other_first]))
