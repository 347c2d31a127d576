"""What was set aside, why, and the way out: for people who decide, one recording at a time.

Belongs here: looking and releasing. Who is set aside is decided in `quality.judging`, by the batch's next run too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.errors import KinelakeError, Reason, UnknownName, did_you_mean
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_RECORDING = (
    "recording_id",
    "batch_id",
    "study",
    "site",
    "participant",
    "session",
    "label",
    "label_as_delivered",
    "placement",
    "started_at",
    "duration_s",
)
_LISTED = ("batch_id", "recording_id", "study", "participant", "session", "label")
_FILE = ("path", "sha256", "bytes", "format", "state", "reason", "left_out")
_STREAM = ("stream", "unit", "source", "rows", "rate_hz", "jitter", "gaps", "longest_gap_s", "minimum", "maximum", "norm_median")
_HISTORY = ("number", "accepted", "reasons", "contract_version", "judged_at", "released_by")
_CORRECTION = ("field", "value", "before", "who", "why", "corrected_at")
_FINDING = ("severity", "code", "sentence", "place", "remedy")
_RELEASE = ("who", "why", "released_at", "withdrawn")


def list_quarantined(home: Home, *, study: str | None = None, batch_id: str | None = None) -> pa.Table:
    """List the recordings that are set aside.

    Parameters
    ----------
    home : Home
    study, batch_id : str, optional
        Only those of one study or one batch.

    Returns
    -------
    Table
        ``batch_id, recording_id, study, participant, session, label``, ``codes`` (text, separated by commas) and
        ``released_by`` (who let it out since it was judged; null if nobody did), sorted by batch and recording.

    Raises
    ------
    UnknownName
        If no batch of that study or that name was read; the error offers the nearest.
    """
    lake = Lake(home)
    _refuse_unknown(lake, study, batch_id)
    where = {name: value for name, value in (("study", study), ("batch_id", batch_id)) if value is not None}
    recordings = lake.read("recordings", columns=_LISTED, where=where)
    batches = {"batch_id": pc.unique(recordings["batch_id"]).to_pylist()}
    verdicts = lake.read("verdicts", columns=["recording_id", "accepted", "reasons"], where=batches)
    aside = verdicts.filter(pc.invert(verdicts["accepted"])).drop_columns("accepted")
    ids = aside["recording_id"].to_pylist()
    releases = lake.read("releases", where={"recording_id": ids}).sort_by("released_at").to_pylist()
    waiting = {row["recording_id"]: None if row["withdrawn"] else row["who"] for row in releases}
    codes = [", ".join(dict.fromkeys(reason["code"] for reason in reasons)) for reasons in aside["reasons"].to_pylist()]
    told = pa.table(
        {
            "recording_id": pa.array(ids, pa.string()),
            "codes": pa.array(codes, pa.string()),
            "released_by": pa.array([waiting.get(one) for one in ids], pa.string()),
        }
    )
    joined = recordings.join(told, "recording_id", join_type="inner").sort_by([(name, "ascending") for name in _LISTED[:2]])
    return joined.select([*_LISTED, "codes", "released_by"])


def show(home: Home, recording_id: str) -> dict[str, object]:
    """Return everything that is known about a recording, set aside or not.

    Parameters
    ----------
    home : Home
    recording_id : str

    Returns
    -------
    dict
        The recording's own facts; ``accepted`` (None if not judged yet), ``contract_version``, ``released_by``; lists of
        dicts: ``reasons`` (code, sentence, place, remedy), ``files`` (with sha256), ``streams``, ``findings``, ``releases``,
        ``corrections``, and ``history``: every verdict that it ever had.
        Times are ISO 8601 text, so that it can be written as JSON.

    Raises
    ------
    UnknownName
        If there is no such recording; the error offers the nearest.
    """
    lake = Lake(home)
    recording = find_recording(lake, recording_id)
    where = {"batch_id": str(recording["batch_id"]), "recording_id": recording_id}
    verdicts = lake.read("verdicts", where=where).to_pylist()
    verdict = verdicts[0] if verdicts else {}
    history = lake.read("verdict_history", columns=_HISTORY, where=where)
    answer = {
        **recording,
        **{name: verdict.get(name) for name in ("accepted", "contract_version", "judged_at", "released_by")},
        "reasons": verdict.get("reasons", []),
        "files": lake.read("files", columns=_FILE, where=where).to_pylist(),
        "streams": lake.read("streams", columns=_STREAM, where=where).to_pylist(),
        "findings": lake.read("findings", columns=_FINDING, where=where).to_pylist(),
        "releases": [_as_text(row) for row in releases_of(lake, recording_id)],
        "corrections": [_as_text(row) for row in corrections_of_recording(lake, recording_id)],
        "history": [_as_text(row) for row in history.sort_by("number").to_pylist()],
    }
    return _as_text(answer)


def release(home: Home, recording_id: str, *, who: str, why: str) -> None:
    """Let a recording out of quarantine; the batch's next run takes it up, its reasons stay on record.

    Parameters
    ----------
    home : Home
    recording_id : str
    who, why : str
        Who decides, and why the reasons do not count. Both must say something.

    Raises
    ------
    UnknownName
        If there is no such recording.
    KinelakeError
        ``release_unsigned``, ``not_judged``, ``not_in_quarantine``, or ``nothing_to_release`` for a recording without a
        single reading.
    """
    lake = Lake(home)
    recording = find_recording(lake, recording_id)
    if not who.strip() or not why.strip():
        raise KinelakeError(Reason("release_unsigned", "a release needs who decides and why", recording_id, "state both"))
    _refuse_useless(lake, str(recording["batch_id"]), recording_id)
    write_release(lake, recording_id, who=who, why=why, withdrawn=False)


def write_release(lake: Lake, recording_id: str, *, who: str, why: str, withdrawn: bool) -> None:
    """Take down that a recording is let out, or that this is taken back."""
    signed = {"who": who.strip(), "why": why.strip(), "released_at": datetime.now(UTC)}
    row = {"recording_id": recording_id, **signed, "withdrawn": withdrawn}
    lake.append("releases", pa.Table.from_pylist([row], schema=TABLES["releases"].schema))


def releases_of(lake: Lake, recording_id: str) -> list[dict[str, object]]:
    """Return every release of a recording, and every time that one was taken back, oldest first."""
    where = {"recording_id": recording_id}
    rows: list[dict[str, object]] = lake.read("releases", columns=_RELEASE, where=where).sort_by("released_at").to_pylist()
    return rows


def corrections_of_recording(lake: Lake, recording_id: str) -> list[dict[str, object]]:
    """Return every correction of a recording, those taken back included, oldest first."""
    where = {"recording_id": recording_id}
    rows: list[dict[str, object]] = lake.read("corrections", columns=_CORRECTION, where=where).sort_by("corrected_at").to_pylist()
    return rows


def _refuse_useless(lake: Lake, batch_id: str, recording_id: str) -> None:
    where = {"batch_id": batch_id, "recording_id": recording_id}
    verdicts = lake.read("verdicts", columns=["accepted"], where=where).to_pylist()
    if not verdicts:
        raise KinelakeError(Reason("not_judged", "the recording has no verdict yet", recording_id, "kinelake run"))
    if verdicts[0]["accepted"]:
        raise KinelakeError(Reason("not_in_quarantine", "the recording is accepted", recording_id, "nothing to do"))
    if not any(rows or 0 for rows in lake.read("streams", columns=["rows"], where=where)["rows"].to_pylist()):
        sentence = "nothing could be read of the recording, so there is nothing to let out"
        raise KinelakeError(Reason("nothing_to_release", sentence, recording_id, "mend its files and send them in a new batch"))


def find_recording(lake: Lake, recording_id: str) -> dict[str, Any]:
    """Return what is known of a recording.

    Raises
    ------
    UnknownName
        If there is no such recording; the error offers the nearest.
    """
    rows: list[dict[str, Any]] = lake.read("recordings", columns=_RECORDING, where={"recording_id": recording_id}).to_pylist()
    if not rows:
        known = lake.read("recordings", columns=["recording_id"])["recording_id"].to_pylist()
        sentence = f"recording '{recording_id}' is not known{did_you_mean(recording_id, known)}"
        raise UnknownName(Reason("recording_unknown", sentence, remedy="kinelake quarantine list"))
    return rows[0]


def _refuse_unknown(lake: Lake, study: str | None, batch_id: str | None) -> None:
    for column, name in (("study", study), ("batch_id", batch_id)):
        known = set() if name is None else set(lake.read("recordings", columns=[column])[column].to_pylist())
        if name is not None and name not in known:
            what = column.removesuffix("_id")
            sentence = f"no {what} '{name}' was read yet{did_you_mean(name, known)}"
            raise UnknownName(Reason(f"{what}_unknown", sentence, remedy="kinelake status"))


def _as_text(row: Mapping[str, object]) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
