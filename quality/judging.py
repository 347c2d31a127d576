"""Gives every recording of a batch its verdict: contract, copies and what people decided.

Belongs here: the order of judging and the rows of `verdicts`. The demands are in `quality.suites`, their wording in
`quality.reasons`, what is told to the scheduler in `quality.checks`.
"""

from __future__ import annotations

import fcntl
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from quality.checks import Check, checks_of
from quality.copies import find_copies
from quality.facts import BatchFacts, read_facts, tables_of_facts
from quality.reasons import contents_reason, finding_reason, manifest_reason, stream_reasons
from quality.suites import CONTENTS, FILES, MANIFEST, Demand, Violation, suites_of, violations
from studies.study import StreamContract, Study
from warehouse.errors import Reason
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

__all__ = ["Check", "Judgement", "judge_batch"]

_Reasons = Mapping[str, Sequence[Reason]]


@dataclass(frozen=True)
class Judgement:
    """What came of a batch.

    Parameters
    ----------
    accepted, quarantined : int
        Recordings; together all of the batch.
    checks : tuple of Check
        Always the same names, in the same order.
    reasons : mapping of str to int
        Reason code to recordings that have it, released ones included; most frequent first.
    """

    batch_id: str
    accepted: int
    quarantined: int
    checks: tuple[Check, ...]
    reasons: Mapping[str, int]


def judge_batch(batch_id: str, study: Study, home: Home) -> Judgement:
    """Judge every recording of a batch and replace the batch's rows of `verdicts`.

    A recording is accepted if it has no reason against it, or if a person released it; one without a single reading stays
    set aside whoever released it. Judging again gives the same verdicts, `judged_at` aside.

    Parameters
    ----------
    batch_id : str
    study : Study
        Its contract judges; `contract_version` of the verdicts tells which one it was.
    home : Home

    Returns
    -------
    Judgement

    Raises
    ------
    KinelakeError
        ``expectation_failed_to_run`` if a demand could not be evaluated; no verdict is written then.
    """
    lake = Lake(home)
    facts = read_facts(batch_id, lake)
    found = contract_reasons(facts, study)
    with _one_batch_at_a_time(study, home):
        released = _releases(facts, lake)
        unusable = {recording_id for recording_id in found if recording_id not in released}
        copies = find_copies(facts, study, lake, unusable=unusable)
        reasons = {one: [*found.get(one, ()), *copies.reasons.get(one, ())] for one in facts.recording_ids}
        verdicts = _verdicts(facts, reasons, released, study)
        lake.replace("verdicts", verdicts, where={"batch_id": batch_id})
    written = lake.read("verdicts", where={"batch_id": batch_id})
    checks = checks_of(facts, study, written, also_in_quarantine=copies.also_in_quarantine)
    accepted = sum(verdicts["accepted"].to_pylist())
    return Judgement(batch_id, accepted, verdicts.num_rows - accepted, checks, _frequencies(reasons))


def contract_reasons(facts: BatchFacts, study: Study) -> dict[str, list[Reason]]:
    """Return what the study's contract says against each recording, copies aside; recordings without a fault are not in it."""
    tables = tables_of_facts(facts, study)
    found = violations([(suite, tables[name]) for name, suite in suites_of(study).items()])
    paths, held = _paths(facts), _streams_held(facts)
    reasons: dict[str, dict[Reason, None]] = defaultdict(dict)
    for suite in dict.fromkeys(violation.suite for violation in found):
        for row, demands in _broken(found, suite, tables[suite]):
            recording_id = row["recording_id"]
            path, streams = paths.get(recording_id, recording_id), held.get(recording_id, [])
            reasons[recording_id] |= dict.fromkeys(_worded(suite, demands, row, study, path=path, streams=streams))
    return {recording_id: list(given) for recording_id, given in reasons.items()}


def _worded(
    suite: str, demands: Sequence[Demand], row: dict[str, Any], study: Study, *, path: str, streams: Sequence[str]
) -> list[Reason]:
    if suite == FILES:
        return [finding_reason(row)]
    if suite == MANIFEST:
        return [manifest_reason(demand, row, study, path) for demand in demands]
    if suite == CONTENTS:
        return [contents_reason(demand, row, study, path=path, found=streams) for demand in demands]
    contracts: dict[str, StreamContract] = dict(study.streams.items())
    return stream_reasons(demands, row, contracts[suite])


def _broken(found: Sequence[Violation], suite: str, facts: pa.Table) -> Iterator[tuple[dict[str, Any], list[Demand]]]:
    """Give every row that breaks a demand of the suite, with all demands that it breaks."""
    demands: dict[int, list[Demand]] = defaultdict(list)
    for violation in found:
        if violation.suite == suite:
            for row in violation.rows:
                demands[row].append(violation.demand)
    numbers = sorted(demands)
    yield from zip(facts.take(numbers).to_pylist(), (demands[number] for number in numbers), strict=True)


def _paths(facts: BatchFacts) -> dict[str, str]:
    """Name each recording by its first file, and say how many more it has."""
    paths: dict[str, list[str]] = defaultdict(list)
    for recording_id, path in zip(facts.files["recording_id"].to_pylist(), facts.files["path"].to_pylist(), strict=True):
        paths[recording_id].append(path)
    return {one: files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else "") for one, files in paths.items()}


def _streams_held(facts: BatchFacts) -> dict[str, list[str]]:
    held: dict[str, list[str]] = defaultdict(list)
    for recording_id, stream in zip(facts.streams["recording_id"].to_pylist(), facts.streams["stream"].to_pylist(), strict=True):
        held[recording_id].append(stream)
    return held


def _releases(facts: BatchFacts, lake: Lake) -> dict[str, str]:
    """Return who let which recording out; the latest decision counts, and only for recordings that hold something."""
    where = {"recording_id": facts.recording_ids}
    rows = lake.read("releases", columns=["recording_id", "who", "released_at"], where=where).sort_by("released_at").to_pylist()
    held = facts.with_samples
    return {row["recording_id"]: row["who"] for row in rows if row["recording_id"] in held}


def _verdicts(facts: BatchFacts, reasons: _Reasons, released: Mapping[str, str], study: Study) -> pa.Table:
    participants = dict(
        zip(facts.recordings["recording_id"].to_pylist(), facts.recordings["participant"].to_pylist(), strict=True)
    )
    signed = {"batch_id": facts.batch_id, "contract_version": study.contract_version, "judged_at": datetime.now(UTC)}
    rows = [
        {
            **signed,
            "recording_id": recording_id,
            "participant": participants[recording_id],
            "accepted": not given or recording_id in released,
            "reasons": [vars(reason) for reason in given],
            "released_by": released.get(recording_id) if given else None,
        }
        for recording_id, given in reasons.items()
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["verdicts"].schema)


def _frequencies(reasons: _Reasons) -> dict[str, int]:
    counts = Counter(sorted(code for given in reasons.values() for code in {reason.code for reason in given}))
    return dict(counts.most_common())


@contextmanager
def _one_batch_at_a_time(study: Study, home: Home) -> Iterator[None]:
    """Let batches of a study pass one after the other: two at once would each find no copy in the other's verdicts."""
    with (home.lake / f".judging-{study.study}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
