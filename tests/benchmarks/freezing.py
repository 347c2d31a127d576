"""Time and memory of freezing a training table of 100,000 segments with four altered copies of each, and of the copies alone.

400 recordings of a gyroscope at 50 Hz, cut into windows of 2 s, its three axes and
their length, as 100 samples each. Frozen means planned, cut, altered, hashed, written, read back and checked. It runs in a
fresh process, so that its peak memory is its own. The peer is the same altered copies made one example at a time with numpy.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.preprocessing.augmentation import augment
from ml.preprocessing.batch import segment_batch
from ml.preprocessing.examples import freeze_examples
from studies import load_study
from studies.augmentation import Jitter, MultiplicativeNoise, Rotation, Settings, TimeWarp
from tests.benchmarks.resample import own_peak_mb
from tests.ml.written_batches import Recorded, write_batch
from warehouse.home import Home
from warehouse.lake import Lake

_SEGMENTS, _RECORDINGS, _PEOPLE, _RATE_HZ, _LENGTH = 100_000, 400, 40, 50, 100
_MOST_SECONDS, _MOST_MB = 20.0, 2000.0
_COPIED = 8192
_CHANNELS = ("gyroscope.x", "gyroscope.y", "gyroscope.z", "gyroscope.norm")
_STUDY = """
study: freezing
title: A large training table
participants: '^P\\d+$'
labels: [a, b, c, d]
streams: {gyroscope: {unit: rad/s, rate_hz: [40, 60]}}
tasks:
  which:
    input: {streams: [gyroscope], rate_hz: 50, magnitude: true}
    segment: {by: window, seconds: 2, length: 100}
    augment:
      - multiplicative_noise: {share: 0.3, low: 0.8, high: 1.1}
      - jitter: {share: 0.05}
      - rotation: {max_degrees: 20}
      - time_warp: {max_share: 0.2}
    split: {group: participant, folds: 5}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""


def run() -> list[dict[str, object]]:
    """Freeze in a process of its own, then time the copies beside a loop."""
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "tests.benchmarks.freezing", folder]
        _prepare(Path(folder))
        done = subprocess.run(program, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    seconds, peak_mb, examples = map(float, done.stdout.split())
    note = f"{examples:,.0f} examples of {_LENGTH} x {len(_CHANNELS)}"
    return [
        _row("freeze 100,000 segments, 4 copies of each", seconds, "s", _MOST_SECONDS, note),
        _row("peak memory of freezing them", peak_mb, "MB", _MOST_MB, note),
        *(_copies(settings) for settings in _KINDS),
    ]


_KINDS: tuple[Settings, ...] = (
    MultiplicativeNoise(share=0.3, low=0.8, high=1.1),
    Jitter(share=0.05),
    Rotation(max_degrees=20),
    TimeWarp(max_share=0.2),
)


def _row(figure: str, value: float, unit: str, most: float, note: str) -> dict[str, object]:
    return {
        "figure": figure,
        "value": value,
        "unit": unit,
        "target": f"<= {most:g}",
        "met": value <= most,
        "peer": "",
        "note": note,
    }


def _copies(settings: Settings) -> dict[str, object]:
    signals = np.random.default_rng(0).normal(size=(_COPIED, _LENGTH, len(_CHANNELS))).astype(np.float32)
    ids = [f"{number:024x}.copy" for number in range(_COPIED)]
    augment(signals[:8], settings, channels=_CHANNELS, example_ids=ids[:8], seed=0)
    started = time.perf_counter()
    augment(signals, settings, channels=_CHANNELS, example_ids=ids, seed=0)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    for number, signal in enumerate(signals):
        _one(signal, settings, np.random.default_rng(number))
    loop = time.perf_counter() - started
    return {
        "figure": f"{_COPIED} copies: {type(settings).__name__}",
        "value": ours,
        "unit": "s",
        "target": f"< {loop:.3g}",
        "met": ours < loop,
        "peer": f"loop over examples with numpy {loop:.3g}",
        "note": f"{loop / ours:.1f} x",
    }


def _one(signal: np.ndarray, settings: Settings, random: np.random.Generator) -> np.ndarray:
    """One copy of one example, as a library that takes one at a time makes it."""
    length = len(signal)
    match settings:
        case MultiplicativeNoise():
            points = random.choice(length, round(settings.share * length), replace=False)
            factor = np.ones((length, 1))
            factor[points, 0] = random.uniform(settings.low, settings.high, len(points))
            return signal * factor
        case Jitter():
            return signal + random.normal(0, settings.share * signal.std(axis=0), signal.shape)
        case Rotation():
            turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
            return np.concatenate([signal[:, :3] @ turn, signal[:, 3:]], axis=1)
        case _:
            at = np.cumsum(np.interp(np.arange(length), np.linspace(0, length, 6), random.uniform(0.8, 1.2, 6)))
            at = (at - at[0]) * (length - 1) / (at[-1] - at[0])
            return np.stack([np.interp(at, np.arange(length), axis) for axis in signal.T], axis=1)


def _prepare(folder: Path) -> None:
    """A home with a batch on its uniform clock and cut, as if its samples had been resampled."""
    home, study = Home.at(folder / "home"), load_study(_written(folder))
    # The same values in every recording would be copies of one.
    recordings = [_recorded(number) for number in range(_RECORDINGS)]
    write_batch(home, study, "b1", recordings)
    Lake(home).replace("resampled", pa.concat_tables(map(_resampled, recordings)), where={"batch_id": "b1"})
    assert segment_batch("b1", study, home) == _SEGMENTS


def _recorded(number: int) -> Recorded:
    values = np.full((2, 3), number, np.float32)
    streams = {"gyroscope": (np.arange(2, dtype=np.int64) * 20_000_000, values)}
    return Recorded(f"r{number:04d}", f"P{number % _PEOPLE}", "abcd"[number // _PEOPLE % 4], streams)


def _resampled(one: Recorded) -> pa.Table:
    steps = _SEGMENTS // _RECORDINGS * _LENGTH
    step = np.arange(steps, dtype=np.int64)
    values = np.random.default_rng(int(one.recording_id[1:])).normal(size=(3, steps)).astype(np.float32)
    same = {"recording_id": one.recording_id, "participant": one.participant, "stream": "gyroscope", "rate_hz": float(_RATE_HZ)}
    columns = {name: pa.repeat(value, steps) for name, value in same.items()}
    zero = np.zeros(steps, np.int32)
    axes = dict(zip("xyz", values, strict=True))
    return pa.table(
        {**columns, "piece": zero, "step": step, "t_ns": step * 20_000_000, **axes, "w": pa.nulls(steps, pa.float32())}
    )


def _written(folder: Path) -> Path:
    path = folder / "freezing.yaml"
    path.write_text(_STUDY)
    return path


if __name__ == "__main__":
    if sys.argv[1:]:
        root = Path(sys.argv[1])
        loaded, started_at = load_study(root / "freezing.yaml"), time.perf_counter()
        table = freeze_examples(loaded, "which", Home.at(root / "home"))
        print(time.perf_counter() - started_at, own_peak_mb(), len(table.labels))
    else:
        for row in run():
            print("  ".join(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()))
