"""A zip of device files inside a delivery counts as the files in it; an app's export stays one recording."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ingestion.erasure import left_in_landing
from ingestion.landing import take, waiting
from ingestion.vault import Vault
from studies.loader import find_study
from tests.ingestion.device_files import metabase_csv, metabase_name, phone, rocking, zipped
from warehouse.errors import DeliveryRefused
from warehouse.home import Home
from warehouse.lake import Lake

STUDY = find_study("barbell")
TWO = {f"day{day}/{metabase_name(who=f'P001-squat-{day}')}": metabase_csv(rocking(300, seed=day)) for day in (1, 2)}


def _paths(folder: Path) -> list[str]:
    return [row["path"] for row in csv.DictReader(io.StringIO(draft_manifest(folder, None)))]


def _sent(folder: Path, bundle: bytes, **others: bytes) -> Path:
    """A folder with a bundle, and a manifest as it is drafted."""
    folder.mkdir(parents=True)
    for name, content in {"raw.zip": bundle, **others}.items():
        (folder / name).write_bytes(content)
    lines = [f"{path},A" for path in _paths(folder)]
    (folder / "manifest.csv").write_text("\n".join(["path,participant", *lines]))
    return folder


def _deliver(folder: Path, home: Home) -> list[str]:
    receipt = deliver(folder, study=STUDY, site="lab", home=home, batch_id="b1")
    return [file.path for file in receipt.files]


def test_every_member_is_a_file_of_the_delivery_and_a_recording_of_its_own(tmp_path: Path, home: Home) -> None:
    paths = _deliver(_sent(tmp_path / "visit", zipped({**TWO, "__MACOSX/x.csv": "1"})), home)
    assert paths == [f"raw.zip::{name}" for name in sorted(TWO)]
    summary = read_batch(Vault(home).receipt("b1"), STUDY, home)
    assert (summary.files, summary.recordings, summary.samples) == (2, 2, 600)
    loose = Home.at(tmp_path / "loose")
    for name, content in TWO.items():
        (tmp_path / "unpacked" / name).parent.mkdir(parents=True)
        (tmp_path / "unpacked" / name).write_text(content)
    (tmp_path / "unpacked" / "manifest.csv").write_text("\n".join(["path,participant", *(f"{name},A" for name in TWO)]))
    _deliver(tmp_path / "unpacked", loose)
    read_batch(Vault(loose).receipt("b1"), STUDY, loose)
    hashes = [sorted(Lake(one).read("recordings")["value_hash"].to_pylist()) for one in (home, loose)]
    assert hashes[0] == hashes[1]


def test_an_apps_export_stays_one_file_and_so_does_a_zip_of_who_knows_what(tmp_path: Path) -> None:
    export, notes = zipped(phone("iOS")), zipped({"notes.txt": "hello", "a.csv": "x"})
    assert _paths(_sent(tmp_path / "visit", export, **{"notes.zip": notes, "cut.zip": zipped(TWO)[:-40]})) == [
        "cut.zip",
        "notes.zip",
        "raw.zip",
    ]


def test_a_bundle_of_exports_is_as_many_recordings(tmp_path: Path, home: Home) -> None:
    bundle = zipped({f"{seed}.zip": zipped(phone("iOS", seed=seed)) for seed in (1, 2)}, zipfile.ZIP_STORED)
    assert _deliver(_sent(tmp_path / "visit", bundle), home) == ["raw.zip::1.zip", "raw.zip::2.zip"]
    assert read_batch(Vault(home).receipt("b1"), STUDY, home).recordings == 2


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/evil.csv", "c:\\evil.csv"])
def test_a_member_that_leads_outside_refuses_the_delivery(name: str, tmp_path: Path, home: Home) -> None:
    folder = _sent(tmp_path / "visit", zipped(TWO))
    (folder / "raw.zip").write_bytes(zipped({**TWO, name: "1"}))
    with pytest.raises(DeliveryRefused) as refused:
        _deliver(folder, home)
    assert [reason.code for reason in refused.value.reasons] == ["path_unsafe"]
    assert "raw.zip" in refused.value.reasons[0].place
    assert Vault(home).receipts() == []


def test_a_bundle_that_unpacks_beyond_reason_is_refused(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _sent(tmp_path / "visit", zipped({**TWO, "zeros.csv": b"0" * 3_000_000}))
    monkeypatch.setattr("ingestion.source.RATIO_COUNTS_FROM_BYTES", 1_000_000)
    monkeypatch.setattr("ingestion.source.MAX_RATIO", 20)
    with pytest.raises(DeliveryRefused) as refused:
        _deliver(folder, home)
    assert [reason.code for reason in refused.value.reasons] == ["zip_bomb"]


def test_the_landing_zone_releases_a_bundle_whose_members_are_all_taken_and_keeps_one_with_more(home: Home) -> None:
    site = home.landing / "lab" / "barbell"
    _sent(site / "whole", zipped(TWO))
    _sent(site / "more", zipped({name: text.replace("0.0", "0.1") for name, text in TWO.items()}))
    text = (site / "more" / "manifest.csv").read_text().splitlines()
    (site / "more" / "manifest.csv").write_text("\n".join(text[:-1]))
    entries = waiting(home, quiet_s=0)
    digests = {file.sha256 for entry in entries for file in take(entry, home).files}
    assert not (site / "whole").exists()
    assert (site / "more.unlisted" / "raw.zip").exists()
    assert [place.rpartition("/")[2] for place in left_in_landing(digests, home)] == [text[1].split(",")[0].rpartition("/")[2]]


def test_an_unknown_zip_says_what_to_do(tmp_path: Path, home: Home) -> None:
    _deliver(_sent(tmp_path / "visit", zipped({"notes.txt": "hello"})), home)
    read_batch(Vault(home).receipt("b1"), STUDY, home)
    (finding,) = Lake(home).read("findings").to_pylist()
    assert (finding["code"], finding["path"]) == ("format_unknown", "raw.zip")
    assert "unpack it and send the folder" in finding["remedy"]
