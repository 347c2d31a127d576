"""The pose worker: a program of its own, run by the pose environment's Python, that turns frames into landmarks.

Belongs here: MediaPipe, and which person is followed. Nothing of this project is imported, for that environment has none of it
and needs none: frames come through shared memory, their numbers and times on a pipe, and a `RECORD` for each goes out.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import types
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

#: One frame's answer. Image landmarks are shares of width and height (x right, y down; z as x), world landmarks metres from
#: between the hips (x right, y up, z towards the camera), all NaN where nobody was seen. `people`: how many were seen, -1 where
#: only the one that is followed was looked for. `jumped`: the one followed may be another than before.
RECORD = np.dtype(
    [
        ("t_ns", "<i8"),
        ("frame", "<i4"),
        ("frozen", "<i2"),
        ("jumped", "<i2"),
        ("people", "<i4"),
        ("image", "<f4", (33, 3)),
        ("world", "<f4", (33, 3)),
        ("visibility", "<f4", (33,)),
    ]
)
_FRAME = struct.Struct("<qiii")
_LOOK_ROUND_NS = 2_000_000_000  # how often it is looked for others: a fourteenth of the work at 30 frames a second
_UP = np.array([1, -1, -1], np.float32)  # MediaPipe's y points down, its z away from the camera
_TRUNK = [11, 12, 23, 24]  # shoulders and hips


class _Drawing(types.ModuleType):
    """Stands in for what MediaPipe imports only to draw: without it the environment is half as large and starts at once."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def main() -> None:
    """Answer every frame on the pipe; arguments: shared memory, pipe of frames, pipe of freed slots."""
    memory, frames, free = map(int, sys.argv[1:])
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    follower = Follower(mediapipe_without_drawing().solutions.pose.Pose)
    out.write(b"R")  # ready
    out.flush()
    shape = json.loads(sys.stdin.readline())
    ring = np.frombuffer(mmap.mmap(memory, 0, prot=mmap.PROT_READ), np.uint8).reshape(shape)
    notices = os.fdopen(frames, "rb")
    while len(notice := notices.read(_FRAME.size)) == _FRAME.size:
        t_ns, number, slot, frozen = _FRAME.unpack(notice)
        answer = follower.see(ring[slot], t_ns)
        os.write(free, bytes([slot]))
        answer["frame"], answer["frozen"] = number, frozen
        out.write(answer.tobytes())
        out.flush()


def mediapipe_without_drawing() -> Any:
    """Return the package, imported without the libraries that it only draws with."""
    for name in ("matplotlib", "matplotlib.pyplot", "cv2"):
        sys.modules[name] = _Drawing(name)
    import mediapipe

    return mediapipe


class Follower:
    """Follows one person through the frames of one clip: the largest at first, then the nearest to where that one was.

    MediaPipe's pose follows whom it found until it loses them, and cannot be asked for others. So, now and then and whenever
    whom it follows is new or has leapt, the person is painted over and a second, fresh look is taken at the rest.

    Parameters
    ----------
    pose : class
        ``mediapipe.solutions.pose.Pose``.
    """

    def __init__(self, pose: Any) -> None:
        # Smoothing here would assume 30 frames a second whatever the clip's rate is: it is a declared step later on.
        self._tracking = pose(model_complexity=1, smooth_landmarks=False)
        self._looking = pose(model_complexity=1, static_image_mode=True)
        self._box: Any = None
        self._looked_ns = 0

    def see(self, image: Any, t_ns: int) -> Any:
        """Return the `RECORD` of a frame of shape (height, width, 3), RGB, at time `t_ns`."""
        record = np.zeros((), RECORD)
        record["t_ns"] = t_ns
        seen = _seen(self._tracking, image)
        if seen is None:
            return _without_person(record)
        before, self._box = self._box, seen.box
        leapt = before is not None and _leapt(before, seen.box)
        record["people"] = -1
        if before is None or leapt or t_ns - self._looked_ns >= _LOOK_ROUND_NS:
            self._looked_ns = t_ns
            other = self._other(image)
            record["people"] = 1 + (other is not None)
            if other is not None and _preferred(other.box, seen.box, before if leapt else None):
                seen, leapt = self._turn_to(other, image), False
        record["jumped"] = leapt
        record["image"], record["visibility"] = seen.image[:, :3], seen.image[:, 3]
        record["world"] = _points(seen.world, "x", "y", "z") * _UP
        return record

    def _other(self, image: Any) -> Any:
        """Look at the frame without the person who is followed; None if nobody else is plainly there."""
        other = _seen(self._looking, _painted_over(image, self._box))
        if other is None:
            return None
        large = _height(other.box) > 0.25 * _height(self._box)
        return other if other.image[_TRUNK, 3].min() > 0.7 and large and _overlap(other.box, self._box) < 0.3 else None

    def _turn_to(self, other: Any, image: Any) -> Any:
        """Follow the other from now on: the tracking starts afresh on a frame without the one followed so far."""
        self._tracking.reset()
        seen = _seen(self._tracking, _painted_over(image, self._box)) or other
        self._box = seen.box
        return seen


class _Person(NamedTuple):
    """Somebody in a frame: landmarks (33, 4) in shares with visibility, their box in pixels, and the tool's world landmarks."""

    image: Any
    box: Any
    world: Any


def _seen(pose: Any, image: Any) -> _Person | None:
    found = pose.process(image)
    if found.pose_landmarks is None:
        return None
    points = _points(found.pose_landmarks, "x", "y", "z", "visibility")
    places = points[:, :2] * np.array([image.shape[1], image.shape[0]], np.float32)
    return _Person(points, np.concatenate([places.min(axis=0), places.max(axis=0)]), found.pose_world_landmarks)


def _points(landmarks: Any, *names: str) -> Any:
    pick = attrgetter(*names)
    return np.array([pick(point) for point in landmarks.landmark], np.float32)


def _without_person(record: Any) -> Any:
    for name in ("image", "world", "visibility"):
        record[name] = np.nan
    return record


def _height(box: Any) -> Any:
    return box[3] - box[1]


def _centre(box: Any) -> Any:
    return (box[:2] + box[2:]) / 2


def _leapt(before: Any, now: Any) -> bool:
    """Whether somebody moved by half their height between two frames, or became twice or half as tall: nobody does."""
    far = np.linalg.norm(_centre(now) - _centre(before)) > 0.5 * _height(before)
    return bool(far or not 0.5 < _height(now) / max(_height(before), 1.0) < 2.0)


def _preferred(other: Any, followed: Any, before: Any) -> bool:
    """Whether the other is the one to follow: nearer to where the person was before, or, at first, a good deal larger."""
    if before is None:
        return bool(_height(other) > 1.25 * _height(followed))
    gone = [np.linalg.norm(_centre(box) - _centre(before)) for box in (other, followed)]
    return bool(gone[0] < gone[1])


def _overlap(first: Any, second: Any) -> float:
    """Shared area over the smaller one's."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    areas = [np.prod(box[2:] - box[:2]) for box in (first, second)]
    return float(np.prod(np.maximum(sides, 0)) / max(min(areas), 1.0))


def _painted_over(image: Any, box: Any) -> Any:
    """The frame with a person's box, a tenth wider all round, in the frame's mean colour."""
    margin = 0.1 * (box[2:] - box[:2])
    left, top = np.maximum(box[:2] - margin, 0).astype(int)
    right, bottom = np.maximum(box[2:] + margin, 0).astype(int)
    copy = image.copy()
    copy[top:bottom, left:right] = image[::16, ::16].reshape(-1, 3).mean(axis=0).astype(np.uint8)
    return copy


if __name__ == "__main__":
    main()
