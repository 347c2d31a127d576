"""Recordings of one session: which video and which sensor saw the same movement, and marks that one lends the other.

Belongs here: pairing the recordings of a batch, the table `offsets`, and moving marks by it. How far apart two clocks are is
found in `ml.preprocessing.fusion`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.preprocessing.annotations import NO_MARKS, Marks
from ml.preprocessing.fusion import Motion, Offset, motion_of_body, motion_of_sensor, offset_between
from ml.preprocessing.recordings import accepted_recordings, by_stream, read_streams, values_of
from studies.sensors import sensor_of, stream_name
from studies.study import Study
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_OFFSETS = TABLES["offsets"].unpartitioned
_HIPS, _ANKLES = (tuple(stream_name("joint", f"{side}_{part}") for side in ("left", "right")) for part in ("hip", "ankle"))
#: Two dated recordings of a session that lie further apart than this were not made at the same time.
_FURTHEST_NS = 600 * 1_000_000_000
#: What begins before 1971 has no date: it counts from its own beginning.
_DATED_NS = 365 * 86_400 * 1_000_000_000

_Streams = Mapping[str, pa.Table]


def offsets_of_batch(batch_id: str, study: Study, home: Home) -> int:
    """Find how far apart the clocks of every video and sensor of the same session are; write `offsets`.

    Of a session with several of them, two belong together that suit each other better than anything else suits either.

    Parameters
    ----------
    batch_id : str
    study : Study
    home : Home

    Returns
    -------
    int
        Rows written; those of an earlier run of the batch are replaced.
    """
    found = [pair.row() for session in _sessions(batch_id, study, home) for pair in _best(_pairs(session, batch_id, home))]
    Lake(home).replace("offsets", pa.Table.from_pylist(found, schema=_OFFSETS), where={"batch_id": batch_id})
    return len(found)


def lent_marks(batch_id: str, marks: Mapping[str, Marks], home: Home, *, min_confidence: float) -> dict[str, Marks]:
    """Return the marks of every recording, those of its partner in the session where it has none of its own.

    Parameters
    ----------
    batch_id : str
    marks : mapping of str to Marks
        By recording.
    home : Home
    min_confidence : float
        Of the row of `offsets` by which marks are moved.

    Returns
    -------
    dict of str to Marks
    """
    rows = Lake(home).read("offsets", where={"batch_id": batch_id}).filter(pc.field("confidence") >= min_confidence)
    found = dict(marks)
    for row in rows.to_pylist():
        video, sensor = row["video_id"], row["sensor_id"]
        for to, source, shift in ((sensor, video, row["offset_ns"]), (video, sensor, -row["offset_ns"])):
            own, lent = marks.get(to, NO_MARKS), marks.get(source, NO_MARKS)
            if len(lent) and not len(own):
                moved = replace(lent, start_ns=lent.start_ns + shift, end_ns=lent.end_ns + shift)
                found[to] = replace(moved, statement=f"Marks of recording {source} were used, moved by {shift / 1e9:.3f} s.")
    return found


@dataclass(frozen=True)
class _Session:
    """Recordings of one participant's session."""

    participant: str
    session: str
    videos: Sequence[str]
    sensors: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class _Pair:
    session: _Session
    video: str
    sensor: str
    stream: str
    offset: Offset

    @cached_property
    def rank(self) -> tuple[float, float]:
        return self.offset.confidence, self.offset.correlation

    def row(self) -> dict[str, Any]:
        return {
            "participant": self.session.participant,
            "session": self.session.session,
            "video_id": self.video,
            "sensor_id": self.sensor,
            "stream": self.stream,
            "offset_ns": self.offset.offset_ns,
            "correlation": self.offset.correlation,
            "confidence": self.offset.confidence,
        }


def _sessions(batch_id: str, study: Study, home: Home) -> Iterator[_Session]:
    """Sessions of the batch that have both; a study that has not both has none."""
    if not {"joint", "accelerometer"} <= {sensor_of(stream) for stream in study.streams}:
        return
    accepted = {recording.recording_id for recording in accepted_recordings(batch_id, home)}
    lake, where = Lake(home), {"batch_id": batch_id}
    streams = lake.read("streams", columns=["recording_id", "stream"], where=where).to_pylist()
    of: dict[str, list[str]] = {}
    for row in streams:
        of.setdefault(row["recording_id"], []).append(row["stream"])
    sessions: dict[tuple[str, str], list[str]] = {}
    for row in lake.read("recordings", columns=["recording_id", "participant", "session"], where=where).to_pylist():
        if row["session"] and row["recording_id"] in accepted:
            sessions.setdefault((row["participant"], row["session"]), []).append(row["recording_id"])
    for (participant, session), recordings in sorted(sessions.items()):
        videos = [one for one in sorted(recordings) if {*_HIPS, *_ANKLES} <= set(of.get(one, ()))]
        sensors = {
            one: [stream for stream in sorted(of.get(one, ())) if sensor_of(stream) in ("accelerometer", "gravity")]
            for one in sorted(recordings)
        }
        sensors = {one: names for one, names in sensors.items() if any(sensor_of(name) == "accelerometer" for name in names)}
        if videos and sensors:
            yield _Session(participant, session, videos, sensors)


def _pairs(session: _Session, batch_id: str, home: Home) -> Iterator[_Pair]:
    names = sorted({*_HIPS, *_ANKLES, *(name for names in session.sensors.values() for name in names)})
    of = {"batch_id": [batch_id], "recording_id": [*session.videos, *session.sensors], "stream": names}
    read = by_stream(read_streams("samples", ["recording_id", "stream", "t_ns", "x", "y", "z", "w"], home, of=of))
    bodies = {video: _body(read.get(video, {})) for video in session.videos}
    worn = {
        (sensor, stream): _worn(read.get(sensor, {}), stream)
        for sensor, names in session.sensors.items()
        for stream in names
        if sensor_of(stream) == "accelerometer"
    }
    for (video, body), ((sensor, stream), motion) in product(bodies.items(), worn.items()):
        if body is None or motion is None or _apart(body, motion):
            continue
        offset = offset_between(body, motion)
        if offset is not None:
            yield _Pair(session, video, sensor, stream, offset)


def _best(pairs: Iterator[_Pair]) -> list[_Pair]:
    """Pairs by rank, each video and each sensor once."""
    chosen: list[_Pair] = []
    for pair in sorted(pairs, key=lambda pair: pair.rank, reverse=True):
        if not any(pair.video == other.video or pair.sensor == other.sensor for other in chosen):
            chosen.append(pair)
    return chosen


def _apart(body: Motion, motion: Motion) -> bool:
    dated = min(body.start_ns, motion.start_ns) > _DATED_NS
    return dated and abs(body.start_ns - motion.start_ns) > _FURTHEST_NS


def _body(streams: _Streams) -> Motion | None:
    """The hips above the ankles in the frames that show all four."""
    joints = {name: (streams[name]["t_ns"].to_numpy(), streams[name]["y"].to_numpy()) for name in (*_HIPS, *_ANKLES)}
    t_ns = reduce(np.intersect1d, (times for times, _ in joints.values()))
    of = {name: values[np.searchsorted(times, t_ns)] for name, (times, values) in joints.items()}
    return motion_of_body(t_ns, _mean(of, _HIPS) - _mean(of, _ANKLES))


def _mean(of: Mapping[str, npt.NDArray[np.float32]], names: Sequence[str]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.mean([of[name] for name in names], axis=0, dtype=np.float64)
    return found


def _worn(streams: _Streams, stream: str) -> Motion | None:
    rows = streams[stream]
    t_ns, felt = rows["t_ns"].to_numpy(), values_of(rows, stream)
    beside = stream.replace("accelerometer", "gravity")
    if beside not in streams:
        return motion_of_sensor(t_ns, felt)
    gravity_ns, gravity = streams[beside]["t_ns"].to_numpy(), values_of(streams[beside], beside)
    return motion_of_sensor(t_ns, felt, np.stack([np.interp(t_ns, gravity_ns, axis) for axis in gravity.T], axis=1))
