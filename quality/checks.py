"""What a judged batch tells its scheduler, its analysts and its people: named checks with a sentence and figures.

Belongs here: counting over verdicts that are written, and what broken demands mean for a batch. A check blocks only where
going on would be wrong for everybody; a bad recording is set aside and stops nothing.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from quality.confounding import Association
from quality.copies import COPY_CODES
from quality.expectations import Violation, violations
from quality.facts import BatchFacts, streams_under
from quality.overview import batch_in_study, factors_of, label_balance, recordings_by_code
from quality.reasons import figure, spoken
from quality.suites import Demand, Level, Severity, balance_suite, confounding_suite, study_suite, suites_of
from studies.study import Study
from warehouse.schemas import TABLES

_STREAM_CODES = ("rate_out_of_contract", "gap_too_long", "jitter_too_high", "out_of_range", "saturated")
_STREAM_WARNINGS = ("rate_not_as_declared", "readings_repeated")
_RECORDING_CODES = ("stream_missing", "too_short")

Figures = Mapping[str, float | int | str]
_Codes = Mapping[str, set[str]]


@dataclass(frozen=True)
class Check:
    """One thing that was checked on a batch.

    Parameters
    ----------
    name : str
        Stable snake_case name.
    level : {"file", "stream", "recording", "label", "study"}
    passed : bool
    severity : {"error", "warning"}
        The gravest of the demands that were not fulfilled; of all that were asked, if all were.
    sentence : str
        What was found, in plain words.
    figures : mapping of str to float, int or str
    blocking : bool
        True if nothing may go on when it fails.
    """

    name: str
    level: Level
    passed: bool
    severity: Severity
    sentence: str
    figures: Figures = field(default_factory=dict)
    blocking: bool = False


@dataclass(frozen=True)
class Judged:
    """A batch whose verdicts are written.

    Parameters
    ----------
    facts : BatchFacts
    study : Study
    verdicts : Table
        The batch's rows as they were written.
    warned : mapping of str to set of str
        Code of a warning -> recordings that it is about.
    found : sequence of Violation
        Everything that Great Expectations found against files, streams, recordings and labels.
    also_in_quarantine : int
        Recordings whose values lie in another batch's quarantine as well.
    associations : sequence of Association
        What device, participant, site and batch tell about the label, over the whole study.
    """

    facts: BatchFacts
    study: Study
    verdicts: pa.Table
    warned: _Codes
    found: Sequence[Violation]
    also_in_quarantine: int
    associations: Sequence[Association]


def checks_of(judged: Judged) -> tuple[Check, ...]:
    """Return every check of a batch, always the same names in the same order, level by level."""
    balance = label_balance(judged.facts, judged.study, judged.verdicts)
    study = batch_in_study(judged.facts, judged.verdicts, also_in_quarantine=judged.also_in_quarantine)
    told = (balance_suite(), balance), (study_suite(), study), (confounding_suite(), factors_of(judged.associations))
    found = [*judged.found, *violations(told)]
    graver, codes = _Gravity(judged.study, found), recordings_by_code(judged.verdicts)
    return (
        _files_readable(judged.facts, graver),
        _files_repaired(judged, graver),
        _stream_contracts(judged, codes, graver),
        _stream_oddities(judged, graver),
        _units(judged, codes, graver),
        _recordings_complete(judged, codes, graver),
        _participants(judged, codes, graver),
        _labels(judged, codes, graver),
        _class_balance(judged, balance, found, graver),
        _every_recording_judged(judged, study, graver),
        _copies(judged, codes, graver),
        _confounding(judged, graver),
    )


def check_rows(checks: Iterable[Check], *, batch_id: str, contract_version: str, judged_at: datetime) -> pa.Table:
    """Return checks as rows of table `checks`."""
    signed = {"batch_id": batch_id, "contract_version": contract_version, "judged_at": judged_at}
    rows = [
        {
            **signed,
            "level": check.level,
            "check_name": check.name,
            "severity": check.severity,
            "passed": check.passed,
            "sentence": check.sentence,
            "figures": json.dumps(dict(check.figures), ensure_ascii=False),
        }
        for check in checks
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["checks"].schema)


class _Gravity:
    """How grave a check is, by the severities of the expectations behind it."""

    def __init__(self, study: Study, found: Sequence[Violation]) -> None:
        suites = (*suites_of(study), balance_suite(), study_suite(), confounding_suite())
        self._asked: list[Demand] = [demand for suite in suites for demand in suite.demands]
        self._found = found

    def of(self, *codes: str) -> Severity:
        broken = {violation.severity for violation in self._found if violation.demand.code in codes}
        asked = {demand.severity for demand in self._asked if demand.code in codes}
        return "error" if "error" in (broken or asked) else "warning"


def _files_readable(facts: BatchFacts, graver: _Gravity) -> Check:
    errors, files = facts.errors, facts.files.num_rows
    faulty = len(pc.unique(errors["path"]))
    worst = ", ".join(f"{code} ({count})" for code, count in Counter(errors["code"].to_pylist()).most_common(3))
    sentence = f"{faulty} of {_files(files)} could not be read: {worst}" if faulty else f"{_files(files)}, all of them readable"
    figures = {"files": files, "not_readable": faulty, "findings": len(errors)}
    return Check("files_readable", "file", not faulty, graver.of("file_unreadable"), sentence, figures)


def _files_repaired(judged: Judged, graver: _Gravity) -> Check:
    findings = judged.facts.findings
    repaired = findings.filter(pc.equal(findings["severity"], "warning"))
    codes = Counter(repaired["code"].to_pylist())
    touched = len(pc.unique(repaired["path"]))
    told = ", ".join(f"{code} ({count})" for code, count in codes.most_common(3))
    files = _files(judged.facts.files.num_rows)
    sentence = (
        f"something odd was found in {touched} of {files}: {told}" if touched else f"{files}, nothing odd about any of them"
    )
    return Check("files_repaired", "file", not touched, graver.of("file_repaired"), sentence, {"repaired": touched, **codes})


def _stream_contracts(judged: Judged, codes: _Codes, graver: _Gravity) -> Check:
    outside, recordings = _having(codes, _STREAM_CODES), len(judged.facts.recording_ids)
    figures: dict[str, float | int | str] = {"recordings": recordings, "outside": len(outside)}
    figures |= {code: len(codes[code]) for code in _STREAM_CODES if code in codes}
    parts = []
    for name in judged.study.streams:
        measured = _extremes(streams_under(judged.facts, judged.study, name), name)
        figures |= measured
        if f"{name}_lowest_rate_hz" in measured:
            rates = [figure(float(measured[f"{name}_{end}_rate_hz"])) for end in ("lowest", "highest")]
            parts.append(f"{spoken(name)} at {' to '.join(dict.fromkeys(rates))} Hz")
    found = _count(outside, recordings, "outside the limits for sensors", "inside the limits of every sensor")
    return Check("stream_contracts", "stream", not outside, graver.of(*_STREAM_CODES), "; ".join([found, *parts]), figures)


def _stream_oddities(judged: Judged, graver: _Gravity) -> Check:
    odd = _having(judged.warned, _STREAM_WARNINGS)
    fault = "with a rate that is not the declared one, or readings that mostly repeat the one before"
    sentence = _count(odd, len(judged.facts.recording_ids), fault, "read as fast as their files say, with readings of their own")
    figures = _counts(judged.warned, _STREAM_WARNINGS)
    return Check("stream_oddities", "stream", not odd, graver.of(*_STREAM_WARNINGS), sentence, figures)


def _extremes(streams: pa.Table, name: str) -> dict[str, float | int | str]:
    rates, gaps = (
        pc.min_max(values.filter(pc.is_finite(values))).as_py() for values in (streams["rate_hz"], streams["longest_gap_s"])
    )
    found = {
        f"{name}_streams": streams.num_rows,
        f"{name}_lowest_rate_hz": rates["min"],
        f"{name}_highest_rate_hz": rates["max"],
        f"{name}_longest_gap_s": gaps["max"],
    }
    return {key: value for key, value in found.items() if value is not None}


def _units(judged: Judged, codes: _Codes, graver: _Gravity) -> Check:
    wrong = codes.get("unit_implausible", set())
    figures: dict[str, float | int | str] = dict(_counts(codes, ("unit_implausible",)))
    for name, contract in judged.study.streams.items():
        lengths = streams_under(judged.facts, judged.study, name)["norm_median"]
        typical = pc.mean(lengths).as_py() if contract.gravity else None
        if typical is not None and math.isfinite(typical):
            figures[f"{name}_mean_length"] = typical
    sentence = _count(wrong, len(judged.facts.recording_ids), "with an implausible unit or scale", "with plausible units")
    return Check("units", "stream", not wrong, graver.of("unit_implausible"), sentence, figures)


def _recordings_complete(judged: Judged, codes: _Codes, graver: _Gravity) -> Check:
    wrong = _having(codes, _RECORDING_CODES)
    fault = "without a sensor that the study requires, or too short"
    sentence = _count(wrong, len(judged.facts.recording_ids), fault, "with every required sensor, and long enough")
    figures = _counts(codes, _RECORDING_CODES)
    return Check("recordings_complete", "recording", not wrong, graver.of(*_RECORDING_CODES), sentence, figures)


def _participants(judged: Judged, codes: _Codes, graver: _Gravity) -> Check:
    wrong, pattern = codes.get("participant_unknown", set()), judged.study.participants
    figures: dict[str, float | int | str] = {
        "participants": len(pc.unique(judged.facts.recordings["participant"])),
        "pattern": pattern,
        **_counts(codes, ("participant_unknown",)),
    }
    fault = "with a participant code that is not of the study's form"
    sentence = _count(wrong, len(judged.facts.recording_ids), fault, "with a participant code of the study's form")
    return Check("participants", "recording", not wrong, graver.of("participant_unknown"), sentence, figures)


def _labels(judged: Judged, codes: _Codes, graver: _Gravity) -> Check:
    wrong = _having(codes, ("label_missing", "label_unknown"))
    figures = {"labels_of_the_study": len(judged.study.labels), **_counts(codes, ("label_missing", "label_unknown"))}
    sentence = _count(wrong, judged.verdicts.num_rows, "without a label that the study knows", "labelled as the study does")
    return Check("labels", "label", not wrong, graver.of("label_unknown"), sentence, figures)


def _class_balance(judged: Judged, balance: pa.Table, found: Sequence[Violation], graver: _Gravity) -> Check:
    labels, recordings = balance["label"].to_pylist(), balance["recordings"].to_pylist()
    figures: dict[str, float | int | str] = {"accepted": pc.sum(judged.verdicts["accepted"]).as_py() or 0}
    for label, count, people in zip(labels, recordings, balance["participants"].to_pylist(), strict=True):
        figures |= {f"recordings_{label}": count, f"participants_{label}": people} if count else {}
    suite = balance_suite()
    broken = {one.demand.code: [labels[row] for row in one.rows] for one in found if one.suite == suite}
    counts = dict(zip(labels, recordings, strict=True))
    rare = [f"{label} ({counts[label]})" for label in broken.get("label_rare", ())]
    told = {
        f"rare beside {max(recordings, default=0)} recordings of the most frequent label": rare,
        "no accepted recording of": broken.get("label_absent", []),
        "recorded by one participant only, so a model could learn the person instead": broken.get("label_of_one_person", []),
    }
    faults = [f"{fault}: {', '.join(names)}" for fault, names in told.items() if names]
    several = max(balance["participants"].to_pylist(), default=0) > 1
    spread = "none of them rare or of one participant only" if several else "none of them rare, but all of one participant"
    sentence = "; ".join(faults) or f"{len(labels)} labels, {spread}"
    severity = graver.of("label_rare", "label_absent", "label_of_one_person")
    return Check("class_balance", "label", not faults, severity, sentence, figures)


def _every_recording_judged(judged: Judged, study: pa.Table, graver: _Gravity) -> Check:
    rows, verdicts = judged.facts.recordings.num_rows, judged.verdicts.num_rows
    passed = study["without_one_verdict"][0].as_py() == 0
    otherwise = f"{rows} recordings were read, {verdicts} verdicts are written"
    sentence = f"every one of {rows} recordings has one verdict" if passed else otherwise
    figures = {"recordings": rows, "verdicts": verdicts}
    return Check("every_recording_judged", "study", passed, graver.of("verdict_count"), sentence, figures, blocking=True)


def _copies(judged: Judged, codes: _Codes, graver: _Gravity) -> Check:
    wrong, also = _having(codes, COPY_CODES), judged.also_in_quarantine
    recordings = judged.verdicts.num_rows
    figures = {
        **_counts(codes, COPY_CODES),
        "share": len(wrong) / recordings if recordings else 0.0,
        "values_in_another_quarantine": also,
    }
    sentence = _count(wrong, recordings, "with sensor values of another recording", "with sensor values of their own")
    if also:
        sentence += f"; the values of {also} also lie in another batch's quarantine"
    severity = graver.of("copy_of_recording", "copy_in_quarantine")
    return Check("copies", "study", not wrong and not also, severity, sentence, figures)


def _confounding(judged: Judged, graver: _Gravity) -> Check:
    found = [one for one in judged.associations if one.confounded]
    figures: dict[str, float | int | str] = {}
    for one in judged.associations:
        figures |= {f"{one.factor}_share": one.share, f"{one.factor}_levels": one.levels}
    otherwise = "neither device, participant, site nor batch tells the labels of the study's accepted recordings"
    sentence = "; ".join(one.sentence for one in found) or otherwise
    return Check("confounding", "study", not found, graver.of("label_confounded"), sentence, figures)


def _having(codes: _Codes, wanted: Iterable[str]) -> set[str]:
    return {recording_id for code in wanted for recording_id in codes.get(code, ())}


def _counts(codes: _Codes, wanted: Sequence[str]) -> dict[str, int]:
    return {code: len(codes.get(code, ())) for code in wanted}


def _count(wrong: Collection[str], recordings: int, fault: str, otherwise: str) -> str:
    return f"{len(wrong)} of {recordings} recordings {fault}" if wrong else f"{recordings} recordings, all {otherwise}"


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
