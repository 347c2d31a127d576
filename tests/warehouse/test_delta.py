"""The log of a table: read once, then only what was added since, and understood by every other reader of Delta."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.warehouse.rows import make_rows
from warehouse import delta
from warehouse.errors import LakeError
from warehouse.home import Home
from warehouse.lake import Lake


def write(home: Home, batch_id: str, rows: int = 2) -> int:
    return Lake(home).replace("recordings", make_rows("recordings", rows, batch_id=batch_id), where={"batch_id": batch_id})


def rows_in(home: Home, batch_id: str) -> int:
    return Lake(home).read("recordings", where={"batch_id": batch_id}).num_rows


def of_the_library(home: Home) -> set[str]:
    return {uri.removeprefix("file://") for uri in DeltaTable(str(home.lake / "recordings")).file_uris()}


def test_other_readers_of_delta_see_the_same_files_at_every_version(home: Home) -> None:
    for number in range(45):
        write(home, f"b{number % 7}", rows=number % 3)
        assert of_the_library(home) == {str(path) for path, _ in Lake(home).parquet_files("recordings")}
    history = DeltaTable(str(home.lake / "recordings")).history()
    assert len(history) == Lake(home).version("recordings") + 1  # type: ignore[operator]


@pytest.mark.parametrize("happened", ["lost", "cut short", "empty"])
def test_a_process_that_starts_needs_no_checkpoint_to_know_every_file(home: Home, happened: str) -> None:
    for number in range(25):
        write(home, f"b{number % 9}", rows=1 + number % 3)
    expected, columns = of_the_library(home), delta._columns_in(DeltaTable(str(home.lake / "recordings")))
    (hint,) = (home.lake / "recordings" / "_delta_log").glob("_last_checkpoint")
    (checkpoint,) = (home.lake / "recordings" / "_delta_log").glob("*.checkpoint.parquet")
    for looked_at in (None, hint, checkpoint):
        if looked_at is not None and happened == "lost":
            looked_at.unlink()
        elif looked_at is not None:
            looked_at.write_bytes(looked_at.read_bytes()[:10] if happened == "cut short" else b"")
        delta._newest.cache_clear()
        assert {str(path) for path, _ in Lake(home).parquet_files("recordings")} == expected
        assert Lake(home).version("recordings") == 25
        seen = delta._newest(home.lake / "recordings").look([None])
        assert seen is not None and seen.columns == columns


def test_what_another_program_commits_is_seen(home: Home) -> None:
    for number in range(3):
        write(home, f"b{number}")
    DeltaTable(str(home.lake / "recordings")).delete("batch_id = 'b1'")
    assert [rows_in(home, f"b{number}") for number in range(3)] == [2, 0, 2]
    DeltaTable(str(home.lake / "recordings")).restore(3)
    assert [rows_in(home, f"b{number}") for number in range(3)] == [2, 2, 2]
    write(home, "b1", rows=1)
    assert rows_in(home, "b1") == 1


def test_a_commit_of_somebody_without_the_lock_makes_ours_fail_and_changes_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, "b1", rows=1)
    written = delta._write_commit

    def overtaken(target: Path, actions: object) -> None:
        DeltaTable(str(home.lake / "recordings")).delete("batch_id = 'b1'")
        written(target, actions)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(delta, "_write_commit", overtaken)
        with pytest.raises(LakeError, match="commit_conflict"):
            write(home, "b1", rows=2)
    assert rows_in(home, "b1") == 0
    assert not list((home.lake / "recordings" / "_delta_log").glob(".*"))
    write(home, "b1", rows=2)
    assert rows_in(home, "b1") == 2


def test_a_table_that_takes_the_place_of_another_is_read_anew(home: Home, tmp_path: Path) -> None:
    write(home, "b1")
    shutil.copytree(home.lake, tmp_path / "backup")
    write(home, "b2")
    assert rows_in(home, "b2") == 2
    shutil.rmtree(home.lake)
    shutil.copytree(tmp_path / "backup", home.lake)  # times of modification included
    assert (rows_in(home, "b1"), rows_in(home, "b2")) == (2, 0)
    shutil.rmtree(home.lake / "recordings")
    assert rows_in(home, "b1") == 0
    write(home, "b3")
    assert (rows_in(home, "b1"), rows_in(home, "b3")) == (0, 2)


def test_a_batch_reads_and_writes_without_going_through_the_files_of_others(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        write(home, f"b{number}")

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("every file of the table is looked at")

    monkeypatch.setattr(delta, "DeltaTable", refused)
    looked_at: list[str] = []
    made = delta.Log._file
    monkeypatch.setattr(delta.Log, "_file", lambda self, name, *rest: looked_at.append(name) or made(self, name, *rest))
    write(home, "b3", rows=1)
    assert rows_in(home, "b3") == 1
    assert {name.partition("/")[0] for name in looked_at} == {"batch_id=b3"}


def test_no_value_asked_for_finds_no_file(home: Home) -> None:
    write(home, "b1")
    assert Lake(home).read("recordings", where={"batch_id": []}).num_rows == 0
    assert Lake(home).parquet_files("recordings", where={"batch_id": ["b1", "b2"]})[0][1] == {"batch_id": "b1"}


def test_what_a_killed_writer_left_in_the_log_goes_with_the_next_purge(home: Home) -> None:
    write(home, "b1")
    left = home.lake / "recordings" / "_delta_log" / ".half.tmp"
    left.write_text("{")
    assert rows_in(home, "b1") == 2
    Lake(home).purge("recordings")
    assert not left.exists()
    assert rows_in(home, "b1") == 2


def test_a_table_read_again_and_again_opens_new_files_only(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(home)
    for number in range(4):
        write(home, f"b{number}")
    opened: list[str] = []
    read_files = Lake.read_files

    def counting(self: Lake, name: str, files: list[delta.LakeFile]) -> object:
        opened.extend(file.partition["batch_id"] for file in files)
        return read_files(self, name, files)

    monkeypatch.setattr(Lake, "read_files", counting)
    for expected in (["b0", "b1", "b2", "b3"], []):
        opened.clear()
        found = lake.read_remembered("recordings").sort_by([("batch_id", "ascending"), ("recording_id", "ascending")])
        assert opened == expected
        order = [("batch_id", "ascending"), ("recording_id", "ascending")]
        assert found.equals(lake.read("recordings").sort_by(order).combine_chunks())
    write(home, "b1", rows=3)
    Lake(home).replace("recordings", make_rows("recordings", 0), where={"batch_id": "b2"})
    opened.clear()
    assert lake.read_remembered("recordings").num_rows == lake.read("recordings").num_rows == 7
    assert opened == ["b1"]
