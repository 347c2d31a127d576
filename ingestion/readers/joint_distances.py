"""Reads joint distances as JSON: ``{"0": {"index": 0, "3d_joint": [171 numbers]}, …}``, 19 joints in the order of `JOINTS`.

The numbers of a frame are the distances of every two joints in metres, in the order of ``np.triu_indices(19, 1)``. Belongs here:
JSON to distances; how they become joints is in `ingestion.readers.joint_positions`. Such files hold no time: the study says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.readers.described import no_dates
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints
from ingestion.readers.joint_positions import positions
from ingestion.readers.pose_files import not_seen, rate_of, reader_of_one_file
from ingestion.readers.whole_json import parsed
from ingestion.recording import Finding, Reading, Stream
from studies.formats import PoseFiles
from studies.sensors import stream_name
from studies.skeletons import JOINTS
from warehouse.errors import Reason, UnreadableFile

NAME = "joint_distances"

_KEY = "3d_joint"
_PAIRS = len(JOINTS) * (len(JOINTS) - 1) // 2
_JOINTS_OF = {joints * (joints - 1) // 2: joints for joints in range(2, 200)}
#: A body whose joints lie so far from where its distances want them, in metres, is none.
_MOST_APART = 0.01
_REMEDY = "write the distances again, of every frame all"


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a JSON object with the key of distances."""
    return file.head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") and f'"{_KEY}"'.encode() in file.head


def _read(file: DeviceFile, said: PoseFiles) -> Reading:
    rate_hz = rate_of(said, file)
    frame, distances = _distances(file)
    return _reading(file, np.rint(frame * (1e9 / rate_hz)).astype(np.int64), distances, rate_hz)


def _reading(file: DeviceFile, t_ns: npt.NDArray[np.int64], distances: npt.NDArray[np.float64], rate_hz: float) -> Reading:
    seen = distances.any(axis=1)
    joints, apart = positions(distances[seen])
    body = apart <= _MOST_APART
    findings = [*not_seen(int((~seen).sum()), len(distances), file), *_no_body(apart, file), *no_dates(t_ns, file.name)]
    streams = (
        Stream(stream_name("joint", name), t_ns[seen][body], joints[body, number], file.name, rate_hz, "m")
        for number, name in enumerate(JOINTS)
    )
    return Reading(format=NAME, streams=tuple(streams) if body.any() else (), findings=tuple(findings))


def _no_body(apart: npt.NDArray[np.float64], file: DeviceFile) -> list[Finding]:
    wrong = int((apart > _MOST_APART).sum())
    if not wrong:
        return []
    sentence = (
        f"in {wrong:,} of {len(apart):,} frames no 19 points are as far apart as they say, up to {apart.max():.2f} m off: "
        "those frames were left out"
    )
    reason = Reason("distances_of_no_body", sentence, file.name, "take distances from joints in three dimensions, in metres")
    return [Finding(reason, "error" if wrong == len(apart) else "warning")]


def _distances(file: DeviceFile) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the number of each frame, ascending, and its distances, shape (n, 171)."""
    content = parsed(file)
    assert isinstance(content, dict)  # it begins with a brace
    frames = list(content.items())
    if not frames:
        raise _malformed("the file has no frames", file.name)
    for key, frame in frames:
        _check_frame(frame, f"{file.name} frame {key[:20]!r}")
    numbers = np.array([frame["index"] for _, frame in frames], np.int64)
    try:
        values = np.fromiter(chain.from_iterable(frame[_KEY] for _, frame in frames), np.float64).reshape(-1, _PAIRS)
    except OverflowError as error:  # a whole number of more than 308 digits
        raise _malformed("a distance is larger than any number that is one", file.name) from error
    believable = (values >= 0) & (values <= 10)
    if not believable.all():
        row, column = np.argwhere(~believable)[0]
        sentence = f"distance {column + 1} is {values[row, column]:g}; it lies between 0 and 10 m"
        raise _malformed(sentence, f"{file.name} frame {frames[row][0][:20]!r}")
    order = np.argsort(numbers, kind="stable")
    again = np.flatnonzero(np.diff(numbers[order]) == 0)
    if again.size:
        raise _malformed(f"index {numbers[order][again[0]]} is there twice", file.name)
    return numbers[order], values[order]


def _check_frame(frame: Any, place: str) -> None:
    if not isinstance(frame, Mapping) or not isinstance(frame.get(_KEY), list):
        raise _malformed(f"a frame is an object with 'index' and a list '{_KEY}'", place)
    index, values = frame.get("index"), frame[_KEY]
    if type(index) is not int or not 0 <= index < 1 << 31:
        raise _malformed(f"'index' is {str(index)[:40]!r}; it is the frame's number, a whole number from 0 on", place)
    if len(values) != _PAIRS:
        joints = f", those of {_JOINTS_OF[len(values)]} joints" if len(values) in _JOINTS_OF else ""
        sentence = f"the frame has {len(values)} distances{joints}; due are {_PAIRS}, those of {len(JOINTS)} joints"
        raise UnreadableFile(Reason("joints_wrong_number", sentence, place, _REMEDY))
    if not set(map(type, values)) <= {int, float}:
        raise _malformed("not all of its distances are numbers", place)


def _malformed(sentence: str, place: str) -> UnreadableFile:
    return UnreadableFile(Reason("distances_malformed", sentence, place, _REMEDY))


READER = reader_of_one_file(NAME, sniff, _read)
