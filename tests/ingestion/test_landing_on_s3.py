"""A bucket is a landing zone like the folder: listed in pages, taken once, released after the receipt, lost in no case."""

from __future__ import annotations

import copy
import io
import multiprocessing
import os
import signal
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ResponseStreamingError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeBucket, s3_backends

from ingestion.erasure import erase_deliveries, left_in_landing
from ingestion.landing import LANDING, Waiting, take, taking, waiting
from ingestion.landing.objects import MOST_RESUMED, Bucket
from ingestion.landing.zone import ABANDONED_AFTER_S
from ingestion.receipt import Receipt
from ingestion.vault import Vault
from warehouse.errors import DeliveryRefused, KinelakeError
from warehouse.home import Home

MANIFEST = "path,participant,label\na.csv,A,bench\n"
VISIT = {"a.csv": "1,2,3\n", "manifest.csv": MANIFEST}
BUCKET, STUDY = "clinics", "inbox/clinic_a/barbell"


@pytest.fixture(autouse=True)
def watched(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LANDING, f"s3://{BUCKET}/inbox")


def the_bucket() -> FakeBucket:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET]


def put(s3: Any, name: str, files: dict[str, str] = VISIT) -> None:
    for path, text in files.items():
        s3.put_object(Bucket=BUCKET, Key=f"{STUDY}/{name}/{path}", Body=text.encode())


def packed(files: dict[str, str] = VISIT) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def there() -> list[str]:
    return sorted(key.removeprefix(f"{STUDY}/") for key in the_bucket().keys)


def text_of(s3: Any, name: str) -> str:
    return str(s3.get_object(Bucket=BUCKET, Key=f"{STUDY}/{name}")["Body"].read().decode())


def the_one(home: Home) -> Waiting:
    (entry,) = waiting(home, quiet_s=0)
    return entry


def aged(seconds: float) -> None:
    for key in the_bucket().keys.values():
        key.last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=seconds)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each operation was asked of the server."""
    counted: Counter[str] = Counter()
    sent = BaseClient._make_api_call

    def counting(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        counted[operation] += 1
        return sent(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", counting)
    return counted


@pytest.mark.parametrize("name", ["visit", "visit.zip"])
def test_a_delivery_is_taken_and_its_receipt_left_in_its_place(home: Home, s3: Any, name: str) -> None:
    if name == "visit":
        put(s3, name)
    else:
        s3.put_object(Bucket=BUCKET, Key=f"{STUDY}/{name}", Body=packed())
    entry = the_one(home)
    assert (entry.place, entry.batch_id) == (f"s3://{BUCKET}/{STUDY}/{name}", "clinic_a.barbell.visit")
    receipt = take(entry, home)
    assert there() == [f"{name}.receipt.json"]
    assert Receipt.from_json(text_of(s3, f"{name}.receipt.json")) == receipt
    assert Vault(home).receipts() == [receipt]
    assert Vault(home).path(receipt.files[0].sha256).read_text() == "1,2,3\n"
    assert waiting(home) == []


def test_folder_and_bucket_are_both_looked_at(home: Home, s3: Any) -> None:
    put(s3, "there")
    here = home.landing / "clinic_b" / "barbell" / "here"
    here.mkdir(parents=True)
    (here / "manifest.csv").write_text(MANIFEST)
    assert [entry.name for entry in waiting(home, quiet_s=0)] == ["here", "there"]


def test_a_folder_settles_when_its_manifest_is_there_and_nothing_changed_for_a_while(home: Home, s3: Any) -> None:
    put(s3, "visit", {"a.csv": "1"})
    aged(60)
    assert not waiting(home)[0].settled
    put(s3, "visit", {"manifest.csv": MANIFEST})
    assert not waiting(home)[0].settled
    aged(60)
    assert waiting(home)[0].settled
    put(s3, "visit", {"late.csv": "2"})
    assert not waiting(home)[0].settled


def test_an_upload_in_parts_is_not_seen_until_it_is_complete(home: Home, s3: Any) -> None:
    where = {"Bucket": BUCKET, "Key": f"{STUDY}/visit.zip"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    tag = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=packed())["ETag"]
    assert waiting(home, quiet_s=0) == []
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})
    assert take(the_one(home), home).files[0].path == "a.csv"


def test_a_folder_that_never_gets_a_manifest_is_refused_aloud(home: Home, s3: Any) -> None:
    put(s3, "visit", {"a.csv": "1"})
    aged(ABANDONED_AFTER_S + 60)
    with pytest.raises(DeliveryRefused, match="manifest_missing"):
        take(the_one(home), home)
    assert there() == ["visit.refused.txt", "visit/a.csv"]
    assert "manifest_missing" in text_of(s3, "visit.refused.txt")


def test_a_refused_entry_is_read_once_and_left_out_until_it_changes(home: Home, s3: Any, requests: Counter[str]) -> None:
    put(s3, "visit", {"a.csv": "1", "manifest.csv": "path,participant\nb.csv,A\n"})
    with pytest.raises(DeliveryRefused, match="file_absent"):
        take(the_one(home), home)
    requests.clear()
    assert [waiting(home, quiet_s=0) for _ in range(3)] == [[], [], []]
    assert requests["GetObject"] == 1
    put(s3, "visit", {"b.csv": "here now"})
    s3.delete_object(Bucket=BUCKET, Key=f"{STUDY}/visit/a.csv")
    assert take(the_one(home), home).files[0].path == "b.csv"
    assert there() == ["visit.receipt.json"]


@pytest.mark.parametrize("key", ["../up.csv", "deep/../../up.csv", "back\\slash.csv", "/absolute.csv", "C:/drive.csv"])
def test_a_key_that_leads_elsewhere_is_refused_and_named(home: Home, s3: Any, key: str) -> None:
    put(s3, "visit", {**VISIT, key: "x"})
    with pytest.raises(DeliveryRefused, match="path_unsafe"):
        take(the_one(home), home)
    assert Vault(home).receipts() == []
    assert not list(home.root.rglob("up.csv"))


def test_two_keys_with_one_path_are_refused(home: Home, s3: Any) -> None:
    put(s3, "visit", {**VISIT, "./a.csv": "x"})
    with pytest.raises(DeliveryRefused, match="path_twice"):
        take(the_one(home), home)


def test_other_names_are_left_alone(home: Home, s3: Any) -> None:
    put(s3, "visit")
    left = [
        "old.receipt.json",
        "old.refused.txt",
        "table.csv",
        ".hidden.zip",
        "a.zip.part",
        "old.unlisted/x.csv",
        "old.unlisted-2",
    ]
    for name in left:
        s3.put_object(Bucket=BUCKET, Key=f"{STUDY}/{name}", Body=b"x")
    for key in ("inbox/loose.csv", "inbox/clinic_a/loose.csv", "elsewhere/clinic_a/barbell/x.zip", "inbox//barbell/x.zip"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert the_one(home).name == "visit"


@pytest.mark.parametrize("top", ["", "export/"])
def test_files_that_the_manifest_does_not_name_are_kept(home: Home, s3: Any, top: str) -> None:
    for number in range(2):
        files = {**VISIT, "a.csv": str(number), "deep/video.mp4": "not named", ".DS_Store": "x"}
        put(s3, "visit", {top + path: text for path, text in files.items()})
        put_marker(s3, "visit/")
        receipt = take(Waiting(**{**vars(the_one(home)), "site": f"clinic_{number}"}), home)
        assert receipt.unlisted == ("deep/video.mp4",)
    kept = f"{top}deep/video.mp4"
    assert there() == ["visit.receipt.json", f"visit.unlisted-2/{kept}", f"visit.unlisted/{kept}"]
    assert waiting(home, quiet_s=0) == []


def put_marker(s3: Any, name: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{STUDY}/{name}", Body=b"")


def test_a_zip_with_more_than_its_manifest_names_is_kept(home: Home, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{STUDY}/visit.zip", Body=packed({**VISIT, "video.mp4": "not named"}))
    take(the_one(home), home)
    assert there() == ["visit.zip.receipt.json", "visit.zip.unlisted"]


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object], *, after_delivery: bool) -> None:
    taken_in = taking.take_in

    def with_it(*arguments: Any, **options: Any) -> Receipt:
        if not after_delivery:
            happens()
        receipt = taken_in(*arguments, **options)
        happens()
        return receipt

    monkeypatch.setattr(taking, "take_in", with_it)


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_an_object_that_changes_between_listing_and_reading_is_refused_and_waits_again(
    home: Home, s3: Any, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    put(s3, "visit")
    with monkeypatch.context() as patched:
        happens = (
            (lambda: put(s3, "visit", {"a.csv": "3,2,1\n"}))
            if change == "overwritten"
            else (lambda: s3.delete_object(Bucket=BUCKET, Key=f"{STUDY}/visit/a.csv"))
        )
        meanwhile(patched, happens, after_delivery=False)
        with pytest.raises(DeliveryRefused, match="source_changed"):
            take(the_one(home), home)
    assert Vault(home).receipts() == []
    put(s3, "visit", {"a.csv": "3,2,1\n"})
    receipt = take(the_one(home), home)
    assert Vault(home).path(receipt.files[0].sha256).read_text() == "3,2,1\n"


def test_what_is_added_while_it_is_taken_is_not_deleted(home: Home, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, "visit")
    with monkeypatch.context() as patched:
        meanwhile(patched, lambda: put(s3, "visit", {"late.csv": "came late"}), after_delivery=True)
        receipt = take(the_one(home), home)
    assert text_of(s3, "visit/late.csv") == "came late"
    assert take(the_one(home), home) == receipt
    assert text_of(s3, "visit.unlisted/late.csv") == "came late"


def test_a_download_that_breaks_off_goes_on_where_it_stopped(home: Home, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(map(str, range(500_000)))
    put(s3, "visit", {**VISIT, "a.csv": text})
    breaking(monkeypatch, times=MOST_RESUMED, every=2)
    receipt = take(the_one(home), home)
    assert Vault(home).path(receipt.files[0].sha256).read_text() == text


def test_a_download_that_keeps_breaking_off_is_no_refusal_and_heals(home: Home, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, "visit")
    with monkeypatch.context() as patched:
        breaking(patched, times=1000)
        with pytest.raises(KinelakeError, match="landing_unreachable") as failure:
            take(the_one(home), home)
    assert not isinstance(failure.value, DeliveryRefused)
    assert there() == ["visit/a.csv", "visit/manifest.csv"]
    assert take(the_one(home), home).files[0].path == "a.csv"


def breaking(monkeypatch: pytest.MonkeyPatch, *, times: int, every: int = 1) -> None:
    """Have reading break off so many times."""
    part, reads, broken = Bucket.part, count(1), set[int]()

    class Breaking:
        def __init__(self, body: Any) -> None:
            self.body = body

        def read(self, most: int) -> bytes:
            number = next(reads)
            if number % every or len(broken) == times:
                return bytes(self.body.read(most))
            broken.add(number)
            raise ResponseStreamingError(error="connection reset")

        def close(self) -> None:
            self.body.close()

    monkeypatch.setattr(Bucket, "part", lambda *arguments: Breaking(part(*arguments)))


def _take_and_die(entry: Waiting, home: Home, moment: str) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    from ingestion.landing.release import Releases

    if moment == "before the receipt is left":
        Bucket.put = die  # type: ignore[method-assign]
    elif moment == "before the release is written down":
        Releases.begin = die  # type: ignore[method-assign]
    elif moment == "before anything is deleted":
        Releases.end = lambda self, key: die() if key in self.begun() else False  # type: ignore[method-assign, assign]
    else:
        delete = Bucket.delete

        def half(self: Bucket, objects: Any) -> None:
            delete(self, objects[: len(objects) // 2])
            die()

        Bucket.delete = lambda self, objects: half(self, objects) if len(objects) > 1 else delete(self, objects)  # type: ignore
    take(entry, home)


MOMENTS = ["before the receipt is left", "before the release is written down", "before anything is deleted", "half deleted"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_between_vault_and_release_the_next_look_releases_it_and_there_is_one_batch(
    home: Home, s3: Any, moment: str
) -> None:
    files = {f"{number}.csv": f"{number}" for number in range(6)}
    rows = "".join(f"{path},A\n" for path in files)
    put(s3, "visit", {**files, "manifest.csv": f"path,participant\n{rows}", "video.mp4": "not named"})
    process = multiprocessing.get_context("fork").Process(target=_take_and_die, args=(the_one(home), home, moment))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (receipt,) = Vault(home).receipts()
    entry = waiting(home, quiet_s=0 if moment == MOMENTS[0] else 3600)
    assert take(the_one(home) if not entry[0].settled else entry[0], home) == receipt
    assert there() == ["visit.receipt.json", "visit.unlisted/video.mp4"]
    assert Vault(home).receipts() == [receipt]
    assert waiting(home, quiet_s=0) == []


def _take(entry: Waiting, home: Home, barrier: Any, answers: Any) -> None:
    barrier.wait()
    answers.put(take(entry, home).to_json())


def test_processes_taking_the_same_entry_at_once_get_one_receipt(home: Home, s3: Any) -> None:
    put(s3, "visit", {**VISIT, "a.csv": "x" * 100_000})
    entry, context = the_one(home), multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_take, args=(entry, home, barrier, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(timeout=60)
    assert found == {Vault(home).receipts()[0].to_json()}
    assert there() == ["visit.receipt.json"]


def test_erased_files_leave_the_receipts_there_and_what_still_lies_there_is_named(home: Home, s3: Any) -> None:
    put(s3, "visit")
    receipt = take(the_one(home), home)
    put(s3, "again")
    s3.put_object(Bucket=BUCKET, Key=f"{STUDY}/packed.zip", Body=packed())
    erase_deliveries({receipt.batch_id: {"other.csv"}}, study="barbell", home=home)
    assert "visit.receipt.json" in there()
    erase_deliveries({receipt.batch_id: {"a.csv"}}, study="barbell", home=home)
    assert "visit.receipt.json" not in there()
    assert sorted(left_in_landing({receipt.files[0].sha256}, home)) == ["again/a.csv", "packed.zip::a.csv"]


def test_ten_thousand_waiting_objects_are_listed_in_ten_requests(home: Home, requests: Counter[str]) -> None:
    template = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, f"{STUDY}/00000.zip", b"x")
    for number in range(1, 10_000):  # into the server itself: sending them would take half a minute
        one = copy.copy(template)
        one.name = f"{STUDY}/{number:05d}.zip"
        the_bucket().keys[one.name] = one
    assert len(waiting(home)) == 10_000
    assert requests == {"ListObjectsV2": 10}


@pytest.mark.parametrize("trouble", ["no server", "no bucket", "no credentials", "no address"])
def test_a_bucket_that_cannot_be_used_says_so_and_the_folder_is_still_looked_at(
    home: Home, s3: Any, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    here = home.landing / "clinic_b" / "barbell" / "here"
    here.mkdir(parents=True)
    put(s3, "there")
    with monkeypatch.context() as patched:
        if trouble == "no server":
            patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        elif trouble == "no bucket":
            patched.setenv(LANDING, "s3://nowhere")
        elif trouble == "no credentials":
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patched.delenv(name)
            patched.setenv("AWS_EC2_METADATA_DISABLED", "true")
            patched.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        else:
            patched.setenv(LANDING, "/a/folder")
        failures: list[KinelakeError] = []
        found = waiting(home, failed=failures.append)
    assert [entry.name for entry in found] == ["here"]
    (reason,) = failures[0].reasons
    codes = {
        "no server": "landing_unreachable",
        "no bucket": "landing_bucket_missing",
        "no credentials": "landing_no_access",
        "no address": "landing_setting",
    }
    assert reason.code == codes[trouble]
    assert reason.place and reason.remedy
    assert [entry.name for entry in waiting(home)] == ["here", "there"]
