"""Draws decoded frames as upright RGB pictures, no larger than pose can use, and knows one that shows nothing.

Belongs here: pixels only. It runs in the decoder's child.
"""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt

#: Every k-th pixel is kept so that the shorter side has at least this many: pose looks at 256 of the part where the person is,
#: and takes them from the picture much like this.
SHORT_SIDE = 540

_PLANAR = frozenset({"yuv420p", "yuvj420p"})
_UNDECODED = np.array([0, 135, 0], np.int16)  # what an all-zero YUV frame is in RGB

Picture = npt.NDArray[np.uint8]


def shown_size(width: int, height: int) -> tuple[int, int]:
    """Return the size in which an upright frame is handed on.

    Examples
    --------
    >>> shown_size(1080, 1920), shown_size(608, 1080)
    ((540, 960), (608, 1080))
    """
    step = max(1, min(width, height) // SHORT_SIDE)
    return -(-width // step), -(-height // step)


def draw(frame: av.VideoFrame, picture: Picture, *, rotation: int) -> None:
    """Write a frame into a picture of shape (height, width, 3), RGB, turned by `rotation` degrees counter-clockwise."""
    height, width = picture.shape[:2]
    if rotation % 180:
        height, width = width, height
    plane = _thinned(frame, width, height).reformat(width, height, "rgb24", interpolation="AREA").planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)[:, : 3 * width]
    if rotation:  # whole pixels are moved, not bytes
        np.copyto(picture.view("V3")[..., 0], np.rot90(np.ascontiguousarray(rows).view("V3"), rotation // 90))
    else:
        np.copyto(picture.reshape(height, 3 * width), rows)


def is_undecoded(picture: Picture) -> bool:
    """Return True if half of a picture is the green that a decoder leaves where it decoded nothing."""
    near = np.abs(picture[::16, ::16].astype(np.int16) - _UNDECODED).max(axis=2) < 12
    return bool(near.mean() > 0.5)


def _thinned(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Keep every k-th pixel where that gives the size that is wanted: a tenth of the time of scaling and converting."""
    step = max(1, round(frame.width / width))
    if step == 1 or frame.format.name not in _PLANAR or (-(-frame.width // step), -(-frame.height // step)) != (width, height):
        return frame
    small = av.VideoFrame(width, height, frame.format.name)
    small.colorspace, small.color_range = frame.colorspace, frame.color_range
    for whole, thin in zip(frame.planes, small.planes, strict=True):
        np.copyto(_pixels(thin), _pixels(whole)[::step, ::step])
    return small


def _pixels(plane: av.video.plane.VideoPlane) -> Picture:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
