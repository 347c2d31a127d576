"""The tables of one batch, and the tables of facts that its contract's suites are about.

Belongs here: reading and shaping only; a value is never judged here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from quality.suites import CONTENTS, FILES, MANIFEST, has
from studies.study import Study
from warehouse.lake import Lake


@dataclass(frozen=True)
class BatchFacts:
    """What was read of a batch.

    Parameters
    ----------
    batch_id : str
    recordings, streams, findings, files : Table
        The batch's rows of the tables of that name, all columns, in a fixed order.
    """

    batch_id: str
    recordings: pa.Table
    streams: pa.Table
    findings: pa.Table
    files: pa.Table

    @property
    def recording_ids(self) -> list[str]:
        """Every recording once, sorted."""
        return sorted(set(self.recordings["recording_id"].to_pylist()))

    @property
    def with_samples(self) -> set[str]:
        """Recordings with at least one reading."""
        return set(_having_rows(self.streams)["recording_id"].to_pylist())

    @property
    def errors(self) -> pa.Table:
        """Findings with severity error."""
        return self.findings.filter(pc.equal(self.findings["severity"], "error"))


def read_facts(batch_id: str, lake: Lake) -> BatchFacts:
    """Read the small tables of a batch; no sample is touched."""
    where = {"batch_id": batch_id}
    return BatchFacts(
        batch_id,
        lake.read("recordings", where=where).sort_by("recording_id"),
        lake.read("streams", where=where).sort_by([("recording_id", "ascending"), ("stream", "ascending")]),
        lake.read("findings", where=where),
        lake.read("files", where=where).sort_by("path"),
    )


def tables_of_facts(facts: BatchFacts, study: Study) -> Mapping[str, pa.Table]:
    """Return the table of facts for every suite of the study, by the suite's name.

    A recording of which nothing could be read, and which says so with a finding, is not asked for its contents again.
    """
    recordings = _with_presence(_with_participant_fits(facts.recordings, study), facts, study)
    unread = pc.and_(pc.invert(recordings[has("any")]), _among(recordings, facts.errors["recording_id"]))
    tables = {FILES: facts.findings, MANIFEST: recordings, CONTENTS: recordings.filter(pc.invert(unread))}
    for name in study.streams:
        tables[name] = facts.streams.filter(pc.equal(facts.streams["stream"], name))
    return tables


def _with_participant_fits(recordings: pa.Table, study: Study) -> pa.Table:
    pattern = re.compile(study.participants)
    names = set(recordings["participant"].to_pylist())
    fitting = pa.array([name for name in names if name is not None and pattern.fullmatch(name)], pa.string())
    return recordings.append_column("participant_fits", pc.is_in(recordings["participant"], fitting))


def _with_presence(recordings: pa.Table, facts: BatchFacts, study: Study) -> pa.Table:
    there = _having_rows(facts.streams)
    recordings = recordings.append_column(has("any"), _among(recordings, there["recording_id"]))
    for name in study.streams:
        having = there.filter(pc.equal(there["stream"], name))["recording_id"]
        recordings = recordings.append_column(has(name), _among(recordings, having))
    return recordings


def _having_rows(streams: pa.Table) -> pa.Table:
    return streams.filter(pc.greater(streams["rows"], 0))


def _among(recordings: pa.Table, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(recordings["recording_id"], ids.combine_chunks())
