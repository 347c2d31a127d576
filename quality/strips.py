"""A strip of frames of one clip: which moments are shown, the skeleton over each, and the pictures made small.

Belongs here: choosing and placing. Pictures come from outside, faces already hidden; where there is none the skeleton stands on
black. Only numbers and the page's own words leave this module.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quality.clips import Clip
from studies.skeletons import LIMBS, MEDIAPIPE

#: Frames of a strip.
MOST, EVENLY = 8, 6

_APART_NS = 300_000_000
_HEIGHT, _WIDTH = 400, 320
_MOST_BYTES = 36_000
_QUALITIES = (82, 65, 45, 25, 10)
_MARGIN = 0.2
_PIXELS_A_METRE = 200.0
_SURE = 0.5
_BONES = (
    *LIMBS,
    *((MEDIAPIPE.index(f"left_{part}"), MEDIAPIPE.index(f"right_{part}"), "middle") for part in ("shoulder", "hip", "ear")),
)
#: The neck is no landmark: it is drawn from between the shoulders to between the ears.
_NECK = [[MEDIAPIPE.index(f"{side}_{part}") for side in ("left", "right")] for part in ("shoulder", "ear")]

Picture = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Moment:
    """A frame that is shown: its row in the clip's poses, and what it shows in words."""

    row: int
    words: str


@dataclass(frozen=True)
class Bone:
    """A line of a skeleton, in drawing units; `side` is left, right or middle, `sure` False where the tool only guesses."""

    start: tuple[float, float]
    end: tuple[float, float]
    side: str
    sure: bool


@dataclass(frozen=True)
class Shot:
    """One frame of the strip: its picture as a data URI (empty: black), bones, and words."""

    uri: str
    bones: tuple[Bone, ...]
    seconds: float
    words: str


@dataclass(frozen=True)
class Strip:
    """Frames side by side, each `width` times `height` drawing units."""

    width: float
    height: float
    shots: tuple[Shot, ...]


def moments_of(clip: Clip) -> list[Moment]:
    """Choose what is shown of a clip: the deepest point of each squat (evenly chosen ones of many), its ends, and the clip's.

    Returns
    -------
    list of Moment
        By time, at most `MOST`; `EVENLY` spread where there is no squat, none if nobody is in any frame.
    """
    t_ns = clip.t_ns
    if not t_ns.size:
        return []
    first, last = int(t_ns[0]), int(t_ns[-1])
    evenly = [(int(at), "") for at in np.linspace(first, last, EVENLY)]
    kept: dict[int, str] = {}
    for most, wanted in ((MOST, _of_squats(clip, first, last) if clip.squats else []), (EVENLY, evenly)):
        for at, words in wanted:
            row = int(np.abs(t_ns - at).argmin())
            if len(kept) < most and all(abs(int(t_ns[row] - t_ns[other])) >= _APART_NS for other in kept):
                kept[row] = words
    return [Moment(row, kept[row]) for row in sorted(kept)]


def _of_squats(clip: Clip, first: int, last: int) -> list[tuple[int, str]]:
    """Times of moments and their words, what matters most first."""
    chosen = [clip.squats[number] for number in _spread(len(clip.squats), MOST - 2)]
    wanted = [(squat["deepest_ns"], _deepest(squat)) for squat in chosen]
    wanted += [(first, "first seen"), (last, "last seen")]
    wanted += [
        end
        for squat in chosen
        for end in (
            (squat["start_ns"], f"squat {squat['repetition']} begins"),
            (squat["end_ns"], f"squat {squat['repetition']} ends"),
        )
    ]
    wanted += [((squat["start_ns"] + squat["deepest_ns"]) // 2, "on the way down") for squat in chosen]
    wanted += [((squat["deepest_ns"] + squat["end_ns"]) // 2, "on the way up") for squat in chosen]
    return wanted


def strip_of(clip: Clip, moments: Sequence[Moment], pictures: Mapping[int, Picture]) -> Strip:
    """Place skeletons over pictures that are cut to where the body is, or on black.

    Parameters
    ----------
    clip : Clip
    moments : sequence of Moment
    pictures : mapping of int to ndarray of uint8, shape (height, width, 3)
        By number of the frame, all of one size.
    """
    rows = [moment.row for moment in moments]
    if pictures:
        height, width = next(iter(pictures.values())).shape[:2]
        points: _Floats = clip.image[rows, :, :2].astype(np.float64) * (width, height)
        corners, size = _windows(points, (width, height))
    else:
        points = _standing(clip, rows)
        corners, size = _windows(points, None)
    shots = []
    for moment, body, (left, top) in zip(moments, points, corners.tolist(), strict=True):
        picture = pictures.get(int(clip.frame[moment.row]))
        uri = _uri(picture[top : top + size[1], left : left + size[0]]) if picture is not None else ""
        bones = _bones(body - (left, top), clip.visibility[moment.row])
        shots.append(Shot(uri, bones, clip.seconds(int(clip.t_ns[moment.row])), moment.words))
    return Strip(*size, tuple(shots))


def _deepest(squat: Mapping[str, Any]) -> str:
    knee = "" if squat["knee_deg"] is None else f": knee {squat['knee_deg']:.0f}°"
    return f"squat {squat['repetition']}, deepest{knee}"


def _spread(count: int, most: int) -> list[int]:
    return sorted({int(number) for number in np.rint(np.linspace(0, count - 1, min(count, most)))})


def _windows(points: _Floats, edge: tuple[int, int] | None) -> tuple[npt.NDArray[np.int64], tuple[int, int]]:
    """Where the window on each body begins, and the size that all have: as high as all bodies together, as wide as the widest.

    It follows the body sideways only, so that one that sinks is seen to sink; it lies inside the picture, if there is one.
    """
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    air = max(_MARGIN / 2 * float(np.nanmax(high - low)), 1.0)
    top, bottom = float(np.nanmin(low[:, 1])) - air, float(np.nanmax(high[:, 1])) + air
    width = float(np.nanmax(high[:, 0] - low[:, 0])) + 2 * air
    left = np.nan_to_num((low[:, 0] + high[:, 0] - width) / 2)
    if edge is not None:
        top, bottom, width = max(top, 0.0), min(bottom, edge[1]), min(width, edge[0])
        left = np.clip(left, 0, edge[0] - width)
    corners = np.stack([np.floor(left), np.full(len(left), np.floor(top))], axis=1).astype(np.int64)
    return corners, (max(1, int(width)), max(1, int(bottom - top)))


def _standing(clip: Clip, rows: Sequence[int]) -> _Floats:
    """Bodies as drawing units, y down: from metres, which count from between the hips, with their lowest points on one floor."""
    places: _Floats = clip.world[rows, :, :2].astype(np.float64) * (_PIXELS_A_METRE, -_PIXELS_A_METRE)
    if np.isnan(places).all():
        return clip.image[rows, :, :2].astype(np.float64) * (_HEIGHT * clip.aspect, _HEIGHT)
    places[..., 1] -= np.nanmax(places[..., 1], axis=1)[:, np.newaxis]
    return places


def _bones(body: _Floats, visibility: _Floats) -> tuple[Bone, ...]:
    sure = ~(visibility < _SURE)  # a file without visibility is believed
    lines = [(body[start], body[end], side, sure[start] and sure[end]) for start, end, side in _BONES]
    lines.append((*(body[pair].mean(axis=0) for pair in _NECK), "middle", sure[_NECK].all()))
    return tuple(
        Bone((float(start[0]), float(start[1])), (float(end[0]), float(end[1])), side, bool(seen))
        for start, end, side, seen in lines
        if np.isfinite([start, end]).all()
    )


def _uri(picture: Picture) -> str:
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(picture))
    small.thumbnail((_WIDTH, _HEIGHT))
    for quality in _QUALITIES:
        written = io.BytesIO()
        small.save(written, "JPEG", quality=quality, optimize=True)
        if written.tell() <= _MOST_BYTES:
            break
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
