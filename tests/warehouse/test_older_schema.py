"""Tables from before their newest columns: read, shown and written on, with nothing where a file is older than a column."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.warehouse.rows import complete_row, make_rows, write_batch
from warehouse.errors import LakeError
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.publish import publish
from warehouse.schemas import TABLES, Column

NEW = ("sensor", "declared_unit", "still", "truncated", "corrected_unit")
#: Columns and whole tables that came later.
LATER = {"streams": NEW, "verdicts": ("decisions",), "files": ("left_out",), "annotations": ("mid_ns",)}
LATER_TABLES = ("gaps", "repairs", "checks", "fingerprints", "joint_angles", "squats", "pose_images")


@contextmanager
def _older(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The schemas as they were before those columns."""
    with monkeypatch.context() as patched:
        for name, later in LATER.items():
            columns = tuple(column for column in TABLES[name].columns if column.name not in later)
            patched.setitem(TABLES, name, dataclasses.replace(TABLES[name], columns=columns))
        yield


@pytest.fixture
def old(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with two published batches that an older version wrote."""
    with _older(monkeypatch):
        write_batch(home, "b1")
        write_batch(home, "b2")
        publish(home)
    return home


def _stream(home: Home, batch_id: str) -> None:
    rows = make_rows("streams", batch_id=batch_id, recording_id="r", stream="gyroscope", sensor="gyroscope", still=0.5)
    Lake(home).replace("streams", rows, where={"batch_id": batch_id})
    complete_row(home, batch_id)


def _ask(home: Home, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(home.warehouse), read_only=True) as reader:
        return reader.execute(sql).fetchall()


def test_rows_older_than_a_column_have_nothing_there_and_all_else_as_it_was(old: Home) -> None:
    read = Lake(old).read("streams", where={"batch_id": "b1"})
    assert read.schema == TABLES["streams"].schema
    assert {name for name in NEW if read[name].null_count == read.num_rows} == set(NEW)
    assert read["rate_hz"].to_pylist() == [50.0, 50.0]
    assert Lake(old).read("streams", where={"sensor": "gyroscope"}).num_rows == 0
    assert Lake(old).read_remembered("files")["left_out"].null_count == 4
    assert {name: Lake(old).read(name).num_rows for name in LATER_TABLES} == dict.fromkeys(LATER_TABLES, 0)


def test_the_warehouse_shows_batches_of_both_kinds_side_by_side(old: Home) -> None:
    publish(old)  # nothing was written since
    assert _ask(old, "SELECT batch_id, sensor, still, rate_hz FROM streams GROUP BY ALL ORDER BY 1") == [
        ("b1", None, None, 50.0),
        ("b2", None, None, 50.0),
    ]
    time.sleep(0.002)
    _stream(old, "b3")
    publish(old)
    _stream(old, "b0")
    publish(old)
    shown = _ask(old, "SELECT DISTINCT batch_id, sensor, still FROM streams ORDER BY 1")
    new = ("gyroscope", 0.5)
    assert shown == [("b0", *new), ("b1", None, None), ("b2", None, None), ("b3", *new)]
    assert [kind for _, kind, *_ in _ask(old, "DESCRIBE streams")] == [kind for _, kind, *_ in _described(old)]
    assert _ask(old, "SELECT count(*), count(decisions) FROM verdicts") == [(4, 0)]


def _described(home: Home) -> list[tuple[object, ...]]:
    fresh = Home.at(home.root.with_name("fresh"))
    publish(fresh)
    return _ask(fresh, "DESCRIBE streams")


def test_the_table_gets_its_columns_with_the_next_commit_and_other_readers_of_delta_see_them(old: Home) -> None:
    before = Lake(old).version("streams")
    _stream(old, "b2")
    assert Lake(old).version("streams") == before + 1  # type: ignore[operator]
    table = DeltaTable(str(old.lake / "streams"))
    assert {field.name for field in table.schema().fields} == {column.name for column in TABLES["streams"].columns}
    assert table.metadata().partition_columns == ["batch_id"]
    rows = pa.table(table.to_pyarrow_table())
    assert sorted(zip(rows["batch_id"].to_pylist(), rows["sensor"].to_pylist(), strict=True)) == [
        ("b1", None),
        ("b1", None),
        ("b2", "gyroscope"),
    ]
    assert Lake(old).read("streams", version=before, where={"batch_id": "b2"})["still"].to_pylist() == [None, None]


def test_files_of_today_are_no_more_opened_to_learn_their_columns(old: Home) -> None:
    for batch_id in ("b1", "b2"):
        _stream(old, batch_id)
    time.sleep(0.002)
    for batch_id in ("b1", "b2"):
        _stream(old, batch_id)
    version = Lake(old).table_version("streams")
    assert version is not None
    assert [file.narrow for file in version.files] == [False, False]


def test_an_erasure_reaches_rows_of_an_older_schema(old: Home) -> None:
    assert Lake(old).delete("streams", {"participant": "P001"}) == 4
    assert Lake(old).read("streams").num_rows == 0


def test_what_an_older_version_writes_between_is_understood_too(old: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _stream(old, "b3")
    with _older(monkeypatch):
        write_batch(old, "b4")
    publish(old)
    assert _ask(old, "SELECT DISTINCT batch_id, sensor FROM streams WHERE batch_id >= 'b3' ORDER BY 1") == [
        ("b3", "gyroscope"),
        ("b4", None),
    ]


def test_a_column_of_another_type_is_refused_and_nothing_is_changed(old: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    table = TABLES["streams"]
    retyped = [Column("rows", pa.string(), "as text") if column.name == "rows" else column for column in table.columns]
    before = Lake(old).version("streams")
    with monkeypatch.context() as patched:
        patched.setitem(TABLES, "streams", dataclasses.replace(table, columns=tuple(retyped)))
        for work in (lambda: Lake(old).read("streams"), lambda: _stream(old, "b1"), lambda: publish(old)):
            with pytest.raises(LakeError) as refused:
                work()
            assert refused.value.reasons[0].code == "column_retyped"
            assert "'rows'" in refused.value.reasons[0].sentence
    assert Lake(old).version("streams") == before
