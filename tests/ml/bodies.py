"""Bodies that squat, as joints in metres: what tests write as pose files and as streams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from studies.skeletons import JOINTS
from tests.ml.written_batches import ORIGIN_NS, Streams

#: A standing body that faces the camera: x to its left, y up, z to its front, from between the hips.
_STANDING = {
    "ankle": (0.11, -0.84, -0.02),
    "knee": (0.11, -0.43, 0.02),
    "hip": (0.1, 0.0, 0.0),
    "wrist": (0.24, -0.02, 0.08),
    "elbow": (0.23, 0.22, -0.02),
    "shoulder": (0.18, 0.48, 0.0),
    "eye": (0.035, 0.68, 0.1),
    "ear": (0.08, 0.66, 0.01),
    "neck": (0.0, 0.48, 0.0),
    "head_top": (0.0, 0.8, 0.02),
    "nose": (0.0, 0.64, 0.13),
}


def squatting(
    frames: int, *, seed: int = 0, deep: float = 0.4, rate_hz: float = 30.0, seconds: float = 2.0
) -> npt.NDArray[np.float32]:
    """Return the 19 joints of a body that squats once in `seconds`, shape (frames, 19, 3), in metres; the hips stay at 0."""
    random = np.random.default_rng(seed)
    standing = np.array([_place(name) for name in JOINTS]) * random.uniform(0.9, 1.1)
    depth = deep * (1 - np.cos(2 * np.pi * np.arange(frames) / rate_hz / seconds)) / 2
    body = np.repeat(standing[np.newaxis], frames, axis=0)
    knees, ankles = ([number for number, name in enumerate(JOINTS) if name.endswith(end)] for end in ("knee", "ankle"))
    body[:, ankles, 1] += depth[:, np.newaxis]
    body[:, knees, 1] += depth[:, np.newaxis] * 0.8
    body[:, knees, 2] += depth[:, np.newaxis] * 0.7
    return (body + random.normal(0, 0.002, body.shape)).astype(np.float32)


def streams_of(joints: npt.NDArray[np.float32], t_s: npt.NDArray[np.float64] | None = None) -> Streams:
    """Return the streams of 19 joints, frames at `t_s` after `ORIGIN_NS` (default: 30 a second)."""
    t_s = np.arange(len(joints)) / 30 if t_s is None else t_s
    t_ns = ORIGIN_NS + np.rint(t_s * 1e9).astype(np.int64)
    return {f"joint@{name}": (t_ns, joints[:, number]) for number, name in enumerate(JOINTS)}


def _place(name: str) -> tuple[float, float, float]:
    side, _, part = name.partition("_")
    if side not in ("left", "right"):
        return _STANDING[name]
    x, y, z = _STANDING[part]
    return (x if side == "left" else -x, y, z)
