"""Looks up which streams of a study have values or marks in common, at a cost that hardly grows with the number of batches.

Belongs here: a B-tree over `streams.value_hash` and one over `fingerprints.hash`. How they stay in step with the lake is in
`warehouse.study_index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warehouse.lake import Lake
from warehouse.study_index import StudyIndex

#: A mark that more streams have tells nothing; reading no more keeps the cost of a look-up the same in a lake of any size.
MOST_COMMON = 64

_AT_A_TIME = 200
_OF_RECORDING = ["batch_id", "recording_id"]
_OF_STREAM = [*_OF_RECORDING, "stream"]
_SCHEMA = """
CREATE TABLE streams (
    number INTEGER PRIMARY KEY, batch_id TEXT NOT NULL, recording_id TEXT NOT NULL, stream TEXT NOT NULL, rows INTEGER,
    value_hash TEXT, marks BLOB NOT NULL
);
CREATE INDEX streams_of_batch ON streams (batch_id);
CREATE INDEX streams_by_value ON streams (value_hash) WHERE value_hash IS NOT NULL;
CREATE TABLE marks (hash INTEGER, stream INTEGER, position INTEGER, PRIMARY KEY (hash, stream, position)) WITHOUT ROWID;
"""
_KEYS = "SELECT number, batch_id, recording_id, stream, rows FROM streams WHERE number IN ({})"
_SAME_VALUES = """
SELECT own.number, other.number FROM streams AS own JOIN streams AS other ON other.value_hash = own.value_hash
WHERE own.batch_id = ? AND other.recording_id <> own.recording_id
"""
_SAME_MARKS = """
WITH telling AS MATERIALIZED (
    SELECT hash FROM (SELECT DISTINCT hash FROM own) AS one
    WHERE (SELECT count(*) FROM (SELECT 1 FROM marks WHERE marks.hash = one.hash LIMIT :most + 1)) <= :most
)
SELECT own.stream, other.stream, own.position, other.position
FROM telling JOIN own USING (hash) JOIN marks AS other USING (hash)
WHERE other.stream <> own.stream
"""

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, order=True)
class StreamKey:
    """A stream of a recording of a batch, and how many readings it has."""

    batch_id: str
    recording_id: str
    stream: str
    rows: int


@dataclass(frozen=True)
class SharedMarks:
    """Marks that streams of one batch have in common with other streams, a row for each.

    Parameters
    ----------
    own, other : ndarray of int64, shape (n,)
        Numbers of the streams; `FingerprintIndex.keys` knows them.
    own_position, other_position : ndarray of int64, shape (n,)
        Readings at which the mark begins.
    """

    own: _Ints
    other: _Ints
    own_position: _Ints
    other_position: _Ints


class FingerprintIndex(StudyIndex):
    """Which streams of a study have a value hash, and where in which streams a mark is."""

    folder = "."
    layout = 1
    schema = _SCHEMA
    made_from = ("recordings", "streams", "fingerprints")

    def same_values(self, batch_id: str) -> list[tuple[int, int]]:
        """Return pairs of streams with equal values: one of the batch, and one of any other recording of the study."""
        return self._connection.execute(_SAME_VALUES, [batch_id]).fetchall()

    def same_marks(self, batch_id: str) -> SharedMarks:
        """Return the marks of a batch that other streams of the study have too; those that very many have are left out."""
        self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS own (hash INTEGER, stream INTEGER, position INTEGER)")
        self._connection.execute("DELETE FROM own")
        self._connection.executemany("INSERT INTO own VALUES (?, ?, ?)", self._marks_of(batch_id))
        rows = self._connection.execute(_SAME_MARKS, {"most": MOST_COMMON}).fetchall()
        return SharedMarks(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)

    def keys(self, numbers: Sequence[int]) -> dict[int, StreamKey]:
        """Return what streams are known by their numbers."""
        found = {}
        for start in range(0, len(numbers), _AT_A_TIME):
            part = list(numbers[start : start + _AT_A_TIME])
            rows = self._connection.execute(_KEYS.format(",".join("?" * len(part))), part)
            found.update({number: StreamKey(*key) for number, *key in rows})
        return found

    def take_out(self, batch_id: str) -> None:
        """Delete the streams and marks of a batch."""
        gone = self._marks_of(batch_id)
        self._connection.executemany("DELETE FROM marks WHERE hash = ? AND stream = ? AND position = ?", gone)
        self._connection.execute("DELETE FROM streams WHERE batch_id = ?", [batch_id])

    def take_in(self, batches: Sequence[str], study: str, lake: Lake) -> None:
        """Add the streams and marks of batches."""
        where = {"batch_id": batches}
        recordings = lake.read("recordings", columns=_OF_RECORDING, where={**where, "study": study})
        if not recordings.num_rows:
            return
        streams = lake.read("streams", columns=[*_OF_STREAM, "rows", "value_hash"], where=where)
        streams = streams.join(recordings, _OF_RECORDING, join_type="inner")
        (first,) = self._connection.execute("SELECT coalesce(max(number), 0) + 1 FROM streams").fetchone()
        streams = streams.append_column("number", pa.array(range(first, first + streams.num_rows), pa.int64()))
        marks = lake.read("fingerprints", columns=[*_OF_STREAM, "position", "hash"], where=where)
        marks = marks.join(streams.select([*_OF_STREAM, "number"]), _OF_STREAM, join_type="inner")
        packed = _packed(marks)
        columns = ("number", *_OF_STREAM, "rows", "value_hash")
        rows = zip(*(streams[name].to_pylist() for name in columns), strict=True)
        self._connection.executemany(
            "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?)", ((*row, packed.get(row[0], b"")) for row in rows)
        )
        marks = marks.sort_by([(name, "ascending") for name in ("hash", "number", "position")])
        triples = zip(*(marks[name].to_pylist() for name in ("hash", "number", "position")), strict=True)
        self._connection.executemany("INSERT OR IGNORE INTO marks VALUES (?, ?, ?)", triples)

    def _marks_of(self, batch_id: str) -> list[tuple[int, int, int]]:
        """Hash, number of the stream and position of every mark of a batch."""
        rows = self._connection.execute("SELECT number, marks FROM streams WHERE batch_id = ?", [batch_id])
        unpacked = ((number, np.frombuffer(marks, np.int64).reshape(2, -1).tolist()) for number, marks in rows)
        return [(mark, number, position) for number, marks in unpacked for mark, position in zip(*marks, strict=True)]


def _packed(marks: pa.Table) -> dict[int, bytes]:
    """Hashes and positions of every stream as one row of bytes, by the stream's number."""
    marks = marks.sort_by([("number", "ascending"), ("position", "ascending")])
    numbers, starts = np.unique(marks["number"].to_numpy(), return_index=True)
    pairs = np.stack([marks["hash"].to_numpy(), marks["position"].to_numpy()])
    parts = np.split(pairs, starts[1:], axis=1) if numbers.size else []
    return {number: part.tobytes() for number, part in zip(numbers.tolist(), parts, strict=True)}
