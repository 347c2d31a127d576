"""Speed, memory and fidelity of resampling a day of a wrist sensor, beside np.interp and a cubic spline with a polyphase filter.

24 hours of three axes at 100 Hz, taken at times with a jitter of 1.5 ms standard deviation that are known, to 50 Hz. Axes
are pure tones, so that what comes out can be compared with what should. Time is the median of three runs in this process,
memory the peak of a fresh process that makes the input and resamples once.
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

_ROWS, _SOURCE_HZ, _RATE_HZ, _JITTER_NS = 24 * 3600 * 100, 100, 50, 1_500_000
_TONES_HZ = ((1.7, 5.1, 10.0), (20.0, 35.0, 0.5))
_MOST_ERROR_PERCENT = {1.7: 0.1, 5.1: 0.1, 10.0: 0.1, 20.0: 0.5}
_ALIAS_HZ, _MOST_ALIAS_DB, _REACH_ALIAS_DB = 35.0, -24.0, -30.0
_MOST_SECONDS, _MOST_MB = 0.6, 700.0
_REPEATS = 3
_CHUNK = 100_000

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]


def run() -> list[dict[str, object]]:
    """Measure all three methods on the same input in turn."""
    peaks = {name: _peak_mb(name) for name in _METHODS}
    t_ns = _times()
    tones = [_signals(t_ns, frequencies) for frequencies in _TONES_HZ]
    seconds: dict[str, float] = {}
    left: dict[str, dict[float, float]] = {}
    for name, method in _METHODS.items():
        method(t_ns[:_CHUNK], tones[0][:_CHUNK])
        left[name] = {tone: error for number, values in enumerate(tones) for tone, error in _errors(method, t_ns, values, number)}
        seconds[name] = statistics.median(_timed(method, t_ns, tones[0]) for _ in range(_REPEATS))
    rows = [
        _row("24 h of 100 Hz to 50 Hz", seconds, "s", _MOST_SECONDS),
        _row("peak memory, input included", peaks, "MB", _MOST_MB),
    ]
    for tone, most in _MOST_ERROR_PERCENT.items():
        rows.append(_row(f"error of a {tone:g} Hz tone", {name: 100 * left[name][tone] for name in left}, "%", most))
    alias = {name: 20 * float(np.log10(left[name][_ALIAS_HZ])) for name in left}
    reached = f"reach {_REACH_ALIAS_DB:g}: {'yes' if alias[_OURS] <= _REACH_ALIAS_DB else 'no'}"
    return [*rows, {**_row(f"{_ALIAS_HZ:g} Hz tone left over", alias, "dB", _MOST_ALIAS_DB), "note": reached}]


def _row(figure: str, measured: dict[str, float], unit: str, most: float) -> dict[str, object]:
    peers = ", ".join(f"{name} {value:.3g}" for name, value in measured.items() if name != _OURS)
    ours = measured[_OURS]
    return {
        "figure": figure,
        "value": ours,
        "unit": unit,
        "target": f"<= {most:g}",
        "met": ours <= most,
        "peer": peers,
        "note": "",
    }


def _times() -> _Times:
    """In chunks, so that making the input needs no more memory than the input."""
    random = np.random.default_rng(0)
    t_ns = np.arange(_ROWS, dtype=np.int64) * (10**9 // _SOURCE_HZ)
    for start in range(0, _ROWS, _CHUNK):
        part = t_ns[start : start + _CHUNK]
        part += np.round(_JITTER_NS * random.standard_normal(len(part))).astype(np.int64)
    t_ns.sort()
    return t_ns


def _signals(t_ns: _Times, frequencies_hz: tuple[float, ...]) -> _Values:
    values = np.empty((len(t_ns), len(frequencies_hz)), np.float32)
    for start in range(0, len(t_ns), _CHUNK):
        angle = 2 * np.pi * t_ns[start : start + _CHUNK, np.newaxis] / 1e9
        values[start : start + _CHUNK] = np.sin(angle * np.array(frequencies_hz))
    return values


def _errors(
    method: Callable[[_Times, _Values], tuple[int, npt.NDArray[np.floating]]], t_ns: _Times, values: _Values, number: int
) -> list[tuple[float, float]]:
    """Root mean square of each tone's error over that of the tone; what should be left of one above 25 Hz is nothing."""
    first, found = method(t_ns, values)
    at = (first + np.arange(len(found))) / _RATE_HZ
    errors = []
    for axis, tone in enumerate(_TONES_HZ[number]):
        wanted = np.sin(2 * np.pi * tone * at) if tone < _RATE_HZ / 2 else np.zeros(len(found))
        errors.append((tone, float(np.sqrt(2 * np.mean((found[:, axis] - wanted) ** 2)))))
    return errors


def _timed(method: Callable[[_Times, _Values], object], t_ns: _Times, values: _Values) -> float:
    started = time.perf_counter()
    method(t_ns, values)
    return time.perf_counter() - started


def _kinelake(t_ns: _Times, values: _Values) -> tuple[int, npt.NDArray[np.floating]]:
    from ml.preprocessing.resampling import resample

    (piece,) = resample(t_ns, values, rate_hz=_RATE_HZ, origin_ns=0)
    return piece.first_step, piece.values


def _interp(t_ns: _Times, values: _Values) -> tuple[int, npt.NDArray[np.floating]]:
    first, ticks = _ticks(t_ns, _RATE_HZ)
    return first, np.stack([np.interp(ticks, t_ns, axis) for axis in values.T], axis=1)


def _spline(t_ns: _Times, values: _Values) -> tuple[int, npt.NDArray[np.floating]]:
    from scipy.interpolate import CubicSpline
    from scipy.signal import resample_poly

    first, ticks = _ticks(t_ns, _RATE_HZ)
    even = np.linspace(ticks[0], ticks[-1], 2 * len(ticks) - 1)
    return first, resample_poly(CubicSpline(t_ns / 1e9, values)(even / 1e9), 1, 2, axis=0)


def _ticks(t_ns: _Times, rate_hz: int) -> tuple[int, npt.NDArray[np.float64]]:
    period_ns = 10**9 // rate_hz
    first, last = -(-int(t_ns[0]) // period_ns), int(t_ns[-1]) // period_ns
    return first, np.arange(first, last + 1) * float(period_ns)


_OURS = "kinelake"
_METHODS: dict[str, Callable[[_Times, _Values], tuple[int, npt.NDArray[np.floating]]]] = {
    _OURS: _kinelake,
    "np.interp": _interp,
    "cubic spline + resample_poly": _spline,
}


def _peak_mb(name: str) -> float:
    program = [sys.executable, "-m", "tests.benchmarks.resample", name]
    done = subprocess.run(program, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return float(done.stdout)


def own_peak_mb() -> float:
    """Not ru_maxrss: a child takes over what its parent had before it became another program."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    if sys.argv[1:]:
        stamps = _times()
        _METHODS[sys.argv[1]](stamps, _signals(stamps, _TONES_HZ[0]))
        print(own_peak_mb())
    else:
        for row in run():
            print("  ".join(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()))
