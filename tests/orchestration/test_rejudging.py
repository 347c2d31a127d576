"""A changed contract or a correction is judged from the lake alone; only the job that is needed runs."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from ingestion.batch import read_batch
from ingestion.simulation import Dirt
from ingestion.vault import Vault
from orchestration.pending import pending_batches, rejudgings
from orchestration.running import rejudge, run
from orchestration.verifying import verify
from quality.corrections import correct, undo
from quality.judging import judge_batch
from studies import find_study
from tests.orchestration.conftest import delivered, simulated
from warehouse.errors import UnknownName
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.query import query
from warehouse.schemas import TABLES

_SHIPPED = Path(__file__).resolve().parents[1] / "data" / "studies" / "quick_exercises.yaml"
_DIRT = (Dirt("gap"), Dirt("bad_label"), Dirt("unit_error"))
_SIGNED = {"who": "physio", "why": "seen on the video"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with one dirty batch read and judged."""
    home = Home.at(tmp_path_factory.mktemp("rejudged") / "home")
    delivered(simulated(home.root / "delivery", dirt=_DIRT), home, "first")
    assert run(home, tasks=False).failed == {}
    return home


@pytest.fixture
def home(whole: Home, tmp_path: Path) -> Home:
    """A copy of its own, whose vault holds receipts and not one delivered byte."""
    shutil.copytree(whole.root, tmp_path / "home")
    copy = Home.at(tmp_path / "home")
    for blob in copy.vault.glob("??/*"):
        blob.unlink()
    return copy


def changed_study(folder: Path, patch: pytest.MonkeyPatch, **changes: object) -> None:
    """Make another version of the study the one that counts."""
    content = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
    (folder / "studies").mkdir()
    (folder / "studies" / _SHIPPED.name).write_text(yaml.safe_dump({**content, **changes}), encoding="utf-8")
    patch.setenv("KINELAKE_STUDIES", str(folder / "studies"))


def judged(home: Home) -> list[tuple[object, ...]]:
    verdicts = Lake(home).read("verdicts").sort_by("recording_id").to_pylist()
    labels = Lake(home).read("recordings").sort_by("recording_id")["label"].to_pylist()
    return [
        (row["recording_id"], row["accepted"], str(row["reasons"]), row["contract_version"], label)
        for row, label in zip(verdicts, labels, strict=True)
    ]


def test_a_changed_contract_is_judged_without_a_delivered_byte_as_if_read_anew(
    whole: Home, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bad,) = [
        row for row in Lake(home).read("recordings").to_pylist() if row["label"] not in find_study("quick_exercises").labels
    ]
    labels = {"jumping_jack": ["jumping_jacks", bad["label_as_delivered"]], "squat": [], "walking": []}
    changed_study(tmp_path, monkeypatch, labels=labels, min_duration_s=1)
    before = judged(home)
    assert [(due.key, due.job) for due in pending_batches(home)] == [("first", "rejudge_batch")]
    assert run(home, tasks=False).batches == ["first"]
    assert pending_batches(home) == [] and judged(home) != before
    fresh = Home.at(tmp_path / "fresh")
    shutil.copytree(whole.root, fresh.root, dirs_exist_ok=True)
    study = find_study("quick_exercises")
    read_batch(Vault(fresh).receipt("first"), study, fresh)
    judge_batch("first", study, fresh)
    assert judged(home) == judged(fresh)


def test_a_batch_that_an_older_version_read_is_read_again(whole: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(whole.root, tmp_path / "home")
    home, where = Home.at(tmp_path / "home"), {"batch_id": "first"}
    streams, today = Lake(home).read("streams"), TABLES["streams"]
    with monkeypatch.context() as patched:
        older = tuple(column for column in today.columns if column.name not in ("still", "sensor", "declared_unit"))
        patched.setitem(TABLES, "streams", dataclasses.replace(today, columns=older))
        shutil.rmtree(home.lake / "streams")
        Lake(home).replace("streams", streams, where=where)
    row = Lake(home).read("batches").to_pylist()[0] | {"reading_version": None, "decisions": None}
    Lake(home).replace("batches", pa.Table.from_pylist([row], TABLES["batches"].schema), where=where)
    assert Lake(home).read("streams")["still"].null_count == streams.num_rows
    assert [(due.job, due.why) for due in pending_batches(home)] == [("process_batch", "the way files are read changed")]
    assert [due.job for due in rejudgings(home)] == ["process_batch"]
    assert run(home, tasks=False).failed == {}
    by = [("recording_id", "ascending"), ("stream", "ascending")]
    assert Lake(home).read("streams").sort_by(by).equals(streams.sort_by(by))
    assert pending_batches(home) == []


def test_what_a_study_says_of_its_files_has_them_read_again(whole: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(whole.root, tmp_path / "home")
    home = Home.at(tmp_path / "home")
    changed_study(tmp_path, monkeypatch, formats={"timezone": "Asia/Tokyo"})
    (due,) = pending_batches(home)
    assert (due.job, due.why) == ("process_batch", "the contract of its study and the way files are read changed")
    assert run(home, tasks=False).failed == {} and pending_batches(home) == []


def test_another_cut_resamples_and_judges_nothing(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))["tasks"]
    tasks["exercise_class"]["segment"]["seconds"] = 2
    changed_study(tmp_path, monkeypatch, tasks=tasks)
    verdicts, segments = Lake(home).version("verdicts"), Lake(home).read("segments").num_rows
    assert [due.job for due in pending_batches(home)] == ["recut_batch"]
    assert run(home, tasks=False).batches == ["first"]
    assert Lake(home).version("verdicts") == verdicts
    assert Lake(home).read("segments").num_rows > segments and pending_batches(home) == []


def test_corrections_reach_segments_and_warehouse_and_every_promise_is_kept(home: Home) -> None:
    aside = {row["code"]: row for row in query(home, "FROM quarantine").to_pylist()}
    label, unit = aside["label_unknown"]["recording_id"], aside["unit_implausible"]["recording_id"]
    correct(home, label, {"label": "squat", "participant": "P009"}, **_SIGNED)
    correct(home, unit, {"unit:accelerometer": "g"}, **_SIGNED)
    assert [(due.job, due.why) for due in pending_batches(home)] == [("rejudge_batch", "what people decided about it changed")]
    assert rejudge(home, batch_id="first").failed == {}
    assert pending_batches(home) == []
    where = f"recording_id IN ('{label}', '{unit}')"
    sql = f"SELECT DISTINCT recording_id, participant, label FROM segments WHERE {where}"
    segments = {row["recording_id"]: row for row in query(home, sql).to_pylist()}
    assert set(segments) == {label, unit}
    assert (segments[label]["participant"], segments[label]["label"]) == ("P009", "squat")
    length = query(home, f"SELECT median(sqrt(x*x + y*y + z*z)) AS m FROM resampled WHERE {where} AND stream = 'accelerometer'")
    assert 9 < length.to_pylist()[0]["m"] < 11
    assert query(home, f"SELECT count(*) AS n FROM verdict_history WHERE {where}").to_pylist() == [{"n": 4}]
    kept = {check.promise: check.kept for check in verify(home)}
    assert not kept.pop("delivered bytes are in the vault, unchanged") and all(kept.values())


@pytest.mark.slow
def test_a_unit_taken_back_is_the_one_thing_that_is_read_again(whole: Home, tmp_path: Path) -> None:
    shutil.copytree(whole.root, tmp_path / "own")
    home = Home.at(tmp_path / "own")
    (unit,) = {row["recording_id"] for row in query(home, "FROM quarantine WHERE code = 'unit_implausible'").to_pylist()}
    delivered_samples = Lake(home).read("samples")
    correct(home, unit, {"unit:accelerometer": "g"}, **_SIGNED)
    assert rejudge(home, batch_id="first").failed == {}
    assert not Lake(home).read("samples").equals(delivered_samples)
    undo(home, unit, **_SIGNED)
    assert [due.job for due in rejudgings(home)] == ["process_batch"]
    assert run(home, tasks=False).failed == {}
    assert Lake(home).read("samples").equals(delivered_samples) and pending_batches(home) == []


def test_batches_and_studies_that_are_not_there_are_answered_with_the_nearest(home: Home) -> None:
    with pytest.raises(UnknownName, match="did you mean 'first'"):
        rejudge(home, batch_id="frist")
    with pytest.raises(UnknownName, match="did you mean 'quick_exercises'"):
        rejudge(home, study="quick_exercise")
