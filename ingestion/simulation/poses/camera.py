"""A camera before a squatting body, and what a pose tool makes of its picture: landmarks with errors, and frames with nobody.

Belongs here: perspective, and errors like those of MediaPipe's pose landmarker: depth is guessed and wrong slowly, the size of
the body is not known, what is hidden is told with less confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.simulation.motion import Floats, wander
from studies.skeletons import MEDIAPIPE

#: Width and height of the picture.
PICTURE = (1080, 1920)

_HIPS = [MEDIAPIPE.index("left_hip"), MEDIAPIPE.index("right_hip")]
_FOCAL = 1.35  # in heights of the picture: the angle of a phone's main camera held upright


@dataclass(frozen=True)
class Camera:
    """Where the camera stands.

    Parameters
    ----------
    azimuth, pitch : float
        How far it stands to the person's left of straight ahead, and how far it looks down, in rad.
    distance, height : float
        In metres.
    """

    azimuth: float
    pitch: float
    distance: float
    height: float

    def seen(self, points: Floats) -> Floats:
        """Turn points (n, k, 3) in world axes to those of the camera: x right, y up, z towards it, from the camera."""
        along = np.array([np.sin(self.azimuth), 0.0, np.cos(self.azimuth)])
        right = np.array([np.cos(self.azimuth), 0.0, -np.sin(self.azimuth)])
        place = along * self.distance + [0.0, self.height, 0.0]
        relative = points - place
        level = np.stack([relative @ right, relative[..., 1], relative @ along], axis=-1)
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        turned = [level[..., 0], level[..., 1] * cos - level[..., 2] * sin, level[..., 1] * sin + level[..., 2] * cos]
        return np.stack(turned, axis=-1)


@dataclass(frozen=True)
class Found:
    """What a pose tool found, in MediaPipe's own axes; NaN in frames in which it found nobody.

    Parameters
    ----------
    image : ndarray of float64, shape (n, 33, 3)
        x (right) and y (down) as shares of the picture's width and height, z on the scale of x.
    world : ndarray of float64, shape (n, 33, 3)
        Metres from between the hips: x right, y down, z away from the camera.
    visibility : ndarray of float64, shape (n, 33)
    """

    image: Floats
    world: Floats
    visibility: Floats


def placed(rng: np.random.Generator, *, height_m: float) -> Camera:
    """Put up a camera somewhere in front: somebody else does it every time, and not with a ruler."""
    height = float(rng.uniform(0.7, 1.35))
    distance = float(rng.uniform(1.55, 1.95)) * height_m
    middle = 0.48 * height_m
    pitch = float(np.arctan2(height - middle, distance) + rng.normal(0, 0.02))
    return Camera(float(rng.normal(0.0, 0.35)), pitch, distance, height)


def pictured(camera: Camera, landmarks: Floats) -> tuple[Floats, Floats]:
    """Return landmarks in the picture as shares of its width and height, y down, and their distance in metres, (n, 33)."""
    seen = camera.seen(landmarks)
    depth = -seen[..., 2]
    width, height = PICTURE
    x = 0.5 + _FOCAL * seen[..., 0] / depth * (height / width)
    y = 0.5 - _FOCAL * seen[..., 1] / depth
    return np.stack([x, y], axis=-1), depth


def find_landmarks(camera: Camera, landmarks: Floats, t_s: Floats, rng: np.random.Generator) -> Found:
    """Return what a pose tool makes of the picture of landmarks (n, 33, 3) at times (n,).

    The body's size is guessed once for a recording; depth wanders by centimetres, what lies in the picture's plane by
    millimetres; every landmark trembles. One recording in ten loses the person for up to a fifth of a second.
    """
    seen = camera.seen(landmarks)
    body = seen - seen[:, _HIPS].mean(axis=1, keepdims=True)
    size, flat = rng.normal(1.0, 0.025), rng.normal(0.95, 0.04)
    world = size * body * [1, 1, flat] + _errors(rng, t_s, body.shape, slow=(0.005, 0.005, 0.012), quick=(0.002, 0.002, 0.005))
    world -= world[:, _HIPS].mean(axis=1, keepdims=True)
    picture, depth = pictured(camera, landmarks)
    middle = depth[:, _HIPS].mean(axis=1, keepdims=True)
    behind = (depth - middle) / middle * _FOCAL * PICTURE[1] / PICTURE[0]
    image = np.concatenate([picture, behind[..., np.newaxis]], axis=-1)
    image += _errors(rng, t_s, image.shape, slow=(0.002, 0.0015, 0.01), quick=(0.0007, 0.0005, 0.004))
    visibility = np.clip(0.995 - 0.9 * np.maximum(depth - middle, 0) + _trembling(rng, depth.shape), 0.3, 1.0)
    lost = _lost(rng, len(t_s))
    image[lost], world[lost], visibility[lost] = np.nan, np.nan, np.nan
    return Found(image, world * [1, -1, -1], visibility)


def _errors(
    rng: np.random.Generator, t_s: Floats, shape: tuple[int, ...], *, slow: tuple[float, ...], quick: tuple[float, ...]
) -> Floats:
    """Of each landmark by itself: wandering with a knot every 0.6 s, and trembling from frame to frame."""
    wandering = wander(rng, t_s, knots_hz=1.6, size=1.0, columns=shape[1] * 3).reshape(shape)
    return wandering * slow + rng.standard_normal(shape) * quick


def _trembling(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.normal(0, 0.01, shape)


def _lost(rng: np.random.Generator, frames: int) -> npt.NDArray[np.bool_]:
    lost = np.zeros(frames, np.bool_)
    if rng.random() < 0.1:
        first = int(rng.integers(0, max(1, frames - 6)))
        lost[first : first + int(rng.integers(2, 7))] = True
    return lost
