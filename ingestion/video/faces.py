"""Makes faces unrecognisable in a picture that leaves the vault, and all that is not the body with them.

Belongs here: which part of a picture is hidden, and how. Only the person who was followed has landmarks: whoever else is in the
picture is in what lies around that body, which is hidden as strongly. Taking frames out of a clip is `ingestion.video.stills`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from studies.skeletons import LIMBS, MEDIAPIPE

#: The environment variable that switches it off, for installations where whoever was filmed agreed to be seen.
SETTING = "KINELAKE_BLUR_FACES"

#: Nose, eyes, ears and mouth.
FACE = [
    number for number, name in enumerate(MEDIAPIPE) if name.split("_")[0] in ("nose", "mouth") or "eye" in name or "ear" in name
]

_OFF = frozenset({"0", "off", "no", "false"})
_SHOULDERS = [MEDIAPIPE.index("left_shoulder"), MEDIAPIPE.index("right_shoulder")]
_HIPS = [MEDIAPIPE.index("left_hip"), MEDIAPIPE.index("right_hip")]
#: Below this, on average, the tool guesses where the face is.
_SEEN = 0.5
#: Radius of what is hidden: as shares of how far the face's landmarks lie from their middle, of the shoulders' distance, of the
#: trunk's length and of the picture's shorter side. A head seen from its side has narrow shoulders, one that bows a short trunk.
_RADIUS = {"face": 2.2, "shoulders": 0.55, "trunk": 0.4, "picture": 0.03}
#: What is left of a hidden face: a few squares across, drawn one into the other. Of the picture around the body: as many across.
_SQUARES_A_FACE = 5
_SQUARES_A_PICTURE = 14
#: What is taken for the body: so near to its bones, as a share of its longest one in the picture; a thigh is about a fifth.
_FLESH = 0.22
_TRUNK = [*_SHOULDERS, *reversed(_HIPS)]

Picture = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Seen:
    """Whom the pose tool saw in a frame.

    Parameters
    ----------
    image : ndarray, shape (33, 3)
        As in table `poses`: shares of width and height.
    visibility : ndarray, shape (33,)
    """

    image: _Floats
    visibility: _Floats


def faces_hidden() -> bool:
    """Return whether faces are hidden: unless the setting says off, whatever else it says."""
    return os.environ.get(SETTING, "").strip().lower() not in _OFF


def without_face(picture: Picture, seen: Seen) -> Picture | None:
    """Return a picture in which nobody can be recognised; None where it is not known where the face is.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
    seen : Seen

    Returns
    -------
    ndarray of uint8, shape (height, width, 3), or None
        The face and what lies around the body are means of large squares, drawn one into the other: nothing brings back what
        was averaged.
    """
    face = seen.image[FACE, :2]
    if not np.isfinite(face).all() or not np.nanmean(seen.visibility[FACE]) >= _SEEN:
        return None
    height, width = picture.shape[:2]
    points = seen.image[:, :2] * (width, height)
    middle, radius = face_disc(points, min(height, width))
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot(x - middle[0], y - middle[1])
    shown = _blended(
        picture, _coarse(picture, 2 * radius / _SQUARES_A_FACE), np.clip((1.2 * radius - away) / (0.2 * radius), 0, 1)
    )
    return _blended(shown, _coarse(shown, min(height, width) / _SQUARES_A_PICTURE), 1 - _body(points, width, height))


def face_disc(points: _Floats, shorter_side: int) -> tuple[_Floats, float]:
    """Return middle and radius of the head, in pixels, generously; `points` (33, 2) in pixels, hips and shoulders may be NaN."""
    face = points[FACE]
    middle = face.mean(axis=0)
    shoulders, hips = points[_SHOULDERS], points[_HIPS]
    sizes = {
        "face": np.linalg.norm(face - middle, axis=1).max(),
        "shoulders": np.linalg.norm(shoulders[0] - shoulders[1]),
        "trunk": np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0)),
        "picture": shorter_side,
    }
    return middle, float(np.nanmax([_RADIUS[name] * size for name, size in sizes.items()]))


def _body(points: _Floats, width: int, height: int) -> _Floats:
    """What is taken for the body, shape (height, width): 1 near its bones and in its trunk, 0 well away from them."""
    bones = [points[[start, end]] for start, end, _ in LIMBS if np.isfinite(points[[start, end]]).all()]
    thick = max(2.0, 2 * _FLESH * max((float(np.linalg.norm(end - start)) for start, end in bones), default=0.0))
    mask = Image.new("L", (width, height))
    pen = ImageDraw.Draw(mask)
    if np.isfinite(points[_TRUNK]).all():
        pen.polygon([tuple(point) for point in points[_TRUNK].tolist()], fill=255)
    for bone in bones:
        pen.line([tuple(point) for point in bone.tolist()], fill=255, width=round(thick))
        for x, y in bone.tolist():
            pen.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(thick / 8)), np.float32) / 255


def _coarse(picture: Picture, square: float) -> Picture:
    whole = Image.fromarray(picture)
    return np.asarray(whole.reduce(max(2, round(square))).resize(whole.size, Image.Resampling.BILINEAR))


def _blended(picture: Picture, other: Picture, share: _Floats) -> Picture:
    mixed = picture + share[..., np.newaxis] * (other.astype(np.float32) - picture)
    return np.rint(mixed).astype(np.uint8)
