"""Simulated squats before a camera: bones keep their length, faults show where they should, files are what readers read."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.readers import joint_distances, landmark_csv
from ingestion.readers.interface import DeviceFile, Hints
from ingestion.simulation.poses import FORMS, PoseSpec, simulate_poses
from ingestion.simulation.poses.camera import PICTURE, find_landmarks, pictured
from ingestion.simulation.poses.delivery import Squatting, squats_of
from ingestion.simulation.poses.drawing import pictures_of
from studies import find_study
from studies.skeletons import JOINTS, MEDIAPIPE

_FEW = PoseSpec(people=2, seed=5, frames=90)


def at(squatting: Squatting, name: str) -> np.ndarray:
    return squatting.landmarks[:, MEDIAPIPE.index(name)]


def of_form(form: str, *, people: int = 12) -> list[Squatting]:
    return list(squats_of(PoseSpec(people=people, seed=5, forms=(form,))))


def flexion(squatting: Squatting) -> np.ndarray:
    thigh = at(squatting, "left_hip") - at(squatting, "left_knee")
    shank = at(squatting, "left_ankle") - at(squatting, "left_knee")
    cosine = (thigh * shank).sum(axis=1) / np.linalg.norm(thigh, axis=1) / np.linalg.norm(shank, axis=1)
    return np.pi - np.arccos(np.clip(cosine, -1, 1))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), form=st.sampled_from(list(FORMS)))
def test_bones_keep_their_length_and_feet_stay_where_they_are(seed: int, form: str) -> None:
    (squatting,) = squats_of(PoseSpec(people=1, seed=seed, forms=(form,)))
    for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
        for side in ("left", "right"):
            length = np.linalg.norm(at(squatting, f"{side}_{start}") - at(squatting, f"{side}_{end}"), axis=1)
            np.testing.assert_allclose(length, length[0], rtol=0.02)
    assert np.ptp(at(squatting, "left_foot_index"), axis=0).max() < 0.02
    assert np.isfinite(squatting.landmarks).all()
    steps = np.linalg.norm(np.diff(squatting.landmarks, axis=0), axis=2) * 30
    assert steps.max() < 5, "nothing moves faster than 5 m/s"


def test_the_bottom_of_a_squat_is_low_and_a_shallow_one_is_not() -> None:
    good, shallow = ([flexion(one).max() for one in of_form(form)] for form in ("good", "shallow"))
    assert np.median(good) > np.radians(95)
    assert np.median(shallow) < np.radians(85)


def test_knees_go_inwards_or_ahead_as_the_form_says() -> None:
    def apart(one: Squatting) -> float:
        low = flexion(one).argmax()
        return float((at(one, "left_knee") - at(one, "right_knee"))[low, 0])

    def ahead(one: Squatting) -> float:
        low = flexion(one).argmax()
        return float((at(one, "left_knee") - at(one, "left_ankle"))[low, 2])

    good = of_form("good")
    assert np.median([apart(one) for one in of_form("inward_knees")]) < np.median([apart(one) for one in good]) - 0.1
    assert np.median([ahead(one) for one in of_form("frontal_knee")]) > np.median([ahead(one) for one in good]) + 0.06


def test_back_and_head_bend_as_the_form_says() -> None:
    def trunk(one: Squatting) -> float:
        low = flexion(one).argmax()
        return float(
            np.linalg.norm(at(one, "left_shoulder")[low] - at(one, "left_hip")[low])
            / np.linalg.norm(at(one, "left_shoulder")[0] - at(one, "left_hip")[0])
        )

    def nose(one: Squatting) -> float:
        low = flexion(one).argmax()
        return float((at(one, "nose") - at(one, "left_ear"))[low, 1])

    good = of_form("good")
    assert np.median([trunk(one) for one in of_form("round_back")]) < np.median([trunk(one) for one in good]) - 0.05
    assert np.median([nose(one) for one in of_form("head_up")]) > np.median([nose(one) for one in good]) + 0.03


@pytest.mark.parametrize("form", [form for form in FORMS if form != "good"])
def test_no_fault_is_told_from_a_good_squat_by_a_single_distance(form: str) -> None:
    """People differ in size, build and habit, and the pose tool errs: only together do distances tell."""
    rows, labels = [], []
    for squatting in squats_of(PoseSpec(people=40, seed=5, forms=("good", form))):
        found = find_landmarks(squatting.camera, squatting.landmarks, squatting.t_s, squatting.rng)
        frame = found.world[int(np.nanargmin(np.where(np.isfinite(found.world[:, 0, 0]), -flexion(squatting), np.nan)))]
        rows.append(np.linalg.norm(frame[:, None] - frame[None], axis=2)[np.triu_indices(len(MEDIAPIPE), 1)])
        labels.append(squatting.form)
    table, truth = np.array(rows), np.array(labels) == form
    steps = np.sort(table, axis=0)
    right = max(((column > step) == truth).mean() for column, at in zip(table.T, steps.T, strict=True) for step in at[::4])
    wrong = min(((column > step) == truth).mean() for column, at in zip(table.T, steps.T, strict=True) for step in at[::4])
    assert max(right, 1 - wrong) < 1


def test_a_camera_has_the_body_in_its_picture_and_left_on_the_right() -> None:
    for squatting in squats_of(_FEW):
        places, depth = pictured(squatting.camera, squatting.landmarks)
        assert ((places > 0) & (places < 1)).mean() > 0.97
        assert depth.min() > 1
        if abs(squatting.camera.azimuth) < 0.8:
            assert places[0, MEDIAPIPE.index("left_hip"), 0] > places[0, MEDIAPIPE.index("right_hip"), 0]


def test_what_a_pose_tool_finds_is_near_the_truth_and_not_the_truth() -> None:
    for squatting in squats_of(_FEW):
        found = find_landmarks(squatting.camera, squatting.landmarks, squatting.t_s, squatting.rng)
        error = np.linalg.norm(found.image[..., :2] - pictured(squatting.camera, squatting.landmarks)[0], axis=2)
        assert 0.001 < np.nanmedian(error) < 0.01
        hips = found.world[:, [MEDIAPIPE.index("left_hip"), MEDIAPIPE.index("right_hip")]].mean(axis=1)
        np.testing.assert_allclose(hips[np.isfinite(hips)], 0, atol=1e-9)


@pytest.mark.parametrize("kind", ["landmarks", "distances"])
def test_files_are_read_as_the_body_that_was_simulated(kind: str, tmp_path: Path) -> None:
    folder = simulate_poses(tmp_path / "squats", PoseSpec(people=1, seed=5, frames=90, kind=kind, forms=("good", "shallow")))  # type: ignore[arg-type]
    study = find_study("squat_pose")
    reader = landmark_csv if kind == "landmarks" else joint_distances
    for path in sorted(folder.glob("P*")):
        file = DeviceFile(path.name, path.stat().st_size, lambda path=path: BytesIO(path.read_bytes()))
        assert reader.sniff(file)
        reading = reader.READER.read((file,), Hints(formats=study.formats))
        assert [found for found in reading.findings if found.severity == "error"] == []
        streams = {stream.name: stream for stream in reading.streams}
        assert set(streams) >= {f"joint@{name}" for name in JOINTS}
        thigh = streams["joint@left_hip"].values - streams["joint@left_knee"].values
        assert np.linalg.norm(thigh, axis=1).mean() == pytest.approx(0.42, abs=0.09)


def test_the_same_spec_makes_the_same_bytes_and_every_label_is_the_studys(tmp_path: Path) -> None:
    folders = [
        simulate_poses(tmp_path / name, PoseSpec(people=1, seed=2, frames=90, forms=("good", "round_back"))) for name in "ab"
    ]
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()
    assert all(find_study("squat_pose").canonical_label(form) == form for form in FORMS)
    with pytest.raises(FileExistsError, match="needs an empty folder"):
        simulate_poses(folders[0], _FEW)


def test_lost_frames_have_no_distances(tmp_path: Path) -> None:
    for seed in range(40):
        (squatting,) = squats_of(PoseSpec(people=1, seed=seed, frames=90, forms=("good",)))
        found = find_landmarks(squatting.camera, squatting.landmarks, squatting.t_s, squatting.rng)
        if lost := int(np.isnan(found.visibility[:, 0]).sum()):
            break
    assert 2 <= lost <= 6
    folder = simulate_poses(tmp_path / "d", PoseSpec(people=1, seed=seed, frames=90, forms=("good",), kind="distances"))
    (path,) = folder.glob("*.json")
    assert len(json.loads(path.read_bytes())) == 90 - lost


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "hologram"}, "kind 'hologram' is not known; known: landmarks, distances, clip"),
        ({"forms": ("jump",)}, "form 'jump' is not known"),
        ({"people": 0}, "count from 1"),
        ({"frames": 10}, "a recording has 90 to 9,000"),
    ],
)
def test_a_spec_that_cannot_be_made_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PoseSpec(**change)  # type: ignore[arg-type]


def test_a_clip_shows_a_figure_that_moves_before_a_wall_that_does_not() -> None:
    (squatting,) = squats_of(PoseSpec(people=1, seed=5, frames=90, forms=("good",)))
    some = squatting.landmarks[::45]
    pictures = pictures_of(some, squatting.camera, width=PICTURE[0] // 8, height=PICTURE[1] // 8)
    assert pictures[0].shape == (240, 135, 3)
    assert np.array_equal(pictures[0][0, 0], pictures[1][0, 0])
    changed = (pictures[0] != pictures[1]).any(axis=2)
    assert 0.03 < changed.mean() < 0.6
