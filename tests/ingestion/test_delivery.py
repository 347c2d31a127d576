"""A delivery becomes one batch or none, whatever was sent, whoever else delivers, and whenever it is killed."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import re
import signal
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ingestion import source as source_module
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ingestion.receipt import Receipt
from ingestion.vault import Vault
from studies.loader import find_study
from warehouse.errors import DeliveryRefused, KinelakeError
from warehouse.home import Home

STUDY = find_study("barbell")
FILES: Mapping[str, bytes] = {"a.csv": b"1,2,3\n" * 1000, "set/b.csv": b"4,5,6\n" * 2000, "empty.csv": b""}
MANIFEST = "path,participant,label,load\n" + "".join(f"{path},A,bench,heavy\n" for path in FILES)


def folder(path: Path, files: Mapping[str, bytes] = FILES, manifest: str | None = MANIFEST) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    if manifest is not None:
        (path / "manifest.csv").write_text(manifest)
    return path


def zipped(path: Path, files: Mapping[str, bytes] = FILES, manifest: str | None = MANIFEST, below: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, **({"manifest.csv": manifest.encode()} if manifest else {})}.items():
            archive.writestr(below + name, content)
    return path


def send(source: Path, home: Home, **options: object) -> Receipt:
    return deliver(source, **{"study": STUDY, "site": "clinic_a", "home": home, **options})  # type: ignore[arg-type]


def refused(source: Path, home: Home, **options: object) -> list[str]:
    with pytest.raises(DeliveryRefused) as refusal:
        send(source, home, **options)
    assert Vault(home).receipts() == []
    for reason in refusal.value.reasons:
        assert reason.sentence and reason.place and reason.remedy, reason
    return [reason.code for reason in refusal.value.reasons]


def stored(home: Home) -> set[str]:
    return {path.name for path in home.vault.glob("??/*")}


def test_a_receipt_names_every_file_and_its_bytes_are_in_the_vault(tmp_path: Path, home: Home) -> None:
    receipt = send(folder(tmp_path / "visit"), home)
    assert [file.path for file in receipt.files] == ["a.csv", "empty.csv", "set/b.csv"]
    for file in receipt.files:
        assert Vault(home).path(file.sha256).read_bytes() == FILES[file.path]
        assert (file.bytes, file.participant, file.label, dict(file.attributes)) == (
            len(FILES[file.path]),
            "A",
            "bench",
            {"load": "heavy"},
        )
    assert receipt.batch_id == f"barbell-{receipt.content_sha256[:12]}"
    assert receipt.received_at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert Vault(home).receipt(receipt.batch_id) == receipt
    assert Vault(home).verify() == []


def test_folder_zip_and_zipped_folder_are_one_batch(tmp_path: Path, home: Home) -> None:
    first = send(folder(tmp_path / "visit"), home)
    before = {path: path.stat() for path in home.vault.rglob("*") if path.is_file()}
    again = [
        send(zipped(tmp_path / "plain.zip"), home),
        send(zipped(tmp_path / "below.zip", below="visit 1/"), home, batch_id="other", site="clinic_b"),
        send(folder(tmp_path / "deeper" / "visit").parent, home),
        send(folder(tmp_path / "messy", manifest="\ufeff" + MANIFEST.replace(",", " ; ").replace("\n", ";\r\n")), home),
    ]
    assert again == [first] * 4
    after = {path: path.stat() for path in home.vault.rglob("*") if path.is_file()}
    unchanged = {path for path in before if before[path].st_mtime_ns == after[path].st_mtime_ns}
    assert unchanged | {home.vault / ".lock"} == set(after)


def test_another_label_for_the_same_bytes_is_another_batch(tmp_path: Path, home: Home) -> None:
    first = send(folder(tmp_path / "one"), home)
    second = send(folder(tmp_path / "two", manifest=MANIFEST.replace("a.csv,A,bench", "a.csv,A,squat")), home)
    assert first.batch_id != second.batch_id
    assert {file.sha256 for file in first.files} == {file.sha256 for file in second.files} == stored(home)


def test_a_manifest_may_be_given_beside_the_delivery(tmp_path: Path, home: Home) -> None:
    manifest = tmp_path / "given.csv"
    manifest.write_text(MANIFEST)
    first = send(folder(tmp_path / "visit", manifest=None), home, manifest=manifest)
    assert send(zipped(tmp_path / "visit.zip", manifest=None, below="visit/"), home, manifest=manifest) == first
    assert send(folder(tmp_path / "old", manifest="an old one"), home, manifest=manifest) == first


def test_files_that_the_manifest_does_not_name_are_counted_and_not_taken(tmp_path: Path, home: Home) -> None:
    extra = {"notes.txt": b"note", "set/c.csv": b"7", "__MACOSX/a.csv": b"x", "._a.csv": b"x", "set/.DS_Store": b"x"}
    receipt = send(folder(tmp_path / "visit", {**FILES, **extra}), home)
    assert receipt.unlisted == ("notes.txt", "set/c.csv")
    assert stored(home) == {file.sha256 for file in receipt.files}
    assert Vault(home).receipt(receipt.batch_id).unlisted == receipt.unlisted


@pytest.mark.parametrize("given", ["Visit-1", "visit-1"])
def test_a_batch_id_is_lowered(tmp_path: Path, home: Home, given: str) -> None:
    assert send(folder(tmp_path / "visit"), home, batch_id=given).batch_id == "visit-1"


@pytest.mark.parametrize("given", ["", "a b", "../x", "a/b", ".hidden", "-a", "x" * 129, "é", "a\n", "a'; drop table"])
def test_a_batch_id_that_is_none_is_refused_with_what_is_allowed(tmp_path: Path, home: Home, given: str) -> None:
    assert refused(folder(tmp_path / "visit"), home, batch_id=given) == ["batch_id_invalid"]


@pytest.mark.parametrize("given", ["", "Clinic", "../x", "a.b", "a b", "é", "x" * 64, "a\n"])
def test_a_site_that_is_no_slug_is_refused_with_what_is_allowed(tmp_path: Path, home: Home, given: str) -> None:
    assert refused(folder(tmp_path / "visit"), home, site=given) == ["site_invalid"]
    assert stored(home) == set()


def test_the_same_batch_id_with_other_bytes_is_refused_before_anything_is_stored(tmp_path: Path, home: Home) -> None:
    first = send(folder(tmp_path / "one"), home, batch_id="visit-1")
    before = stored(home)
    with pytest.raises(DeliveryRefused, match="batch_id_taken"):
        send(folder(tmp_path / "two", {**FILES, "a.csv": b"other"}), home, batch_id="Visit-1")
    assert Vault(home).receipts() == [first]
    assert stored(home) == before


def test_every_fault_of_a_delivery_comes_at_once(tmp_path: Path, home: Home) -> None:
    wrong, right = "0" * 64, hashlib.sha256(FILES["empty.csv"]).hexdigest()
    manifest = (
        f"path,participant,sha256\na.csv,A,{wrong}\nset/B.csv,A,\nempty.csv,,{right}\n../x.csv,A,\na.csv,A,\nset/b.csv,A,12\n"
    )
    codes = refused(folder(tmp_path / "visit", manifest=manifest), home)
    assert sorted(codes) == sorted(
        ["sha256_wrong", "file_absent", "participant_empty", "path_unsafe", "path_twice", "sha256_malformed"]
    )
    assert stored(home) == set()


def test_a_wrong_sha256_names_file_row_expected_and_found(tmp_path: Path, home: Home) -> None:
    manifest = f"path,participant,sha256\nset/b.csv,A,{'0' * 64}\n"
    with pytest.raises(DeliveryRefused) as refusal:
        send(folder(tmp_path / "visit", manifest=manifest), home)
    (reason,) = refusal.value.reasons
    found = hashlib.sha256(FILES["set/b.csv"]).hexdigest()
    assert reason.sentence == f"'set/b.csv' arrived with sha256 {found}; the manifest says {'0' * 64}"
    assert reason.place == "visit/manifest.csv row 2 column sha256"
    assert reason.remedy == "send the file again"


def test_a_missing_manifest_says_where_it_was_looked_for_and_how_to_draft_one(tmp_path: Path, home: Home) -> None:
    visit = folder(tmp_path / "visit", manifest=None)
    (visit / "set" / "manifest.csv").write_text(MANIFEST)
    with pytest.raises(DeliveryRefused) as refusal:
        send(visit, home)
    (reason,) = refusal.value.reasons
    assert (reason.code, reason.place) == ("manifest_missing", "visit/manifest.csv")
    assert f"kinelake manifest {visit}" in reason.remedy
    assert "set/manifest.csv" in reason.sentence
    assert refused(zipped(tmp_path / "visit.zip", manifest=None), home) == ["manifest_missing"]
    assert refused(visit, home, manifest=tmp_path / "nowhere.csv") == ["manifest_missing"]


def test_an_empty_batch_is_refused(tmp_path: Path, home: Home) -> None:
    assert refused(folder(tmp_path / "visit", manifest="path,participant\n"), home) == ["batch_empty"]
    (tmp_path / "nothing").mkdir()
    assert refused(tmp_path / "nothing", home) == ["manifest_missing"]


def test_a_source_that_is_not_there_or_is_neither_folder_nor_zip_is_refused(tmp_path: Path, home: Home) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "table.csv").write_text("1,2")
    (tmp_path / "empty.zip").write_bytes(b"")
    assert refused(tmp_path / "nowhere", home) == ["source_missing"]
    assert refused(tmp_path / "pipe", home) == ["source_missing"]
    assert refused(tmp_path / "table.csv", home) == ["not_a_zip"]
    assert refused(tmp_path / "empty.zip", home) == ["not_a_zip"]


# --- zips that must not be trusted ---


@pytest.mark.parametrize("member", ["../x.csv", "set/../../x.csv", "/etc/x.csv", "C:\\x.csv", "set\\x.csv", "a\x01.csv"])
def test_a_zip_with_a_path_that_leads_outside_is_refused_and_nothing_is_written_there(
    tmp_path: Path, home: Home, member: str
) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    sent = zipped(tmp_path / "deep" / "er" / "visit.zip", {**FILES, member: b"x"})
    assert refused(sent, home) == ["path_unsafe"]
    assert list(tmp_path.rglob("*.csv")) == []


def test_an_encrypted_zip_is_refused(tmp_path: Path, home: Home) -> None:
    sent = zipped(tmp_path / "x.zip", {"a.csv": b"abc"}, "path,participant\na.csv,A\n")
    content = bytearray(sent.read_bytes())
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(re.escape(signature), bytes(content)):
            content[found.start() + flags_at] |= 1
    sent.write_bytes(content)
    assert set(refused(sent, home)) == {"zip_encrypted"}


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_zip_is_refused(tmp_path: Path, home: Home, share: float) -> None:
    sent = zipped(tmp_path / "x.zip", {**FILES, "noise.csv": os.urandom(5000)})
    sent.write_bytes(sent.read_bytes()[: int(sent.stat().st_size * share)])
    assert refused(sent, home) == ["zip_truncated"]


def test_a_zip_with_a_flipped_byte_is_refused_naming_the_member(tmp_path: Path, home: Home) -> None:
    sent = tmp_path / "x.zip"
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("manifest.csv", "path,participant\na.csv,A\nb.csv,A\n")
        archive.writestr("a.csv", b"MARK" * 100)
        archive.writestr("b.csv", b"fine" * 100)
    sent.write_bytes(sent.read_bytes().replace(b"MARK", b"MURK", 1))
    with pytest.raises(DeliveryRefused) as refusal:
        send(sent, home)
    assert [(reason.code, reason.place) for reason in refusal.value.reasons] == [("zip_damaged", "x.zip::a.csv")]
    assert stored(home) == set()


def test_a_deflated_member_that_is_garbage_is_refused(tmp_path: Path, home: Home) -> None:
    sent = zipped(tmp_path / "x.zip", {"a.csv": os.urandom(3000)}, "path,participant\na.csv,A\n")
    content = bytearray(sent.read_bytes())
    content[200:1200] = bytes(1000)
    sent.write_bytes(content)
    assert refused(sent, home) == ["zip_damaged"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_the_same_member_twice_is_refused(tmp_path: Path, home: Home) -> None:
    sent = zipped(tmp_path / "x.zip")
    with zipfile.ZipFile(sent, "a") as archive:
        archive.writestr("set//b.csv", b"which one?")
    assert refused(sent, home) == ["path_twice"]


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path, home: Home) -> None:
    sent = zipped(tmp_path / "x.zip", {"a.csv": bytes(80 << 20)}, "path,participant\na.csv,A\n")
    started = time.process_time()
    assert refused(sent, home) == ["zip_bomb"]
    assert time.process_time() - started < 0.5
    assert stored(home) == set()


def test_a_zip_that_claims_more_bytes_than_allowed_is_refused(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "MAX_UNPACKED_BYTES", 1000)
    assert refused(zipped(tmp_path / "x.zip"), home) == ["zip_too_large"]


def test_a_member_that_unpacks_to_more_than_it_claims_is_refused(tmp_path: Path, home: Home) -> None:
    sent = zipped(tmp_path / "x.zip", {"a.csv": bytes(1 << 20)}, "path,participant\na.csv,A\n")
    claimed, true = struct.pack("<I", 10), struct.pack("<I", 1 << 20)
    sent.write_bytes(sent.read_bytes().replace(true, claimed))
    assert refused(sent, home) == ["zip_damaged"]


def test_too_many_files_are_refused(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_FILES", 2)
    assert refused(zipped(tmp_path / "x.zip"), home) == ["too_many_files"]


def test_a_link_or_an_unknown_method_in_a_zip_is_refused(tmp_path: Path, home: Home) -> None:
    sent = zipped(tmp_path / "x.zip")
    with zipfile.ZipFile(sent, "a") as archive:
        link = zipfile.ZipInfo("link.csv")
        link.create_system = 3
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert refused(sent, home) == ["link_leaves_folder"]
    sent = zipped(tmp_path / "y.zip", {"a.csv": b"x" * 100}, "path,participant\na.csv,A\n")
    content = sent.read_bytes()
    entry = content.index(b"PK\x01\x02")
    sent.write_bytes(content[: entry + 10] + b"\x09\x00" + content[entry + 12 :])
    assert refused(sent, home) == ["zip_method"]


# --- folders that must not be trusted ---


def test_links_that_leave_the_folder_are_refused_and_links_inside_are_files(tmp_path: Path, home: Home) -> None:
    (tmp_path / "secret.csv").write_text("secret")
    visit = folder(tmp_path / "visit")
    (visit / "inside.csv").symlink_to("a.csv")
    (visit / "manifest.csv").write_text(MANIFEST + "inside.csv,A,bench,light\n")
    assert len(send(visit, home).files) == 4
    for number, target in enumerate(["../secret.csv", "/etc/hostname", "nowhere.csv", ".."]):
        bad = folder(tmp_path / f"visit{number}", {**FILES, "n.csv": bytes([number])})
        (bad / "z.csv").symlink_to(target)
        with pytest.raises(DeliveryRefused, match="link_leaves_folder"):
            send(bad, home)
    assert len(Vault(home).receipts()) == 1


def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path: Path, home: Home) -> None:
    visit = folder(tmp_path / "visit")
    os.mkfifo(visit / "pipe.csv")
    assert refused(visit, home) == ["not_a_file"]


@pytest.mark.parametrize("change", ["append", "rewrite", "replace", "remove", "link"])
def test_a_file_that_changes_while_it_is_delivered_is_refused(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    visit = folder(tmp_path / "visit")
    path = visit / "a.csv"
    known = Vault.known

    def meanwhile(vault: Vault, receipt: Receipt) -> Receipt | None:
        if change == "append":
            with path.open("ab") as handle:
                handle.write(b"more")
        elif change == "rewrite":
            path.write_bytes(b"9" * path.stat().st_size)
        else:
            path.unlink()
        if change == "replace":
            path.write_bytes(FILES["a.csv"])
        if change == "link":
            path.symlink_to("/etc/hostname")
        return known(vault, receipt)

    monkeypatch.setattr(Vault, "known", meanwhile)
    codes = refused(visit, home)
    assert codes in (["source_changed"], ["file_unreadable"])
    assert (codes == ["file_unreadable"]) == (change == "link")


def test_a_file_of_the_same_size_and_time_with_other_bytes_is_refused(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = folder(tmp_path / "visit")
    facts = (visit / "a.csv").stat()
    known = Vault.known

    def meanwhile(vault: Vault, receipt: Receipt) -> Receipt | None:
        with (visit / "a.csv").open("r+b") as handle:
            handle.write(b"9")
        os.utime(visit / "a.csv", ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return known(vault, receipt)

    monkeypatch.setattr(Vault, "known", meanwhile)
    assert refused(visit, home) == ["source_changed"]


def test_a_vault_without_room_is_said_as_such_and_leaves_no_batch(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(KinelakeError, match=r"vault_not_writable.*No space left on device"):
            send(folder(tmp_path / "visit"), home)
    assert Vault(home).receipts() == []
    assert list((home.vault / "incoming").iterdir()) == []
    assert len(send(tmp_path / "visit", home).files) == 3


def test_delivering_again_mends_a_damaged_vault(tmp_path: Path, home: Home) -> None:
    receipt = send(folder(tmp_path / "visit"), home)
    path = Vault(home).path(receipt.files[0].sha256)
    path.unlink()
    assert [reason.code for reason in Vault(home).verify()] == ["vault_file_missing"]
    assert send(tmp_path / "visit", home) == receipt
    assert Vault(home).verify() == []


def test_the_cost_of_a_delivery_does_not_grow_with_the_number_of_batches(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        send(folder(tmp_path / str(number), {**FILES, "a.csv": str(number).encode()}), home)
    opened: list[str] = []
    monkeypatch.setattr("ingestion.vault._load", lambda path: opened.append(path.name) or Receipt.from_json(path.read_text()))
    send(folder(tmp_path / "new", {**FILES, "a.csv": b"new"}), home)
    send(tmp_path / "7", home)
    assert len(opened) <= 3


# --- several at once, and killed ---


def _deliver_at_the_same_time(
    source: str, home: str, batch_id: str | None, barrier: object, answers: multiprocessing.Queue[str]
) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    try:
        answers.put(send(Path(source), Home(Path(home)), batch_id=batch_id).to_json())
    except DeliveryRefused as error:
        answers.put(error.reasons[0].code)


def at_the_same_time(home: Home, deliveries: list[tuple[Path, str | None]]) -> list[str]:
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(len(deliveries)), context.Queue()
    processes = [
        context.Process(target=_deliver_at_the_same_time, args=(str(source), str(home.root), batch_id, barrier, answers))
        for source, batch_id in deliveries
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    return found


def test_processes_delivering_the_same_content_at_once_get_one_receipt(tmp_path: Path, home: Home) -> None:
    files = {f"{n}.csv": os.urandom(50_000) for n in range(20)}
    manifest = "path,participant\n" + "".join(f"{path},A\n" for path in files)
    as_folder, as_zip = folder(tmp_path / "one", files, manifest), zipped(tmp_path / "two.zip", files, manifest)
    found = at_the_same_time(home, [(as_folder, "one"), (as_zip, "two"), (as_folder, None), (as_zip, "one")])
    assert len(set(found)) == 1
    assert [receipt.to_json() for receipt in Vault(home).receipts()] == found[:1]
    assert Vault(home).verify() == []


def test_of_two_processes_with_one_id_and_other_bytes_one_is_refused(tmp_path: Path, home: Home) -> None:
    for attempt in range(3):
        sources = [folder(tmp_path / f"{attempt}{n}", {**FILES, "a.csv": os.urandom(100_000)}) for n in range(2)]
        found = at_the_same_time(home, [(path, f"visit-{attempt}") for path in sources])
        assert len([answer for answer in found if answer == "batch_id_taken"]) == 1
    assert len(Vault(home).receipts()) == 3
    assert Vault(home).verify() == []


KILLED = r"""
import os, sys, time
from pathlib import Path
from ingestion import vault
from ingestion.delivery import deliver
from studies.loader import find_study
from warehouse.home import Home

def wait_to_be_killed(*_):
    os.write(1, b"here\n")  # print would mix the lines of two threads
    time.sleep(60)

moment, source, home = sys.argv[1:]
copied, named, wrote = vault._write_all, Path.replace, vault.Vault._write_text
if moment == "copying":
    vault._write_all = lambda descriptor, content: (copied(descriptor, content[:1000]), wait_to_be_killed())
elif moment == "before the bytes are named":
    Path.replace = wait_to_be_killed
elif moment == "after the bytes are named":
    Path.replace = lambda *paths: (named(*paths), wait_to_be_killed())
elif moment == "before the index":
    vault.Vault._write_text = wait_to_be_killed
elif moment == "between index and receipt":
    vault.Vault._write_text = lambda *given: (wrote(*given), wait_to_be_killed())
deliver(Path(source), study=find_study("barbell"), site="clinic_a", home=Home(Path(home)), batch_id="visit-1")
"""


@pytest.mark.parametrize(
    "moment",
    ["copying", "before the bytes are named", "after the bytes are named", "before the index", "between index and receipt"],
)
def test_killed_at_any_moment_there_is_no_receipt_and_delivering_again_ends_the_same(
    tmp_path: Path, home: Home, moment: str
) -> None:
    files = {"big.csv": os.urandom(3 << 20), "small.csv": b"1,2,3\n"}
    visit = folder(tmp_path / "visit", files, "path,participant\nbig.csv,A\nsmall.csv,B\n")
    victim = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), moment, str(visit), str(home.root)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == b"here\n"
    victim.send_signal(signal.SIGKILL)
    victim.wait(timeout=30)
    victim.stdout.close()

    assert Vault(home).receipts() == []
    for name in stored(home):
        assert hashlib.sha256((home.vault / name[:2] / name).read_bytes()).hexdigest() == name
    receipt = send(visit, home, batch_id="visit-1")
    assert Vault(home).receipts() == [receipt]
    assert receipt.batch_id == "visit-1"
    assert stored(home) == {hashlib.sha256(content).hexdigest() for content in files.values()}
    assert Vault(home).verify() == []
    for left in (home.vault / "incoming").iterdir():
        os.utime(left, (0, 0))
    assert send(visit, home) == receipt
    assert list((home.vault / "incoming").iterdir()) == []


@pytest.mark.real
def test_the_barbell_recordings_are_one_batch_as_folder_and_as_zip(real: Path, tmp_path: Path, home: Home) -> None:
    sent = real / "metamotion_barbell"
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(draft_manifest(sent / "MetaMotion", STUDY))
    started = time.perf_counter()
    receipt = send(sent / "MetaMotion", home, manifest=manifest)
    assert time.perf_counter() - started < 5  # 0.25 s where nothing else runs
    assert len(receipt.files) == 187
    assert receipt.unlisted == ()
    assert send(sent / "MetaMotion.zip", home, manifest=manifest) == receipt
    assert Vault(home).verify() == []
    with zipfile.ZipFile(io.BytesIO((sent / "MetaMotion.zip").read_bytes())) as archive:
        members = {name.removeprefix("MetaMotion/"): archive.read(name) for name in archive.namelist() if name.endswith(".csv")}
    for file in receipt.files:
        assert Vault(home).path(file.sha256).read_bytes() == members[file.path]


@pytest.mark.real
def test_phone_exports_are_delivered_with_their_draft(real: Path, tmp_path: Path, home: Home) -> None:
    study = find_study("phone_activities")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(draft_manifest(real / "sensor_logger" / "phones_a", study))
    receipt = send(real / "sensor_logger" / "phones_a", home, manifest=manifest, study=study)
    assert len(receipt.files) == 38
    assert receipt.unlisted == ("PROVENANCE.md",)
