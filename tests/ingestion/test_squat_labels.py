"""YAML files of labelled squats: moments of a clip's own frames, and every fault in words and in its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.annotations import Recorded, read_annotations
from ingestion.recording import Annotation, Finding, Poses, Stream
from studies.study import Study
from tests.ingestion.device_files import device_file

_T0 = 1_700_000_000_000_000_000
_S = 1_000_000_000
_STUDY = Study(
    study="trial",
    title="t",
    participants=".*",
    labels={"good": ("1",), "bad": ("0",)},
    streams={"joint": {"unit": "m", "rate_hz": (1, 200)}},
)


def _clip(since_s: np.ndarray, source: str = "in/IMG_7.mov") -> Recorded:
    t_ns, count = _T0 + np.rint(since_s * _S).astype(np.int64), len(since_s)
    landmarks = np.zeros((count, 33, 3), np.float32)
    poses = Poses(t_ns, np.arange(count, dtype=np.int32), landmarks, landmarks, landmarks[..., 0], source)
    return Recorded([Stream("joint@nose", t_ns, np.zeros((count, 3), np.float32), source)], "good", poses=(poses,))


_EVEN = _clip(np.arange(300) / 30)


def _read(
    content: str | bytes, recorded: Recorded = _EVEN, name: str = "labels/squats"
) -> tuple[list[Annotation], list[Finding]]:
    return read_annotations(device_file(name, content), recorded, _STUDY)


def _moments(one: Annotation) -> list[float]:
    assert one.mid_ns is not None
    return [round((t_ns - _T0) / _S, 4) for t_ns in (one.start_ns, one.mid_ns, one.end_ns)]


def test_labels_as_they_are_published_are_the_squats_of_their_clip() -> None:
    published = """
IMG_6.mov:
  - {start: 0:00, mid: 0:10, end: 0:20, label: 0}
IMG_7.mov:
  - start: 1:00
    mid: 1:15
    end: 2:03
    label: 1
  - {start: 3:00, mid: '3:29', end: 5:00, label: 0}
"""
    found, findings = _read(published)
    assert findings == []
    assert [_moments(one) for one in found] == [[1, 1.5, 2.1], [3, round(119 / 30, 4), 5]]
    assert [(one.label, one.source) for one in found] == [("1", "labels/squats"), ("0", "labels/squats")]


@pytest.mark.parametrize("name", ["IMG_7", "img_7.MOV", "videos/IMG_7.mov"])
def test_a_clip_is_known_by_its_name_with_or_without_its_ending(name: str) -> None:
    assert len(_read(f"{name}: [{{start: 0:01, mid: 0:09, end: 1:02}}]")[0]) == 1


def test_a_second_begins_with_its_own_first_frame_at_any_rate() -> None:
    squat = "[{start: 2:03, mid: 3:03, end: 4:00}]"
    for rate_hz, frames in ((12.5, (28, 41, 50)), (29.97, (63, 93, 120)), (30, (63, 93, 120)), (60, (123, 183, 240))):
        recorded = _clip(np.round(np.arange(500) / rate_hz, 3))
        ((one,), _) = _read(squat, recorded)
        assert [one.start_ns, one.mid_ns, one.end_ns] == recorded.poses[0].t_ns[list(frames)].tolist()


def test_a_list_is_of_the_recording_and_moments_may_be_frames_or_seconds() -> None:
    found, findings = _read("- {start: 31, mid: 40, end: 66}\n- {start: 3.0, mid: 3.51, end: 4.49, label: bad}")
    assert findings == []
    assert [_moments(one) for one in found] == [[1.0333, 1.3333, 2.2], [3, 3.5, 4.5]]
    assert [one.label for one in found] == ["good", "bad"], "the recording's, where it has none of its own"


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), rate_hz=st.sampled_from([12.5, 23.976, 29.97, 30, 59.94]))
def test_a_moment_is_always_a_frame_of_the_clip_at_its_own_time(seed: int, rate_hz: float) -> None:
    random = np.random.default_rng(seed)
    since = np.cumsum(random.uniform(0.5, 1.5, 200)) / rate_hz
    recorded, since = _clip(since), since - since[0]
    start, mid, end = np.sort(random.choice(200, 3, replace=False)).tolist()
    (by_frame,), _ = _read(f"[{{start: {start}, mid: {mid}, end: {end}}}]", recorded)
    t_ns = recorded.poses[0].t_ns
    assert (by_frame.start_ns, by_frame.mid_ns, by_frame.end_ns) == (t_ns[start], t_ns[mid], t_ns[end])
    seconds = ", ".join(f"{name}: {since[row]:.6f}" for name, row in (("start", start), ("mid", mid), ("end", end)))
    assert _read(f"[{{{seconds}}}]", recorded)[0] == [by_frame]


@pytest.mark.parametrize(
    ("squat", "code", "words"),
    [
        (
            "{start: 1:00, mid: 0:29, end: 2:00}",
            "annotation_backwards",
            "do not follow one another: start 1:00, mid 0:29, end 2:00",
        ),
        ("{start: 1:00, mid: 2:10, end: 2:00}", "annotation_backwards", "do not follow one another"),
        ("{start: 20, mid: 20, end: 20}", "annotation_backwards", "do not follow one another"),
        ("{start: 20, mid: 30, end: 300}", "annotation_outside", "end 300: the clip's frames are 0 to 299"),
        ("{start: 0:01, mid: 0:10, end: 10:01}", "annotation_outside", "end 10:01: second 10 of the clip has 0 frames"),
        ("{start: 0:01, mid: 0:45, end: 2:01}", "annotation_outside", "mid 0:45: second 0 of the clip has 30 frames"),
        ("{start: 0.5, mid: 1.5, end: 99.0}", "annotation_outside", "end 99.0: the clip lasts 9.97 s"),
        ("{start: 0:01, mid: deep, end: 0:20}", "annotation_malformed", "mid 'deep' is no second and frame (1:03)"),
        ("{start: -5, mid: 10, end: 20}", "annotation_malformed", "start '-5'"),
        ("{start: 0:01, end: 0:20}", "annotation_malformed", "it has not all of start, mid and end"),
        ("{start: [1], mid: 2, end: 3}", "annotation_malformed", "it has not all of start, mid and end"),
        ("{start: 1, mid: 2, end: 3, label: [good]}", "annotation_malformed", "its label is no text"),
        ("soon", "annotation_malformed", "it has not all of start, mid and end"),
    ],
)
def test_a_squat_that_cannot_be_used_is_left_out_and_the_others_are_kept(squat: str, code: str, words: str) -> None:
    found, findings = _read(f"IMG_7.mov:\n- {squat}\n- {{start: 3:00, mid: 3:10, end: 4:00}}\n")
    assert [_moments(one) for one in found] == [[3, 3.3333, 4]]
    ((reason, severity),) = [(one.reason, one.severity) for one in findings]
    assert (reason.code, severity, reason.place) == (code, "warning", "labels/squats squat 1")
    assert words in reason.sentence


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("IMG_8.mov: [{start: 1, mid: 2, end: 3}]", "annotations_of_another_file", "'IMG_8.mov'; the recording is IMG_7.mov"),
        ("IMG_7.mov: {start: 1, mid: 2, end: 3}", "annotations_not_read", "of 'IMG_7.mov' it has no list of squats"),
        ("IMG_7.mov: []\nIMG_7.mov: [{start: 1, mid: 2, end: 3}]", "annotations_not_read", "it has a clip twice"),
        ("IMG_7.mov: [{start: 1, mid: 2", "annotations_not_read", "it is no YAML"),
        ("? [start : 1]\n: 2", "annotations_not_read", "it is no YAML"),
        ("start: &a [*b]", "annotations_not_read", "it is no YAML"),
        ("[" * 3000, "annotations_not_read", "it is no YAML"),
        ("# start : nothing\n", "annotations_not_read", "neither a list of squats nor clips"),
        ("these are the squats", "annotations_not_read", "neither a list of squats nor clips"),
        (b"\xff\xfe\x00start : 1", "annotations_not_read", "no YAML in UTF-8"),
        ("", "annotations_not_read", "neither a list of squats nor clips"),
        ("#" * 300_000, "annotations_not_read", "300,000 bytes; at most 262,144 are read"),
    ],
)
def test_a_file_that_is_no_list_of_squats_sets_its_recording_aside(content: str | bytes, code: str, words: str) -> None:
    found, findings = _read(content, name="labels/squats.yml")
    assert found == []
    assert [(one.reason.code, one.severity) for one in findings] == [(code, "error")]
    assert words in findings[0].reason.sentence


def test_squats_of_a_recording_without_frames_and_those_before_a_body_was_seen_are_told() -> None:
    without = Recorded([Stream("gyroscope", _EVEN.streams[0].t_ns, _EVEN.streams[0].values, "a.csv")])
    _, findings = _read("[{start: 1, mid: 2, end: 3}]", without, "s.yaml")
    assert [(one.reason.code, one.severity) for one in findings] == [("annotations_without_frames", "error")]
    stream = _EVEN.streams[0]
    late = Recorded([Stream(stream.name, stream.t_ns[60:], stream.values[60:], stream.source)], poses=_EVEN.poses)
    found, findings = _read("- {start: 0:10, mid: 1:00, end: 3:00}\n- {start: 1:20, mid: 2:15, end: 3:00}", late, "s.yaml")
    assert [_moments(one) for one in found] == [[2, 2.5, 3]]
    assert [one.reason.code for one in findings] == ["annotation_outside", "annotation_cut"]
