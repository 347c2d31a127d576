"""Clips, good and bad, through the two children: what comes out, and that bad ones cost themselves only."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from ingestion.video.clip import Clip, read_clip
from ingestion.video.container import container_of, content_of
from ingestion.video.environment import SETTING
from ingestion.video.limits import LIMITS, Limits
from tests.ingestion.clips import as_file, clip, field
from warehouse.errors import UnreadableFile

pytestmark = pytest.mark.pose

_PICTURES = [field(number) for number in range(12)]


def _read(content: bytes, limits: Limits = LIMITS) -> Clip:
    return read_clip(as_file(content), limits=limits)


def _refusal(content: bytes, limits: Limits = LIMITS) -> tuple[str, str]:
    with pytest.raises(UnreadableFile) as refused:
        _read(content, limits)
    (reason,) = refused.value.reasons
    assert reason.remedy
    return reason.code, reason.sentence


def _with_matrix(content: bytes, matrix: tuple[int, ...]) -> bytes:
    """The clip with another display matrix in its track header."""
    at = content.index(b"tkhd") + 4 + 40
    return content[:at] + struct.pack(">9i", *matrix) + content[at + 36 :]


def test_frames_keep_the_times_that_the_container_gives_them_whatever_their_rate():
    times_ms = [0, 80, 130, 400, 401, 500, 640, 720, 800, 1700, 1750, 1790]
    read = _read(clip(_PICTURES, times_ms=times_ms))
    assert read.records["t_ns"].tolist() == [time * 1_000_000 for time in times_ms]
    assert read.records["frame"].tolist() == list(range(12))


@pytest.mark.parametrize(("container", "codec"), [("mov", "libx264"), ("webm", "libvpx-vp9"), ("matroska", "mpeg4")])
def test_every_container_gives_every_frame(container: str, codec: str):
    read = _read(clip(_PICTURES, container=container, codec=codec))
    assert np.diff(read.records["t_ns"]).tolist() == [80_000_000] * 11


def test_frames_without_a_person_have_no_landmarks():
    records = _read(clip(_PICTURES)).records
    assert np.isnan(records["image"]).all()
    assert np.isnan(records["world"]).all()
    assert (records["people"] == 0).all()


def test_a_clip_that_lies_on_its_side_is_turned_as_its_metadata_say():
    quarter = _with_matrix(clip(_PICTURES), (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30))
    header = _read(quarter).header
    assert (header.width, header.height, header.rotation) == (96, 160, 270)
    assert (header.shown_width, header.shown_height) == (160, 96)


def test_a_frame_that_repeats_the_one_before_is_counted():
    still = [*_PICTURES[:3], _PICTURES[2], _PICTURES[2], *_PICTURES[3:5]]
    read = _read(clip([picture // 64 * 64 for picture in still], codec="mpeg4", container="mov"))
    assert read.tally.frozen == 2
    assert np.flatnonzero(read.records["frozen"]).tolist() == [3, 4]


def test_green_frames_of_a_decoder_that_had_not_begun_are_left_out_and_counted():
    green = np.zeros_like(_PICTURES[0])
    green[:] = (0, 135, 0)
    read = _read(clip([green, green, *_PICTURES]))
    assert read.tally.green == 2
    assert read.records["frame"].tolist() == list(range(2, 14))


def test_half_a_clip_gives_what_is_in_that_half():
    whole = clip([field(number) for number in range(100)], options={"movflags": "faststart"})
    read = _read(whole[: len(whole) * 2 // 3])
    assert 0 < len(read.records) < 100
    assert read.header.promised == 100


def test_a_clip_cut_before_its_index_is_refused():
    assert _refusal(clip(_PICTURES)[:-2000][:1500]) == (
        "video_unreadable",
        "it cannot be opened as a video (Invalid data found when processing input): it is cut off or damaged before its index",
    )


def test_a_frame_of_65_000_pixels_a_side_is_refused_by_its_header():
    gif = bytearray(clip(_PICTURES, container="gif", codec="gif"))
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    code, sentence = _refusal(bytes(gif))
    assert code == "video_too_large"
    assert "65,000 × 65,000" in sentence


def test_a_header_of_65_000_pixels_in_an_mp4_is_refused():
    mp4 = bytearray(clip(_PICTURES))
    at = mp4.index(b"avc1", mp4.index(b"stsd")) + 28
    mp4[at : at + 4] = struct.pack(">HH", 65_000, 65_000)
    assert _refusal(bytes(mp4))[0] == "video_too_large"


def test_a_clip_that_needs_more_memory_than_it_may_is_refused():
    large = clip([field(0, width=2048, height=2048)] * 3)
    assert _refusal(large, Limits(memory_bytes=200 << 20))[0] == "video_over_limits"


def test_a_clip_with_more_frames_than_it_may_have_is_refused():
    code, sentence = _refusal(clip(_PICTURES), Limits(frames=5))
    assert (code, "5 frames" in sentence) == ("video_over_limits", True)


def test_a_decoder_that_keeps_silent_is_given_up():
    assert _refusal(clip(_PICTURES), Limits(silent_s=0.001))[0] == "video_over_limits"


@pytest.mark.parametrize(
    ("content", "is_a"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "playlist"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"", "no kind"),
    ],
)
def test_what_only_calls_itself_a_video_is_none(content: bytes, is_a: str):
    assert container_of(content) is None
    assert is_a in content_of(content)


def test_a_playlist_behind_the_signature_of_a_video_opens_no_other_file(tmp_path: Path):
    other = tmp_path / "other.mp4"
    other.write_bytes(clip(_PICTURES))
    playlist = b"#EXTM3U\n#EXTINF:1,\n" + other.as_uri().encode() + b"\n#EXT-X-ENDLIST\n"
    disguised = b"\0\0\0\x18ftypisom\0\0\0\0isomiso2" + playlist
    assert _refusal(disguised)[0] == "video_unreadable"


def test_without_the_pose_environment_a_clip_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(SETTING, "/nowhere/python")
    with pytest.raises(UnreadableFile, match="make setup-pose"):
        read_clip(as_file(clip(_PICTURES)))


def test_a_pose_environment_without_mediapipe_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(SETTING, "/usr/bin/python3")
    with pytest.raises(UnreadableFile, match="pose_unavailable"):
        read_clip(as_file(clip(_PICTURES)))
