"""Bodies drawn as images, altered copies of them, and the frames round the deepest point of a squat that they are drawn of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ml.learner import Learner
from ml.preprocessing.augmentation import augment
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.pose.images import CHANNELS, COLUMNS, ROWS, draw_poses, flipped, zoomed_out
from ml.preprocessing.pose.squats import NEEDED, find_squats, hip_height, knee_flexion
from ml.preprocessing.tensors import cut_streams
from ml.search import find_parameters
from studies import find_study
from studies.augmentation import Flip, ZoomOut
from studies.skeletons import JOINTS
from studies.study import Study
from tests.ml.bodies import squatting, streams_of
from tests.ml.written_batches import Recorded, write_batch
from tests.studies.trial import trial
from warehouse.home import Home
from warehouse.lake import Lake


def _streams(joints: np.ndarray) -> dict[str, np.ndarray]:
    return {name: joints[:, JOINTS.index(name.partition("@")[2])] for name in NEEDED}


def _good_and_bad(*, frames: int) -> list[Recorded]:
    return [
        Recorded(f"r{person}{label}", f"P{person:03d}", label, streams_of(squatting(frames, seed=2 * person + number)))
        for person in range(4)
        for number, label in enumerate(("good", "bad"))
    ]


def test_a_body_is_drawn_upright_with_its_hips_in_the_middle_and_its_left_brighter_on_the_right() -> None:
    (image,) = draw_poses(squatting(1))
    rows = np.flatnonzero(image.any(axis=1))
    assert image.shape == (ROWS, COLUMNS)
    assert image.dtype == np.uint8
    assert image[ROWS // 2, COLUMNS // 2 - 2 : COLUMNS // 2 + 3].any()
    assert rows.min() < 0.3 * ROWS
    assert rows.max() > 0.7 * ROWS
    legs = image[ROWS // 2 + 20 :]
    assert legs[:, COLUMNS // 2 + 2 :].max() > legs[:, : COLUMNS // 2 - 2].max() > 0
    assert 0.01 < (image > 0).mean() < 0.12


@settings(deadline=None, max_examples=20)
@given(shift=st.integers(-20, 20), seed=st.integers(0, 50))
def test_a_body_further_to_the_right_is_the_same_picture_further_to_the_right(shift: int, seed: int) -> None:
    body = squatting(1, seed=seed)
    moved = body + np.array([shift / 80, 0, 0], np.float32)
    here, there = draw_poses(body)[0], draw_poses(moved)[0]
    kept = slice(max(shift, 0), COLUMNS + min(shift, 0))
    assert (np.roll(here, shift, axis=1)[:, kept] != there[:, kept]).mean() < 0.004


def test_a_joint_that_is_nowhere_or_outside_breaks_nothing() -> None:
    bodies = squatting(3)
    bodies[0, JOINTS.index("left_knee")] = np.nan
    bodies[1] += 100
    bodies[2, JOINTS.index("left_wrist")] = 1e6
    images = draw_poses(bodies)
    assert images[0].any()
    assert not images[1].any()
    assert images[2].any()


@settings(deadline=None, max_examples=20)
@given(stacked=st.integers(1, 3), seed=st.integers(0, 20))
def test_flipping_twice_changes_nothing_and_zooming_out_keeps_the_middle(stacked: int, seed: int) -> None:
    images = draw_poses(squatting(stacked, seed=seed)).reshape(1, stacked * ROWS, COLUMNS).astype(np.float32)
    assert np.array_equal(flipped(flipped(images)), images)
    small = zoomed_out(images, 0.5)
    assert small.shape == images.shape
    assert (small > 0).sum() < 0.5 * (images > 0).sum()
    of_image = small.reshape(stacked, ROWS, COLUMNS)
    assert not of_image[:, : ROWS // 4 - 1].any()
    assert not of_image[:, :, : COLUMNS // 4 - 1].any()
    assert of_image[:, ROWS // 4 : -ROWS // 4].any(axis=(1, 2)).all()


def test_copies_of_a_task_are_these() -> None:
    images = draw_poses(squatting(2)).astype(np.float32)
    same = {"channels": CHANNELS, "example_ids": ["a", "b"], "seed": 0}
    assert np.array_equal(augment(images, Flip(), **same), flipped(images))  # type: ignore[arg-type]
    assert np.array_equal(augment(images, ZoomOut(factor=0.5), **same), zoomed_out(images, 0.5))  # type: ignore[arg-type]


@settings(deadline=None, max_examples=20)
@given(seconds=st.floats(1.6, 4), squats=st.integers(1, 4), seed=st.integers(0, 100))
def test_the_deepest_frame_of_every_squat_is_found(seconds: float, squats: int, seed: int) -> None:
    joints = squatting(round(30 * seconds * squats) + 1, seed=seed, seconds=seconds)
    found = find_squats(_streams(joints), rate_hz=30)
    truth = 30 * seconds * (np.arange(squats) + 0.5)
    assert len(found.deepest) == squats
    np.testing.assert_allclose(found.deepest, truth, atol=2.5)
    assert (found.confidence > 0.25).all()


def test_standing_is_no_squat_and_angles_are_those_of_the_legs() -> None:
    still = np.repeat(squatting(1), 90, axis=0)
    assert len(find_squats(_streams(still), rate_hz=30).deepest) == 0
    assert len(find_squats(_streams(still[:3]), rate_hz=30).deepest) == 0
    bent = _streams(still[:1])
    bent["joint@left_ankle"] = bent["joint@left_knee"] + np.array([[0, 0, -0.4]], np.float32)
    bent["joint@right_ankle"] = bent["joint@right_knee"] + np.array([[0, 0, -0.4]], np.float32)
    assert knee_flexion(bent)[0] == pytest.approx(np.pi / 2, abs=0.15)
    assert hip_height(_streams(still))[0] == pytest.approx(0.84, abs=0.1)


def test_a_task_learns_from_the_images_round_the_deepest_frame_of_every_squat(home: Home) -> None:
    study = find_study("squat_frames")
    recorded = _good_and_bad(frames=121)
    write_batch(home, study, "b1", recorded)
    resample_batch("b1", study, home)
    assert segment_batch("b1", study, home) == 16 * len(study.tasks)
    assert set(Lake(home).read("segments")["method"].to_pylist()) == {"deepest 5 frames"}
    table = freeze_examples(study, "form", home)
    originals = table.signals[table.original]
    assert originals.shape == (16, study.tasks["form"].segment.length * ROWS, COLUMNS)
    assert table.meta.channels == CHANNELS
    assert originals.max() == 255
    inferred = cut_streams(recorded[0].streams, study.tasks["form"])
    own = np.flatnonzero(table.original & (table.recording_id == recorded[0].recording_id))
    assert np.array_equal(inferred.signals, table.signals[own])


def test_a_task_may_ask_for_the_deepest_frame_alone() -> None:
    task = find_study("squat_frames").tasks["form"]
    whole, one = (task.model_copy(update={"segment": task.segment.model_copy(update={"length": length})}) for length in (11, 1))
    streams = streams_of(squatting(121))
    stacks, deepest = cut_streams(streams, whole).signals, cut_streams(streams, one).signals
    assert np.array_equal(deepest, stacks.reshape(2, 11, ROWS, COLUMNS)[:, 5])


def test_blocks_and_kernels_are_swept_as_the_study_declares(home: Home, tmp_path: Path) -> None:
    study = find_study("squat_frames")
    (model,) = study.tasks["form_swept"].models
    assert model.search is not None
    assert set(model.search.space) == {"blocks", "kernel"}
    quick = model.model_copy(update={"parameters": {**model.parameters, "epochs": 1, "filters": 1}})
    task = study.tasks["form_swept"].model_copy(update={"models": (quick,)})
    study = study.model_copy(update={"tasks": {"form_swept": task}})
    write_batch(home, study, "b1", _good_and_bad(frames=61))
    resample_batch("b1", study, home)
    segment_batch("b1", study, home)
    table = freeze_examples(study, "form_swept", home)
    learner, rows = Learner(table, task, quick.family, quick.parameters), np.arange(len(table.labels))
    trials = find_parameters(learner, rows, model.search, part="all", database=tmp_path / "trials.db", say=lambda _: None)
    assert {(trial.parameters["blocks"], trial.parameters["kernel"]) for trial in trials} == {
        (blocks, kernel) for blocks in (1, 2, 3, 4) for kernel in (2, 3, 4)
    }
    assert sum(trial.chosen for trial in trials) == 1


def test_a_squat_that_is_deepest_too_near_to_the_end_is_none_and_that_is_said(home: Home) -> None:
    study = find_study("squat_frames")
    task = study.tasks["form"]
    wide = task.model_copy(update={"segment": task.segment.model_copy(update={"frames": 20})})
    study = study.model_copy(update={"tasks": {"form": wide}})
    write_batch(home, study, "b1", [Recorded("r1", "P001", "good", streams_of(squatting(106)))])
    resample_batch("b1", study, home)
    assert segment_batch("b1", study, home) == 1
    assert Lake(home).read("cuts")["statement"].to_pylist() == ["1 squats are deepest too near to a gap or an end"]


_DEEPEST = {"by": "deepest", "length": 11, "frames": 5}
_INPUT = {"streams": ["joints"], "rate_hz": 30}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment": {"by": "deepest", "length": 11}}, "frames goes with 'by: deepest'"),
        ({"segment": {"by": "recording", "length": 11, "frames": 5}}, "frames goes with 'by: deepest'"),
        (
            {"segment": {"by": "deepest", "length": 11, "frames": 5}, "input": {"streams": ["joint@nose"], "rate_hz": 30}},
            "left_hip",
        ),
        ({"input": {**_INPUT, "derive": "images"}, "augment": [{"jitter": {"share": 0.1}}]}, "allowed: flip, zoom_out"),
        ({"input": _INPUT, "augment": [{"flip": {}}]}, "it needs 'derive: images'"),
        ({"input": _INPUT, "segment": {**_DEEPEST, "length": 3}}, "only images may be fewer"),
    ],
)
def test_what_does_not_go_together_is_refused(change: dict[str, object], message: str) -> None:
    streams = {"joint": {"unit": "m", "rate_hz": [20, 40]}}
    task = trial()["tasks"]["which"] | {"input": _INPUT} | change
    with pytest.raises(ValidationError, match=message):
        Study.model_validate(trial(streams=streams, tasks={"which": task}))


def test_an_example_of_several_images_is_answered_by_what_they_have_in_common(tmp_path: Path) -> None:
    from ml.models import create

    random = np.random.default_rng(0)
    labels = np.array(["left", "right"])[np.arange(60) % 2]
    images = random.uniform(0, 30, (60, 3, 32, 24)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[:, 10:20, slice(0, 10) if label == "left" else slice(14, 24)] += 200
    stacks = images.reshape(60, 96, 24)
    chosen = {"stacked": 3, "blocks": 2, "filters": 4, "dense": 8, "epochs": 12, "learning_rate": 0.003}
    fitted = create("image_cnn", chosen).fit(stacks[:40], labels[:40])
    assert (fitted.predict(stacks[40:]) == labels[40:]).mean() > 0.9
    shuffled = images[:, [2, 0, 1]].reshape(60, 96, 24)
    np.testing.assert_allclose(fitted.predict_proba(shuffled), fitted.predict_proba(stacks), atol=1e-5)
    with pytest.raises(Exception, match="no 5 images of one size"):
        create("image_cnn", {**chosen, "stacked": 5}).fit(stacks, labels)
