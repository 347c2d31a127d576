"""A clip as its users meet it: a recording with joints as streams, poses, figures and words on what is wrong."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from ingestion.readers import Hints, known_by_content, video
from ingestion.recording import Poses, Reading
from ingestion.video.clip import Clip
from ingestion.video.exchange import Header, Tally
from ingestion.video.facts import facts_of, findings_of
from ingestion.video.pose_worker import RECORD
from ingestion.video.poses import poses_of, streams_of
from studies.sensors import POSE_SENSORS
from studies.skeletons import JOINTS, MEDIAPIPE, PLACEMENTS
from tests.ingestion.clips import as_file, clip, field

_ASKED = Hints(pose_sensors=POSE_SENSORS)
_PICTURES = [field(number) for number in range(6)]


def _records(count: int) -> np.ndarray:
    """Somebody who stands still, every 40 ms."""
    records = np.zeros(count, RECORD)
    records["t_ns"], records["frame"] = np.arange(count) * 40_000_000, np.arange(count)
    records["people"] = -1
    records["visibility"] = 0.9
    records["image"] = np.linspace(0, 1, 33 * 3).reshape(33, 3)
    records["world"] = np.arange(33 * 3).reshape(33, 3)
    return records


def _clip(records: np.ndarray, *, promised: int = 0, tally: Tally | None = None) -> Clip:
    header = Header("h264", 200, 100, 0, promised, 0.0, "", 200, 100)
    return Clip(header, tally or Tally(handed_on=len(records)), records)


def _codes(found: Clip) -> dict[str, str]:
    return {finding.reason.code: finding.severity for finding in findings_of(found, facts_of(found, "clip.mp4"))}


def _poses(records: np.ndarray) -> Poses:
    return poses_of(_clip(records), origin_ns=0, source="clip.mp4")


def _read(content: bytes, name: str = "clip.mp4") -> Reading:
    return video.read([as_file(content, name)], _ASKED)


def test_every_joint_is_a_stream_in_metres_and_in_the_picture():
    poses = _poses(_records(4))
    streams = {stream.name: stream for stream in streams_of(poses, shape=(200, 100), sensors={"joint", "keypoint"}, scratch=None)}
    assert set(streams) == {f"{sensor}@{placement}" for sensor in ("joint", "keypoint") for placement in PLACEMENTS}
    knee = MEDIAPIPE.index("right_knee")
    assert streams["joint@right_knee"].values[0].tolist() == poses.world[0, knee].tolist()
    x, y, z = poses.image[0, knee]
    assert streams["keypoint@right_knee"].values[0] == pytest.approx([2 * x, 1 - y, -2 * z])


def test_the_neck_lies_between_the_shoulders_and_the_head_top_beyond_the_ears():
    streams = {s.name: s.values[0] for s in streams_of(_poses(_records(1)), shape=(1, 1), sensors={"joint"}, scratch=None)}
    neck = (streams["joint@left_shoulder"] + streams["joint@right_shoulder"]) / 2
    ears = (streams["joint@left_ear"] + streams["joint@right_ear"]) / 2
    assert streams["joint@neck"] == pytest.approx(neck)
    assert streams["joint@head_top"] == pytest.approx(neck + 1.65 * (ears - neck))


def test_a_joint_that_was_not_seen_has_no_row_and_neither_has_what_is_made_of_it():
    records = _records(5)
    records["visibility"][2, MEDIAPIPE.index("left_shoulder")] = 0.05
    records["visibility"][4] = np.nan
    streams = {s.name: s.t_ns.tolist() for s in streams_of(_poses(records), shape=(1, 1), sensors={"joint"}, scratch=None)}
    assert streams["joint@left_knee"] == [0, 40_000_000, 80_000_000, 120_000_000]
    assert streams["joint@left_shoulder"] == streams["joint@neck"] == [0, 40_000_000, 120_000_000]


def test_a_hidden_joint_that_the_study_lets_the_tool_guess_has_a_row_wherever_somebody_was_seen():
    records = _records(4)
    records["visibility"][:3, MEDIAPIPE.index("left_wrist")] = 0.01
    records["visibility"][2] = np.nan
    asked = {"shape": (1, 1), "sensors": {"joint"}, "scratch": None}
    streams = {s.name: s.t_ns.tolist() for s in streams_of(_poses(records), guessed=("left_wrist",), **asked)}
    assert streams["joint@left_wrist"] == streams["joint@left_knee"] == [0, 40_000_000, 120_000_000]


def test_the_published_order_of_the_19_joints_has_each_once():
    assert len(set(JOINTS)) == 19 and set(JOINTS) < set(PLACEMENTS) and len(set(MEDIAPIPE)) == 33


def test_rate_and_dropped_frames_come_from_the_times():
    records = _records(10)
    records["t_ns"][5:] += 80_000_000
    facts = facts_of(_clip(records), "clip.mp4")
    assert (facts.rate_hz, facts.dropped) == (25.0, 2)
    assert facts.landmarks_seen == 1.0


def test_several_people_hold_until_it_is_looked_again():
    records = _records(10)
    records["people"][[0, 3, 7]] = [1, 2, 1]
    found = _clip(records)
    assert facts_of(found, "clip.mp4").frames_with_several == 4
    assert _codes(found) == {"several_people": "warning"}


def test_what_is_wrong_with_a_clip_is_said():
    nobody, leaps = _records(3), _records(3)
    nobody["visibility"] = np.nan
    leaps["jumped"][1] = 1
    assert _codes(_clip(nobody)) == {"person_missing": "error"}
    assert _codes(_clip(leaps)) == {"person_changed": "warning"}
    assert _codes(_clip(_records(3), promised=9)) == {"tail_cut": "warning"}
    assert _codes(_clip(_records(3), tally=Tally(green=2))) == {"frames_damaged": "warning"}
    assert _codes(_clip(_records(3))) == {}


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", "file_empty", "0 bytes"),
        (b"\x89PNG\r\n\x1a\n", "video_unreadable", "PNG"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "video_unreadable", "playlist"),
    ],
)
def test_what_only_calls_itself_a_video_is_refused_in_words(content: bytes, code: str, word: str):
    assert known_by_content(as_file(content, "squat.MP4"), _ASKED) is video.READER
    (finding,) = _read(content).findings
    assert (finding.severity, finding.reason.code) == ("error", code)
    assert word in finding.reason.sentence


def test_a_study_without_joints_opens_no_video():
    assert known_by_content(as_file(clip(_PICTURES))) is None


@pytest.mark.pose
def test_a_clip_without_anybody_is_set_aside_with_its_figures():
    reading = _read(clip(_PICTURES))
    assert [finding.reason.code for finding in reading.findings if finding.severity == "error"] == ["person_missing"]
    assert not reading.streams
    (facts,) = reading.videos
    assert (facts.codec, facts.frames, facts.frames_without_person, facts.rate_hz) == ("h264", 6, 6, 12.5)


@pytest.mark.pose
@pytest.mark.real
@pytest.mark.parametrize("name", ["mlsac_no_depth_vid.gif", "mlsac_olympic_squat_vid.gif"])
def test_landmarks_agree_with_those_saved_from_the_same_version(real: Path, name: str):
    saved = np.load(real / "keypoints" / f"{Path(name).stem}_mp0.10.21_c1.npz")
    path = real / "video" / name
    reading = _read(path.read_bytes(), name)
    (poses,) = reading.poses
    away = np.abs(poses.image[..., :2] - saved["landmarks"][..., :2])
    assert np.nanmedian(away) < 0.005
    assert np.isnan(poses.visibility[:, 0]).sum() == np.isnan(saved["landmarks"][:, 0, 3]).sum()
    up = np.nanmedian(np.linalg.norm(poses.world * [1, -1, -1] - saved["world"][..., :3], axis=2))
    assert up < 0.03


@pytest.mark.pose
@pytest.mark.real
def test_of_two_people_the_larger_is_followed_and_it_is_said_that_there_are_two(real: Path):
    with av.open(real / "video" / "mlsac_olympic_squat_vid.gif") as source:
        people = [frame.to_ndarray(format="rgb24")[:426] for frame in islice(source.decode(video=0), 5, 25)]
    for side in ("left", "right"):
        small = [np.pad(person[::2, ::2], ((213, 0), (0, 0), (0, 0)), mode="edge") for person in people]
        pairs = [(person, other) if side == "left" else (other, person) for person, other in zip(people, small, strict=True)]
        reading = _read(clip([np.hstack(pair) for pair in pairs]))
        assert [finding.reason.code for finding in reading.findings][:1] == ["several_people"]
        hips = reading.poses[0].image[:, MEDIAPIPE.index("left_hip"), 0]
        assert (np.nanmedian(hips) < 2 / 3) if side == "left" else (np.nanmedian(hips) > 1 / 3)
        assert reading.videos[0].person_changes == 0
