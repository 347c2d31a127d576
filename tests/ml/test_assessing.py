"""Which segment of an answer is about which squat, and what is said where none is."""

from __future__ import annotations

import numpy as np
import pytest

from ml.assessing import Repetition, assess, segments_about
from ml.inference import Answer
from ml.preprocessing.pose.squats import NEEDED
from studies.preparation import Segmentation
from studies.skeletons import JOINTS
from tests.ml.bodies import squatting

_S = 1_000_000_000
_DEEPEST = Segmentation(by="deepest", frames=5, length=11)


def _answer(*spans: tuple[float, float]) -> Answer:
    segments = tuple((int(start * _S), int(end * _S), "good", 0.9) for start, end in spans)
    return Answer("good", 0.9, 1, "svm", segments, "good.", ("bad", "good"), ((0.1, 0.9),) * len(segments))


def _body(frames: int = 120) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Two squats of 2 s, deepest after 1 s and 3 s."""
    joints, t_ns = squatting(frames), np.arange(frames) * (_S // 30)
    return {name: (t_ns, joints[:, JOINTS.index(name.partition("@")[2])]) for name in NEEDED}


def _told(*spans: tuple[float, float], cut: Segmentation = _DEEPEST) -> tuple[Repetition, ...]:
    return assess(_body(), _answer(*spans), cut)


def test_a_squat_is_judged_by_the_segment_round_its_deepest_frame() -> None:
    first, second = _told((0.85, 1.15), (2.85, 3.15))
    assert (first.repetition, first.segment, second.repetition, second.segment) == (1, 0, 2, 1)
    assert first.deepest_ns == pytest.approx(_S, abs=_S // 10) and first.start_ns < first.deepest_ns < first.end_ns
    assert first.knee_deg is not None and first.knee_deg < 130


def test_a_squat_without_a_segment_says_why_and_a_segment_without_a_squat_is_a_repetition_too() -> None:
    first, between, second = _told((1.9, 2.2), (2.85, 3.15))
    assert first.segment is None and "not all joints were seen" in first.why_not
    assert (between.repetition, between.segment, between.knee_deg) == (2, 0, None)
    assert (second.repetition, second.segment, second.why_not) == (3, 1, "")


def test_a_task_that_judges_the_whole_recording_judges_no_squat_of_several() -> None:
    told = _told((0, 4), cut=Segmentation(by="recording", length=50))
    assert [(one.segment, one.why_not) for one in told] == [(None, "the task judges a recording as a whole")] * 2


def test_of_several_windows_the_one_that_has_the_squat_in_its_middle_counts() -> None:
    assert segments_about([_S, 3 * _S], _answer((0, 1.6), (0.4, 1.7), (0.9, 2.9), (0, 4))) == [1, None]


def test_without_a_body_the_segments_of_a_task_about_repetitions_are_the_repetitions() -> None:
    cut = Segmentation(by="repetition", length=50, max_seconds=4)
    told = assess({"accelerometer": (np.arange(9), np.zeros((9, 3), np.float32))}, _answer((0, 2), (2, 4)), cut)
    assert [(one.repetition, one.segment, one.deepest_ns) for one in told] == [(1, 0, None), (2, 1, None)]
