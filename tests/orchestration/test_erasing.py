"""`kinelake erase`: after it nothing of the participant is left, the rest stands, and the pipeline goes on without them."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.simulation import Dirt
from ingestion.vault import Vault
from ml.registry import Registry
from orchestration import erasing
from orchestration.erasing import erase
from orchestration.liveness import no_runs
from orchestration.remains import Sought
from orchestration.running import run
from orchestration.verifying import verify
from tests.orchestration.conftest import delivered, simulated
from warehouse.errors import KinelakeError, UnknownName
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.query import query

_TASK = "quick_exercises.exercise_class"
_STUDY = "quick_exercises"
_GONE = "P001"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deliveries, outside of any home."""
    folder = tmp_path_factory.mktemp("sources")
    simulated(folder / "first", dirt=(Dirt("copied_participant", recording=0),))
    simulated(folder / "second", people=1, first_person=4)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sources: Path) -> Home:
    """A home with two batches taken the whole way; a recording of one person lies under another's name as well."""
    home = Home.at(tmp_path_factory.mktemp("whole") / "home")
    delivered(sources / "first", home, "first")
    delivered(sources / "second", home, "second")
    assert run(home).failed == {}
    return home


@pytest.fixture
def copy(whole: Home, tmp_path: Path) -> Home:
    shutil.copytree(whole.root, tmp_path / "home", symlinks=True)
    return Home.at(tmp_path / "home")


def test_nothing_is_left_of_an_erased_participant_and_the_rest_stands(copy: Home) -> None:
    before = Vault(copy).receipt("first")
    own = {file.sha256 for file in before.files if file.participant == _GONE}
    copies = _copies_of(_GONE, copy)
    recordings = _recordings(_GONE, copy)
    champion = Registry(copy).champion(_TASK)
    others = Lake(copy).read("samples", columns=["recording_id"]).num_rows

    done = erase(_GONE, _STUDY, copy)

    assert done.left == ()
    assert len(done.also_under) == 1
    assert done.recordings == len(recordings | copies) == 4
    assert done.batches == ("first",)
    assert done.models == 1
    assert champion is not None
    assert not Registry(copy).artifact(champion).exists()
    assert Registry(copy).versions() == []
    after = Vault(copy).receipt("first")
    assert (after.batch_id, after.content_sha256) == (before.batch_id, before.content_sha256)
    assert {file.participant for file in after.files} == {"P002", "P003"}
    assert not own & {path.name for path in copy.vault.rglob("*")}
    assert Vault(copy).verify() == []
    assert 0 < Lake(copy).read("samples", columns=["recording_id"]).num_rows < others
    assert query(copy, "SELECT count(*) AS n FROM recordings WHERE participant = 'P001'").to_pylist() == [{"n": 0}]
    assert _found_by_grep([*recordings, *copies, *own], copy) == []


def test_the_pipeline_goes_on_without_the_participant(copy: Home) -> None:
    erase(_GONE, _STUDY, copy)
    summary = run(copy)
    assert (summary.batches, summary.tasks, summary.failed) == ([], [_TASK], {})
    champion = Registry(copy).champion(_TASK)
    assert champion is not None
    assert champion.version == 2
    assert set(Lake(copy).read("examples", columns=["participant"])["participant"].to_pylist()) <= {"P002", "P003", "P004"}
    assert [check.promise for check in verify(copy) if not check.kept] == []


def test_the_same_delivery_sent_again_brings_nothing_back(copy: Home, sources: Path) -> None:
    erase(_GONE, _STUDY, copy)
    before = sorted(path.name for path in copy.vault.rglob("*"))
    again = delivered(sources / "first", copy, "first")
    assert _GONE not in {file.participant for file in again.files}
    assert sorted(path.name for path in copy.vault.rglob("*")) == before


def test_a_batch_of_which_nothing_is_left_stays_with_no_recordings(copy: Home) -> None:
    done = erase("P004", _STUDY, copy)
    assert (done.left, done.batches) == ((), ("second",))
    row = query(copy, "SELECT files, recordings, accepted, state FROM batches WHERE batch_id = 'second'").to_pylist()
    assert row == [{"files": 0, "recordings": 0, "accepted": 0, "state": "complete"}]
    assert run(copy, tasks=False).batches == []


def test_an_unknown_participant_is_refused_with_the_nearest(copy: Home) -> None:
    with pytest.raises(UnknownName, match="P001"):
        erase("P0001", _STUDY, copy)
    erase(_GONE, _STUDY, copy)
    with pytest.raises(UnknownName):
        erase(_GONE, _STUDY, copy)


def test_two_that_reach_into_everything_do_not_work_at_the_same_time(copy: Home) -> None:
    with no_runs(copy), pytest.raises(KinelakeError, match="runs_in_progress"):
        erase(_GONE, _STUDY, copy)


@pytest.mark.parametrize("step", ["judge_batch", "erase_deliveries", "remains"])
def test_stopped_at_any_step_it_is_named_by_verify_and_finishes_when_said_again(
    copy: Home, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(erasing, step, _killed)
        with pytest.raises(SystemExit):
            erase(_GONE, _STUDY, copy)
    assert "erasure_unfinished" in {reason.code for check in verify(copy) for reason in check.reasons}
    done = erase(_GONE, _STUDY, copy)
    assert (done.left, done.recordings, len(done.also_under)) == ((), 4, 1)
    assert [check.promise for check in verify(copy) if not check.kept] == []


def test_what_lies_where_an_erasure_must_not_reach_is_named(copy: Home, sources: Path) -> None:
    waiting = copy.landing / "north" / _STUDY / "again"
    shutil.copytree(sources / "first", waiting)
    done = erase(_GONE, _STUDY, copy)
    assert done.left
    assert all("again" in place for place in done.left)
    shutil.rmtree(waiting)
    assert erase(_GONE, _STUDY, copy).left == ()


def test_the_search_finds_what_was_overlooked_in_bytes_parquet_and_duckdb(copy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = sorted(_recordings(_GONE, copy))[0]
    search = erasing.remains

    def spoilt(sought: Sought, home: Home, *, besides: Path) -> tuple[int, list[str]]:
        (home.reports / "note.bin").write_bytes(b"\0" + recording.encode())
        _orphan(home, recording)
        with duckdb.connect(str(home.warehouse)) as database:
            database.execute("CREATE TABLE noted AS SELECT ? AS recording_id", [recording])
        return search(sought, home, besides=besides)

    monkeypatch.setattr(erasing, "remains", spoilt)
    assert [Path(place).name for place in erase(_GONE, _STUDY, copy).left] == ["orphan.parquet", "note.bin", "warehouse.duckdb"]


def _killed(*_arguments: object, **_named: object) -> None:
    raise SystemExit("killed")


def _recordings(participant: str, home: Home) -> set[str]:
    rows = Lake(home).read("recordings", columns=["recording_id"], where={"participant": participant})
    return set(rows["recording_id"].to_pylist())


def _copies_of(participant: str, home: Home) -> set[str]:
    streams = Lake(home).read("streams", columns=["recording_id", "participant", "value_hash"]).to_pylist()
    hashes = {row["value_hash"] for row in streams if row["participant"] == participant}
    return {row["recording_id"] for row in streams if row["value_hash"] in hashes and row["participant"] != participant}


def _found_by_grep(names: list[str], home: Home) -> list[Path]:
    files = [path for path in home.root.rglob("*") if path.is_file()]
    return [path for path in files for content in [path.read_bytes()] if any(name.encode() in content for name in names)]


def _orphan(home: Home, recording: str) -> None:
    """What a writer would leave that nobody named: compressed, so that only its rows give it away."""
    path, _ = Lake(home).parquet_files("streams")[0]
    row = Lake(home).read("streams").slice(0, 1).to_pylist()[0]
    pq.write_table(
        pa.Table.from_pylist([{**row, "recording_id": recording}]), path.with_name("orphan.parquet"), compression="zstd"
    )
