"""A delivered batch becomes rows of the lake: once, whatever is read again, and whatever is wrong with a file of it."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from ingestion.batch import read_batch, read_file
from ingestion.receipt import DeliveredFile, Receipt
from ingestion.vault import Vault
from studies.study import Study
from tests.ingestion.device_files import START_MS, G, metabase_csv, metabase_name, phone, rocking, write, zipped
from warehouse.errors import KinelakeError, UnreadableFile
from warehouse.home import Home
from warehouse.lake import Lake

ACCELEROMETER, GYROSCOPE = metabase_name(), metabase_name("Gyroscope", rate="100.000")
TABLES = ("files", "recordings", "streams", "samples", "fingerprints", "gaps", "repairs", "annotations", "findings")


@pytest.fixture
def study() -> Study:
    return Study(
        study="imu",
        title="t",
        participants="P.*",
        labels={"squat": ("squats",)},
        streams={"accelerometer": {"unit": "m/s^2", "rate_hz": (1, 200)}},
    )


def pair(seed: int = 0) -> dict[str, str | bytes]:
    return {
        ACCELEROMETER: metabase_csv(rocking(100, seed=seed)),
        GYROSCOPE: metabase_csv(rocking(200, seed=seed + 1) * 50, unit="deg/s", step_ms=10),
    }


def delivered(home: Home, files: dict[str, str | bytes], *, batch_id: str = "b1", **columns: object) -> Receipt:
    """Put files into the vault and write the receipt that a delivery would have."""
    rows = []
    for path, content in files.items():
        stored = Vault(home).put(io.BytesIO(content.encode() if isinstance(content, str) else content))
        said: dict[str, object] = {"participant": "P001", "label": "squats", **columns}
        rows.append(DeliveredFile(path=path, sha256=stored.sha256, bytes=stored.bytes, **said))  # type: ignore[arg-type]
    return Receipt(batch_id, "imu", "clinic", datetime(2026, 1, 1, tzinfo=UTC), "0" * 64, tuple(rows))


def rows(home: Home, table: str, **where: str) -> list[dict[str, object]]:
    return Lake(home).read(table, where=where or None).to_pylist()


def test_a_recording_of_two_files_is_in_every_table(home, study):
    receipt = delivered(home, pair(), session="s1", placement="back", attributes={"load": "heavy"}, timezone="Europe/Paris")
    summary = read_batch(receipt, study, home)
    assert (summary.files, summary.recordings, summary.streams, summary.samples, summary.findings) == (2, 1, 2, 300, 0)
    (recording,) = rows(home, "recordings")
    assert recording["recording_id"][0] == "r"
    assert len(recording["recording_id"]) == 16
    assert {key: recording[key] for key in ("study", "site", "participant", "session", "placement", "format", "label")} == {
        "study": "imu",
        "site": "clinic",
        "participant": "P001",
        "session": "s1",
        "placement": "back",
        "format": "metabase",
        "label": "squat",
    }
    assert recording["label_as_delivered"] == "squats"
    assert len(recording["device"]) == 16
    assert recording["started_at"] == datetime.fromtimestamp(START_MS / 1000, UTC)
    assert recording["duration_s"] == pytest.approx(1.99)
    assert json.loads(recording["attributes"]) == {"load": "heavy", "timezone": "Europe/Paris", "app_version": "1.7.3"}
    assert {row["stream"]: (row["unit"], row["rows"], row["rate_hz"]) for row in rows(home, "streams")} == {
        "accelerometer": ("m/s^2", 100, 50.0),
        "gyroscope": ("rad/s", 200, 100.0),
    }
    assert [(row["path"], row["state"], row["reason"], row["format"]) for row in rows(home, "files")] == [
        (ACCELEROMETER, "read", None, "metabase"),
        (GYROSCOPE, "read", None, "metabase"),
    ]


def test_samples_are_sorted_by_recording_stream_and_time(home, study):
    files = {**pair(), "walk.zip": zipped(phone("ios")), "run.zip": zipped(phone("android"))}
    read_batch(delivered(home, files), study, home)
    samples = Lake(home).read("samples")
    keys = list(zip(*(samples[name].to_pylist() for name in ("recording_id", "stream", "t_ns")), strict=True))
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys) == 300 + 4 * 200 * 2
    values = samples.filter(pc.field("stream") == "accelerometer").select(["x", "y", "z"])
    norms = np.linalg.norm(np.column_stack([column.to_numpy() for column in values.columns]), axis=1)
    assert np.median(norms) == pytest.approx(G, abs=0.1)


def test_samples_do_not_depend_on_how_they_are_cut_into_blocks(home, study, monkeypatch):
    receipt = delivered(home, {**pair(), "walk.zip": zipped(phone("ios"))})
    read_batch(receipt, study, home)
    whole = rows(home, "samples")
    monkeypatch.setattr("ingestion.rows.BLOCK_ROWS", 70)
    read_batch(receipt, study, home)
    assert rows(home, "samples") == whole


def test_reading_again_changes_nothing(home, study):
    receipt = delivered(home, {**pair(), "notes.txt": "hello"})
    read_batch(receipt, study, home)
    first = {table: rows(home, table) for table in TABLES}
    assert read_batch(receipt, study, home).recordings == 2
    assert {table: rows(home, table) for table in TABLES} == first


def test_a_batch_leaves_the_rows_of_others_alone(home, study):
    read_batch(delivered(home, pair()), study, home)
    first = {table: rows(home, table, batch_id="b1") for table in TABLES}
    read_batch(delivered(home, pair(), batch_id="b2"), study, home)
    assert {table: rows(home, table, batch_id="b1") for table in TABLES} == first
    assert len({row["recording_id"] for row in rows(home, "recordings")}) == 2


def test_a_copy_with_another_clock_and_another_name_has_the_same_value_hash(home, study):
    later = metabase_csv(rocking(100), start_ms=START_MS + 86_400_000)
    read_batch(delivered(home, {ACCELEROMETER: pair()[ACCELEROMETER], "copy.csv": later}), study, home)
    original, copy = rows(home, "recordings")
    assert original["value_hash"] is not None
    assert original["value_hash"] == copy["value_hash"]
    assert original["started_at"] != copy["started_at"]


def test_a_label_outside_the_schema_is_kept_as_delivered(home, study):
    read_batch(delivered(home, pair(), label="Handstand"), study, home)
    (recording,) = rows(home, "recordings")
    assert (recording["label"], recording["label_as_delivered"]) == ("Handstand", "Handstand")


def test_the_manifests_device_goes_before_the_one_in_the_file(home, study):
    read_batch(delivered(home, pair(), device="sensor-7"), study, home)
    assert rows(home, "recordings")[0]["device"] == "sensor-7"


@pytest.mark.parametrize(
    ("name", "content", "code", "format_"),
    [
        ("notes.txt", "hello", "format_unknown", None),
        ("walk.csv", "", "file_empty", None),
        ("walk.zip", b"PK\x03\x04 and no more", "format_unknown", None),
        ("walk.zip", zipped(phone("ios"))[:-30], "zip_truncated", "sensor_logger"),
        ("walk.csv", metabase_csv(rocking(5)) + "1,2\n" * 2, "csv_row_ragged", "metabase"),
        ("walk.csv", metabase_csv(rocking(0)), "csv_no_rows", "metabase"),
    ],
)
def test_a_file_that_cannot_be_read_is_set_aside_and_still_a_recording(home, study, name, content, code, format_):
    summary = read_batch(delivered(home, {**pair(), name: content}), study, home)
    assert (summary.recordings, summary.samples) == (2, 300)
    (file,) = rows(home, "files", path=name)
    assert (file["state"], file["reason"], file["format"]) == ("set_aside", code, format_)
    (finding,) = rows(home, "findings")
    assert (finding["path"], finding["severity"], finding["code"]) == (name, "error", code)
    assert finding["sentence"]
    assert finding["remedy"]
    (recording,) = rows(home, "recordings", recording_id=str(file["recording_id"]))
    assert (recording["started_at"], recording["duration_s"], recording["value_hash"]) == (None, None, None)


def test_findings_name_the_file_that_they_are_about(home, study):
    files = {**pair(), GYROSCOPE: metabase_csv(rocking(50), unit="deg/s") + "oops\n" * 2}
    read_batch(delivered(home, files), study, home)
    (finding,) = rows(home, "findings")
    assert (finding["path"], finding["place"]) == (GYROSCOPE, f"{GYROSCOPE} row 52")
    assert [row["state"] for row in rows(home, "files")] == ["read", "set_aside"]


def test_members_of_a_zip_that_were_left_out_are_counted(home, study):
    read_batch(delivered(home, {"walk.zip": zipped({**phone("ios"), "Location.csv": "x", "Camera/1.jpg": "y"})}), study, home)
    (file,) = rows(home, "files")
    assert (file["state"], file["left_out"]) == ("read", 2)


def _swapped(text: str, *rows_: int) -> str:
    """Return a CSV in which each of these lines (the header is 1) has changed places with the next."""
    lines = text.splitlines(keepends=True)
    for row in rows_:
        lines[row - 1], lines[row] = lines[row], lines[row - 1]
    return "".join(lines)


@pytest.mark.parametrize(("swaps", "severity"), [((40,), "warning"), ((10, 20, 30), "error")])
def test_time_going_backwards_is_sorted_and_said_and_more_than_a_hundredth_is_an_error(home, study, swaps, severity):
    text = metabase_csv(rocking(201))
    read_batch(delivered(home, {"walk.csv": _swapped(text, *swaps)}), study, home)
    (finding,) = rows(home, "findings")
    assert (finding["code"], finding["severity"]) == ("time_backwards", severity)
    assert finding["place"] == f"walk.csv row {swaps[0] + 1}"
    assert rows(home, "streams")[0]["out_of_order"] == len(swaps)
    times = Lake(home).read("samples")["t_ns"].to_numpy()
    assert (np.diff(times) == 20_000_000).all()


def test_a_clock_that_is_set_back_is_an_error_though_it_steps_back_only_once(home, study):
    first, second = metabase_csv(rocking(100)), metabase_csv(rocking(100)).splitlines(keepends=True)[41:]
    changed = "".join(line.replace(",0.", ",1.") for line in second)
    read_batch(delivered(home, {"walk.csv": first + changed}), study, home)
    found = {finding["code"]: finding["severity"] for finding in rows(home, "findings")}
    assert found["time_backwards"] == "error"


def test_repeated_time_stamps_are_dropped_and_counted(home, study):
    lines = metabase_csv(rocking(100)).splitlines(keepends=True)
    read_batch(delivered(home, {"walk.csv": "".join([*lines, *lines[-30:]])}), study, home)
    found = {row["code"]: row["severity"] for row in rows(home, "findings")}
    assert found == {"time_backwards": "warning", "time_duplicates": "note"}
    (stream,) = rows(home, "streams")
    assert (stream["rows"], stream["duplicates"]) == (130, 30)
    assert len(rows(home, "samples")) == 100


def test_annotations_reach_their_table(home, study):
    annotations = "time,seconds_elapsed,text,millisecond_press_duration\n1700000001000000000,1,<b>up</b>,90\n"
    read_batch(delivered(home, {"walk.zip": zipped({**phone("ios"), "Annotation.csv": annotations})}), study, home)
    (row,) = rows(home, "annotations")
    assert (row["start_ns"], row["label"], row["source"]) == (1_700_000_001_000_000_000, "<b>up</b>", "walk.zip::Annotation.csv")


@pytest.mark.parametrize(
    ("damage", "code"), [(Path.unlink, "vault_file_missing"), (lambda path: path.write_bytes(b"x"), "vault_damaged")]
)
def test_bytes_that_the_vault_lost_stop_the_reading_and_change_no_row(home, study, damage, code):
    receipt = delivered(home, pair())
    read_batch(receipt, study, home)
    before = {table: rows(home, table) for table in TABLES}
    path = Vault(home).path(receipt.files[0].sha256)
    path.chmod(0o644)
    damage(path)
    with pytest.raises(KinelakeError) as caught:
        read_batch(receipt, study, home)
    assert caught.value.reasons[0].code == code
    assert {table: rows(home, table) for table in TABLES} == before


def test_a_file_is_read_together_with_the_sibling_that_belongs_to_it(tmp_path):
    folder = write(tmp_path, {**pair(), metabase_name(who="P002-squat-1"): metabase_csv(rocking(9)), "notes.txt": "x"})
    reading = read_file(folder / GYROSCOPE)
    assert {stream.name: len(stream.t_ns) for stream in reading.streams} == {"accelerometer": 100, "gyroscope": 200}


def test_a_zip_or_a_folder_is_read_outside_any_batch_with_its_times_in_order(tmp_path):
    write(tmp_path, {"walk.zip": zipped(phone("ios"))})
    loose = write(tmp_path / "walk", phone("android"))
    (loose / "Gyroscope.csv").write_text(_swapped((loose / "Gyroscope.csv").read_text(), 40))
    for path in (tmp_path / "walk.zip", loose, loose / "Gyroscope.csv"):
        streams = read_file(path).streams
        assert len(streams) == 4
        assert all((np.diff(stream.t_ns) > 0).all() for stream in streams)


def test_what_cannot_be_read_outside_a_batch_says_why(tmp_path):
    write(tmp_path, {**pair(), metabase_name(who="P002-squat-1"): metabase_csv(rocking(9)), "a/notes.txt": "x"})
    write(tmp_path, {"b/walk.csv": metabase_csv(rocking(0))})
    for path, code in (
        (".", "several_recordings"),
        ("a/notes.txt", "format_unknown"),
        ("a", "format_unknown"),
        ("b", "csv_no_rows"),
        ("c.zip", "file_missing"),
    ):
        with pytest.raises(UnreadableFile) as caught:
            read_file(tmp_path / path)
        assert caught.value.reasons[0].code == code


@pytest.mark.real
def test_the_real_files_become_their_recordings(home, study, real):
    paths = sorted((real / "metamotion_barbell" / "MetaMotion").glob("*.csv"))
    vault, files = Vault(home), []
    for path in paths:
        participant, label, *_ = path.name.split("-")
        with path.open("rb") as stream:
            stored = vault.put(stream)
        files.append(DeliveredFile(path.name, stored.sha256, stored.bytes, participant, label=label))
    summary = read_batch(Receipt("real", "imu", "x", datetime.now(UTC), "0" * 64, tuple(files)), study, home)
    assert (summary.files, summary.recordings, summary.streams) == (187, 94, 187)
    recordings = rows(home, "recordings")
    assert Counter(row["participant"] for row in recordings)["E"] == 30
    streams = rows(home, "streams")
    assert len({row["value_hash"] for row in streams if row["stream"] == "accelerometer"}) == 59
    assert sum(row["rows"] for row in streams) == summary.samples == len(Lake(home).read("samples", columns=["t_ns"]))


def test_every_repair_is_a_row_that_says_what_was_done_to_which_stream(home, study):
    resting = rocking(200) * [200, 200, 1000]  # the header says g, the numbers are milli-g
    lines = metabase_csv(resting).splitlines(keepends=True)
    text = "".join([*lines, *lines[-88:], "17000000"])
    read_batch(delivered(home, {"walk.csv": text}), study, home)
    found = {str(row["kind"]): row for row in rows(home, "repairs")}
    expected = {"tail_cut": 1, "sorted": 87, "replay_removed": 88, "unit_inferred": 200}
    assert {kind: row["rows"] for kind, row in found.items()} == {**expected, "unit_converted": 288}
    assert all(
        (row["stream"], row["participant"], row["source"]) == ("accelerometer", "P001", "walk.csv") for row in found.values()
    )
    assert all(row["sentence"] for row in found.values())
    (stream,) = rows(home, "streams")
    assert (stream["declared_unit"], stream["unit"], stream["truncated"]) == ("g", "m/s^2", True)
    assert stream["norm_median"] == pytest.approx(G, rel=0.02)


def test_a_clean_recording_has_no_repairs_and_no_gaps(home, study):
    read_batch(delivered(home, {"walk.zip": zipped(phone("android"))}), study, home)
    assert (rows(home, "repairs"), rows(home, "gaps")) == ([], [])
    for stream in rows(home, "streams"):
        assert (stream["sensor"], stream["placement"], stream["truncated"]) == (stream["stream"], None, False)


def test_gaps_are_rows_as_many_as_the_stream_counts(home, study):
    lines = metabase_csv(rocking(200)).splitlines(keepends=True)
    read_batch(delivered(home, {"walk.csv": "".join([*lines[:50], *lines[60:120], *lines[125:]])}), study, home)
    (stream,) = rows(home, "streams")
    found = rows(home, "gaps")
    assert (stream["gaps"], [row["missing"] for row in found]) == (2, [10, 5])
    assert {(row["recording_id"], row["participant"], row["stream"]) for row in found} == {
        (stream["recording_id"], "P001", "accelerometer")
    }


def test_whole_seconds_are_refined_and_no_reading_is_lost(home, study):
    lines = metabase_csv(rocking(500)).splitlines(keepends=True)
    coarse = [lines[0], *(f"{int(line[:13]) // 1000 * 1000}{line[13:]}" for line in lines[1:])]
    read_batch(delivered(home, {"walk.csv": "".join(coarse)}), study, home)
    assert len(rows(home, "samples")) == 500
    assert "sub_second_rebuilt" in {row["kind"] for row in rows(home, "repairs")}
    assert {row["code"]: row["severity"] for row in rows(home, "findings")} == {"time_coarse": "warning"}
    assert rows(home, "streams")[0]["rate_hz"] == pytest.approx(50, rel=0.01)


def test_a_spooled_recording_is_the_same_rows_in_the_lake_and_leaves_no_file(home, study, monkeypatch):
    lines = metabase_csv(rocking(300)).splitlines(keepends=True)
    receipt = delivered(home, {"walk.csv": "".join([*lines, *lines[100:180]]), "walk.zip": zipped(phone("ios"))})
    read_batch(receipt, study, home)
    in_memory = {table: rows(home, table) for table in TABLES}
    for name, value in {
        "readers.csv_columns.SPOOLED_FROM_BYTES": 100,
        "spool.BLOCK_ROWS": 64,
        "order.RUN_ROWS": 90,
        "order._SAMPLED": 4,
        "rows.BLOCK_ROWS": 70,
    }.items():
        monkeypatch.setattr(f"ingestion.{name}", value)
    read_batch(receipt, study, home)
    for table in TABLES:
        for new, old in zip(rows(home, table), in_memory[table], strict=True):
            assert new == pytest.approx(old) if table == "streams" else new == old
    assert list(home.scratch.iterdir()) == []


def marked(home: Home, marks: dict[str, str | bytes], **columns: object) -> Receipt:
    """Deliver a pair whose accelerometer's row names the annotation file, which lies beside it."""
    receipt = delivered(home, {**pair(), **marks})
    said = [replace(file, annotations=columns.get(file.path)) for file in receipt.files]  # type: ignore[arg-type]
    return replace(receipt, files=tuple(said))


def test_a_file_that_the_manifest_names_as_annotations_belongs_to_its_recording_and_is_none(home, study):
    marks = {"labels/one.csv": "start,end,label\n0.5,1.5,squats\n"}
    summary = read_batch(marked(home, marks, **{ACCELEROMETER: "labels/one.csv"}), study, home)
    assert (summary.recordings, summary.files, summary.findings) == (1, 3, 0)
    (annotation,) = rows(home, "annotations")
    assert annotation["label"] == "squats"
    assert annotation["end_ns"] - annotation["start_ns"] == 1_000_000_000
    (file,) = rows(home, "files", path="labels/one.csv")
    assert (file["format"], file["state"]) == ("annotations", "read")
    assert file["recording_id"] == annotation["recording_id"] == rows(home, "recordings")[0]["recording_id"]


def test_an_annotation_file_that_two_recordings_share_has_one_row_and_marks_both(home, study):
    other = metabase_name(who="P001-squat-2")
    marks = {other: metabase_csv(rocking(100, seed=7)), "marks.csv": "start,end,label\n0.5,1.5,squat\n"}
    summary = read_batch(marked(home, marks, **{ACCELEROMETER: "marks.csv", other: "marks.csv"}), study, home)
    assert (summary.recordings, summary.files) == (2, 4)
    assert len({row["recording_id"] for row in rows(home, "annotations")}) == 2


def test_a_broken_annotation_file_is_told_in_its_own_place_and_sets_its_recording_aside(home, study):
    summary = read_batch(marked(home, {"marks.json": "{"}, **{GYROSCOPE: "marks.json"}), study, home)
    assert (summary.recordings, summary.streams) == (1, 2)
    (finding,) = rows(home, "findings")
    assert (finding["code"], finding["severity"], finding["path"]) == ("annotations_not_read", "error", "marks.json")
    (file,) = rows(home, "files", path="marks.json")
    assert (file["state"], file["reason"]) == ("set_aside", "annotations_not_read")


def test_annotations_of_a_recording_that_cannot_be_read_are_a_file_of_it(home, study):
    receipt = delivered(home, {ACCELEROMETER: "epoch (ms),x-axis (g)\n", "marks.csv": "start,end,label\n0,1,squat\n"})
    files = tuple(replace(file, annotations="marks.csv") if file.path == ACCELEROMETER else file for file in receipt.files)
    summary = read_batch(replace(receipt, files=files), study, home)
    assert (summary.recordings, summary.files) == (1, 2)
    assert rows(home, "annotations") == []


@pytest.mark.parametrize(("ahead_h", "told"), [(24 * 365, True), (13, False), (-24, False)])
def test_a_clock_that_is_ahead_of_the_batch_is_told_and_a_local_time_is_not(home, study, ahead_h, told):
    receipt = delivered(home, {"walk.csv": metabase_csv(rocking(100))})
    recorded = datetime.fromtimestamp(START_MS / 1000, UTC)
    read_batch(replace(receipt, received_at=recorded - timedelta(hours=ahead_h)), study, home)
    found = {row["code"]: row["severity"] for row in rows(home, "findings")}
    assert found == ({"time_in_future": "warning"} if told else {})
