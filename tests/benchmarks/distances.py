"""Distances between 19 joints in 600,300 frames, beside torch.cdist, scipy's pdist frame by frame, and NumPy's pairs.

Time is the median of five runs in this process; scipy and NumPy do a share of the frames, and their time is scaled up. Memory is
the peak of a fresh process that makes the joints and takes their distances once, the compiled code being there.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.benchmarks.resample import own_peak_mb

_FRAMES, _JOINTS = 600_300, 19
_SHARE = 20
_CHUNK = 10_005
_MOST_SECONDS, _MOST_MB = 0.4, 700.0
_REPEATS = 5

_Floats = npt.NDArray[np.float32]


def run() -> list[dict[str, object]]:
    """Measure all four on the same joints in turn."""
    joints = _joints()
    part = joints[: _FRAMES // _SHARE]
    ours = _seconds(_kinelake, joints)
    peers = {
        "torch.cdist": _seconds(_cdist, joints),
        f"scipy pdist (on 1/{_SHARE}, scaled)": _SHARE * _seconds(_pdist, part),
        f"NumPy pairs (on 1/{_SHARE}, scaled)": _SHARE * _seconds(_pairs, part),
    }
    apart = float(np.abs(_kinelake(part) - _pairs(part)).max())
    return [
        {
            "figure": f"171 distances of {_FRAMES:,} frames",
            "value": ours,
            "unit": "s",
            "target": f"<= {_MOST_SECONDS:g}",
            "met": ours <= _MOST_SECONDS,
            "peer": ", ".join(f"{name} {value:.3g}" for name, value in peers.items()),
            "note": f"at most {apart:.1g} from NumPy's",
        },
        {
            "figure": "peak memory of that, joints included",
            "value": (peak := _peak_mb()),
            "unit": "MB",
            "target": f"<= {_MOST_MB:g}",
            "met": peak <= _MOST_MB,
            "peer": "",
            "note": f"joints and distances alone: {_FRAMES * (3 * _JOINTS + 171) * 4 / 1e6:.0f} MB",
        },
    ]


def _joints() -> _Floats:
    """In chunks, so that making them needs no more memory than they do."""
    random = np.random.default_rng(0)
    joints = np.empty((_FRAMES, _JOINTS, 3), np.float32)
    for start in range(0, _FRAMES, _CHUNK):
        random.standard_normal(dtype=np.float32, out=joints[start : start + _CHUNK])
    return joints


def _seconds(method: Callable[[_Floats], _Floats], joints: _Floats) -> float:
    method(joints[:100])
    taken = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        method(joints)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _kinelake(joints: _Floats) -> _Floats:
    from ml.preprocessing.pose.distances import pairwise_distances

    return pairwise_distances(joints)


def _cdist(joints: _Floats) -> _Floats:
    import torch

    first, second = torch.triu_indices(_JOINTS, _JOINTS, 1)
    both = torch.from_numpy(joints)
    found: _Floats = torch.cdist(both, both, compute_mode="donot_use_mm_for_euclid_dist")[:, first, second].numpy()
    return found


def _pdist(joints: _Floats) -> _Floats:
    from scipy.spatial.distance import pdist

    return np.stack([pdist(frame) for frame in joints])


def _pairs(joints: _Floats) -> _Floats:
    first, second = np.triu_indices(_JOINTS, 1)
    found: _Floats = np.sqrt(((joints[:, first] - joints[:, second]) ** 2).sum(axis=2))
    return found


def _peak_mb() -> float:
    program = [sys.executable, "-m", "tests.benchmarks.distances", "alone"]
    done = subprocess.run(program, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    if sys.argv[1:]:
        _kinelake(_joints())
        print(own_peak_mb())
    else:
        for row in run():
            print("  ".join(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()))
