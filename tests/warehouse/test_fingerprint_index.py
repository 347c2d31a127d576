"""What is looked up is what the lake holds now, whatever happened to the index, and its cost does not grow with the lake."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.warehouse.rows import make_rows
from warehouse.erasure import erase_rows
from warehouse.fingerprint_index import MOST_COMMON, FingerprintIndex
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.study_index import open_index

_STUDY = "trial"


def read_in(
    home: Home, batch_id: str, marks: dict[str, list[int]], *, study: str = _STUDY, value_hash: str | None = None
) -> None:
    """Write what reading a batch writes of it: recordings with one accelerometer each, by their marks."""
    ids, lake, where = list(marks), Lake(home), {"batch_id": batch_id}
    known = {"recording_id": ids, "participant": [name[:2] for name in ids]}
    lake.replace("recordings", make_rows("recordings", len(ids), batch_id=batch_id, study=study, **known), where=where)
    streams = make_rows("streams", len(ids), batch_id=batch_id, stream="accelerometer", rows=99, value_hash=value_hash, **known)
    lake.replace("streams", streams, where=where)
    rows = [(name, position, mark) for name, of_recording in marks.items() for position, mark in enumerate(of_recording)]
    columns = {
        "recording_id": [name for name, _, _ in rows],
        "participant": [name[:2] for name, _, _ in rows],
        "position": [position for _, position, _ in rows],
        "hash": [mark for _, _, mark in rows],
    }
    table = make_rows("fingerprints", len(rows), batch_id=batch_id, stream="accelerometer", **columns)
    lake.replace("fingerprints", table, where=where)


def shared(home: Home, batch_id: str) -> set[tuple[str, str, int, int]]:
    with open_index(FingerprintIndex, _STUDY, home=home) as index:
        found = index.same_marks(batch_id)
        keys = index.keys(sorted({*found.own.tolist(), *found.other.tolist()}))
        columns = (found.own, found.other, found.own_position, found.other_position)
        return {
            (keys[own].recording_id, keys[other].recording_id, here, there)
            for own, other, here, there in zip(*(column.tolist() for column in columns), strict=True)
        }


def damaged(home: Home) -> None:
    (home.index / f"{_STUDY}.sqlite").write_bytes(b"SQLite format 3\x00" + b"no database" * 500)


def of_an_earlier_layout(home: Home) -> None:
    with closing(sqlite3.connect(home.index / f"{_STUDY}.sqlite")) as database:
        database.executescript("DROP TABLE marks; PRAGMA user_version = 0;")


def deleted(home: Home) -> None:
    (home.index / f"{_STUDY}.sqlite").unlink()


def emptied(home: Home) -> None:
    (home.index / f"{_STUDY}.sqlite").write_bytes(b"")


def test_marks_in_common_are_found_across_batches_and_inside_one_with_their_places(home: Home) -> None:
    read_in(home, "one", {"P1-a": [7, 8, -9]})
    read_in(home, "two", {"P2-b": [1, 8], "P2-c": [2, 3, 1]})
    assert shared(home, "two") == {
        ("P2-b", "P1-a", 1, 1),
        ("P2-b", "P2-c", 0, 2),
        ("P2-c", "P2-b", 2, 0),
    }


@pytest.mark.parametrize("happened", [deleted, damaged, emptied, of_an_earlier_layout])
def test_an_index_that_is_lost_or_unusable_is_made_anew(home: Home, happened: object) -> None:
    read_in(home, "one", {"P1-a": [7, 8]})
    read_in(home, "two", {"P2-b": [7]})
    before = shared(home, "two")
    assert before
    happened(home)  # type: ignore[operator]
    assert shared(home, "two") == before


def test_a_batch_that_is_read_again_replaces_what_was_known_of_it(home: Home) -> None:
    read_in(home, "one", {"P1-a": [7, 8]})
    read_in(home, "two", {"P2-b": [7]})
    assert shared(home, "two")
    read_in(home, "one", {"P1-a": [8]})
    assert shared(home, "two") == set()


def test_another_study_is_not_looked_at(home: Home) -> None:
    read_in(home, "one", {"P1-a": [7]}, study="other", value_hash="v")
    read_in(home, "two", {"P2-b": [7]}, value_hash="v")
    assert shared(home, "two") == set()
    with open_index(FingerprintIndex, _STUDY, home=home) as index:
        assert index.same_values("two") == []


def test_equal_values_are_found_whether_or_not_there_are_marks(home: Home) -> None:
    read_in(home, "one", {"P1-a": []}, value_hash="v")
    read_in(home, "two", {"P2-b": [7]}, value_hash="v")
    with open_index(FingerprintIndex, _STUDY, home=home) as index:
        ((own, other),) = index.same_values("two")
        keys = index.keys([own, other])
    assert (keys[own].recording_id, keys[other].recording_id) == ("P2-b", "P1-a")


def test_a_mark_that_very_many_streams_have_is_passed_over_and_the_others_are_not(home: Home) -> None:
    read_in(home, "many", {f"P1-{number}": [5] for number in range(MOST_COMMON)})
    read_in(home, "one", {"P2-a": [6]})
    read_in(home, "two", {"P3-b": [5, 6]})
    assert shared(home, "two") == {("P3-b", "P2-a", 1, 0)}


def test_a_lake_that_was_read_before_there_were_fingerprints_is_searched_by_value(home: Home) -> None:
    for batch_id, name in (("one", "P1-a"), ("two", "P2-b")):
        rows = make_rows("recordings", recording_id=name, study=_STUDY)
        Lake(home).replace("recordings", rows.drop_columns("batch_id"), where={"batch_id": batch_id})
        rows = make_rows("streams", recording_id=name, stream="gyroscope", rows=9, value_hash="v")
        Lake(home).replace("streams", rows.drop_columns("batch_id"), where={"batch_id": batch_id})
    assert shared(home, "two") == set()
    with open_index(FingerprintIndex, _STUDY, home=home) as index:
        assert len(index.same_values("two")) == 1


def test_no_byte_of_an_erased_participant_stays_in_the_file(home: Home) -> None:
    read_in(home, "one", {"P1-secret": [7, 8], "P2-stays": [7]})
    read_in(home, "two", {"P3-b": [7]})
    assert len(shared(home, "two")) == 2
    path = home.index / f"{_STUDY}.sqlite"
    assert b"P1-secret" in path.read_bytes()
    erase_rows("P1", recordings=["P1-secret"], sha256=[], batches=["one"], home=home)
    assert b"P1-secret" not in path.read_bytes() and list(home.index.iterdir()) == [path]
    assert shared(home, "two") == {("P3-b", "P2-stays", 0, 0)}
