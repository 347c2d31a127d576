"""How the examples of a task are prepared, as its study says: the channels, and where recordings are cut.

Belongs here: the sections `input` and `segment` of a task, as frozen models. What they ask for is done in
`ml.preprocessing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, model_validator

from studies.fields import Positive, Share, Strict, distinct
from studies.sensors import POSE_SENSORS, StreamName, placement_of, sensor_of, stream_name
from studies.skeletons import JOINTS

#: What a body is centred on and measured by.
TRUNK = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")

#: Streams that the angles of a body are made of; those of the ankles need the toes, `ANGLE_TOES`, as well.
ANGLE_STREAMS = tuple(
    stream_name("joint", name)
    for name in ("neck", *(f"{side}_{part}" for part in ("shoulder", "hip", "knee", "ankle") for side in ("left", "right")))
)
ANGLE_TOES = tuple(stream_name("joint", f"{side}_foot_index") for side in ("left", "right"))

#: Samples that anything with a course in time has at least.
FEWEST_SAMPLES = 8
#: What a task writes for the streams of all joints.
ALL_JOINTS = "joints"

_JOINT_STREAMS = tuple(stream_name("joint", name) for name in JOINTS)


def _with_all_joints(streams: object) -> object:
    if not isinstance(streams, list | tuple):
        return streams
    return [name for stream in streams for name in (_JOINT_STREAMS if stream == ALL_JOINTS else (stream,))]


class Filter(Strict):
    """A zero-phase Butterworth filter: what lies between `low_hz` and `high_hz` passes; one of them may be left out.

    Parameters
    ----------
    low_hz, high_hz : float, optional
        Where the filter has taken half of the power away, in Hz.
    order : int
        Order of one pass; it runs forwards and backwards, so that nothing is delayed and the slope is twice as steep.
    """

    low_hz: Positive | None = None
    high_hz: Positive | None = None
    order: Annotated[int, Field(ge=1, le=10)] = 4

    @model_validator(mode="after")
    def _passes_something(self) -> Filter:
        if self.low_hz is None and self.high_hz is None:
            raise ValueError("a filter needs low_hz, high_hz or both")
        if self.low_hz is not None and self.high_hz is not None and self.low_hz >= self.high_hz:
            raise ValueError(f"low_hz ({self.low_hz:g}) lies below high_hz ({self.high_hz:g})")
        return self


class Smooth(Strict):
    """Savitzky–Golay smoothing: each value becomes that of a polynomial through its neighbours, so turning points last.

    Parameters
    ----------
    seconds : float
        How wide the window is.
    order : int
        Degree of the polynomial.
    """

    seconds: Positive
    order: Annotated[int, Field(ge=1, le=5)] = 2


class OneEuro(Strict):
    """The 1 € filter (Casiez et al., 2012): the faster a signal moves, the less it is held back; nothing later is looked at.

    Parameters
    ----------
    min_cutoff_hz : float
        Of the low-pass while nothing moves, in Hz: lower for less tremor.
    beta : float
        By how many Hz the cutoff rises for a speed of one unit of the stream a second: higher for less delay.
    derivative_cutoff_hz : float
        Of the low-pass that the speed itself goes through, in Hz.
    """

    min_cutoff_hz: Positive = 1.0
    beta: Annotated[FiniteFloat, Field(ge=0)] = 0.0
    derivative_cutoff_hz: Positive = 1.0


class Input(Strict):
    """The channels of an example: streams in this order, x, y, z (and w) of each, on one clock of `rate_hz`.

    Parameters
    ----------
    streams : tuple of str
        ``joints`` stands for those of the 19 joints of `studies.skeletons.JOINTS`.
    rate_hz : float
    smooth : Smooth, optional
        Done to every stream but orientation, between its gaps, before the filter.
    one_euro : OneEuro, optional
        The same in another way, for answers that must not wait for what comes later; not beside `smooth`.
    filter : Filter, optional
        Applied to every stream but orientation, between its gaps and before anything is cut.
    magnitude : bool
        One more channel for each stream but orientation: the length of its vector.
    gravity : bool
        Six more channels for each accelerometer: gravity, estimated by a low-pass, and the acceleration without it.
    baseline : {"participant"}, optional
        Examples as differences from the mean example of their participant, in units of what their examples differ by.
    derive : {"distances", "images", "angles", "centred"}, optional
        The distances of every two of the 19 joints, pictures of the body, or the angles of its joints and the height of its hips,
        instead of the streams' own channels; or these channels as seen from between the hips, in lengths of the trunk.
    same_size : bool
        With distances or images: every body is brought to one size first.
    view_degrees : float, optional
        With images: how far to its left of straight ahead a body is seen from; as the camera saw it if left out.
    """

    streams: Annotated[tuple[StreamName, ...], Field(min_length=1), AfterValidator(distinct), BeforeValidator(_with_all_joints)]
    rate_hz: Positive
    smooth: Smooth | None = None
    one_euro: OneEuro | None = None
    filter: Filter | None = None
    magnitude: bool = False
    gravity: bool = False
    baseline: Literal["participant"] | None = None
    derive: Literal["distances", "images", "angles", "centred"] | None = None
    same_size: bool = False
    view_degrees: Annotated[float, Field(ge=-180, le=180)] | None = None

    @model_validator(mode="after")
    def _joints_are_there_to_derive_from(self) -> Input:
        if self.derive not in ("distances", "images"):
            return self
        missing = [stream for stream in _JOINT_STREAMS if stream not in self.streams]
        if missing:
            named = f"{len(missing)} are missing: {', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}"
            raise ValueError(f"'derive: {self.derive}' needs the {len(JOINTS)} joints ('streams: [{ALL_JOINTS}]'); {named}")
        others = [stream for stream in self.streams if stream not in _JOINT_STREAMS]
        if others:
            raise ValueError(f"'derive: {self.derive}' takes the {len(JOINTS)} joints alone; leave out {', '.join(others[:3])}")
        return self

    @model_validator(mode="after")
    def _limbs_are_there_to_have_angles(self) -> Input:
        if self.derive != "angles":
            return self
        missing = [stream for stream in ANGLE_STREAMS if stream not in self.streams]
        if missing:
            raise ValueError(f"'derive: angles' needs neck, shoulders, hips, knees and ankles; missing: {', '.join(missing)}")
        others = [stream for stream in self.streams if sensor_of(stream) != "joint"]
        if others:
            raise ValueError(f"'derive: angles' takes the joints of a body alone; leave out {', '.join(others[:3])}")
        return self

    @model_validator(mode="after")
    def _only_vectors_have_a_magnitude(self) -> Input:
        if self.magnitude and self.derive and self.derive != "centred":
            raise ValueError(f"what is derived is no vector and has no magnitude: leave it out beside 'derive: {self.derive}'")
        return self

    @model_validator(mode="after")
    def _trunk_is_there_to_centre_on(self) -> Input:
        if self.derive != "centred":
            return self
        sensors = {sensor_of(stream) for stream in self.streams}
        if len(sensors) > 1 or not sensors <= POSE_SENSORS:
            raise ValueError("'derive: centred' takes the joints of a body alone: streams joint@… or keypoint@…, not both")
        missing = [name for part in TRUNK for sensor in sensors if (name := stream_name(sensor, part)) not in self.streams]
        if missing:
            raise ValueError(f"'derive: centred' counts from the hips in lengths of the trunk; missing: {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _bodies_are_there_to_turn(self) -> Input:
        if self.same_size and self.derive not in ("distances", "images"):
            raise ValueError("same_size goes with 'derive: distances' or 'derive: images'; nothing else is brought to one size")
        if self.view_degrees is not None and self.derive != "images":
            raise ValueError("view_degrees goes with 'derive: images': nothing else depends on where a body is seen from")
        return self

    @model_validator(mode="after")
    def _baseline_can_be_taken_away(self) -> Input:
        if self.baseline and any(sensor_of(stream) == "orientation" for stream in self.streams):
            raise ValueError("a baseline is taken away from vectors; orientation is none: leave it out of the streams")
        return self

    @model_validator(mode="after")
    def _clock_holds_the_filter(self) -> Input:
        edges = [edge for edge in (self.filter.low_hz, self.filter.high_hz) if edge is not None] if self.filter else []
        if edges and max(edges) >= self.rate_hz / 2:
            raise ValueError(
                f"the filter ends at {max(edges):g} Hz; a clock of {self.rate_hz:g} Hz holds less than half of that rate"
            )
        return self

    @model_validator(mode="after")
    def _window_holds_the_polynomial(self) -> Input:
        if self.smooth and round(self.smooth.seconds * self.rate_hz) <= self.smooth.order + 1:
            raise ValueError(
                f"smoothing over {self.smooth.seconds:g} s changes nothing: at {self.rate_hz:g} Hz a polynomial of order "
                f"{self.smooth.order} needs more than {(self.smooth.order + 1) / self.rate_hz:g} s"
            )
        return self

    @model_validator(mode="after")
    def _smoothed_in_one_way(self) -> Input:
        if self.smooth and self.one_euro:
            raise ValueError("smooth and one_euro are two ways to do the same: leave one of them out")
        return self

    @model_validator(mode="after")
    def _gravity_can_be_told(self) -> Input:
        if not self.gravity:
            return self
        if not any(sensor_of(stream) == "accelerometer" for stream in self.streams):
            raise ValueError("gravity is estimated from an accelerometer; the streams name none")
        for stream in self.streams:
            again = set(self.parts_of(stream)) & set(self.streams)
            if again:
                raise ValueError(f"gravity would make '{min(again)}', which the streams name already: leave one of them out")
        return self

    def parts_of(self, stream: str) -> tuple[str, ...]:
        """Return the streams that `gravity` makes out of one: gravity and the acceleration without it, or none."""
        if not self.gravity or sensor_of(stream) != "accelerometer":
            return ()
        return tuple(stream_name(sensor, placement_of(stream)) for sensor in ("gravity", "linear_acceleration"))

    def all_streams(self) -> Iterator[str]:
        """Yield every stream that has channels, in their order: the declared ones, each with what is made out of it."""
        for stream in self.streams:
            yield stream
            yield from self.parts_of(stream)


class Segmentation(Strict):
    """How recordings are cut.

    Parameters
    ----------
    by : {"annotation", "repetition", "deepest", "window", "recording", "frame"}
    length : int
        Samples of an example; a segment is interpolated to it. Of images their number, which alone may be small. 1 with
        ``frame``, where every tick is an example by itself.
    frames : int, optional
        With the deepest point of a squat: ticks before it and after it.
    seconds, overlap : float
        For windows: length in seconds and the share that two neighbours have in common.
    min_seconds, max_seconds : float
        Shorter and longer stretches are not used; of repetitions, the shortest and the longest that are looked for.
    min_confidence : float
        Repetitions that are less sure are not used.
    borrow : float, optional
        With annotations: a recording without marks takes those of the other recording of its session, video or sensor, where
        their clocks were brought together with this confidence.
    """

    by: Literal["annotation", "repetition", "deepest", "window", "recording", "frame"]
    length: Annotated[int, Field(ge=1, le=100_000)] = 1
    frames: Annotated[int, Field(ge=1, le=1000)] | None = None
    seconds: Positive | None = None
    overlap: Annotated[float, Field(ge=0, lt=1)] = 0.0
    min_seconds: Positive = 1.0
    max_seconds: Positive | None = None
    min_confidence: Share = 0.1
    borrow: Share | None = None

    @model_validator(mode="after")
    def _one_sample_is_a_frame(self) -> Segmentation:
        if self.by == "frame" and self.length != 1:
            raise ValueError(f"with 'by: frame' every tick is an example by itself: leave out length ({self.length})")
        if self.by not in ("frame", "deepest") and self.length < FEWEST_SAMPLES:
            raise ValueError(f"'by: {self.by}' needs length, {FEWEST_SAMPLES} samples or more; only 'by: frame' has one")
        return self

    @model_validator(mode="after")
    def _only_marks_are_borrowed(self) -> Segmentation:
        if self.borrow is not None and self.by != "annotation":
            raise ValueError("borrow goes with 'by: annotation': only marks are taken from another recording")
        return self

    @model_validator(mode="after")
    def _the_deepest_has_frames(self) -> Segmentation:
        if (self.by == "deepest") != (self.frames is not None):
            raise ValueError("frames goes with 'by: deepest', which needs it: so many before the deepest point and after it")
        return self

    @model_validator(mode="after")
    def _window_has_seconds(self) -> Segmentation:
        if (self.by == "window") != (self.seconds is not None):
            raise ValueError("seconds goes with 'by: window', and windows need it")
        return self

    @model_validator(mode="after")
    def _repetitions_have_a_longest(self) -> Segmentation:
        if self.by == "repetition" and self.max_seconds is None:
            raise ValueError("'by: repetition' needs max_seconds: how long one repetition takes at most")
        if self.by in ("window", "recording", "deepest", "frame") and self.max_seconds is not None:
            raise ValueError("max_seconds goes with 'by: repetition' or 'by: annotation'")
        if self.max_seconds is not None and self.max_seconds <= self.min_seconds:
            raise ValueError(f"max_seconds ({self.max_seconds:g}) is not above min_seconds ({self.min_seconds:g})")
        return self
