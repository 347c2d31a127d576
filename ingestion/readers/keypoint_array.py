"""Reads keypoints that numpy saved: ``.npy`` of shape (frames, joints, 2 or 3), and ``.npz`` with such arrays by name.

The number of joints tells which they are (`studies.skeletons.SKELETONS`); MediaPipe's 33 may have z and visibility too. Belongs
here: arrays to landmarks. How an array is read safely is in `ingestion.readers.npy_array`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.readers import csv_columns, export
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints
from ingestion.readers.npy_array import MAGIC, read_array
from ingestion.readers.people import landmarks_of, malformed
from ingestion.readers.pose_files import Beside, Body, is_of_world, rate_of, reader_of_one_file, reading_of, without_the_unseen
from ingestion.recording import Finding, Reading
from ingestion.spool import Growing, blocks
from studies.formats import PoseFiles
from studies.skeletons import MEDIAPIPE, SKELETONS
from warehouse.errors import Reason, UnreadableFile

NAME = "keypoint_array"

_IMAGE, _WORLD = ("landmarks", "keypoints", "image"), ("world", "world_landmarks")
_RATE, _SHAPE = "fps", "shape"
_ENDING = ".npy"
#: (joints, numbers of each) by how many numbers a frame has; no two are the same.
_FLAT = {count * numbers: (count, numbers) for count in SKELETONS for numbers in (2, 3)} | {
    4 * len(MEDIAPIPE): (len(MEDIAPIPE), 4)
}
#: COCO writes 2 for what is plain to see; OpenPose is surer than 1 now and then.
_SUREST = 2.0

_Array = npt.NDArray[Any]
_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Landmarks:
    """Landmarks of shape (n, 33, 3), NaN where not seen, visibility of shape (n, 33), and whether they can be in metres."""

    points: _Floats
    visibility: _Floats
    solid: bool


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a saved array, or a zip of nothing but such of which one has a name that this reader knows."""
    if file.is_zip:
        names = [name.removesuffix(_ENDING) for name in file.members if name.endswith(_ENDING)]
        return bool({*_IMAGE, *_WORLD} & set(names)) and len(names) == len(file.members)
    return file.head.startswith(MAGIC)


def _array(member: DeviceFile, folder: Path | None) -> _Array:
    with export.reading(member):
        return read_array(member, folder)


def _read(file: DeviceFile, said: PoseFiles) -> Reading:
    folder = csv_columns.spool_folder(file)
    with export.opened([file]) as members:
        arrays = {export.base_name(member).removesuffix(_ENDING): _array(member, folder) for member in members}
    return _reading(file, arrays if file.is_zip else {_IMAGE[0]: next(iter(arrays.values()))}, said, folder)


def _reading(file: DeviceFile, arrays: Mapping[str, _Array], said: PoseFiles, folder: Path | None) -> Reading:
    rate_hz = _rate(arrays, said, file)
    given = {
        name: _landmarks(array, f"{file.name}::{name}" if file.is_zip else file.name, folder) for name, array in _poses(arrays)
    }
    image = next((given[name] for name in _IMAGE if name in given), None)
    world = next((given[name] for name in _WORLD if name in given), None)
    if image is not None and world is None and image.solid and is_of_world(image.points):
        image, world = None, image
    visibility = _seen_in_both([one for one in (image, world) if one is not None], file)
    frame = np.arange(len(visibility))
    in_picture, in_metres = (None if one is None else one.points for one in (image, world))
    body = Body(frame.astype(np.int32), visibility, in_picture, in_metres, _size(arrays, file))
    t_ns = np.rint(frame * (1e9 / rate_hz)).astype(np.int64)
    beside = Beside(findings=_unread(arrays, file))
    return reading_of(body, t_ns, file, name=NAME, said=said, folder=folder, beside=beside)


def _poses(arrays: Mapping[str, _Array]) -> list[tuple[str, _Array]]:
    return [(name, array) for name, array in arrays.items() if name in (*_IMAGE, *_WORLD)]


def _landmarks(array: _Array, place: str, folder: Path | None) -> _Landmarks:
    joints, numbers = _shape(array, place)
    array = array.reshape(-1, joints, numbers)
    if not len(array):
        raise malformed("the array has no frames", place)
    deep = joints == len(MEDIAPIPE) and (numbers == 4 or (numbers == 3 and _any_negative(array[..., 2])))
    points = Growing(np.float32, 3 * len(MEDIAPIPE), folder=folder)
    visibility = Growing(np.float32, len(MEDIAPIPE), folder=folder)
    for part in blocks(len(array)):
        keypoints = _finite(array[part], part.start, place)
        xyz, seen = _solid(keypoints) if deep else landmarks_of(_with_confidence(keypoints, part.start, place))
        points.add(xyz.reshape(len(xyz), -1))
        visibility.add(seen)
    return _Landmarks(points.array().reshape(-1, len(MEDIAPIPE), 3), visibility.array(), deep)


def _any_negative(third: _Array) -> bool:
    return any((third[part] < 0).any() for part in blocks(len(third)))


def _shape(array: _Array, place: str) -> tuple[int, int]:
    """Return how many joints a frame has, and how many numbers a joint."""
    columns = math.prod(array.shape[1:])
    if array.ndim not in (2, 3) or columns not in _FLAT or (array.ndim == 3 and array.shape[1:] != _FLAT[columns]):
        due = ", ".join(map(str, sorted(SKELETONS)))
        sentence = (
            f"the array is {array.shape}; due is (frames, joints, 2 or 3) of {due} joints, or (frames, {len(MEDIAPIPE)}, 4)"
        )
        raise UnreadableFile(
            Reason("joints_wrong_number", sentence, place, "save x, y and confidence of all joints of every frame")
        )
    return _FLAT[columns]


def _finite(keypoints: _Array, first: int, place: str) -> _Floats:
    with np.errstate(over="ignore"):
        numbers: _Floats = keypoints.astype(np.float32)
    infinite = np.isinf(numbers)
    if infinite.any():
        row, joint, _ = np.argwhere(infinite)[0]
        raise malformed("a number is infinite", f"{place} frame {first + row} joint {joint}")
    return numbers


def _solid(keypoints: _Floats) -> tuple[_Floats, _Floats]:
    """MediaPipe's x, y, z and, if there is a fourth number, visibility."""
    sure = keypoints[..., 3] if keypoints.shape[2] == 4 else np.ones(keypoints.shape[:2], np.float32)
    return without_the_unseen(keypoints[..., :3].copy(), sure)


def _with_confidence(keypoints: _Floats, first: int, place: str) -> _Floats:
    if keypoints.shape[2] == 2:
        return np.concatenate([keypoints, np.ones_like(keypoints[..., :1])], axis=2)
    wrong = (keypoints[..., 2] < 0) | (keypoints[..., 2] > _SUREST)
    if wrong.any():
        row, joint = np.argwhere(wrong)[0]
        sentence = f"the third number of a joint is {keypoints[row, joint, 2]:g}; it is how sure the tool was, from 0 to 1"
        raise malformed(sentence, f"{place} frame {first + row} joint {joint}")
    return keypoints


def _seen_in_both(given: Sequence[_Landmarks], file: DeviceFile) -> _Floats:
    if len({len(one.visibility) for one in given}) > 1:
        raise malformed(f"its arrays have {' and '.join(str(len(one.visibility)) for one in given)} frames", file.name)
    least: _Floats = np.nan_to_num(given[0].visibility)
    for one in given[1:]:
        least = np.where(np.isnan(one.points).any(axis=2), np.float32(0), least)
    least[~least.any(axis=1)] = np.nan
    return least


def _rate(arrays: Mapping[str, _Array], said: PoseFiles, file: DeviceFile) -> float:
    if _RATE not in arrays:
        return rate_of(said, file)
    rate = arrays[_RATE].ravel()
    if len(rate) != 1 or not 0 < float(rate[0]) < 10_000:
        raise malformed("fps is one number, the frames a second, more than 0", f"{file.name}::{_RATE}")
    return float(rate[0])


def _size(arrays: Mapping[str, _Array], file: DeviceFile) -> tuple[float, float] | None:
    if _SHAPE not in arrays:
        return None
    size = arrays[_SHAPE].ravel()
    if len(size) < 2 or not ((size[:2] > 0) & (size[:2] < 1 << 16)).all():
        raise malformed("shape is the height and width of the picture in pixels", f"{file.name}::{_SHAPE}")
    return float(size[1]), float(size[0])


def _unread(arrays: Mapping[str, _Array], file: DeviceFile) -> list[Finding]:
    others = [name for name in arrays if name not in (*_IMAGE, *_WORLD, _RATE, _SHAPE)]
    if not others:
        return []
    sentence = f"arrays of other names ({', '.join(others[:5])}) were left out"
    return [Finding(Reason("column_unknown", sentence, file.name, "nothing to do"), "note")]


READER = reader_of_one_file(NAME, sniff, _read)
