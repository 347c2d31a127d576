"""From the answers of the pose worker to poses and to streams: one for each joint, without a row where it was not seen.

Belongs here: which landmark is which joint, and axes. Nothing is smoothed and no gap is filled: those are steps that a study
declares, later on.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.recording import Poses, Stream
from ingestion.spool import Growing, blocks, let_go
from ingestion.video.clip import Clip
from studies.sensors import stream_name
from studies.skeletons import MEDIAPIPE, PLACEMENTS

#: Below this the tool itself says that a joint is out of the picture or wholly hidden, so its place is a guess.
LEAST_VISIBILITY = 0.1

_OF_LANDMARK = {name: number for number, name in enumerate(MEDIAPIPE)}
#: The top of the head is not seen by any tool of this kind: it is taken to lie on the line from the neck through the middle of
#: the ears, this many times as far; a head is about two thirds as high above its ears as those are above the shoulders.
_HEAD_TOP = 1.65

_Floats = npt.NDArray[np.float32]


def poses_of(clip: Clip, *, origin_ns: int, source: str) -> Poses:
    """Return the landmarks of every frame; `origin_ns` is when the clip's own clock was at 0. A long clip's stay on disk."""
    records = clip.records
    return Poses(
        t_ns=np.asarray(records["t_ns"]) + origin_ns,
        frame=records["frame"],
        image=records["image"],
        world=records["world"],
        visibility=records["visibility"],
        source=source,
    )


def streams_of(
    poses: Poses, *, shape: tuple[float, float], sensors: Collection[str], scratch: Path | None, guessed: Collection[str] = ()
) -> tuple[Stream, ...]:
    """Return a stream for every placement and sensor.

    Parameters
    ----------
    poses : Poses
    shape : tuple of float
        Width and height of the upright picture; only their ratio counts.
    sensors : collection of str
        ``joint``, ``keypoint`` or both.
    scratch : Path or None
        Where the streams of a long clip are spooled.
    guessed : collection of str
        Placements that are taken wherever the tool has a place for them, hidden or not.
    """
    names = [stream_name(sensor, placement) for sensor in sorted(sensors) for placement in PLACEMENTS]
    times = [Growing(np.int64, folder=scratch) for _ in names]
    values = [Growing(np.float32, 3, folder=scratch) for _ in names]
    least = np.array([0 if placement in guessed else LEAST_VISIBILITY for placement in PLACEMENTS])
    for part in blocks(len(poses.t_ns)):
        seen = _joints(poses.visibility[part, :, None], least=True)[..., 0] >= least
        of_sensor = {"joint": poses.world[part], "keypoint": _in_heights(poses.image[part], *shape)}
        joints = [joint for sensor in sorted(sensors) for joint in np.moveaxis(_joints(of_sensor[sensor]), 1, 0)]
        for number, joint in enumerate(joints):
            there = seen[:, number % len(PLACEMENTS)]
            times[number].add(poses.t_ns[part][there])
            values[number].add(joint[there])
        let_go(poses.world, poses.image, poses.visibility)
    found = zip(names, times, values, strict=True)
    return tuple(Stream(name, t_ns.array(), xyz.array(), poses.source) for name, t_ns, xyz in found)


def _in_heights(image: _Floats, width: float, height: float) -> _Floats:
    """Shares of the picture's height from its lower left corner, z towards the camera."""
    turned: _Floats = np.stack([image[..., 0] * (width / height), 1 - image[..., 1], image[..., 2] * (-width / height)], axis=-1)
    return turned.astype(np.float32)


def _joints(landmarks: Any, *, least: bool = False) -> Any:
    """The placements' coordinates of shape (n, 23, k) from landmarks of shape (n, 33, k); `least`: of what they are made of."""
    picked = {name: landmarks[:, number] for name, number in _OF_LANDMARK.items()}
    shoulders, ears = ([picked[f"{side}_{part}"] for side in ("left", "right")] for part in ("shoulder", "ear"))
    if least:
        picked["neck"] = np.minimum(*shoulders)
        picked["head_top"] = np.minimum(picked["neck"], np.minimum(*ears))
    else:
        picked["neck"] = (shoulders[0] + shoulders[1]) / 2
        picked["head_top"] = picked["neck"] + np.float32(_HEAD_TOP) * ((ears[0] + ears[1]) / 2 - picked["neck"])
    return np.stack([picked[name] for name in PLACEMENTS], axis=1)
