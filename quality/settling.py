"""Brings the tables that reading wrote in line with what holds today: the study's labels, and people's corrections.

Belongs here: changing rows of a batch in the lake without a delivered file. Each table is written only if something in it
differs, `recordings` last: killed anywhere and begun again, it ends the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quality.decisions import UNIT, Corrected, corrections_of
from studies.sensors import si_factor
from studies.study import Study
from warehouse.errors import KinelakeError, Reason
from warehouse.lake import Lake
from warehouse.schemas import TABLES
from warehouse.value_hash import recording_hash, value_hash

_AXES = ("x", "y", "z", "w")
#: Tables that say whose a row is and are not made anew by judging or after it; `files` keeps what was delivered.
_WITH_PEOPLE = tuple(
    name
    for name, table in TABLES.items()
    if table.partition_by == ("batch_id",)
    and {"recording_id", "participant"} <= {column.name for column in table.columns}
    and name not in ("files", "recordings", "streams", "samples", "verdicts", "verdict_history", "resampled", "segments")
)
_STATED = ("session", "placement")


@dataclass(frozen=True)
class _Scaled:
    """A stream whose readings are to be multiplied: facts as they are then, and whether its samples still have to be."""

    factor: float
    facts: Mapping[str, Any]
    samples_too: bool


def settle(batch_id: str, study: Study, lake: Lake) -> None:
    """Bring a batch in line with the labels of its study and with corrections.

    Parameters
    ----------
    batch_id : str
    study : Study
        Its spellings of labels count.
    lake : Lake

    Raises
    ------
    KinelakeError
        ``reading_needed`` if a unit that was corrected before is corrected again: the values as delivered are wanted then.
    """
    where = {"batch_id": batch_id}
    corrected = corrections_of(batch_id, lake)
    recordings = lake.read("recordings", where=where)
    people = _people(recordings, corrected, lake, batch_id)
    scaled = _scaled(batch_id, corrected, lake)
    moved = _moved(recordings, people)
    if moved or any(one.samples_too for one in scaled.values()):
        _rewrite_samples(batch_id, moved, scaled, lake)
    if moved or scaled:
        streams = _settled_streams(lake.read("streams", where=where), moved, scaled)
        lake.replace("streams", streams, where=where)
    for name in _WITH_PEOPLE if moved else ():
        rows = lake.read(name, where=where)
        if rows.num_rows:
            lake.replace(name, _with_people(rows, moved), where=where)
    settled = _settled_recordings(recordings, corrected, people, study, lake)
    if not settled.equals(recordings):
        lake.replace("recordings", settled, where=where)


def reading_needed(batch_id: str, lake: Lake) -> list[tuple[str, str]]:
    """Return recording and stream of every one whose values were changed by a correction that does not hold any more."""
    corrected = corrections_of(batch_id, lake)
    if not any(name.startswith(UNIT) for fields in corrected.values() for name in fields):
        return []
    streams = lake.read("streams", columns=["recording_id", "stream", "corrected_unit"], where={"batch_id": batch_id})
    return [
        (row["recording_id"], row["stream"])
        for row in streams.filter(pc.is_valid(streams["corrected_unit"])).to_pylist()
        if row["corrected_unit"] != _unit(corrected, row["recording_id"], row["stream"])
    ]


def _unit(corrected: Corrected, recording_id: str, stream: str) -> str | None:
    return corrected.get(recording_id, {}).get(f"{UNIT}{stream}")


def _people(recordings: pa.Table, corrected: Corrected, lake: Lake, batch_id: str) -> dict[str, str]:
    """Whose every recording is that was ever corrected in this; as delivered, if that was taken back."""
    wanted = {one: fields["participant"] for one, fields in corrected.items() if "participant" in fields}
    back = [one for one, person in wanted.items() if person is None]
    where = {"batch_id": batch_id, "recording_id": back}
    files = lake.read("files", columns=["recording_id", "path", "participant"], where=where) if back else None
    delivered = files.sort_by([("path", "descending")]).to_pylist() if files is not None else []
    known = {row["recording_id"]: row["participant"] for row in delivered}
    held = set(recordings["recording_id"].to_pylist()) if wanted else set()
    return {one: person or known[one] for one, person in wanted.items() if one in held and (person or one in known)}


def _moved(recordings: pa.Table, people: Mapping[str, str]) -> dict[str, str]:
    rows = recordings.filter(pc.is_in(recordings["recording_id"], pa.array(list(people), pa.string())))
    now = dict(zip(rows["recording_id"].to_pylist(), rows["participant"].to_pylist(), strict=True))
    return {one: person for one, person in people.items() if now[one] != person}


def _scaled(batch_id: str, corrected: Corrected, lake: Lake) -> dict[tuple[str, str], _Scaled]:
    """Measure every stream whose unit was corrected since it was read."""
    if again := reading_needed(batch_id, lake):
        recording_id, stream = again[0]
        sentence = f"the unit of the {stream} was corrected before; its values are wanted as they were delivered"
        raise KinelakeError(Reason("reading_needed", sentence, recording_id, "kinelake run"))
    wanted = [one for one, fields in corrected.items() if any(name.startswith(UNIT) for name in fields)]
    where = {"batch_id": batch_id, "recording_id": wanted}
    found: dict[tuple[str, str], _Scaled] = {}
    for row in lake.read("streams", where=where).to_pylist() if wanted else ():
        unit = _unit(corrected, row["recording_id"], row["stream"])
        if unit is not None and row["corrected_unit"] is None:
            found[row["recording_id"], row["stream"]] = _measured(row, unit, lake)
    return found


def _measured(row: Mapping[str, Any], unit: str, lake: Lake) -> _Scaled:
    factor = si_factor(row["stream"], unit)
    where = {name: row[name] for name in ("batch_id", "recording_id", "stream")}
    samples = lake.read("samples", columns=_AXES, where=where)
    values = np.column_stack([samples[axis].to_numpy() for axis in _AXES if samples[axis].null_count < samples.num_rows])
    # Killed between the samples and the streams, the samples are multiplied already: they are not those of the row any more.
    untouched = _is_of(values, row)
    values = _times(values, factor) if untouched else values
    norms = {name: None if row[name] is None else row[name] * factor for name in ("norm_median", "norm_rest")}
    facts = {
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        **norms,
        "value_hash": value_hash(values),
        "corrected_unit": unit,
    }
    return _Scaled(factor, facts, untouched)


def _is_of(values: npt.NDArray[np.float32], row: Mapping[str, Any]) -> bool:
    if row["value_hash"] is not None:
        return value_hash(values) == row["value_hash"]
    return bool(np.array_equal([values.min(), values.max()], [row["minimum"], row["maximum"]], equal_nan=True))


def _times(values: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    return (values.astype(np.float64) * factor).astype(np.float32)


def _rewrite_samples(batch_id: str, moved: Mapping[str, str], scaled: Mapping[tuple[str, str], _Scaled], lake: Lake) -> None:
    factors = {key: one.factor for key, one in scaled.items() if one.samples_too}
    touched = pa.array(sorted({*moved, *(recording_id for recording_id, _ in factors)}), pa.string())
    reader = lake.scan("samples", where={"batch_id": batch_id})

    def rewritten() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            if pc.any(pc.is_in(batch["recording_id"], touched)).as_py():
                rows = _with_values(_with_people(pa.table(batch), moved), factors)
                yield from rows.combine_chunks().to_batches()
            else:
                yield batch

    lake.replace("samples", pa.RecordBatchReader.from_batches(reader.schema, rewritten()), where={"batch_id": batch_id})


def _with_people(rows: pa.Table, moved: Mapping[str, str]) -> pa.Table:
    return _replaced(rows, "participant", moved)


def _with_values(rows: pa.Table, factors: Mapping[tuple[str, str], float]) -> pa.Table:
    for (recording_id, stream), factor in factors.items():
        meant = pc.and_(pc.equal(rows["recording_id"], recording_id), pc.equal(rows["stream"], stream))
        for axis in _AXES:
            scaled = pc.cast(pc.multiply(pc.cast(rows[axis], pa.float64()), factor), pa.float32())
            place = rows.schema.get_field_index(axis)
            rows = rows.set_column(place, axis, pc.if_else(meant, scaled, rows[axis]))
    return rows


def _settled_streams(streams: pa.Table, moved: Mapping[str, str], scaled: Mapping[tuple[str, str], _Scaled]) -> pa.Table:
    rows = _with_people(streams, moved).to_pylist()
    changed = [{**row, **(one.facts if (one := scaled.get((row["recording_id"], row["stream"]))) else {})} for row in rows]
    return pa.Table.from_pylist(changed, streams.schema)


def _settled_recordings(
    recordings: pa.Table, corrected: Corrected, people: Mapping[str, str], study: Study, lake: Lake
) -> pa.Table:
    settled = _replaced(_with_labels_of_today(recordings, study), "participant", people)
    for column in ("label", *_STATED):
        said = {one: fields[column] for one, fields in corrected.items() if column in fields}
        given = {one: value for one, value in said.items() if value is not None or column in _STATED}
        settled = _replaced(settled, column, given)
    return _replaced(settled, "value_hash", _hashes(recordings, corrected, lake))


def _with_labels_of_today(recordings: pa.Table, study: Study) -> pa.Table:
    delivered = pc.unique(recordings["label_as_delivered"])
    means = pa.array([study.canonical_label(label) or label for label in delivered.to_pylist()], pa.string())
    labels = means.take(pc.index_in(recordings["label_as_delivered"].combine_chunks(), value_set=delivered))
    return recordings.set_column(recordings.schema.get_field_index("label"), recordings.schema.field("label"), labels)


def _hashes(recordings: pa.Table, corrected: Corrected, lake: Lake) -> dict[str, str | None]:
    """Identity of every recording whose unit was ever corrected, from its streams."""
    wanted = [one for one, fields in corrected.items() if any(name.startswith(UNIT) for name in fields)]
    if not wanted or not recordings.num_rows:
        return {}
    where = {"batch_id": recordings["batch_id"][0].as_py(), "recording_id": wanted}
    hashes: dict[str, list[str | None]] = {}
    for row in lake.read("streams", columns=["recording_id", "value_hash"], where=where).to_pylist():
        hashes.setdefault(row["recording_id"], []).append(row["value_hash"])
    return {one: recording_hash(of_streams) for one, of_streams in hashes.items()}


def _replaced(rows: pa.Table, column: str, values: Mapping[str, str | None]) -> pa.Table:
    """Set a column of the recordings that are named."""
    if not values:
        return rows
    names, new = pa.array(list(values), pa.string()), pa.array(list(values.values()), pa.string())
    at = pc.index_in(rows["recording_id"], value_set=names)
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, rows.schema.field(column), pc.if_else(pc.is_valid(at), new.take(at), rows[column]))
