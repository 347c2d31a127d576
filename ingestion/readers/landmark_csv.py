"""Reads CSVs of landmarks: a row a frame, ``nose_x, nose_y, nose_z, nose_v, …`` or ``x1, y1, z1, v1, … v33``, z and v or not.

Numbers count from between the hips (world landmarks, metres) or from the picture's corner (shares of its width and height, or
pixels): the hips tell which. Such files hold no time: the study says the frame rate, and the picture's shape or size.
Belongs here: columns to landmarks, and runs of a ``label`` to marked stretches. The rest is in `ingestion.readers.pose_files`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.readers import csv_columns
from ingestion.readers.described import counted_times
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints
from ingestion.readers.pose_files import Beside, Body, is_of_world, rate_of, reader_of_one_file, reading_of, without_the_unseen
from ingestion.readers.text_table import Layout, TextTable
from ingestion.recording import Annotation, Finding, Reading
from ingestion.spool import Growing
from studies.formats import PoseFiles
from studies.skeletons import MEDIAPIPE
from warehouse.errors import Reason, UnreadableFile

NAME = "landmark_csv"

_NUMBERED = re.compile(r"([xyzv])(\d{1,3})")
_LABELS = ("label", "class")
#: With fewer landmarks than that a table may be anything.
_FEWEST = 8

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Table:
    """Columns of every landmark that has the axes, by its number in `MEDIAPIPE`, and the column of labels."""

    axes: str

    landmarks: Mapping[int, Mapping[str, str]]
    label: str
    others: tuple[str, ...]

    @property
    def types(self) -> dict[str, pa.DataType]:
        numbers = dict.fromkeys((name for columns in self.landmarks.values() for name in columns.values()), pa.float32())
        return numbers | ({self.label: pa.string()} if self.label else {})


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True if the header has x and y of several landmarks, by their names or by number."""
    names = csv_columns.header_of(file.head).names
    return max(len(_whole(_named(names), "xy")), len(_whole(_numbered(names), "xy"))) >= _FEWEST


def _read(file: DeviceFile, said: PoseFiles) -> Reading:
    header = csv_columns.header_of(file.head)
    table = _columns(file, header.names)
    text = TextTable(file, Layout(header.names, header.delimiter, header.decimal_point), table.types)
    folder = csv_columns.spool_folder(file)
    points = Growing(np.float32, 3 * len(MEDIAPIPE), folder=folder)
    visibility = Growing(np.float32, len(MEDIAPIPE), folder=folder)
    labels: list[pa.Array] = []
    for batch in text.batches():
        xyz, seen = _landmarks(batch, table)
        points.add(xyz.reshape(len(xyz), -1))
        visibility.add(seen)
        labels += [batch[table.label]] if table.label else []
    if not points.rows:
        raise UnreadableFile(text.no_rows())
    t_ns = counted_times(points.rows, rate_of(said, file), folder)
    xyz = points.array().reshape(-1, len(MEDIAPIPE), 3)
    of_world = table.axes == "xyz" and is_of_world(xyz)
    frame = np.arange(points.rows, dtype=np.int32)
    body = Body(frame, visibility.array(), None if of_world else xyz, xyz if of_world else None)
    beside = Beside(_stretches(labels, t_ns, file.name), _unread(table, file), text.repairs)
    return reading_of(body, t_ns, file, name=NAME, said=said, folder=folder, beside=beside)


def _named(names: Sequence[str]) -> dict[int, dict[str, str]]:
    numbers = {name: number for number, name in enumerate(MEDIAPIPE)}
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for name in names:
        landmark, _, axis = name.lower().rpartition("_")
        if landmark in numbers and axis in ("x", "y", "z", "v", "visibility"):
            found[numbers[landmark]][axis[0]] = name
    return found


def _numbered(names: Sequence[str]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for match in filter(None, map(_NUMBERED.fullmatch, names)):
        found[int(match[2])][match[1]] = match[0]
    return {number - min(found): columns for number, columns in found.items()}


def _whole(landmarks: Mapping[int, Mapping[str, str]], axes: str) -> dict[int, Mapping[str, str]]:
    return {number: landmarks[number] for number in sorted(landmarks) if set(axes) <= landmarks[number].keys()}


def _solid_or_flat(landmarks: Mapping[int, Mapping[str, str]]) -> tuple[str, dict[int, Mapping[str, str]]]:
    """Return the axes, with z if enough landmarks have it, and the landmarks that have them."""
    solid = _whole(landmarks, "xyz")
    return ("xyz", solid) if len(solid) >= _FEWEST else ("xy", _whole(landmarks, "xy"))


def _columns(file: DeviceFile, names: Sequence[str]) -> _Table:
    numbered = _whole(_numbered(names), "xy")
    by_name = len(_whole(_named(names), "xy")) >= _FEWEST
    axes, landmarks = _solid_or_flat(_named(names) if by_name else _numbered(names))
    if not by_name and list(numbered) != list(range(len(MEDIAPIPE))):
        sentence = f"the header has {len(numbered)} numbered landmarks; due are MediaPipe's {len(MEDIAPIPE)}, fewer only by name"
        remedy = "write all of them, or name them in the header, such as left_knee_x"
        raise UnreadableFile(Reason("joints_wrong_number", sentence, f"{file.name} row 1", remedy))
    label = next((name for name in names if name.lower() in _LABELS), "")
    landmarks = {
        number: {axis: columns[axis] for axis in (*axes, *({"v"} & columns.keys()))} for number, columns in landmarks.items()
    }
    used = {label, *(column for columns in landmarks.values() for column in columns.values())}
    return _Table(axes, landmarks, label, tuple(name for name in names if name not in used))


def _landmarks(batch: pa.RecordBatch, table: _Table) -> tuple[_Floats, _Floats]:
    """Return x, y, z of shape (n, 33, 3), z 0 where there is none, and visibility of shape (n, 33)."""
    xyz = np.full((batch.num_rows, len(MEDIAPIPE), 3), np.nan, np.float32)
    sure = np.ones((batch.num_rows, len(MEDIAPIPE)), np.float32)
    for number, columns in table.landmarks.items():
        xyz[:, number, 2] = 0
        for axis, name in enumerate(table.axes):
            xyz[:, number, axis] = batch[columns[name]].to_numpy()
        if "v" in columns:
            sure[:, number] = batch[columns["v"]].to_numpy()
    return without_the_unseen(xyz, sure)


def _stretches(labels: Sequence[pa.Array], t_ns: npt.NDArray[np.int64], source: str) -> tuple[Annotation, ...]:
    """Return a stretch for every run of frames with the same label."""
    if not labels:
        return ()
    coded = pa.chunked_array(labels).combine_chunks().dictionary_encode()
    starts = np.flatnonzero(np.diff(coded.indices.to_numpy(), prepend=-1))
    ends = np.append(starts[1:], len(t_ns)) - 1
    runs = zip(starts.tolist(), ends.tolist(), coded.take(pa.array(starts)).to_pylist(), strict=True)
    return tuple(
        Annotation(int(t_ns[start]), int(t_ns[end]), label.strip(), source) for start, end, label in runs if label.strip()
    )


def _unread(table: _Table, file: DeviceFile) -> list[Finding]:
    if not table.others:
        return []
    shown = ", ".join(table.others[:5])
    sentence = f"columns of no landmark that has {', '.join(table.axes)} were left out: {len(table.others)} of them ({shown})"
    return [Finding(Reason("column_unknown", sentence, f"{file.name} row 1", "nothing to do"), "note")]


READER = reader_of_one_file(NAME, sniff, _read)
