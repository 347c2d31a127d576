"""What a reader hands on: one capture with its streams, findings and annotations, all in SI units.

Belongs here: the types between device files and tables. How a device writes is in `ingestion/readers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from studies.sensors import unit_of
from warehouse.errors import Reason


@dataclass(frozen=True)
class Repair:
    """Something that was changed, chosen or left out while reading; a row of table `repairs`.

    Parameters
    ----------
    kind : str
        Stable name, such as ``unit_converted``, ``sign_flipped``, ``clock_chosen``, ``tail_cut``; all are in
        `warehouse.schemas`.
    sentence : str
        What was done and why, for people.
    source : str
        File (and ``::member``) that it was done to.
    rows : int
        Readings changed or left out.
    stream : str
        Name of the stream; empty if the repair concerns the whole recording.
    start_ns, end_ns : int or None
        First and last time concerned, ns UTC; None if no certain time can be said.
    before, after : str
        What stood there and what stands there now, such as ``g`` and ``m/s^2``.
    """

    kind: str
    sentence: str
    source: str
    rows: int = 0
    stream: str = ""
    start_ns: int | None = None
    end_ns: int | None = None
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Stream:
    """One sensor of a recording on its own clock.

    Parameters
    ----------
    name : str
        As `studies.sensors.stream_name` makes it: the sensor, and its placement where a recording has several.
    t_ns : ndarray of int64, shape (n,)
        Nanoseconds since 1970-01-01 UTC, in the order the device wrote them: unsorted and with duplicates, if so delivered.
    values : ndarray of float32, shape (n, 3) or (n, 4)
        x, y, z and, for quaternions, w, in the stream's SI unit (`studies.sensors.SENSORS`): a reader converts to it, nothing
        downstream does.
    source : str
        File (and ``::member``) the rows came from.
    declared_rate_hz : float or None
        Rate that the file or its name claims, if it does.
    declared_unit : str
        Unit that the file or the study claims, as written, such as ``g``; empty if it claims none. The values are in `unit`.
    drift_ppm : float or None
        How much faster the device's clock runs than the host's, in parts per million, where the file has both
        (`ingestion.clock.drift_ppm`).
    repairs : tuple of Repair
        What its reader repaired; `Repair.stream` may stay empty.

    `t_ns` and `values` of a long stream lie on disk (`ingestion.spool`): use `spool.scaled`, `spool.mapped` and
    `spool.in_blocks` where whole-array arithmetic would need them in memory.
    """

    name: str
    t_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    source: str
    declared_rate_hz: float | None = None
    declared_unit: str = ""
    drift_ppm: float | None = None
    repairs: tuple[Repair, ...] = ()

    @property
    def unit(self) -> str:
        return unit_of(self.name)


@dataclass(frozen=True)
class Poses:
    """Every landmark of a body in every frame, as a pose tool gave it; what the streams of its joints are made of.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        When each frame was shown, ns UTC.
    frame : ndarray of int32, shape (n,)
        Its number among the frames that decoded.
    image : ndarray of float32, shape (n, 33, 3)
        x (right) and y (down) as shares of the picture's width and height, z on the scale of x; NaN where nobody was seen.
    world : ndarray of float32, shape (n, 33, 3)
        Metres from between the hips: x right in the picture, y up, z towards the camera.
    visibility : ndarray of float32, shape (n, 33)
        How sure the tool is that a landmark is in the picture and not hidden, 0 to 1.
    source : str
        File that the frames came from.
    """

    t_ns: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int32]
    image: npt.NDArray[np.float32]
    world: npt.NDArray[np.float32]
    visibility: npt.NDArray[np.float32]
    source: str


@dataclass(frozen=True)
class VideoFacts:
    """What was measured on a clip; a row of table `videos`, where every figure is explained."""

    source: str
    codec: str
    width: int
    height: int
    rotation: int
    frames: int
    rate_hz: float | None
    jitter: float | None
    dropped: int
    frozen: int
    damaged: int
    frames_without_person: int
    frames_with_several: int
    person_changes: int
    landmarks_seen: float | None
    duration_s: float


@dataclass(frozen=True)
class Annotation:
    """A labelled stretch as delivered; an instant when start and end are equal. Times in ns UTC.

    Parameters
    ----------
    start_ns, end_ns : int
    label, source : str
    mid_ns : int or None
        Of a squat its deepest frame, where that was labelled.
    """

    start_ns: int
    end_ns: int
    label: str
    source: str
    mid_ns: int | None = None


@dataclass(frozen=True)
class Finding:
    """Something seen while reading.

    Parameters
    ----------
    reason : Reason
    severity : str
        ``error`` quarantines the recording, ``warning`` and ``note`` do not.
    """

    reason: Reason
    severity: str = "error"


@dataclass(frozen=True)
class Reading:
    """What one reader made of one recording's files.

    Parameters
    ----------
    format : str
        Registered name of the reader, such as ``sensor_logger``.
    streams : tuple of Stream
    annotations : tuple of Annotation
    findings : tuple of Finding
    device : str
        Pseudonym of the device (hash of its serial), empty where the file names none.
    metadata : mapping of str to str
        Facts that the file states about itself, such as ``platform``. Never names or serial numbers.
    left_out : int
        Files in the export that are not on the allow-list of motion files and were not opened.
    repairs : tuple of Repair
        Those that concern no single stream; a stream carries its own.
    poses : tuple of Poses
        Of each clip.
    videos : tuple of VideoFacts
        Of each clip.
    """

    format: str
    streams: tuple[Stream, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    findings: tuple[Finding, ...] = ()
    device: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    repairs: tuple[Repair, ...] = ()
    poses: tuple[Poses, ...] = ()
    videos: tuple[VideoFacts, ...] = ()
