"""The recordings of a batch that show a body: poses, what was measured on the clip, joint angles and squats of each.

Belongs here: gathering what the tables say of them, a few recordings at a time. What is drawn of it is in `quality.strips` and
`quality.curves`, the page in `quality.clip_page`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quality.facts import read_facts
from quality.lines import Line, by_recording, lines_of
from studies.skeletons import MEDIAPIPE
from studies.study import Study
from warehouse.lake import Lake

_FRAMES_AT_ONCE = 50_000
_POINTS = len(MEDIAPIPE)

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A recording of which there are poses.

    Parameters
    ----------
    batch_id : str
    line : Line
        Who, what, when, and the verdict.
    source : str
        File (and ``::member``) of the first frame.
    sha256 : str or None
        Of that file in the vault.
    facts : mapping or None
        Its row of table `videos`; None for a file of poses.
    start_ns : int
        Time of the first frame, whether or not anybody is in it: seconds on the page count from here.
    t_ns : ndarray of int64, shape (n,)
        Of every frame with somebody in it.
    frame : ndarray of int32, shape (n,)
    world, image : ndarray of float32, shape (n, 33, 3)
        As in table `poses`; not a number where a file of poses has none.
    visibility : ndarray of float32, shape (n, 33)
    aspect : float
        Width over height of the picture that shares in `image` are of, where there is no clip; 1 where it does not matter.
    angles : Table
        Its rows of `joint_angles`, by time.
    squats : tuple of dict
        Its rows of `squats`, by time.
    """

    batch_id: str
    line: Line
    source: str
    sha256: str | None
    facts: Mapping[str, Any] | None
    start_ns: int
    t_ns: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int32]
    world: _Floats
    image: _Floats
    visibility: _Floats
    aspect: float
    angles: pa.Table
    squats: tuple[dict[str, Any], ...]

    def seconds(self, t_ns: int) -> float:
        """Return a time in seconds since the first frame."""
        return (t_ns - self.start_ns) / 1e9


def frames_by_recording(batch_id: str, lake: Lake) -> dict[str, int]:
    """Return how many frames table `poses` has of each recording of a batch; recordings without poses are not in it."""
    return dict(Counter(lake.read("poses", columns=["recording_id"], where={"batch_id": batch_id})["recording_id"].to_pylist()))


def clips_of(batch_id: str, study: Study, lake: Lake) -> Iterator[Clip]:
    """Yield every recording of a batch that has poses; those of a long batch are read a few recordings at a time."""
    frames, where = frames_by_recording(batch_id, lake), {"batch_id": batch_id}
    if not frames:
        return
    facts = read_facts(batch_id, lake)
    lines = {line.recording_id: line for line in lines_of(facts, study, lake)}
    files = {row["path"]: row["sha256"] for row in facts.files.to_pylist()}
    videos = {row["recording_id"]: row for row in lake.read("videos", where=where).to_pylist()}
    squats = by_recording(lake.read("squats", where=where).sort_by("repetition"))
    for group in _groups(frames):
        of_group = {**where, "recording_id": group}
        poses, angles = (_apart(lake.read(name, where=of_group)) for name in ("poses", "joint_angles"))
        for name in group:
            own = poses[name].sort_by("t_ns")
            yield Clip(
                batch_id,
                lines[name],
                (source := own["source"][0].as_py()),
                files.get(source),
                videos.get(name),
                own["t_ns"][0].as_py(),
                **_bodies(own.filter(pc.or_(pc.is_valid(own["landmarks"]), pc.is_valid(own["image"])))),
                aspect=study.formats.poses.aspect or 1.0,
                angles=angles.get(name, _NO_ANGLES).sort_by("t_ns"),
                squats=tuple(squats.get(name, ())),
            )


_NO_ANGLES = pa.table({name: pa.array([], pa.float64()) for name in ("t_ns", "left_knee_deg", "right_knee_deg", "hip_height_m")})


def _groups(frames: Mapping[str, int]) -> Iterator[Sequence[str]]:
    group: list[str] = []
    for name, count in frames.items():
        if group and sum(frames[one] for one in group) + count > _FRAMES_AT_ONCE:
            yield group
            group = []
        group.append(name)
    yield group


def _apart(rows: pa.Table) -> dict[str, pa.Table]:
    names = pc.unique(rows["recording_id"]).to_pylist()
    return {name: rows.filter(pc.equal(rows["recording_id"], name)) for name in names}


def _bodies(rows: pa.Table) -> dict[str, Any]:
    return {
        "t_ns": rows["t_ns"].to_numpy(),
        "frame": rows["frame"].to_numpy(),
        "world": _points(rows["landmarks"], 3),
        "image": _points(rows["image"], 3),
        "visibility": _points(rows["visibility"], 1)[..., 0],
    }


def _points(column: pa.ChunkedArray, axes: int) -> _Floats:
    """Lists of numbers as (n, 33, axes); a null is not a number."""
    lists = column.combine_chunks()
    found = np.full((len(lists), _POINTS, axes), np.nan, np.float32)
    there = lists.is_valid().to_numpy(zero_copy_only=False)
    found[there] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, _POINTS, axes)
    return found
