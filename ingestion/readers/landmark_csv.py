"""Reads CSVs of MediaPipe's landmarks: a row a frame, ``nose_x, nose_y, nose_z, nose_v, …`` or ``x1, y1, z1, v1, … v33``.

Numbers count from between the hips (world landmarks, metres) or from the picture's corner (image landmarks, shares of its
width and height): the hips tell which. Such files hold no time: the study says the frame rate, and the picture's shape.
Belongs here: columns to landmarks, and runs of a ``label`` to marked stretches. Joints are made in `ingestion.video.poses`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.readers import csv_columns, export
from ingestion.readers.described import counted_times, no_dates
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.readers.text_table import Layout, TextTable
from ingestion.recording import Annotation, Finding, Poses, Reading
from ingestion.spool import Growing
from ingestion.video.poses import streams_of
from studies.formats import PoseFiles
from studies.skeletons import MEDIAPIPE
from warehouse.errors import Reason, UnreadableFile

NAME = "landmark_csv"

_NUMBERED = re.compile(r"([xyzv])(\d{1,3})")
_LABELS = ("label", "class")
#: With fewer landmarks than that a table may be anything.
_FEWEST = 8
#: World landmarks count from between the hips, in metres; in a picture that place is hardly ever its corner.
_ORIGIN = 0.05
_HIPS = [MEDIAPIPE.index("left_hip"), MEDIAPIPE.index("right_hip")]
_UP = np.array([1, -1, -1], np.float32)  # MediaPipe's y points down, its z away from the camera

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Table:
    """Columns of every landmark that has x, y and z, by its number in `MEDIAPIPE`, and the column of labels."""

    landmarks: Mapping[int, Mapping[str, str]]
    label: str
    others: tuple[str, ...]

    @property
    def types(self) -> dict[str, pa.DataType]:
        numbers = dict.fromkeys((name for columns in self.landmarks.values() for name in columns.values()), pa.float32())
        return numbers | ({self.label: pa.string()} if self.label else {})


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True if the header has x, y and z of several landmarks, by their names or by number."""
    names = csv_columns.header_of(file.head).names
    return max(len(_whole(_named(names))), len(_whole(_numbered(names)))) >= _FEWEST


def pairing_key(file: DeviceFile) -> str:
    """Return the file's name: it is a recording by itself."""
    return file.name


def device(_files: Sequence[DeviceFile]) -> str:
    """Return that no device is known: the files name none."""
    return ""


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read one file: a stream for each joint, all landmarks, and a marked stretch for every run of a label."""
    try:
        with export.reading(files[0]):
            return _read(files[0], hints.formats.poses)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


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
    poses, aspect = _poses(xyz, visibility.array(), t_ns, said, file)
    sensor = "keypoint" if aspect else "joint"
    streams = [one for one in streams_of(poses, shape=(aspect or 1, 1), sensors=[sensor], scratch=folder) if one.t_ns.size]
    return Reading(
        format=NAME,
        streams=tuple(streams),
        poses=(poses,),
        annotations=_stretches(labels, t_ns, file.name),
        findings=(*_unseen(poses, file), *_unread(table, file), *no_dates(t_ns, file.name)),
        repairs=text.repairs,
    )


def rate_of(said: PoseFiles, file: DeviceFile) -> float:
    """Return the frame rate that the study says.

    Raises
    ------
    UnreadableFile
        If it says none: ``rate_unknown``.
    """
    if said.rate_hz is None:
        sentence = "the file holds frames and no times, and the study does not say how many frames a second there were"
        remedy = "say it in the study: formats: {poses: {rate_hz: 30}}"
        raise UnreadableFile(Reason("rate_unknown", sentence, file.name, remedy))
    return said.rate_hz


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


def _whole(landmarks: Mapping[int, Mapping[str, str]]) -> dict[int, Mapping[str, str]]:
    return {number: landmarks[number] for number in sorted(landmarks) if {"x", "y", "z"} <= landmarks[number].keys()}


def _columns(file: DeviceFile, names: Sequence[str]) -> _Table:
    numbered = _whole(_numbered(names))
    landmarks = _whole(_named(names)) or numbered
    if landmarks is numbered and list(numbered) != list(range(len(MEDIAPIPE))):
        sentence = f"the header has {len(numbered)} numbered landmarks; due are MediaPipe's {len(MEDIAPIPE)}, fewer only by name"
        remedy = "write all of them, or name them in the header, such as left_knee_x"
        raise UnreadableFile(Reason("joints_wrong_number", sentence, f"{file.name} row 1", remedy))
    label = next((name for name in names if name.lower() in _LABELS), "")
    used = {label, *(column for columns in landmarks.values() for column in columns.values())}
    return _Table(landmarks, label, tuple(name for name in names if name not in used))


def _landmarks(batch: pa.RecordBatch, table: _Table) -> tuple[_Floats, _Floats]:
    """Return x, y, z of shape (n, 33, 3) and visibility of shape (n, 33): 0 where all numbers are 0 or there are none."""
    xyz = np.full((batch.num_rows, len(MEDIAPIPE), 3), np.nan, np.float32)
    seen = np.zeros((batch.num_rows, len(MEDIAPIPE)), np.float32)
    for number, columns in table.landmarks.items():
        xyz[:, number] = np.stack([batch[columns[axis]].to_numpy() for axis in "xyz"], axis=1)
        sure = batch[columns["v"]].to_numpy() if "v" in columns else np.float32(1)
        seen[:, number] = np.where(xyz[:, number].any(axis=1), sure, 0)
    xyz[seen == 0] = np.nan
    seen[~seen.any(axis=1)] = np.nan  # nobody is there
    return xyz, seen


def _poses(
    xyz: _Floats, visibility: _Floats, t_ns: npt.NDArray[np.int64], said: PoseFiles, file: DeviceFile
) -> tuple[Poses, float | None]:
    """Return the landmarks, and the picture's shape if they are such of a picture."""
    hips = xyz[:, _HIPS, :2].mean(axis=1)
    hips = hips[np.isfinite(hips).all(axis=1)]
    of_world = bool(len(hips)) and bool((np.abs(np.median(hips, axis=0)) < _ORIGIN).all())
    if not of_world and said.aspect is None:
        sentence = "landmarks are shares of a picture's width and height, and the study does not say its shape"
        remedy = "say width over height in the study: formats: {poses: {aspect: 1.7778}}"
        raise UnreadableFile(Reason("aspect_unknown", sentence, file.name, remedy))
    nothing = np.broadcast_to(np.float32(np.nan), xyz.shape)
    image, world = (nothing, xyz * _UP) if of_world else (xyz, nothing)
    frame = np.arange(len(t_ns), dtype=np.int32)
    return Poses(t_ns, frame, image, world, visibility, file.name), None if of_world else said.aspect


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


def _unseen(poses: Poses, file: DeviceFile) -> list[Finding]:
    frames, absent = len(poses.t_ns), int(np.isnan(poses.visibility[:, 0]).sum())
    return not_seen(absent, frames, file)


def not_seen(absent: int, frames: int, file: DeviceFile) -> list[Finding]:
    """Say in how many frames nobody was seen, if there are any; without anybody at all that is an error."""
    if not absent:
        return []
    sentence = f"all joints are 0 in {absent:,} of its {frames:,} frames: nobody was seen there, which is a gap"
    remedy = "film the whole body, from the side or the front, in good light"
    return [Finding(Reason("joints_not_seen", sentence, file.name, remedy), "error" if absent == frames else "warning")]


def _unread(table: _Table, file: DeviceFile) -> list[Finding]:
    if not table.others:
        return []
    shown = ", ".join(table.others[:5])
    sentence = f"{len(table.others)} columns ({shown}) are of no landmark that has x, y and z, and were left out"
    return [Finding(Reason("column_unknown", sentence, f"{file.name} row 1", "nothing to do"), "note")]


READER = Reader(NAME, sniff, pairing_key, device, read)
