"""Keypoints that numpy saved: arrays of known skeletons become joints, and no array gets more than its bytes deserve."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.readers import Hints, csv_columns, known_by_content
from ingestion.readers.interface import DeviceFile
from ingestion.recording import Reading
from ingestion.spool import Spooled
from studies.formats import Formats, PoseFiles
from studies.skeletons import BODY_25, COCO_17, JOINTS, MEDIAPIPE, SKELETONS
from tests.ingestion.device_files import codes, device_file, streams, zipped
from tests.ingestion.pose_files import landmarks
from tests.ingestion.test_keypoint_files import body, coco_entries, frame_files

_SAID = Hints(Formats(poses=PoseFiles(rate_hz=30, frame=(1080, 1920))))
_UNSAID = Hints()

_Floats = npt.NDArray[np.floating]


def _npy(array: npt.ArrayLike, **how: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), **how)
    return buffer.getvalue()


def _npz(**arrays: npt.ArrayLike) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: np.asarray(array) for name, array in arrays.items()})
    return buffer.getvalue()


def _read(content: bytes | DeviceFile, hints: Hints = _SAID) -> Reading:
    file = content if isinstance(content, DeviceFile) else device_file("squat.npy", content)
    reader = known_by_content(file, hints)
    assert reader is not None
    assert reader.name == "keypoint_array"
    return reader.read([file], hints)


def _faults(reading: Reading, severity: str = "error") -> dict[str, str]:
    return {one.reason.code: f"{one.reason.place}: {one.reason.sentence}" for one in reading.findings if one.severity == severity}


def _in_picture(frames: int = 20) -> _Floats:
    """MediaPipe's landmarks in a picture: x, y, z and visibility."""
    points = landmarks(frames) * [0.3, 0.3, 0.3] + [0.5, 0.5, 0]
    return np.concatenate([points, np.full((frames, 33, 1), 0.9)], axis=2)


@pytest.mark.parametrize("names", list(SKELETONS.values()), ids=[str(count) for count in SKELETONS])
@pytest.mark.parametrize("kind", ["xyc", "xy", "row", "float32", "by column", "big-endian"])
def test_an_array_of_a_known_skeleton_is_read_however_it_is_laid_out(names: tuple[str, ...], kind: str) -> None:
    points = body(names)
    array = {
        "xyc": points,
        "xy": points[..., :2],
        "row": points.reshape(len(points), -1),
        "float32": points.astype(np.float32),
        "by column": np.asfortranarray(points),
        "big-endian": points.astype(">f8"),
    }[kind]
    reading = _read(_npy(array))
    assert codes(reading) == codes(reading, "warning") == []
    found = streams(reading)
    for number, name in enumerate(names):
        if name in JOINTS and name != "neck":
            x, y = points[:, number, :2].T
            expected = np.stack([x / 1920, 1 - y / 1920, 0 * x], axis=1)
            np.testing.assert_allclose(found[f"keypoint@{name}"].values, expected, atol=1e-6)


def test_landmarks_in_metres_and_in_the_picture_are_told_apart() -> None:
    world = landmarks()
    for array in (world, np.concatenate([world, np.ones((40, 33, 1))], axis=2)):
        found = streams(_read(_npy(array)))
        nose = found["joint@nose"].values
        np.testing.assert_allclose(nose, world[:, 0] * [1, -1, -1], atol=1e-6)
        assert not any(name.startswith("keypoint") for name in found)
    assert {name.partition("@")[0] for name in streams(_read(_npy(_in_picture())))} == {"keypoint"}


def test_named_arrays_say_rate_and_size_themselves_and_others_are_left_out() -> None:
    image, world = _in_picture(40), landmarks(40)
    image[5], image[9, MEDIAPIPE.index("left_knee")] = np.nan, 0
    reading = _read(_npz(landmarks=image, world=world, fps=12.5, shape=[427, 240], notes=[1]), _UNSAID)
    assert codes(reading) == []
    assert "(notes) were left out" in _faults(reading, "note")["column_unknown"]
    assert "in 1 of its 40 frames" in _faults(reading, "warning")["joints_not_seen"]
    found = streams(reading)
    assert len(found) == 46
    for sensor in ("joint", "keypoint"):
        knee = found[f"{sensor}@left_knee"]
        assert sorted(set(range(40)) - set(np.rint(knee.t_ns * 12.5 / 1e9).astype(int).tolist())) == [5, 9]
        assert np.isfinite(knee.values).all()
    nose = np.delete(image[:, 0], 5, axis=0)
    np.testing.assert_allclose(found["keypoint@nose"].values[:, :2], nose[:, :2] * [240 / 427, -1] + [0, 1], atol=1e-5)


def test_a_long_array_lies_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_columns, "SPOOLED_FROM_BYTES", 1000)
    reading = _read(_npy(body(COCO_17)))
    assert isinstance(reading.streams[0].values, Spooled)
    expected = streams(_read(_npy(body(COCO_17)[..., :2])))
    for name, stream in streams(reading).items():
        np.testing.assert_array_equal(stream.values, expected[name].values)


def test_zeros_and_nan_were_not_seen_and_nobody_at_all_is_an_error() -> None:
    points = body(BODY_25)
    points[3], points[6, 0, 1], points[7, 0] = 0, np.nan, 0
    found = streams(_read(_npy(points)))
    assert len(found["keypoint@left_knee"].t_ns) == 11
    assert len(found["keypoint@nose"].t_ns) == 9
    for nothing in (np.zeros((4, 25, 3)), np.full((4, 33, 4), np.nan)):
        reading = _read(_npy(nothing))
        assert list(_faults(reading)) == ["joints_not_seen"]
        assert reading.streams == ()


def _changed(position: tuple[int, ...], value: float) -> bytes:
    points = body(BODY_25)
    points[position] = value
    return _npy(points)


class _Claim:
    """What a header of numpy says, whatever follows it."""

    def __init__(self, shape: str, dtype: str = "<f8") -> None:
        text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        self.content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


_OBJECTS = _npy(np.array([{"a": 1}, None], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (_npy(body(BODY_25)[:, :19]), "joints_wrong_number", "(12, 19, 3); due is (frames, joints, 2 or 3) of 17, 18"),
        (_npy(np.zeros((12, 18, 4))), "joints_wrong_number", "the array is (12, 18, 4)"),
        (_npy(np.zeros((12, 3, 17))), "joints_wrong_number", "the array is (12, 3, 17)"),
        (_npy(np.zeros((2, 12, 17, 3))), "joints_wrong_number", "the array is (2, 12, 17, 3)"),
        (_npy(np.zeros(51)), "joints_wrong_number", "the array is (51,)"),
        (_npy(np.zeros(())), "joints_wrong_number", "the array is ()"),
        (_npy(np.zeros((0, 17, 3))), "keypoints_malformed", "no frames"),
        (_changed((4, 7, 0), np.inf), "keypoints_malformed", "squat.npy frame 4 joint 7: a number is infinite"),
        (_changed((4, 7, 0), 1e300), "keypoints_malformed", "squat.npy frame 4 joint 7: a number is infinite"),
        (_changed((4, 7, 2), -1), "keypoints_malformed", "squat.npy frame 4 joint 7: the third number of a joint is -1"),
        (_changed((4, 7, 2), 3), "keypoints_malformed", "from 0 to 1"),
        (_OBJECTS, "array_of_objects", "never loaded"),
        (_npy(np.array([["1", "2"]])), "array_malformed", "numbers are read"),
        (_npy(np.zeros(3, dtype=[("x", "f4")])), "array_malformed", "numbers are read"),
        (_npy(np.zeros((3, 17, 2), complex)), "array_malformed", "numbers are read"),
        (_npy(body(COCO_17))[:-9], "array_cut_off", "4,896 bytes; 4,880 are there"),
        (_npy(body(COCO_17))[:40], "array_malformed", "no array that can be read"),
        (b"\x93NUMPY", "array_malformed", "no array that can be read"),
        (b"\x93NUMPY\x07\x00", "array_malformed", "no array that can be read"),
        (_Claim("(2000000, 17, 3)").content, "array_cut_off", "816,000,000 bytes; 0 are there"),
        (_Claim("(4000000000000000000, 17, 3)").content, "array_too_large", "at most 1,024 MiB"),
        (_Claim("(-4, 17, 3)").content, "array_malformed", "(-4, 17, 3)"),
        (_Claim("__import__('os')").content, "array_malformed", "no array that can be read"),
        (_Claim("(" * 5000).content, "array_malformed", "no array that can be read"),
        (_Claim("(1, 17, 3)", "|O").content, "array_of_objects", "never loaded"),
        (_npz(landmarks=_in_picture(4), world=landmarks(5)), "keypoints_malformed", "4 and 5 frames"),
        (_npz(landmarks=_in_picture(4), fps=-1), "keypoints_malformed", "fps is one number"),
        (_npz(landmarks=_in_picture(4), shape=[0, 0]), "keypoints_malformed", "shape is the height and width"),
        (_npz(landmarks=_in_picture(4))[:-30], "zip_truncated", "ends too early"),
    ],
)  # fmt: skip
def test_an_array_that_cannot_be_poses_is_refused_in_words(content: bytes, code: str, words: str) -> None:
    reading = _read(content)
    faults = _faults(reading)
    assert list(faults) == [code]
    assert words in faults[code]
    assert reading.streams == ()


def test_pixels_of_a_picture_of_unknown_size_and_frames_of_an_unknown_rate_are_refused() -> None:
    assert list(_faults(_read(_npy(body(COCO_17)), Hints(Formats(poses=PoseFiles(rate_hz=30)))))) == ["frame_size_unknown"]
    assert list(_faults(_read(_npy(body(COCO_17)), _UNSAID))) == ["rate_unknown"]


_WHOLE = {
    "squat.npy": _npy(body(BODY_25)),
    "squat.npz": _npz(landmarks=_in_picture(6), world=landmarks(6), fps=12.5, shape=[427, 240]),
    "squat.zip": zipped(frame_files(body(COCO_17, 4))),
    "squat.json": json.dumps(coco_entries(body(COCO_17, 4))).encode(),
    "clip_07_keypoints.json": frame_files(body(COCO_17, 1))["clip_000000000000_keypoints.json"].encode(),
}


@settings(max_examples=200)
@given(
    name=st.sampled_from(sorted(_WHOLE)),
    at=st.integers(0, 1 << 20),
    lost=st.sampled_from([0, 1, 8, 200]),
    put=st.sampled_from([b"", b"\0", b"NaN", b"1e999", b"9" * 400, b"null", b"[", b"]", b'"', b",", b"-", b"\xff\xfe"]),
)
def test_whatever_becomes_of_a_file_it_gives_numbers_or_a_sentence(name: str, at: int, lost: int, put: bytes) -> None:
    at %= len(_WHOLE[name])
    file = device_file(name, _WHOLE[name][:at] + put + _WHOLE[name][at + lost :])
    reader = known_by_content(file, _SAID)
    reading = reader.read([file], _SAID) if reader else Reading("")
    assert all(np.isfinite(stream.values).all() for stream in reading.streams)
    assert reader is None or reading.streams or codes(reading)


@pytest.mark.real
def test_saved_landmarks_of_clips_agree_with_the_arrays_in_the_files(real: Path) -> None:
    paths = sorted((real / "keypoints").glob("*_c1.npz"))
    assert len(paths) == 4
    for path in paths:
        reading = _read(DeviceFile.at(path), _UNSAID)
        assert codes(reading) == []
        found = streams(reading)
        with np.load(path) as saved:
            image, world, rate_hz, (height, width) = saved["landmarks"], saved["world"], float(saved["fps"]), saved["shape"]
        for name in ("left_knee", "nose", "right_ankle"):
            number = MEDIAPIPE.index(name)
            seen = np.flatnonzero(image[:, number, 3] >= 0.1)
            joint, keypoint = found[f"joint@{name}"], found[f"keypoint@{name}"]
            np.testing.assert_array_equal(joint.t_ns, np.rint(seen * 1e9 / rate_hz))
            np.testing.assert_allclose(joint.values, world[seen, number, :3] * [1, -1, -1], atol=1e-6)
            expected = image[seen, number, :3] * [width / height, -1, -width / height] + [0, 1, 0]
            np.testing.assert_allclose(keypoint.values, expected, atol=1e-5)
        absent = np.isnan(image[:, 0, 0])
        np.testing.assert_array_equal(np.isnan(reading.poses[0].visibility[:, 0]), absent)
        assert ("joints_not_seen" in codes(reading, "warning")) == absent.any()
