"""The landing zone: deliveries that are put into ``landing/<site>/<study>/`` and taken from there by themselves.

Belongs here: what lies there, whether its sender is done with it, and what is left behind once it is taken or refused.
Taking it in is `ingestion.delivery`'s.

Beside an entry ``<name>`` lies, afterwards, ``<name>.receipt.json`` or ``<name>.refused.txt``. What the manifest did not
name is not lost either: the entry then stays as ``<name>.unlisted``. Links are not followed and hidden names are left alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ingestion.delivery import deliver, left_over
from ingestion.manifest import MANIFEST_NAME
from ingestion.receipt import Receipt
from ingestion.source import open_source
from studies.loader import find_study
from warehouse.errors import DeliveryRefused, KinelakeError, Reason, UnknownName
from warehouse.home import Home

#: An entry without a manifest, or a zip that is cut off, is taken for abandoned after so long: tried, and refused aloud.
ABANDONED_AFTER_S = 600.0

_UNFINISHED = (".part", ".tmp", ".crdownload", ".partial", ".filepart")
_LEFT_BEHIND = re.compile(r"\.unlisted(-\d+)?$")
_RELEASED = ".released-"
_END_OF_ZIP = b"PK\x05\x06"
_END_OF_ZIP_BYTES = 22
_LONGEST_END_OF_ZIP = _END_OF_ZIP_BYTES + 65535  # with a comment
_LONGEST_ID = 128


@dataclass(frozen=True)
class Waiting:
    """A delivery in the landing zone.

    Parameters
    ----------
    path : Path
        Folder or zip.
    site, study : str
        As the folders above it are called; checked when it is taken.
    batch_id : str
        ``<site>.<study>.<name>``, usable as a batch id.
    signature : str
        Changes when a name, size or time of modification in it changes.
    settled : bool
        True if it is complete and nobody has written to it for a while.
    """

    path: Path
    site: str
    study: str
    batch_id: str
    signature: str
    settled: bool


class _Facts(NamedTuple):
    """What listing tells of an entry: its files' paths, when it last changed, and a hash over names, sizes and times."""

    is_folder: bool
    bytes: int
    paths: tuple[str, ...]
    changed_at: float
    signature: str


def waiting(home: Home, *, quiet_s: float = 5.0) -> list[Waiting]:
    """List the deliveries that wait in the landing zone, without opening their files.

    Parameters
    ----------
    home : Home
    quiet_s : float
        Seconds without a change after which an entry counts as settled.

    Returns
    -------
    list of Waiting
        Sorted by path. Entries that were refused are left out until something in them changes.
    """
    return [
        entry
        for site in _folders(home.landing)
        for study in _folders(site)
        for entry in _entries(study, site.name, quiet_s=quiet_s)
    ]


def take(entry: Waiting, home: Home) -> Receipt:
    """Deliver an entry of the landing zone and release it.

    The source is removed only when the receipt is on disk, only if it has not changed since, and not at all where it
    holds files that the manifest does not name.

    Parameters
    ----------
    entry : Waiting
    home : Home

    Returns
    -------
    Receipt
        Of an earlier batch, if that has the same content.

    Raises
    ------
    DeliveryRefused
        With the reasons that were also left in ``<name>.refused.txt``; the source stays.
    KinelakeError
        If the vault or the landing zone cannot be written; the entry stays and can be taken again.
    """
    with _held(entry.path) as is_there:
        if not is_there:
            return _taken_by_another(entry)
        try:
            before = _facts(entry.path).signature
            try:
                receipt = deliver(entry.path, study=find_study(entry.study), site=entry.site, home=home, batch_id=entry.batch_id)
            except (DeliveryRefused, UnknownName) as refusal:
                _leave(entry.path, ".refused.txt", _refusal(refusal.reasons, before))
                raise DeliveryRefused(*refusal.reasons) from refusal
            _leave(entry.path, ".receipt.json", receipt.to_json())
            _beside(entry.path, ".refused.txt").unlink(missing_ok=True)
            _release(entry.path, before)
        except OSError as error:
            sentence = f"the landing zone cannot be used: {error.strerror or error}"
            reason = Reason("landing_not_usable", sentence, str(entry.path), "make room or mend permissions")
            raise KinelakeError(reason) from error
    return receipt


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
            if f"{entry.name}.refused.txt" in names and _refused_signature(path) == facts.signature:
                continue
            settled = _is_settled(path, facts, quiet_s)
        except FileNotFoundError:
            continue  # taken by another process since it was listed, or still moving: the next look will tell
        yield Waiting(path, site, folder.name, _batch_id(site, folder.name, entry.name), facts.signature, settled)


def _is_delivery(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name.casefold().endswith(_UNFINISHED) or _LEFT_BEHIND.search(entry.name):
        return False
    is_zip = entry.name.casefold().endswith(".zip") and entry.is_file(follow_symlinks=False)
    return is_zip or entry.is_dir(follow_symlinks=False)


def _facts(path: Path) -> _Facts:
    top = os.lstat(path)
    listed = sorted(_stats(str(path), "", top))
    now = time.time()
    # A clock that ran ahead, of a camera say, must not hold a delivery back: then the change of the inode counts.
    changed_at = max(facts.st_mtime if facts.st_mtime <= now else facts.st_ctime for _, facts in listed)
    shape = [(name, facts.st_size, facts.st_mtime_ns) for name, facts in listed]
    signature = hashlib.sha256(repr(shape).encode("utf-8", "surrogateescape")).hexdigest()[:32]
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
        return False
    return quiet_for_s > ABANDONED_AFTER_S or _is_complete(path, facts)


def _is_complete(path: Path, facts: _Facts) -> bool:
    if facts.is_folder:
        names = [name.casefold() for name in facts.paths]
        return any(name.endswith(f"/{MANIFEST_NAME}") for name in names) and not any(name.endswith(_UNFINISHED) for name in names)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        ends = (os.pread(descriptor, length, max(0, facts.bytes - length)) for length in (_END_OF_ZIP_BYTES, _LONGEST_END_OF_ZIP))
        return any(_END_OF_ZIP in end for end in ends)
    finally:
        os.close(descriptor)


def _batch_id(site: str, study: str, name: str) -> str:
    stem = name[: -len(".zip")] if name.casefold().endswith(".zip") else name
    full = f"{site}.{study}.{stem}"
    slug = re.sub(r"[^a-z0-9._-]+", "-", full.lower()).lstrip("._-")
    if len(slug) <= _LONGEST_ID and re.search(r"[a-z0-9]", stem.lower()):
        return slug
    return f"{slug[: _LONGEST_ID - 13]}-{hashlib.sha256(full.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


@contextmanager
def _held(path: Path) -> Iterator[bool]:
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


def _taken_by_another(entry: Waiting) -> Receipt:
    left = _beside(entry.path, ".receipt.json")
    if left.is_file():
        return Receipt.from_json(left.read_text(encoding="utf-8"))
    sentence = "it is no longer in the landing zone, and no receipt lies in its place"
    raise DeliveryRefused(Reason("source_missing", sentence, str(entry.path), "put the delivery there again"))


def _release(path: Path, signature: str) -> None:
    with open_source(path) as whole:
        unlisted = left_over(whole)
    # Gone in one step: removing file by file could be killed half way and look like a broken delivery.
    gone = path.rename(_free_name(path) if unlisted else path.with_name(f"{_RELEASED}{uuid.uuid4().hex}"))
    if _facts(gone).signature != signature:
        gone.rename(path)  # something was added while it was taken: it waits again
    remove_released(path.parent)


def remove_released(folder: Path) -> None:
    """Remove what was taken from a folder of the landing zone and is only still there because a process was killed."""
    for released in folder.glob(f"{_RELEASED}*"):
        if released.is_dir():
            shutil.rmtree(released, ignore_errors=True)  # another process may be removing it as well
        else:
            released.unlink(missing_ok=True)


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.unlisted{suffix}") for suffix in ["", *(f"-{number}" for number in range(2, 10_000))])
    return next(name for name in names if not name.exists())


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _leave(path: Path, suffix: str, text: str) -> None:
    aside = path.with_name(f".{path.name}{suffix}.tmp")
    with aside.open("w", encoding="utf-8", errors="replace") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    aside.replace(_beside(path, suffix))
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refusal(reasons: tuple[Reason, ...], signature: str) -> str:
    lines = ["This delivery was not taken in. It lies here unchanged, and nothing of it is a batch.", ""]
    for number, reason in enumerate(reasons, 1):
        lines.append(f"{number}. {reason.sentence} ({reason.code})")
        lines += [f"   where: {reason.place}"] if reason.place else []
        lines += [f"   what to do: {reason.remedy}"] if reason.remedy else []
    lines += ["", "It is tried again once something in it changes, or when this file is deleted.", f"signature: {signature}", ""]
    return "\n".join(lines)


def _refused_signature(path: Path) -> str:
    lines = _beside(path, ".refused.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1].removeprefix("signature: ") if lines else ""
