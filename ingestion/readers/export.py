"""Opens what an app exports, a zip or loose files, as members that are read where they are and never extracted.

Belongs here: everything that must be checked before a byte of an archive from outside is believed. What the members
mean is each reader's.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from ingestion.readers.interface import ZIP_FAULTS, DeviceFile
from warehouse.errors import Reason, UnreadableFile

#: An archive with more members is refused, unless it should hold a file for each frame. How large one may be unpacked is
#: `csv_columns.MOST_BYTES`.
MOST_MEMBERS = 10_000
#: A member that unpacks to more than this many times its size is a bomb: readings shrink to a quarter, idle ones to a 100th.
MOST_RATIO = 400
#: No member is too much below this size, however well it was compressed.
ALWAYS_ALLOWED_BYTES = 1 << 26

#: Code of the finding for a loose file of an export that is no motion data and was not read.
NOT_MOTION_DATA = "not_motion_data"

_ENCRYPTED = 0x1
#: What phones write. Damage in bzip2 looks like that of a disk.
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DRIVE = re.compile(r"[A-Za-z]:")
_ZIP_AGAIN = "make the zip again with the app's own export, or send the folder as it is"


@contextmanager
def opened(files: Sequence[DeviceFile], *, most_members: int = MOST_MEMBERS) -> Iterator[list[DeviceFile]]:
    """Give the members of one export: of the zip if `files` is one zip, else the files themselves.

    One with more than `most_members` is refused.

    Directories and the resource forks that macOS adds are left out. A member's name is ``<archive>::<member>``.

    Raises
    ------
    UnreadableFile
        ``zip_truncated``, ``zip_member_path``, ``zip_encrypted``, ``zip_too_large`` or ``zip_compression``. Damage inside
        a member, and a bomb (``zip_bomb``), are found when it is opened and read, see `reading`.
    """
    if not (len(files) == 1 and files[0].is_zip):
        yield [file for file in files if not _is_packaging(file.name)]
        return
    file = files[0]
    with file.open() as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except ZIP_FAULTS as error:
            sentence = f"the archive ends too early or is damaged: {error}"
            raise UnreadableFile(
                Reason("zip_truncated", sentence, file.name, "send it again: it was probably cut off")
            ) from error
        with archive:
            entries = archive.infolist()
            _check(file.name, entries, most_members)
            yield [_member(file, archive, entry) for entry in entries if not _is_packaging(entry.filename)]


@contextmanager
def reading(member: DeviceFile) -> Iterator[None]:
    """Blame the archive for what goes wrong inside the block if the member's bytes fail their checksum or end early.

    Raises
    ------
    UnreadableFile
        ``zip_damaged`` instead of what damaged bytes looked like to a parser; else what the block raises.
    """
    try:
        yield
    except UnreadableFile:
        _check_bytes(member)
        raise
    except ZIP_FAULTS as error:
        if in_archive(member):
            raise _damaged(member, error) from error
        raise


def base_name(member: DeviceFile) -> str:
    """Return a member's last path component, such as ``Gyroscope.csv``."""
    return PurePosixPath(member.name.rsplit("::", 1)[-1]).name


def folder_of(member: DeviceFile) -> str:
    """Return the folder of a member inside its archive or delivery, with a slash at the end."""
    return f"{PurePosixPath(member.name.rsplit('::', 1)[-1]).parent}/"


def _check(name: str, entries: Sequence[zipfile.ZipInfo], most_members: int) -> None:
    if len(entries) > most_members:
        sentence = f"the archive has {len(entries):,} members; at most {most_members:,} are allowed"
        raise UnreadableFile(Reason("zip_too_large", sentence, name, "send one recording in a zip"))
    for entry in entries:
        place = f"{name}::{entry.filename}"
        if _leaves_its_folder(entry.filename):
            sentence = "a member's path is absolute or leads out of the archive with '..'; such archives are not opened"
            raise UnreadableFile(Reason("zip_member_path", sentence, place, _ZIP_AGAIN))
        if entry.flag_bits & _ENCRYPTED:
            raise UnreadableFile(Reason("zip_encrypted", "a member is encrypted", place, "send the archive without a password"))
        if entry.compress_type not in _READABLE:
            sentence = f"a member is compressed by method {entry.compress_type}; deflate and none can be read"
            raise UnreadableFile(Reason("zip_compression", sentence, place, _ZIP_AGAIN))


def in_archive(member: DeviceFile) -> bool:
    """Return True for a member of an archive, False for a loose file."""
    return "::" in member.name


def _check_bytes(member: DeviceFile) -> None:
    if not in_archive(member):
        return
    try:
        with member.open() as stream:
            while stream.read(1 << 20):
                pass
    except ZIP_FAULTS as error:
        raise _damaged(member, error) from error


def _damaged(member: DeviceFile, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        Reason("zip_damaged", f"the member's bytes are damaged: {error}", member.name, "send the archive again")
    )


def _leaves_its_folder(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or _DRIVE.match(name) is not None


def _is_packaging(name: str) -> bool:
    path = PurePosixPath(name)
    return name.endswith("/") or "__MACOSX" in path.parts or path.name.startswith("._") or path.name == ".DS_Store"


def _member(file: DeviceFile, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> DeviceFile:
    name = f"{file.name}::{entry.filename}"
    return DeviceFile(name, entry.file_size, lambda: _open_member(name, archive, entry), file.scratch)


def _open_member(name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    """Open a member that is no bomb; one that nobody opens may be what it likes."""
    if entry.file_size > max(ALWAYS_ALLOWED_BYTES, MOST_RATIO * entry.compress_size):
        sentence = (
            f"the member's {entry.compress_size:,} bytes unpack to {entry.file_size:,}; at most {MOST_RATIO} times are allowed"
        )
        raise UnreadableFile(Reason("zip_bomb", sentence, name, _ZIP_AGAIN))
    return cast(BinaryIO, archive.open(entry))
