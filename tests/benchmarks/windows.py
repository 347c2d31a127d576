"""Speed of cutting a day of a wrist sensor into windows, and of bringing a day of orientations to another rate.

24 hours of three axes at 100 Hz, windows of 3 s that share half, as one array of copies: beside numpy's view, copied, and a
loop over windows as segmenting libraries make it. And 24 hours of quaternions at 100 Hz with jitter to 50 Hz, beside scipy's
Slerp. Median of three runs in this process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ml.preprocessing.fixed_length import stretch
from ml.preprocessing.resampling import resample_quaternions
from ml.preprocessing.segmentation import Spans, cut_spans
from studies.preparation import Segmentation

_ROWS, _RATE_HZ, _WINDOW = 24 * 3600 * 100, 100, 300
_MOST_WINDOW_SECONDS, _MOST_QUATERNION_SECONDS = 0.3, 1.5
_REPEATS = 3


def run() -> list[dict[str, object]]:
    """Measure windows, then orientations, each beside its peers on the same input."""
    return [_windows(), _quaternions()]


def _windows() -> dict[str, object]:
    values = np.random.default_rng(0).normal(size=(_ROWS, 3)).astype(np.float32)
    three_seconds = Segmentation(by="window", seconds=3, overlap=0.5, length=_WINDOW)

    def ours() -> np.ndarray:
        cut = cut_spans(Spans(np.zeros(1, np.int64), np.array([_ROWS])), three_seconds, rate_hz=_RATE_HZ)
        return stretch(values, cut.first, cut.steps, _WINDOW)

    def view() -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=0)[:: _WINDOW // 2]
        return np.ascontiguousarray(windows.transpose(0, 2, 1))

    def loop() -> np.ndarray:
        return np.stack([values[start : start + _WINDOW] for start in range(0, _ROWS - _WINDOW + 1, _WINDOW // 2)])

    assert np.array_equal(ours(), view())
    peers = {"numpy view, copied": view, "loop over windows": loop}
    return _row("windows of 3 s, half shared, 24 h of 100 Hz", ours, peers, _MOST_WINDOW_SECONDS)


def _quaternions() -> dict[str, object]:
    random = np.random.default_rng(0)
    t_ns = np.arange(_ROWS, dtype=np.int64) * 10_000_000 + random.integers(-1_500_000, 1_500_000, _ROWS)
    at_s = t_ns / 1e9
    turn = np.stack([np.sin(0.7 * at_s), np.sin(1.1 * at_s), np.sin(0.4 * at_s)], axis=1)
    quaternions = Rotation.from_rotvec(turn).as_quat().astype(np.float32)
    ticks = np.arange(int(t_ns[-1]) // 20_000_000, dtype=np.int64)[1:] * 20_000_000

    def ours() -> object:
        return resample_quaternions(t_ns, quaternions, rate_hz=50, origin_ns=0)

    def slerp() -> object:
        return Slerp(at_s, Rotation.from_quat(quaternions))(ticks / 1e9).as_quat()

    return _row("24 h of quaternions, 100 Hz to 50 Hz", ours, {"scipy Slerp, no low-pass": slerp}, _MOST_QUATERNION_SECONDS)


def _row(figure: str, ours: Callable[[], object], peers: dict[str, Callable[[], object]], most: float) -> dict[str, object]:
    value = _seconds(ours)
    said = ", ".join(f"{name} {_seconds(peer):.3g}" for name, peer in peers.items())
    same = {"unit": "s", "target": f"<= {most:g}", "met": value <= most, "peer": said, "note": ""}
    return {"figure": figure, "value": value, **same}


def _seconds(method: Callable[[], object]) -> float:
    method()
    taken = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        method()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    for row in run():
        print("  ".join(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()))
