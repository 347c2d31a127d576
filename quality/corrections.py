"""A person's correction of what was delivered of a recording: label, participant, session, placement, or a sensor's unit.

Belongs here: checking a correction against the study and taking it down, and taking decisions back. Carrying it out is in
`quality.settling`, when the batch is judged next; what was delivered stays in the vault and beside it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from quality.decisions import UNIT, corrections_of
from quality.quarantine import corrections_of_recording, find_recording, releases_of, write_release
from studies import find_study
from studies.sensors import si_factor
from studies.study import Study
from warehouse.errors import KinelakeError, Reason, did_you_mean
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

#: What can be corrected besides the unit of a stream.
FIELDS = ("label", "participant", "session", "placement")

_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def correct(home: Home, recording_id: str, changes: Mapping[str, str], *, who: str, why: str) -> dict[str, str]:
    """Take a correction down; the next judging of the batch carries it out, without reading a delivered file.

    Parameters
    ----------
    home : Home
    recording_id : str
    changes : mapping of str to str
        By field: ``label``, ``participant``, ``session``, ``placement``, or ``unit:<stream>`` with the unit that the values in
        the lake are really in.
    who, why : str
        Who decides, and why. Both must say something.

    Returns
    -------
    dict
        The changes as they were taken down: an alias becomes its label.

    Raises
    ------
    UnknownName
        If there is no such recording; the error offers the nearest.
    KinelakeError
        One reason for each change that is not allowed or changes nothing; none is taken down then.
    """
    lake = Lake(home)
    recording = find_recording(lake, recording_id)
    if not who.strip() or not why.strip():
        raise KinelakeError(Reason("correction_unsigned", "a correction needs who decides and why", recording_id, "state both"))
    if not changes:
        known = ", ".join((*FIELDS, "unit"))
        raise KinelakeError(Reason("nothing_to_correct", f"no correction is given; known: {known}", recording_id))
    study, before = find_study(recording["study"]), _now(recording, lake)
    checked = {field: _checked(field, value, recording, study, before) for field, value in changes.items()}
    if refused := [found for found in checked.values() if isinstance(found, Reason)]:
        raise KinelakeError(*refused)
    taken = {field: value for field, value in checked.items() if isinstance(value, str)}
    _append(lake, recording, taken, before, who=who, why=why)
    return taken


def undo(home: Home, recording_id: str, *, who: str, why: str) -> tuple[str, ...]:
    """Take back the release and every correction of a recording; what was delivered counts again from the next judging.

    Returns
    -------
    tuple of str
        What was taken back: ``release``, and fields.

    Raises
    ------
    UnknownName
        If there is no such recording; the error offers the nearest.
    KinelakeError
        ``undo_unsigned``, or ``nothing_to_undo``.
    """
    lake = Lake(home)
    recording = find_recording(lake, recording_id)
    if not who.strip() or not why.strip():
        raise KinelakeError(
            Reason("undo_unsigned", "taking a decision back needs who decides and why", recording_id, "state both")
        )
    releases = releases_of(lake, recording_id)
    released = bool(releases) and not releases[-1]["withdrawn"]
    fields = _in_force(lake, recording)
    if not released and not fields:
        sentence = "the recording was neither released nor corrected"
        raise KinelakeError(Reason("nothing_to_undo", sentence, recording_id, "nothing to do"))
    if released:
        write_release(lake, recording_id, who=who, why=why, withdrawn=True)
    if fields:
        _append(lake, recording, dict.fromkeys(fields), _now(recording, lake), who=who, why=why)
    return (*(("release",) if released else ()), *fields)


def _in_force(lake: Lake, recording: Mapping[str, Any]) -> list[Any]:
    last = {row["field"]: row["value"] for row in corrections_of_recording(lake, recording["recording_id"])}
    return [field for field, value in last.items() if value is not None]


def _now(recording: Mapping[str, Any], lake: Lake) -> dict[str, str | None]:
    """What holds of a recording now, field by field; a correction that no judging has carried out yet counts."""
    where = {"batch_id": recording["batch_id"], "recording_id": recording["recording_id"]}
    streams = lake.read("streams", columns=["stream", "unit", "rows"], where=where)
    streams = streams.filter(pc.greater(streams["rows"], 0))
    units = {f"{UNIT}{row['stream']}": row["unit"] for row in streams.to_pylist()}
    said = corrections_of(recording["batch_id"], lake).get(recording["recording_id"], {})
    return {field: recording[field] for field in FIELDS} | units | {field: value for field, value in said.items() if value}


def _checked(field: str, value: str, recording: Mapping[str, Any], study: Study, now: Mapping[str, str | None]) -> str | Reason:
    """Return the value as it is taken down, or why it is not."""
    if field.startswith(UNIT):
        found = _unit(field.removeprefix(UNIT), value.strip(), now)
    elif field == "label":
        found = _label(value.strip(), study)
    elif field == "participant":
        found = _participant(value.strip(), study)
    else:
        fits = _TEXT.fullmatch(value.strip())
        found = value.strip() if fits else Reason(f"{field}_unusable", f"{field} is text of 1 to 200 characters in one line")
    if isinstance(found, str) and found == now.get(field):
        return Reason("corrected_to_the_same", f"{field} is '{found}' already", recording["recording_id"], "nothing to do")
    return found


def _label(value: str, study: Study) -> str | Reason:
    known = study.canonical_label(value) if study.labels else value or None
    if known is None:
        sentence = f"label '{value}' is not one of the study's{did_you_mean(value, study.labels)}"
        return Reason("label_unknown", sentence, f"studies/{study.study}.yaml", "one of those, or an alias of one")
    return known


def _participant(value: str, study: Study) -> str | Reason:
    if re.fullmatch(study.participants, value):
        return value
    sentence = f"participant '{value}' does not fit the study's pattern {study.participants}"
    return Reason("participant_unknown", sentence, f"studies/{study.study}.yaml", "spell the pseudonym as the study does")


def _unit(stream: str, value: str, now: Mapping[str, str | None]) -> str | Reason:
    held = [field.removeprefix(UNIT) for field in now if field.startswith(UNIT)]
    if stream not in held:
        sentence = f"the recording has no readings of '{stream}'{did_you_mean(stream, held)}"
        return Reason("stream_unknown", sentence, remedy="name the stream as kinelake quarantine show does")
    try:
        si_factor(stream, value)
    except ValueError as error:
        return Reason("unit_unknown", str(error), stream, "state the unit that the values in the lake are really in")
    return value


def _append(
    lake: Lake,
    recording: Mapping[str, Any],
    values: Mapping[str, str | None],
    before: Mapping[str, str | None],
    *,
    who: str,
    why: str,
) -> None:
    signed = {"who": who.strip(), "why": why.strip(), "corrected_at": datetime.now(UTC)}
    rows = [
        {
            "correction_id": uuid.uuid4().hex,
            "recording_id": recording["recording_id"],
            "field": field,
            "value": value,
            "before": None if field == "participant" else before.get(field),
            **signed,
        }
        for field, value in values.items()
    ]
    lake.append("corrections", pa.Table.from_pylist(rows, TABLES["corrections"].schema))
