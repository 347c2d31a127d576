"""Rows and old files leave the lake; everything else stays as it was."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.warehouse.rows import make_rows, write_batch
from warehouse.erasure import batches_that_mention, erase_rows, find_traces, purge, vacuum
from warehouse.errors import LakeError
from warehouse.home import Home
from warehouse.lake import Lake


def _streams(home: Home, batch_id: str, **columns: object) -> None:
    rows = make_rows("streams", 3, stream="accelerometer", recording_id=["a", "b", "c"], **columns)
    Lake(home).replace("streams", rows.drop_columns("batch_id"), where={"batch_id": batch_id})


def test_rows_are_deleted_and_the_others_keep_their_order(home: Home) -> None:
    _streams(home, "one", participant=["P1", "P2", None])
    assert Lake(home).delete("streams", {"participant": ["P1"]}) == 1
    assert Lake(home).read("streams", columns=["recording_id"])["recording_id"].to_pylist() == ["b", "c"]
    version = Lake(home).version("streams")
    assert Lake(home).delete("streams", {"participant": ["P1"]}) == 0
    assert Lake(home).version("streams") == version


def test_only_the_partitions_asked_for_are_touched(home: Home) -> None:
    for batch_id in ("one", "two"):
        _streams(home, batch_id, participant="P1")
    assert Lake(home).delete("streams", {"participant": "P1"}, where={"batch_id": ["one"]}) == 3
    assert Lake(home).partitions("streams") == [{"batch_id": "two"}]


def test_an_unknown_column_is_refused(home: Home) -> None:
    with pytest.raises(LakeError, match="participant"):
        Lake(home).delete("streams", {"partcipant": "P1"})


def test_a_purge_removes_old_and_orphaned_files_and_no_other(home: Home) -> None:
    for batch_id in ("one", "two"):
        _streams(home, batch_id, participant=["P1", "P2", "P3"])
        Lake(home).delete("streams", {"participant": "P1"}, where={"batch_id": batch_id})
    folder = home.lake / "streams" / "batch_id=one"
    (folder / "orphan.parquet").write_bytes(b"half")
    assert Lake(home).purge("streams", where={"batch_id": ["one"]}) == 2
    assert [path for path, values in Lake(home).parquet_files("streams") if values["batch_id"] == "one"] == list(folder.iterdir())
    assert len(list((home.lake / "streams" / "batch_id=two").iterdir())) == 2
    assert Lake(home).read("streams").num_rows == 4


def test_traces_are_the_own_recordings_and_those_of_others_with_the_same_values(home: Home) -> None:
    _streams(home, "one", participant=["P1", "P2", "P3"], value_hash=["h", "h", None])
    rows = make_rows("recordings", 3, recording_id=["a", "b", "c"], participant=["P1", "P2", "P3"])
    Lake(home).replace("recordings", rows.drop_columns("batch_id"), where={"batch_id": "one"})
    traces = find_traces("P1", batches=["one"], sha256=[], home=home)
    assert (traces.recordings, traces.also_under) == ({"a", "b"}, {"P2"})


def test_no_table_keeps_a_row_or_a_file_of_an_erased_participant(home: Home) -> None:
    write_batch(home, "one")
    write_batch(home, "two")
    erase_rows("P001", recordings=["one-0", "one-1"], sha256=["0" * 64], batches=["one"], home=home)
    purge(["one"], home)
    left = {path for path in home.lake.rglob("*.parquet") if "batch_id=one" in path.parts}
    assert {path.relative_to(home.lake).parts[0] for path in left} == {"batches"}
    assert Lake(home).read("samples").num_rows == 20


def test_what_other_peoples_verdicts_said_of_them_goes_from_the_history_too(home: Home) -> None:
    copy = {"code": "copy_of_other_participant", "sentence": "identical to those of recording gone of participant P1"}
    reasons = [[], [{**copy, "place": "", "remedy": ""}], []]
    rows = make_rows("verdict_history", 3, recording_id=["a", "b", "b"], participant="P2", number=[1, 1, 2], reasons=reasons)
    Lake(home).replace("verdict_history", rows.drop_columns("batch_id"), where={"batch_id": "one"})
    assert batches_that_mention("P1", ["gone"], batches=["one", "two"], home=home) == {"one"}
    erase_rows("P1", recordings=["gone"], sha256=[], batches=["one"], home=home)
    left = Lake(home).read("verdict_history", columns=["recording_id", "number"]).to_pylist()
    assert left == [{"recording_id": "a", "number": 1}, {"recording_id": "b", "number": 2}]


@pytest.mark.parametrize(("sentence", "named"), [("squat only by participant P1: a model", True), ("P11 and P1_2", False)])
def test_a_batch_whose_checks_name_the_participant_is_touched(home: Home, sentence: str, named: bool) -> None:
    rows = make_rows("checks", 1, level="study", check_name="confounding", sentence=sentence, figures="{}")
    Lake(home).replace("checks", rows.drop_columns("batch_id"), where={"batch_id": "one"})
    assert batches_that_mention("P1", [], batches=["one"], home=home) == ({"one"} if named else set())


def test_a_correction_that_made_a_recording_theirs_for_a_while_goes_and_no_other(home: Home) -> None:
    recordings = make_rows("recordings", 1, recording_id=["a"], participant="P2", study="trial")
    Lake(home).replace("recordings", recordings.drop_columns("batch_id"), where={"batch_id": "one"})
    columns = {"correction_id": ["1", "2", "3"], "recording_id": ["a", "a", "elsewhere"], "value": ["P1", "P2", "P1"]}
    Lake(home).append("corrections", make_rows("corrections", 3, field="participant", **columns))
    erase_rows("P1", recordings=[], sha256=[], batches=["one"], home=home)
    assert sorted(Lake(home).read("corrections")["correction_id"].to_pylist()) == ["2", "3"]


def test_a_deleted_row_is_not_in_the_file_after_a_vacuum(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("CREATE TABLE t (text TEXT)")
        database.execute("INSERT INTO t VALUES ('somebody')")
        database.commit()
        database.execute("DELETE FROM t")
    database.close()
    assert b"somebody" in path.read_bytes()
    vacuum(path)
    assert b"somebody" not in path.read_bytes()
