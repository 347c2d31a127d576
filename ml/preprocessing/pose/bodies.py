"""What is kept of the bodies of a batch: the angles of their joints, their squats, and pictures round the deepest frame of each.

Belongs here: reading the joints of accepted recordings as they were recorded, and writing `joint_angles`, `squats` and
`pose_images`. What tasks learn from is made anew on their own clocks, in `ml.preprocessing.tensors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.preprocessing.blocks import Readings
from ml.preprocessing.pose.angles import ANGLE_JOINTS, ANGLES, joint_angles, mean_of_seen
from ml.preprocessing.pose.images import as_png, draw_poses
from ml.preprocessing.pose.squats import find_in, sinking, standing_height
from ml.preprocessing.recordings import Accepted, accepted_recordings, by_stream, in_groups, read_streams, values_of
from studies.sensors import placement_of, sensor_of, stream_name
from studies.skeletons import JOINTS
from studies.study import Study
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_NAMES = tuple(dict.fromkeys((*JOINTS, *ANGLE_JOINTS)))
_LEFT, _RIGHT, _HEIGHT = (ANGLES.index(name) for name in ("left_knee_deg", "right_knee_deg", "hip_height_m"))
#: So many frames before the deepest one of a squat, and after it, are drawn.
_DRAWN = 5
#: A step longer than this many median steps is a gap, as in table `gaps`.
_GAP_STEPS = 2.5

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Body:
    """The joints of one recording, frame by frame.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Of every frame in which any of them was seen, ns since 1970 UTC, ascending.
    joints : mapping of str to ndarray of float32, shape (n, 3)
        By name; not a number where one was not seen.
    angles : ndarray of float32, shape (n, 8)
        As `ml.preprocessing.pose.angles.ANGLES`.
    """

    t_ns: _Ints
    joints: Mapping[str, _Floats]
    angles: _Floats

    @property
    def knee_deg(self) -> _Floats:
        """Mean of both knee angles, of the one that was seen where only one was."""
        return mean_of_seen(self.angles[:, _LEFT], self.angles[:, _RIGHT])


def keep_bodies(batch_id: str, study: Study, home: Home) -> int:
    """Write the angles, squats and pictures of a batch's accepted recordings; a study without joints has none.

    Parameters
    ----------
    batch_id : str
    study : Study
    home : Home

    Returns
    -------
    int
        Squats written; those of an earlier run of the batch are replaced.
    """
    lake, where = Lake(home), {"batch_id": batch_id}
    if "joint" not in map(sensor_of, study.streams) and not any(lake.parquet_files("joint_angles", where=where)):
        return 0
    labelled = _labelled(batch_id, home)
    squats, images = [TABLES["squats"].unpartitioned.empty_table()], [TABLES["pose_images"].unpartitioned.empty_table()]

    def angles() -> Iterator[pa.RecordBatch]:
        for recording, body in _bodies(batch_id, home):
            squats.append(_squats(recording, body, labelled.get(recording.recording_id)))
            images.append(_images(recording, body, squats[-1]["deepest_ns"].to_numpy()))
            yield from _angles(recording, body).to_batches()

    lake.replace("joint_angles", pa.RecordBatchReader.from_batches(TABLES["joint_angles"].unpartitioned, angles()), where=where)
    found = pa.concat_tables(squats)
    lake.replace("squats", found, where=where)
    lake.replace("pose_images", pa.concat_tables(images), where=where)
    return found.num_rows


def _bodies(batch_id: str, home: Home) -> Iterator[tuple[Accepted, Body]]:
    """The joints of every accepted recording that has some, a few recordings at a time."""
    recordings = accepted_recordings(batch_id, home)
    streams = [stream_name("joint", name) for name in _NAMES]
    for part in in_groups([recording.rows for recording in recordings]):
        group = recordings[part]
        of = {"batch_id": [batch_id], "recording_id": [one.recording_id for one in group], "stream": streams}
        read = by_stream(read_streams("samples", ["recording_id", "stream", "t_ns", "x", "y", "z"], home, of=of))
        for recording in group:
            if found := read.get(recording.recording_id):
                yield recording, body_of({name: (rows["t_ns"].to_numpy(), values_of(rows, name)) for name, rows in found.items()})


def tables_of(recording_id: str, participant: str, streams: Mapping[str, Readings]) -> tuple[pa.Table, pa.Table]:
    """Return the rows that `joint_angles` and `squats` would have of a recording that is in neither; squats as they are found."""
    recording, body = Accepted(recording_id, participant, None, 0), body_of(streams)
    return _angles(recording, body), _squats(recording, body, None)


def body_of(streams: Mapping[str, Readings]) -> Body:
    """Put the joints of one recording together, frame by frame; `streams` has at least one ``joint@…``, others do not count."""
    own = {placement_of(name): readings for name, readings in streams.items() if sensor_of(name) == "joint"}
    t_ns = np.unique(np.concatenate([times for times, _ in own.values()]))
    joints = {name: np.full((len(t_ns), 3), np.nan, np.float32) for name in _NAMES}
    for name in joints.keys() & own.keys():
        times, places = own[name]
        joints[name][np.searchsorted(t_ns, times)] = places
    return Body(t_ns, joints, joint_angles(joints))


def _angles(recording: Accepted, body: Body) -> pa.Table:
    angles = {name: pa.array(body.angles[:, column], from_pandas=True) for column, name in enumerate(ANGLES)}
    return _table("joint_angles", recording, {"t_ns": body.t_ns, **angles})


def _labelled(batch_id: str, home: Home) -> dict[str, dict[str, npt.NDArray[np.generic]]]:
    """The squats that people labelled, by recording, as `found_squats` returns those that were found."""
    rows = Lake(home).read("annotations", where={"batch_id": batch_id}).filter(pc.field("mid_ns").is_valid())
    rows = rows.sort_by([("recording_id", "ascending"), ("mid_ns", "ascending")])
    ids = np.array(rows["recording_id"].to_pylist(), str)
    columns = {"start_ns": "start_ns", "deepest_ns": "mid_ns", "end_ns": "end_ns"}
    times = {name: rows[column].to_numpy() for name, column in columns.items()}
    return {own: {name: values[ids == own] for name, values in times.items()} for own in np.unique(ids).tolist()}


def _squats(recording: Accepted, body: Body, labelled: Mapping[str, npt.NDArray[np.generic]] | None) -> pa.Table:
    squats = found_squats(body) if labelled is None else labelled
    at = squats["deepest_ns"]
    knee, height, depth = measures_at(body, at)
    columns = {
        "confidence": pa.nulls(len(at), pa.float64()),
        **squats,
        "repetition": np.arange(1, len(at) + 1, dtype=np.int32),
        "knee_deg": pa.array(knee, from_pandas=True),
        "hip_height_m": pa.array(height, from_pandas=True),
        "depth": pa.array(depth, from_pandas=True),
        "source": pa.repeat("found" if labelled is None else "labelled", len(at)),
    }
    return _table("squats", recording, columns)


def found_squats(body: Body) -> dict[str, npt.NDArray[np.generic]]:
    """Find the squats of a recording in the frames that show hips, ankles and a knee.

    They are looked for on the even clock that is nearest to the frames' own, and told by the frames that lie nearest.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``start_ns``, ``deepest_ns``, ``end_ns`` and ``confidence``, by time.
    """
    flexion, height = np.radians(180 - body.knee_deg.astype(np.float64)), body.angles[:, _HEIGHT].astype(np.float64)
    seen = np.flatnonzero(np.isfinite(flexion) & np.isfinite(height))
    parts = [_found_in(body.t_ns[own], height[own], flexion[own]) for own in _stretches(body.t_ns, seen)]
    columns = zip(*parts, strict=True) if parts else [[np.zeros(0, np.int64)]] * 3 + [[np.zeros(0)]]
    return dict(zip(("start_ns", "deepest_ns", "end_ns", "confidence"), map(np.concatenate, columns), strict=True))


def _stretches(t_ns: _Ints, seen: _Ints) -> Sequence[_Ints]:
    """Frames without a gap between them; gaps are judged by the steps of all frames."""
    if len(seen) < 2:
        return []
    steps = np.diff(t_ns[seen])
    return np.split(seen, np.flatnonzero(steps > _GAP_STEPS * np.median(np.diff(t_ns))) + 1)


def _found_in(
    t_ns: _Ints, height: npt.NDArray[np.float64], flexion: npt.NDArray[np.float64]
) -> tuple[_Ints, _Ints, _Ints, npt.NDArray[np.float64]]:
    """Squats of one stretch, as times of its frames."""
    since = (t_ns - t_ns[0]).astype(np.float64)
    even = np.linspace(0, since[-1], len(since))
    rate_hz = 1e9 * max(len(since) - 1, 1) / max(since[-1], 1.0)
    squats = find_in(np.interp(even, since, height), np.interp(even, since, flexion), rate_hz=rate_hz)
    start, deepest, end = (t_ns[nearest(since, even[frames])] for frames in (squats.start, squats.deepest, squats.end))
    return start, deepest, end, squats.confidence


def nearest(times: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> _Ints:
    """Return the number of the frame that is nearest to each of some times; of two as near, the earlier.

    Examples
    --------
    >>> nearest(np.array([0.0, 1.0, 2.5]), np.array([-1, 0.5, 0.6, 1.8, 9])).tolist()
    [0, 0, 1, 2, 2]
    """
    after = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    found: _Ints = np.where(wanted - times[before] <= times[after] - wanted, before, after)
    return found


def measures_at(body: Body, times: npt.NDArray[np.generic]) -> tuple[_Floats, _Floats, _Floats]:
    """Return knee angle (degrees), hip height (m) and depth (share of the standing height) in the frames of these times.

    Not a number where nobody was seen then.
    """
    rows = np.minimum(np.searchsorted(body.t_ns, times), len(body.t_ns) - 1)
    there, all_heights = body.t_ns[rows] == times, body.angles[:, _HEIGHT].astype(np.float64)
    seen = all_heights[np.isfinite(all_heights)]
    knee, height = np.where(there, body.knee_deg[rows], np.nan), np.where(there, all_heights[rows], np.nan)
    depth = sinking(height, standing_height(seen)) if len(seen) else height
    return knee.astype(np.float32), height.astype(np.float32), depth.astype(np.float32)


def _images(recording: Accepted, body: Body, deepest_ns: _Ints) -> pa.Table:
    """Pictures of the frames round the deepest one of every squat, none from beyond a gap."""
    deepest = np.minimum(np.searchsorted(body.t_ns, deepest_ns), len(body.t_ns) - 1)
    offset = np.arange(-_DRAWN, _DRAWN + 1)
    around = deepest[:, np.newaxis] + offset
    rows = np.clip(around, 0, len(body.t_ns) - 1)
    steps = np.diff(body.t_ns, prepend=body.t_ns[0])
    piece = np.cumsum(steps > _GAP_STEPS * np.median(steps[1:])) if len(steps) > 1 else steps
    there = (rows == around) & (piece[rows] == piece[deepest][:, np.newaxis])
    there &= (body.t_ns[deepest] == deepest_ns)[:, np.newaxis]
    squat, drawn = np.nonzero(there)
    joints = np.stack([body.joints[name][rows[there]] for name in JOINTS], axis=1)
    columns = {
        "repetition": (squat + 1).astype(np.int32),
        "t_ns": body.t_ns[rows[there]],
        "frame_offset": offset[drawn].astype(np.int32),
        "png": pa.array(as_png(draw_poses(joints)), pa.binary()),
    }
    return _table("pose_images", recording, columns)


def _table(name: str, recording: Accepted, columns: Mapping[str, object]) -> pa.Table:
    count = len(next(iter(columns.values())))  # type: ignore[arg-type]
    same = {"recording_id": recording.recording_id, "participant": recording.participant}
    columns = {**{key: pa.repeat(value, count) for key, value in same.items()}, **columns}
    return pa.table({field.name: columns[field.name] for field in TABLES[name].unpartitioned}, schema=TABLES[name].unpartitioned)
