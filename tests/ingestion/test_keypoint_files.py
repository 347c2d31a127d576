"""Keypoints of OpenPose and COCO: files of frames become one recording of one person, and what is wrong is said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.grouping import captures
from ingestion.readers import Hints, known_by_content
from ingestion.readers.people import Person, followed, landmarks_of
from ingestion.recording import Reading
from studies.formats import Formats, PoseFiles
from studies.skeletons import BODY_25, COCO_17, COCO_18, JOINTS, MEDIAPIPE, SKELETONS
from tests.ingestion.device_files import codes, device_file, streams, zipped
from tests.ml.bodies import squatting

_SAID = Hints(Formats(poses=PoseFiles(rate_hz=30, frame=(1080, 1920))))
_UNSIZED = Hints(Formats(poses=PoseFiles(rate_hz=30)))

_Floats = npt.NDArray[np.floating]


def body(names: Sequence[str], frames: int = 12, *, seed: int = 0, right: float = 540) -> _Floats:
    """A squatting body in pixels with confidences, shape (frames, joints, 3); what is no joint stands beside it."""
    points = np.full((frames, len(names), 3), [right, 960.0, 0.9])
    squat = squatting(frames, seed=seed)
    for number, name in enumerate(names):
        if name in JOINTS:
            points[:, number, :2] = squat[:, JOINTS.index(name), :2] * [600, -600] + [right, 1000]
    return points.round(3)


def _frame(*people: _Floats) -> str:
    return json.dumps(
        {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": one.ravel().tolist()} for one in people]}
    )


def frame_files(points: _Floats, first: int = 0) -> dict[str, str]:
    return {f"clip_{first + number:012d}_keypoints.json": _frame(one) for number, one in enumerate(points)}


def _open_pose(files: Mapping[str, str | bytes], hints: Hints = _SAID) -> Reading:
    (capture,) = captures([device_file(f"in/{name}", content) for name, content in files.items()], hints)
    assert capture.reader is not None
    assert capture.reader.name == "openpose"
    return capture.reader.read(capture.files, hints)


def coco_entries(points: _Floats, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"image_id": first + number, "category_id": 1, "keypoints": one.ravel().tolist(), "score": 0.9}
        for number, one in enumerate(points)
    ]


def _coco(content: object, hints: Hints = _SAID) -> Reading:
    file = device_file("squat.json", content if isinstance(content, str | bytes) else json.dumps(content))
    reader = known_by_content(file, hints)
    assert reader is not None
    assert reader.name == "coco_keypoints"
    return reader.read([file], hints)


def _faults(reading: Reading, severity: str = "error") -> dict[str, str]:
    return {one.reason.code: f"{one.reason.place}: {one.reason.sentence}" for one in reading.findings if one.severity == severity}


def _in_heights(points: _Floats) -> _Floats:
    return np.stack([points[..., 0] / 1920, 1 - points[..., 1] / 1920, 0 * points[..., 0]], axis=-1)


# --- frames ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [COCO_17, COCO_18, BODY_25], ids=["17", "18", "25"])
def test_files_of_frames_are_one_recording_of_every_joint_that_the_tool_has(names: Sequence[str]) -> None:
    points = body(names)
    reading = _open_pose(frame_files(points))
    assert codes(reading) == codes(reading, "warning") == []
    found = streams(reading)
    for number, name in enumerate(names):
        if name in JOINTS and name != "neck":
            np.testing.assert_allclose(found[f"keypoint@{name}"].values, _in_heights(points[:, number]), atol=1e-6)
    shoulders = [found[f"keypoint@{side}_shoulder"].values for side in ("left", "right")]
    np.testing.assert_allclose(found["keypoint@neck"].values, (shoulders[0] + shoulders[1]) / 2, atol=1e-6)
    assert ("keypoint@left_heel" in found) == ("keypoint@right_foot_index" in found) == (len(names) == 25)
    assert reading.poses[0].image.shape == (12, 33, 3)


def test_the_number_in_a_files_name_is_the_frames_and_a_missing_one_is_a_gap() -> None:
    files = frame_files(body(COCO_17), first=95)  # 95 to 106: by text the order would be another
    del files["clip_000000000099_keypoints.json"]
    named = {name.replace("_0000000000", "_").replace("_0", "_"): content for name, content in reversed(files.items())}
    (nose,) = (one for one in _open_pose(named).streams if one.name == "keypoint@nose")
    assert np.rint(nose.t_ns * 30 / 1e9).tolist() == [95, 96, 97, 98, 100, 101, 102, 103, 104, 105, 106]


def test_a_zip_of_the_frames_of_one_clip_is_the_same_recording() -> None:
    files = frame_files(body(BODY_25))
    zip_file = device_file("clip.zip", zipped({"__MACOSX/._clip_000000000000_keypoints.json": "x", **files}))
    reader = known_by_content(zip_file, _SAID)
    assert reader is not None
    found, loose = streams(reader.read([zip_file], _SAID)), streams(_open_pose(files))
    assert found.keys() == loose.keys()
    for name, stream in found.items():
        np.testing.assert_array_equal(stream.values, loose[name].values)


def test_clips_in_one_folder_and_one_clip_in_two_are_recordings_of_their_own() -> None:
    files = frame_files(body(COCO_17, 3))
    delivered = [device_file(f"{folder}/{name}", text) for folder in ("a", "b") for name, text in files.items()]
    delivered += [device_file(f"a/other_{number:012d}_keypoints.json", text) for number, text in enumerate(files.values())]
    assert [len(capture.files) for capture in captures(delivered, _SAID)] == [3, 3, 3]


def test_a_frame_without_anybody_and_one_of_zeros_are_gaps_and_a_joint_of_zeros_has_no_row() -> None:
    points = body(COCO_17)
    points[4, COCO_17.index("left_knee")] = 0
    points[7] = 0
    files = frame_files(points)
    files["clip_000000000008_keypoints.json"] = _frame()
    reading = _open_pose(files)
    assert "in 2 of its 12 frames" in _faults(reading, "warning")["joints_not_seen"]
    found = streams(reading)
    assert len(found["keypoint@right_knee"].t_ns) == 10
    assert len(found["keypoint@left_knee"].t_ns) == 9
    assert np.isnan(reading.poses[0].visibility[[7, 8]]).all()


def test_a_clip_in_which_nobody_is_to_be_seen_is_an_error() -> None:
    for files in ({"clip_1_keypoints.json": _frame()}, frame_files(np.zeros((3, 25, 3)))):
        reading = _open_pose(files)
        assert list(_faults(reading)) == ["joints_not_seen"]
        assert reading.streams == ()


def test_nan_is_a_gap_and_what_is_hardly_sure_too() -> None:
    points = body(COCO_17)
    points[3, COCO_17.index("nose"), 0] = np.nan
    points[5, COCO_17.index("nose"), 2] = 0.05
    assert len(streams(_open_pose(frame_files(points)))["keypoint@nose"].t_ns) == 10


def test_pixels_of_a_picture_of_unknown_size_are_refused() -> None:
    assert list(_faults(_open_pose(frame_files(body(COCO_17)), _UNSIZED))) == ["frame_size_unknown"]
    assert list(_faults(_open_pose(frame_files(body(COCO_17)), Hints(Formats())))) == ["rate_unknown"]


_ONE = _frame(body(BODY_25)[0])
_SURE = " 0.9,"


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", "file_empty", "0 bytes"),
        (_ONE[:200], "json_not_parsed", "no JSON that can be read"),
        ("people", "json_not_parsed", "no JSON that can be read"),
        ("[]", "keypoints_malformed", "an object with a list 'people'"),
        ('{"people": 3}', "keypoints_malformed", "an object with a list 'people'"),
        ('{"people": [[1, 2]]}', "keypoints_malformed", "an object with a list 'people'"),
        ('{"people": [{"pose_keypoints_2d": "1"}]}', "keypoints_malformed", "person 1: the keypoints of a person are a list"),
        (_ONE.replace(_SURE, '"0.9",', 1), "keypoints_malformed", "a list of numbers"),
        (_ONE.replace(_SURE, "null,", 1), "keypoints_malformed", "a list of numbers"),
        (_ONE.replace(_SURE, "true,", 1), "keypoints_malformed", "a list of numbers"),
        (_ONE.replace(_SURE, "Infinity,", 1), "keypoints_malformed", "a number is infinite"),
        (_ONE.replace(_SURE, f"1{'0' * 400},", 1), "keypoints_malformed", "too large for any picture"),
        (_frame(body(BODY_25)[0, :18]), "joints_wrong_number", "18 joints, the first one in the recording 25"),
        (_frame(body(BODY_25)[0, :19]), "joints_wrong_number", "57 numbers, 19 joints; due are 17 or 18 or 25 joints"),
        (_frame(body(BODY_25)[0].ravel()[:-1]), "joints_wrong_number", "74 numbers, no whole number of joints"),
        (_frame(body(BODY_25)[0], body(BODY_25)[0, :0]), "joints_wrong_number", "person 2: a person has 0 numbers"),
    ],
)  # fmt: skip
def test_a_bad_frame_is_told_with_its_file(content: str, code: str, words: str) -> None:
    reading = _open_pose({**frame_files(body(BODY_25)), "clip_000000000005_keypoints.json": content})
    faults = _faults(reading)
    assert list(faults) == [code]
    assert faults[code].startswith("in/clip_000000000005_keypoints.json")
    assert words in faults[code]
    assert reading.streams == ()


def test_a_frame_that_is_there_twice_is_refused() -> None:
    files = {**frame_files(body(BODY_25)), "clip_5_keypoints.json": _ONE}
    assert "frame 5 is there twice" in _faults(_open_pose(files))["keypoints_malformed"]


# --- whom to follow -------------------------------------------------------------------------------------------------------


def test_of_several_the_largest_at_first_is_followed_wherever_it_stands_in_the_file_and_that_is_said() -> None:
    near, far = body(BODY_25, 30), body(BODY_25, 30, seed=1, right=900)
    far[..., :2] = far[..., :2] / 2 + [200, 300]
    far[10:, :, :2] *= 1.9  # comes nearer, and is the larger one soon
    frames = [(far[at], near[at]) if at % 3 else (near[at], far[at]) for at in range(30)]
    frames[20] = ()
    files = {f"clip_{at}_keypoints.json": _frame(*people) for at, people in enumerate(frames)}
    reading = _open_pose(files)
    assert "in 29 of 30 frames more than one person" in _faults(reading, "warning")["several_people"]
    wrist = streams(reading)["keypoint@left_wrist"]
    expected = np.delete(_in_heights(near[:, BODY_25.index("left_wrist")]), 20, axis=0)
    np.testing.assert_allclose(wrist.values, expected, atol=1e-6)
    assert "person_changed" not in _faults(reading, "warning")


def test_where_the_followed_one_is_missing_and_another_is_there_the_body_leaps_and_that_is_said() -> None:
    near, far = body(COCO_17, right=200), body(COCO_17, seed=1, right=900)
    files = {f"clip_{at}_keypoints.json": _frame(far[at], *([near[at]] if at != 6 else [])) for at in range(12)}
    files["clip_0_keypoints.json"] = _frame(near[0])
    assert "the body leaps 1 times" in _faults(_open_pose(files), "warning")["person_changed"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 1000))
def test_whoever_is_nearest_is_found_as_by_looking_frame_by_frame(counts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = np.repeat(np.arange(len(counts)), counts)
    points = rng.uniform(1, 1000, (len(frame), 17, 3)).astype(np.float32)
    points[..., 2] = rng.random((len(frame), 17)) < 0.7
    people = [Person(one.ravel().astype(float), "somewhere") for one in points]
    found, _, _ = followed(people, frame, len(counts), device_file("x.json", ""))
    landmarks, _ = landmarks_of(points)
    expected, last = np.full((len(counts), 33, 3), np.nan, np.float32), None
    for at in range(len(counts)):
        here = [one for one in landmarks[frame == at] if np.isfinite(one).any()]
        if here:
            last = min(here, key=lambda one, last=last: _apart(one, last))
            expected[at] = last
    np.testing.assert_array_equal(found, expected)


def _apart(one: _Floats, last: _Floats | None) -> float:
    if last is None:
        extent = np.nanmax(one[:, :2], axis=0) - np.nanmin(one[:, :2], axis=0)
        return -float(extent.prod())
    between = np.linalg.norm(one[:, :2] - last[:, :2], axis=1)
    if np.isfinite(between).any():
        return float(np.nanmean(between.astype(np.float32)))
    return float(np.linalg.norm(np.nanmean(one[:, :2], axis=0) - np.nanmean(last[:, :2], axis=0)))


def test_every_skeleton_names_the_joints_that_the_lake_can_have_of_it() -> None:
    assert {count: len(names) for count, names in SKELETONS.items()} == {17: 17, 18: 18, 25: 25, 33: 33}
    for names in SKELETONS.values():
        assert len(set(names)) == len(names)
        assert len({"left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"} & set(names)) == 6
        assert set(names) - set(MEDIAPIPE) <= {"neck", "mid_hip", "left_small_toe", "right_small_toe"}


# --- results of COCO ------------------------------------------------------------------------------------------------------


def test_results_are_read_by_picture_and_the_first_one_is_the_beginning() -> None:
    points = body(COCO_17)
    entries = coco_entries(points, first=2000)
    reading = _coco([*entries[6:], *entries[:5]])
    assert codes(reading) == codes(reading, "warning") == []
    knee = streams(reading)["keypoint@left_knee"]
    assert np.rint(knee.t_ns * 30 / 1e9).tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    expected = np.delete(_in_heights(points[:, COCO_17.index("left_knee")]), 5, axis=0)
    np.testing.assert_allclose(knee.values, expected, atol=1e-6)


def test_pictures_are_numbered_by_their_names_too() -> None:
    entries = [{**one, "image_id": f"clip7/frame_{at:04d}.jpg"} for at, one in enumerate(coco_entries(body(COCO_17)))]
    assert np.rint(streams(_coco(entries))["keypoint@nose"].t_ns * 30 / 1e9).tolist() == list(range(12))


def test_the_pictures_say_how_large_they_are_and_where_nobody_was() -> None:
    points = body(COCO_17)
    pictures = [{"id": at, "width": 1080, "height": 1920, "file_name": f"{at}.jpg"} for at in range(15)]
    reading = _coco({"images": pictures, "annotations": coco_entries(points)}, _UNSIZED)
    nose = streams(reading)["keypoint@nose"]
    np.testing.assert_allclose(nose.values, _in_heights(points[:, 0]), atol=1e-6)
    assert "in 3 of its 15 frames" in _faults(reading, "warning")["joints_not_seen"]
    pictures[3]["width"] = 640
    assert list(_faults(_coco({"images": pictures, "annotations": coco_entries(points)}, _UNSIZED))) == ["frame_size_unknown"]


def test_people_of_one_picture_are_told_apart_and_what_is_no_person_is_left_out() -> None:
    near, far = body(COCO_17), body(COCO_17, seed=1, right=1000)
    far[..., :2] = far[..., :2] / 3
    dog = {"image_id": 0, "category_id": 18, "bbox": [0, 0, 1, 1]}
    reading = _coco([dog, *coco_entries(far), *coco_entries(near)])
    assert "in 12 of 12 frames" in _faults(reading, "warning")["several_people"]
    assert "1 entries are of another category" in _faults(reading, "note")["objects_left_out"]
    np.testing.assert_allclose(streams(reading)["keypoint@nose"].values, _in_heights(near[:, 0]), atol=1e-6)


_ENTRY = coco_entries(body(COCO_17))[0]


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ({**_ENTRY, "keypoints": _ENTRY["keypoints"] + [1, 2, 3]}, "joints_wrong_number", "54 numbers, 18 joints; due are 17"),
        ({**_ENTRY, "keypoints": None}, "keypoints_malformed", "a list of numbers"),
        ({**_ENTRY, "keypoints": ["1", *_ENTRY["keypoints"][1:]]}, "keypoints_malformed", "a list of numbers"),
        ({**_ENTRY, "keypoints": [float("inf"), *_ENTRY["keypoints"][1:]]}, "keypoints_malformed", "a number is infinite"),
        ({**_ENTRY, "image_id": -1}, "keypoints_malformed", "the picture is called '-1'"),
        ({**_ENTRY, "image_id": None}, "keypoints_malformed", "the picture is called 'None'"),
        ({**_ENTRY, "image_id": "first"}, "keypoints_malformed", "the picture is called 'first'"),
        ({**_ENTRY, "image_id": 1 << 40}, "keypoints_malformed", "too far apart"),
        ([1, 2], "keypoints_malformed", "no list of objects"),
    ],
)
def test_a_bad_entry_is_told_with_its_number(entry: object, code: str, words: str) -> None:
    faults = _faults(_coco([*coco_entries(body(COCO_17, 4)), entry]))
    assert list(faults) == [code]
    assert words in faults[code]
    assert entry == [1, 2] or "too far" in words or "squat.json entry 5" in faults[code]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (json.dumps(coco_entries(body(COCO_17)))[:-20], "json_not_parsed"),
        ('[{"image_id": 1, "keypoints": ' + "[" * 100_000, "json_not_parsed"),
        ('[{"image_id": 1, "category_id": 18, "keypoints": [1, 2, 3]}]', "keypoints_malformed"),
        ('{"images": [{"id": 1, "width": 4}]}', "keypoints_malformed"),
        ('{"images": [{"id": 1, "width": 4}], "annotations": []}', "keypoints_malformed"),
    ],
)
def test_what_is_no_whole_list_of_results_is_refused(content: str, code: str) -> None:
    assert list(_faults(_coco(content))) == [code]
