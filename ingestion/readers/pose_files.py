"""What readers of poses that are delivered as files have in common: frames, pixels and shares, and who was not seen.

Belongs here: landmarks of every frame, however they were written, to a `Reading`. How a file writes them is in its reader's
module; joints are made of landmarks in `ingestion.video.poses`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.readers import export
from ingestion.readers.described import no_dates
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.recording import Annotation, Finding, Poses, Reading, Repair
from ingestion.video.poses import streams_of
from studies.formats import PoseFiles
from studies.skeletons import MEDIAPIPE
from warehouse.errors import Reason, UnreadableFile

#: World landmarks count from between the hips, in metres; in a picture that place is hardly ever its corner.
_ORIGIN = 0.05
#: Shares of a picture lie between 0 and 1, or a little beside it; of pixels at least half are larger than that.
_MOST_SHARE = 2.0
#: With more of its joints outside of the picture than that a body was seen in a picture of another size.
_MOST_OUTSIDE = 0.1
_HIPS = [MEDIAPIPE.index("left_hip"), MEDIAPIPE.index("right_hip")]
_UP = np.array([1, -1, -1], np.float32)  # MediaPipe's y points down, its z away from the camera

_Floats = npt.NDArray[np.float32]
_Size = tuple[float, float]


@dataclass(frozen=True)
class Body:
    """The landmarks of one body in every frame of a file, as the file gives them.

    Parameters
    ----------
    frame : ndarray of int32, shape (n,)
        Number of each frame, ascending.
    visibility : ndarray of float32, shape (n, 33)
        0 where a landmark was not seen, NaN where nobody was.
    image : ndarray of float32, shape (n, 33, 3), or None
        x and y in pixels, or as shares of the picture's width and height, y down; NaN where not seen.
    world : ndarray of float32, shape (n, 33, 3), or None
        Metres from between the hips, y down, z away from the camera; NaN where not seen.
    size : tuple of float, or None
        Width and height of the picture in pixels, where the file says it.
    """

    frame: npt.NDArray[np.int32]
    visibility: _Floats
    image: _Floats | None = None
    world: _Floats | None = None
    size: _Size | None = None


@dataclass(frozen=True)
class Beside:
    """What a file holds beside a body, and what was found in it."""

    annotations: tuple[Annotation, ...] = ()
    findings: Sequence[Finding] = ()
    repairs: tuple[Repair, ...] = ()


def reader_of_one_file(
    name: str, sniff: Callable[[DeviceFile, Hints], bool], read: Callable[[DeviceFile, PoseFiles], Reading]
) -> Reader:
    """Return the reader of a format of which every file is a recording by itself and names no device.

    Parameters
    ----------
    name : str
        Of the format.
    sniff : callable
        As `Reader` has it.
    read : callable
        ``(file, what the study says) -> Reading``; it may raise `UnreadableFile`.
    """

    def read_one(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
        try:
            with export.reading(files[0]):
                return read(files[0], hints.formats.poses)
        except UnreadableFile as error:
            return Reading(format=name, findings=tuple(map(Finding, error.reasons)))

    return Reader(name, sniff, lambda file: file.name, lambda _: "", read_one)


def reading_of(
    body: Body, t_ns: npt.NDArray[np.int64], file: DeviceFile, *, name: str, said: PoseFiles, folder: Path | None, beside: Beside
) -> Reading:
    """Return the streams of the joints, the landmarks, and what was not seen.

    Parameters
    ----------
    body : Body
    t_ns : ndarray of int64, shape (n,)
        When each frame was shown.
    file : DeviceFile
    name : str
        Of the format.
    said : PoseFiles
        What the study says.
    folder : Path or None
        Where long streams are spooled.
    beside : Beside

    Raises
    ------
    UnreadableFile
        ``frame_size_unknown`` for pixels, ``aspect_unknown`` for shares, of a picture whose size or shape nobody says.
    """
    nothing = np.broadcast_to(np.float32(np.nan), (len(t_ns), len(MEDIAPIPE), 3))
    image, shape, doubts = nothing, (1.0, 1.0), list[Finding]()
    if body.image is not None:
        image, shape, doubts = _in_shares(body.image, body.size, said, file)
    world = nothing if body.world is None else body.world * _UP
    poses = Poses(t_ns, body.frame, image, world, body.visibility, file.name)
    sensors = [sensor for sensor, there in (("keypoint", body.image), ("joint", body.world)) if there is not None]
    streams = streams_of(poses, shape=shape, sensors=sensors, scratch=folder, guessed=said.guessed)
    absent = int(np.isnan(body.visibility[:, 0]).sum())
    return Reading(
        format=name,
        streams=tuple(one for one in streams if one.t_ns.size),
        poses=(poses,),
        annotations=beside.annotations,
        findings=(*not_seen(absent, len(t_ns), file), *doubts, *beside.findings, *no_dates(t_ns, file.name)),
        repairs=beside.repairs,
    )


def without_the_unseen(points: _Floats, sure: npt.NDArray[np.floating]) -> tuple[_Floats, _Floats]:
    """Return landmarks and visibility with nothing where nothing was seen.

    Parameters
    ----------
    points : ndarray of float32, shape (n, 33, 3)
        A landmark whose numbers are all 0 or of which one is NaN was not seen.
    sure : ndarray, shape (n, 33)
        How sure the tool was of each.

    Returns
    -------
    points : ndarray of float32, shape (n, 33, 3)
        NaN where not seen; the same array.
    visibility : ndarray of float32, shape (n, 33)
        From 0, not seen, to 1; NaN where nothing of a body was seen.
    """
    seen = points.any(axis=2) & np.isfinite(points).all(axis=2)
    visibility = np.where(seen, np.clip(np.nan_to_num(sure), 0, 1), 0).astype(np.float32)
    points[visibility == 0] = np.nan
    visibility[~visibility.any(axis=1)] = np.nan
    return points, visibility


def is_of_world(points: _Floats) -> bool:
    """Tell by the hips whether landmarks are in metres from between them, or of a picture."""
    hips = points[:, _HIPS, :2].mean(axis=1)
    hips = hips[np.isfinite(hips).all(axis=1)]
    return bool(len(hips)) and bool((np.abs(np.median(hips, axis=0)) < _ORIGIN).all())


def rate_of(said: PoseFiles, file: DeviceFile) -> float:
    """Return the frame rate that the study says.

    Raises
    ------
    UnreadableFile
        If it says none: ``rate_unknown``.
    """
    if said.rate_hz is None:
        sentence = "the file holds frames and no times, and the study does not say how many frames a second there were"
        remedy = "say it in the study: formats: {poses: {rate_hz: 30}}"
        raise UnreadableFile(Reason("rate_unknown", sentence, file.name, remedy))
    return said.rate_hz


def not_seen(absent: int, frames: int, file: DeviceFile) -> list[Finding]:
    """Say in how many frames nobody was seen, if there are any; without anybody at all that is an error."""
    if not absent:
        return []
    sentence = f"in {absent:,} of its {frames:,} frames no joint is given, or all are 0: nobody was seen there, which is a gap"
    remedy = "film the whole body, from the side or the front, in good light"
    return [Finding(Reason("joints_not_seen", sentence, file.name, remedy), "error" if absent == frames else "warning")]


def _in_shares(
    image: _Floats, size: _Size | None, said: PoseFiles, file: DeviceFile
) -> tuple[_Floats, tuple[float, float], list[Finding]]:
    """Return landmarks as shares of the picture's width and height, its shape, and whether that can be its size."""
    size = size or said.frame
    xy = image[..., :2]
    in_pixels = bool(np.isfinite(xy).any()) and float(np.nanmedian(np.abs(xy))) > _MOST_SHARE
    if in_pixels and size is None:
        sentence = "keypoints are in pixels, and neither the file nor the study says how large the picture was"
        remedy = "say width and height in the study: formats: {poses: {frame: [1920, 1080]}}"
        raise UnreadableFile(Reason("frame_size_unknown", sentence, file.name, remedy))
    if size is None and said.aspect is None:
        sentence = "landmarks are shares of a picture's width and height, and the study does not say its shape"
        remedy = "say width over height in the study: formats: {poses: {aspect: 1.7778}}"
        raise UnreadableFile(Reason("aspect_unknown", sentence, file.name, remedy))
    width, height = size or (said.aspect or 1.0, 1.0)
    if not in_pixels:
        return image, (width, height), []
    shares: _Floats = (image / np.array([width, height, width])).astype(np.float32)
    return shares, (width, height), _outside(shares, width, height, file)


def _outside(shares: _Floats, width: float, height: float, file: DeviceFile) -> list[Finding]:
    seen = shares[np.isfinite(shares).all(axis=2)][:, :2]
    outside = float(((seen < 0) | (seen > 1)).any(axis=1).mean())
    if outside <= _MOST_OUTSIDE:
        return []
    sentence = f"{outside:.0%} of the joints lie outside of a picture of {width:g} × {height:g} pixels, as the study says it is"
    remedy = "correct formats: {poses: {frame: [width, height]}} in the study, or part clips of another size from these"
    return [Finding(Reason("frame_size_doubtful", sentence, file.name, remedy), "warning")]
