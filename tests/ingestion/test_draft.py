"""Drafted manifests: participants and labels from paths, or from what readers tell of the device."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.draft import draft_manifest
from ingestion.manifest import read_manifest
from studies.loader import find_study
from studies.study import Study
from tests.ingestion.device_files import metabase_csv, metabase_name, phone, rocking, write
from warehouse.errors import DeliveryRefused, KinelakeError


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def export(path: Path, *, device: str, header: str = "version,device name,device id", name: str = "Phone") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Accelerometer.csv", "time,x,y,z\n")
        archive.writestr("Metadata.csv", f"{header}\n3,{name},{device}\n")


def test_a_draft_fills_columns_adds_fields_and_lists_what_does_not_fit(tmp_path: Path) -> None:
    for name in ("B-squat-heavy_1.csv", "A-bench-light_1.csv", "notes, and more.txt"):
        (tmp_path / name).write_text("x")
    drafted = draft_manifest(tmp_path, None, pattern="{participant}-{label}-{load}_*")
    assert drafted.splitlines() == [
        "path,participant,label,load",
        "A-bench-light_1.csv,A,bench,light",
        "B-squat-heavy_1.csv,B,squat,heavy",
        '"notes, and more.txt",,,',
    ]


def test_a_draft_lists_device_data_only(tmp_path: Path) -> None:
    for name in (
        "a.csv",
        "set/b.ZIP",
        "README.txt",
        "PROVENANCE.md",
        "manifest.csv",
        "photo.jpg",
        ".hidden.csv",
        ".git/x.csv",
        "._a.csv",
        "__MACOSX/a.csv",
        ".DS_Store",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [row["path"] for row in rows(draft_manifest(tmp_path, None))] == ["a.csv", "set/b.ZIP"]


def test_a_draft_of_a_zip_is_that_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "visit"
    export(folder / "squat" / "one.zip", device="serial-1")
    export(folder / "lunge" / "two.zip", device="serial-2")
    with zipfile.ZipFile(tmp_path / "visit.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*.zip"):
            archive.write(path, path.relative_to(folder))
    options = {"pattern": "{label}/*", "participant_from": "device"}
    drafted = draft_manifest(tmp_path / "visit.zip", None, **options)
    assert drafted == draft_manifest(folder, None, **options)
    first, second = rows(drafted)
    assert (first["label"], second["label"]) == ("lunge", "squat")
    assert first["participant"] != second["participant"]
    assert "serial" not in drafted


def test_one_device_is_one_participant_and_the_pattern_goes_first(tmp_path: Path) -> None:
    export(tmp_path / "a.zip", device="serial-1")
    export(tmp_path / "b.zip", device="serial-1")
    export(tmp_path / "P007-c.zip", device="serial-1")
    drafted = {row["path"]: row["participant"] for row in rows(draft_manifest(tmp_path, None, participant_from="device"))}
    assert len(set(drafted.values())) == 1
    drafted = {
        row["path"]: row["participant"]
        for row in rows(draft_manifest(tmp_path, None, pattern="{participant}-*", participant_from="device"))
    }
    assert drafted["P007-c.zip"] == "P007"
    assert drafted["a.zip"] == drafted["b.zip"] != "P007"


def test_a_device_without_an_id_and_a_broken_export_stay_empty_and_a_name_is_no_id(tmp_path: Path) -> None:
    export(tmp_path / "named.zip", device="", name="Galaxy")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    (tmp_path / "table.csv").write_text("x")
    drafted = {row["path"]: row["participant"] for row in rows(draft_manifest(tmp_path, None, participant_from="device"))}
    assert set(drafted.values()) == {""}


def test_loose_files_of_an_export_and_a_sensor_that_names_its_address_get_a_participant_too(tmp_path: Path) -> None:
    write(tmp_path / "day1", phone("ios"))
    write(tmp_path, {metabase_name(sensor): metabase_csv(rocking(5)) for sensor in ("Accelerometer", "Gravity")})
    drafted = rows(draft_manifest(tmp_path, None, participant_from="device"))
    phones = {row["participant"] for row in drafted if row["path"].startswith("day1/")}
    sensors = {row["participant"] for row in drafted if "MetaWear" in row["path"]}
    assert (len(phones), len(sensors), len(phones | sensors)) == (1, 1, 2)
    assert all(re.fullmatch(r"P[0-9a-f]{8}", participant) for participant in phones | sensors)


def test_a_pattern_that_fits_nothing_says_so_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "A_bench.csv").write_text("x")
    with pytest.raises(KinelakeError, match=r"pattern_fits_nothing.*'A_bench\.csv'"):
        draft_manifest(tmp_path, None, pattern="{participant}-{label}.csv")


def test_where_pickles_are_what_the_pattern_was_meant_for_their_conversion_is_named(tmp_path: Path) -> None:
    (tmp_path / "weights.npy").write_bytes(b"x")
    (tmp_path / "A-bench.pkl").write_bytes(b"x")
    with pytest.raises(KinelakeError, match=r"pattern_fits_nothing.*convert-pickles"):
        draft_manifest(tmp_path, None, pattern="{participant}-{label}.csv")


def test_drafts_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused, match="source_missing"):
        draft_manifest(tmp_path / "not there", None)
    with pytest.raises(DeliveryRefused, match="no_device_data"):
        draft_manifest(tmp_path, None)
    with pytest.raises(KinelakeError, match=r"participant_from_unknown.*did you mean 'device'"):
        draft_manifest(tmp_path, None, participant_from="devise")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abc ,;\"'é_-", min_size=1, max_size=8).map(str.strip).filter(lambda name: name.strip(".")), unique=True))
def test_a_draft_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("draft")
    paths = sorted(f"{name}.csv" for name in names if not name.startswith("._")) or ["a.csv"]
    for path in paths:
        (folder / path).write_text("x")
    drafted = draft_manifest(folder, None)
    assert [row["path"] for row in rows(drafted)] == paths
    filled = drafted.replace(",,\n", ",P1,squat\n").encode()
    assert [row.path for row in read_manifest(filled, name="m", present=paths).rows] == paths


@pytest.mark.real
def test_participant_label_and_load_come_out_of_the_barbell_file_names(real: Path) -> None:
    drafted = rows(draft_manifest(real / "metamotion_barbell" / "MetaMotion", find_study("barbell")))
    assert len(drafted) == 187
    assert {row["participant"] for row in drafted} == set("ABCDE")
    assert {row["label"] for row in drafted} == {"bench", "dead", "ohp", "rest", "row", "squat"}
    assert "heavy2-rpe8" in {row["load"] for row in drafted}
    zipped = rows(draft_manifest(real / "metamotion_barbell" / "MetaMotion.zip", find_study("barbell")))
    assert [{**row, "path": row["path"].removeprefix("MetaMotion/")} for row in zipped] == drafted


@pytest.mark.real
def test_phone_exports_get_a_participant_from_their_device_and_a_label_from_their_folder(real: Path) -> None:
    study = find_study("phone_activities")
    drafted = rows(draft_manifest(real / "sensor_logger" / "phones_a", study))
    assert len(drafted) == 38
    assert {row["label"] for row in drafted} == {"jumping", "standing", "still", "walking"}
    people = {row["participant"] for row in drafted}
    assert len(people) == 2
    assert all(len(person) == 9 and person[0] == "P" for person in people)


def _drafting(**manifest: object) -> Study:
    streams = {"accelerometer": {"unit": "m/s^2", "rate_hz": (1, 200)}}
    return Study(study="trial", title="t", participants=".*", labels=(), manifest=manifest, streams=streams)  # type: ignore[arg-type]


def test_the_first_pattern_that_fits_a_path_fills_its_row(tmp_path: Path) -> None:
    write(tmp_path, {"class1/s1_set2.csv": "x", "plain/s2_set1.csv": "x", "loose.csv": "x"})
    drafted = rows(draft_manifest(tmp_path, _drafting(pattern=["class{label}/{participant}_*", "{participant}_*"])))
    assert [(row["path"], row["participant"], row["label"]) for row in drafted] == [
        ("class1/s1_set2.csv", "s1", "1"),
        ("loose.csv", "", ""),
        ("plain/s2_set1.csv", "s2", ""),
    ]


def test_annotation_files_are_found_by_the_recordings_fields_and_are_no_rows_themselves(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"raw/s1_a.csv": "x", "raw/s1_b.csv": "x", "marks/s1/a.json": "{}", "marks/b.csv": "x", "marks/lonely.json": "{}"},
    )
    study = _drafting(
        pattern="raw/{participant}_{session}.csv", annotations=["marks/{participant}/{session}.json", "marks/{session}.csv"]
    )
    drafted = rows(draft_manifest(tmp_path, study))
    assert [(row["path"], row["annotations"]) for row in drafted] == [
        ("marks/lonely.json", ""),
        ("raw/s1_a.csv", "marks/s1/a.json"),
        ("raw/s1_b.csv", "marks/b.csv"),
    ]


def test_what_a_study_leaves_out_is_no_row_and_nobody_is_whom_it_says(tmp_path: Path) -> None:
    write(tmp_path, {"1/a.csv": "x", "merged/all.csv": "x", "2/merged/all.csv": "x"})
    drafted = rows(draft_manifest(tmp_path, _drafting(participant="unknown", leave_out=["merged/*"])))
    assert [(row["path"], row["participant"]) for row in drafted] == [("1/a.csv", "unknown")]


def test_a_folder_of_pickles_is_told_the_command_that_converts_them(tmp_path: Path) -> None:
    write(tmp_path, {"1/a.pckl": b"\x80\x04N."})
    with pytest.raises(DeliveryRefused, match="kinelake convert-pickles"):
        draft_manifest(tmp_path, None)
