"""A batch from samples to segments: one clock for all streams, accepted recordings only, nothing across a gap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml.preprocessing import batch as batch_module
from ml.preprocessing import recordings as recordings_module
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.recordings import by_stream
from ml.preprocessing.tensors import cut_streams
from studies.study import Study
from tests.ml.exercising import exercising
from tests.ml.written_batches import ORIGIN_NS, STUDY, Recorded, Streams, cohort, moving, wrist_study, write_batch
from warehouse.home import Home
from warehouse.lake import Lake


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return wrist_study(tmp_path)


def ran(home: Home, study: Study, recordings: list[Recorded]) -> tuple[pa.Table, pa.Table]:
    """Write and run one batch; its resampled rows and its segments."""
    write_batch(home, study, "b1", recordings)
    assert resample_batch("b1", study, home) == Lake(home).read("resampled").num_rows
    assert segment_batch("b1", study, home) == Lake(home).read("segments").num_rows
    return Lake(home).read("resampled"), Lake(home).read("segments")


def with_gap(streams: Streams, name: str, *, start_s: float, end_s: float) -> Streams:
    """The same streams without the readings of one between two times."""
    t_ns, values = streams[name]
    kept = (t_ns < ORIGIN_NS + start_s * 1e9) | (t_ns > ORIGIN_NS + end_s * 1e9)
    return {**streams, name: (t_ns[kept], values[kept])}


def test_streams_are_resampled_to_every_rate_that_a_task_asks_of_them_and_to_no_other(home: Home, study: Study) -> None:
    rows, _ = ran(home, study, cohort(1))
    asked = {(row["stream"], row["rate_hz"]) for row in rows.select(["stream", "rate_hz"]).to_pylist()}
    assert asked == {("accelerometer", 20), ("accelerometer", 25), ("gyroscope", 20), ("orientation", 25)}


def test_the_same_step_of_two_streams_is_the_same_instant(home: Home, study: Study) -> None:
    rows, _ = ran(home, study, cohort(2))
    ticks = rows.group_by(["recording_id", "rate_hz", "step"]).aggregate([("t_ns", "min"), ("t_ns", "max")])
    assert ticks["t_ns_min"].equals(ticks["t_ns_max"])
    first = rows.filter((pc.field("step") == 1) & (pc.field("rate_hz") == 20))
    assert set(first["t_ns"].to_pylist()) == {ORIGIN_NS + 50_000_000}


def test_resampled_values_follow_the_signal(home: Home, study: Study) -> None:
    one = Recorded("r", "P1", "wave", moving(1, hz=1))
    rows, _ = ran(home, study, [one])
    t_ns, values = one.streams["accelerometer"]
    found = rows.filter((pc.field("stream") == "accelerometer") & (pc.field("rate_hz") == 20))
    inside = slice(10, -10)
    truth = np.interp(found["t_ns"].to_numpy(), t_ns, values[:, 0])
    assert np.allclose(found["x"].to_numpy()[inside], truth[inside], atol=0.02)
    assert found["w"].null_count == found.num_rows


def test_orientation_stays_a_unit_quaternion(home: Home, study: Study) -> None:
    rows, _ = ran(home, study, [Recorded("r", "P1", "wave", moving(3))])
    found = rows.filter(pc.field("stream") == "orientation")
    norm = np.sqrt(sum(found[axis].to_numpy() ** 2 for axis in "xyzw"))
    assert np.allclose(norm, 1, atol=1e-5)


def test_a_quarantined_recording_is_neither_resampled_nor_cut(home: Home, study: Study) -> None:
    bad, *good = cohort(2)
    rows, segments = ran(home, study, [replace(bad, accepted=False), *good])
    for found in (rows, segments):
        assert set(found["recording_id"].to_pylist()) == {one.recording_id for one in good}


def test_a_segment_has_its_recordings_label_and_only_labels_of_the_task(home: Home, study: Study) -> None:
    people = [*cohort(1), Recorded("strange", "P1", "juggle", moving(8)), Recorded("silent", "P1", None, moving(9))]
    _, segments = ran(home, study, people)
    labels = {(row["task"], row["recording_id"], row["label"]) for row in segments.to_pylist()}
    assert labels == {
        ("wrist.movement", "r0shake", "shake"),
        ("wrist.movement", "r0turn", "turn"),
        ("wrist.movement", "r0wave", "wave"),
        ("wrist.whole", "r0shake", "shake"),
        ("wrist.whole", "r0wave", "wave"),
    }


def test_a_recording_without_a_stream_that_a_task_needs_has_no_segment_for_it(home: Home, study: Study) -> None:
    streams = moving(1)
    del streams["orientation"]
    _, segments = ran(home, study, [Recorded("r", "P1", "wave", streams)])
    assert set(segments["task"].to_pylist()) == {"wrist.movement"}


def test_no_segment_crosses_a_gap_of_any_of_its_streams(home: Home, study: Study) -> None:
    streams = with_gap(moving(1, seconds=20), "gyroscope", start_s=8.0, end_s=9.5)
    rows, segments = ran(home, study, [Recorded("r", "P1", "wave", streams)])
    windows = segments.filter(pc.field("task") == "wrist.movement").to_pylist()
    assert len(windows) > 10
    for window in windows:
        for stream in ("accelerometer", "gyroscope"):
            inside = rows.filter(
                (pc.field("stream") == stream)
                & (pc.field("rate_hz") == 20)
                & (pc.field("t_ns") >= window["start_ns"])
                & (pc.field("t_ns") <= window["end_ns"])
            )
            assert inside.num_rows == window["steps"]
            assert len(set(inside["piece"].to_pylist())) == 1
    assert not any(window["start_ns"] < ORIGIN_NS + 9.0e9 < window["end_ns"] for window in windows)


def test_windows_are_as_long_and_as_far_apart_as_the_task_says(home: Home, study: Study) -> None:
    _, segments = ran(home, study, [Recorded("r", "P1", "wave", moving(1, seconds=8))])
    windows = segments.filter(pc.field("task") == "wrist.movement")
    assert windows["method"].to_pylist() == ["window 2s overlap 0.5"] * windows.num_rows
    assert set(np.diff(windows["start_ns"].to_numpy()).tolist()) == {1_000_000_000}
    assert set(windows["steps"].to_pylist()[:-1]) == {40}
    spans = pc.subtract(windows["end_ns"], windows["start_ns"]).to_numpy()
    assert (spans == (windows["steps"].to_numpy() - 1) * 50_000_000).all()


def test_a_repeated_run_changes_nothing_and_segment_ids_stay(home: Home, study: Study) -> None:
    people = cohort(2)
    first = ran(home, study, people)
    again = ran(home, study, people)
    assert all(before.equals(after) for before, after in zip(first, again, strict=True))
    assert len(set(first[1]["segment_id"].to_pylist())) == first[1].num_rows


def test_a_batch_whose_recordings_are_all_set_aside_leaves_nothing_of_an_earlier_run(home: Home, study: Study) -> None:
    people = cohort(1)
    ran(home, study, people)
    rows, segments = ran(home, study, [replace(one, accepted=False) for one in people])
    assert rows.num_rows == segments.num_rows == 0


def test_reading_a_few_recordings_at_a_time_gives_the_same_as_all_at_once(
    home: Home, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = cohort(3)
    together = ran(home, study, people)
    monkeypatch.setattr(recordings_module.in_groups, "__defaults__", (1000,))
    assert all(a.equals(b) for a, b in zip(together, ran(home, study, people), strict=True))


def test_inference_cuts_the_same_segments_out_of_the_same_streams(home: Home, study: Study) -> None:
    one = Recorded("r", "P1", "wave", with_gap(moving(4, seconds=12), "accelerometer", start_s=5, end_s=5.5))
    _, segments = ran(home, study, [one])
    task = study.tasks["movement"]
    cut = cut_streams(one.streams, task)
    stored = segments.filter(pc.field("task") == "wrist.movement")
    assert cut.start_ns.tolist() == stored["start_ns"].to_pylist()
    assert cut.end_ns.tolist() == stored["end_ns"].to_pylist()
    assert cut.signals.shape == (stored.num_rows, 40, 8)


def test_rows_that_do_not_lie_together_are_still_taken_apart_in_order() -> None:
    rows = pa.table({"recording_id": ["a", "b", "a", "a"], "stream": ["x", "x", "y", "x"], "t_ns": [1, 2, 3, 4]})
    found = by_stream(rows)
    assert found["a"]["x"]["t_ns"].to_pylist() == [1, 4]
    assert found["a"]["y"]["t_ns"].to_pylist() == [3]
    assert found["b"]["x"]["t_ns"].to_pylist() == [2]


# --- annotations and repetitions


def cut_by(folder: Path, segment: str, **changes: str) -> Study:
    """The study with its first task cut otherwise."""
    text = STUDY.replace("{by: window, seconds: 2, overlap: 0.5, length: 40, min_seconds: 1.5}", segment)
    for old, new in changes.items():
        text = text.replace(f"{old}:", f"{new}\n    {old}:", 1)
    return wrist_study(folder, text)


def test_a_marked_stretch_has_its_own_label_and_the_recordings_where_it_has_none(home: Home, tmp_path: Path) -> None:
    study = cut_by(tmp_path, "{by: annotation, length: 40}")
    marks = [(1, 3, "Shake"), (3.5, 5.5, None), (6, 6, "turn"), (7.5, 7.5, "turn"), (2, 4, "juggling")]
    _, segments = ran(home, study, [Recorded("r", "P1", "wave", moving(1), marks=marks)])
    found = segments.filter(pc.field("task") == "wrist.movement")
    assert found["label"].to_pylist() == ["shake", "wave", "turn"]
    assert found["method"].to_pylist() == ["annotation"] * 3
    lasting = pc.subtract(found["end_ns"], found["start_ns"]).to_numpy() / 1e9
    assert np.allclose(lasting, [2, 2, 1.5], atol=0.051)
    assert found["confidence"].null_count == 3
    (cut,) = Lake(home).read("cuts", where={"task": "wrist.movement"}).to_pylist()
    assert cut["segments"] == 3
    assert "('juggling')" in cut["statement"]


def test_marks_that_begin_together_are_two_segments_and_labels_of_no_task_are_none(home: Home, tmp_path: Path) -> None:
    study = cut_by(tmp_path, "{by: annotation, length: 40}", input="labels: [wave, turn]")
    marks = [(1, 3, "wave"), (1, 6, "wave"), (4, 6, "shake")]
    _, segments = ran(home, study, [Recorded("r", "P1", "shake", moving(1), marks=marks)])
    found = segments.filter(pc.field("task") == "wrist.movement")
    assert found["label"].to_pylist() == ["wave", "wave"]
    assert len(set(found["segment_id"].to_pylist())) == 2


def test_a_recording_that_nobody_marked_has_no_segment_and_a_row_that_says_so(home: Home, tmp_path: Path) -> None:
    study = cut_by(tmp_path, "{by: annotation, length: 40}")
    _, segments = ran(home, study, [Recorded("r", "P1", "wave", moving(1))])
    assert "wrist.movement" not in segments["task"].to_pylist()
    (cut,) = Lake(home).read("cuts", where={"task": "wrist.movement"}).to_pylist()
    assert (cut["segments"], cut["recording_id"]) == (0, "r")


def test_repetitions_become_segments_with_a_confidence_and_inference_cuts_the_same(home: Home, tmp_path: Path) -> None:
    study = cut_by(tmp_path, "{by: repetition, length: 100, max_seconds: 5}")
    streams, truth = exercising(7, rate_hz=50, seed=4)
    at = ORIGIN_NS + np.arange(len(streams["gyroscope"])) * 20_000_000
    one = Recorded("r", "P1", "wave", {name: (at, values) for name, values in streams.items()})
    _, segments = ran(home, study, [one])
    assert segments.num_rows == len(truth)
    assert set(segments["method"].to_pylist()) == {"repetition 1s to 5s"}
    assert set(segments["label"].to_pylist()) == {"wave"}
    assert all(0.3 < sure <= 1 for sure in segments["confidence"].to_pylist())
    (cut,) = Lake(home).read("cuts").to_pylist()
    assert cut["segments"] == 7
    assert cut["confidence"] == pytest.approx(np.mean(segments["confidence"].to_pylist()))
    again = cut_streams(one.streams, study.tasks["movement"])
    assert again.start_ns.tolist() == segments["start_ns"].to_pylist()
    assert again.signals.shape == (7, 100, 8)


def test_a_repetition_never_crosses_a_gap(home: Home, tmp_path: Path) -> None:
    study = cut_by(tmp_path, "{by: repetition, length: 100, max_seconds: 5}")
    streams, _ = exercising(12, rate_hz=50, seed=4)
    at = ORIGIN_NS + np.arange(len(streams["gyroscope"])) * 20_000_000
    whole = {name: (at, values) for name, values in streams.items()}
    _, segments = ran(home, study, [Recorded("r", "P1", "wave", with_gap(whole, "gyroscope", start_s=15, end_s=15.6))])
    gap = ORIGIN_NS + 15.3e9
    assert not any(row["start_ns"] < gap < row["end_ns"] for row in segments.to_pylist())
    assert 9 <= segments.num_rows <= 12


def test_what_is_less_sure_than_asked_is_left_out_and_counted(home: Home, tmp_path: Path) -> None:
    study = cut_by(tmp_path, "{by: repetition, length: 100, max_seconds: 5, min_confidence: 0.99}")
    streams, _ = exercising(5, rate_hz=50, unevenness=0.3)
    at = ORIGIN_NS + np.arange(len(streams["gyroscope"])) * 20_000_000
    _, segments = ran(home, study, [Recorded("r", "P1", "wave", {name: (at, values) for name, values in streams.items()})])
    assert segments.num_rows == 0
    (cut,) = Lake(home).read("cuts").to_pylist()
    assert "less sure than 0.99" in cut["statement"]


def test_a_recording_of_no_label_has_segments_where_the_task_asks_who_it_is(home: Home, tmp_path: Path) -> None:
    text = STUDY.replace("group: participant, test: 0.25", "group: session").replace(
        "    input:", "    target: participant\n    input:", 1
    )
    study = wrist_study(tmp_path, text)
    _, segments = ran(home, study, [Recorded("r", "P1", None, moving(1), session="set1")])
    found = segments.filter(pc.field("task") == "wrist.movement")
    assert found.num_rows > 0
    assert found["label"].null_count == found.num_rows


def test_a_study_without_tasks_is_prepared_for_nothing(home: Home, study: Study) -> None:
    write_batch(home, study, "b1", cohort(1))
    without = study.model_copy(update={"tasks": {}})
    assert resample_batch("b1", without, home) == 0
    assert segment_batch("b1", without, home) == 0


# --- long recordings, and what is told of resampling


def test_a_long_recording_read_in_parts_comes_to_what_it_comes_to_at_once(
    home: Home, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [Recorded("r", "P1", "wave", with_gap(moving(4, seconds=60), "gyroscope", start_s=20, end_s=22))]
    at_once, segments = ran(home, study, people)
    told = Lake(home).read("resampling")
    monkeypatch.setattr(batch_module, "ROWS_AT_ONCE", 1000)
    monkeypatch.setattr(recordings_module, "_ROWS_A_PART", 700)
    in_parts, same_segments = ran(home, study, people)
    assert segments.equals(same_segments)
    axes = ["x", "y", "z", "w"]
    assert at_once.drop_columns(axes).equals(in_parts.drop_columns(axes))
    for axis in axes:
        one, other = (rows[axis].to_pandas().to_numpy() for rows in (at_once, in_parts))
        assert np.allclose(one, other, atol=1e-4, equal_nan=True)
    again = Lake(home).read("resampling")
    assert told.drop_columns("error_rms").equals(again.drop_columns("error_rms"))


def test_what_is_told_of_resampling_are_the_streams_own_rate_its_gaps_and_its_error(home: Home, study: Study) -> None:
    ran(home, study, [Recorded("r", "P1", "wave", with_gap(moving(4, seconds=40), "gyroscope", start_s=20, end_s=24))])
    told = {(row["stream"], row["rate_hz"]): row for row in Lake(home).read("resampling").to_pylist()}
    assert told.keys() == {("accelerometer", 20), ("accelerometer", 25), ("gyroscope", 20), ("orientation", 25)}
    assert told["accelerometer", 20]["source_rate_hz"] == pytest.approx(50)
    assert (told["accelerometer", 20]["pieces"], told["gyroscope", 20]["pieces"]) == (1, 2)
    assert told["accelerometer", 20]["covered"] == pytest.approx(1, abs=0.01)
    assert told["gyroscope", 20]["covered"] == pytest.approx(0.9, abs=0.01)
    assert 0 < told["accelerometer", 20]["error_rms"] < 0.01
    assert 0 < told["orientation", 25]["error_rms"] < 0.2
