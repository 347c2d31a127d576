"""Pictures round the deepest frame of every squat: kept as PNG without loss, and the same that tasks learn from."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.pose.bodies import keep_bodies
from ml.preprocessing.pose.images import COLUMNS, ROWS, as_png, draw_poses
from studies import find_study
from studies.study import Task
from tests.ml.bodies import squatting, streams_of
from tests.ml.written_batches import ORIGIN_NS, Recorded, Streams, write_batch
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.publish import publish
from warehouse.query import query

_STUDY = find_study("squat_frames")


def _image(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def _kept(home: Home, streams: Streams, **said: object) -> list[dict[str, object]]:
    write_batch(home, _STUDY, "b1", [Recorded("r1", "P001", "good", streams, **said)])  # type: ignore[arg-type]
    keep_bodies("b1", _STUDY, home)
    return Lake(home).read("pose_images").to_pylist()


def test_a_picture_read_back_is_the_one_that_was_drawn() -> None:
    drawn = draw_poses(squatting(20, seed=3))
    files = as_png(drawn)
    assert all(file.startswith(b"\x89PNG\r\n\x1a\n") for file in files)
    assert np.array_equal(np.stack([_image(file) for file in files]), drawn)
    assert sum(map(len, files)) < 0.1 * drawn.nbytes


def test_eleven_frames_round_every_deepest_one_are_kept_and_shown_in_the_warehouse(home: Home) -> None:
    joints = squatting(121)
    rows = _kept(home, streams_of(joints))
    assert [(row["repetition"], row["frame_offset"]) for row in rows] == [(n, o) for n in (1, 2) for o in range(-5, 6)]
    deepest = Lake(home).read("squats")["deepest_ns"].to_pylist()
    assert [row["t_ns"] for row in rows if row["frame_offset"] == 0] == deepest
    frames = np.rint([(row["t_ns"] - ORIGIN_NS) * 30 / 1e9 for row in rows]).astype(int)  # type: ignore[operator]
    assert np.array_equal(np.stack([_image(row["png"]) for row in rows]), draw_poses(joints[frames]))  # type: ignore[arg-type]
    publish(home)
    (shown,) = query(home, "SELECT png FROM pose_images WHERE repetition = 2 AND frame_offset = -5").to_pylist()
    assert shown["png"] == rows[11]["png"]


def test_pictures_stop_at_a_gap_and_at_the_end_and_there_is_none_where_nobody_was_seen(home: Home) -> None:
    joints, t_s = squatting(181), np.arange(181) / 30
    there = (t_s < 3.1) | (t_s > 3.5)
    squats = [(0.0, 3 / 30, 1.0, None), (2.0, 90 / 30, 4.0, None), (3.0, 3.3, 4.0, None), (5.0, 6.0, 6.0, None)]
    rows = _kept(home, streams_of(joints[there], t_s[there]), squats=squats)
    offsets = {n: [row["frame_offset"] for row in rows if row["repetition"] == n] for n in (1, 2, 3, 4)}
    assert offsets == {1: list(range(-3, 6)), 2: list(range(-5, 3)), 3: [], 4: list(range(-5, 1))}


def test_tasks_on_a_clock_of_the_frames_own_rate_learn_from_the_same_pictures(home: Home) -> None:
    people = [
        Recorded(f"r{n}", f"P00{n}", label, streams_of(squatting(121, seed=n)))
        for n, label in enumerate(("good", "bad", "good", "bad"))
    ]
    write_batch(home, _STUDY, "b1", people)
    as_seen = _STUDY.tasks["form"].model_dump() | {
        "input": {"streams": ["joints"], "rate_hz": 30, "derive": "images"},
        "segment": {"by": "deepest", "frames": 5, "length": 11},
    }
    study = _STUDY.model_copy(update={"tasks": {"form": Task.model_validate(as_seen)}})
    resample_batch("b1", study, home)
    keep_bodies("b1", study, home)
    segment_batch("b1", study, home)
    table = freeze_examples(study, "form", home)
    learnt = table.signals[table.original].reshape(8, 11, ROWS, COLUMNS)
    rows = (
        Lake(home).read("pose_images").sort_by([(name, "ascending") for name in ("recording_id", "repetition", "frame_offset")])
    )
    kept = np.stack([_image(png) for png in rows["png"].to_pylist()]).reshape(learnt.shape)
    assert np.array_equal(kept, learnt)
