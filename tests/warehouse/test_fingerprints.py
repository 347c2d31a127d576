"""Marks of a stream stay where its values are shifted, cut, rescaled and rounded, and are few."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse import fingerprints as inside
from warehouse.fingerprints import Fingerprints, fingerprints

_RATES = (12.5, 25.0, 50.0, 99.6, 200.0)


def movement(seed: int, rate_hz: float, seconds: float = 30.0) -> npt.NDArray[np.float32]:
    """A few motions of a body at changing speed, and gravity, as three axes."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    pace = np.cumsum(1 + 0.3 * np.sin(2 * np.pi * t[:, None] / rng.uniform(5, 20, 5)), axis=0) / rate_hz
    waves = np.sin(2 * np.pi * pace * rng.uniform(0.4, 3, 5) + rng.uniform(0, 6, 5))
    noise = rng.normal(0, 0.05, (len(t), 3))
    return (waves @ rng.normal(0, 2, (5, 3)) + [0, 0, 9.81] + noise).astype(np.float32)


def marks(found: Fingerprints) -> set[tuple[int, int]]:
    return set(zip(found.positions.tolist(), found.hashes.tolist(), strict=True))


@given(st.integers(0, 999), st.sampled_from(_RATES), st.floats(0, 0.4), st.floats(0.6, 1))
@settings(max_examples=30)
def test_a_piece_has_the_marks_of_the_whole_that_lie_inside_it(seed: int, rate_hz: float, start: float, end: float) -> None:
    values = movement(seed, rate_hz, seconds=120.0)  # long enough that the marks at the piece's two ends are few among its own
    first, last = int(start * len(values)), int(end * len(values))
    whole, piece = fingerprints(values, rate_hz), fingerprints(values[first:last], rate_hz)
    shifted = {(position - first, mark) for position, mark in marks(whole)}
    assert len(marks(piece) & shifted) >= 0.7 * len(marks(piece)) > 0


@given(st.integers(0, 999), st.sampled_from(_RATES), st.floats(1e-3, 1e3))
@settings(max_examples=30)
def test_another_unit_changes_no_mark(seed: int, rate_hz: float, factor: float) -> None:
    values = movement(seed, rate_hz)
    known = marks(fingerprints(values, rate_hz))
    assert len(known & marks(fingerprints(values * np.float32(factor), rate_hz))) >= 0.9 * len(known) > 0


@given(st.integers(0, 999), st.sampled_from(_RATES))
@settings(max_examples=30)
def test_two_decimals_leave_a_third_of_the_marks(seed: int, rate_hz: float) -> None:
    values = movement(seed, rate_hz)
    known = marks(fingerprints(values, rate_hz))
    assert len(known & marks(fingerprints(np.round(values, 2), rate_hz))) >= len(known) / 3 > 0


@given(st.integers(0, 499), st.integers(500, 999), st.sampled_from(_RATES))
@settings(max_examples=30)
def test_different_movements_have_hardly_a_mark_in_common(one: int, other: int, rate_hz: float) -> None:
    first, second = (set(fingerprints(movement(seed, rate_hz), rate_hz).hashes.tolist()) for seed in (one, other))
    assert len(first & second) <= 1


@pytest.mark.parametrize("rate_hz", _RATES)
def test_there_is_about_one_mark_in_a_few_dozen_readings(rate_hz: float) -> None:
    values = movement(1, rate_hz, seconds=60)
    assert 8 <= len(values) / len(fingerprints(values, rate_hz).positions) <= 150


def test_a_long_stream_has_the_same_marks_whatever_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = movement(2, 50.0, seconds=120)
    whole = marks(fingerprints(values, 50.0))
    monkeypatch.setattr(inside, "_BLOCK_ROWS", 777)
    assert marks(fingerprints(values, 50.0)) == whole


def test_what_is_still_short_or_without_a_rate_has_no_marks() -> None:
    still = np.full((1000, 3), [0.1, -0.2, 9.81], np.float32)
    ramp = np.linspace(0, 1, 1000, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    nothing = [(still, 50.0), (ramp, 50.0), (movement(1, 50.0)[:30], 50.0), (movement(1, 50.0), None), (still[:0], 50.0)]
    assert [len(fingerprints(values, rate_hz).positions) for values, rate_hz in nothing] == [0] * 5


def test_missing_and_infinite_values_do_no_harm() -> None:
    values = movement(3, 50.0)
    values[100], values[200, 1] = np.nan, np.inf
    assert len(fingerprints(values, 50.0).positions) > 10


@pytest.mark.parametrize("pieces", [2, 5])
def test_a_long_stream_marked_in_pieces_has_the_marks_of_the_whole(monkeypatch: pytest.MonkeyPatch, pieces: int) -> None:
    values = movement(3, 50, 400)
    monkeypatch.setattr(inside, "_BLOCK_ROWS", 2000)
    whole = fingerprints(values, 50)
    monkeypatch.setattr(inside, "_PIECE_ROWS", 2000 * pieces)
    in_pieces = fingerprints(values, 50)
    np.testing.assert_array_equal(in_pieces.positions, whole.positions)
    np.testing.assert_array_equal(in_pieces.hashes, whole.hashes)
    assert len(whole.positions) > 100
