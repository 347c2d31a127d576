"""Publishing: whole batches and trainings only, for readers that never notice, from any folder, after any kill."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.benchmarks.old_client import ask, make_sample
from tests.warehouse.rows import complete_row, make_rows, write_batch, write_training
from warehouse import previous
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.publish import publish
from warehouse.schemas import TABLES
from warehouse.sql_text import sql_type
from warehouse.views import analyst_views

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.warehouse.rows", "warehouse.publish"])
_OLD = os.environ.get("KINELAKE_OLD_DUCKDB")


def _ask(home: Home, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home.warehouse), read_only=True) as reader:
        return reader.execute(sql).fetchall()


def _one(home: Home, sql: str) -> Any:
    return _ask(home, sql)[0][0]


def _left_over(home: Home) -> list[str]:
    return [path.name for path in home.root.iterdir() if "building" in path.name or path.name.endswith(".wal")]


# --- what is shown --------------------------------------------------------------------------------------------------------


def test_an_empty_lake_gives_every_table_and_view_with_the_right_columns_and_no_row(home: Home) -> None:
    publication = publish(home)
    assert set(TABLES) <= set(publication.tables)
    for name, table in TABLES.items():
        shown = [(column, kind.replace('"', "")) for column, kind, *_ in _ask(home, f"DESCRIBE {name}")]
        due = [(column.name, sql_type(column.type).replace('"', "")) for column in table.columns]
        assert shown == due + ([("alias", "VARCHAR")] if name == "models" else [])
    for name in publication.tables:
        if name != "publication":
            assert _one(home, f"SELECT count(*) FROM {name}") == 0


def test_columns_of_tables_with_rows_have_the_same_order_and_types_as_without(home: Home) -> None:
    publish(home)
    empty = {name: _ask(home, f"DESCRIBE {name}") for name in TABLES}
    make_sample(home.root)
    assert {name: _ask(home, f"DESCRIBE {name}") for name in TABLES} == empty


def test_a_batch_is_shown_when_its_row_is_complete_and_not_before(home: Home) -> None:
    write_batch(home, "b1")
    write_batch(home, "b2", complete=False)
    publish(home)
    for name in ("batches", "recordings", "verdicts", "files", "streams", "samples", "resampled", "segments"):
        assert _ask(home, f"SELECT DISTINCT batch_id FROM {name}") == [("b1",)], name
    complete_row(home, "b2")
    publish(home)
    assert _ask(home, "SELECT DISTINCT batch_id FROM samples ORDER BY 1") == [("b1",), ("b2",)]


def test_a_batch_whose_row_is_not_complete_is_not_shown(home: Home) -> None:
    write_batch(home, "b1", complete=False)
    complete_row(home, "b1", state="received")
    publish(home)
    assert _one(home, "SELECT count(*) FROM batches") == 0
    assert _one(home, "SELECT count(*) FROM samples") == 0


def test_a_batch_that_is_being_run_again_is_shown_as_before_until_it_is_through(home: Home) -> None:
    write_batch(home, "b1", samples=10)
    write_batch(home, "b2", samples=10)
    time.sleep(0.02)
    write_batch(home, "b1", samples=99, recordings=3, complete=False)
    Lake(home).replace("segments", make_rows("segments", 0), where={"batch_id": "b1"})
    publish(home)
    counted = "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM verdicts), (SELECT count(*) FROM segments)"
    assert _ask(home, counted) == [(40, 4, 4)]
    complete_row(home, "b1", recordings=3)
    publish(home)
    assert _ask(home, counted) == [(3 * 99 + 20, 5, 2)]


def test_a_batch_whose_earlier_files_are_gone_is_shown_as_it_is_now(home: Home) -> None:
    write_batch(home, "b1", samples=10)
    old = [path for path, _ in Lake(home).parquet_files("samples")]
    time.sleep(0.02)
    write_batch(home, "b1", samples=3, complete=False)
    old[0].unlink()
    publish(home)
    assert _one(home, "SELECT count(*) FROM samples") == 6


def test_a_training_is_shown_when_it_has_models_and_not_before(home: Home) -> None:
    write_training(home, "trial.which", "f1", [1, 2])
    write_training(home, "trial.which", "f2", [3], complete=False)
    write_training(home, "trial.who", "f2", [1], complete=False)
    publish(home)
    for name in ("examples", "training_tables", "models", "evaluations"):
        assert _ask(home, f"SELECT DISTINCT task, fingerprint FROM {name}") == [("trial.which", "f1")], name


def test_pending_deliveries_are_shown_as_received_unless_they_are_complete(home: Home) -> None:
    write_batch(home, "b1")
    pending = make_rows("batches", 2, batch_id=["b1", "b9"], study="trial", state="received", files=3)
    publish(home, received=pending)
    assert _ask(home, "SELECT batch_id, state FROM batches ORDER BY 1") == [("b1", "complete"), ("b9", "received")]
    write_batch(home, "b9")
    publish(home, received=make_rows("batches", 0))
    assert _ask(home, "SELECT batch_id, state FROM batches ORDER BY 1") == [("b1", "complete"), ("b9", "complete")]


def test_the_registrys_aliases_stand_on_their_versions_and_move(home: Home) -> None:
    write_training(home, "trial.which", "f1", [1, 2])
    write_training(home, "trial.who", "f1", [1])
    publish(home, aliases={("trial.which", 2): "champion", ("trial.gone", 7): "champion"})
    asked = "SELECT task, version FROM models WHERE alias = 'champion'"
    assert _ask(home, asked) == [("trial.which", 2)]
    publish(home, aliases={("trial.which", 1): "champion"})
    assert _ask(home, asked) == [("trial.which", 1)]


def test_releases_and_predictions_are_shown_whole(home: Home) -> None:
    for who in ("ada", "bob"):
        Lake(home).append("releases", make_rows("releases", recording_id="r1", who=who))
    Lake(home).append("predictions", make_rows("predictions", 3, task="trial.which", version=1))
    publish(home)
    assert _ask(home, "SELECT who FROM releases ORDER BY 1") == [("ada",), ("bob",)]
    assert _one(home, "SELECT count(*) FROM predictions") == 3


def test_the_publication_says_when_where_and_which_versions(home: Home) -> None:
    write_batch(home, "b1")
    before = datetime.now(UTC)
    publication = publish(home)
    rows = _ask(home, "SELECT table_name, version, files, home FROM publication")
    assert {table: version for table, version, *_ in rows if version is not None} == publication.versions == Lake(home).versions()
    assert {row[0] for row in rows} == set(TABLES)
    assert {row[3] for row in rows} == {str(home.root)}
    assert dict(row[:3:2] for row in rows)["samples"] == 1
    assert _one(home, "SELECT DISTINCT epoch_us(published_at) FROM publication") == round(
        publication.published_at.timestamp() * 1e6
    )
    assert before <= publication.published_at <= datetime.now(UTC)
    assert publication.path == home.warehouse


def test_sources_name_every_file_below_its_table(home: Home) -> None:
    make_sample(home.root)
    named = {home.lake / table / path for table, path in _ask(home, "SELECT table_name, path FROM sources")}
    assert named == {path for name in TABLES for path, _ in Lake(home).parquet_files(name)}


def test_every_table_view_and_column_has_a_comment(home: Home) -> None:
    make_sample(home.root)
    for kind in ("table", "view", "column"):
        missing = _ask(home, f"SELECT * FROM duckdb_{kind}s() WHERE NOT internal AND coalesce(length(comment), 0) < 4")
        assert missing == [], kind
    assert _one(home, "SELECT comment FROM duckdb_columns() WHERE table_name = 'samples' AND column_name = 't_ns'") == (
        "Time of the reading, ns since 1970 UTC."
    )


@pytest.mark.parametrize("view", analyst_views(), ids=lambda view: view.name)
def test_a_ready_made_view_explains_exactly_the_columns_that_it_has(home: Home, view: Any) -> None:
    publish(home)
    assert [column for column, *_ in _ask(home, f"DESCRIBE {view.name}")] == list(view.columns)


def test_the_ready_made_views_answer(home: Home) -> None:
    make_sample(home.root)
    assert _ask(home, "SELECT DISTINCT recording_id, code, place FROM quarantine WHERE batch_id = 'b1' ORDER BY code") == [
        ("b1-1", "gap", "walk's.csv row 3"),
        ("b1-1", "label", "walk's.csv row 3"),
    ]
    assert _ask(home, "FROM label_balance") == [("trial", "squat", 4, 2, 2, 1, 10.0, 1.0)]
    assert _ask(home, "SELECT participant, recordings, accepted, labels, devices FROM participants") == [
        ("P001", 4, 2, ["squat"], 1)
    ]
    assert _ask(home, "SELECT device, stream, recordings, rate_hz, gaps FROM stream_rates") == [
        ("d1", "accelerometer", 4, 50.0, 4)
    ]
    scores = _ask(home, "SELECT version, champion, newest, scored_on, macro_f1 FROM model_scores")
    assert scores == [(2, True, True, "test", pytest.approx(0.21)), (1, False, True, "test", pytest.approx(0.11))]


def test_only_the_newest_trainings_versions_are_the_newest(home: Home) -> None:
    write_training(home, "trial.which", "f1", [1, 2])
    write_training(home, "trial.which", "f2", [3])
    publish(home)
    assert _ask(home, "SELECT version, newest, champion FROM model_scores") == [
        (3, True, False),
        (2, False, False),
        (1, False, False),
    ]


def test_a_recording_set_aside_without_a_reason_is_still_in_the_quarantine_view(home: Home) -> None:
    write_batch(home, "b1", complete=False)
    verdict = make_rows("verdicts", batch_id="b1", recording_id="b1-0", accepted=False, reasons=[[]])
    Lake(home).replace("verdicts", verdict, where={"batch_id": "b1"})
    complete_row(home, "b1")
    publish(home)
    assert _ask(home, "SELECT recording_id, code FROM quarantine") == [("b1-0", None)]


# --- from any folder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["it's", "two words ünïcødé 漢字", "[a]", "*", "w?at", 'd"q {a,b} 100%', "[!x]*[ a=b;c"])
def test_a_home_of_any_name_shows_its_own_rows_and_no_others(tmp_path: Path, name: str) -> None:
    decoy = Home.at(tmp_path / "a" / "home")
    write_batch(decoy, "b1")
    home = Home.at(tmp_path / name / "home")
    write_batch(home, "b1", samples=3)
    publish(home)
    assert _one(home, "SELECT count(*) FROM samples") == 6
    assert _one(home, "SELECT count(*) FROM samples WHERE batch_id = 'b1'") == 6


def test_a_folder_that_a_home_would_match_as_a_pattern_is_not_read(tmp_path: Path) -> None:
    for name in ("star", "s*"):
        write_batch(Home.at(tmp_path / name), "b1", samples=2 if name == "s*" else 50)
    home = Home.at(tmp_path / "s*")
    for sibling in (tmp_path / "star").rglob("*.parquet"):
        copy = tmp_path / "sxx" / sibling.relative_to(tmp_path / "star")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(sibling.read_bytes())
    (own,) = [path for path, _ in Lake(home).parquet_files("samples")]
    twin = tmp_path / "sxx" / own.relative_to(home.root)
    twin.parent.mkdir(parents=True, exist_ok=True)
    twin.write_bytes(own.read_bytes())
    publish(home)
    assert _one(home, "SELECT count(*) FROM samples") == 4


def test_batch_ids_that_look_like_numbers_or_dates_stay_text(home: Home) -> None:
    for batch_id in ("007", "2026-01-01", "1e5"):
        write_batch(home, batch_id)
    publish(home)
    assert _ask(home, "SELECT DISTINCT batch_id FROM samples ORDER BY 1") == [("007",), ("1e5",), ("2026-01-01",)]


def test_a_filter_on_the_batch_reads_that_batchs_file_only(home: Home) -> None:
    for batch_id in ("b1", "b2", "b3"):
        write_batch(home, batch_id)
    publish(home)
    for path, values in Lake(home).parquet_files("samples"):
        if values["batch_id"] == "b3":
            path.write_bytes(b"not Parquet")
    assert _one(home, "SELECT count(*) FROM samples WHERE batch_id = 'b2'") == 20


# --- readers --------------------------------------------------------------------------------------------------------------


def test_a_reader_that_has_the_old_file_open_keeps_it_and_the_next_one_gets_the_new(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    with duckdb.connect() as reader:
        reader.execute(f"ATTACH '{home.warehouse}' AS before (READ_ONLY)")
        write_batch(home, "b2")
        publish(home)
        assert reader.execute("SELECT count(*) FROM before.samples").fetchall() == [(20,)]
        assert reader.execute("SELECT count(*) FROM before.batches").fetchall() == [(1,)]
    assert _one(home, "SELECT count(*) FROM samples") == 40


def _read_until(path: str, stop: Any, seen: Any) -> None:
    while not stop.is_set():
        with duckdb.connect(path, read_only=True) as reader:
            batches = reader.execute("SELECT count(*) FROM batches").fetchall()[0][0]
            seen.put((batches, reader.execute("SELECT count(DISTINCT batch_id) FROM samples").fetchall()[0][0]))


def test_readers_of_another_process_are_never_refused_and_see_whole_publications(home: Home) -> None:
    write_batch(home, "b0")
    publish(home)
    stop, seen = _PROCESSES.Event(), _PROCESSES.Queue()
    reader = _PROCESSES.Process(target=_read_until, args=(str(home.warehouse), stop, seen))
    reader.start()
    first = seen.get(timeout=60)
    for number in range(1, 4):
        write_batch(home, f"b{number}")
        publish(home)
    stop.set()
    counts = {first}
    while reader.is_alive() or not seen.empty():
        while not seen.empty():
            counts.add(seen.get())
        reader.join(0.05)
    assert reader.exitcode == 0
    assert all(batches == shown for batches, shown in counts)
    assert len(counts) > 1


def test_no_remainder_and_no_log_is_left_and_the_file_is_not_writable_by_readers_mistake(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    assert _left_over(home) == []
    with duckdb.connect(str(home.warehouse), read_only=True) as reader, pytest.raises(duckdb.InvalidInputException):
        reader.execute("DELETE FROM batches")


def test_a_log_of_somebody_who_wrote_to_the_old_file_is_not_applied_to_the_new_one(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    Path(f"{home.warehouse}.wal").write_bytes(b"left by a writer that was killed")
    publish(home)
    assert _left_over(home) == []
    assert _one(home, "SELECT count(*) FROM batches") == 1


# --- only the new is read -------------------------------------------------------------------------------------------------


def _read_names(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    read: list[tuple[str, list[str]]] = []
    real = Lake.read_files

    def noting(lake: Lake, name: str, files: Any) -> pa.Table:
        read.append((name, sorted(file.partition["batch_id"] for file in files if "batch_id" in file.partition)))
        return real(lake, name, files)

    monkeypatch.setattr(Lake, "read_files", noting)
    return read


def test_the_next_publish_reads_the_new_batch_only_and_shows_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for batch_id in ("b1", "b2"):
        write_batch(home, batch_id)
    publish(home, received=make_rows("batches", batch_id="b9", state="received"))
    write_batch(home, "b3", recordings=4)
    read = _read_names(monkeypatch)
    publish(home)
    assert {names for table, batch_ids in read if table == "recordings" for names in batch_ids} == {"b3"}
    carried = {name: sorted(map(str, _ask(home, f"FROM {name}"))) for name in ("batches", "recordings", "verdicts")}
    home.warehouse.unlink()
    publish(home)
    assert {name: sorted(map(str, _ask(home, f"FROM {name}"))) for name in carried} == carried
    assert len(carried["recordings"]) == 8


def test_a_batch_that_was_run_again_is_read_again(home: Home) -> None:
    write_batch(home, "b1")
    write_batch(home, "b2")
    publish(home)
    time.sleep(0.02)
    write_batch(home, "b1", recordings=5)
    publish(home)
    assert _ask(home, "SELECT batch_id, count(*) FROM verdicts GROUP BY 1 ORDER BY 1") == [("b1", 5), ("b2", 2)]
    assert _ask(home, "SELECT batch_id, recordings FROM batches ORDER BY 1") == [("b1", 5), ("b2", 2)]


def test_what_somebody_changed_in_the_published_file_does_not_last(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    with duckdb.connect(str(home.warehouse)) as writer:
        writer.execute("DELETE FROM recordings; UPDATE verdicts SET accepted = true")
    publish(home)
    assert _one(home, "SELECT count(*) FROM recordings") == 2
    assert _one(home, "SELECT count(*) FROM verdicts WHERE accepted") == 1


def test_somebody_who_holds_the_file_open_for_writing_does_not_stop_the_publish(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    hold = f"import duckdb, sys; c = duckdb.connect({str(home.warehouse)!r}); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        write_batch(home, "b2")
        publish(home)
        holder.communicate()
    assert _one(home, "SELECT count(*) FROM recordings") == 4


def test_a_file_with_other_columns_or_no_database_at_all_is_built_anew(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    with duckdb.connect(str(home.warehouse)) as writer:
        writer.execute("DROP VIEW quarantine; ALTER TABLE recordings DROP COLUMN label")
    previous.remember(home)
    publish(home)
    assert _one(home, "SELECT count(label) FROM recordings") == 2
    home.warehouse.write_bytes(b"garbage")
    publish(home)
    assert _one(home, "SELECT count(*) FROM recordings") == 2


# --- many publishers, and kills -------------------------------------------------------------------------------------------


def _publish_often(root: str, times: int) -> None:
    for _ in range(times):
        publish(Home.at(root))


def test_publishers_at_once_leave_one_good_file(home: Home) -> None:
    write_batch(home, "b1")
    processes = [_PROCESSES.Process(target=_publish_often, args=(str(home.root), 2)) for _ in range(2)]
    threads = [threading.Thread(target=_publish_often, args=(str(home.root), 2)) for _ in range(2)]
    for worker in (*processes, *threads):
        worker.start()
    for worker in (*processes, *threads):
        worker.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert _one(home, "SELECT count(*) FROM samples") == 20
    assert _left_over(home) == []


def test_killed_at_any_instant_the_live_file_is_whole_and_the_next_publish_cleans_up(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    for delay in (0.0, 0.1):
        process = _PROCESSES.Process(target=_publish_often, args=(str(home.root), 10_000))
        process.start()
        before = home.warehouse.stat().st_ino
        while home.warehouse.stat().st_ino == before:
            time.sleep(0.005)
        time.sleep(delay)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert _one(home, "SELECT count(*) FROM samples") == 20
    (home.root / ".warehouse.building-0.duckdb").write_bytes(b"left")
    (home.root / ".warehouse.building-0.duckdb.wal").write_bytes(b"left")
    publish(home)
    assert _left_over(home) == []


def test_a_publish_that_fails_leaves_the_live_file_and_no_remainder(home: Home) -> None:
    write_batch(home, "b1")
    publish(home)
    before = home.warehouse.read_bytes()
    with pytest.raises(duckdb.Error):
        publish(home, received=pa.table({"batch_id": ["b2"], "no_such_column": [1]}))
    assert home.warehouse.read_bytes() == before
    assert _left_over(home) == []


# --- old clients ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not _OLD, reason="no old client: KINELAKE_OLD_DUCKDB names no Python with duckdb 1.2.0")
def test_a_plain_client_of_version_1_2_0_reads_everything_and_every_comment(home: Home) -> None:
    make_sample(home.root)
    assert _OLD
    seen = ask(Path(_OLD), home.warehouse)
    assert seen["version"] == "1.2.0"
    assert (seen["failed"], seen["without_comment"]) == ({}, [])
    assert seen["rows"] == {name: _one(home, f"SELECT count(*) FROM {name}") for name in seen["rows"]}
    assert seen["answers"]["json"] == "20 kg"
    assert seen["answers"]["nanoseconds"] == 10**18 + 9
    assert seen["types"]["verdicts.reasons"] == "STRUCT(code VARCHAR, sentence VARCHAR, place VARCHAR, remedy VARCHAR)[]"


def test_the_file_is_written_in_the_format_of_the_oldest_client(home: Home) -> None:
    publish(home)
    with duckdb.connect() as reader:
        reader.execute(f"ATTACH '{home.warehouse}' AS published (READ_ONLY)")
        (tags,) = reader.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'published'").fetchall()[0]
    assert tags["storage_version"].startswith("v1.2.0")
