"""Reads one clip with two children: one decodes, one finds the body, and the decoding hides behind the finding.

Belongs here: starting, feeding, timing and burying them. What they do is in `decoding` and `pose_worker`; what their answers
mean is in `poses` and `facts`. Frames never pass through this process: the children share memory that has no name.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ingestion.readers.interface import DeviceFile
from ingestion.spool import Growing
from ingestion.video.child import Decoder, bury, on_disk, started, tell
from ingestion.video.environment import pose_python, unavailable
from ingestion.video.exchange import Header, Tally
from ingestion.video.limits import LIMITS, Limits
from ingestion.video.pose_worker import RECORD

_WORKER = Path(__file__).resolve().with_name("pose_worker.py")
_RECORDS_A_BLOCK = 256


@dataclass(frozen=True)
class Clip:
    """What the children answered.

    Parameters
    ----------
    header : Header
        What the container says.
    tally : Tally
        What became of its frames.
    records : ndarray of `pose_worker.RECORD`, shape (n,)
        One for each frame that decoded, in order; on disk where the file has a scratch folder.
    """

    header: Header
    tally: Tally
    records: npt.NDArray[Any]


def read_clip(file: DeviceFile, *, limits: Limits = LIMITS) -> Clip:
    """Decode a clip and find the body in every frame.

    Parameters
    ----------
    file : DeviceFile
        Whose first bytes are a video's (`container_of`).
    limits : Limits, optional

    Returns
    -------
    Clip

    Raises
    ------
    UnreadableFile
        If it cannot be decoded, costs more than the limits, or the pose environment is not there.
    """
    python = pose_python()
    with ExitStack() as stack:
        pair = stack.enter_context(_Pair(file, stack.enter_context(on_disk(file)), limits, python))
        header = pair.begin()
        records = pair.records(file.scratch)
        return Clip(header, pair.end(), records)


class _Pair:
    """Decoder and pose worker of one clip; leaving the context kills whichever still runs.

    Parameters
    ----------
    file : DeviceFile
    clip : file
        The same, with a descriptor.
    limits : Limits
    python : Path
        Of the pose environment.
    """

    def __init__(self, file: DeviceFile, clip: BinaryIO, limits: Limits, python: Path) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._decoder = Decoder(file, clip, limits)
        descriptors = (self._decoder.memory, self._decoder.frames, self._decoder.freed)
        self._worker = started([str(python), "-I", str(_WORKER), *map(str, descriptors)], descriptors, self._complaints)
        self._decoder.hand_over()

    def __enter__(self) -> _Pair:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.__exit__()
        bury(self._worker)
        self._complaints.close()

    def begin(self) -> Header:
        """Wait for the decoder's header, make room for the frames and let both go on."""
        header, shape = self._decoder.begin()
        if self._answered(1) != b"R":
            raise unavailable(self._complaint())
        tell(self._worker, json.dumps(shape))
        self._decoder.go_on()
        return header

    def records(self, scratch: Path | None) -> npt.NDArray[Any]:
        """Gather the worker's answers until it has none left."""
        growing, waiting = Growing(RECORD, folder=scratch), bytearray()
        while some := self._answered(RECORD.itemsize * _RECORDS_A_BLOCK):
            waiting += some
            whole = len(waiting) // RECORD.itemsize
            if whole >= _RECORDS_A_BLOCK:
                growing.add(np.frombuffer(bytes(waiting[: whole * RECORD.itemsize]), RECORD))
                del waiting[: whole * RECORD.itemsize]
        growing.add(np.frombuffer(bytes(waiting[: len(waiting) // RECORD.itemsize * RECORD.itemsize]), RECORD))
        return growing.array()

    def end(self) -> Tally:
        """Return the decoder's tally, once both have come to their end."""
        if self._worker.wait():
            sentence = f"finding the body in it failed: {self._complaint() or 'the worker was killed'}"
            remedy = "run the batch again; if it stays so, export the clip again"
            raise self._decoder.refused("pose_failed", sentence, remedy)
        return self._decoder.end()

    def _answered(self, most: int) -> bytes:
        assert self._worker.stdout is not None
        return self._decoder.heard(self._worker.stdout.fileno(), most)

    def _complaint(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
