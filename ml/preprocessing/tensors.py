"""From streams to tensors of one shape: the channels of an example, and cutting them out.

Belongs here: what training and inference must do identically. `ml.preprocessing.examples` applies it to the lake's
resampled rows, `cut_streams` to the streams of a file that is in no table. How a stretch gets its fixed length is in
`ml.preprocessing.fixed_length`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.preprocessing.clock import Clock
from ml.preprocessing.cutting import segments_of, unmarked
from ml.preprocessing.filters import Ticks, prepare
from ml.preprocessing.fixed_length import stretch
from ml.preprocessing.pose.derived import angle_names, angles_between, centred, distances_between, images_in
from ml.preprocessing.pose.distances import PAIRS
from ml.preprocessing.pose.images import CHANNELS, ROWS
from ml.preprocessing.resampling import Piece, magnitude, resample, resample_quaternions
from ml.preprocessing.segmentation import Spans, common_spans
from studies.preparation import Input
from studies.sensors import axes_of, sensor_of
from studies.study import Task
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


#: Channels that `derive` puts in place of those of the streams.
_REPLACED_BY = {"distances": PAIRS, "images": CHANNELS}


def channel_names(inputs: Input) -> tuple[str, ...]:
    """Return the channels of an example in order, as ``<stream>.<axis>``.

    With ``magnitude`` each stream ends in ``<stream>.norm``, its vector's length; orientation has none, since the norm of
    a unit quaternion is always one. With ``gravity`` each accelerometer is followed by the two streams made out of it.
    What is derived replaces the streams: distances are named ``<joint>-<joint>``, columns of images ``image.x<column>``, angles
    as in table ``joint_angles``.

    Examples
    --------
    >>> channel_names(Input(streams=("gyroscope",), rate_hz=50, magnitude=True))
    ('gyroscope.x', 'gyroscope.y', 'gyroscope.z', 'gyroscope.norm')
    """
    if inputs.derive == "angles":
        return angle_names(inputs.streams)
    if inputs.derive in _REPLACED_BY:
        return _REPLACED_BY[inputs.derive]
    return tuple(
        f"{stream}.{axis}"
        for stream in inputs.all_streams()
        for axis in (*axes_of(stream), *(("norm",) if _has_norm(stream, inputs) else ()))
    )


def rows_of(task: Task) -> int:
    """Return the second size of an example: the samples of a signal, or the rows of its images, which lie under one another."""
    return task.segment.length * (ROWS if task.input.derive == "images" else 1)


def resample_stream(stream: str, t_ns: _Ints, values: _Floats, *, rate_hz: float, origin_ns: int) -> list[Piece]:
    """Bring a stream to a uniform clock as its values ask for: orientations stay unit quaternions."""
    return method_for(stream)(t_ns, values, rate_hz=rate_hz, origin_ns=origin_ns)


def method_for(stream: str) -> Callable[..., list[Piece]]:
    """Return how a stream is resampled: as quaternions, or axis by axis."""
    return resample_quaternions if sensor_of(stream) == "orientation" else resample


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
    common = common_spans([_spans(found) for found in pieces.values()])
    ticks = {stream: _ticks(found, stream) for stream, found in pieces.items()}
    segments = segments_of(common, unmarked(task.segment), ticks, rate_hz=rate_hz).spans
    return Cut(*segments.times_ns(Clock.of(rate_hz, origin_ns=origin_ns)), cut(ticks, segments, task))


def cut(streams: Mapping[str, Ticks], segments: Spans, task: Task) -> _Floats:
    """Cut segments out of one recording's ticks and bring each to the task's length.

    Parameters
    ----------
    streams : mapping of str to Ticks
        Every stream of the task's input.
    segments : Spans
        Their `first` in the same unit as `Ticks.at`; every tick of a segment is there in every stream, in one piece.
    task : Task

    Returns
    -------
    ndarray of float32, shape (n, rows_of(task), channels)
    """
    inputs, length = task.input, task.segment.length
    prepared = prepare(streams, inputs)
    if inputs.derive == "images":
        return images_in(prepared, segments, length, inputs)
    if inputs.derive in ("distances", "angles"):
        derived = distances_between(prepared, inputs) if inputs.derive == "distances" else angles_between(prepared)
        return stretch(derived.values, np.searchsorted(derived.at, segments.first), segments.steps, length)
    if inputs.derive == "centred":
        prepared = centred(prepared)
    signals = np.empty((len(segments), length, len(channel_names(inputs))), np.float32)
    column = 0
    for stream, ticks in prepared.items():
        values = ticks.values
        if _has_norm(stream, inputs):
            values = np.concatenate([values, magnitude(values)[:, np.newaxis]], axis=1)
        first = np.searchsorted(ticks.at, segments.first)
        block = stretch(values, first, segments.steps, length)
        if sensor_of(stream) == "orientation":
            block /= np.maximum(magnitude(block), np.float32(1e-6))[:, :, np.newaxis]
        signals[:, :, column : column + values.shape[1]] = block
        column += values.shape[1]
    return signals


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
    starts = np.cumsum([0, *(len(piece.values) for piece in pieces)])[:-1]
    if not pieces:
        return Ticks(np.zeros(0, np.int64), np.zeros((0, len(axes_of(stream))), np.float32), starts)
    at = np.concatenate([piece.first_step + np.arange(len(piece.values), dtype=np.int64) for piece in pieces])
    return Ticks(at, np.concatenate([piece.values for piece in pieces]), starts)
