"""Pose images: a body's joints drawn as a figure on black, and altered copies of such images.

Belongs here: pixels. Which frames are drawn is in `ml.preprocessing.tensors`, after Zheng and Jiang, "DeepSquat: Analyzing
Weightlifting Form with Deep Learning", whose images are as large as these.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.preprocessing.kernels import compiled
from studies.skeletons import JOINTS

#: Rows and columns of an image.
ROWS, COLUMNS = 192, 108
#: Names of the channels of an example of images: their columns.
CHANNELS: tuple[str, ...] = tuple(f"image.x{column:03d}" for column in range(COLUMNS))

#: The middle of the image lies between the hips; a tall body with its arms up just fits.
_PIXELS_A_METRE = 80.0
_RADIUS = 1.5
#: What is drawn from where to where, and how bright: left and right differ, as colours do in a drawn pose.
_BONES = (
    *(
        (f"{side}_{start}", f"{side}_{end}", shade)
        for side, shade in (("left", 255), ("right", 150))
        for start, end in (
            ("ankle", "knee"),
            ("knee", "hip"),
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
        )
    ),
    ("left_hip", "right_hip", 200),
    ("left_hip", "neck", 200),
    ("right_hip", "neck", 200),
    ("left_shoulder", "neck", 200),
    ("right_shoulder", "neck", 200),
    ("neck", "nose", 225),
    ("nose", "head_top", 225),
    ("left_eye", "left_ear", 255),
    ("right_eye", "right_ear", 150),
)
_ENDS = np.array([[JOINTS.index(start), JOINTS.index(end)] for start, end, _ in _BONES], np.int64)
_SHADES = np.array([shade for _, _, shade in _BONES], np.uint8)

_Floats = npt.NDArray[np.float32]


def draw_poses(joints: _Floats) -> npt.NDArray[np.uint8]:
    """Draw bodies as they are seen: x to the right, y up, depth left out.

    Parameters
    ----------
    joints : ndarray of float32, shape (n, 19, 3)
        In the order of `studies.skeletons.JOINTS`, in metres, from between the hips.

    Returns
    -------
    ndarray of uint8, shape (n, 192, 108)
        0 where there is nothing; what lies outside is cut off.
    """
    images = np.zeros((len(joints), ROWS, COLUMNS), np.uint8)
    places = np.empty((*joints.shape[:2], 2), np.float32)
    places[..., 0] = COLUMNS / 2 + _PIXELS_A_METRE * joints[..., 0]
    places[..., 1] = ROWS / 2 - _PIXELS_A_METRE * joints[..., 1]
    _draw(places, _ENDS, _SHADES, images)
    return images


def as_png(images: npt.NDArray[np.uint8]) -> list[bytes]:
    """Return images of shape (n, rows, columns) as PNG files in shades of grey, without loss."""
    return [_encoded(image) for image in images]


def flipped(images: _Floats) -> _Floats:
    """Return images (n, rows, columns) with left and right exchanged."""
    return np.ascontiguousarray(images[:, :, ::-1])


def zoomed_out(stacks: _Floats, factor: float) -> _Floats:
    """Return images, any number of them one under the other, with what they show `factor` times as large, about their middle.

    Parameters
    ----------
    stacks : ndarray of float32, shape (n, k × 192, 108)
    factor : float
        More than 0, less than 1.
    """
    images = stacks.reshape(-1, ROWS, COLUMNS)
    rows, columns = (_sources(size, factor) for size in (ROWS, COLUMNS))
    within = ((rows >= 0) & (rows < ROWS))[:, np.newaxis] & (columns >= 0) & (columns < COLUMNS)
    found = images[:, np.clip(rows, 0, ROWS - 1)[:, np.newaxis], np.clip(columns, 0, COLUMNS - 1)] * within
    zoomed: _Floats = found.reshape(stacks.shape).astype(np.float32, copy=False)
    return zoomed


def _encoded(image: npt.NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    # The lowest level there is: a drawn body is 0.7 kB of 20 kB with it, and 0.5 kB with one that takes half as long again.
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _sources(size: int, factor: float) -> npt.NDArray[np.int64]:
    middle = (size - 1) / 2
    return np.rint(middle + (np.arange(size) - middle) / factor).astype(np.int64)


@compiled
def _draw(places, ends, shades, images):  # type: ignore[no-untyped-def]
    """Draw lines of radius `_RADIUS` into `images`, shape (n, rows, columns), from `places`, shape (n, joints, 2)."""
    frames, height, width = images.shape
    for frame in range(frames):
        for bone in range(len(ends)):
            x0, y0 = places[frame, ends[bone, 0], 0], places[frame, ends[bone, 0], 1]
            dx, dy = places[frame, ends[bone, 1], 0] - x0, places[frame, ends[bone, 1], 1] - y0
            if not np.isfinite(x0 + y0 + dx + dy):
                continue
            long = max(dx * dx + dy * dy, np.float32(1e-6))
            left, right = max(0, int(min(x0, x0 + dx) - _RADIUS)), min(width - 1, int(max(x0, x0 + dx) + _RADIUS + 1))
            top, bottom = max(0, int(min(y0, y0 + dy) - _RADIUS)), min(height - 1, int(max(y0, y0 + dy) + _RADIUS + 1))
            for y in range(top, bottom + 1):
                for x in range(left, right + 1):
                    share = min(max(((x - x0) * dx + (y - y0) * dy) / long, np.float32(0)), np.float32(1))
                    off_x, off_y = x - x0 - share * dx, y - y0 - share * dy
                    if off_x * off_x + off_y * off_y <= _RADIUS * _RADIUS:
                        images[frame, y, x] = max(images[frame, y, x], shades[bone])
