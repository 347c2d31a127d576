"""Gathers records of Sensor Logger's JSON, each of some sensor at some time, into one array a stream.

Belongs here: what the JSON export and pushed messages have in common. How each of them nests its records is their readers'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.readers.csv_columns import LATEST_NS
from ingestion.readers.json_blocks import BrokenRecord
from ingestion.readers.sensor_logger_names import MOTION, Part, counted, kind_of, sensor_named, without_stand_ins
from ingestion.readers.sensor_logger_units import Raw
from ingestion.recording import Annotation
from ingestion.spool import Growing

#: Columns that come together, by the first of them: a block is searched for as few names as possible.
_TOGETHER: Mapping[str, tuple[str, ...]] = {
    **{part.columns[0]: part.columns for parts in MOTION.values() for part in parts},
    "text": ("text",),
}


@dataclass(frozen=True)
class Rows:
    """Rows of one stream in one block; `records` are the numbers of their records in it."""

    sensor: str
    part: Part
    records: npt.NDArray[np.int64]
    t_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sorted:
    """A block's records, sorted by sensor."""

    motion: list[Rows] = field(default_factory=list)
    annotations: list[tuple[int, str]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def columns_in(block: bytes) -> list[str]:
    """Return the columns of motion, and the text of annotations, that are named in a block at all."""
    return [column for first, columns in _TOGETHER.items() if b'"%s"' % first.encode() in block for column in columns]


def by_sensor(names: pa.Array, time: pa.Array, columns: Mapping[str, pa.Array]) -> Sorted:
    """Sort a block's records by sensor; of those that are not on the allow-list only the kind is counted.

    Parameters
    ----------
    names : array of string
        Sensor of each record.
    time : array of string or int64
        Nanoseconds since 1970 UTC.
    columns : mapping of str to array of string or float64

    Raises
    ------
    BrokenRecord
        If a time is no whole number between 1970 and 2100, or a value missing or not finite.
    """
    found = Sorted()
    encoded = pc.dictionary_encode(pc.fill_null(names, ""))
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        sensor = sensor_named(name)
        records = np.flatnonzero(codes == code)
        if sensor is not None and sensor in MOTION:
            found.motion.extend(_rows(sensor, records, time, columns))
        elif sensor == "Annotation" and "text" in columns:
            stamps = _whole(time.take(pa.array(records)), records)
            texts = columns["text"].take(pa.array(records)).to_pylist()
            found.annotations.extend((int(t_ns), (text or "").strip()) for t_ns, text in zip(stamps, texts, strict=True))
        elif sensor != "Metadata":
            found.left_out[kind_of(name)] += len(records)
    return found


def _rows(sensor: str, records: npt.NDArray[np.int64], time: pa.Array, columns: Mapping[str, pa.Array]) -> list[Rows]:
    def chosen(array: pa.Array) -> pa.Array:
        return array if len(records) == len(array) else array.take(pa.array(records))

    t_ns = _whole(chosen(time), records)
    own = {name: chosen(columns[name]) for part in MOTION[sensor] for name in part.columns if name in columns}
    written = {name for name, array in own.items() if array.null_count < len(array)}
    parts = [part for part in MOTION[sensor] if written >= set(part.columns)]
    if not parts:
        wanted = ", ".join(MOTION[sensor][0].columns)
        raise BrokenRecord(int(records[0]), f"a record of {sensor} has not all of {wanted}", wanted.partition(",")[0])
    return [Rows(sensor, part, records, t_ns, _values(part, own, records)) for part in parts]


def _whole(time: pa.Array, records: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    t_ns: npt.NDArray[np.int64] = _as(pa.int64(), time, records, "time").to_numpy()
    wrong = (t_ns < 0) | (t_ns >= LATEST_NS)
    if wrong.any():
        worst = int(np.argmax(wrong))
        raise BrokenRecord(int(records[worst]), f"time stamp {t_ns[worst]} is not between 1970 and 2100 in nanoseconds", "time")
    return t_ns


def _values(part: Part, own: Mapping[str, pa.Array], records: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    values = np.empty((len(records), len(part.columns)), dtype=np.float32)
    for axis, name in enumerate(part.columns):
        values[:, axis] = _as(pa.float32(), own[name], records, name).to_numpy()
        if not np.isfinite(values[:, axis]).all():
            row = int(np.argmin(np.isfinite(values[:, axis])))
            raise BrokenRecord(int(records[row]), f"'{own[name][row]}' is not a finite number", name)
    return values


def _as(kind: pa.DataType, array: pa.Array, records: npt.NDArray[np.int64], column: str) -> pa.Array:
    if array.null_count:
        row = int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise BrokenRecord(int(records[row]), "the value is missing", column)
    try:
        return pc.cast(array, kind, safe=not pa.types.is_floating(kind))
    except pa.ArrowInvalid as error:
        row = _first_that_is_no(kind, array)
        raise BrokenRecord(int(records[row]), f"{str(array[row])[:40]!r} is not a {_SAID[str(kind)]}", column) from error


_SAID = {"int64": "whole number that fits a time stamp", "float": "number"}


def _first_that_is_no(kind: pa.DataType, array: pa.Array) -> int:
    """Halve the array until the one value that cannot be cast is left."""
    low, high = 0, len(array)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            pc.cast(array[low:middle], kind)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


class Gathering:
    """The rows of every stream, block after block.

    Parameters
    ----------
    source : str
        Name of the file; a stream's source is ``<file>::<sensor>``.
    folder : Path or None
        Where long streams are spooled; None keeps them in memory.
    """

    def __init__(self, source: str, folder: Path | None = None) -> None:
        self.left_out: Counter[str] = Counter()
        self._source, self._folder = source, folder
        self._annotations: list[tuple[int, str]] = []
        self._growing: dict[tuple[str, Part], tuple[Growing, Growing, Growing]] = {}

    def add(self, found: Sorted, keys: npt.NDArray[np.int64] | None = None) -> None:
        """Append a block; `keys` say something of every record of it, such as the message it came in."""
        self.left_out.update(found.left_out)
        self._annotations += found.annotations
        for rows in found.motion:
            t_ns, values, of = self._of(rows.sensor, rows.part)
            t_ns.add(rows.t_ns)
            values.add(rows.values)
            if keys is not None:
                of.add(keys[rows.records])

    def annotations(self) -> tuple[Annotation, ...]:
        """Return the annotations, as instants."""
        return tuple(Annotation(t_ns, t_ns, text, f"{self._source}::Annotation") for t_ns, text in self._annotations)

    def raws(self) -> list[tuple[Raw, npt.NDArray[np.int64]]]:
        """Return every stream's rows with their keys; uncalibrated ones only where the calibrated ones are missing."""
        wanted = without_stand_ins({sensor for sensor, _ in self._growing})
        return [
            (Raw(sensor, part, f"{self._source}::{sensor}", t_ns.array(), values.array()), of.array())
            for (sensor, part), (t_ns, values, of) in self._growing.items()
            if sensor in wanted
        ]

    def left_out_said(self) -> dict[str, str]:
        """Return how many records of which kind were left out, for `Reading.metadata`."""
        return {"left_out": counted(self.left_out)} if self.left_out else {}

    def _of(self, sensor: str, part: Part) -> tuple[Growing, Growing, Growing]:
        if (sensor, part) not in self._growing:
            folder = self._folder
            grown = Growing(np.int64, folder=folder), Growing(np.float32, len(part.columns), folder=folder), Growing(np.int64)
            self._growing[sensor, part] = grown
        return self._growing[sensor, part]
