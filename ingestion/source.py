"""What was sent: a folder or a zip, listed once and read the same way, member by member.

Belongs here: listing, the refusal of anything that could lead outside or blow up, and opening one file. Nothing is
ever extracted, and a path inside a delivery never becomes a path on this machine. What the files mean is elsewhere.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from lzma import LZMAError
from pathlib import Path
from typing import IO

from warehouse.errors import DeliveryRefused, Reason

#: Most files that one delivery may hold.
MAX_FILES = 100_000
#: Most bytes that a zip may unpack to.
MAX_UNPACKED_BYTES = 256 << 30
#: A zip that unpacks to more than this many times its own size is a bomb, not a recording …
MAX_RATIO = 200
#: … but small ones do no harm: held values and empty tables pack well.
RATIO_COUNTS_FROM_BYTES = 64 << 20
#: Bytes read at once.
CHUNK_BYTES = 1 << 20

_IGNORED_FOLDERS = frozenset({"__MACOSX"})
_IGNORED_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_ENCRYPTED = 0x1
# NotImplementedError is what zipfile raises for a version or method that it does not know.
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, ValueError, OverflowError, NotImplementedError, struct.error)
_Stamp = tuple[int, int, int, int]
_Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class Source:
    """One delivery's files.

    Parameters
    ----------
    name : str
        What messages call it.
    where : str
        Where it lies, in full.
    separator : str
        Between its name and a file's path in messages: ``/`` or ``::``.
    files : mapping of str to callable
        Opens each file, by its path inside the delivery (``/``, Unicode NFC).
    """

    name: str
    where: str
    separator: str
    files: Mapping[str, _Opener]

    def place(self, path: str) -> str:
        """Return how messages name a file of the delivery."""
        return f"{self.name}{self.separator}{path}"

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open one file for reading; leaving the context checks that it did not change meanwhile. On this machine it can seek."""
        return self.files[path]()

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield one file's bytes.

        Raises
        ------
        DeliveryRefused
            If the file is damaged, cannot be read, vanished, or is not what was listed.
        """
        try:
            with self.open(path) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError as error:
            raise DeliveryRefused(changed(self.place(path), "vanished")) from error
        except OSError as error:
            sentence = f"the file cannot be read: {error.strerror or error}"
            raise DeliveryRefused(Reason("file_unreadable", sentence, self.place(path), "check file and permissions")) from error
        except BROKEN_ZIP as error:
            sentence = f"the zip is damaged here: {error}"
            raise DeliveryRefused(
                Reason("zip_damaged", sentence, self.place(path), "make the zip anew and send it again")
            ) from error

    @property
    def top(self) -> str | None:
        """The one folder that holds everything, if there is one."""
        tops = {path.partition("/")[0] for path in self.files}
        return tops.pop() if len(tops) == 1 and all("/" in path for path in self.files) else None

    def below(self, top: str) -> Source:
        """Return the same delivery seen from inside its folder `top`."""
        inside = {path.removeprefix(f"{top}/"): member for path, member in self.files.items()}
        return replace(self, separator=f"{self.separator}{top}/", files=inside)


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """List a folder or zip and keep it open.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DeliveryRefused
        If it is not there, is neither folder nor zip, or holds anything that must not be trusted: links or paths that
        lead outside, encrypted or doubled members, more than it may unpack to. All faults at once.
    """
    with ExitStack() as stack:
        yield _listed(path, stack)


def path_fault(path: str) -> str | None:
    """Say why a path inside a delivery is not allowed; None if it is.

    Examples
    --------
    >>> path_fault("set/../../a.csv")
    "it contains '..'"
    >>> path_fault("set/a.csv")
    """
    if re.search(r"[\x00-\x1f\x7f]", path):
        return "it contains control characters"
    if "\\" in path:
        return "it contains a backslash; folders are separated by '/'"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "it is absolute"
    if ".." in path.split("/"):
        return "it contains '..'"
    return None if normal_path(path) else "it is empty"


def normal_path(path: str) -> str:
    """Return the one spelling of a path that folder, zip and manifest are compared by.

    Examples
    --------
    >>> normal_path("./set//a.csv")
    'set/a.csv'
    """
    return "/".join(part for part in unicodedata.normalize("NFC", path).split("/") if part not in ("", "."))


def is_ignored(path: str) -> bool:
    """Return True for what operating systems leave in folders: ``__MACOSX``, ``.DS_Store``, ``._*``."""
    *folders, name = path.rstrip("/").split("/")
    return name in _IGNORED_FILES or name.startswith("._") or not _IGNORED_FOLDERS.isdisjoint([*folders, name])


def _listed(path: Path, stack: ExitStack) -> Source:
    try:
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return stack.enter_context(zip_source(stack.enter_context(path.open("rb")), name=path.name, where=str(path)))
    except OSError as error:
        sentence = f"the delivery cannot be read: {error.strerror or error}"
        raise DeliveryRefused(Reason("source_unreadable", sentence, str(path), "check that it exists and may be read")) from error
    raise DeliveryRefused(_missing(path))


def _folder(folder: Path) -> Source:
    root = folder.resolve()
    faults: list[Reason] = []
    files: dict[str, _Opener] = {}
    for entry in _walk(root):
        path = normal_path(_printable(entry.path[len(str(root)) + 1 :]))
        place = f"{folder.absolute().name}/{path}"
        target = Path(entry.path).resolve() if entry.is_symlink() else Path(entry.path)
        if entry.is_symlink() and not (target.is_relative_to(root) and target.exists()):
            faults.append(
                Reason("link_leaves_folder", "a link leads out of the delivery, or nowhere", place, "send the file itself")
            )
        elif path in files:
            faults.append(twice(place))
        elif target.is_file():
            files[path] = partial(_open_file, target, _stamp(target.stat()), place)
        elif not target.is_dir():
            faults.append(Reason("not_a_file", "only files and folders can be delivered", place, "take it out of the folder"))
    return trusted(Source(folder.absolute().name, str(folder), "/", files), faults)


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False) and not is_ignored(entry.name):
                yield from _walk(Path(entry.path))
            elif not is_ignored(entry.name):
                yield entry


@contextmanager
def _open_file(path: Path, listed: _Stamp, place: str) -> Iterator[IO[bytes]]:
    # Neither follows a link nor waits for a pipe that took the file's place since it was listed.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        if _stamp(os.fstat(descriptor)) != listed:
            raise DeliveryRefused(changed(place))
        yield stream
        if _stamp(os.fstat(descriptor)) != listed:
            raise DeliveryRefused(changed(place))


@contextmanager
def zip_source(handle: IO[bytes], *, name: str, where: str) -> Iterator[Source]:
    """List the members of a zip in an open file of this machine, and keep them open; see `open_source`."""
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(handle))
        except BROKEN_ZIP as error:
            raise DeliveryRefused(_not_a_zip(where, handle, error)) from error
        yield _members(archive, _stamp(os.fstat(handle.fileno())), name=name, where=where)


def _members(archive: zipfile.ZipFile, listed: _Stamp, *, name: str, where: str) -> Source:
    faults: list[Reason] = []
    files: dict[str, _Opener] = {}
    for member in archive.infolist():
        place = f"{name}::{_printable(member.orig_filename)}"
        fault = _member_fault(member, place)
        path = normal_path(_printable(member.filename))
        if fault:
            faults.append(fault)
        elif member.is_dir() or is_ignored(member.filename):
            continue
        elif path in files:
            faults.append(twice(place))
        else:
            files[path] = partial(_open_member, archive, member, listed, place)
    faults += _bomb_faults(where, archive, packed=listed[2])
    return trusted(Source(name, where, "::", files), faults)


@contextmanager
def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, listed: _Stamp, place: str) -> Iterator[IO[bytes]]:
    with archive.open(member) as stream:
        yield stream
    assert archive.fp is not None
    if _stamp(os.fstat(archive.fp.fileno())) != listed:
        raise DeliveryRefused(changed(place))


def _member_fault(member: zipfile.ZipInfo, place: str) -> Reason | None:
    unsafe = path_fault(member.orig_filename)
    if unsafe:
        return Reason("path_unsafe", f"this path is not allowed: {unsafe}", place, "zip the folder itself, with relative paths")
    if member.flag_bits & _ENCRYPTED:
        return Reason("zip_encrypted", "the zip is encrypted; its bytes cannot be checked", place, "send it without a password")
    if stat.S_ISLNK(member.external_attr >> 16):
        return Reason("link_leaves_folder", "the zip holds a link instead of a file", place, "zip the file itself")
    if member.compress_type not in _COMPRESSIONS:
        sentence = f"packed by method {member.compress_type}; allowed: stored, deflate, bzip2, lzma"
        return Reason("zip_method", sentence, place, "make the zip with the system's own tool")
    return None


def _bomb_faults(where: str, archive: zipfile.ZipFile, packed: int) -> Iterator[Reason]:
    unpacked = sum(member.file_size for member in archive.infolist())
    remedy = "split the delivery, or send it as a folder"
    if unpacked > MAX_UNPACKED_BYTES:
        sentence = f"it unpacks to {unpacked:,} bytes; at most {MAX_UNPACKED_BYTES:,} are allowed"
        yield Reason("zip_too_large", sentence, where, remedy)
    if unpacked > RATIO_COUNTS_FROM_BYTES and unpacked > MAX_RATIO * packed:
        sentence = f"it unpacks to {unpacked // packed} times its size ({unpacked:,} bytes); at most {MAX_RATIO} times is allowed"
        yield Reason("zip_bomb", sentence, where, remedy)


def trusted(source: Source, faults: list[Reason]) -> Source:
    """Return the source if nothing was found against it and it has no more files than one delivery may have."""
    if len(source.files) > MAX_FILES:
        sentence = f"it holds {len(source.files):,} files; at most {MAX_FILES:,} are allowed"
        faults.append(Reason("too_many_files", sentence, source.where, "split the delivery"))
    if faults:
        raise DeliveryRefused(*faults)
    return source


def _not_a_zip(where: str, handle: IO[bytes], error: Exception) -> Reason:
    handle.seek(0)
    if handle.read(2) == b"PK":
        sentence = f"the zip is cut off or damaged: its table of contents cannot be read ({error})"
        return Reason("zip_truncated", sentence, where, "make the zip anew, or wait until its upload is complete")
    return Reason("not_a_zip", "a delivery is a folder or a zip; this file is neither", where, "zip the folder and send that")


def _missing(path: Path) -> Reason:
    sentence = "it is neither a folder nor a file" if os.path.lexists(path) else "there is nothing at this path"
    return Reason("source_missing", sentence, str(path), "name a folder or zip with device files and a manifest.csv")


def changed(place: str, what: str = "changed") -> Reason:
    """Say that a file of the delivery is not any more what was listed."""
    sentence = f"the file {what} while the delivery was read"
    return Reason("source_changed", sentence, place, "wait until nothing writes to it, then deliver again")


def twice(place: str) -> Reason:
    """Say that two files of the delivery cannot be told apart."""
    return Reason("path_twice", "two files of the delivery have the same path", place, "rename or remove one of them")


def _stamp(facts: os.stat_result) -> _Stamp:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
