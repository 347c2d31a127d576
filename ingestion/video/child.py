"""The child that decodes, seen from the process that started it: its order, its words, how long it may be silent, its end.

Belongs here: what reading a whole clip (`ingestion.video.clip`) and taking single frames (`ingestion.video.stills`) share.
What the child does is in `ingestion.video.decoding`.
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
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from ingestion.readers.interface import DeviceFile
from ingestion.video.container import container_of
from ingestion.video.exchange import SLOTS, Header, Order, Tally
from ingestion.video.limits import Limits
from warehouse.errors import Reason, UnreadableFile

_ROOT = Path(__file__).resolve().parents[2]
_SMALLER = "export it shorter or in a smaller size, as H.264"


@contextmanager
def on_disk(file: DeviceFile) -> Iterator[BinaryIO]:
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


class Decoder:
    """The decoder of one clip; leaving the context kills it if it still runs.

    Parameters
    ----------
    file : DeviceFile
    clip : file
        The same, with a descriptor.
    limits : Limits
    frames : collection of int, optional
        Numbers of the only frames that are wanted; all if left out.

    Attributes
    ----------
    memory, frames, freed : int
        Descriptors for whoever takes the frames: shared memory, the pipe of notices, and the pipe for slots that are free again.
    """

    def __init__(self, file: DeviceFile, clip: BinaryIO, limits: Limits, *, frames: Collection[int] = ()) -> None:
        self._name, self._limits = file.name, limits
        self.memory = os.memfd_create("frames")
        (self.frames, frames_in), (self._free, self.freed) = os.pipe(), os.pipe()
        order = Order(
            clip=clip.fileno(),
            memory=self.memory,
            frames=frames_in,
            free=self._free,
            container=str(container_of(file.head)),
            side=limits.side,
            most_frames=limits.frames,
            memory_bytes=limits.memory_bytes,
            cpu_s=limits.cpu_s,
            wanted=tuple(sorted(frames)),
        )
        decode = [sys.executable, "-m", "ingestion.video.decoding", json.dumps(asdict(order))]
        self._child = started(decode, (clip.fileno(), self.memory, frames_in, self._free), subprocess.DEVNULL)
        os.close(frames_in)

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        bury(self._child)
        # `_free` is kept so long: slots are still given back when the decoder is already through.
        for descriptor in (self.memory, self._free, *({self.frames, self.freed} - {-1})):
            os.close(descriptor)

    def hand_over(self) -> None:
        """Close the ends of the pipes that another child has by now."""
        os.close(self.frames)
        os.close(self.freed)
        self.frames = self.freed = -1

    def begin(self) -> tuple[Header, tuple[int, int, int, int]]:
        """Wait for the header and make room for the frames; return both."""
        header = Header(**self._said())
        shape = (SLOTS, header.shown_height, header.shown_width, 3)
        os.ftruncate(self.memory, int(np.prod(shape)))
        return header, shape

    def go_on(self) -> None:
        """Let it decode: there is room, and somebody takes the frames."""
        tell(self._child, "go on")

    def end(self) -> Tally:
        """Return the tally."""
        tally = Tally(**self._said())
        if tally.too_many:
            sentence = f"it has more than the {self._limits.frames:,} frames that a clip may have"
            raise self.refused("video_over_limits", sentence, "cut it into several clips")
        return tally

    def heard(self, descriptor: int, most: int) -> bytes:
        """Return what was written to a pipe, waiting for it no longer than the limits allow; empty at its end."""
        ready, _, _ = select.select([descriptor], [], [], self._limits.silent_s)
        if not ready:
            sentence = f"no frame came for {self._limits.silent_s:g} s, so decoding it was given up"
            raise self.refused("video_over_limits", sentence, _SMALLER)
        return os.read(descriptor, most)

    def refused(self, code: str, sentence: str, remedy: str) -> UnreadableFile:
        """Return the refusal of the clip."""
        return UnreadableFile(Reason(code, sentence, self._name, remedy))

    def _said(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            if not (some := self.heard(self._child.stdout.fileno(), 1 << 16)):
                raise self._died()
            line += some
        words: dict[str, Any] = json.loads(line)
        if "refused" in words:
            raise self.refused(*words["refused"])
        return words

    def _died(self) -> UnreadableFile:
        status = self._child.wait()
        if status == -signal.SIGXCPU:
            sentence = f"decoding it takes more than the {self._limits.cpu_s:,} s of processor time that a clip may have"
        else:
            sentence = f"its decoder came to a sudden end (status {status}): the clip is damaged or made to do harm"
        return self.refused("video_over_limits", sentence, _SMALLER)


def started(command: list[str], descriptors: tuple[int, ...], complaints: int | IO[bytes]) -> subprocess.Popen[bytes]:
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


def tell(child: subprocess.Popen[bytes], words: str) -> None:
    """Write a line to a child."""
    assert child.stdin is not None
    child.stdin.write(words.encode() + b"\n")


def bury(child: subprocess.Popen[bytes]) -> None:
    """Kill a child if it still runs, and close what led to it."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()
