"""Erased files leave vault, receipts and landing zone, and the same delivery does not bring them back."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.delivery import deliver
from ingestion.erasure import erase_deliveries, left_in_landing
from ingestion.landing import take, waiting
from ingestion.receipt import Receipt
from ingestion.vault import Vault
from studies import find_study
from warehouse.errors import KinelakeError
from warehouse.home import Home

_FILES = {"a.csv": "1\n", "b.csv": "2\n", "c.csv": "2\n", "manifest.csv": "path,participant\na.csv,A\nb.csv,A\nc.csv,B\n"}


def _put(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, text in _FILES.items():
        (folder / name).write_text(text)
    return folder


def _deliver(folder: Path, home: Home) -> Receipt:
    return deliver(folder, study=find_study("barbell"), site="north", home=home, batch_id="visit")


def _bytes_in(home: Home) -> int:
    return sum(path.is_file() and len(path.name) == 64 for path in home.vault.rglob("*"))


def test_bytes_go_unless_another_file_has_them_and_the_receipt_stays_under_its_name(home: Home, tmp_path: Path) -> None:
    before = _deliver(_put(tmp_path / "visit"), home)
    assert erase_deliveries({"visit": {"a.csv", "b.csv"}}, study="barbell", home=home) == 2
    after = Vault(home).receipt("visit")
    assert ([file.path for file in after.files], after.content_sha256) == (["c.csv"], before.content_sha256)
    assert _bytes_in(home) == 1
    assert Vault(home).verify() == []
    assert erase_deliveries({"visit": {"a.csv", "b.csv"}}, study="barbell", home=home) == 0
    assert _deliver(tmp_path / "visit", home) == after
    assert _bytes_in(home) == 1


def test_the_same_delivery_in_the_landing_zone_is_taken_and_leaves_nothing_behind(home: Home) -> None:
    folder = _put(home.landing / "north" / "barbell" / "visit")
    (entry,) = waiting(home, quiet_s=0)
    batch_id = take(entry, home).batch_id
    erase_deliveries({batch_id: {"a.csv"}}, study="barbell", home=home)
    assert list(folder.parent.iterdir()) == []
    _put(folder)
    (entry,) = waiting(home, quiet_s=0)
    assert [file.path for file in take(entry, home).files] == ["b.csv", "c.csv"]
    assert [path.name for path in folder.parent.iterdir()] == ["visit.receipt.json"]
    assert _bytes_in(home) == 1


def test_what_waits_in_the_landing_zone_is_named(home: Home, tmp_path: Path) -> None:
    erased = {file.sha256 for file in _deliver(_put(tmp_path / "visit"), home).files if file.path == "a.csv"}
    assert list(left_in_landing(erased, home)) == []
    _put(home.landing / "north" / "barbell" / "again")
    assert list(left_in_landing(erased, home)) == ["again/a.csv"]


def test_a_receipt_is_not_written_for_bytes_that_were_erased_meanwhile(home: Home, tmp_path: Path) -> None:
    receipt = _deliver(_put(tmp_path / "visit"), home)
    erase_deliveries({"visit": {"a.csv", "b.csv", "c.csv"}}, study="barbell", home=home)
    with pytest.raises(KinelakeError, match="vault_file_missing"):
        Vault(home).register(Receipt(**{**vars(receipt), "batch_id": "other", "content_sha256": "0" * 64}))
