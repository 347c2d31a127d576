"""Asking the warehouse: reading works, nothing else does, and every refusal is a sentence."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from tests.benchmarks.old_client import make_sample
from tests.warehouse.rows import write_batch
from warehouse.errors import QueryRefused
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.publish import publish
from warehouse.query import data_dictionary, query
from warehouse.schemas import TABLES


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A published home that no test here changes."""
    return make_sample(tmp_path_factory.mktemp("asked") / "it's a [home]")


def _refusal(home: Home, sql: str) -> str:
    with pytest.raises(QueryRefused) as refused:
        query(home, sql)
    (reason,) = refused.value.reasons
    assert "Traceback" not in str(reason)
    assert "\n" not in reason.sentence
    return str(reason)


# --- answers --------------------------------------------------------------------------------------------------------------


def test_bytes_that_are_no_text_are_refused(asked: Home) -> None:
    assert _refusal(asked, "SELECT '\udcc3('").startswith("not_text: ")


def test_an_answer_is_an_arrow_table_with_the_types_of_the_lake(asked: Home) -> None:
    answer = query(asked, "SELECT t_ns, x, received_at FROM samples JOIN batches USING (batch_id) LIMIT 3")
    assert answer.schema.types == [pa.int64(), pa.float32(), pa.timestamp("us", tz="UTC")]
    assert isinstance(answer.to_pylist()[0]["received_at"], datetime)


def test_lists_of_structs_come_back_as_such(asked: Home) -> None:
    (row,) = query(asked, "SELECT reasons FROM verdicts WHERE recording_id = 'b1-1'").to_pylist()
    assert [reason["code"] for reason in row["reasons"]] == ["gap", "label"]


def test_sums_of_whole_numbers_are_whole_numbers(asked: Home) -> None:
    answer = query(asked, "SELECT sum(rows) AS rows, count(*) AS streams FROM streams")
    assert answer.schema.types == [pa.int64(), pa.int64()]
    assert answer.to_pylist() == [{"rows": 40, "streams": 4}]


def test_a_sum_that_no_int64_holds_is_still_exact(asked: Home) -> None:
    assert int(query(asked, "SELECT sum(t_ns::HUGEINT * 1000) AS s FROM samples").to_pylist()[0]["s"]) == 40 * 10**21 + 180_000


def test_a_limit_gives_the_first_rows_only(asked: Home) -> None:
    assert query(asked, "SELECT * FROM range(1000000000)", limit=3)["range"].to_pylist() == [0, 1, 2]
    assert query(asked, "FROM samples", limit=0).num_rows == 0
    assert query(asked, "FROM batches", limit=99).num_rows == 2


@pytest.mark.parametrize(
    "sql",
    [
        "FROM batches",
        "TABLE batches",
        "VALUES (1)",
        "SELECT 1;",
        "-- why\nSELECT 1 -- because",
        "WITH b AS (FROM batches) FROM b",
        "DESCRIBE samples",
        "SHOW TABLES",
        "SUMMARIZE batches",
        "EXPLAIN SELECT 1",
        "/* how? */ explain analyze FROM batches",
        "PIVOT label_balance ON label IN ('squat') USING sum(recordings)",
        "SELECT json_extract_string(attributes, '$.load') FROM recordings",
        "SELECT * FROM samples ORDER BY x, y LIMIT 1",
    ],
)
def test_whatever_reads_is_answered(asked: Home, sql: str) -> None:
    assert query(asked, sql).num_rows > 0


def test_the_lakes_own_files_may_be_read(asked: Home) -> None:
    path, _ = Lake(asked).parquet_files("samples")[0]
    quoted = str(path).replace("'", "''").replace("[", "[[]")
    assert query(asked, f"SELECT count(*) AS n FROM read_parquet('{quoted}')").to_pylist() == [{"n": 20}]


def test_questions_at_once_and_during_a_publish_are_all_answered(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    answers: list[int] = []

    def ask() -> None:
        answers.extend(query(home, "SELECT count(*) AS n FROM samples").to_pylist()[0]["n"] for _ in range(5))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for _ in range(3):
        publish(home)
    for asker in askers:
        asker.join()
    assert answers == [20] * 15


# --- refusals -------------------------------------------------------------------------------------------------------------


def test_no_warehouse_yet_says_what_makes_one(home: Home) -> None:
    said = _refusal(home, "SELECT 1")
    assert said.startswith("warehouse_missing: there is no warehouse here yet")
    assert "'kinelake run' makes it" in said


def test_a_file_that_is_no_database_says_what_to_do(home: Home) -> None:
    home.warehouse.write_bytes(b"garbage" * 1000)
    said = _refusal(home, "SELECT 1")
    assert said.startswith("warehouse_unreadable: the warehouse cannot be opened")
    assert "remove the file" in said


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("DELETE FROM batches", "DELETE"),
        ("INSERT INTO batches SELECT * FROM batches", "INSERT"),
        ("UPDATE batches SET state = 'x'", "UPDATE"),
        ("CREATE TABLE t (a INT)", "CREATE"),
        ("CREATE TABLE memory.main.t (a INT)", "CREATE"),
        ("CREATE TEMP TABLE t AS FROM batches", "CREATE"),
        ("DROP TABLE batches", "DROP"),
        ("ALTER TABLE batches ADD COLUMN a INT", "ALTER"),
        ("COPY batches TO '{outside}'", "COPY"),
        ("EXPORT DATABASE '{outside}'", "EXPORT"),
        ("ATTACH '{outside}'", "ATTACH"),
        ("DETACH warehouse", "DETACH"),
        ("INSTALL httpfs", "LOAD"),
        ("LOAD httpfs", "LOAD"),
        ("SET threads = 1", "SET"),
        ("SET enable_external_access = true", "SET"),
        ("RESET allowed_directories", "SET"),
        ("USE memory", "SET"),
        ("PRAGMA enable_profiling", "PRAGMA"),
        ("CALL pragma_version()", "CALL"),
        ("BEGIN", "TRANSACTION"),
        ("PREPARE p AS DELETE FROM batches", "PREPARE"),
        ("VACUUM", "VACUUM"),
        ("CHECKPOINT", "CALL"),
        ("EXPLAIN ANALYZE COPY batches TO '{outside}'", "COPY"),
        ("EXPLAIN ANALYZE CREATE TABLE memory.main.t (a INT)", "CREATE"),
        ("/**/ explain\nanalyze -- x\n DELETE FROM batches", "DELETE"),
    ],
)
def test_whatever_does_more_than_read_is_refused_by_its_kind(asked: Home, tmp_path: Path, sql: str, kind: str) -> None:
    said = _refusal(asked, sql.format(outside=tmp_path / "outside"))
    assert said.startswith(f"not_read_only: {kind} is refused")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('{secret}')",
        "read_text('{secret}')",
        "read_blob('{secret}')",
        "read_json('{secret}')",
        "read_parquet('{secret}')",
        "parquet_metadata('{secret}')",
        "glob('{folder}/*')",
        "read_csv('{around}')",
        "read_csv('{folder}/*.csv')",
        "read_csv('file://{secret}')",
        "read_csv('https://127.0.0.1/x.csv')",
        "read_csv('/etc/passwd')",
        "read_csv('/proc/self/environ')",
        "'{secret}'",
        "query('SELECT * FROM read_csv(''{secret}'')')",
    ],
)
def test_no_other_file_of_the_machine_can_be_read(asked: Home, tmp_path: Path, source: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhunter2\n")
    around = f"{asked.lake}/{os.path.relpath(secret, asked.lake)}".replace("'", "''").replace("[", "[[]")
    said = _refusal(asked, "FROM " + source.format(secret=secret, folder=tmp_path, around=around))
    assert said.startswith(("file_refused: a query reads the warehouse and the lake, no other file", "table_unknown"))
    assert "hunter2" not in said


def test_the_temporary_folder_of_the_machine_is_as_closed_as_any_other(
    asked: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "left.csv").write_text("a\n1\n")
    assert "file_refused" in _refusal(asked, f"FROM read_csv('{tmp_path}/left.csv')")


def test_a_variable_of_the_caller_is_no_table(asked: Home) -> None:
    secret = pd.DataFrame({"word": ["hunter2"]})
    assert "table 'secret' is not known" in _refusal(asked, "FROM secret")
    assert len(secret) == 1


@pytest.mark.parametrize("sql", ["", "  ", ";", "-- only a comment"])
def test_nothing_asked_is_refused(asked: Home, sql: str) -> None:
    assert _refusal(asked, sql).startswith("not_one_statement: one statement at a time; this is 0")


def test_two_statements_are_refused_and_neither_runs(asked: Home) -> None:
    assert "this is 2" in _refusal(asked, "SELECT 1; DELETE FROM batches")


def test_a_pivot_without_its_values_is_told_how_to_give_them(asked: Home) -> None:
    assert "PIVOT … ON column IN (…)" in _refusal(asked, "PIVOT label_balance ON label USING sum(recordings)")


def test_an_unknown_table_is_answered_with_the_nearest(asked: Home) -> None:
    assert "table 'sampels' is not known; did you mean 'samples'?" in _refusal(asked, "SELECT * FROM sampels")
    assert "table 'Recording' is not known; did you mean 'recordings'?" in _refusal(asked, 'SELECT * FROM "Recording"')


def test_an_unknown_column_is_answered_with_the_nearest_of_the_tables_asked(asked: Home) -> None:
    expected = "column 'participnt' is not known; did you mean 'participant'? Known: batch_id, participant"
    assert expected in _refusal(asked, "SELECT participnt FROM samples")
    assert expected in _refusal(asked, "SELECT s.participnt FROM samples AS s")
    assert "honest" not in _refusal(asked, "SELECT participnt FROM samples")


def test_a_known_name_in_the_wrong_place_is_not_offered_back(asked: Home) -> None:
    said = _refusal(asked, "WITH b AS (SELECT site FROM batches) SELECT state FROM b")
    assert "did you mean 'state'" not in said
    assert 'Referenced column "state" not found' in said


def test_broken_sql_says_near_what(asked: Home) -> None:
    assert 'syntax error at or near "samples"' in _refusal(asked, "SELECT * FORM samples")
    assert "syntax error" in _refusal(asked, "SELECT (")


def test_a_value_of_the_wrong_kind_is_a_sentence(asked: Home) -> None:
    said = _refusal(asked, "SELECT participant::INT FROM samples")
    assert said.startswith("query_failed: Could not convert string 'P001' to INT32")


def test_a_lake_file_that_is_gone_says_what_heals_it(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    for path, _ in Lake(home).parquet_files("samples"):
        path.unlink()
    said = _refusal(home, "SELECT sum(x) FROM samples")
    assert said.startswith("file_missing")
    assert "'kinelake run' publishes the warehouse anew" in said


def test_asking_changes_nothing_on_disk(asked: Home) -> None:
    before = {path: path.stat().st_mtime_ns for path in asked.root.rglob("*")}
    query(asked, "SELECT * FROM samples ORDER BY x")
    assert {path: path.stat().st_mtime_ns for path in asked.root.rglob("*")} == before


# --- the dictionary -------------------------------------------------------------------------------------------------------


def test_the_dictionary_says_of_every_table_and_column_what_it_means(asked: Home) -> None:
    rows = data_dictionary(asked).to_pylist()
    assert list(rows[0]) == ["table", "column", "type", "comment"]
    assert all(row["comment"] for row in rows)
    said = {(row["table"], row["column"]): (row["type"], row["comment"]) for row in rows}
    for name, table in TABLES.items():
        assert said[name, None][1] == table.comment
        assert [row["column"] for row in rows if row["table"] == name][1 : len(table.columns) + 1] == [
            one.name for one in table.columns
        ]
        assert all(said[name, column.name][1] == column.comment for column in table.columns)
    assert said["samples", None][0] == "view"
    assert said["samples", "t_ns"] == ("BIGINT", "Time of the reading, ns since 1970 UTC.")
    assert said["batches", None][0] == "table"
    assert ("quarantine", "remedy") in said


def test_the_dictionary_of_no_warehouse_is_refused_like_a_question(home: Home) -> None:
    with pytest.raises(QueryRefused, match="warehouse_missing"):
        data_dictionary(home)
