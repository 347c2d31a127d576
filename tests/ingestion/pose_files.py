"""Files of poses that tests write themselves: a body that squats, as landmarks and as distances."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from studies.skeletons import JOINTS, MEDIAPIPE
from tests.ml.bodies import squatting

_FIRST, _SECOND = np.triu_indices(len(JOINTS), 1)

_Floats = npt.NDArray[np.floating]


def landmarks(frames: int = 40, *, seed: int = 0, deep: float = 0.4) -> _Floats:
    """World landmarks as MediaPipe writes them, y down: shape (frames, 33, 3), those that are no joints near the hips."""
    points = np.random.default_rng(seed).normal(0, 0.01, (frames, len(MEDIAPIPE), 3))
    body = squatting(frames, seed=seed, deep=deep) * [1, -1, -1]
    for number, name in enumerate(JOINTS):
        if name in MEDIAPIPE:
            points[:, MEDIAPIPE.index(name)] = body[:, number]
    return points


def landmark_csv(
    points: _Floats, names: Sequence[str] = MEDIAPIPE, *, labels: Sequence[str] = (), cells: Mapping[tuple[int, str], str] = {}
) -> str:
    header = [f"{name}_{axis}" for name in names for axis in "xyzv"]
    lines = [",".join([*(["label"] if labels else []), *header])]
    for row, frame in enumerate(points):
        written = [f"{value:.6f}" for point in frame for value in (*point, 0.9 if any(point) else 0)]
        for (at, column), cell in cells.items():
            if at == row:
                written[header.index(column)] = cell
        lines.append(",".join([*(labels[row : row + 1]), *written]))
    return "\n".join(lines) + "\n"


def distances_of(body: _Floats) -> _Floats:
    found: _Floats = np.linalg.norm(body[:, _FIRST].astype(np.float64) - body[:, _SECOND], axis=2)
    return found


def distance_json(distances: _Floats, **changes: object) -> str:
    frames = {str(number): {"index": number, "3d_joint": row.tolist()} for number, row in enumerate(distances)}
    return json.dumps({**frames, **changes})
