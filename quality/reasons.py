"""What a broken demand means, told to somebody who records and does not program: found, allowed, where, what to do.

Belongs here: one wording for each reason code; a code's heading is in `quality.headings`. Which rows break a demand is told by
`quality.suites`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from quality.suites import Demand
from studies.sensors import POSE_SENSORS, placement_of, sensor_of
from studies.study import StreamContract, Study
from warehouse.errors import Reason, did_you_mean

Row = Mapping[str, object]

_GRAVITY = 9.80665
_ORIGIN = re.compile(r"of recording (\S{1,200}) of participant (.{0,200}?) in (the same batch|batch \S{1,200}?)(?:,| \()")
_STAMPED = re.compile(r", stamped ([^:]{1,60}): ")
_PART = re.compile(r"readings ([\d,]{1,15}) to ([\d,]{1,15}) \(")
#: A shared part that is told as the whole, as being of the same scale, as being unaltered.
_WHOLE = 0.99
_SAME_SCALE = 0.005
_SAME_VALUES = 1e-4
_RADIANS_A_DEGREE = math.pi / 180
_FACTS = {
    "rate_hz": "sampling rate",
    "longest_gap_s": "longest pause",
    "jitter": "regularity",
    "saturated": "saturation",
    "minimum": "smallest value",
    "maximum": "largest value",
    "norm_median": "median length",
    "unit": "unit",
}
_MANIFEST_AGAIN = "put it right in manifest.csv and deliver the batch again under a new name"


@dataclass(frozen=True)
class Other:
    """The recording whose values another one shares; `source` is the file (and ``::member``) of the first shared stream."""

    recording_id: str
    participant: str
    batch_id: str
    source: str


@dataclass(frozen=True)
class Origin:
    """Whose values a copy has, as its `copy_reason` tells.

    Parameters
    ----------
    recording_id, participant : str
    batch : str
        ``the same batch`` or ``batch ...``.
    stamped : str
        ``24 h earlier``.
    whole : bool
        False if a part only is shared, or the values were altered.
    """

    recording_id: str
    participant: str
    batch: str
    stamped: str
    whole: bool


@dataclass(frozen=True)
class Shared:
    """A stream, or a part of one, that has another recording's values.

    Parameters
    ----------
    stream : str
    shift_ns : int
        By how much the values are stamped later than the other recording's.
    rows, other_rows : tuple of (int, int) or None
        First and last reading of the part, in either recording, from 1; None if all values are equal.
    share, other_share : float
        How much of the stream that is, and of the other recording's, 0 to 1.
    factor : float
        What the other recording's values were multiplied by.
    left : float
        What then is left between the two, as a share of how much the values vary.
    """

    stream: str
    shift_ns: int
    rows: tuple[int, int] | None = None
    other_rows: tuple[int, int] | None = None
    share: float = 1.0
    other_share: float = 1.0
    factor: float = 1.0
    left: float = 0.0


def figure(value: float) -> str:
    """Write a measured number with three or four digits that count.

    Examples
    --------
    >>> figure(56.0712), figure(12.5), figure(0.00312), figure(5), figure(12345.6)
    ('56.07', '12.5', '0.00312', '5', '12,346')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def spoken(stream: str) -> str:
    """Return a stream's name in words.

    Examples
    --------
    >>> spoken("linear_acceleration"), spoken("gyroscope@left_thigh")
    ('linear acceleration', 'left thigh gyroscope')
    """
    return f"{placement_of(stream)} {sensor_of(stream)}".strip().replace("_", " ")


def listed(names: Sequence[str]) -> str:
    """Write names one after the other.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def sign(unit: object) -> str:
    """Return the lake's name of a unit as people write it.

    Examples
    --------
    >>> sign("m/s^2"), sign("uT")
    ('m/s²', 'µT')
    """
    return str(unit).replace("^2", "²").replace("uT", "µT")


def finding_reason(finding: Row) -> Reason:
    """Pass a reader's finding on."""
    code, sentence, place, remedy = (str(finding[part] or "") for part in ("code", "sentence", "place", "remedy"))
    return Reason(code or "file_unreadable", sentence, place or str(finding["path"] or ""), remedy)


def manifest_reason(demand: Demand, recording: Row, study: Study, path: str) -> Reason:
    """Say what is wrong with a label or a participant; `path` is a file of the recording."""
    if demand.code == "participant_unknown":
        sentence = f"participant '{recording['participant']}' does not fit the study's pattern {study.participants}"
        return Reason(demand.code, sentence, f"manifest.csv, participant of {path}", _MANIFEST_AGAIN)
    place = f"manifest.csv, label of {path}"
    if recording["label"] is None:
        sentence = f"the recording has no label; allowed: {', '.join(study.labels)}"
        return Reason("label_missing", sentence, place, _MANIFEST_AGAIN)
    delivered = str(recording["label_as_delivered"] or recording["label"])
    sentence = f"label '{delivered}' is not one of the study's{did_you_mean(delivered, study.labels)}"
    remedy = f"{_MANIFEST_AGAIN}, or have the data team add it to studies/{study.study}.yaml as a label or an alias"
    return Reason(demand.code, sentence, place, remedy)


def contents_reason(demand: Demand, recording: Row, study: Study, *, path: str, found: Sequence[str]) -> Reason:
    """Say which sensor is missing, or that the recording is too short; `found` are its streams."""
    if demand.code == "too_short":
        duration = recording["duration_s"]
        lasts = (
            f"lasts {figure(duration)} s" if isinstance(duration, float) and not math.isnan(duration) else "has no known duration"
        )
        sentence = f"the recording {lasts}; the study asks for at least {figure(study.min_duration_s or 0)} s"
        return Reason(
            demand.code, sentence, path, "record again, for longer; start the sensor before and stop it after the exercise"
        )
    missing = demand.column.removeprefix("has_")
    what = "no sensor at all" if missing == "any" else f"no {spoken(missing)}"
    there = ", ".join(map(spoken, found)) or "nothing that could be read"
    remedy = "switch the sensor on and record again; if its file exists, send it and name it in manifest.csv, in a new batch"
    return Reason(demand.code, f"the recording holds {what}, which the study requires; found: {there}", path, remedy)


def stream_reasons(demands: Sequence[Demand], row: Row, contract: StreamContract) -> list[Reason]:
    """Say what is wrong with one stream, a reason for each code.

    Parameters
    ----------
    demands : sequence of Demand
        Those that the stream does not fulfil; not empty.
    row : mapping
        The stream's row of table `streams`.
    contract : StreamContract
    """
    unmeasured = [demand for demand in demands if _absent(row[demand.column])]
    told = {demand.code for demand in unmeasured}
    reasons = [_not_measured(unmeasured, row)] if unmeasured else []
    codes = dict.fromkeys(demand.code for demand in demands if demand.code not in told)
    return reasons + [_WORDINGS[code](row, contract) for code in codes]


def copy_reason(other: Other, shared: Sequence[Shared], *, participant: str, source: str, batch_id: str) -> Reason:
    """Say whose values a recording repeats, which part of it, how altered, and how far the two are apart in time."""
    sensors = listed([spoken(one.stream) for one in shared])
    where = "in the same batch" if other.batch_id == batch_id else f"in batch {other.batch_id}"
    whose = f"recording {other.recording_id} of participant {other.participant} {where}"
    stamped = f"stamped {_apart(shared[0].shift_ns)}: {other.source}"
    if all(one.rows is None for one in shared):
        sentence = f"the {sensors} values are identical to those of {whose}, {stamped}"
    elif all(one.share >= _WHOLE for one in shared):
        piece = min(shared, key=lambda one: one.other_share)
        whole = piece.other_share >= _WHOLE or piece.other_rows is None
        part = "" if whole else f"a part ({_floored(piece.other_share)}, readings {_span(piece.other_rows)}) of "
        sentence = f"the {sensors} values are {part}those of {whose}{_altered(shared)}, {stamped}"
    else:
        longest = max(shared, key=lambda one: one.share)
        sentence = f"{_parts(shared)} have the values of {whose} (there {_span(longest.other_rows)}){_altered(shared)}, {stamped}"
    place = f"{source}, {sensors}"
    if other.participant != participant:
        remedy = (
            "find out which participant it really was; if it is this one, have the other one's withdrawn and this one released"
        )
        return Reason("copy_of_other_participant", sentence, place, remedy)
    if all(one.share >= _WHOLE for one in shared):
        return Reason("copy_of_recording", sentence, place, "nothing to do if it was sent twice: the other one is used")
    remedy = "nothing to do if the other one is to be used; if this one is, have the other one withdrawn and this one released"
    return Reason("copy_of_recording", sentence, place, remedy)


def shared_readings(sentence: str) -> tuple[int, int] | None:
    """Return the first and last reading, from 1, of the part that a `copy_reason` speaks of; None if it speaks of the whole."""
    found = _PART.match(sentence)
    return (int(found[1].replace(",", "")), int(found[2].replace(",", ""))) if found else None


def origin(sentence: str) -> Origin | None:
    """Return whose values a `copy_reason` says a recording has; None of another sentence."""
    whose, stamped = _ORIGIN.search(sentence), _STAMPED.search(sentence)
    return Origin(whose[1], whose[2], whose[3], stamped[1], " are identical to " in sentence) if whose and stamped else None


def _parts(shared: Sequence[Shared]) -> str:
    """Name the longest part, and the other sensors that share one."""
    longest, *others = sorted(shared, key=lambda one: one.share, reverse=True)
    besides = f", and a part of the {listed([spoken(one.stream) for one in others])}," if others else ""
    return f"readings {_span(longest.rows)} ({_floored(longest.share)}) of the {spoken(longest.stream)}{besides}"


def _span(rows: tuple[int, int] | None) -> str:
    return f"{rows[0]:,} to {rows[1]:,}" if rows else "from first to last"


def _floored(share: float) -> str:
    return f"{math.floor(100 * share)} %"


def _altered(shared: Sequence[Shared]) -> str:
    """Tell what was done to the values, of the stream to which most was done."""
    factor = max((one.factor for one in shared), key=lambda factor: abs(math.log(factor)))
    left = max(one.left for one in shared)
    scaled = f", multiplied by {figure(factor)}" if abs(factor - 1) > _SAME_SCALE else ""
    return scaled + (f", rounded or altered by {100 * left:.2g} % of how much they vary" if left > _SAME_VALUES else "")


def _not_measured(demands: Sequence[Demand], row: Row) -> Reason:
    names = listed(list(dict.fromkeys(_FACTS[demand.column] for demand in demands)))
    rows = row["rows"]
    sentence = f"the {_name(row)} has {rows} reading{'s' if rows != 1 else ''}, too few or too odd to tell its {names}"
    return Reason(demands[0].code, sentence, _place(row), "record again, and check that the file is complete")


def _rate(row: Row, contract: StreamContract) -> Reason:
    rate, declared = _number(row["rate_hz"]), row["declared_rate_hz"]
    claims = f" (its file says {figure(_number(declared))})" if declared and abs(_number(declared) - rate) > 0.02 * rate else ""
    allowed = f"{figure(contract.rate_hz[0])} to {figure(contract.rate_hz[1])}"
    sentence = f"the {_name(row)} was read {figure(rate)} times a second{claims}; the study allows {allowed} Hz"
    remedy = "set the sensor's rate in the recording app and record again; if this rate is meant, the study's limits must change"
    return Reason("rate_out_of_contract", sentence, _place(row), remedy)


def _gap(row: Row, contract: StreamContract) -> Reason:
    gaps = row["gaps"]
    count = f", one of {gaps}" if isinstance(gaps, int) and gaps > 1 else ""
    pause = f"the {_name(row)} pauses for {figure(_number(row['longest_gap_s']))} s{count}"
    if sensor_of(str(row["stream"])) in POSE_SENSORS:
        remedy = (
            "film so that the whole body is seen, in good light; if the body itself hides it, as the far arm from the side, the "
            "study can take what the pose tool guesses: formats: {poses: {guessed: [left_wrist]}}"
        )
    else:
        remedy = (
            "keep the sensor close to the receiver and the app in the foreground; send the parts before and after as two "
            "recordings"
        )
    return Reason("gap_too_long", f"{pause}; the study allows {figure(contract.max_gap_s or 0)} s", _place(row), remedy)


def _jitter(row: Row, contract: StreamContract) -> Reason:
    found = f"the time between readings of the {_name(row)} varies by {_percent(row['jitter'])} of its usual length"
    remedy = "close other apps while recording, and export the sensor's own time stamps where the app offers them"
    return Reason("jitter_too_high", f"{found}; the study allows {_percent(contract.max_jitter)}", _place(row), remedy)


def _range(row: Row, contract: StreamContract) -> Reason:
    assert contract.range is not None
    low, high = (figure(_number(row[column])) for column in ("minimum", "maximum"))
    allowed = " to ".join(map(figure, contract.range))
    sentence = f"the {_name(row)} reads {low} to {high} {sign(row['unit'])}; believable is {allowed}"
    largest = max(abs(_number(row["minimum"])), abs(_number(row["maximum"])))
    in_degrees = row["unit"] == "rad/s" and largest * _RADIANS_A_DEGREE <= max(map(abs, contract.range))
    hint = "the values look like degrees per second: export in rad/s" if in_degrees else "check the unit in the export"
    return Reason("out_of_range", sentence, _place(row), f"{hint}, then record again if the unit is right")


def _saturation(row: Row, contract: StreamContract) -> Reason:
    sentence = f"{_percent(row['saturated'])} of the {_name(row)}'s readings stick at its extreme; the study allows "
    remedy = "choose a larger measuring range in the app (such as ±16 g or ±2000 °/s) and record again"
    return Reason("saturated", sentence + _percent(contract.max_saturated), _place(row), remedy)


def _unit(row: Row, contract: StreamContract) -> Reason:
    if row["unit"] != contract.unit:
        sentence = f"the {_name(row)} is in {sign(row['unit'])}; the study expects {sign(contract.unit)}"
        return Reason("unit_implausible", sentence, _place(row), f"export in {sign(contract.unit)}")
    assert contract.gravity is not None
    length = _number(row["norm_median"])
    found = f"the {_name(row)} usually reads {figure(length)} m/s² in all, where gravity alone is 9.81, {_likely_cause(length)}"
    allowed = f"the study allows {figure(contract.gravity[0])} to {figure(contract.gravity[1])}"
    remedy = "export in m/s² with gravity included; if the unit is right, calibrate or replace the sensor"
    return Reason("unit_implausible", f"{found}; {allowed}", _place(row), remedy)


_WORDINGS: Mapping[str, Callable[[Row, StreamContract], Reason]] = {
    "rate_out_of_contract": _rate,
    "gap_too_long": _gap,
    "jitter_too_high": _jitter,
    "out_of_range": _range,
    "saturated": _saturation,
    "unit_implausible": _unit,
}


def _likely_cause(length: float) -> str:
    """Name the unit that would explain the median length of an acceleration vector, 9.8 m/s² for a body at rest."""
    for unit, one_g in (("g (gravity is 1.0 there)", 1.0), ("milli-g (gravity is 1,000 there)", 1000.0)):
        if 0.75 <= length / one_g <= 1.33:
            return f"which looks like {unit}"
    if 0.75 <= length / _GRAVITY**2 <= 1.33:
        return "which looks like m/s² multiplied by 9.81 twice"
    if length < 0.6:
        return "which looks as if gravity had been removed"
    share = length / _GRAVITY - 1
    return f"which is {abs(share):.0%} {'more' if share > 0 else 'less'} than gravity: a scale error"


def _apart(shift_ns: int) -> str:
    """Tell how far away another recording is whose first reading is `shift_ns` before this one's."""
    if shift_ns == 0:
        return "with the very same time"
    seconds = abs(shift_ns) / 1e9
    minutes = round(seconds / 60)
    if seconds < 120:
        away = f"{figure(seconds)} s"
    elif minutes < 72 * 60:
        away = f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    else:
        away = f"{minutes // (24 * 60)} days {minutes // 60 % 24} h"
    return f"{away} {'earlier' if shift_ns > 0 else 'later'}"


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _percent(value: object) -> str:
    return f"{100 * _number(value):.3g} %"


def _name(row: Row) -> str:
    return spoken(str(row["stream"]))


def _place(row: Row) -> str:
    return f"{row['source']}, {_name(row)}" if row["source"] else _name(row)
