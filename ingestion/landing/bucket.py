"""The landing zone on S3: ``s3://bucket/prefix/<site>/<study>/<name>``, a "folder" of objects or one zip.

Objects are there as a whole or not at all, so the manifest comes last and nothing is ever half a file. How an entry is
removed is in `ingestion.landing.release`, every request in `ingestion.landing.objects`.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby

from ingestion.landing.objects import Bucket, Stored
from ingestion.landing.release import Releases
from ingestion.landing.zone import (
    RECEIPT,
    REFUSED,
    Waiting,
    is_complete_folder,
    is_delivery_name,
    is_settled,
    is_zip_name,
    refused_signature,
    short_hash,
)
from ingestion.source import CHUNK_BYTES, Source, is_ignored, normal_path, path_fault, trusted, twice, zip_source
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home

_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


class BucketZone:
    """A prefix of a bucket, see `ingestion.landing.zone.Zone`.

    Parameters
    ----------
    address : str
        ``s3://bucket`` or ``s3://bucket/prefix``.
    home : Home
        Where those who share a vault meet: it holds the locks, and the releases that are under way.

    Raises
    ------
    KinelakeError
        ``landing_setting`` if it is none.
    """

    def __init__(self, address: str, home: Home) -> None:
        parts = _ADDRESS.fullmatch(address)
        if parts is None:
            sentence = f"'{address}' names no place on S3; allowed: s3://bucket or s3://bucket/prefix"
            raise KinelakeError(Reason("landing_setting", sentence, "KINELAKE_LANDING", "correct or unset the variable"))
        prefix = (parts[2] or "").strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._bucket, self._locks = Bucket(parts[1]), home.landing / ".locks"
        self._releases = Releases(self._bucket, home)

    def waiting(self, *, quiet_s: float) -> Iterator[Waiting]:
        """List everything once, a request per 1,000 objects, and read only those refusals that this process has not read."""
        begun = self._releases.begun()
        for entries in self._studies():
            for name, entry in entries.items():
                if entry.is_delivery and not self._was_refused(entry, entries.get(f"{name}{REFUSED}")):
                    settled = entry.key in begun or entry.is_settled(quiet_s)
                    yield Waiting(self._bucket.place(entry.key), entry.site, entry.study, name, entry.signature, settled)

    @contextmanager
    def held(self, entry: Waiting) -> Iterator[_HeldEntry | None]:
        """Lock the entry's name and list it again; a release that a killed process began is ended instead."""
        key = self._bucket.key(entry.place)
        with self._locked(key):
            found = None if self._releases.end(key) else self.listed_again(entry)
            yield _HeldEntry(entry, found, self) if found else None

    def note(self, entry: Waiting, suffix: str) -> str | None:
        """Read what was left beside the entry."""
        return self._bucket.text(self._bucket.key(entry.place) + suffix)

    def leave(self, entry: Waiting, suffix: str, text: str) -> None:
        """Leave a text beside the entry."""
        self._bucket.put(self._bucket.key(entry.place) + suffix, text)

    def withdraw(self, entry: Waiting, suffix: str) -> None:
        """Remove such a text."""
        key = self._bucket.key(entry.place) + suffix
        self._bucket.delete([one for one in self._bucket.listed(key) if one.key == key])

    def receipts(self, study: str) -> Iterator[tuple[Waiting, str]]:
        """Read every receipt that was left for a study."""
        for entries in self._studies():
            for entry in entries.values():
                if entry.study == study and entry.name.endswith(RECEIPT):
                    place, name = (one.removesuffix(RECEIPT) for one in (self._bucket.place(entry.key), entry.name))
                    text = self._bucket.text(entry.key) or ""
                    yield Waiting(place, entry.site, study, name, "", settled=False), text

    def sweep(self, study: str) -> None:
        """End the releases of a study's entries that were begun."""
        for key in self._releases.begun():
            if key.removeprefix(self._prefix).split("/")[1] == study:
                with self._locked(key):
                    self._releases.end(key)

    def sources(self) -> Iterator[AbstractContextManager[Source]]:
        """Give everything, also what is no delivery."""
        for entries in self._studies():
            yield from map(self.opened, entries.values())

    def opened(self, entry: _Entry) -> AbstractContextManager[Source]:
        """Open an entry as it was listed."""
        return _opened(entry, self._bucket)

    def _studies(self) -> Iterator[dict[str, _Entry]]:
        """Give the entries of each study of each site, by name, from one listing."""
        listed = ((one, one.key[len(self._prefix) :].split("/", 3)) for one in self._bucket.listed(self._prefix))
        seen = ((one, parts) for one, parts in listed if len(parts) > 2 and _is_seen(*parts[:3]))
        for (site, study), group in groupby(seen, key=lambda found: (found[1][0], found[1][1])):
            objects: dict[str, list[Stored]] = {}
            for one, parts in group:
                objects.setdefault(parts[2], []).append(one)
            yield {
                name: _entry(site, study, name, f"{self._prefix}{site}/{study}/{name}", found) for name, found in objects.items()
            }

    def release(self, entry: _Entry, *, kept: Sequence[Stored]) -> None:
        """Remove an entry that is held, some of its objects to be kept under another name."""
        self._releases.begin(entry.key, entry.objects, kept=kept)
        self._releases.end(entry.key)

    def listed_again(self, entry: Waiting) -> _Entry | None:
        """List one entry as it is now; None if it is gone."""
        key = self._bucket.key(entry.place)
        objects = self._bucket.listed(key if is_zip_name(entry.name) else f"{key}/")
        found = [one for one in objects if one.key == key or one.key.startswith(f"{key}/")]
        return _entry(entry.site, entry.study, entry.name, key, found) if found else None

    def _was_refused(self, entry: _Entry, note: _Entry | None) -> bool:
        if note is None:
            return False
        return _signature_in(self._bucket, note.objects[0].key, note.objects[0].etag) == entry.signature

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        self._locks.mkdir(parents=True, exist_ok=True)
        with (self._locks / short_hash(key)[:2]).open("w") as lock:  # 256 files for any number of entries
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class _Entry:
    """Everything that a listing tells of one name below a study; `key` has no slash at its end."""

    site: str
    study: str
    name: str
    key: str
    objects: tuple[Stored, ...]

    @property
    def is_folder(self) -> bool:
        return self.objects[0].key != self.key

    @property
    def is_delivery(self) -> bool:
        return is_delivery_name(self.name) and (self.is_folder or is_zip_name(self.name))

    @property
    def signature(self) -> str:
        return short_hash([(one.key, one.bytes, one.etag, one.modified.isoformat()) for one in self.objects])

    def is_settled(self, quiet_s: float) -> bool:
        # Both times are the server's, so that no clock has to agree with ours.
        quiet_for_s = min((one.listed_at - one.modified).total_seconds() for one in self.objects)
        complete = not self.is_folder or is_complete_folder(one.key for one in self.objects)
        return is_settled(quiet_for_s, quiet_s=quiet_s, complete=complete)

    def path(self, one: Stored) -> str:
        """Path of an object inside the folder, as its sender wrote it; empty for a zip."""
        return one.key[len(self.key) + 1 :]


@dataclass(frozen=True)
class _HeldEntry:
    """An entry that this process has locked, see `ingestion.landing.zone.Held`."""

    waiting: Waiting
    entry: _Entry
    zone: BucketZone

    @property
    def signature(self) -> str:
        return self.entry.signature

    def opened(self) -> AbstractContextManager[Source]:
        return self.zone.opened(self.entry)

    def release(self, unlisted: Collection[str]) -> None:
        entry, now = self.entry, self.zone.listed_again(self.waiting)
        if now is not None and now.signature != entry.signature:
            return  # something was added while it was taken: it waits again
        kept = [one for one in entry.objects if (normal_path(entry.path(one)) in unlisted if entry.is_folder else unlisted)]
        self.zone.release(entry, kept=kept)


def _entry(site: str, study: str, name: str, key: str, objects: Iterable[Stored]) -> _Entry:
    """Make an entry; where a folder and a file share a name the folder is meant, the file's turn comes when that is gone."""
    found = tuple(objects)
    inside = tuple(one for one in found if one.key != key)
    return _Entry(site, study, name, key, inside or found)


def _is_seen(site: str, study: str, name: str) -> bool:
    return bool(site and study and name) and not (site.startswith(".") or study.startswith("."))


@lru_cache(maxsize=10_000)
def _signature_in(bucket: Bucket, key: str, _etag: str) -> str:
    return refused_signature(bucket.text(key) or "")


@contextmanager
def _opened(entry: _Entry, bucket: Bucket) -> Iterator[Source]:
    if entry.is_folder:
        yield _folder(entry, bucket)
        return
    (packed,) = entry.objects
    # A zip is read from its end and in many places: here, from a file that has no name and is gone with the process.
    with tempfile.TemporaryFile() as handle, bucket.opened(packed, entry.name) as stream:
        shutil.copyfileobj(stream, handle, CHUNK_BYTES)
        handle.seek(0)
        with zip_source(handle, name=entry.name, where=bucket.place(entry.key)) as source:
            yield source


def _folder(entry: _Entry, bucket: Bucket) -> Source:
    faults: list[Reason] = []
    files = {}
    for one in entry.objects:
        written = entry.path(one)
        path, place = normal_path(written), f"{entry.name}/{written}"
        if written.endswith("/") or not written or is_ignored(written):
            continue  # a marker that makes an empty folder be seen, or what an operating system left
        if fault := path_fault(written):
            sentence = f"this key is not allowed: {fault}"
            faults.append(Reason("path_unsafe", sentence, place, "upload the folder itself, with relative paths"))
        elif path in files:
            faults.append(twice(place))
        else:
            files[path] = partial(bucket.opened, one, place)
    return trusted(Source(entry.name, bucket.place(entry.key), "/", files), faults)
