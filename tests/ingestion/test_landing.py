"""What lies in the landing zone is listed, taken once its sender is done, and lost in no case."""

from __future__ import annotations

import multiprocessing
import os
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion.landing import Waiting, take, taking, waiting
from ingestion.landing.folder import FolderZone
from ingestion.landing.zone import ABANDONED_AFTER_S
from ingestion.receipt import Receipt
from ingestion.vault import BATCH_ID, Vault
from warehouse.errors import DeliveryRefused, KinelakeError
from warehouse.home import Home

MANIFEST = "path,participant,label\na.csv,A,bench\n"


def put_folder(
    home: Home, name: str, files: dict[str, str] | None = None, *, site: str = "clinic_a", study: str = "barbell"
) -> Path:
    path = home.landing / site / study / name
    path.mkdir(parents=True)
    for file, text in (files or {"a.csv": "1,2,3\n", "manifest.csv": MANIFEST}).items():
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text(text)
    return path


def put_zip(home: Home, name: str, text: str = "1,2,3\n", *, site: str = "clinic_a") -> Path:
    path = home.landing / site / "barbell" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", text)
        archive.writestr("manifest.csv", MANIFEST)
    return path


def the_one(home: Home) -> Waiting:
    (entry,) = waiting(home, quiet_s=0)
    return entry


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    for each in [path, *path.rglob("*")]:
        os.utime(each, (then, then))


def beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_an_empty_landing_zone_has_nothing_waiting(home: Home) -> None:
    assert waiting(home) == []
    home.landing.rmdir()
    assert waiting(home) == []


def test_folders_and_zips_wait_under_their_site_and_study(home: Home) -> None:
    put_zip(home, "Visit 2.ZIP", site="clinic_b")
    path = put_folder(home, "visit-1")
    first, second = waiting(home, quiet_s=0)
    assert (Path(first.place), first.site, first.study, first.batch_id) == (
        path,
        "clinic_a",
        "barbell",
        "clinic_a.barbell.visit-1",
    )
    assert (second.site, second.batch_id) == ("clinic_b", "clinic_b.barbell.visit-2")
    assert first.settled and second.settled


@pytest.mark.parametrize("name", ["ö", "x" * 200, "x:..\\y", " ", "a'; DROP TABLE x; --", "-.-"])
def test_a_batch_id_is_usable_whatever_the_entry_is_called(home: Home, name: str) -> None:
    put_folder(home, name)
    assert BATCH_ID.fullmatch(the_one(home).batch_id)


def test_names_that_leave_nothing_of_themselves_in_a_batch_id_stay_apart(home: Home) -> None:
    for name in ("ö", "ü", "x" * 200, "x" * 199 + "y"):
        put_folder(home, name)
    assert len({entry.batch_id for entry in waiting(home)}) == 4


def test_an_entry_settles_once_nothing_in_it_changed_for_a_while(home: Home) -> None:
    path = put_folder(home, "visit", {"a.csv": "1", "manifest.csv": MANIFEST, "deep/b.csv": "2"})
    assert not waiting(home, quiet_s=5)[0].settled
    aged(path, 60)
    assert waiting(home, quiet_s=5)[0].settled
    (path / "deep" / "b.csv").write_text("23")
    assert not waiting(home, quiet_s=5)[0].settled


def test_a_clock_that_runs_ahead_does_not_hold_a_delivery_back(home: Home) -> None:
    path = put_folder(home, "visit")
    ahead = time.time() + 10 * 365 * 86400
    os.utime(path / "a.csv", (ahead, ahead))
    assert not waiting(home, quiet_s=5)[0].settled
    assert the_one(home).settled


@pytest.mark.parametrize("file", ["a.csv.part", "b.tmp", "deep/c.crdownload", "D.PARTIAL"])
def test_a_folder_with_an_unfinished_download_is_not_settled(home: Home, file: str) -> None:
    put_folder(home, "visit", {"manifest.csv": MANIFEST, "a.csv": "1", file: "half"})
    assert not the_one(home).settled


def test_a_folder_without_a_manifest_and_a_zip_without_an_end_are_not_settled(home: Home) -> None:
    put_folder(home, "visit", {"a.csv": "1"})
    path = put_zip(home, "visit2.zip")
    path.write_bytes(path.read_bytes()[:-30])
    assert [entry.settled for entry in waiting(home, quiet_s=0)] == [False, False]


def test_what_stays_incomplete_is_refused_aloud_instead_of_waiting_for_ever(home: Home) -> None:
    aged(put_folder(home, "visit", {"a.csv": "1"}), ABANDONED_AFTER_S + 60)
    entry = the_one(home)
    assert entry.settled
    with pytest.raises(DeliveryRefused, match="manifest_missing"):
        take(entry, home)


def test_other_names_are_left_alone(home: Home) -> None:
    path = put_folder(home, "visit")
    for name in ("visit.zip.part", ".hidden.zip", "old.receipt.json", "old.refused.txt", "table.csv"):
        (path.parent / name).write_text("x")
    for name in ("old.unlisted", "old.unlisted-2", ".released-1", "coming.part"):
        (path.parent / name).mkdir()
    (path.parent / "link").symlink_to(path)
    (path.parent / "link.zip").symlink_to("/etc/hostname")
    assert [entry.place for entry in waiting(home)] == [str(path)]


@pytest.mark.parametrize("change", ["size", "time", "name", "new file", "removed file"])
def test_the_signature_changes_with_names_sizes_and_times(home: Home, change: str) -> None:
    path = put_folder(home, "visit", {"a.csv": "1", "b.csv": "2", "manifest.csv": MANIFEST})
    before = the_one(home).signature
    assert the_one(home).signature == before
    facts = (path / "a.csv").stat()
    if change == "size":
        (path / "a.csv").write_text("12")
        os.utime(path / "a.csv", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    elif change == "time":
        os.utime(path / "a.csv", (1, 1))
    elif change == "name":
        (path / "a.csv").rename(path / "c.csv")
    elif change == "new file":
        (path / "c.csv").write_text("")
    else:
        (path / "b.csv").unlink()
    assert the_one(home).signature != before


@pytest.mark.parametrize("put", [put_folder, put_zip])
def test_taking_leaves_the_receipt_and_removes_the_source(home: Home, put: object) -> None:
    path = put(home, "visit.zip")  # type: ignore[operator]
    receipt = take(the_one(home), home)
    assert receipt.batch_id == "clinic_a.barbell.visit"
    assert beside(path) == ["visit.zip.receipt.json"]
    assert Receipt.from_json((path.parent / "visit.zip.receipt.json").read_text()) == receipt
    assert Vault(home).receipts() == [receipt]
    assert waiting(home) == []


def test_a_refusal_is_left_beside_the_source_and_raised(home: Home) -> None:
    path = put_folder(home, "visit", {"a.csv": "1", "manifest.csv": "path,participant\nb.csv,A\na.csv,\n"})
    with pytest.raises(DeliveryRefused) as refusal:
        take(the_one(home), home)
    assert [reason.code for reason in refusal.value.reasons] == ["file_absent", "participant_empty"]
    assert beside(path) == ["visit", "visit.refused.txt"]
    assert (path / "a.csv").read_text() == "1"
    text = (path.parent / "visit.refused.txt").read_text()
    for reason in refusal.value.reasons:
        assert reason.sentence in text and reason.place in text and reason.remedy in text
    assert Vault(home).receipts() == []


def test_a_refused_entry_is_left_out_until_it_changes(home: Home) -> None:
    path = put_folder(home, "visit", {"a.csv": "1", "manifest.csv": "path,participant\nb.csv,A\n"})
    with pytest.raises(DeliveryRefused):
        take(the_one(home), home)
    assert waiting(home, quiet_s=0) == []
    (path / "b.csv").write_text("here now")
    (path / "a.csv").unlink()
    assert take(the_one(home), home).files[0].path == "b.csv"
    assert beside(path) == ["visit.receipt.json"]


def test_deleting_the_refusal_has_the_entry_tried_again(home: Home) -> None:
    path = put_folder(home, "visit", {"a.csv": "1", "manifest.csv": "path,participant\nb.csv,A\n"})
    with pytest.raises(DeliveryRefused):
        take(the_one(home), home)
    (path.parent / "visit.refused.txt").unlink()
    assert the_one(home).place == str(path)


def test_an_unknown_study_and_a_bad_site_are_refused_with_the_nearest_and_the_allowed(home: Home) -> None:
    put_folder(home, "visit", study="barbel")
    with pytest.raises(DeliveryRefused, match=r"study_unknown.*did you mean 'barbell'"):
        take(the_one(home), home)
    put_folder(home, "visit", site="Clinic North")
    with pytest.raises(DeliveryRefused, match="site_invalid"):
        take(the_one(home), home)
    assert waiting(home) == []


def test_content_that_came_before_under_another_name_gets_that_receipt_and_is_released(home: Home) -> None:
    put_folder(home, "visit")
    first = take(the_one(home), home)
    path = put_zip(home, "again.zip", site="clinic_b")
    assert take(the_one(home), home) == first
    assert beside(path) == ["again.zip.receipt.json"]
    assert Vault(home).receipts() == [first]


def test_the_same_name_with_other_content_is_refused_and_kept(home: Home) -> None:
    put_folder(home, "visit")
    first = take(the_one(home), home)
    path = put_folder(home, "visit", {"a.csv": "other", "manifest.csv": MANIFEST})
    with pytest.raises(DeliveryRefused, match="batch_id_taken"):
        take(the_one(home), home)
    assert (path / "a.csv").read_text() == "other"
    assert Vault(home).receipts() == [first]


@pytest.mark.parametrize("put", ["folder", "zip"])
def test_files_that_the_manifest_does_not_name_are_kept_beside_the_receipt(home: Home, put: str) -> None:
    for number in range(2):
        files = {"a.csv": str(number), "manifest.csv": MANIFEST, "video.mp4": "not named"}
        path = put_folder(home, "visit", files)
        if put == "zip":
            with zipfile.ZipFile(path.with_name("visit.zip"), "w") as archive:
                for name in files:
                    archive.write(path / name, name)
                    (path / name).unlink()
            path.rmdir()
            path = path.with_name("visit.zip")
        entry = the_one(home)
        receipt = take(replace(entry, site=f"clinic_{number}"), home)
        assert receipt.unlisted == ("video.mp4",)
        assert waiting(home) == []
    assert beside(path) == [f"{path.name}.receipt.json", f"{path.name}.unlisted", f"{path.name}.unlisted-2"]


def test_a_second_delivery_of_known_content_keeps_its_own_unnamed_files(home: Home) -> None:
    put_folder(home, "visit")
    first = take(the_one(home), home)
    path = put_folder(home, "again", {"a.csv": "1,2,3\n", "manifest.csv": MANIFEST, "video.mp4": "not named"})
    assert take(the_one(home), home) == first
    assert (path.parent / "again.unlisted" / "video.mp4").read_text() == "not named"


@pytest.mark.parametrize("moment", ["before the receipt is left", "while the source is removed"])
def test_killed_between_receipt_and_release_the_next_take_ends_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = put_folder(home, "visit", {f"{n}.csv": "x" * n for n in range(20)} | {"manifest.csv": "path,participant\n1.csv,A\n"})
    for n in range(20):
        if n != 1:
            (path / f"{n}.csv").unlink()
    entry = the_one(home)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if moment == "before the receipt is left":
            patched.setattr(FolderZone, "leave", killed)
        else:
            patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            take(entry, home)
    (receipt,) = Vault(home).receipts()
    if moment == "before the receipt is left":
        assert take(the_one(home), home) == receipt
    assert waiting(home) == []
    put_folder(home, "next", {"a.csv": "next", "manifest.csv": MANIFEST})
    take(the_one(home), home)
    assert beside(path) == ["next.receipt.json", "visit.receipt.json"]


def test_what_is_added_while_it_is_taken_is_not_removed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_folder(home, "visit")
    delivered = taking.take_in

    def deliver_and_add(*arguments: object, **options: object) -> Receipt:
        receipt = delivered(*arguments, **options)  # type: ignore[arg-type]
        (path / "late.csv").write_text("came late")
        return receipt

    with monkeypatch.context() as patched:
        patched.setattr(taking, "take_in", deliver_and_add)
        receipt = take(the_one(home), home)
    assert (path / "late.csv").read_text() == "came late"
    assert take(the_one(home), home) == receipt
    assert (path.parent / "visit.unlisted" / "late.csv").read_text() == "came late"


def test_a_vault_that_cannot_be_written_is_no_refusal_of_the_delivery(home: Home) -> None:
    path = put_folder(home, "visit")
    (home.vault / "incoming").write_text("in the way")
    with pytest.raises(KinelakeError, match="vault_not_writable"):
        take(the_one(home), home)
    assert beside(path) == ["visit"]
    (home.vault / "incoming").unlink()
    assert take(the_one(home), home).files[0].path == "a.csv"


def test_an_entry_that_is_gone_answers_with_its_receipt_or_says_so(home: Home) -> None:
    put_folder(home, "visit")
    entry = the_one(home)
    receipt = take(entry, home)
    assert take(entry, home) == receipt
    with pytest.raises(DeliveryRefused, match="source_missing"):
        take(replace(entry, place=f"{entry.place}-never"), home)


def _take(entry: Waiting, home: Home, barrier: object, answers: multiprocessing.Queue[str]) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    try:
        answers.put(take(entry, home).to_json())
    except KinelakeError as error:
        answers.put(str(error))


def test_processes_taking_the_same_entry_at_once_get_one_receipt(home: Home) -> None:
    path = put_folder(home, "visit", {"a.csv": "x" * 1_000_000, "manifest.csv": MANIFEST})
    entry = the_one(home)
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_take, args=(entry, home, barrier, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(timeout=60)
    assert found == {Vault(home).receipts()[0].to_json()}
    assert beside(path) == ["visit.receipt.json"]


def test_ten_thousand_entries_are_listed_in_well_under_a_second(home: Home) -> None:
    template = put_zip(home, "0.zip")
    for number in range(1, 10_000):
        os.link(template, template.with_name(f"{number}.zip"))
    assert len(waiting(home)) == 10_000
    assert min(_processor_seconds(home) for _ in range(3)) < 1  # 0.3 to 0.5 s


def _processor_seconds(home: Home) -> float:
    started = time.process_time()
    waiting(home, quiet_s=0)
    return time.process_time() - started
