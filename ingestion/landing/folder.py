"""The landing zone on this machine: ``landing/<site>/<study>/<name>``, a folder or a zip.

Links are not followed and hidden names are left alone. An entry is locked while it is taken, and leaves by one rename.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ingestion.durable import write_text
from ingestion.landing.zone import (
    RECEIPT,
    REFUSED,
    RELEASED,
    Waiting,
    is_complete_folder,
    is_delivery_name,
    is_settled,
    is_zip_name,
    refused_signature,
    short_hash,
    unlisted_suffixes,
)
from ingestion.source import Source, open_source
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home

_END_OF_ZIP = b"PK\x05\x06"
_END_OF_ZIP_BYTES = 22
_LONGEST_END_OF_ZIP = _END_OF_ZIP_BYTES + 65535  # with a comment


class FolderZone:
    """The ``landing`` folder of a home, see `ingestion.landing.zone.Zone`."""

    def __init__(self, home: Home) -> None:
        self._root = home.landing

    def waiting(self, *, quiet_s: float) -> Iterator[Waiting]:
        """List what waits, without opening files."""
        for site in _folders(self._root):
            for study in _folders(site):
                yield from _entries(study, site.name, quiet_s=quiet_s)

    @contextmanager
    def held(self, entry: Waiting) -> Iterator[_HeldPath | None]:
        """Lock the entry itself; None if it is gone."""
        path = Path(entry.place)
        with _usable(path), _locked(path) as is_there:
            yield _HeldPath(path, _facts(path).signature) if is_there else None

    def note(self, entry: Waiting, suffix: str) -> str | None:
        """Read what was left beside the entry."""
        place = _beside(Path(entry.place), suffix)
        return place.read_text(encoding="utf-8", errors="replace") if place.is_file() else None

    def leave(self, entry: Waiting, suffix: str, text: str) -> None:
        """Leave a text beside the entry, on disk when the call returns."""
        write_text(_beside(Path(entry.place), suffix), text)

    def withdraw(self, entry: Waiting, suffix: str) -> None:
        """Remove such a text."""
        _beside(Path(entry.place), suffix).unlink(missing_ok=True)

    def receipts(self, study: str) -> Iterator[tuple[Waiting, str]]:
        """Read every receipt that was left for a study."""
        for note in sorted(self._root.glob(f"*/{study}/*{RECEIPT}")):
            path = note.with_name(note.name.removesuffix(RECEIPT))
            entry = Waiting(str(path), note.parent.parent.name, study, path.name, "", settled=False)
            yield entry, note.read_text(encoding="utf-8", errors="replace")

    def sweep(self, study: str) -> None:
        """Remove what was renamed to be removed."""
        for folder in self._root.glob(f"*/{study}"):
            _remove_released(folder)

    def sources(self) -> Iterator[AbstractContextManager[Source]]:
        """Give every folder and file, also those that are no deliveries."""
        return (open_source(path) for path in sorted(self._root.glob("*/*/*")))


@dataclass(frozen=True)
class _HeldPath:
    """An entry that this process has locked, see `ingestion.landing.zone.Held`."""

    path: Path
    signature: str

    def opened(self) -> AbstractContextManager[Source]:
        return open_source(self.path)

    def release(self, unlisted: Collection[str]) -> None:
        # Gone in one step: removing file by file could be killed half way and look like a broken delivery.
        target = _free_name(self.path) if unlisted else self.path.with_name(f"{RELEASED}{uuid.uuid4().hex}")
        gone = self.path.rename(target)
        if _facts(gone).signature != self.signature:
            gone.rename(self.path)  # something was added while it was taken: it waits again
        _remove_released(self.path.parent)


class _Facts(NamedTuple):
    """What listing tells of an entry: its files' paths, when it last changed, and a hash over names, sizes and times."""

    is_folder: bool
    bytes: int
    paths: tuple[str, ...]
    changed_at: float
    signature: str


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")) if folder.is_dir() else []


def _entries(folder: Path, site: str, *, quiet_s: float) -> Iterator[Waiting]:
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    names = {entry.name for entry in entries}
    for entry in entries:
        if not _is_delivery(entry):
            continue
        path = Path(entry.path)
        try:
            facts = _facts(path)
            if f"{entry.name}{REFUSED}" in names and _refused_signature(path) == facts.signature:
                continue
            settled = _is_settled(path, facts, quiet_s)
        except FileNotFoundError:
            continue  # taken by another process since it was listed, or still moving: the next look will tell
        yield Waiting(entry.path, site, folder.name, entry.name, facts.signature, settled)


def _is_delivery(entry: os.DirEntry[str]) -> bool:
    if not is_delivery_name(entry.name):
        return False
    is_zip = is_zip_name(entry.name) and entry.is_file(follow_symlinks=False)
    return is_zip or entry.is_dir(follow_symlinks=False)


def _facts(path: Path) -> _Facts:
    top = os.lstat(path)
    listed = sorted(_stats(str(path), "", top))
    now = time.time()
    # A clock that ran ahead, of a camera say, must not hold a delivery back: then the change of the inode counts.
    changed_at = max(facts.st_mtime if facts.st_mtime <= now else facts.st_ctime for _, facts in listed)
    signature = short_hash([(name, facts.st_size, facts.st_mtime_ns) for name, facts in listed])
    paths = tuple(name for name, _ in listed)
    return _Facts(stat.S_ISDIR(top.st_mode), top.st_size, paths, changed_at, signature)


def _stats(path: str, name: str, facts: os.stat_result) -> Iterator[tuple[str, os.stat_result]]:
    yield name, facts
    if stat.S_ISDIR(facts.st_mode):
        with os.scandir(path) as entries:
            for entry in entries:
                yield from _stats(entry.path, f"{name}/{entry.name}", entry.stat(follow_symlinks=False))


def _is_settled(path: Path, facts: _Facts, quiet_s: float) -> bool:
    quiet_for_s = time.time() - facts.changed_at
    if quiet_for_s < quiet_s:
        return False  # not opened
    complete = is_complete_folder(facts.paths) if facts.is_folder else _has_an_end(path, facts.bytes)
    return is_settled(quiet_for_s, quiet_s=quiet_s, complete=complete)


def _has_an_end(path: Path, size: int) -> bool:
    """Return True if a zip was not cut off: its table of contents comes last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        ends = (os.pread(descriptor, length, max(0, size - length)) for length in (_END_OF_ZIP_BYTES, _LONGEST_END_OF_ZIP))
        return any(_END_OF_ZIP in end for end in ends)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Keep other processes from taking the same entry; False if one of them has it already."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        sentence = f"the landing zone cannot be used: {error.strerror or error}"
        raise KinelakeError(Reason("landing_not_usable", sentence, str(path), "make room or mend permissions")) from error


def _remove_released(folder: Path) -> None:
    for released in folder.glob(f"{RELEASED}*"):
        if released.is_dir():
            shutil.rmtree(released, ignore_errors=True)  # another process may be removing it as well
        else:
            released.unlink(missing_ok=True)


def _free_name(path: Path) -> Path:
    return next(name for name in (_beside(path, suffix) for suffix in unlisted_suffixes()) if not name.exists())


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _refused_signature(path: Path) -> str:
    return refused_signature(_beside(path, REFUSED).read_text(encoding="utf-8", errors="replace"))
