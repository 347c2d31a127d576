"""Small clips that tests write with PyAV: a grey field with a square that moves, so that no two frames are alike."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ingestion.readers.interface import DeviceFile

MILLISECONDS = Fraction(1, 1000)


def field(number: int, *, width: int = 96, height: int = 160) -> npt.NDArray[np.uint8]:
    """An RGB picture whose square is elsewhere in every frame."""
    picture = np.full((height, width, 3), 110, np.uint8)
    picture[8 : 8 + 24, 4 + 2 * (number % 30) : 4 + 2 * (number % 30) + 24] = 230
    return picture


def clip(
    pictures: Sequence[npt.NDArray[np.uint8]],
    *,
    times_ms: Sequence[int] | None = None,
    container: str = "mp4",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
) -> bytes:
    """Encode pictures of one size, shown at `times_ms` (default: every 80 ms, which is 12.5 a second)."""
    with tempfile.NamedTemporaryFile() as file, av.open(file.name, "w", format=container, options=options or {}) as written:
        stream = written.add_stream(codec, rate=Fraction(1000))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        stream.codec_context.time_base = MILLISECONDS
        stream.options = {"g": "10", "bf": "0"} if codec == "libx264" else {}
        for picture, time_ms in zip(pictures, times_ms or range(0, 80 * len(pictures), 80), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time_ms, MILLISECONDS
            written.mux(stream.encode(frame))
        written.mux(stream.encode())
        written.close()
        return Path(file.name).read_bytes()


def as_file(content: bytes, name: str = "clip.mp4") -> DeviceFile:
    """A delivered file with that content."""
    return DeviceFile(name, len(content), lambda: BytesIO(content))
