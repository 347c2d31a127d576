"""The list of tables: complete, documented, and what every room relies on."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from warehouse.schemas import TABLES, Table
from warehouse.sql_text import sql_type
from warehouse.views import PUBLICATION, SOURCES, analyst_views

_EVERY = [*TABLES.values(), PUBLICATION, SOURCES]
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@pytest.mark.parametrize("table", _EVERY, ids=lambda table: table.name)
def test_a_table_says_what_a_row_is_and_every_column_what_it_means(table: Table) -> None:
    said = [table.comment, *(column.comment for column in table.columns)]
    assert all(len(comment) > 3 and comment.endswith(".") for comment in said), said


@pytest.mark.parametrize("table", _EVERY, ids=lambda table: table.name)
def test_names_are_plain_and_no_column_is_there_twice(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert all(_NAME.fullmatch(name) for name in [table.name, *names])


@pytest.mark.parametrize("table", _EVERY, ids=lambda table: table.name)
def test_partition_columns_are_text_columns_of_the_table(table: Table) -> None:
    assert all(table.schema.field(column).type == pa.string() for column in table.partition_by)


@pytest.mark.parametrize("table", _EVERY, ids=lambda table: table.name)
def test_every_type_has_a_name_in_sql(table: Table) -> None:
    assert all(sql_type(column.type) for column in table.columns)


def test_times_in_nanoseconds_are_int64_and_instants_are_utc() -> None:
    for table in TABLES.values():
        for column in table.columns:
            if column.name.endswith("_ns"):
                assert column.type == pa.int64(), (table.name, column.name)
            if column.name.endswith("_at"):
                assert column.type == pa.timestamp("us", tz="UTC"), (table.name, column.name)


def test_numbers_with_a_unit_say_it() -> None:
    units = {"_hz": "Hz", "_s": "second", "_ns": "ns", "bytes": "byte"}
    for table in TABLES.values():
        for column in table.columns:
            for ending, unit in units.items():
                if column.name.endswith(ending):
                    assert unit in column.comment, (table.name, column.name)


def test_whatever_a_batch_writes_is_partitioned_by_it_and_a_training_likewise() -> None:
    for table in TABLES.values():
        names = {column.name for column in table.columns}
        if "batch_id" in names:
            assert table.partition_by == ("batch_id",), table.name
        if {"task", "fingerprint"} <= names:
            assert table.partition_by == ("task", "fingerprint"), table.name


def test_no_view_hides_a_table() -> None:
    assert {view.name for view in analyst_views()}.isdisjoint(table.name for table in _EVERY)
