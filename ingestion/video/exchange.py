"""What the decoder and its parent tell each other, and the shape of a frame's notice to the pose worker.

Belongs here: messages only, so that the parent need not load what decodes. The pose worker's answers are described in
`ingestion.video.pose_worker`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

#: Time in ns, number of the frame among those that decoded, slot of the shared memory, 1 if it repeats the frame before.
FRAME = struct.Struct("<qiii")
#: Frames that may wait between decoder and pose.
SLOTS = 4


@dataclass(frozen=True)
class Order:
    """What the parent asks: descriptors and limits, and the numbers of the frames that are `wanted`, ascending; none: all."""

    clip: int
    memory: int
    frames: int
    free: int
    container: str
    side: int
    most_frames: int
    memory_bytes: int
    cpu_s: int
    wanted: Sequence[int] = ()


@dataclass(frozen=True)
class Header:
    """What the container says, and the size in which frames are handed on.

    Parameters
    ----------
    codec : str
    width, height : int
        Pixels as stored, before any turning.
    rotation : int
        Degrees counter-clockwise by which a frame is turned to stand upright: 0, 90, 180 or 270.
    promised : int
        Frames that the container's index counts; 0 if it has none.
    duration_s : float
        As the container says; 0 if it does not.
    created : str
        When it was recorded, as written; empty if it does not say.
    shown_width, shown_height : int
        Pixels of the frames handed on: upright, square pixels.
    """

    codec: str
    width: int
    height: int
    rotation: int
    promised: int
    duration_s: float
    created: str
    shown_width: int
    shown_height: int


@dataclass
class Tally:
    """What became of the frames: handed on, damaged, undecoded (green), without a time, and packets that were no frame."""

    handed_on: int = 0
    damaged: int = 0
    green: int = 0
    untimed: int = 0
    frozen: int = 0
    broken_packets: int = 0
    too_many: bool = False
