"""What every landing zone agrees on: what counts as a delivery, when its sender is done with it, and what is left beside it.

Belongs here: names, rules and the interface that `ingestion.landing.taking` works through. Where entries lie and how they
are listed, locked and removed is each zone's own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from ingestion.manifest import MANIFEST_NAME
from ingestion.source import Source
from warehouse.errors import Reason

#: An entry that is not complete is taken for abandoned after so long: tried, and refused aloud.
ABANDONED_AFTER_S = 600.0
RECEIPT = ".receipt.json"
REFUSED = ".refused.txt"
UNLISTED = ".unlisted"
#: Begins the name of what was taken and is only still there because a process was killed.
RELEASED = ".released-"

_UNFINISHED = (".part", ".tmp", ".crdownload", ".partial", ".filepart")
_LEFT_BEHIND = re.compile(rf"{re.escape(UNLISTED)}(-\d+)?$")
_LONGEST_ID = 128


@dataclass(frozen=True)
class Waiting:
    """A delivery in a landing zone.

    Parameters
    ----------
    place : str
        Of the folder or zip: a path, or ``s3://bucket/…``.
    site, study : str
        As the folders above it are called; checked when it is taken.
    name : str
        Of the folder or zip alone.
    signature : str
        Changes when a name, size or time of modification in it changes.
    settled : bool
        True if it is complete and nobody has written to it for a while.
    """

    place: str
    site: str
    study: str
    name: str
    signature: str
    settled: bool

    @property
    def batch_id(self) -> str:
        """``<site>.<study>.<name>``, usable as a batch id."""
        stem = self.name[: -len(".zip")] if is_zip_name(self.name) else self.name
        full = f"{self.site}.{self.study}.{stem}"
        slug = re.sub(r"[^a-z0-9._-]+", "-", full.lower()).lstrip("._-")
        if len(slug) <= _LONGEST_ID and re.search(r"[a-z0-9]", stem.lower()):
            return slug
        return f"{slug[: _LONGEST_ID - 13]}-{hashlib.sha256(full.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


class Held(Protocol):
    """An entry that no other process takes meanwhile."""

    @property
    def signature(self) -> str:
        """Of the entry as it was when it was held."""

    def opened(self) -> AbstractContextManager[Source]:
        """List what was sent and keep it open.

        Raises
        ------
        DeliveryRefused
            If it holds anything that must not be trusted.
        """

    def release(self, unlisted: Collection[str]) -> None:
        """Remove the entry in a way that can be killed, unless it changed since it was held; keep the paths `unlisted`."""


class Zone(Protocol):
    """A place that is watched. Whatever fails says so as a `KinelakeError` that names the place."""

    def waiting(self, *, quiet_s: float) -> Iterable[Waiting]:
        """List what waits, sorted by place; entries that were refused are left out until something in them changes."""

    def held(self, entry: Waiting) -> AbstractContextManager[Held | None]:
        """Keep other processes from taking the entry; None if one of them has taken it."""

    def note(self, entry: Waiting, suffix: str) -> str | None:
        """Return the text that was left beside an entry; None if there is none."""

    def leave(self, entry: Waiting, suffix: str, text: str) -> None:
        """Leave a text beside an entry, for its sender."""

    def withdraw(self, entry: Waiting, suffix: str) -> None:
        """Remove such a text, if it is there."""

    def receipts(self, study: str) -> Iterator[tuple[Waiting, str]]:
        """Give the text of every receipt that was left for a study, with the entry beside which it lies."""

    def sweep(self, study: str) -> None:
        """Remove what was taken of a study and is only still there because a process was killed."""

    def sources(self) -> Iterator[AbstractContextManager[Source]]:
        """Give everything that lies in the zone, deliveries and what stayed of them, to be looked through."""


def is_delivery_name(name: str) -> bool:
    """Return False for hidden names, unfinished downloads and what stayed of earlier deliveries.

    Examples
    --------
    >>> [name for name in ("visit", "visit.zip", ".x", "visit.zip.part", "visit.unlisted-2") if is_delivery_name(name)]
    ['visit', 'visit.zip']
    """
    return not (name.startswith(".") or is_unfinished(name) or _LEFT_BEHIND.search(name))


def is_zip_name(name: str) -> bool:
    """Return True if a file of that name is taken for a zip."""
    return name.casefold().endswith(".zip")


def is_unfinished(name: str) -> bool:
    """Return True if a program that copies or downloads is still at work on a file of that name."""
    return name.casefold().endswith(_UNFINISHED)


def is_complete_folder(paths: Iterable[str]) -> bool:
    """Return True if a folder with files at these paths has a manifest, which is sent last, and no unfinished file."""
    names = [path.casefold() for path in paths]
    return any(name.rpartition("/")[2] == MANIFEST_NAME for name in names) and not any(map(is_unfinished, names))


def is_settled(quiet_for_s: float, *, quiet_s: float, complete: bool) -> bool:
    """Return True once an entry's sender is done with it, or has left it incomplete for so long that it is refused aloud."""
    return quiet_for_s >= quiet_s and (complete or quiet_for_s > ABANDONED_AFTER_S)


def unlisted_suffixes() -> Iterator[str]:
    """Give what a name may get when it is kept for what the manifest did not name, until one is free."""
    return (f"{UNLISTED}-{number}" if number > 1 else UNLISTED for number in count(1))


def short_hash(facts: object) -> str:
    """Return 32 digits that stand for whatever a listing tells of an entry."""
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def refusal(reasons: tuple[Reason, ...], signature: str) -> str:
    """Word the text that is left beside a refused entry."""
    lines = ["This delivery was not taken in. It lies here unchanged, and nothing of it is a batch.", ""]
    for number, reason in enumerate(reasons, 1):
        lines.append(f"{number}. {reason.sentence} ({reason.code})")
        lines += [f"   where: {reason.place}"] if reason.place else []
        lines += [f"   what to do: {reason.remedy}"] if reason.remedy else []
    lines += ["", "It is tried again once something in it changes, or when this file is deleted.", f"signature: {signature}", ""]
    return "\n".join(lines)


def refused_signature(text: str) -> str:
    """Return the signature that an entry had when it was refused, from the text that `refusal` worded."""
    lines = text.splitlines()
    return lines[-1].removeprefix("signature: ") if lines else ""
