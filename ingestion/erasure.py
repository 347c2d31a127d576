"""Erasing a participant's deliveries: bytes and receipts in the vault, receipts and remains in the landing zones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ingestion.bundles import unbundled
from ingestion.landing import zones
from ingestion.landing.zone import RECEIPT
from ingestion.readers import NO_HINTS
from ingestion.receipt import Receipt
from ingestion.vault import Vault, hash_of
from warehouse.errors import DeliveryRefused
from warehouse.home import Home


def erase_deliveries(gone: Mapping[str, Collection[str]], *, study: str, home: Home) -> int:
    """Erase delivered files: from the receipts, from the vault where no other file has the bytes, from the landing zones.

    Parameters
    ----------
    gone : mapping of str to collection of str
        Batch id -> paths of the files in it.
    study : str
    home : Home

    Returns
    -------
    int
        Bytes that are no longer in the vault. Repeating it changes nothing.

    Raises
    ------
    KinelakeError
        If a landing zone or the vault cannot be used; said again, it goes on.
    """
    vault = Vault(home)
    vault.sweep()
    freed = vault.erase(gone)
    for zone in zones(home):
        zone.sweep(study)
        for entry, note in zone.receipts(study):
            if _names(note, gone):
                zone.withdraw(entry, RECEIPT)
    return freed


def left_in_landing(sha256: Collection[str], home: Home) -> Iterator[str]:
    """Give the place of every file in the landing zones that has one of these hashes, in folders, zips and bundles."""
    for zone in zones(home):
        for source in zone.sources():
            try:
                with source as listed, unbundled(listed, NO_HINTS) as sent:
                    yield from (sent.place(path) for path in sent.files if hash_of(sent.chunks(path))[0] in sha256)
            except DeliveryRefused:
                continue  # neither folder nor zip that can be read: no bytes of a recording can be told in it


def _names(note: str, gone: Mapping[str, Collection[str]]) -> bool:
    try:
        receipt = Receipt.from_json(note)
    except (ValueError, TypeError, KeyError):
        return False  # not one of ours
    return any(file.path in gone.get(receipt.batch_id, ()) for file in receipt.files)
