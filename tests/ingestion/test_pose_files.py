"""Poses that are delivered as files: landmarks as CSV and distances as JSON become joints, and what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from ingestion.readers import Hints, known_by_content
from ingestion.readers.interface import DeviceFile
from ingestion.recording import Reading
from studies.formats import Formats, PoseFiles
from studies.skeletons import JOINTS, MEDIAPIPE
from tests.ingestion.device_files import device_file, streams
from tests.ingestion.pose_files import distance_json, distances_of, landmark_csv, landmarks
from tests.ml.bodies import squatting

_SAID = Hints(Formats(poses=PoseFiles(rate_hz=30, aspect=16 / 9)))
_UNSAID = Hints(Formats())

_Floats = npt.NDArray[np.floating]


def _read(file: DeviceFile, hints: Hints, name: str) -> Reading:
    reader = known_by_content(file, hints)
    assert reader is not None
    assert reader.name == name
    return reader.read([file], hints)


def _faults(reading: Reading, severity: str = "error") -> dict[str, str]:
    return {one.reason.code: f"{one.reason.place}: {one.reason.sentence}" for one in reading.findings if one.severity == severity}


# --- landmarks as CSV -----------------------------------------------------------------------------------------------------


def _read_csv(text: str, hints: Hints = _SAID) -> Reading:
    return _read(device_file("poses.csv", text), hints, "landmark_csv")


def test_world_landmarks_become_joints_in_metres_with_y_up() -> None:
    reading = _read_csv(landmark_csv(landmarks()))
    found = streams(reading)
    assert len(found) == 23
    knee = found["joint@left_knee"]
    np.testing.assert_allclose(knee.values, squatting(40)[:, JOINTS.index("left_knee")], atol=1e-5)
    np.testing.assert_array_equal(knee.t_ns, np.rint(np.arange(40) * 1e9 / 30))
    middle = (found["joint@left_shoulder"].values + found["joint@right_shoulder"].values) / 2
    np.testing.assert_allclose(found["joint@neck"].values, middle, atol=1e-6)
    assert _faults(reading) == {}
    assert reading.poses[0].world.shape == (40, 33, 3)


def test_landmarks_of_a_picture_become_keypoints_in_heights_of_it() -> None:
    points = np.full((20, 33, 3), [0.5, 0.25, 0.1])
    found = streams(_read_csv(landmark_csv(points)))
    np.testing.assert_allclose(found["keypoint@nose"].values[0], [0.5 * 16 / 9, 0.75, -0.1 * 16 / 9], rtol=1e-5)
    no_shape = Hints(Formats(poses=PoseFiles(rate_hz=30)))
    assert list(_faults(_read_csv(landmark_csv(points), no_shape))) == ["aspect_unknown"]


def test_without_a_rate_in_the_study_a_file_without_times_is_refused() -> None:
    reading = _read_csv(landmark_csv(landmarks()), _UNSAID)
    assert list(_faults(reading)) == ["rate_unknown"]
    assert reading.streams == ()


def test_a_joint_that_is_all_zero_has_no_row_there_and_nothing_is_filled() -> None:
    points = landmarks()
    points[10:14, MEDIAPIPE.index("right_knee")] = 0
    points[30] = 0
    reading = _read_csv(landmark_csv(points))
    found = streams(reading)
    frames = np.rint(found["joint@right_knee"].t_ns * 30 / 1e9).astype(int)
    assert sorted(set(range(40)) - set(frames.tolist())) == [10, 11, 12, 13, 30]
    assert len(found["joint@left_knee"].t_ns) == 39
    assert "in 1 of its 40 frames" in _faults(reading, "warning")["joints_not_seen"]


def test_a_file_in_which_nobody_is_to_be_seen_is_an_error() -> None:
    reading = _read_csv(landmark_csv(np.zeros((5, 33, 3))))
    assert reading.streams == ()
    assert "joints_not_seen" in _faults(reading)


def test_runs_of_a_label_are_marked_stretches() -> None:
    reading = _read_csv(landmark_csv(landmarks(6), labels=["up", "up", "down", "down", "down", "up"]))
    found = [(round(one.start_ns * 30 / 1e9), round(one.end_ns * 30 / 1e9), one.label) for one in reading.annotations]
    assert found == [(0, 1, "up"), (2, 4, "down"), (5, 5, "up")]


def test_eighteen_numbered_landmarks_are_refused_and_33_are_read() -> None:
    def numbered(count: int) -> str:
        header = ",".join(f"{axis}{number}" for number in range(1, count + 1) for axis in "xyzv")
        return header + "\n" + landmark_csv(landmarks()[:, :count], MEDIAPIPE[:count]).split("\n", 1)[1]

    assert "has 18 numbered landmarks; due are MediaPipe's 33" in _faults(_read_csv(numbered(18)))["joints_wrong_number"]
    assert len(streams(_read_csv(numbered(33)))) == 23


@pytest.mark.parametrize(
    ("cell", "code", "where"),
    [
        ("nan", "csv_value_missing", "poses.csv row 5 column left_knee_y"),
        ("", "csv_value_missing", "poses.csv row 5 column left_knee_y"),
        ("up", "csv_not_a_number", "poses.csv row 5 column left_knee_y"),
        ("1,2", "csv_row_ragged", "poses.csv row 5"),
    ],
)
def test_a_bad_cell_is_told_with_its_row_and_column(cell: str, code: str, where: str) -> None:
    faults = _faults(_read_csv(landmark_csv(landmarks(), cells={(3, "left_knee_y"): cell})))
    assert list(faults) == [code]
    assert faults[code].startswith(where)


@pytest.mark.real
@pytest.mark.parametrize(("name", "frames"), [("squat_train.csv", 4160), ("squat_test.csv", 853), ("lunge_err.test.csv", 1107)])
def test_published_landmarks_are_read_whole(real: Path, name: str, frames: int) -> None:
    file = DeviceFile.at(real / "keypoints" / "exercise_mediapipe" / name)
    reading = _read(file, _SAID, "landmark_csv")
    assert _faults(reading) == {}
    found = streams(reading)
    assert len(found["keypoint@nose"].t_ns) == frames
    assert "keypoint@left_knee" in found
    assert "keypoint@neck" in found
    assert "keypoint@head_top" not in found  # they hold no ears
    upright = np.median(found["keypoint@nose"].values[:, 1]) - np.median(found["keypoint@left_ankle"].values[:, 1])
    assert upright > 0.2
    assert len(reading.annotations) >= 10


# --- landmarks with x and y only, in pixels -------------------------------------------------------------------------------

_EIGHT = [f"{side}_{joint}" for joint in ("shoulder", "hip", "knee", "ankle") for side in ("left", "right")]
_IN_PIXELS = Hints(Formats(poses=PoseFiles(rate_hz=30, frame=(1080, 1920))))


def _flat(points: _Floats) -> str:
    """A CSV of eight joints, shape (n, 8, 2), in pixels, and a column that is no joint's."""
    header = ",".join([*(f"{name}_{axis}" for name in _EIGHT for axis in "xy"), "squat"])
    return header + "\n" + "".join(f"{','.join(f'{value:g}' for value in row.ravel())},1\n" for row in points)


def _pixels(frames: int = 20) -> _Floats:
    return np.random.default_rng(0).integers(100, 1000, (frames, 8, 2)).astype(float)


def test_joints_in_pixels_become_keypoints_in_heights_of_the_picture() -> None:
    points = _pixels()
    reading = _read_csv(_flat(points), _IN_PIXELS)
    assert _faults(reading) == {}
    found = streams(reading)
    assert set(found) == {f"keypoint@{name}" for name in (*_EIGHT, "neck")}
    for number, name in enumerate(_EIGHT):
        x, y = points[:, number].T
        expected = np.stack([x / 1920, 1 - y / 1920, 0 * x], axis=1)
        np.testing.assert_allclose(found[f"keypoint@{name}"].values, expected, atol=1e-6)
    assert "columns of no landmark that has x, y were left out: 1 of them (squat)" in _faults(reading, "note")["column_unknown"]


def test_pixels_of_a_picture_of_unknown_size_are_refused_and_shares_of_one_are_read() -> None:
    assert list(_faults(_read_csv(_flat(_pixels()), _SAID))) == ["frame_size_unknown"]
    assert _faults(_read_csv(_flat(_pixels() / 1000), _SAID)) == {}


def test_a_picture_that_is_smaller_than_the_body_in_it_is_doubted() -> None:
    small = Hints(Formats(poses=PoseFiles(rate_hz=30, frame=(480, 480))))
    reading = _read_csv(_flat(_pixels()), small)
    assert "outside of a picture of 480 × 480 pixels" in _faults(reading, "warning")["frame_size_doubtful"]
    assert len(reading.streams) == 9


def test_a_joint_at_zero_has_no_row_and_one_frame_is_a_recording() -> None:
    points = _pixels(3)
    points[1, _EIGHT.index("left_knee")] = 0
    assert len(streams(_read_csv(_flat(points), _IN_PIXELS))["keypoint@left_knee"].t_ns) == 2
    assert len(streams(_read_csv(_flat(points[:1]), _IN_PIXELS))["keypoint@left_knee"].t_ns) == 1
    assert list(_faults(_read_csv(_flat(points[:0]), _IN_PIXELS))) == ["csv_no_rows"]


@pytest.mark.parametrize("cell", ["nan", "", "up", "inf"])
def test_a_bad_pixel_is_told_with_its_row_and_column(cell: str) -> None:
    header, first, second, *rest = _flat(_pixels()).split("\n")
    text = "\n".join([header, first, f"{cell},{second.partition(',')[2]}", *rest])
    (fault,) = _faults(_read_csv(text, _IN_PIXELS)).values()
    assert fault.startswith("poses.csv row 3 column left_shoulder_x")


def test_a_study_says_the_pictures_size_or_its_shape() -> None:
    with pytest.raises(ValidationError, match="frame or aspect, not both"):
        PoseFiles(aspect=1.5, frame=(1080, 1920))


@pytest.mark.real
def test_published_joints_in_pixels_are_read_whole(real: Path) -> None:
    paths = sorted((real / "keypoints" / "good_bad_squat_2d" / "output_csv").glob("*f_*.csv"))
    empty = 0
    for path in paths:
        given = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2) if path.read_text().count("\n") > 1 else np.zeros((0, 17))
        reading = _read(DeviceFile.at(path), _IN_PIXELS, "landmark_csv")
        if not len(given):
            assert list(_faults(reading)) == ["csv_no_rows"]
            empty += 1
            continue
        assert _faults(reading) == {}
        x, y = given[:, 4], given[:, 5]
        seen = (x != 0) | (y != 0)
        hip = streams(reading)["keypoint@left_hip"].values
        np.testing.assert_allclose(hip[:, :2], np.stack([x, 1920 - y], axis=1)[seen] / 1920, atol=1e-6)
    assert (len(paths), empty) == (184, 15)


# --- distances as JSON ----------------------------------------------------------------------------------------------------


def _read_json(text: str | bytes, hints: Hints = _SAID) -> Reading:
    return _read(device_file("squat.json", text), hints, "joint_distances")


def _joints(reading: Reading) -> _Floats:
    found = streams(reading)
    return np.stack([found[f"joint@{name}"].values for name in JOINTS], axis=1)


def _turning(frames: int, seed: int) -> _Floats:
    """A squatting body that somebody else's axes show, turned and moved in every frame."""
    angles = np.linspace(0, 2, frames) + seed
    turned: _Floats = np.einsum(
        "nij,nkj->nki", Rotation.from_rotvec(angles[:, np.newaxis] * [0, 1, 0]).as_matrix(), squatting(frames, seed=seed)
    )
    return turned + np.random.default_rng(seed).normal(0, 5, (frames, 1, 3))


@pytest.mark.parametrize("seed", range(6))
def test_distances_come_back_and_left_is_left(seed: int) -> None:
    body = _turning(90, seed)
    joints = _joints(_read_json(distance_json(distances_of(body))))
    np.testing.assert_allclose(distances_of(joints), distances_of(body), atol=1e-4)
    for frame in (0, 45, 89):  # a turn, and no mirror, sets one onto the other
        centred = body[frame] - body[frame].mean(axis=0)
        _, apart = Rotation.align_vectors(centred, joints[frame] - joints[frame].mean(axis=0))
        assert apart < 0.001


def test_the_body_stands_upright_faces_the_camera_and_moves_smoothly() -> None:
    joints = _joints(_read_json(distance_json(distances_of(_turning(90, 3)))))
    np.testing.assert_allclose((joints[:, 2] + joints[:, 3]) / 2, 0, atol=1e-5)
    standing = joints[0]
    assert standing[JOINTS.index("head_top"), 1] > 0.6
    assert standing[JOINTS.index("left_hip"), 0] > standing[JOINTS.index("right_hip"), 0]
    assert standing[JOINTS.index("nose"), 2] > 0.05
    assert np.abs(np.diff(joints, axis=0)).max() < 0.06


def test_frames_are_put_in_their_order_and_a_missing_one_is_a_gap() -> None:
    frames = json.loads(distance_json(distances_of(squatting(8))))
    del frames["5"]
    reading = _read_json(json.dumps(dict(reversed(frames.items()))))
    times = streams(reading)["joint@nose"].t_ns
    assert np.rint(times * 30 / 1e9).tolist() == [0, 1, 2, 3, 4, 6, 7]


def test_a_frame_of_zeros_is_a_gap() -> None:
    distances = distances_of(squatting(8))
    distances[2] = 0
    reading = _read_json(distance_json(distances))
    assert len(streams(reading)["joint@nose"].t_ns) == 7
    assert list(_faults(reading, "warning")) == ["joints_not_seen"]
    assert list(_faults(_read_json(distance_json(distances[2:3])))) == ["joints_not_seen"]


def test_distances_that_no_body_has_are_left_out_and_alone_refused() -> None:
    distances = distances_of(squatting(8))
    distances[4, 17] = 5
    reading = _read_json(distance_json(distances))
    assert len(streams(reading)["joint@nose"].t_ns) == 7
    assert "in 1 of 8 frames" in _faults(reading, "warning")["distances_of_no_body"]
    assert list(_faults(_read_json(distance_json(distances[4:5])))) == ["distances_of_no_body"]


_ONE = {"index": 9, "3d_joint": [0.5] * 171}


@pytest.mark.parametrize(
    ("frame", "code", "words"),
    [
        ({**_ONE, "3d_joint": [0.5] * 153}, "joints_wrong_number", "153 distances, those of 18 joints; due are 171"),
        ({**_ONE, "3d_joint": [0.5] * 170}, "joints_wrong_number", "frame '9': the frame has 170 distances; due are 171"),
        ({**_ONE, "3d_joint": [float("nan"), *[0.5] * 170]}, "distances_malformed", "distance 1 is nan"),
        ({**_ONE, "3d_joint": [*[0.5] * 170, -1]}, "distances_malformed", "distance 171 is -1"),
        ({**_ONE, "3d_joint": [*[0.5] * 170, "0.5"]}, "distances_malformed", "not all of its distances are numbers"),
        ({**_ONE, "3d_joint": [*[0.5] * 170, None]}, "distances_malformed", "not all of its distances are numbers"),
        ({**_ONE, "3d_joint": [*[0.5] * 170, 10**400]}, "distances_malformed", "larger than any number"),
        ({**_ONE, "3d_joint": "0.5"}, "distances_malformed", "a frame is an object"),
        ({**_ONE, "index": 2}, "distances_malformed", "index 2 is there twice"),
        ({**_ONE, "index": True}, "distances_malformed", "'index' is 'True'"),
        ([0.5] * 171, "distances_malformed", "a frame is an object"),
    ],
)
def test_a_bad_frame_is_told_by_its_name(frame: object, code: str, words: str) -> None:
    reading = _read_json(distance_json(distances_of(squatting(4)), **{"9": frame}))
    faults = _faults(reading)
    assert list(faults) == [code]
    assert words in faults[code]
    assert reading.streams == ()


@pytest.mark.parametrize("keep", [0.3, 0.999])
def test_a_file_that_was_cut_off_is_refused_whole(keep: float) -> None:
    text = distance_json(distances_of(squatting(4)))
    assert list(_faults(_read_json(text[: int(keep * len(text))]))) == ["json_not_parsed"]


def test_json_that_is_nested_without_end_ends_itself_only() -> None:
    assert list(_faults(_read_json('{"3d_joint": ' + "[" * 200_000))) == ["json_not_parsed"]


@pytest.mark.real
def test_published_distances_are_those_of_a_body(real: Path) -> None:
    (path,) = (real / "keypoints" / "ogata_format").glob("*.json")
    reading = _read(DeviceFile.at(path), _SAID, "joint_distances")
    assert _faults(reading) == {}
    given = np.array([frame["3d_joint"] for frame in json.loads(path.read_text()).values()])
    joints = _joints(reading)
    np.testing.assert_allclose(distances_of(joints), given, atol=1e-4)
    assert joints[0, JOINTS.index("head_top"), 1] > 0.4
