"""The tables of one batch, and the tables of facts that its contract's suites are about.

Belongs here: reading and shaping only; a value is never judged here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from quality.suites import Suite, has, suites_of
from studies.sensors import sensor_of
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
    def recording_ids(self) -> pa.Array:
        """Every recording once, sorted."""
        ids = pc.unique(self.recordings["recording_id"])
        return ids.take(pc.array_sort_indices(ids))

    @property
    def with_samples(self) -> pa.Array:
        """Recordings with at least one reading."""
        return pc.unique(_having_rows(self.streams)["recording_id"])

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


def tables_of_facts(facts: BatchFacts, study: Study) -> list[tuple[Suite, pa.Table]]:
    """Return every suite of the study with its table of facts, one row for each thing of its level.

    A file's rows are its findings. A recording of which nothing could be read, and which says so with a finding, is not asked
    for its contents again.
    """
    recordings = _with_contents(_with_participant_fits(facts.recordings, study), facts, study)
    tables = {"file": facts.findings, "recording": recordings, "label": facts.recordings}
    return [
        (suite, _streams(facts, study, suite.about) if suite.level == "stream" else tables[suite.level])
        for suite in suites_of(study)
    ]


def streams_under(facts: BatchFacts, study: Study, contract: str) -> pa.Table:
    """Return the rows of table `streams` that a contract of the study is for; a sensor's is for it at every place of the body."""
    names = [name for name in pc.unique(facts.streams["stream"]).to_pylist() if contract_name(name, study) == contract]
    return facts.streams.filter(pc.is_in(facts.streams["stream"], pa.array(names, pa.string())))


def contract_name(stream: str, study: Study) -> str | None:
    """Return under which name the study says what a stream must be like: its own, else its sensor's; None if under neither."""
    return next((name for name in (stream, sensor_of(stream)) if name in study.streams), None)


def _streams(facts: BatchFacts, study: Study, contract: str) -> pa.Table:
    """The streams with what is compared of them; a rate that no file states is as stated, a share that is not known is none."""
    streams = streams_under(facts, study, contract)
    over_declared = pc.divide(streams["rate_hz"], streams["declared_rate_hz"])
    held = streams.schema.get_field_index("held")
    streams = streams.set_column(held, "held", pc.fill_null(streams["held"], 0.0))
    return streams.append_column("over_declared", pc.fill_null(over_declared, 1.0))


def _with_participant_fits(recordings: pa.Table, study: Study) -> pa.Table:
    pattern = re.compile(study.participants)
    names = pc.unique(recordings["participant"]).drop_null().to_pylist()
    fitting = pa.array([name for name in names if pattern.fullmatch(name)], pa.string())
    return recordings.append_column("participant_fits", pc.is_in(recordings["participant"], fitting))


def _with_contents(recordings: pa.Table, facts: BatchFacts, study: Study) -> pa.Table:
    there = _having_rows(facts.streams)
    readable = _among(recordings, there["recording_id"])
    excused = pc.and_(pc.invert(readable), _among(recordings, facts.errors["recording_id"]))
    with_rows = BatchFacts(facts.batch_id, facts.recordings, there, facts.findings, facts.files)
    columns = {has(name): _among(recordings, streams_under(with_rows, study, name)["recording_id"]) for name in study.streams}
    for name, column in {has("any"): readable, **columns}.items():
        recordings = recordings.append_column(name, pc.or_(column, excused))
    duration = pc.if_else(excused, study.min_duration_s or 0.0, recordings["duration_s"])
    return recordings.set_column(recordings.schema.get_field_index("duration_s"), "duration_s", duration)


def _having_rows(streams: pa.Table) -> pa.Table:
    return streams.filter(pc.greater(streams["rows"], 0))


def _among(recordings: pa.Table, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(recordings["recording_id"], ids.combine_chunks())
