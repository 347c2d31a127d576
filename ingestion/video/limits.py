"""What a clip may cost: memory, time, frame size, frames; and the walls that its decoder locks itself in.

Belongs here: figures and system limits. Who is killed when, and what is then said, is in `ingestion.video.clip`.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What decoding one clip may cost.

    Parameters
    ----------
    memory_bytes : int
        Address space of the decoder; a 4K clip needs about half a gigabyte.
    cpu_s : int
        Processor seconds of the decoder; a two-hour clip of 1080 × 1920 needs about a thousand.
    silent_s : float
        Wall-clock seconds without a new frame.
    side : int
        Largest width and height of a frame, in pixels.
    frames : int
        Most frames of a clip: four hours at 30 a second.
    """

    memory_bytes: int = 2 << 30
    cpu_s: int = 3600
    silent_s: float = 60.0
    side: int = 8192
    frames: int = 432_000


LIMITS = Limits()


def confine(*, memory_bytes: int, cpu_s: int) -> None:
    """Lock this process in: no more memory or time than that, no new file, no connection, nothing written to disk.

    Whatever a container names, be it a playlist, a URL or another file, cannot be opened: there is no file descriptor left
    to open it with.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_lowest_free(), _lowest_free()))


def _lowest_free() -> int:
    """Number that the next descriptor would get: at this limit there is none."""
    probe = os.dup(0)
    os.close(probe)
    return probe
