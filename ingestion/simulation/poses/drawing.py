"""A simulated squat as a clip: a shaded figure of capsules in a plain room, encoded as H.264.

Belongs here: drawing. The figure has limbs, trunk, head and feet in several colours, and is lit from the upper left. MediaPipe
takes it for a person in every frame, and finds its joints to 0.7 % of the picture's height in the median.
"""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ingestion.simulation.motion import Floats
from ingestion.simulation.poses.camera import PICTURE, Camera, pictured
from studies.skeletons import MEDIAPIPE

_Picture = npt.NDArray[np.uint8]

_SKIN, _SHIRT, _TROUSERS, _SHOES, _HAIR = (214, 168, 138), (60, 96, 150), (48, 48, 56), (225, 225, 225), (66, 46, 34)
#: From, to, radius at either end in metres, colour; drawn from the farthest to the nearest.
_LIMBS = tuple(
    (f"{side}_{start}", f"{side}_{end}", radii, colour)
    for side in ("left", "right")
    for start, end, radii, colour in (
        ("heel", "foot_index", (0.035, 0.03), _SHOES),
        ("ankle", "heel", (0.04, 0.035), _SHOES),
        ("knee", "ankle", (0.06, 0.042), _TROUSERS),
        ("hip", "knee", (0.088, 0.065), _TROUSERS),
        ("shoulder", "elbow", (0.055, 0.042), _SHIRT),
        ("elbow", "wrist", (0.042, 0.03), _SKIN),
        ("wrist", "index", (0.035, 0.028), _SKIN),
    )
)
_UP = np.array([0.0, 1.0, 0.0])
_ENCODER = {"preset": "veryfast", "crf": "23", "threads": "1"}
_LIGHT = np.array([-0.5, 0.65, 0.57])


def clip_of(landmarks: Floats, camera: Camera, *, rate_hz: int, scale: float = 0.25) -> bytes:
    """Return an MP4 of a figure with landmarks (n, 33, 3), `scale` times as large as `PICTURE`."""
    import av

    size = [round(scale * side) // 2 * 2 for side in PICTURE]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate_hz), options=_ENCODER)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in pictures_of(landmarks, camera, width=size[0], height=size[1]):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def pictures_of(landmarks: Floats, camera: Camera, *, width: int, height: int) -> list[_Picture]:
    """Return a picture of every frame, RGB, shape (height, width, 3)."""
    places, depth = pictured(camera, landmarks)
    room = _room(width, height)
    per_metre = (pictured(camera, landmarks + _UP / 1000)[0] - places)[..., 1] * (-height * 1000)
    points = np.concatenate([places * (width, height), depth[..., np.newaxis], per_metre[..., np.newaxis]], axis=-1)
    return [_drawn(room.copy(), dict(zip(MEDIAPIPE, frame, strict=True))) for frame in points]


def _room(width: int, height: int) -> _Picture:
    """A wall and a floor, a little darker towards the edges."""
    y, x = np.mgrid[0:height, 0:width]
    wall = np.where(y < 0.78 * height, 205, 150) - 25 * ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2)
    return np.repeat(wall[..., np.newaxis], 3, axis=2).astype(np.uint8)


def _drawn(picture: _Picture, points: dict[str, Floats]) -> _Picture:
    """Points are x, y, depth and pixels a metre."""
    both = {part: (points[f"left_{part}"] + points[f"right_{part}"]) / 2 for part in ("hip", "shoulder", "ear")}
    crown = both["ear"] + 0.35 * (both["ear"] - both["shoulder"])
    bodies = [(points[start], points[end], radii, colour) for start, end, radii, colour in _LIMBS]
    bodies += [
        (points["left_shoulder"], points["right_shoulder"], (0.07, 0.07), _SHIRT),
        (points["left_shoulder"], points["left_hip"], (0.07, 0.075), _SHIRT),
        (points["right_shoulder"], points["right_hip"], (0.07, 0.075), _SHIRT),
        (both["shoulder"], both["hip"], (0.13, 0.12), _SHIRT),
        (points["left_hip"], points["right_hip"], (0.09, 0.09), _TROUSERS),
        (both["shoulder"], both["ear"], (0.055, 0.05), _SKIN),
        (both["ear"], (points["nose"] + both["ear"]) / 2, (0.09, 0.085), _SKIN),
        (crown, both["ear"], (0.075, 0.088), _HAIR),
    ]
    for start, end, radii, colour in sorted(bodies, key=lambda one: -(one[0][2] + one[1][2])):
        _capsule(picture, start, end, radii, colour)
    for side in ("left", "right"):
        if points[f"{side}_eye"][2] < both["ear"][2]:
            _capsule(picture, points[f"{side}_eye_inner"], points[f"{side}_eye_outer"], (0.008, 0.008), (40, 30, 30))
    _capsule(picture, points["mouth_left"], points["mouth_right"], (0.007, 0.007), (150, 70, 70))
    return picture


def _capsule(picture: _Picture, start: Floats, end: Floats, radii: tuple[float, float], colour: tuple[int, int, int]) -> None:
    """Paint a limb whose radius goes from one to the other, shaded as a rounded body."""
    first, last = radii[0] * start[3], radii[1] * end[3]
    reach = max(first, last) + 1
    low = np.floor(np.minimum(start[:2], end[:2]) - reach).astype(int)
    high = np.ceil(np.maximum(start[:2], end[:2]) + reach).astype(int) + 1
    (left, top), (right, bottom) = np.maximum(low, 0), np.minimum(high, picture.shape[1::-1])
    if left >= right or top >= bottom:
        return
    y, x = np.mgrid[top:bottom, left:right]
    along = end[:2] - start[:2]
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(float(along @ along), 1e-9), 0, 1)
    off_x, off_y = x - start[0] - share * along[0], y - start[1] - share * along[1]
    radius = first + share * (last - first)
    bulge = 1 - (off_x**2 + off_y**2) / radius**2
    inside = bulge > 0
    shade = (off_x * _LIGHT[0] - off_y * _LIGHT[1]) / radius + np.sqrt(np.maximum(bulge, 0)) * _LIGHT[2]
    lit = np.clip(0.55 + 0.5 * shade, 0.3, 1.1)[..., np.newaxis] * colour
    area = picture[top:bottom, left:right]
    area[inside] = np.clip(lit[inside], 0, 255)
