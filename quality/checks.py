"""What a judged batch tells its scheduler: named checks with a sentence and figures.

Belongs here: counting over verdicts that are written. A check blocks only where going on would be wrong for everybody; a bad
recording is set aside and stops nothing.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from quality.copies import COPY_CODES
from quality.facts import BatchFacts
from quality.reasons import figure, spoken
from studies.study import Study

#: A label with fewer than one recording for so many of the most frequent label is named as rare.
MOST_UNEVEN = 5

_STREAM_CODES = (
    "rate_out_of_contract",
    "gap_too_long",
    "jitter_too_high",
    "out_of_range",
    "saturated",
    "stream_missing",
    "too_short",
)

Figures = Mapping[str, float | int | str]


@dataclass(frozen=True)
class Check:
    """One thing that was checked on a batch.

    Parameters
    ----------
    name : str
        Stable snake_case name.
    blocking : bool
        True if nothing may go on when it fails.
    severity : {"warn", "error"}
    sentence : str
        What was found, in plain words.
    figures : mapping of str to float, int or str
    """

    name: str
    passed: bool
    blocking: bool
    severity: str
    sentence: str
    figures: Figures = field(default_factory=dict)


def checks_of(facts: BatchFacts, study: Study, verdicts: pa.Table, *, also_in_quarantine: int) -> tuple[Check, ...]:
    """Return every check of a batch, always the same names in the same order.

    Parameters
    ----------
    facts : BatchFacts
    study : Study
    verdicts : Table
        The batch's rows as they were written.
    also_in_quarantine : int
        Recordings whose values lie in another batch's quarantine as well.
    """
    codes = _recordings_by_code(verdicts)
    return (
        _every_recording_judged(facts, verdicts),
        _files_readable(facts),
        _stream_contracts(facts, study, codes),
        _labels(study, codes, verdicts.num_rows),
        _participants(facts, study, codes),
        _units(facts, study, codes),
        _copies(codes, verdicts.num_rows, also_in_quarantine),
        _class_balance(facts, study, verdicts),
    )


def people_by_label(recordings: pa.Table, accepted: Collection[str]) -> dict[str, Counter[str]]:
    """Count accepted recordings by label and participant; recordings without a label are left out."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in recordings.select(["recording_id", "label", "participant"]).to_pylist():
        if row["recording_id"] in accepted and row["label"] is not None:
            counts[row["label"]][row["participant"]] += 1
    return dict(sorted(counts.items()))


def told_by_one_person(by_label: Mapping[str, Counter[str]]) -> list[str]:
    """Return the labels that one participant alone recorded, where there are several labels and several participants."""
    people = {person for counts in by_label.values() for person in counts}
    if len(by_label) < 2 or len(people) < 2:
        return []
    return [label for label, counts in by_label.items() if len(counts) == 1]


def _every_recording_judged(facts: BatchFacts, verdicts: pa.Table) -> Check:
    judged, rows = verdicts["recording_id"].to_pylist(), facts.recordings.num_rows
    passed = sorted(judged) == sorted(facts.recordings["recording_id"].to_pylist())
    sentence = f"{_all(rows)} has one verdict" if passed else f"{rows} recordings were read, {len(judged)} verdicts are written"
    figures = {"recordings": rows, "verdicts": len(judged)}
    return Check("every_recording_judged", passed, blocking=True, severity="error", sentence=sentence, figures=figures)


def _files_readable(facts: BatchFacts) -> Check:
    errors, files = facts.errors, facts.files.num_rows
    faulty = len(set(errors["path"].to_pylist()))
    worst = ", ".join(f"{code} ({count})" for code, count in Counter(errors["code"].to_pylist()).most_common(3))
    sentence = f"{faulty} of {_files(files)} could not be read: {worst}" if faulty else f"{_files(files)}, all of them readable"
    return _warning("files_readable", not faulty, sentence, {"files": files, "not_readable": faulty, "findings": len(errors)})


def _stream_contracts(facts: BatchFacts, study: Study, codes: Mapping[str, set[str]]) -> Check:
    outside = _having(codes, _STREAM_CODES)
    figures: dict[str, float | int | str] = {"recordings": len(facts.recording_ids), "outside": len(outside)}
    figures |= {code: len(codes[code]) for code in _STREAM_CODES if code in codes}
    parts = []
    for name in study.streams:
        measured = _extremes(facts.streams.filter(pc.equal(facts.streams["stream"], name)), name)
        figures |= measured
        if f"{name}_lowest_rate_hz" in measured:
            rates = [figure(float(measured[f"{name}_{end}_rate_hz"])) for end in ("lowest", "highest")]
            parts.append(f"{spoken(name)} at {rates[0]} to {rates[1]} Hz")
    found = _count(
        outside, figures["recordings"], "outside the limits for sensors and duration", "inside the limits of every sensor"
    )
    return _warning("stream_contracts", not outside, "; ".join([found, *parts]), figures)


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


def _labels(study: Study, codes: Mapping[str, set[str]], recordings: int) -> Check:
    wrong = _having(codes, ("label_missing", "label_unknown"))
    figures = {"labels_of_the_study": len(study.labels), **_counts(codes, ("label_missing", "label_unknown"))}
    sentence = _count(wrong, recordings, "without a label that the study knows", "labelled as the study does")
    return _warning("labels", not wrong, sentence, figures)


def _participants(facts: BatchFacts, study: Study, codes: Mapping[str, set[str]]) -> Check:
    wrong = codes.get("participant_unknown", set())
    figures: dict[str, float | int | str] = {
        "participants": len(set(facts.recordings["participant"].to_pylist())),
        "pattern": study.participants,
        **_counts(codes, ("participant_unknown",)),
    }
    fits = f"the pattern {study.participants}"
    sentence = _count(
        wrong, len(facts.recording_ids), f"of participants that do not fit {fits}", f"of participants that fit {fits}"
    )
    return _warning("participants", not wrong, sentence, figures)


def _units(facts: BatchFacts, study: Study, codes: Mapping[str, set[str]]) -> Check:
    wrong = codes.get("unit_implausible", set())
    figures: dict[str, float | int | str] = dict(_counts(codes, ("unit_implausible",)))
    for name, contract in study.streams.items():
        lengths = facts.streams.filter(pc.equal(facts.streams["stream"], name))["norm_median"]
        typical = pc.mean(lengths).as_py() if contract.gravity else None
        if typical is not None and math.isfinite(typical):
            figures[f"{name}_mean_length"] = typical
    sentence = _count(wrong, len(facts.recording_ids), "with an implausible unit or scale", "with plausible units")
    return _warning("units", not wrong, sentence, figures)


def _copies(codes: Mapping[str, set[str]], recordings: int, also_in_quarantine: int) -> Check:
    wrong = _having(codes, COPY_CODES)
    figures = {**_counts(codes, COPY_CODES), "values_in_another_quarantine": also_in_quarantine}
    sentence = _count(wrong, recordings, "with sensor values of another recording", "with sensor values of their own")
    if also_in_quarantine:
        sentence += f"; the values of {also_in_quarantine} also lie in another batch's quarantine"
    return _warning("copies", not wrong and not also_in_quarantine, sentence, figures)


def _class_balance(facts: BatchFacts, study: Study, verdicts: pa.Table) -> Check:
    accepted = set(verdicts.filter(verdicts["accepted"])["recording_id"].to_pylist())
    by_label = {label: counts for label, counts in people_by_label(facts.recordings, accepted).items() if label in study.labels}
    figures: dict[str, float | int | str] = {"accepted": len(accepted)}
    for label, counts in by_label.items():
        figures |= {f"recordings_{label}": counts.total(), f"participants_{label}": len(counts)}
    faults = _imbalances(by_label, study) if by_label else ["no recording was accepted"] if facts.recording_ids else []
    sentence = "; ".join(faults) or f"{len(by_label)} labels, none of them rare or of one participant only"
    return _warning("class_balance", not faults, sentence, figures)


def _imbalances(by_label: Mapping[str, Counter[str]], study: Study) -> list[str]:
    most = max(counts.total() for counts in by_label.values())
    rare = [f"{label} ({counts.total()})" for label, counts in by_label.items() if counts.total() * MOST_UNEVEN < most]
    absent = [label for label in study.labels if label not in by_label]
    alone = told_by_one_person(by_label)
    return [
        *([f"rare beside {most} recordings of the most frequent label: {', '.join(rare)}"] if rare else []),
        *([f"no accepted recording of: {', '.join(absent)}"] if absent else []),
        *([f"recorded by one participant only, so a model could learn the person instead: {', '.join(alone)}"] if alone else []),
    ]


def _recordings_by_code(verdicts: pa.Table) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for recording_id, reasons in zip(verdicts["recording_id"].to_pylist(), verdicts["reasons"].to_pylist(), strict=True):
        for reason in reasons:
            found[reason["code"]].add(recording_id)
    return found


def _having(codes: Mapping[str, set[str]], wanted: Iterable[str]) -> set[str]:
    return {recording_id for code in wanted for recording_id in codes.get(code, ())}


def _counts(codes: Mapping[str, set[str]], wanted: Sequence[str]) -> dict[str, int]:
    return {code: len(codes.get(code, ())) for code in wanted}


def _count(wrong: Collection[str], recordings: object, fault: str, otherwise: str) -> str:
    return f"{len(wrong)} of {recordings} recordings {fault}" if wrong else f"{recordings} recordings, all {otherwise}"


def _all(count: int) -> str:
    return f"every one of {count} recordings"


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _warning(name: str, passed: bool, sentence: str, figures: Figures) -> Check:
    return Check(name, passed, blocking=False, severity="warn", sentence=sentence, figures=figures)
