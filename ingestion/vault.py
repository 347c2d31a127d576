"""The vault: delivered bytes under their sha256, and the receipts that name them.

Belongs here: everything that knows how and where the bytes lie (``vault/<aa>/<sha256>``), so that another store can take
its place. What a delivery is, and whether it may be taken in, is in `ingestion.delivery`.

Order is what makes it safe: bytes are written aside, on disk (fsync), read back and hashed, and only then named; a
receipt is written last. Whatever is killed in between leaves no receipt, and doing it again ends the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingestion.receipt import Receipt
from warehouse.disk import fsync
from warehouse.errors import DeliveryRefused, KinelakeError, Reason, UnknownName, did_you_mean
from warehouse.home import Home

#: A batch id names partitions and files; lower case, because some file systems do not tell the cases apart.
BATCH_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
#: fsync waits for the disk, not for the processor: that many at once.
WRITERS = 8

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20
_ABANDONED_AFTER_S = 60.0


@dataclass(frozen=True)
class StoredFile:
    """Bytes in the vault: their hash, which is their name, and their size."""

    sha256: str
    bytes: int


class Vault:
    """The delivered bytes and receipts of one home. Processes and threads may use it at the same time.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home) -> None:
        self._root = home.vault
        self._receipts = home.vault / "receipts"
        self._contents = home.vault / "contents"
        self._incoming = home.vault / "incoming"

    def put(self, source: BinaryIO) -> StoredFile:
        """Take in the bytes of an open file; bytes that are there already cost a hash and no write.

        Parameters
        ----------
        source : BinaryIO
            Open for reading at its start, able to seek: it is read once to know it, and again to copy it.

        Raises
        ------
        DeliveryRefused
            If it changed between the two.
        KinelakeError
            If the vault cannot write.
        """
        chunks = iter(lambda: source.read(_CHUNK_BYTES), b"")
        digest, size = hash_of(chunks)
        source.seek(0)
        self.store(digest, iter(lambda: source.read(_CHUNK_BYTES), b""))
        return StoredFile(digest, size)

    def store(self, sha256: str, chunks: Iterable[bytes]) -> None:
        """Take in bytes whose hash is known; if the vault has them unharmed, `chunks` is not even asked.

        Raises
        ------
        DeliveryRefused
            If what was read back from the disk has another hash.
        KinelakeError
            If the vault cannot write.
        """
        target = self._place(sha256)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not _is_unharmed(target, sha256):
                self._write(target, chunks, sha256)
            # Also where it was there already: another process may have named it and not reached this line.
            fsync(target.parent)
            fsync(self._root)
        except OSError as error:
            raise _cannot_write(error, target) from error

    def path(self, sha256: str) -> Path:
        """Return where the bytes of that hash can be read; never write there.

        Raises
        ------
        KinelakeError
            If the vault does not have them.
        """
        place = self._place(sha256)
        if not place.is_file():
            sentence = f"the vault has no bytes with sha256 {sha256}"
            raise KinelakeError(Reason("vault_file_missing", sentence, str(place), "deliver their batch again"))
        return place

    def verify(self) -> list[Reason]:
        """Hash every byte again that a receipt names.

        Returns
        -------
        list of Reason
            One for each file that is missing or damaged and each receipt that cannot be read; empty if all is well.
            Delivering the batch again mends it.
        """
        named: dict[str, str] = {}
        reasons: list[Reason] = []
        for place in self._receipt_paths():
            try:
                receipt = _load(place)
            except KinelakeError as error:
                reasons += error.reasons
                continue
            for file in receipt.files:
                named.setdefault(file.sha256, f"batch {receipt.batch_id}, {file.path}")
        with ThreadPoolExecutor(WRITERS) as pool:
            found = pool.map(self._damage, named, named.values())
        return reasons + [reason for reason in found if reason]

    def batch_ids(self) -> list[str]:
        """Return the id of every batch that has a receipt, sorted, without opening one."""
        return sorted(path.stem for path in self._receipt_paths())

    def receipts(self) -> list[Receipt]:
        """Return every receipt, oldest first; reads them all."""
        return sorted(map(_load, self._receipt_paths()), key=lambda receipt: (receipt.received_at, receipt.batch_id))

    def receipt(self, batch_id: str) -> Receipt:
        """Return the receipt of one batch.

        Raises
        ------
        UnknownName
            If there is none; the error offers the nearest id.
        """
        found = self._find(batch_id)
        if found:
            return found
        near = did_you_mean(batch_id, self.batch_ids())
        raise UnknownName(Reason("batch_unknown", f"batch '{batch_id}' has no receipt{near}", remedy="see kinelake status"))

    def known(self, receipt: Receipt) -> Receipt | None:
        """Return the receipt that the same content of the same study has already, if it has one.

        Raises
        ------
        DeliveryRefused
            If the batch id belongs to other content.
        """
        # The index is written before its receipt: after a kill it may name a batch that never came to be, or another one.
        index = self._index(receipt)
        earlier = self._find(index.read_text()) if index.is_file() else None
        if earlier and _same_content(earlier, receipt):
            return earlier
        holder = self._find(receipt.batch_id)
        if holder and not _same_content(holder, receipt):
            raise DeliveryRefused(_taken(holder))
        return holder

    def register(self, receipt: Receipt) -> Receipt:
        """Write a receipt, last of all: every byte that it names must be in the vault.

        Returns
        -------
        Receipt
            `receipt`, or the one that the same content got before, be it a moment ago from another process.

        Raises
        ------
        DeliveryRefused
            If the batch id belongs to other content.
        KinelakeError
            ``vault_file_missing`` if bytes that it names are not there.
        """
        try:
            with self._locked():
                earlier = self.known(receipt)
                if earlier:
                    return earlier
                for file in receipt.files:
                    self.path(file.sha256)  # erased a moment ago, as bytes that only an erased file had
                self._write_text(self._index(receipt), receipt.batch_id)
                self._write_text(self._receipts / f"{receipt.batch_id}.json", receipt.to_json())
                fsync(self._root.parent)
                return receipt
        except OSError as error:
            raise _cannot_write(error, self._receipts) from error

    def erase(self, gone: Mapping[str, Collection[str]]) -> int:
        """Erase files from the receipts, and the bytes that no other file has; repeating it changes nothing.

        The bytes go first: killed in between, the receipts still tell what is to be erased.

        Parameters
        ----------
        gone : mapping of str to collection of str
            Batch id -> paths of the files in it.

        Returns
        -------
        int
            Bytes that are no longer in the vault.

        Raises
        ------
        KinelakeError
            If a receipt cannot be read, or the vault cannot be written.
        """
        try:
            with self._locked():
                before = self.receipts()
                after = [receipt.without(gone.get(receipt.batch_id, ())) for receipt in before]
                named = {file.sha256 for receipt in after for file in receipt.files}
                freed = sum(self._remove(sha256) for sha256 in {file.sha256 for one in before for file in one.files} - named)
                for receipt in (new for old, new in zip(before, after, strict=True) if new is not old):
                    self._write_text(self._receipts / f"{receipt.batch_id}.json", receipt.to_json())
                return freed
        except OSError as error:
            raise _cannot_write(error, self._receipts) from error

    def sweep(self) -> None:
        """Remove what killed deliveries left half written."""
        for path in self._incoming.glob("*.part"):
            with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                    path.unlink()

    def _place(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise KinelakeError(Reason("sha256_malformed", f"'{sha256}' is not a sha256: 64 digits 0-9 a-f"))
        return self._root / sha256[:2] / sha256

    def _remove(self, sha256: str) -> int:
        place = self._place(sha256)
        if not place.is_file():
            return 0
        size = place.stat().st_size
        place.unlink()
        fsync(place.parent)
        return size

    def _index(self, receipt: Receipt) -> Path:
        return self._contents / f"{receipt.study}.{receipt.content_sha256}"

    def _find(self, batch_id: str) -> Receipt | None:
        place = self._receipts / f"{batch_id}.json"
        return _load(place) if BATCH_ID.fullmatch(batch_id) and place.is_file() else None

    def _receipt_paths(self) -> list[Path]:
        return sorted(self._receipts.glob("*.json"))

    def _damage(self, sha256: str, place: str) -> Reason | None:
        try:
            found = hash_of(_chunks_of(self.path(sha256)))[0]
        except KinelakeError as error:
            return Reason(
                "vault_file_missing", error.reasons[0].sentence, place, "deliver that batch again: the vault mends itself"
            )
        except OSError as error:
            return Reason("vault_file_damaged", f"the disk cannot read it: {error.strerror}", place, "deliver that batch again")
        if found == sha256:
            return None
        sentence = f"the bytes are no longer those that were delivered: sha256 {sha256} was expected, {found} was found"
        return Reason("vault_file_damaged", sentence, place, "deliver that batch again")

    def _write(self, target: Path, chunks: Iterable[bytes], sha256: str) -> None:
        with self._aside() as (part, descriptor):
            for chunk in chunks:
                _write_all(descriptor, chunk)
            os.fchmod(descriptor, 0o444)
            os.fsync(descriptor)
            # Out of the page cache, or the check would read memory and not the disk.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            found = hash_of(_chunks_of(part))[0]
            if found != sha256:
                sentence = (
                    f"sha256 {sha256} was read first, {found} was stored: the file changed meanwhile, or the disk is failing"
                )
                raise DeliveryRefused(Reason("source_changed", sentence, remedy="wait until nothing writes to it, deliver again"))
            part.replace(target)

    def _write_text(self, target: Path, text: str) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._aside() as (part, descriptor):
            _write_all(descriptor, text.encode())
            os.fsync(descriptor)
            part.replace(target)
        fsync(target.parent)
        fsync(self._root)

    @contextmanager
    def _aside(self) -> Iterator[tuple[Path, int]]:
        self._incoming.mkdir(parents=True, exist_ok=True)
        part = self._incoming / f"{uuid.uuid4().hex}.part"
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # a living writer's mark, see sweep
            yield part, descriptor
        finally:
            part.unlink(missing_ok=True)
            os.close(descriptor)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._receipts.mkdir(parents=True, exist_ok=True)
        with (self._root / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def hash_of(chunks: Iterable[bytes]) -> tuple[str, int]:
    """Return the sha256 of bytes that come in chunks, and how many they are."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _is_unharmed(path: Path, sha256: str) -> bool:
    try:
        return hash_of(_chunks_of(path))[0] == sha256
    except OSError:
        return False  # not there, or the disk cannot read it any more: it is written anew


def _chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            yield chunk


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _load(path: Path) -> Receipt:
    try:
        return Receipt.from_json(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError) as error:
        sentence, remedy = f"the receipt cannot be read: {error}", "remove it and deliver that batch again"
        reason = Reason("receipt_damaged", sentence, str(path), remedy)
        raise KinelakeError(reason) from error


def _same_content(one: Receipt, other: Receipt) -> bool:
    return (one.study, one.content_sha256) == (other.study, other.content_sha256)


def _taken(holder: Receipt) -> Reason:
    sentence = (
        f"batch id '{holder.batch_id}' belongs to other content: {len(holder.files)} files for study {holder.study}, "
        f"received {holder.received_at:%Y-%m-%d %H:%M} UTC from {holder.site}"
    )
    return Reason("batch_id_taken", sentence, holder.batch_id, "a batch never changes: deliver under another batch id")


def _cannot_write(error: OSError, place: Path) -> KinelakeError:
    sentence = f"the vault cannot be written: {error.strerror or error}"
    return KinelakeError(Reason("vault_not_writable", sentence, str(place), "make room or mend permissions, then deliver again"))
