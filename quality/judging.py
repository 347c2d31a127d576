"""Gives every recording of a batch its verdict: contract, copies and what people decided.

Belongs here: the order of judging. The demands are in `quality.suites`, their wording in `quality.reasons`, the rows in
`quality.verdicts`, what is told to the scheduler in `quality.checks`.
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
import pyarrow.compute as pc

from quality.checks import Check, Judged, check_rows, checks_of
from quality.confounding import study_facts
from quality.copies import find_copies
from quality.decisions import Decisions, decisions_on
from quality.expectations import Violation, violations
from quality.facts import BatchFacts, read_facts, tables_of_facts
from quality.reasons import contents_reason, finding_reason, manifest_reason, stream_reasons
from quality.settling import settle
from quality.suites import Demand, Suite
from quality.verdicts import remember, verdict_rows
from studies.study import Study
from warehouse.errors import Reason
from warehouse.home import Home
from warehouse.lake import Lake

__all__ = ["Check", "Judgement", "judge_batch"]

_MANIFEST_CODES = ("participant_unknown", "label_unknown")


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
    changed : int
        Verdicts that say something else than the one before, first ones included.
    """

    batch_id: str
    accepted: int
    quarantined: int
    checks: tuple[Check, ...]
    reasons: Mapping[str, int]
    changed: int


@dataclass(frozen=True)
class ContractFindings:
    """What the study's contract says of a batch, copies aside.

    Parameters
    ----------
    reasons : mapping of str to list of Reason
        By recording; recordings without a fault are not in it.
    warned : mapping of str to set of str
        Code of a warning -> recordings that it is about.
    found : tuple of Violation
    """

    reasons: Mapping[str, Sequence[Reason]]
    warned: Mapping[str, set[str]]
    found: tuple[Violation, ...]


def judge_batch(batch_id: str, study: Study, home: Home) -> Judgement:
    """Judge every recording of a batch; replace its rows of `verdicts` and `checks`, and add what changed to its history.

    First the tables that reading wrote are brought in line with the study's labels of today and with people's corrections; no
    delivered file is read. A recording is accepted if it has no reason against it, or if a person released it; one without a
    single reading stays set aside whoever released it. Judging again gives the same verdicts, `judged_at` aside.

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
    with _one_batch_at_a_time(study, home):
        settle(batch_id, study, lake)
    facts = read_facts(batch_id, lake)
    contract = contract_findings(facts, study)
    with _one_batch_at_a_time(study, home):
        decisions = decisions_on(facts, lake)
        unusable = contract.reasons.keys() - decisions.released.keys()
        copies = find_copies(facts, study, home, unusable=unusable)
        reasons = _together(contract.reasons, copies.reasons)
        changed = _write_verdicts(facts, reasons, decisions, study, lake)
    verdicts = lake.read("verdicts", where={"batch_id": batch_id})
    associations = study_facts(study, home).associations
    judged = Judged(facts, study, verdicts, contract.warned, contract.found, copies.also_in_quarantine, associations)
    checks = checks_of(judged)
    rows = check_rows(checks, batch_id=batch_id, contract_version=study.contract_version, judged_at=datetime.now(UTC))
    lake.replace("checks", rows, where={"batch_id": batch_id})
    accepted = pc.sum(verdicts["accepted"]).as_py() or 0
    return Judgement(batch_id, accepted, verdicts.num_rows - accepted, checks, _frequencies(reasons), changed)


def contract_findings(facts: BatchFacts, study: Study) -> ContractFindings:
    """Hold the facts of a batch against the study's contract."""
    tables = tables_of_facts(facts, study)
    found = violations(tables)
    reasons: dict[str, dict[Reason, None]] = defaultdict(dict)
    for suite, table in tables:
        broken = list(_broken(found, suite, table))
        ids = {row["recording_id"] for row, _ in broken}
        paths, held = _paths(facts, ids), _streams_held(facts, ids)
        for row, demands in broken:
            recording_id = row["recording_id"]
            path, streams = paths.get(recording_id, recording_id), held.get(recording_id, [])
            reasons[recording_id] |= dict.fromkeys(_worded(suite, demands, row, study, path=path, streams=streams))
    return ContractFindings({one: list(given) for one, given in reasons.items()}, _warned(found, tables), tuple(found))


def _write_verdicts(
    facts: BatchFacts, reasons: Mapping[str, Sequence[Reason]], decisions: Decisions, study: Study, lake: Lake
) -> int:
    verdicts = verdict_rows(
        facts,
        reasons,
        released=decisions.released,
        decisions=decisions.counts,
        contract_version=study.contract_version,
        judged_at=datetime.now(UTC),
    )
    # The history first: killed in between, the next judging finds there what it is about to say, and adds nothing.
    changed = remember(verdicts, lake, batch_id=facts.batch_id)
    lake.replace("verdicts", verdicts, where={"batch_id": facts.batch_id})
    return changed


def _worded(
    suite: Suite, demands: Sequence[Demand], row: dict[str, Any], study: Study, *, path: str, streams: Sequence[str]
) -> list[Reason]:
    if suite.level == "file":
        return [finding_reason(row)]
    if suite.level == "stream":
        contract = study.contract_of(suite.about)
        assert contract is not None
        return stream_reasons(demands, row, contract)
    return [
        manifest_reason(demand, row, study, path)
        if demand.code in _MANIFEST_CODES
        else contents_reason(demand, row, study, path=path, found=streams)
        for demand in demands
    ]


def _broken(found: Sequence[Violation], suite: Suite, facts: pa.Table) -> Iterator[tuple[dict[str, Any], list[Demand]]]:
    """Give every row that must be set aside by the suite, with all demands that it breaks."""
    demands: dict[int, list[Demand]] = defaultdict(list)
    for violation in found:
        if violation.suite is suite and violation.severity == "error":
            for row in violation.rows:
                demands[row].append(violation.demand)
    numbers = sorted(demands)
    yield from zip(facts.take(pa.array(numbers, pa.int64())).to_pylist(), (demands[number] for number in numbers), strict=True)


def _warned(found: Sequence[Violation], tables: Sequence[tuple[Suite, pa.Table]]) -> dict[str, set[str]]:
    of_suite = {suite.name: table["recording_id"] for suite, table in tables}
    warned: dict[str, set[str]] = defaultdict(set)
    for violation in found:
        if violation.severity == "warning":
            warned[violation.demand.code] |= set(
                of_suite[violation.suite.name].take(pa.array(violation.rows, pa.int64())).to_pylist()
            )
    return warned


def _paths(facts: BatchFacts, recordings: set[str]) -> dict[str, str]:
    """Name each recording by its first file, and say how many more it has."""
    paths = _of_recordings(facts.files, recordings, "path")
    return {one: files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else "") for one, files in paths.items()}


def _streams_held(facts: BatchFacts, recordings: set[str]) -> dict[str, list[str]]:
    return _of_recordings(facts.streams, recordings, "stream")


def _of_recordings(table: pa.Table, recordings: set[str], column: str) -> dict[str, list[str]]:
    rows = table.filter(pc.is_in(table["recording_id"], pa.array(sorted(recordings), pa.string())))
    found: dict[str, list[str]] = defaultdict(list)
    for recording_id, value in zip(rows["recording_id"].to_pylist(), rows[column].to_pylist(), strict=True):
        found[recording_id].append(value)
    return found


def _together(*given: Mapping[str, Sequence[Reason]]) -> dict[str, list[Reason]]:
    names = sorted(set().union(*given))
    return {name: [reason for of_kind in given for reason in of_kind.get(name, ())] for name in names}


def _frequencies(reasons: Mapping[str, Sequence[Reason]]) -> dict[str, int]:
    counts = Counter(sorted(code for given in reasons.values() for code in {reason.code for reason in given}))
    return dict(counts.most_common())


@contextmanager
def _one_batch_at_a_time(study: Study, home: Home) -> Iterator[None]:
    """Let batches of a study pass one after the other: two at once would each find no copy in the other's verdicts."""
    with (home.lake / f".judging-{study.study}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
