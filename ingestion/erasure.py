"""Erasing a participant's deliveries: bytes and receipts in the vault, receipts and remains in the landing zone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ingestion.landing import remove_released
from ingestion.receipt import Receipt
from ingestion.source import open_source
from ingestion.vault import Vault, hash_of
from warehouse.errors import DeliveryRefused
from warehouse.home import Home

_RECEIPT = ".receipt.json"


def erase_deliveries(gone: Mapping[str, Collection[str]], *, study: str, home: Home) -> int:
    """Erase delivered files: from the receipts, from the vault where no other file has the bytes, from the landing zone.

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
    """
    vault = Vault(home)
    vault.sweep()
    freed = vault.erase(gone)
    for folder in home.landing.glob(f"*/{study}"):
        remove_released(folder)
        for note in folder.glob(f"*{_RECEIPT}"):
            if _names(note, gone):
                note.unlink()
    return freed


def left_in_landing(sha256: Collection[str], home: Home) -> Iterator[Path | str]:
    """Give the place of every file in the landing zone that has one of these hashes, in folders and in zips."""
    for entry in home.landing.glob("*/*/*"):
        try:
            with open_source(entry) as sent:
                yield from (sent.place(path) for path in sent.files if hash_of(sent.chunks(path))[0] in sha256)
        except DeliveryRefused:
            continue  # neither folder nor zip that can be read: no bytes of a recording can be told in it


def _names(note: Path, gone: Mapping[str, Collection[str]]) -> bool:
    try:
        receipt = Receipt.from_json(note.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError):
        return False  # not one of ours
    return any(file.path in gone.get(receipt.batch_id, ()) for file in receipt.files)
