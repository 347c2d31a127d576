"""From streams to tensors of one shape: the channels of an example, cutting, fixed length by interpolation.

Belongs here: what training and inference must do identically. `ml.preprocessing.examples` applies it to the lake's
resampled rows, `cut_streams` to the streams of a file that is in no table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.preprocessing.clock import Clock
from ml.preprocessing.resampling import Piece, magnitude, resample, resample_quaternions
from ml.preprocessing.segmentation import Spans, common_spans, cut_spans
from studies.sensors import axes_of, sensor_of
from studies.study import Input, Task
from warehouse.errors import Reason, UnreadableFile

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cut:
    """The segments of one recording as model-ready tensors.

    Parameters
    ----------
    start_ns, end_ns : ndarray of int64, shape (n,)
        First and last tick of each segment, ns since 1970 UTC.
    signals : ndarray of float32, shape (n, length, channels)
        Channels as `channel_names` lists them, in the streams' SI units.
    """

    start_ns: _Ints
    end_ns: _Ints
    signals: _Floats

    def __len__(self) -> int:
        return len(self.start_ns)


@dataclass(frozen=True)
class Ticks:
    """One stream on the recording's uniform clock.

    Parameters
    ----------
    at : ndarray of int64, shape (n,)
        Tick numbers or tick times in ns, ascending; the same in all streams of a recording.
    values : ndarray of float32, shape (n, axes)
        x, y, z and, for quaternions, w.
    """

    at: _Ints
    values: _Floats


def channel_names(inputs: Input) -> tuple[str, ...]:
    """Return the channels of an example in order, as ``<stream>.<axis>``.

    With ``magnitude`` each stream ends in ``<stream>.norm``, its vector's length; orientation has none, since the norm of
    a unit quaternion is always one.

    Examples
    --------
    >>> channel_names(Input(streams=("gyroscope",), rate_hz=50, magnitude=True))
    ('gyroscope.x', 'gyroscope.y', 'gyroscope.z', 'gyroscope.norm')
    """
    return tuple(
        f"{stream}.{axis}"
        for stream in inputs.streams
        for axis in (*axes_of(stream), *(("norm",) if _has_norm(stream, inputs) else ()))
    )


def resample_stream(stream: str, t_ns: _Ints, values: _Floats, *, rate_hz: float, origin_ns: int) -> list[Piece]:
    """Bring a stream to a uniform clock as its values ask for: orientations stay unit quaternions."""
    method = resample_quaternions if sensor_of(stream) == "orientation" else resample
    return method(t_ns, values, rate_hz=rate_hz, origin_ns=origin_ns)


def cut_streams(streams: Mapping[str, tuple[_Ints, _Floats]], task: Task) -> Cut:
    """Resample, segment and cut the streams of one recording as a task asks for.

    Parameters
    ----------
    streams : mapping of str to (t_ns, values)
        For every stream of ``task.input.streams``: times of shape (n,), ns since 1970 UTC, ascending and unique, and
        values of shape (n, axes) in SI units. Further streams only count for where the recording's clock starts, at the
        earliest reading of all: give every stream that a task of the study asks for, as `ml.preprocessing.batch` does.
    task : Task

    Returns
    -------
    Cut
        Without a segment where the streams never run together for `min_seconds` without a gap.

    Raises
    ------
    UnreadableFile
        If a stream that the task needs is missing or empty.
    """
    needed = {stream: _present(streams, stream) for stream in task.input.streams}
    rate_hz = task.input.rate_hz
    origin_ns = min(int(t_ns[0]) for t_ns, _ in streams.values() if len(t_ns))
    pieces = {stream: resample_stream(stream, *read, rate_hz=rate_hz, origin_ns=origin_ns) for stream, read in needed.items()}
    segments = cut_spans(common_spans([_spans(found) for found in pieces.values()]), task.segment, rate_hz=rate_hz)
    signals = cut({stream: _ticks(found, stream) for stream, found in pieces.items()}, segments, task)
    return Cut(*segments.times_ns(Clock.of(rate_hz, origin_ns=origin_ns)), signals)


def cut(streams: Mapping[str, Ticks], segments: Spans, task: Task) -> _Floats:
    """Cut segments out of one recording's ticks and bring each to the task's length.

    Parameters
    ----------
    streams : mapping of str to Ticks
        Every stream of the task's input.
    segments : Spans
        Their `first` in the same unit as `Ticks.at`; every tick of a segment is there in every stream.
    task : Task

    Returns
    -------
    ndarray of float32, shape (n, length, channels)
    """
    length, channels = task.segment.length, len(channel_names(task.input))
    signals = np.empty((len(segments), length, channels), np.float32)
    for steps in np.unique(segments.steps):
        (same,) = np.nonzero(segments.steps == steps)
        blocks = [
            _block(streams[stream], segments.first[same], int(steps), norm=_has_norm(stream, task.input))
            for stream in task.input.streams
        ]
        signals[same] = resize(np.concatenate(blocks, axis=2), length)
    return signals


def resize(signals: _Floats, length: int) -> _Floats:
    """Bring signals to a fixed number of samples, first and last sample kept.

    Stretching interpolates linearly. Shrinking takes the mean of the interpolated signal over one output step instead of
    its value at a point, so that what the new clock cannot hold is damped rather than folded into what it can.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, steps, channels)
        With at least two steps.
    length : int
        At least two.

    Returns
    -------
    ndarray of float32, shape (n, length, channels)

    Examples
    --------
    >>> resize(np.array([[[0.0], [1.0], [2.0]]], np.float32), 5).ravel().tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    steps = signals.shape[1]
    if steps == length:
        return signals
    positions = np.linspace(0, steps - 1, length)
    if steps < length:
        return interpolate(signals, np.broadcast_to(positions, (len(signals), length)))
    half = np.minimum((steps - 1) / (length - 1) / 2, np.minimum(positions, steps - 1 - positions))
    return _means(signals, positions - half, positions + half)


def interpolate(signals: _Floats, positions: npt.NDArray[np.float64]) -> _Floats:
    """Return signals at fractional positions, by straight lines between samples.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, steps, channels)
    positions : ndarray of float64, shape (n, length)
        For each signal, in samples from 0 to steps - 1.

    Returns
    -------
    ndarray of float32, shape (n, length, channels)
    """
    below = np.clip(positions.astype(np.int64), 0, signals.shape[1] - 2)
    weight = (positions - below).astype(np.float32)[:, :, np.newaxis]
    rows = np.arange(len(signals))[:, np.newaxis]
    lower = signals[rows, below]
    return lower + weight * (signals[rows, below + 1] - lower)


def _means(signals: _Floats, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]) -> _Floats:
    values = signals.astype(np.float64)
    area = np.zeros_like(values)
    np.cumsum((values[:, 1:] + values[:, :-1]) / 2, axis=1, out=area[:, 1:])

    def integral(positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        below = np.clip(positions.astype(np.int64), 0, values.shape[1] - 2)
        part = (positions - below)[:, np.newaxis]
        slope = values[:, below + 1] - values[:, below]
        return area[:, below] + part * (values[:, below] + part * slope / 2)

    width = (end - start)[:, np.newaxis]
    means = (integral(end) - integral(start)) / np.where(width > 0, width, 1)
    means[:, [0, -1]] = values[:, [0, -1]]
    return means.astype(np.float32)


def _block(stream: Ticks, first: _Ints, steps: int, *, norm: bool) -> _Floats:
    rows = np.searchsorted(stream.at, first)[:, np.newaxis] + np.arange(steps)
    values = stream.values[rows]
    if not norm:
        return values
    return np.concatenate([values, magnitude(values)[:, :, np.newaxis]], axis=2)


def _has_norm(stream: str, inputs: Input) -> bool:
    return inputs.magnitude and sensor_of(stream) != "orientation"


def _present(streams: Mapping[str, tuple[_Ints, _Floats]], stream: str) -> tuple[_Ints, _Floats]:
    if stream not in streams or len(streams[stream][0]) == 0:
        there = ", ".join(sorted(name for name, (t_ns, _) in streams.items() if len(t_ns))) or "none"
        sentence = f"the task needs the stream '{stream}', and the recording has none; streams with readings: {there}"
        raise UnreadableFile(Reason("stream_missing", sentence, remedy="record with that sensor switched on"))
    return streams[stream]


def _spans(pieces: Sequence[Piece]) -> Spans:
    first = np.array([piece.first_step for piece in pieces], np.int64)
    return Spans(first, np.array([len(piece.values) for piece in pieces], np.int64))


def _ticks(pieces: Sequence[Piece], stream: str) -> Ticks:
    if not pieces:
        return Ticks(np.zeros(0, np.int64), np.zeros((0, len(axes_of(stream))), np.float32))
    at = np.concatenate([piece.first_step + np.arange(len(piece.values), dtype=np.int64) for piece in pieces])
    return Ticks(at, np.concatenate([piece.values for piece in pieces]))
