"""A delivery of a cohort: complete, repeatable, fit for the studies it is meant for, and about people who differ."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ingestion.delivery import deliver
from ingestion.readers import DeviceFile, known_by_content
from ingestion.simulation import CohortSpec, Dirt, simulate_delivery
from studies import find_study
from warehouse.home import Home

SPEC = CohortSpec(people=3, exercises=("jumping_jack", "squat"), seconds=4, seed=9)
DIRTY = replace(SPEC, dirt=(Dirt("gap"), Dirt("copied_participant"), Dirt("corrupt_zip")))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("spec", [SPEC, DIRTY, replace(SPEC, device="mixed"), replace(SPEC, device="metabase")])
def test_the_same_spec_makes_the_same_bytes(tmp_path: Path, spec: CohortSpec) -> None:
    first, again = (simulate_delivery(tmp_path / name, spec) for name in ("first", "again"))
    assert contents(first.folder) == contents(again.folder)
    assert (first.files, first.expected, first.originals) == (again.files, again.expected, again.originals)


def test_a_zip_holds_the_same_files_as_the_folder_and_is_the_same_every_time(tmp_path: Path) -> None:
    folder = simulate_delivery(tmp_path / "folder", DIRTY)
    zips = [simulate_delivery(tmp_path / name, DIRTY, as_zip=True) for name in ("one", "two")]
    assert zips[0].folder == tmp_path / "one.zip" and not (tmp_path / "one").exists()
    assert zips[0].folder.read_bytes() == zips[1].folder.read_bytes()
    with zipfile.ZipFile(zips[0].folder) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents(folder.folder)


def test_another_seed_another_person_and_another_set_are_other_recordings(tmp_path: Path) -> None:
    specs = [SPEC, replace(SPEC, seed=10), replace(SPEC, first_person=4), replace(SPEC, first_set=2)]
    files = [
        content
        for number, spec in enumerate(specs)
        for path, content in contents(simulate_delivery(tmp_path / str(number), spec).folder).items()
        if path != "manifest.csv"
    ]
    assert len(set(files)) == len(files) == 24


@pytest.mark.parametrize(("device", "study"), [("mixed", "phone_exercises"), ("metabase", "imu_exercises")])
def test_the_manifest_names_every_file_and_fits_the_study(tmp_path: Path, device: str, study: str) -> None:
    contract = find_study(study)
    spec = CohortSpec(people=1, sets_per_exercise=2, seconds=4, device=device)
    delivery = simulate_delivery(tmp_path, spec)
    lines = list(csv.DictReader(io.StringIO(delivery.manifest.read_text(encoding="utf-8"))))
    assert [line["path"] for line in lines] == list(delivery.files)
    assert contents(tmp_path).keys() == {*delivery.files, "manifest.csv"}
    assert all(re.fullmatch(contract.participants, line["participant"]) for line in lines)
    assert Counter(line["label"] for line in lines) == dict.fromkeys(contract.labels, 2 * (2 if device == "metabase" else 1))
    assert {line["placement"] for line in lines} == {"lower_back" if device == "metabase" else "front_pocket"}
    assert all(line["session"].startswith("clinic_a-2026-") and line["timezone"] for line in lines)


def test_a_delivery_with_dirt_is_taken_in_and_every_file_is_known_or_damaged(tmp_path: Path, home: Home) -> None:
    delivery = simulate_delivery(tmp_path / "delivery", DIRTY)
    receipt = deliver(delivery.folder, study=find_study("phone_exercises"), site="north", home=home)
    assert {file.path for file in receipt.files} == set(delivery.files)
    for path in delivery.files:
        reader = known_by_content(DeviceFile.at(delivery.folder / path))
        assert reader is not None and reader.name == "sensor_logger"


def test_both_kinds_of_phone_are_in_a_mixed_cohort(tmp_path: Path) -> None:
    delivery = simulate_delivery(tmp_path, replace(SPEC, device="mixed"))
    systems = {}
    for path in delivery.files:
        with zipfile.ZipFile(delivery.folder / path) as archive:
            systems[path.split("/")[0]] = archive.read("Metadata.csv").splitlines()[1].split(b",")[5]
    assert systems == {"P001": b"ios", "P002": b"android", "P003": b"ios"}


def test_a_folder_with_files_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="empty folder"):
        simulate_delivery(tmp_path, SPEC)
    assert contents(tmp_path) == {"mine.txt": b"precious"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "sundial"}, "device 'sundial' is not known"),
        ({"exercises": ("plank",)}, "exercise 'plank' is not known"),
        ({"people": 0}, "count from 1"),
        ({"seconds": 2.0}, "4 to 240"),
        ({"device": "metabase", "dirt": (Dirt("corrupt_zip"),)}, "needs a device that writes zips"),
        ({"people": 1, "dirt": (Dirt("copied_participant"),)}, "needs two people"),
        ({"dirt": (Dirt("gap", 1), Dirt("jitter", 1))}, "one piece of dirt"),
        ({"dirt": (Dirt("gap"),) * 7}, "one piece of dirt"),
        ({"dirt": (Dirt("gap", 6),)}, "numbered 0 to 5"),
    ],
)
def test_a_spec_that_cannot_be_made_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **change)


def test_recordings_of_a_person_never_overlap_however_long_they_may_be(tmp_path: Path) -> None:
    delivery = simulate_delivery(tmp_path, CohortSpec(people=1, sets_per_exercise=2, seconds=4))
    starts = sorted(datetime.strptime(path[-23:-4], "%Y-%m-%d_%H-%M-%S") for path in delivery.files)
    assert min(later - sooner for sooner, later in pairwise(starts)) > timedelta(seconds=240) and len(starts) == 8
