"""The lake: whole versions for readers, all or nothing for writers, from many processes at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.rows import REASON, make_rows
from warehouse.errors import LakeError
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.warehouse.rows", "warehouse.publish"])


def _samples(batch_id: str, count: int, value: float = 0.0) -> pa.Table:
    ticks = np.arange(count, dtype=np.int64) + 1_700_000_000_000_000_001
    return make_rows("samples", count, batch_id=batch_id, recording_id="r1", t_ns=ticks.tolist(), x=value)


def _parquet(home: Home, name: str) -> list[Path]:
    return sorted((home.lake / name).rglob("*.parquet"))


def _in_table(home: Home, name: str) -> list[Path]:
    return [path for path in _parquet(home, name) if "_delta_log" not in path.parts]


# --- rows in, the same rows out -------------------------------------------------------------------------------------------


def test_rows_come_back_with_every_column_in_the_schemas_order(home: Home) -> None:
    rows = _samples("b1", 5, 1.5)
    Lake(home).replace("samples", rows.select(rows.column_names[::-1]), where={"batch_id": "b1"})
    read = Lake(home).read("samples")
    assert read.schema == TABLES["samples"].schema
    assert read.equals(rows)


def test_the_partition_column_may_be_left_out_of_the_rows(home: Home) -> None:
    Lake(home).replace("samples", _samples("b1", 3).drop_columns("batch_id"), where={"batch_id": "b1"})
    assert Lake(home).read("samples", columns=["batch_id"])["batch_id"].to_pylist() == ["b1"] * 3


def test_nanoseconds_above_two_to_the_53_keep_their_last_digit(home: Home) -> None:
    Lake(home).replace("samples", _samples("b1", 3), where={"batch_id": "b1"})
    assert Lake(home).read("samples")["t_ns"].to_pylist()[0] == 1_700_000_000_000_000_001


def test_text_of_any_script_lists_of_structs_and_instants_round_trip(home: Home) -> None:
    odd = ["Ünïcødé 漢字 🏋", "it's; DROP TABLE", 'a "quote"', "<b>", "line\nbreak", "", None]
    when = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    reasons = [[REASON], [], None, [REASON, REASON | {"place": "漢字"}], [], [], [REASON]]
    columns: dict[str, Any] = {"recording_id": odd, "reasons": reasons, "judged_at": when, "accepted": True}
    rows = make_rows("verdicts", len(odd), batch_id="b1", **columns)
    Lake(home).replace("verdicts", rows, where={"batch_id": "b1"})
    assert Lake(home).read("verdicts").equals(rows)


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.floats(width=32, allow_nan=False) | st.none(), max_size=20), times=st.data())
def test_any_values_and_times_round_trip(
    tmp_path_factory: pytest.TempPathFactory, values: list[float | None], times: st.DataObject
) -> None:
    home = Home.at(tmp_path_factory.mktemp("home"))
    stamps = times.draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=len(values), max_size=len(values)))
    rows = make_rows("samples", len(values), batch_id="b1", x=values, t_ns=stamps)
    Lake(home).replace("samples", rows, where={"batch_id": "b1"})
    assert Lake(home).read("samples").equals(rows)


def test_a_reader_of_batches_is_streamed_into_few_row_groups(home: Home) -> None:
    rows = _samples("b1", 1000)
    taken: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, 1000, 10):
            taken.append(start)
            yield from rows.slice(start, 10).to_batches()

    Lake(home).replace("samples", pa.RecordBatchReader.from_batches(rows.schema, batches()), where={"batch_id": "b1"})
    assert Lake(home).read("samples").equals(rows)
    assert len(taken) == 100
    assert pq.ParquetFile(_in_table(home, "samples")[0]).num_row_groups == 1


def test_wide_rows_are_cut_into_row_groups_by_their_bytes(home: Home) -> None:
    signals = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(400 * 50_000, np.float32)), 50_000).cast(pa.list_(pa.float32()))
    where = {"task": "t.x", "fingerprint": "f"}
    rows = make_rows("examples", 400, **where).set_column(TABLES["examples"].schema.get_field_index("signal"), "signal", signals)
    Lake(home).replace("examples", rows, where=where)
    stored = pq.ParquetFile(_in_table(home, "examples")[0])
    assert stored.num_row_groups == 2
    assert Lake(home).read("examples", columns=["signal"]).num_rows == 400


# --- replace and append ---------------------------------------------------------------------------------------------------


def test_replacing_a_partition_leaves_every_other_one_alone(home: Home) -> None:
    lake = Lake(home)
    for batch_id, count in (("b1", 2), ("b2", 3), ("b1", 5)):
        lake.replace("samples", _samples(batch_id, count), where={"batch_id": batch_id})
    assert sorted(lake.read("samples")["batch_id"].to_pylist()) == ["b1"] * 5 + ["b2"] * 3
    assert lake.partitions("samples") == [{"batch_id": "b1"}, {"batch_id": "b2"}]
    assert len(lake.parquet_files("samples")) == 2


def test_repeating_a_replacement_changes_no_row(home: Home) -> None:
    lake = Lake(home)
    for _ in range(3):
        lake.replace("samples", _samples("b1", 4), where={"batch_id": "b1"})
    assert lake.read("samples").equals(_samples("b1", 4))


def test_each_write_returns_the_next_version_and_old_ones_stay_readable(home: Home) -> None:
    lake = Lake(home)
    versions = [lake.replace("samples", _samples("b1", count), where={"batch_id": "b1"}) for count in (1, 2, 3)]
    assert versions == [1, 2, 3]
    assert [lake.read("samples", version=version).num_rows for version in versions] == [1, 2, 3]
    assert lake.version("samples") == 3
    assert lake.versions() == {"samples": 3}


def test_a_version_can_be_asked_for_by_the_instant_that_it_was_the_newest(home: Home) -> None:
    lake, moments = Lake(home), [datetime.now(UTC)]
    for count in range(1, 4):
        time.sleep(0.02)
        lake.replace("samples", _samples("b1", count), where={"batch_id": "b1"})
        moments.append(datetime.now(UTC))
    found = [lake.table_version("samples", moment) for moment in moments]
    assert [len(version.files) for version in found if version] == [0, 1, 1, 1]
    assert [version.number for version in found if version] == [0, 1, 2, 3]


def test_an_empty_replacement_removes_the_partition(home: Home) -> None:
    lake = Lake(home)
    lake.replace("samples", _samples("b1", 4), where={"batch_id": "b1"})
    lake.replace("samples", _samples("b1", 0), where={"batch_id": "b1"})
    assert lake.read("samples").num_rows == 0
    assert lake.partitions("samples") == []


def test_an_empty_replacement_of_nothing_makes_the_table_and_no_file(home: Home) -> None:
    lake = Lake(home)
    version = lake.replace("samples", _samples("b1", 0), where={"batch_id": "b1"})
    assert lake.replace("samples", _samples("b1", 0), where={"batch_id": "b1"}) == version
    assert lake.read("samples").equals(_samples("b1", 0))
    assert _in_table(home, "samples") == []


def test_one_training_replaces_its_own_rows_and_no_other_of_the_task(home: Home) -> None:
    lake = Lake(home)
    for task, fingerprint in (("s.a", "f1"), ("s.a", "f2"), ("s.b", "f1"), ("s.a", "f1")):
        where = {"fingerprint": fingerprint, "task": task}
        lake.replace("models", make_rows("models", 2, **where), where=where)
    assert lake.read("models", where={"task": "s.a"}).num_rows == 4
    assert lake.read("models", where={"fingerprint": "f1"}).num_rows == 4
    assert lake.read("models", where={"task": "s.a", "fingerprint": "f1"}).num_rows == 2


def test_a_table_without_partitions_is_appended_to(home: Home) -> None:
    lake = Lake(home)
    for who in ("ada", "bob"):
        lake.append("releases", make_rows("releases", recording_id="r1", who=who))
    assert sorted(lake.read("releases")["who"].to_pylist()) == ["ada", "bob"]
    assert lake.append("releases", make_rows("releases", 0)) == lake.version("releases")


# --- reading --------------------------------------------------------------------------------------------------------------


def test_a_table_that_was_never_written_reads_as_empty_with_all_its_columns(home: Home) -> None:
    lake = Lake(home)
    assert lake.read("verdicts").equals(TABLES["verdicts"].schema.empty_table())
    assert (lake.version("verdicts"), lake.versions(), lake.partitions("verdicts"), lake.parquet_files("verdicts")) == (
        None,
        {},
        [],
        [],
    )


def test_rows_are_chosen_by_one_value_or_several_of_any_text_column(home: Home) -> None:
    lake = Lake(home)
    for batch_id in ("b1", "b2", "b3"):
        rows = make_rows("files", 2, batch_id=batch_id, path=["a.csv", "it's.csv"])
        lake.replace("files", rows, where={"batch_id": batch_id})
    assert lake.read("files", where={"batch_id": "b2"}).num_rows == 2
    assert lake.read("files", where={"batch_id": ["b1", "b3"], "path": "it's.csv"})["batch_id"].to_pylist() == ["b1", "b3"]
    assert lake.read("files", columns=["path"], where={"path": ["a.csv", "other"]}).num_rows == 3
    assert lake.read("files", where={"batch_id": []}).num_rows == 0
    assert lake.read("files", where={"path": []}).num_rows == 0


@pytest.mark.parametrize("hostile", ["b1' OR '1'='1", "b1%", "*", "../b1", "b1/", "", "b1\x00", "b1' --"])
def test_a_hostile_value_in_where_finds_nothing(home: Home, hostile: str) -> None:
    lake = Lake(home)
    lake.replace("samples", _samples("b1", 2), where={"batch_id": "b1"})
    assert lake.read("samples", where={"batch_id": hostile}).num_rows == 0
    assert lake.read("samples", where={"recording_id": hostile}).num_rows == 0


# --- refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["it's", 'a"b', "../x", "a/b", "", ".hidden", "-dash", "a b", "a=b", "ü", "x" * 129, "a\n", "a%20b"]
)
def test_a_value_that_cannot_name_a_folder_is_refused_before_anything_is_written(home: Home, value: str) -> None:
    with pytest.raises(LakeError, match="partition_value"):
        Lake(home).replace("samples", _samples("b1", 1), where={"batch_id": value})
    assert not (home.lake / "samples").exists()


def test_a_partition_must_be_named_whole(home: Home) -> None:
    for where in ({}, {"task": "s.a"}, {"task": "s.a", "fingerprint": "f", "batch_id": "b"}):
        with pytest.raises(LakeError, match="models is partitioned by task, fingerprint"):
            Lake(home).replace("models", make_rows("models", 1), where=where)


def test_an_unknown_table_or_column_is_refused_with_the_nearest_name(home: Home) -> None:
    lake = Lake(home)
    with pytest.raises(LakeError, match="did you mean 'samples'"):
        lake.read("sample")
    with pytest.raises(LakeError, match="did you mean 'participant'"):
        lake.read("samples", columns=["participnt"])
    with pytest.raises(LakeError, match="did you mean 'stream'"):
        lake.read("samples", where={"streem": "x"})


def test_a_partitioned_table_is_not_appended_to(home: Home) -> None:
    with pytest.raises(LakeError, match="replace a partition instead"):
        Lake(home).append("samples", _samples("b1", 1))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(_samples("b1", 2).drop_columns("x"), id="column missing"),
        pytest.param(_samples("b1", 2).set_column(4, "t_ns", pa.array(["noon", "one"])), id="text in a number column"),
        pytest.param(_samples("b1", 2).set_column(4, "t_ns", pa.array([0.5, 1.5])), id="a time with a fraction"),
        pytest.param(_samples("b1", 2).set_column(4, "t_ns", pa.array([{"a": 1}, {"a": 2}])), id="a struct in a number column"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_leave_nothing_behind(home: Home, rows: pa.Table) -> None:
    lake = Lake(home)
    lake.replace("samples", _samples("b1", 7), where={"batch_id": "b1"})
    with pytest.raises(LakeError, match="rows do not fit table 'samples'"):
        lake.replace("samples", rows, where={"batch_id": "b1"})
    assert lake.read("samples").num_rows == 7
    assert len(_in_table(home, "samples")) == 1


def test_rows_of_another_batch_are_refused_not_relabelled(home: Home) -> None:
    rows = pa.concat_tables([_samples("b1", 2), _samples("b2", 1)])
    with pytest.raises(LakeError, match="rows for samples batch_id=b1 say batch_id=b2"):
        Lake(home).replace("samples", rows, where={"batch_id": "b1"})
    assert _in_table(home, "samples") == []


def test_a_source_that_breaks_halfway_leaves_the_old_rows_and_no_file(home: Home) -> None:
    lake = Lake(home)
    lake.replace("samples", _samples("b1", 3), where={"batch_id": "b1"})
    rows = _samples("b1", 10)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from rows.to_batches()
        raise ValueError("the file ended here")

    with pytest.raises(ValueError, match="the file ended here"):
        lake.replace("samples", pa.RecordBatchReader.from_batches(rows.schema, broken()), where={"batch_id": "b1"})
    assert lake.read("samples").num_rows == 3
    assert len(_in_table(home, "samples")) == 1


@pytest.mark.parametrize("name", ["a%20b", "back\\slash", "new\nline", "site=3", "batch_id=b7"])
def test_a_home_that_tables_cannot_lie_under_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(LakeError, match="home_path"):
        Lake(Home.at(tmp_path / name / "home"))


@pytest.mark.parametrize(
    "name", ["it's", "two words", "ünïcødé 漢字", "[a] {b,c}", "*", "what?", "#1", "100%", "a=b", 'd"q', "a;b&c", "~t"]
)
def test_a_home_may_have_any_other_name(tmp_path: Path, name: str) -> None:
    lake = Lake(Home.at(tmp_path / name / "home"))
    for batch_id in ("b1", "b2"):
        lake.replace("samples", _samples(batch_id, 3), where={"batch_id": batch_id})
    assert lake.read("samples", where={"batch_id": "b2"}).equals(_samples("b2", 3))
    assert lake.partitions("samples") == [{"batch_id": "b1"}, {"batch_id": "b2"}]
    assert all(path.is_file() for path, _ in lake.parquet_files("samples"))


# --- many writers ---------------------------------------------------------------------------------------------------------


def _replace_often(root: str, batch_ids: list[str], writer: int) -> None:
    lake = Lake(Home.at(root))
    for batch_id in batch_ids:
        lake.replace("samples", _samples(batch_id, 50, float(writer)), where={"batch_id": batch_id})


def _run_all(*processes: Any) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_processes_that_write_different_batches_at_once_lose_nothing(home: Home) -> None:
    ids = [[f"w{writer}-{number}" for number in range(12)] for writer in range(3)]
    _run_all(*(_PROCESSES.Process(target=_replace_often, args=(str(home.root), own, writer)) for writer, own in enumerate(ids)))
    found = Lake(home).read("samples").group_by("batch_id").aggregate([("x", "count")]).to_pylist()
    assert {row["batch_id"]: row["x_count"] for row in found} == {batch_id: 50 for own in ids for batch_id in own}
    assert Lake(home).version("samples") == 36


def test_processes_that_write_the_same_batch_at_once_leave_one_of_the_two_whole(home: Home) -> None:
    again = ["b1"] * 15
    _run_all(*(_PROCESSES.Process(target=_replace_often, args=(str(home.root), again, writer)) for writer in (1, 2)))
    values = Lake(home).read("samples")["x"].to_pylist()
    assert len(values) == 50
    assert len(set(values)) == 1
    assert len(Lake(home).parquet_files("samples")) == 1


def test_threads_that_write_and_read_at_once_see_whole_versions_only(home: Home) -> None:
    seen: set[tuple[int, int]] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            values = Lake(home).read("samples", columns=["x"])["x"].to_pylist()
            seen.add((len(values), len(set(values))))

    reader = threading.Thread(target=watch)
    reader.start()
    writers = [threading.Thread(target=_replace_often, args=(str(home.root), ["b1"] * 10, writer)) for writer in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert seen <= {(0, 0), (50, 1)}
    assert (50, 1) in seen


_KILLED = """
import os, signal, sys
from tests.warehouse.rows import make_rows
from warehouse import lake as module
from warehouse.home import Home

module._locked = lambda path: os.kill(os.getpid(), signal.SIGKILL)
module.Lake(Home.at(sys.argv[1])).replace("samples", make_rows("samples", 99, batch_id="b1"), where={"batch_id": "b1"})
"""


def test_killed_between_file_and_commit_the_old_rows_stand_and_the_next_write_works(home: Home) -> None:
    lake = Lake(home)
    lake.replace("samples", _samples("b1", 3), where={"batch_id": "b1"})
    command = [sys.executable, "-c", _KILLED, str(home.root)]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(_in_table(home, "samples")) == 2
    assert lake.read("samples").num_rows == 3
    lake.replace("samples", _samples("b1", 4), where={"batch_id": "b1"})
    assert lake.read("samples").num_rows == 4


def test_killed_at_any_instant_a_batch_is_there_whole_or_not_at_all(home: Home) -> None:
    process = _PROCESSES.Process(target=_replace_often, args=(str(home.root), [f"b{number}" for number in range(10_000)], 1))
    process.start()
    while len(Lake(home).partitions("samples")) < 3:
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    found = Lake(home).read("samples").group_by("batch_id").aggregate([("x", "count")])["x_count"].to_pylist()
    assert len(found) >= 3
    assert set(found) == {50}
    Lake(home).replace("samples", _samples("after", 5), where={"batch_id": "after"})
    assert Lake(home).read("samples", where={"batch_id": "after"}).num_rows == 5


def test_a_table_that_is_just_being_made_reads_as_empty(home: Home) -> None:
    (home.lake / "samples" / "_delta_log").mkdir(parents=True)
    assert Lake(home).read("samples").num_rows == 0
    assert Lake(home).version("samples") is None


# --- what lasts -----------------------------------------------------------------------------------------------------------


def test_everything_that_a_commit_needs_is_forced_to_disk_before_it_returns(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (forced.append(os.fstat(descriptor).st_ino), real(descriptor)))
    Lake(home).replace("samples", _samples("b1", 3), where={"batch_id": "b1"})
    (data,) = _in_table(home, "samples")
    folder = home.lake / "samples"
    log = folder / "_delta_log"
    needed = [data, data.parent, folder, home.lake, log, log / f"{0:020d}.json", log / f"{1:020d}.json"]
    assert {path.stat().st_ino for path in needed} <= set(forced)


def test_after_a_hundred_commits_there_are_checkpoints_all_log_files_and_all_versions(home: Home) -> None:
    lake = Lake(home)
    for number in range(102):
        lake.append("releases", make_rows("releases", recording_id=f"r{number}"))
    log = home.lake / "releases" / "_delta_log"
    assert len(list(log.glob("*.json"))) == 103
    assert len(list(log.glob("*.checkpoint.parquet"))) == 5
    assert lake.read("releases").num_rows == 102
    assert [lake.read("releases", version=version).num_rows for version in (0, 1, 50, 99, 100, 102)] == [0, 1, 50, 99, 100, 102]


def test_history_is_kept_for_a_lifetime(home: Home) -> None:
    Lake(home).append("releases", make_rows("releases"))
    first = (home.lake / "releases" / "_delta_log" / f"{0:020d}.json").read_text()
    (metadata,) = [json.loads(line)["metaData"] for line in first.splitlines() if "metaData" in line]
    assert metadata["configuration"]["delta.logRetentionDuration"] == "interval 36500 days"
    assert metadata["configuration"]["delta.enableExpiredLogCleanup"] == "false"
    assert metadata["description"] == TABLES["releases"].comment


def test_no_participant_is_written_into_the_log(home: Home) -> None:
    rows = make_rows("verdicts", batch_id="b1", participant="P-SECRET", recording_id="r1")
    for _ in range(21):
        Lake(home).replace("verdicts", rows, where={"batch_id": "b1"})
    log = home.lake / "verdicts" / "_delta_log"
    assert all(b"P-SECRET" not in path.read_bytes() for path in log.iterdir())
