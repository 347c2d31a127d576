"""A stream resampled block by block is the stream resampled at once, wherever its gaps and its blocks lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.preprocessing.blocks import Readings, extent_of, resample_blocks
from ml.preprocessing.resampling import Piece, resample, resample_quaternions

ORIGIN = 1_700_000_000_000_000_000


def stream(seed: int, *, readings: int, rate_hz: float, gaps: int, axes: int = 3) -> Readings:
    """A movement that a sensor of that rate can hold, at jittered times, with gaps and readings that never came."""
    random = np.random.default_rng(seed)
    step = (1 + random.uniform(-0.1, 0.1, readings)) / rate_hz
    step[random.integers(1, readings, gaps)] += random.uniform(0.1, 3, gaps)
    at = np.cumsum(step)
    phase = random.uniform(0, 6, axes)
    values = np.cos(2 * np.pi * np.linspace(0.2, 1, axes) * at[:, np.newaxis] + phase).astype(np.float32)
    values[random.integers(0, readings, 3)] = np.nan
    return ORIGIN + np.rint(at * 1e9).astype(np.int64), values


def in_parts(readings: Readings, size: int) -> Iterator[Readings]:
    t_ns, values = readings
    for start in range(0, len(t_ns), size):
        yield t_ns[start : start + size], values[start : start + size]


def at_once(pieces: list[Piece]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    step = np.concatenate([piece.first_step + np.arange(len(piece.values)) for piece in pieces])
    number = np.repeat(np.arange(len(pieces)), [len(piece.values) for piece in pieces])
    return step, number, np.concatenate([piece.values for piece in pieces])


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(40, 1500),
    rate_hz=st.sampled_from([20.0, 50.0, 110.2]),
    to_hz=st.sampled_from([5.0, 12.5, 50.0, 100.0]),
    gaps=st.integers(0, 8),
    method=st.sampled_from([resample, resample_quaternions]),
)
def test_blocks_of_any_size_come_to_what_the_whole_stream_comes_to(
    seed: int, size: int, rate_hz: float, to_hz: float, gaps: int, method: Callable[..., list[Piece]]
) -> None:
    readings = stream(seed, readings=3000, rate_hz=rate_hz, gaps=gaps, axes=4 if method is resample_quaternions else 3)
    extent = extent_of(in_parts(readings, size))
    assert extent is not None
    blocks = list(resample_blocks(in_parts(readings, size), extent, rate_hz=to_hz, origin_ns=ORIGIN, method=method))
    step, piece, values = at_once(method(*readings, rate_hz=to_hz, origin_ns=ORIGIN))
    assert np.array_equal(np.concatenate([block.step for block in blocks]), step)
    assert np.array_equal(np.concatenate([block.piece for block in blocks]), piece)
    assert np.allclose(np.concatenate([block.values for block in blocks]), values, atol=1e-4)


def test_a_stream_slower_than_its_blocks_are_long_is_still_whole() -> None:
    t_ns = ORIGIN + np.arange(300, dtype=np.int64) * 3_000_000_000
    readings = t_ns, np.sin(np.arange(300, dtype=np.float32) / 9)[:, np.newaxis]
    extent = extent_of(in_parts(readings, 50))
    assert extent is not None
    assert extent.pace.mean_ns == 3e9
    blocks = list(resample_blocks(in_parts(readings, 50), extent, rate_hz=1, origin_ns=ORIGIN, method=resample))
    (piece,) = resample(*readings, rate_hz=1, origin_ns=ORIGIN)
    assert np.allclose(np.concatenate([block.values for block in blocks]), piece.values, atol=1e-5)


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.full((5, 3), np.nan), np.zeros((5, 4))])
def test_a_stream_of_which_no_reading_counts_has_no_extent(values: np.ndarray) -> None:
    t_ns = ORIGIN + np.arange(len(values), dtype=np.int64)
    assert extent_of([(t_ns, values.astype(np.float32))]) is None


def test_a_single_reading_is_a_piece_of_its_own() -> None:
    readings = np.array([ORIGIN]), np.ones((1, 3), np.float32)
    extent = extent_of([readings])
    assert extent is not None
    (block,) = resample_blocks([readings], extent, rate_hz=10, origin_ns=ORIGIN, method=resample)
    assert block.step.tolist() == [0]
