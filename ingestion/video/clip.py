"""Reads one clip with two children: one decodes, one finds the body, and the decoding hides behind the finding.

Belongs here: starting, feeding, timing and burying them. What they do is in `decoding` and `pose_worker`; what their answers
mean is in `poses` and `facts`. Frames never pass through this process: the children share memory that has no name.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ingestion.readers.interface import DeviceFile
from ingestion.spool import Growing
from ingestion.video.container import container_of
from ingestion.video.environment import pose_python, unavailable
from ingestion.video.exchange import SLOTS, Header, Order, Tally
from ingestion.video.limits import Limits
from ingestion.video.pose_worker import RECORD
from warehouse.errors import Reason, UnreadableFile

LIMITS = Limits()

_HERE = Path(__file__).resolve()
_ROOT = _HERE.parents[2]
_RECORDS_A_BLOCK = 256
_SMALLER = "export it shorter or in a smaller size, as H.264"


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
        clip = stack.enter_context(_on_disk(file))
        pair = stack.enter_context(_Pair(file.name, limits, python, clip, str(container_of(file.head))))
        header = pair.begin()
        records = pair.records(file.scratch)
        return Clip(header, pair.end(), records)


@contextmanager
def _on_disk(file: DeviceFile) -> Iterator[BinaryIO]:
    """Open a file that has a descriptor of its own: a member of an archive is unpacked into one without a name."""
    with file.open() as stream:
        try:
            stream.fileno()
        except OSError:
            with tempfile.TemporaryFile(dir=file.scratch) as copy:
                shutil.copyfileobj(stream, copy)
                copy.seek(0)
                yield copy
        else:
            yield stream


class _Pair:
    """Decoder and pose worker of one clip; leaving the context kills whichever still runs.

    Parameters
    ----------
    name : str
        Of the clip, for messages.
    limits : Limits
    python : Path
        Of the pose environment.
    clip : file
    container : str
    """

    def __init__(self, name: str, limits: Limits, python: Path, clip: BinaryIO, container: str) -> None:
        self._name, self._limits = name, limits
        self._memory = os.memfd_create("frames")
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        (frames, frames_in), (free, free_in) = os.pipe(), os.pipe()
        order = Order(
            clip=clip.fileno(),
            memory=self._memory,
            frames=frames_in,
            free=free,
            container=container,
            side=limits.side,
            most_frames=limits.frames,
            memory_bytes=limits.memory_bytes,
            cpu_s=limits.cpu_s,
        )
        decode = [sys.executable, "-m", "ingestion.video.decoding", json.dumps(asdict(order))]
        pose = [str(python), "-I", str(_HERE.with_name("pose_worker.py")), *map(str, (self._memory, frames, free_in))]
        self._decoder = _started(decode, (clip.fileno(), self._memory, frames_in, free), subprocess.DEVNULL)
        self._worker = _started(pose, (self._memory, frames, free_in), self._complaints)
        self._free = free  # kept: the worker gives back the last slots when the decoder is already through
        for handed_on in (frames, frames_in, free_in):
            os.close(handed_on)

    def __enter__(self) -> _Pair:
        return self

    def __exit__(self, *_: object) -> None:
        for child in (self._decoder, self._worker):
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe:
                    pipe.close()
        os.close(self._memory)
        os.close(self._free)
        self._complaints.close()

    def begin(self) -> Header:
        """Wait for the decoder's header, make room for the frames and let both go on."""
        header = Header(**self._said())
        shape = (SLOTS, header.shown_height, header.shown_width, 3)
        os.ftruncate(self._memory, int(np.prod(shape)))
        if self._heard(self._worker, 1) != b"R":
            raise unavailable(self._complaint())
        _tell(self._worker, json.dumps(shape))
        _tell(self._decoder, "go on")
        return header

    def records(self, scratch: Path | None) -> npt.NDArray[Any]:
        """Gather the worker's answers until it has none left."""
        growing, waiting = Growing(RECORD, folder=scratch), bytearray()
        while some := self._heard(self._worker, RECORD.itemsize * _RECORDS_A_BLOCK):
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
            raise self._refused("pose_failed", sentence, remedy)
        tally = Tally(**self._said())
        if tally.too_many:
            sentence = f"it has more than the {self._limits.frames:,} frames that a clip may have"
            raise self._refused("video_over_limits", sentence, "cut it into several clips")
        return tally

    def _said(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            if not (some := self._heard(self._decoder, 1 << 16)):
                raise self._died()
            line += some
        words: dict[str, Any] = json.loads(line)
        if "refused" in words:
            raise self._refused(*words["refused"])
        return words

    def _heard(self, child: subprocess.Popen[bytes], most: int) -> bytes:
        """Return what a child has written, waiting for it no longer than the limits allow; empty at its end."""
        assert child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], self._limits.silent_s)
        if not ready:
            sentence = f"no frame came for {self._limits.silent_s:g} s, so decoding it was given up"
            raise self._refused("video_over_limits", sentence, _SMALLER)
        return os.read(child.stdout.fileno(), most)

    def _died(self) -> UnreadableFile:
        status = self._decoder.wait()
        if status == -signal.SIGXCPU:
            sentence = f"decoding it takes more than the {self._limits.cpu_s:,} s of processor time that a clip may have"
        else:
            sentence = f"its decoder came to a sudden end (status {status}): the clip is damaged or made to do harm"
        return self._refused("video_over_limits", sentence, _SMALLER)

    def _complaint(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _refused(self, code: str, sentence: str, remedy: str) -> UnreadableFile:
        return UnreadableFile(Reason(code, sentence, self._name, remedy))


def _started(command: list[str], descriptors: tuple[int, ...], complaints: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a child that has those descriptors and nothing of this process's environment, which may hold keys."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        bufsize=0,
        pass_fds=descriptors,
        env={"PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", ""), "GLOG_minloglevel": "2", "TF_CPP_MIN_LOG_LEVEL": "2"},
    )


def _tell(child: subprocess.Popen[bytes], words: str) -> None:
    assert child.stdin is not None
    child.stdin.write(words.encode() + b"\n")
