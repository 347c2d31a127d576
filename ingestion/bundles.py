"""Zips inside a delivery that hold device files: their members are taken as files of the delivery, named ``<zip>::<member>``.

Belongs here: telling such a zip from an app's export, which is one recording and stays whole. What must not be trusted of a zip
is refused by `ingestion.source`; a zip inside such a zip is not opened, and nothing is ever extracted.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from typing import IO, BinaryIO, cast

from ingestion.readers import DeviceFile, Hints, known_by_content
from ingestion.source import BROKEN_ZIP, Source, is_ignored, trusted, zip_source

#: Between a zip's path and a member's in the path of a file of the delivery.
SEPARATOR = "::"
#: So many members are looked at to see whether they are device files.
_LOOKED_AT = 20


@contextmanager
def unbundled(whole: Source, hints: Hints) -> Iterator[Source]:
    """Give a delivery with the members of its bundles in their place, and keep those open.

    A bundle is a zip in a folder on this machine that no reader knows as one recording, and some of whose first members one
    knows.

    Parameters
    ----------
    whole : Source
    hints : Hints
        What the study says about its files.

    Raises
    ------
    DeliveryRefused
        A bundle is encrypted, unpacks beyond reason, or holds links or paths that lead outside (`ingestion.source`).
    """
    with ExitStack() as stack:
        files = dict(whole.files)
        for path in (path for path in whole.files if path.casefold().endswith(".zip")):
            if _is_bundle(whole, path, hints):
                handle = stack.enter_context(whole.open(path))
                place = whole.place(path)
                members = stack.enter_context(zip_source(handle, name=place, where=place)).files
                del files[path]
                files |= {f"{path}{SEPARATOR}{name}": opener for name, opener in members.items()}
        yield trusted(replace(whole, files=files), [])


def device_file(source: Source, path: str) -> DeviceFile:
    """Return a file of a source as readers want it; its size tells no more than whether there is anything in it."""

    def opened() -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(_Opened(source.open(path))))

    with opened() as stream:
        anything = len(stream.read(1))
    return DeviceFile(path, anything, opened)


def _is_bundle(whole: Source, path: str, hints: Hints) -> bool:
    with whole.open(path) as handle:
        if not _on_this_machine(handle) or known_by_content(device_file(whole, path), hints):
            return False
        try:
            with zipfile.ZipFile(handle) as archive:
                entries = (entry for entry in archive.infolist() if not entry.is_dir() and not is_ignored(entry.filename))
                return any(_is_known(archive, path, entry, hints) for entry in islice(entries, _LOOKED_AT))
        except BROKEN_ZIP:
            return False


def _is_known(archive: zipfile.ZipFile, path: str, entry: zipfile.ZipInfo, hints: Hints) -> bool:
    member = DeviceFile(f"{path}{SEPARATOR}{entry.filename}", entry.file_size, lambda: cast(BinaryIO, archive.open(entry)))
    try:
        return known_by_content(member, hints) is not None
    except (*BROKEN_ZIP, RuntimeError):  # what zipfile raises for an encrypted member
        return False


def _on_this_machine(handle: IO[bytes]) -> bool:
    try:
        return handle.fileno() >= 0 and handle.seekable()
    except (OSError, AttributeError):
        return False


class _Opened(io.RawIOBase):
    """A file of a source as a stream that leaves its context when it is closed."""

    def __init__(self, context: AbstractContextManager[IO[bytes]]) -> None:
        self._context, self._stream = context, context.__enter__()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._context.__exit__(None, None, None)
