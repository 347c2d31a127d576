"""Simulated poses as they are delivered: MediaPipe's world landmarks as CSV, distances between 19 joints as JSON."""

from __future__ import annotations

import io
import json

import numpy as np

from ingestion.simulation.motion import Floats
from ingestion.simulation.poses.camera import Found
from studies.skeletons import JOINTS, MEDIAPIPE

#: The head goes on above the ears about as far as they are above the shoulders: the published joints have its top.
_HEAD_TOP = 1.65
_PLACES = 5


def landmark_csv(found: Found) -> bytes:
    """Return a row a frame, ``nose_x, nose_y, nose_z, nose_v, …``: metres from between the hips; all 0 where nobody was found."""
    names = [f"{landmark}_{axis}" for landmark in MEDIAPIPE for axis in "xyzv"]
    values = np.concatenate([found.world, found.visibility[..., np.newaxis]], axis=-1).reshape(len(found.world), -1)
    buffer = io.StringIO()
    buffer.write(",".join(names) + "\n")
    np.savetxt(buffer, np.nan_to_num(values), fmt=f"%.{_PLACES}f", delimiter=",")
    return buffer.getvalue().encode()


def distance_json(found: Found) -> bytes:
    """Return an object a frame, ``{"0": {"index": 0, "3d_joint": [171 distances]}, …}``, without the frames with nobody."""
    joints = _joints(found.world)
    first, second = np.triu_indices(len(JOINTS), 1)
    apart = np.linalg.norm(joints[:, first] - joints[:, second], axis=2).round(_PLACES)
    seen = np.flatnonzero(np.isfinite(apart).all(axis=1)).tolist()
    frames = {str(frame): {"index": frame, "3d_joint": apart[frame].tolist()} for frame in seen}
    return json.dumps(frames).encode()


def _joints(world: Floats) -> Floats:
    of = {name: world[:, number] for number, name in enumerate(MEDIAPIPE)}
    shoulders, ears = ((of[f"left_{part}"] + of[f"right_{part}"]) / 2 for part in ("shoulder", "ear"))
    of |= {"neck": shoulders, "head_top": shoulders + _HEAD_TOP * (ears - shoulders)}
    return np.stack([of[name] for name in JOINTS], axis=1)
