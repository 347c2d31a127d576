"""What a task derives from the joints of a body on their common clock, before anything is cut.

Belongs here: streams to one signal, for training and inference alike. The arithmetic is in `ml.preprocessing.pose.distances`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce

import numpy as np

from ml.preprocessing.filters import Ticks
from ml.preprocessing.pose.distances import pairwise_distances
from studies.sensors import stream_name
from studies.skeletons import JOINTS


def distances_between(streams: Mapping[str, Ticks]) -> Ticks:
    """Return the distances of the 19 joints at every tick that all of them have.

    Parameters
    ----------
    streams : mapping of str to Ticks
        ``joint@…`` of each of `studies.skeletons.JOINTS`, on one clock.

    Returns
    -------
    Ticks
        `values` of shape (n, 171), in metres, channels as in `ml.preprocessing.pose.distances.PAIRS`.
    """
    joints = [streams[stream_name("joint", name)] for name in JOINTS]
    at = reduce(partial(np.intersect1d, assume_unique=True), (joint.at for joint in joints))
    together = np.stack([joint.values[np.searchsorted(joint.at, at)] for joint in joints], axis=1)
    starts = np.unique(np.concatenate([np.searchsorted(at, joint.at[joint.starts]) for joint in joints]))
    return Ticks(at, pairwise_distances(together), starts)
