"""Two streams are the same over a stretch only if their samples say so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.likeness import FEWEST_ROWS, Stretch, common_stretch


def noise(seed: int, rows: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (rows, 3)) + np.array([0, 0, 9.81])


@given(st.integers(0, 150), st.integers(200, 400), st.sampled_from([1.0, 0.102, 9.80665]), st.sampled_from([3, 4, 6]))
def test_a_cut_rescaled_and_rounded_piece_is_found_with_its_rows(first: int, last: int, factor: float, decimals: int) -> None:
    whole = noise(1)
    piece = np.round(whole[first:last] * factor, decimals)
    found = common_stretch(piece, whole, offset=-first, first=20, last=40)
    assert found is not None
    assert (found.first, found.other_first, found.rows) == (0, first, last - first)
    assert found.factor == pytest.approx(factor, rel=0.01)


def test_an_offset_two_readings_off_is_put_right() -> None:
    found = common_stretch(noise(1)[10:], noise(1), offset=-12, first=50, last=90)
    assert found == Stretch(0, 10, 390, pytest.approx(1), pytest.approx(0, abs=1e-9))


def test_a_piece_spliced_into_something_else_is_told_with_its_borders() -> None:
    spliced = noise(2)
    spliced[100:250] = noise(1)[40:190]
    found = common_stretch(spliced, noise(1), offset=60, first=150, last=200)
    assert found is not None and (found.first, found.other_first, found.rows) == (100, 40, 150)


@given(st.integers(0, 99), st.integers(100, 199), st.integers(-300, 300))
def test_different_noise_is_never_the_same(one: int, other: int, offset: int) -> None:
    assert common_stretch(noise(one), noise(other), offset=offset, first=max(offset, 0), last=max(offset, 0) + 64) is None


@given(st.floats(0.5, 1.5), st.floats(0.0, 0.5))
def test_the_same_smooth_movement_done_twice_is_not_a_copy(amplitude: float, extra: float) -> None:
    t = np.arange(500)[:, None] / 50
    waves = np.sin(2 * np.pi * t * [0.5, 1.0, 1.5])
    again = amplitude * waves + np.random.default_rng(3).normal(0, 0.15 + extra, waves.shape)
    assert common_stretch(again, waves, offset=0, first=100, last=200) is None


def test_two_idle_sensors_are_no_copies() -> None:
    still = np.full((500, 3), [0.0, 0.0, 9.81])
    stepped = still + np.where(np.arange(500)[:, None] > 250, 0.01, 0)
    assert common_stretch(still, still, offset=0, first=100, last=200) is None
    assert common_stretch(stepped, stepped, offset=0, first=200, last=300) is None


def test_too_short_a_stretch_or_another_number_of_axes_is_no_copy() -> None:
    piece = noise(1)[: FEWEST_ROWS - 1]
    assert common_stretch(piece, noise(1), offset=0, first=0, last=30) is None
    assert common_stretch(noise(1), np.column_stack([noise(1), noise(1)[:, 0]]), offset=0, first=0, last=30) is None


def test_the_mirror_image_is_no_copy() -> None:
    assert common_stretch(-noise(1), noise(1), offset=0, first=0, last=60) is None
