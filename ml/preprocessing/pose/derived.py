"""What a task derives from the joints of a body on their common clock, before anything is cut.

Belongs here: streams to one signal, for training and inference alike. The arithmetic is in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial, reduce

import numpy as np
import numpy.typing as npt

from ml.preprocessing.filters import Ticks
from ml.preprocessing.pose.angles import ANGLE_JOINTS, ANGLES, joint_angles
from ml.preprocessing.pose.distances import pairwise_distances
from ml.preprocessing.pose.images import COLUMNS, ROWS, draw_poses
from ml.preprocessing.pose.views import facing, of_one_size, seen_from
from ml.preprocessing.segmentation import Spans
from studies.preparation import ANGLE_STREAMS, ANGLE_TOES, TRUNK, Input
from studies.sensors import placement_of, sensor_of, stream_name
from studies.skeletons import JOINTS


def distances_between(streams: Mapping[str, Ticks], inputs: Input) -> Ticks:
    """Return the distances of the 19 joints at every tick that all of them have.

    Parameters
    ----------
    streams : mapping of str to Ticks
        ``joint@…`` of each of `studies.skeletons.JOINTS`, on one clock.
    inputs : Input
        Says whether bodies are brought to one size.

    Returns
    -------
    Ticks
        `values` of shape (n, 171), in metres, channels as in `ml.preprocessing.pose.distances.PAIRS`.
    """
    at, together, starts = _bodies(streams, inputs)
    return Ticks(at, pairwise_distances(together), starts)


def angle_names(streams: Collection[str]) -> tuple[str, ...]:
    """Return the angles that joints have, in the order of `ml.preprocessing.pose.angles.ANGLES`: of the ankles with toes only."""
    return ANGLES if set(ANGLE_TOES) <= set(streams) else tuple(name for name in ANGLES if "ankle" not in name)


def angles_between(streams: Mapping[str, Ticks]) -> Ticks:
    """Return the angles of a body and the height of its hips at every tick that all of its joints have.

    Parameters
    ----------
    streams : mapping of str to Ticks
        `studies.preparation.ANGLE_STREAMS`, and the toes where the ankles count, on one clock.

    Returns
    -------
    Ticks
        `values` of shape (n, 8) or (n, 6), in degrees and metres, channels as `angle_names` lists them; an angle is 0 where
        two joints that make a limb lie in the same place.
    """
    own = [name for name in (*ANGLE_STREAMS, *ANGLE_TOES) if name in streams]
    at, together, starts = _together([streams[name] for name in own])
    joints = {placement_of(name): together[:, number] for number, name in enumerate(own)}
    nowhere = np.full((len(at), 3), np.nan, np.float32)
    angles = joint_angles({name: joints.get(name, nowhere) for name in ANGLE_JOINTS})
    kept = [ANGLES.index(name) for name in angle_names(streams)]
    return Ticks(at, np.nan_to_num(angles[:, kept]), starts)


def images_in(streams: Mapping[str, Ticks], segments: Spans, length: int, inputs: Input) -> npt.NDArray[np.float32]:
    """Draw the body in `length` ticks of every segment, evenly spread, first and last included; of one, that in the middle.

    Parameters
    ----------
    streams : mapping of str to Ticks
        As `distances_between` takes them.
    segments : Spans
        Their `first` in the unit of `Ticks.at`.
    length : int
    inputs : Input
        Says whether bodies are brought to one size, and where they are seen from.

    Returns
    -------
    ndarray of float32, shape (n, length × 192, 108)
        The images of a segment one under the other, 0 to 255.
    """
    at, together, _ = _bodies(streams, inputs)
    first = np.searchsorted(at, segments.first)
    chosen = first[:, np.newaxis] + np.rint(_spread(length) * (segments.steps - 1)[:, np.newaxis]).astype(np.int64)
    bodies = together[chosen]
    if inputs.view_degrees is not None:
        bodies = seen_from(bodies, facing(together, first, segments.steps), inputs.view_degrees)
    images = draw_poses(bodies.reshape(-1, *bodies.shape[2:]))
    return images.reshape(len(segments), length * ROWS, COLUMNS).astype(np.float32)


def centred(streams: Mapping[str, Ticks]) -> dict[str, Ticks]:
    """Return joints as seen from between the hips, in lengths of the trunk, tick by tick.

    Where somebody stands in the picture and how near they are is taken away, turns are not. The trunk runs from between the
    hips to between the shoulders; where it shrinks to nothing a thousandth of the stream's unit stands for it.

    Parameters
    ----------
    streams : mapping of str to Ticks
        Joints or keypoints on one clock, with those of `studies.preparation.TRUNK` among them.

    Returns
    -------
    dict of str to Ticks
        The same streams, at the ticks that all of them have.
    """
    at, together, starts = _together(list(streams.values()))
    sensor, names = sensor_of(next(iter(streams))), list(streams)
    left, right, *shoulders = (together[:, names.index(stream_name(sensor, part))] for part in TRUNK)
    origin = (left + right) / 2
    trunk = np.linalg.norm(sum(shoulders) / 2 - origin, axis=1)
    seen = (together - origin[:, np.newaxis]) / np.maximum(trunk, _NO_TRUNK)[:, np.newaxis, np.newaxis]
    return {name: Ticks(at, seen[:, number], starts) for number, name in enumerate(names)}


_JOINT_STREAMS = tuple(stream_name("joint", name) for name in JOINTS)
_NO_TRUNK = np.float32(1e-3)


def _spread(count: int) -> npt.NDArray[np.float64]:
    return np.linspace(0, 1, count) if count > 1 else np.array([0.5])


def _bodies(
    streams: Mapping[str, Ticks], inputs: Input
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """What `_together` says of the 19 joints, of one size where that is asked for."""
    at, together, starts = _together([streams[name] for name in _JOINT_STREAMS])
    return at, of_one_size(together) if inputs.same_size else together, starts


def _together(
    joints: Sequence[Ticks],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Ticks that all joints have, the joints at them, shape (n, joints, 3), and where pieces begin."""
    at = reduce(partial(np.intersect1d, assume_unique=True), (joint.at for joint in joints))
    together = np.stack([joint.values[np.searchsorted(joint.at, at)] for joint in joints], axis=1)
    starts = np.unique(np.concatenate([np.searchsorted(at, joint.at[joint.starts]) for joint in joints]))
    return at, together, starts
