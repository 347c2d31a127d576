"""Counts a study's accepted recordings by what is known of them, without a look at every batch.

Belongs here: what of a recording is counted. What the counts tell of a study is in `quality.confounding`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from warehouse.lake import Lake
from warehouse.study_index import StudyIndex

_COUNTED = ("label", "participant", "device", "site")
_BY_BATCH = ("batch_id", *_COUNTED)
_SCHEMA = pa.schema([*((name, pa.string()) for name in _BY_BATCH), ("recordings", pa.int64())])


class AcceptedIndex(StudyIndex):
    """How many recordings of a study are accepted, by batch, label, participant, device and site."""

    folder = "accepted"
    layout = 1
    schema = """
    CREATE TABLE accepted (batch_id TEXT NOT NULL, label TEXT, participant TEXT, device TEXT, site TEXT, recordings INTEGER);
    CREATE INDEX accepted_of_batch ON accepted (batch_id);
    """
    made_from = ("recordings", "verdicts")

    def counts(self) -> pa.Table:
        """Return ``batch_id, label, participant, device, site, recordings``, a row for each combination that occurs."""
        rows = self._connection.execute("SELECT batch_id, label, participant, device, site, recordings FROM accepted").fetchall()
        columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
        return pa.table([pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)

    def take_out(self, batch_id: str) -> None:
        """Delete what is counted of a batch."""
        self._connection.execute("DELETE FROM accepted WHERE batch_id = ?", [batch_id])

    def take_in(self, batches: Sequence[str], study: str, lake: Lake) -> None:
        """Count the accepted recordings of batches."""
        key = ["batch_id", "recording_id"]
        recordings = lake.read("recordings", columns=[*key, *_COUNTED], where={"batch_id": batches, "study": study})
        verdicts = lake.read("verdicts", columns=[*key, "accepted"], where={"batch_id": batches})
        accepted = recordings.join(verdicts.filter(verdicts["accepted"]).select(key), key, join_type="inner")
        counted = accepted.group_by(list(_BY_BATCH)).aggregate([([], "count_all")])
        rows = zip(*(counted[name].to_pylist() for name in (*_BY_BATCH, "count_all")), strict=True)
        self._connection.executemany("INSERT INTO accepted VALUES (?, ?, ?, ?, ?, ?)", rows)
