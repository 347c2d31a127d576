"""The vault keeps bytes under their hash, and a receipt only for bytes that are there."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.receipt import DeliveredFile, Receipt, content_sha256
from ingestion.vault import Vault
from warehouse.errors import DeliveryRefused, KinelakeError, UnknownName
from warehouse.home import Home

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def receipt_of(vault: Vault, *contents: bytes, batch_id: str = "study-1", study: str = "study") -> Receipt:
    stored = [vault.put(io.BytesIO(content)) for content in contents]
    files = tuple(DeliveredFile(f"{n}.csv", file.sha256, file.bytes, "P001") for n, file in enumerate(stored))
    return Receipt(batch_id, study, "clinic", datetime(2026, 1, 2, 3, tzinfo=UTC), content_sha256(files), files)


def vault_files(home: Home) -> list[Path]:
    return [path for path in home.vault.glob("??/*") if path.is_file()]


def test_bytes_are_kept_under_their_sha256_and_come_back(home: Home) -> None:
    content = os.urandom(3_000_000)
    stored = Vault(home).put(io.BytesIO(content))
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert stored.bytes == len(content)
    path = Vault(home).path(stored.sha256)
    assert path == home.vault / stored.sha256[:2] / stored.sha256
    assert path.read_bytes() == content


def test_an_empty_file_is_kept_too(home: Home) -> None:
    stored = Vault(home).put(io.BytesIO(b""))
    assert Vault(home).path(stored.sha256).read_bytes() == b""


def test_the_same_bytes_again_are_hashed_and_not_written(home: Home) -> None:
    vault = Vault(home)
    first = vault.put(io.BytesIO(b"readings"))
    before = vault.path(first.sha256).stat()
    assert vault.put(io.BytesIO(b"readings")) == first
    after = vault.path(first.sha256).stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (after.st_ino, after.st_mtime_ns, after.st_ctime_ns)


def test_nothing_is_left_beside_the_bytes(home: Home) -> None:
    Vault(home).put(io.BytesIO(b"readings"))
    assert list((home.vault / "incoming").iterdir()) == []


def test_bytes_that_do_not_match_their_hash_are_refused_and_not_kept(home: Home) -> None:
    with pytest.raises(DeliveryRefused, match="source_changed"):
        Vault(home).store("0" * 64, [b"other bytes"])
    assert vault_files(home) == []
    assert list((home.vault / "incoming").iterdir()) == []


def test_a_disk_that_gives_back_other_bytes_is_noticed_before_they_are_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.write

    def flips_a_bit(descriptor: int, content: memoryview) -> int:
        return written(descriptor, bytes([content[0] ^ 1]) + bytes(content[1:]))

    monkeypatch.setattr(os, "write", flips_a_bit)
    with pytest.raises(DeliveryRefused, match="source_changed"):
        Vault(home).put(io.BytesIO(b"readings"))
    assert vault_files(home) == []


def test_bytes_are_on_disk_before_they_are_named_and_their_name_before_the_receipt(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, str]] = []
    synced, named = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        events.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        synced(descriptor)

    def rename(path: Path, target: Path) -> Path:
        events.append(("rename", f"{path} {target}"))
        return named(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    vault = Vault(home)
    receipt = vault.register(receipt_of(vault, b"readings"))
    bytes_at = home.vault / receipt.files[0].sha256[:2] / receipt.files[0].sha256
    receipt_at = home.vault / "receipts" / "study-1.json"
    renames = {event[1].split()[1]: (number, event[1].split()[0]) for number, event in enumerate(events) if event[0] == "rename"}
    for target in (bytes_at, receipt_at):
        number, part = renames[str(target)]
        assert events.index(("fsync", part)) < number
        assert ("fsync", str(target.parent)) in events[number:]
    assert ("fsync", str(bytes_at.parent)) in events[: renames[str(receipt_at)][0]]
    assert ("fsync", str(home.vault)) in events[: renames[str(receipt_at)][0]]


def test_many_threads_putting_the_same_bytes_end_with_one_file(home: Home) -> None:
    vault = Vault(home)
    with ThreadPoolExecutor(8) as pool:
        stored = set(pool.map(lambda _: vault.put(io.BytesIO(b"x" * 300_000)), range(40)))
    assert len(stored) == 1
    assert len(vault_files(home)) == 1
    assert list((home.vault / "incoming").iterdir()) == []


@pytest.mark.parametrize("name", ["", "abc", "../../../etc/passwd", "G" * 64, "A" * 64])
def test_what_is_no_sha256_never_becomes_a_path(home: Home, name: str) -> None:
    with pytest.raises(KinelakeError, match="sha256_malformed"):
        Vault(home).path(name)


def test_asking_for_absent_bytes_names_the_hash(home: Home) -> None:
    with pytest.raises(KinelakeError, match=f"vault_file_missing.*{'a' * 64}"):
        Vault(home).path("a" * 64)


def test_a_vault_that_cannot_be_written_says_so(home: Home) -> None:
    (home.vault / "incoming").write_text("in the way")
    with pytest.raises(KinelakeError, match="vault_not_writable"):
        Vault(home).put(io.BytesIO(b"readings"))


def test_verify_finds_nothing_in_a_sound_vault(home: Home) -> None:
    vault = Vault(home)
    vault.register(receipt_of(vault, b"one", b"two"))
    assert vault.verify() == []


def test_verify_names_batch_and_file_of_damaged_and_missing_bytes(home: Home) -> None:
    vault = Vault(home)
    receipt = vault.register(receipt_of(vault, b"one", b"two", b"three"))
    damaged, missing = (vault.path(file.sha256) for file in receipt.files[:2])
    damaged.chmod(0o644)
    damaged.write_bytes(b"onx")
    missing.unlink()
    reasons = {reason.code: reason for reason in vault.verify()}
    assert set(reasons) == {"vault_file_damaged", "vault_file_missing"}
    assert reasons["vault_file_damaged"].place == "batch study-1, 0.csv"
    assert reasons["vault_file_missing"].place == "batch study-1, 1.csv"


def test_putting_damaged_bytes_again_mends_the_vault(home: Home) -> None:
    vault = Vault(home)
    receipt = vault.register(receipt_of(vault, b"one"))
    path = vault.path(receipt.files[0].sha256)
    path.chmod(0o644)
    path.write_bytes(b"rot")
    vault.put(io.BytesIO(b"one"))
    assert vault.verify() == []


def test_verify_reports_a_receipt_that_cannot_be_read_and_goes_on(home: Home) -> None:
    vault = Vault(home)
    vault.register(receipt_of(vault, b"one"))
    other = vault.register(receipt_of(vault, b"two", batch_id="study-2"))
    (home.vault / "receipts" / "study-1.json").write_text('{"batch_id": ')
    vault.path(other.files[0].sha256).unlink()
    assert {reason.code for reason in vault.verify()} == {"receipt_damaged", "vault_file_missing"}


def test_receipts_come_oldest_first(home: Home) -> None:
    vault = Vault(home)
    late = replace(receipt_of(vault, b"one", batch_id="a"), received_at=datetime(2026, 5, 1, tzinfo=UTC))
    early = replace(receipt_of(vault, b"two", batch_id="b"), received_at=datetime(2026, 4, 1, tzinfo=UTC))
    for receipt in (late, early):
        vault.register(receipt)
    assert vault.receipts() == [early, late]
    assert vault.batch_ids() == ["a", "b"]
    assert vault.receipt("a") == late


def test_an_unknown_batch_is_answered_with_the_nearest_one(home: Home) -> None:
    vault = Vault(home)
    vault.register(receipt_of(vault, b"one", batch_id="clinic_a.barbell.visit-1"))
    with pytest.raises(UnknownName, match=r"did you mean 'clinic_a\.barbell\.visit-1'"):
        vault.receipt("clinic_a.barbell.visit1")
    with pytest.raises(UnknownName, match="batch_unknown"):
        vault.receipt("../receipts/clinic_a.barbell.visit-1")


def test_registering_the_same_content_again_returns_the_first_receipt(home: Home) -> None:
    vault = Vault(home)
    first = vault.register(receipt_of(vault, b"one"))
    again = replace(first, batch_id="another-name", site="elsewhere", received_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert vault.register(again) == first
    assert vault.receipts() == [first]


def test_the_same_content_for_another_study_is_another_batch(home: Home) -> None:
    vault = Vault(home)
    first = vault.register(receipt_of(vault, b"one"))
    other = vault.register(receipt_of(vault, b"one", batch_id="other-1", study="other"))
    assert vault.receipts() == sorted([first, other], key=lambda receipt: receipt.batch_id)


def test_a_batch_id_with_other_content_is_refused_naming_the_holder(home: Home) -> None:
    vault = Vault(home)
    vault.register(receipt_of(vault, b"one"))
    with pytest.raises(DeliveryRefused, match=r"batch_id_taken.*'study-1'.*2026-01-02 03:00 UTC from clinic"):
        vault.register(receipt_of(vault, b"two"))
    assert len(vault.receipts()) == 1


@pytest.mark.parametrize("named", ["killed-before-its-receipt", "taken-by-other-content"])
def test_an_index_entry_whose_receipt_never_came_is_not_believed(home: Home, named: str) -> None:
    vault = Vault(home)
    vault.register(receipt_of(vault, b"other", batch_id="taken-by-other-content"))
    receipt = receipt_of(vault, b"one")
    (home.vault / "contents" / f"study.{receipt.content_sha256}").write_text(named)
    assert vault.register(receipt) == receipt
    assert vault.receipt("study-1") == receipt


def test_sweeping_removes_what_is_abandoned_and_spares_what_is_being_written(home: Home) -> None:
    incoming = home.vault / "incoming"
    incoming.mkdir()
    abandoned, fresh = (incoming / f"{name}.part" for name in ("abandoned", "fresh"))
    for path in (abandoned, fresh):
        path.write_bytes(b"half")
    long_ago = time.time() - 3600
    os.utime(abandoned, (long_ago, long_ago))
    vault = Vault(home)

    def sweeps_meanwhile() -> Iterator[bytes]:
        (writing,) = set(incoming.iterdir()) - {abandoned, fresh}
        os.utime(writing, (long_ago, long_ago))
        vault.sweep()
        assert writing.exists()
        yield b"one"

    vault.store(hashlib.sha256(b"one").hexdigest(), sweeps_meanwhile())
    assert not abandoned.exists()
    assert fresh.exists()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.builds(
            DeliveredFile,
            path=TEXT,
            sha256=TEXT,
            bytes=st.integers(0, 2**50),
            participant=TEXT,
            label=st.none() | TEXT,
            attributes=st.dictionaries(TEXT, TEXT, max_size=3),
        ),
        max_size=4,
    ),
    st.datetimes(timezones=st.just(UTC)),
)
def test_a_receipt_survives_json_whatever_the_texts_are(files: list[DeliveredFile], received_at: datetime) -> None:
    receipt = Receipt("b", "s", "c", received_at, content_sha256(files), tuple(files), ("ü\u2028.csv",))
    assert Receipt.from_json(receipt.to_json()) == receipt


def test_content_is_the_same_in_any_order_and_another_when_a_label_differs() -> None:
    one, two = DeliveredFile("a", "0", 1, "P1", label="squat"), DeliveredFile("b", "1", 1, "P1")
    assert content_sha256([one, two]) == content_sha256([two, one])
    assert content_sha256([one]) != content_sha256([replace(one, label="lunge")])
