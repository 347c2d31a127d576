"""What a reader of a device format is: four small functions, and the file that they are given.

Belongs here: the two types that every format shares. How one device writes is in a module of its own; which formats
there are, and how to add one, is in `ingestion.readers`.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from ingestion.recording import Reading
from studies.formats import Formats
from studies.sensors import POSE_SENSORS, sensor_of
from studies.study import Study

#: Bytes that `DeviceFile.head` shows to those who must tell a format by content.
HEAD_BYTES = 1 << 16

#: What `zipfile` raises on archives that are damaged, cut off or made to mislead.
ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, ValueError, OverflowError)

_ZIP_MAGIC = b"PK\x03\x04"
_LOCAL_HEADER = re.compile(re.escape(_ZIP_MAGIC) + rb".{22}(..)..", re.DOTALL)


@dataclass(frozen=True)
class DeviceFile:
    """A file of a delivery, or a member of an archive: a name to show and a way to open the bytes.

    Parameters
    ----------
    name : str
        Path inside the delivery, with ``::member`` for a member of an archive. Data for messages, never opened.
    size : int
        Bytes, as the folder or the archive's directory states it.
    open : callable
        Returns a fresh binary stream at the first byte; whoever opens it closes it.
    scratch : Path or None
        Folder where streams that are too long for memory are spooled; None: the system's folder for temporary files.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    scratch: Path | None = None

    @classmethod
    def at(cls, path: Path, name: str | None = None, *, scratch: Path | None = None) -> DeviceFile:
        """Return the file at `path`, shown to people as `name` (default: its own name)."""
        return cls(path.name if name is None else name, path.stat().st_size, lambda: path.open("rb"), scratch)

    @cached_property
    def head(self) -> bytes:
        """The first bytes, at most `HEAD_BYTES`."""
        with self.open() as stream:
            return stream.read(HEAD_BYTES)

    @property
    def is_zip(self) -> bool:
        """True if the content begins like a zip archive, whatever the name says."""
        return self.head.startswith(_ZIP_MAGIC)

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Names inside a zip, as data; of a damaged one those that its first bytes still name; empty for other files."""
        if not self.is_zip:
            return ()
        try:
            with self.open() as stream, zipfile.ZipFile(stream) as archive:
                return tuple(archive.namelist())
        except ZIP_FAULTS:
            return tuple(_names_in(self.head))


@dataclass(frozen=True)
class Hints:
    """What is known about a recording beside its bytes.

    Parameters
    ----------
    formats : Formats
        What the study says about its devices' files.
    timezone : str
        The manifest's word on local times, an IANA name such as ``Europe/Berlin``; empty if it has none.
    pose_sensors : frozenset of str
        Which of `studies.sensors.POSE_SENSORS` are wanted of a video; without any none is opened, for a clip beside
        an app's export is private.
    """

    formats: Formats = field(default_factory=Formats)
    timezone: str = ""
    pose_sensors: frozenset[str] = frozenset()

    @classmethod
    def of(cls, study: Study, *, timezone: str = "") -> Hints:
        """Return what a study says; it reads no video unless it declares joints or keypoints."""
        return cls(study.formats, timezone, POSE_SENSORS & set(map(sensor_of, study.streams)))


#: For a file that belongs to no study.
NO_HINTS = Hints()


def _as_one(files: Sequence[DeviceFile]) -> list[list[DeviceFile]]:
    return [list(files)]


@dataclass(frozen=True)
class Reader:
    """One device format.

    Parameters
    ----------
    name : str
        Name of the format, such as ``sensor_logger``; kept in `files.format` and `recordings.format`.
    sniff : callable
        ``(file, hints) -> bool``: True if the content (`DeviceFile.head`, `DeviceFile.members`) is of this format. Never by file
        name, unless the study says which files it means.
    pairing_key : callable
        ``(file) -> str``: files with the same key (and the same participant and label) are one recording.
    device : callable
        ``(files) -> str``: 16 hex digits that stand for the device, from its serial number; empty where none is named. Cheap.
    read : callable
        ``(files, hints) -> Reading`` of all files of one recording. What is wrong with a file becomes a finding whose place
        begins with `DeviceFile.name`; it raises nothing for bad content.
    recordings : callable, optional
        ``(files) -> list of list of files``: splits files with one key into recordings, where a key alone cannot tell them apart.
    """

    name: str
    sniff: Callable[[DeviceFile, Hints], bool]
    pairing_key: Callable[[DeviceFile], str]
    device: Callable[[Sequence[DeviceFile]], str]
    read: Callable[[Sequence[DeviceFile], Hints], Reading]
    recordings: Callable[[Sequence[DeviceFile]], list[list[DeviceFile]]] = _as_one


def _names_in(head: bytes) -> list[str]:
    names = []
    for header in _LOCAL_HEADER.finditer(head):
        length = int.from_bytes(header[1], "little")
        names.append(head[header.end() : header.end() + length].decode("utf-8", errors="replace"))
    return names
