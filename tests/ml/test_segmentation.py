"""Where segments begin and end: inside one gap-free stretch of all streams, windows exactly as far apart as asked."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.preprocessing.clock import Clock
from ml.preprocessing.segmentation import Spans, common_spans, cut_spans, method_of
from studies.preparation import Segmentation


@st.composite
def pieces(draw: st.DrawFn) -> Spans:
    """Gap-free pieces of one stream: ascending, not overlapping, now and then touching."""
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=6))
    gaps = draw(st.lists(st.integers(0, 20), min_size=len(lengths), max_size=len(lengths)))
    first = np.cumsum(gaps) + np.cumsum([0, *lengths[:-1]])
    return Spans(first.astype(np.int64), np.array(lengths, np.int64))


def ticks_of(spans: Spans) -> list[set[int]]:
    return [set(range(first, first + steps)) for first, steps in zip(spans.first.tolist(), spans.steps.tolist(), strict=True)]


@given(st.lists(pieces(), min_size=1, max_size=3))
def test_common_spans_hold_every_tick_that_all_streams_have_and_no_other(streams: list[Spans]) -> None:
    common = ticks_of(common_spans(streams))
    everywhere = set.intersection(*(set().union(*ticks_of(stream)) for stream in streams))
    assert set().union(*common) == everywhere
    assert sum(map(len, common)) == len(everywhere)


@given(st.lists(pieces(), min_size=1, max_size=3))
def test_a_common_span_lies_inside_one_piece_of_every_stream(streams: list[Spans]) -> None:
    for span in ticks_of(common_spans(streams)):
        for stream in streams:
            assert any(span <= piece for piece in ticks_of(stream))


def test_streams_that_never_run_together_have_nothing_in_common() -> None:
    early, late = Spans(np.array([0]), np.array([10])), Spans(np.array([10]), np.array([5]))
    assert len(common_spans([early, late])) == 0


def test_a_stream_without_pieces_leaves_nothing() -> None:
    nothing = Spans(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert len(common_spans([nothing, nothing])) == 0
    assert len(common_spans([Spans(np.array([0]), np.array([10])), nothing])) == 0


windows = st.builds(
    lambda seconds, overlap, shortest: Segmentation(
        by="window", seconds=seconds, overlap=overlap, length=8, min_seconds=shortest
    ),
    st.sampled_from([0.5, 1, 2.5, 6]),
    st.sampled_from([0, 0.25, 0.5, 0.9]),
    st.sampled_from([0.3, 1, 5]),
)


@given(pieces(), windows, st.sampled_from([5.0, 12.5, 20.0]))
def test_every_window_lies_inside_one_piece(stream: Spans, segmentation: Segmentation, rate_hz: float) -> None:
    for window in ticks_of(cut_spans(stream, segmentation, rate_hz=rate_hz)):
        assert any(window <= piece for piece in ticks_of(stream))


@given(pieces(), windows, st.sampled_from([5.0, 12.5, 20.0]))
def test_neighbouring_windows_of_a_piece_share_exactly_the_overlap(
    stream: Spans, segmentation: Segmentation, rate_hz: float
) -> None:
    assert segmentation.seconds is not None
    window = max(2, round(segmentation.seconds * rate_hz))
    stride = max(1, round(window * (1 - segmentation.overlap)))
    cut = cut_spans(stream, segmentation, rate_hz=rate_hz)
    piece = np.searchsorted(stream.first, cut.first, side="right") - 1
    assert ((cut.first - stream.first[piece]) % stride == 0).all()
    same_piece = piece[1:] == piece[:-1]
    assert (np.diff(cut.first)[same_piece] == stride).all()
    assert (cut.steps <= window).all()


@given(pieces(), windows, st.sampled_from([5.0, 12.5, 20.0]))
def test_only_the_last_window_of_a_piece_may_be_shorter_and_then_lasts_long_enough(
    stream: Spans, segmentation: Segmentation, rate_hz: float
) -> None:
    assert segmentation.seconds is not None
    window = max(2, round(segmentation.seconds * rate_hz))
    cut = cut_spans(stream, segmentation, rate_hz=rate_hz)
    piece = np.searchsorted(stream.first, cut.first, side="right") - 1
    last = np.append(piece[1:] != piece[:-1], True)[: len(cut)]
    short = cut.steps < window
    assert not (short & ~last).any()
    assert (cut.steps[short] >= segmentation.min_seconds * rate_hz - 1e-6).all()
    ends = (cut.first + cut.steps)[short]
    assert (ends == (stream.first + stream.steps)[piece[short]]).all()


def test_a_rest_that_the_last_whole_window_covers_is_not_cut_again() -> None:
    segmentation = Segmentation(by="window", seconds=4, overlap=0.5, length=8, min_seconds=1)
    cut = cut_spans(Spans(np.array([0]), np.array([80])), segmentation, rate_hz=10)
    assert cut.first.tolist() == [0, 20, 40]
    assert cut.steps.tolist() == [40, 40, 40]


def test_whole_recordings_are_the_stretches_that_last_long_enough() -> None:
    stretches = Spans(np.array([0, 100, 200]), np.array([39, 40, 60]))
    cut = cut_spans(stretches, Segmentation(by="recording", length=8, min_seconds=4), rate_hz=10)
    assert cut.first.tolist() == [100, 200]
    assert cut.steps.tolist() == [40, 60]


def test_a_full_window_shorter_than_min_seconds_is_still_a_full_window() -> None:
    segmentation = Segmentation(by="window", seconds=0.5, length=8, min_seconds=1)
    assert len(cut_spans(Spans(np.array([0]), np.array([20])), segmentation, rate_hz=10)) == 4


def test_the_method_is_said_in_words() -> None:
    assert method_of(Segmentation(by="recording", length=8)) == "recording"
    assert method_of(Segmentation(by="window", seconds=2.5, overlap=0.25, length=8)) == "window 2.5s overlap 0.25"


def test_segments_keep_whole_nanoseconds_a_day_away_from_the_origin() -> None:
    origin_ns = 1_700_000_000_123_456_789
    spans = Spans(np.array([0, 50 * 86_400]), np.array([2, 51]))
    start_ns, end_ns = spans.times_ns(Clock.of(50, origin_ns=origin_ns))
    assert (start_ns - origin_ns).tolist() == [0, 86_400_000_000_000]
    assert (end_ns - origin_ns).tolist() == [20_000_000, 86_401_000_000_000]
