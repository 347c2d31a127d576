"""Resampling: laws that hold for any stream, known signals at known accuracy, and nothing made up where nothing was measured."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline
from scipy.signal import firwin, upfirdn

from ml.preprocessing import resampling
from ml.preprocessing.clock import Clock
from ml.preprocessing.kernels import MOST_NOISE
from ml.preprocessing.resampling import Piece, magnitude, resample, resample_quaternions

ORIGIN_NS = 1_700_000_000_123_456_789  # above 2**53, odd: lost at once if it ever passes through float64
Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]

RATES = st.floats(5, 250)
SEEDS = st.integers(0, 2**32 - 1)


def times(rows: int, rate_hz: float, *, jitter: float = 0.0, seed: int = 0) -> Times:
    """Sorted unique stamps; the jitter is in steps."""
    steps = np.arange(rows) + jitter * np.random.default_rng(seed).standard_normal(rows)
    return ORIGIN_NS + np.unique(np.round(np.sort(steps) * 1e9 / rate_hz).astype(np.int64))


def seconds(t_ns: Times) -> npt.NDArray[np.float64]:
    return (t_ns - ORIGIN_NS) / 1e9


def tick_times(piece: Piece, rate_hz: float) -> Times:
    return Clock.of(rate_hz, origin_ns=ORIGIN_NS).ticks(piece.first_step + np.arange(len(piece.values)))


def sines(t_ns: Times, *frequencies_hz: float) -> npt.NDArray[np.float64]:
    return np.stack([np.sin(2 * np.pi * hz * seconds(t_ns) + number) for number, hz in enumerate(frequencies_hz)], axis=1)


def noise(rows: int, channels: int = 3, seed: int = 0) -> Values:
    return np.random.default_rng(seed).standard_normal((rows, channels)).astype(np.float32)


def whole(t_ns: Times, values: npt.NDArray[np.floating], rate_hz: float) -> Piece:
    """The only piece of a stream without gaps."""
    (piece,) = resample(t_ns, values.astype(np.float32), rate_hz=rate_hz, origin_ns=ORIGIN_NS)
    return piece


def relative_error(t_ns: Times, rate_hz: float, *frequencies_hz: float, ends: int = 0) -> npt.NDArray[np.float64]:
    """Root mean square error over that of the signal, for each sine; `ends` ticks on either side do not count."""
    piece = whole(t_ns, sines(t_ns, *frequencies_hz), rate_hz)
    error = piece.values - sines(tick_times(piece, rate_hz), *frequencies_hz)
    return np.sqrt(2 * np.mean(error[ends : len(error) - ends] ** 2, axis=0))


@st.composite
def any_times(draw: st.DrawFn) -> Times:
    """Stamps as uneven as they come: bursts of nanoseconds, steps of seconds."""
    steps = draw(st.lists(st.one_of(st.integers(1, 100), st.integers(1_000_000, 30_000_000), st.just(10**10)), max_size=60))
    return ORIGIN_NS + np.cumsum(np.array([0, *steps], np.int64))


# --- laws ------------------------------------------------------------------------------------------------------------------


@given(any_times(), RATES, st.floats(-1e6, 1e6, width=32))
@settings(deadline=None, max_examples=50)
def test_a_constant_stays_exactly_constant_up_to_the_ends(t_ns: Times, rate_hz: float, constant: float) -> None:
    values = np.full((len(t_ns), 3), constant, np.float32)
    for piece in resample(t_ns, values, rate_hz=rate_hz, origin_ns=ORIGIN_NS):
        assert (piece.values == np.float32(constant)).all()


@given(st.integers(2, 400), RATES, RATES, st.floats(0, 0.3), SEEDS)
@settings(deadline=None, max_examples=50)
def test_a_straight_line_stays_one_up_to_the_ends(rows: int, source_hz: float, rate_hz: float, jitter: float, seed: int) -> None:
    t_ns = times(rows, source_hz, jitter=jitter, seed=seed)
    values = np.stack([seconds(t_ns), 5 - 3 * seconds(t_ns)], axis=1)
    for piece in resample(t_ns, values.astype(np.float32), rate_hz=rate_hz, origin_ns=ORIGIN_NS):
        line = seconds(tick_times(piece, rate_hz))
        largest = np.abs(values).max()
        assert np.allclose(piece.values, np.stack([line, 5 - 3 * line], axis=1), rtol=0, atol=2e-5 * largest)


@given(st.integers(300, 1500), RATES, RATES, st.floats(0, 0.1), st.floats(0.02, 0.15), SEEDS)
@settings(deadline=None, max_examples=50)
def test_a_sine_well_below_both_nyquist_frequencies_comes_out_as_it_went_in(
    rows: int, source_hz: float, rate_hz: float, jitter: float, share: float, seed: int
) -> None:
    t_ns = times(rows, source_hz, jitter=jitter, seed=seed)
    frequency_hz = share * min(source_hz, rate_hz)
    for piece in resample(t_ns, sines(t_ns, frequency_hz).astype(np.float32), rate_hz=rate_hz, origin_ns=ORIGIN_NS):
        at = tick_times(piece, rate_hz)
        inside = (at > t_ns[0] + 24e9 / rate_hz + 8e9 / source_hz) & (at < t_ns[-1] - 24e9 / rate_hz - 8e9 / source_hz)
        error = piece.values - sines(at, frequency_hz)
        # Stamps that stray further leave steps too long for a wave as short as these.
        assert np.sqrt(np.mean(error[inside] ** 2)) < 0.001 if inside.any() else True
        assert np.abs(error).max() < 0.1


@given(any_times(), RATES, st.one_of(st.none(), st.floats(0.001, 1)))
@settings(deadline=None, max_examples=50)
def test_pieces_hold_every_tick_between_their_readings_and_none_in_a_gap(
    t_ns: Times, rate_hz: float, max_gap_s: float | None
) -> None:
    pieces = resample(t_ns, noise(len(t_ns)), rate_hz=rate_hz, origin_ns=ORIGIN_NS, max_gap_s=max_gap_s)
    steps = np.diff(t_ns)
    longest = min(2.5 * np.median(steps) if len(steps) else np.inf, np.inf if max_gap_s is None else max_gap_s * 1e9)
    borders = np.concatenate([[0], np.flatnonzero(steps > longest) + 1, [len(t_ns)]])
    clock = Clock.of(rate_hz, origin_ns=ORIGIN_NS)
    expected = []
    for start, end in itertools.pairwise(borders):
        first, last = clock.at_or_after(t_ns[start : start + 1])[0], clock.at_or_before(t_ns[end - 1 : end])[0]
        if last >= first:
            expected.append((first, last - first + 1))
    assert [(piece.first_step, len(piece.values)) for piece in pieces] == expected
    assert all(np.isfinite(piece.values).all() and piece.values.dtype == np.float32 for piece in pieces)


@given(any_times(), RATES, SEEDS)
@settings(deadline=None, max_examples=50)
def test_interpolation_never_magnifies_noise_beyond_its_limit(t_ns: Times, rate_hz: float, seed: int) -> None:
    values = noise(len(t_ns), seed=seed)
    largest = np.abs(values - values[0]).max() + np.abs(values).max()
    for piece in resample(t_ns, values, rate_hz=rate_hz, origin_ns=ORIGIN_NS):
        # Going down, a reflection at an end may at most treble the grid and the low-pass add its own overshoot.
        assert np.abs(piece.values).max() <= 6 * MOST_NOISE * largest


@given(st.integers(40, 400), RATES, RATES, SEEDS)
@settings(deadline=None, max_examples=40)
def test_resampling_is_linear_in_the_values(rows: int, source_hz: float, rate_hz: float, seed: int) -> None:
    t_ns = times(rows, source_hz, jitter=0.15, seed=seed)
    a, b = noise(len(t_ns), seed=seed), noise(len(t_ns), seed=seed + 1)
    pieces = [resample(t_ns, values, rate_hz=rate_hz, origin_ns=ORIGIN_NS) for values in (a, b, 2 * a - 3 * b)]
    for of_a, of_b, of_both in zip(*pieces, strict=True):
        assert np.allclose(of_both.values, 2 * of_a.values - 3 * of_b.values, rtol=0, atol=1e-4)


@given(st.integers(1, 300), RATES, st.permutations(range(4)), SEEDS)
@settings(deadline=None, max_examples=40)
def test_permuting_the_axes_permutes_the_result(rows: int, rate_hz: float, order: list[int], seed: int) -> None:
    t_ns, values = times(rows, 100, jitter=0.1, seed=seed), noise(rows, 4, seed=seed)
    straight = resample(t_ns, values, rate_hz=rate_hz, origin_ns=ORIGIN_NS)
    permuted = resample(t_ns, values[:, order], rate_hz=rate_hz, origin_ns=ORIGIN_NS)
    for one, other in zip(straight, permuted, strict=True):
        assert np.allclose(one.values[:, order], other.values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [50, 130])
@pytest.mark.parametrize("channels", [1, 2, 5, 9])
def test_any_number_of_channels_is_resampled_as_each_alone(channels: int, rate_hz: float) -> None:
    t_ns, values = times(500, 100, jitter=0.1), noise(500, channels)
    alone = np.concatenate([whole(t_ns, values[:, [one]], rate_hz).values for one in range(channels)], axis=1)
    assert np.allclose(whole(t_ns, values, rate_hz).values, alone, rtol=0, atol=1e-6)


def test_two_streams_with_one_origin_share_their_ticks() -> None:
    accelerometer = whole(times(1000, 99.7, jitter=0.1), noise(1000), 50)
    late = times(300, 52.71) + 3_333_333_333
    gyroscope = whole(late, noise(300), 50)
    assert accelerometer.first_step in (0, 1)
    assert tick_times(gyroscope, 50)[0] == ORIGIN_NS + gyroscope.first_step * 20_000_000 >= late[0]
    assert gyroscope.first_step == -(-3_333_333_333 // 20_000_000)


# --- accuracy --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source_hz", "rate_hz"), [(110.19, 50), (12.5, 25), (52.71, 50), (60, 50), (50, 50), (100, 30), (1000, 7)]
)
def test_sines_are_kept_at_any_ratio_of_rates(source_hz: float, rate_hz: float) -> None:
    t_ns = times(int(120 * source_hz), source_hz, jitter=0.1)
    lower = min(source_hz, rate_hz)
    error = relative_error(t_ns, rate_hz, 0.03 * lower, 0.1 * lower, 0.3 * lower, ends=30)
    assert (error < [0.0005, 0.0005, 0.002]).all()


def test_jittered_100_hz_come_to_50_hz_with_the_promised_error_and_no_alias() -> None:
    t_ns = times(60_000, 100, jitter=0.15, seed=3)
    error = relative_error(t_ns, 50, 1.7, 5.1, 10, 20, ends=30)
    assert (error < [0.001, 0.001, 0.001, 0.005]).all()
    left = whole(t_ns, sines(t_ns, 35, 30), 50).values[30:-30]
    assert (20 * np.log10(np.sqrt(2 * np.mean(left**2, axis=0))) < -40).all()


def test_what_lies_above_the_new_nyquist_frequency_is_removed_from_an_even_source() -> None:
    t_ns = times(20_000, 100)
    left = whole(t_ns, sines(t_ns, 25.5, 30, 38), 50).values[30:-30]
    assert (20 * np.log10(np.sqrt(2 * np.mean(left**2, axis=0))) < -60).all()


def test_on_the_way_up_nothing_is_filtered() -> None:
    t_ns = times(2000, 12.5)
    assert relative_error(t_ns, 25, 4.4, ends=20) < 0.01
    assert relative_error(t_ns, 12.6, 4.4, ends=20) < 0.01


def test_readings_on_ticks_come_out_as_they_went_in() -> None:
    t_ns, values = times(500, 50), noise(500)
    assert np.allclose(whole(t_ns, values, 50).values, values, rtol=0, atol=1e-5)
    assert np.allclose(whole(t_ns, values, 150).values[::3], values, rtol=0, atol=1e-5)


def test_smooth_motion_agrees_with_a_cubic_spline_on_the_way_up() -> None:
    t_ns = times(1200, 52.71, jitter=0.15)
    values = sines(t_ns, 0.4, 1.1) + 0.3 * sines(t_ns, 2.3, 3.1)
    piece = whole(t_ns, values, 100)
    spline = CubicSpline(seconds(t_ns), values)(seconds(tick_times(piece, 100)))
    assert np.abs(piece.values - spline)[10:-10].max() < 1e-3
    assert np.abs(piece.values - spline).max() < 5e-3


def test_smooth_motion_agrees_with_a_cubic_spline_and_a_polyphase_filter_on_the_way_down() -> None:
    t_ns = times(6000, 100, jitter=0.15)
    values = sines(t_ns, 0.4, 1.1) + 0.3 * sines(t_ns, 2.3, 5.1)
    piece = whole(t_ns, values, 50)
    even = ORIGIN_NS + np.arange(6000) * 10_000_000
    taps = firwin(141, 22.5, fs=100, window=("kaiser", 7))
    reference = upfirdn(taps, CubicSpline(seconds(t_ns), values)(seconds(even)), down=2, axis=0)[35:]
    inside = slice(50, 2900)
    assert np.abs(piece.values[inside] - reference[piece.first_step :][inside]).max() < 2e-3


def test_a_dropped_reading_is_bridged_and_hardly_felt() -> None:
    t_ns = times(6000, 100, jitter=0.05)
    kept = np.random.default_rng(5).random(6000) > 0.03
    t_ns = t_ns[kept]
    t_ns = t_ns[: np.flatnonzero(np.diff(t_ns) > 24_000_000)[0] + 1] if (np.diff(t_ns) > 24_000_000).any() else t_ns
    assert (relative_error(t_ns, 50, 1.7, 5.1, ends=30) < 0.001).all()


# --- gaps, ends, short pieces ----------------------------------------------------------------------------------------------


def test_a_gap_splits_and_neither_side_knows_of_the_other() -> None:
    t_ns, values = times(1000, 100), noise(1000)
    kept = (np.arange(1000) < 400) | (np.arange(1000) >= 430)
    before, after = resample(t_ns[kept], values[kept], rate_hz=50, origin_ns=ORIGIN_NS)
    assert np.allclose(before.values, whole(t_ns[:400], values[:400], 50).values, rtol=0, atol=1e-5)
    assert np.allclose(after.values, whole(t_ns[430:], values[430:], 50).values, rtol=0, atol=1e-5)
    assert (before.first_step, after.first_step) == (0, 215)


def test_max_gap_only_makes_pieces_shorter() -> None:
    t_ns = np.delete(times(200, 10), 100)  # one step of two periods: bridged by itself
    count = {gap: len(resample(t_ns, noise(199), rate_hz=10, origin_ns=ORIGIN_NS, max_gap_s=gap)) for gap in (None, 60, 0.15)}
    assert count == {None: 1, 60: 1, 0.15: 2}
    t_ns = np.delete(times(200, 10), [100, 101])
    assert len(resample(t_ns, noise(198), rate_hz=10, origin_ns=ORIGIN_NS, max_gap_s=60)) == 2


def test_no_readings_no_pieces() -> None:
    assert resample(np.empty(0, np.int64), np.empty((0, 3), np.float32), rate_hz=50, origin_ns=ORIGIN_NS) == []


def test_a_single_reading_is_a_piece_only_where_it_is_on_a_tick() -> None:
    value = np.array([[1, 2, 3]], np.float32)
    (piece,) = resample(np.array([ORIGIN_NS + 40_000_000]), value, rate_hz=50, origin_ns=ORIGIN_NS)
    assert piece.first_step == 2 and piece.values.tolist() == [[1, 2, 3]]
    assert resample(np.array([ORIGIN_NS + 40_000_001]), value, rate_hz=50, origin_ns=ORIGIN_NS) == []


def test_two_readings_are_joined_by_a_line_and_three_by_a_parabola() -> None:
    t_ns = ORIGIN_NS + np.array([0, 100_000_000, 200_000_000])
    values = np.array([[0], [1], [4]], np.float32)
    assert np.allclose(whole(t_ns[:2], values[:2], 40).values[:, 0], [0, 0.25, 0.5, 0.75, 1], atol=1e-6)
    assert np.allclose(whole(t_ns, values, 40).values[:, 0], (np.arange(9) / 4) ** 2, atol=1e-5)


@pytest.mark.parametrize("rows", [4, 7, 9, 15, 16, 17, 40])
def test_short_pieces_follow_smooth_motion(rows: int) -> None:
    t_ns = times(rows, 50)
    assert (
        np.abs(whole(t_ns, sines(t_ns, 1.5), 100).values - sines(tick_times(whole(t_ns, sines(t_ns, 1.5), 100), 100), 1.5)).max()
        < 2e-3
    )


def test_a_reading_that_is_not_finite_counts_as_never_delivered() -> None:
    t_ns, values = times(1000, 100, jitter=0.05), noise(1000)
    broken = values.copy()
    broken[300, 1], broken[600:604, 0], broken[800, 2] = np.nan, np.inf, -np.inf
    kept = np.isfinite(broken).all(axis=1)
    found = resample(t_ns, broken, rate_hz=50, origin_ns=ORIGIN_NS)
    expected = resample(t_ns[kept], values[kept], rate_hz=50, origin_ns=ORIGIN_NS)
    assert len(found) == 2
    for one, other in zip(found, expected, strict=True):
        assert np.isfinite(one.values).all()
        assert np.array_equal(one.values, other.values)


def test_a_stream_without_a_finite_reading_has_no_pieces() -> None:
    assert resample(times(10, 50), np.full((10, 3), np.nan, np.float32), rate_hz=50, origin_ns=ORIGIN_NS) == []


# --- how the work is done does not show ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [50, 13.7, 100, 170])
def test_blocks_and_threads_do_not_show_in_the_result(rate_hz: float, monkeypatch: pytest.MonkeyPatch) -> None:
    t_ns, values = times(30_000, 100, jitter=0.15), noise(30_000)
    at_once = whole(t_ns, values, rate_hz).values
    monkeypatch.setattr(resampling, "_GRID_POINTS_A_BLOCK", 512)
    in_blocks = whole(t_ns, values, rate_hz).values
    monkeypatch.setattr(resampling, "_BLOCKS_FOR_THREADS", 10**9)
    assert np.array_equal(in_blocks, whole(t_ns, values, rate_hz).values)
    assert np.allclose(at_once, in_blocks, rtol=0, atol=5e-4)  # times are float32 within a block


def test_inputs_are_left_alone_and_may_be_read_only() -> None:
    t_ns, values = times(200, 100), noise(200)
    for array in (t_ns, values):
        array.flags.writeable = False
    before = values.copy()
    whole(t_ns, values, 50)
    assert np.array_equal(values, before)


def test_inputs_stay_writable() -> None:
    t_ns, values = times(200, 100), noise(200)
    whole(t_ns, values, 50)
    assert t_ns.flags.writeable and values.flags.writeable


def test_kernels_work_where_no_folder_for_compiled_code_can_be_written() -> None:
    program = "import ml.preprocessing.kernels as k; print(type(k.decimate._cache).__name__, k.decimate.py_func.__name__)"
    environment = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}  # finds no place for a plain module
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["NullCache", "decimate"]


# --- refusals --------------------------------------------------------------------------------------------------------------


def test_times_that_do_not_ascend_are_refused_with_the_place() -> None:
    t_ns = np.array([0, 10, 20, 20, 30])
    with pytest.raises(ValueError, match="index 3"):
        resample(t_ns, noise(5), rate_hz=50, origin_ns=0)


@pytest.mark.parametrize(
    ("values", "settings", "sentence"),
    [
        (noise(9), {"rate_hz": 50}, "shape"),
        (noise(10)[:, 0], {"rate_hz": 50}, "shape"),
        (noise(10)[:, :0], {"rate_hz": 50}, "shape"),
        (noise(10), {"rate_hz": 0}, "rate_hz is 0"),
        (noise(10), {"rate_hz": 50, "max_gap_s": 0}, "max_gap_s is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: Values, settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        resample(times(10, 100), values, origin_ns=0, **settings)


# --- quaternions and magnitude ---------------------------------------------------------------------------------------------


def turning(t_ns: Times, turns_a_second: float) -> npt.NDArray[np.float64]:
    """Orientation of a body that turns evenly about a slanted axis, as x, y, z, w."""
    half = np.pi * turns_a_second * seconds(t_ns)[:, np.newaxis]
    return np.concatenate([np.sin(half) * np.array([0.6, 0.0, 0.8]), np.cos(half)], axis=1)


def angle_between(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    return 2 * np.arccos(np.clip(np.abs(np.sum(one.astype(np.float64) * other, axis=1)), 0, 1))


@given(any_times(), RATES, SEEDS)
@settings(deadline=None, max_examples=50)
def test_quaternions_come_out_with_length_one(t_ns: Times, rate_hz: float, seed: int) -> None:
    for piece in resample_quaternions(t_ns, noise(len(t_ns), 4, seed), rate_hz=rate_hz, origin_ns=ORIGIN_NS):
        assert np.allclose(magnitude(piece.values), 1, rtol=0, atol=1e-5)
        assert piece.values[0, 3] >= 0


@pytest.mark.parametrize("rate_hz", [50, 100, 170])
def test_an_even_turn_stays_one(rate_hz: float) -> None:
    t_ns = times(3000, 100, jitter=0.15)
    (piece,) = resample_quaternions(t_ns, turning(t_ns, 1.3).astype(np.float32), rate_hz=rate_hz, origin_ns=ORIGIN_NS)
    assert angle_between(piece.values, turning(tick_times(piece, rate_hz), 1.3))[30:-30].max() < 0.003


@given(SEEDS, st.sampled_from([50, 100, 170]))
@settings(deadline=None, max_examples=20)
def test_the_signs_of_quaternions_do_not_matter(seed: int, rate_hz: float) -> None:
    t_ns = times(300, 100, jitter=0.1)
    values = turning(t_ns, 1.3).astype(np.float32)
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), (300, 1))
    (plain,), (flipped,) = (
        resample_quaternions(t_ns, given, rate_hz=rate_hz, origin_ns=ORIGIN_NS) for given in (values, signs * values)
    )
    assert np.allclose(plain.values, flipped.values, rtol=0, atol=1e-5)


def test_quaternions_obey_the_same_gaps_and_zero_ones_count_as_never_delivered() -> None:
    t_ns = times(300, 100)
    values = turning(t_ns, 0.5).astype(np.float32)
    values[100:110] = 0
    first, second = resample_quaternions(t_ns, values, rate_hz=50, origin_ns=ORIGIN_NS)
    assert (first.first_step, len(first.values), second.first_step) == (0, 50, 55)


def test_orientations_that_cancel_out_fall_back_to_the_nearest_reading() -> None:
    t_ns = times(2000, 1000)
    values = np.zeros((2000, 4), np.float32)
    angle = np.arange(2000) * np.pi / 2.01  # almost a right angle in four dimensions from row to row
    values[:, 0], values[:, 3] = np.sin(angle), np.cos(angle)
    (piece,) = resample_quaternions(t_ns, values, rate_hz=50, origin_ns=ORIGIN_NS)
    assert np.allclose(magnitude(piece.values), 1, atol=1e-5)
    nearest = values[np.searchsorted(t_ns, tick_times(piece, 50))]
    assert angle_between(piece.values, nearest)[5:-5].max() < 1e-3


def test_quaternions_need_four_channels() -> None:
    with pytest.raises(ValueError, match="4 channels"):
        resample_quaternions(times(10, 50), noise(10, 3), rate_hz=50, origin_ns=ORIGIN_NS)


def test_magnitude_is_the_length_of_each_vector() -> None:
    values = noise(1000)
    assert np.allclose(magnitude(values), np.linalg.norm(values, axis=1), rtol=1e-6)
    assert magnitude(np.full((2, 3), 1e30, np.float32)).tolist() == pytest.approx([np.sqrt(3) * 1e30] * 2)
    assert magnitude(values).dtype == np.float32


# --- real recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_real_barbell_recordings_keep_their_mean_and_range(real: Path) -> None:
    files = sorted((real / "metamotion_barbell" / "MetaMotion").rglob("*Accelerometer*.csv"))[::8]
    assert files
    for path in files:
        rows = pyarrow.csv.read_csv(path)
        t_ns, order = np.unique(rows["epoch (ms)"].to_numpy() * 1_000_000, return_index=True)
        values = np.stack([rows[column].to_numpy() for column in rows.column_names[-3:]], axis=1).astype(np.float32)[order]
        pieces = resample(t_ns, values, rate_hz=10, origin_ns=int(t_ns[0]))
        found = np.concatenate([piece.values for piece in pieces])
        assert abs(len(found) - len(values) * 10 / 12.5) < 0.02 * len(values) + 2 * len(pieces)
        assert np.abs(found.mean(axis=0) - values.mean(axis=0)).max() < 0.05
        assert found.max() < values.max() + 0.5 * np.ptp(values) and found.min() > values.min() - 0.5 * np.ptp(values)
