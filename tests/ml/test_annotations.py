"""Marked stretches: instants are paired, labels are the study's, gaps are never crossed, and what is left out is said."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.preprocessing.annotations import Marks, cut_marks, marks_of
from ml.preprocessing.clock import Clock
from ml.preprocessing.segmentation import Spans
from studies.preparation import Segmentation

SECOND = 10**9
CLOCK = Clock.of(10, origin_ns=0)
KNOWN = {"squat": "squat", "squats": "squat", "lunge": "lunge", "start position": "start_position"}


def marked(*rows: tuple[float, float, str | None]) -> Marks:
    start, end, labels = zip(*((round(a * SECOND), round(b * SECOND), label) for a, b, label in rows), strict=True)
    return marks_of(start, end, labels, canonical=lambda label: KNOWN.get(label.lower()))


def seconds(marks: Marks) -> list[tuple[float, float, str | None]]:
    return list(zip((marks.start_ns / 1e9).tolist(), (marks.end_ns / 1e9).tolist(), marks.labels, strict=True))


def by_annotation(**changes: float) -> Segmentation:
    return Segmentation.model_validate({"by": "annotation", "length": 100, **changes})


def test_a_stretch_has_the_label_of_its_mark_through_the_studys_aliases_or_none() -> None:
    assert seconds(marked((5, 9, "Squats"), (1, 4, None))) == [(1, 4, None), (5, 9, "squat")]


def test_two_instants_of_a_label_mark_what_lies_between_them() -> None:
    marks = marked((1, 1, "squat"), (4, 4, "squat"), (5, 5, "lunge"), (7, 7, "lunge"))
    assert seconds(marks) == [(1, 4, "squat"), (5, 7, "lunge")]
    assert not marks.statement


def test_start_and_end_are_words_and_no_labels() -> None:
    marks = marked((1, 1, "squat_start"), (4, 4, "Squat end"), (5, 5, "begin lunge"), (9, 9, "lunge-stop"))
    assert seconds(marks) == [(1, 4, "squat"), (5, 9, "lunge")]


def test_a_label_of_the_study_that_holds_such_a_word_is_a_label() -> None:
    assert seconds(marked((1, 1, "start position"), (2, 2, "start position"))) == [(1, 2, "start_position")]


def test_instants_without_a_partner_are_left_out_and_counted() -> None:
    marks = marked((1, 1, "squat start"), (2, 2, "squat start"), (4, 4, "squat end"), (6, 6, "lunge end"), (7, 7, "lunge"))
    assert seconds(marks) == [(2, 4, "squat")]
    assert "3 are instants without a partner" in marks.statement


def test_labels_that_the_study_does_not_know_are_left_out_and_named() -> None:
    marks = marked((1, 4, "juggling"), (5, 6, "squat"), (7, 7, "juggling"))
    assert seconds(marks) == [(5, 6, "squat")]
    assert "2 have a label that the study does not know ('juggling')" in marks.statement


def test_a_mark_across_a_gap_is_not_used_and_one_that_is_nearly_covered_is_clipped() -> None:
    runs = Spans(np.array([10, 100]), np.array([60, 200]))
    spans, used, said = cut_marks(
        runs, marked((5, 12, "squat"), (0.9, 6, "squat"), (11, 14, "lunge")), by_annotation(), clock=CLOCK
    )
    assert used == [0, 2]
    assert spans.first.tolist() == [10, 110]
    assert spans.steps.tolist() == [51, 31]
    assert "1 are broken by a gap or cut off" in said


def test_stretches_that_are_too_short_or_too_long_are_not_used_and_counted() -> None:
    runs = Spans(np.array([0]), np.array([1000]))
    marks = marked((1, 1.5, "squat"), (2, 5, "squat"), (6, 40, "squat"))
    spans, used, said = cut_marks(runs, marks, by_annotation(max_seconds=8), clock=CLOCK)
    assert used == [1]
    assert spans.steps.tolist() == [31]
    assert "1 are shorter than 1 s" in said
    assert "1 are longer than 8 s" in said


def test_marks_of_a_recording_whose_streams_never_run_together_are_counted() -> None:
    nothing = Spans(np.zeros(0, np.int64), np.zeros(0, np.int64))
    spans, used, said = cut_marks(nothing, marked((1, 4, "squat")), by_annotation(), clock=CLOCK)
    assert not len(spans)
    assert not used
    assert "1 lie where its streams never run together" in said


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 40)), min_size=1, max_size=5),
)
def test_every_segment_lies_inside_its_mark_and_inside_one_run(marks: list[tuple[int, int]], runs: list[tuple[int, int]]) -> None:
    gaps, lengths = (np.array(column, np.int64) for column in zip(*runs, strict=True))
    first = np.cumsum(gaps) + np.cumsum([0, *lengths[:-1]])
    rows = [(start / 10, (start + length) / 10, "squat") for start, length in marks]
    found = marked(*rows)
    spans, used, _ = cut_marks(Spans(first, lengths), found, by_annotation(min_seconds=0.2), clock=CLOCK)
    for begin, steps, number in zip(spans.first.tolist(), spans.steps.tolist(), used, strict=True):
        assert any(begin >= a and begin + steps <= a + n for a, n in zip(first.tolist(), lengths.tolist(), strict=True))
        assert found.start_ns[number] <= begin * SECOND // 10
        assert (begin + steps - 1) * SECOND // 10 <= found.end_ns[number]
