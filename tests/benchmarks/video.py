"""A clip of 1080 × 1920 from its bytes to the tables, beside bare MediaPipe on one core; two clips on two; memory by length.

On one core processor seconds are counted, of all processes that take part, so that what else runs on the machine hardly matters.

The clip is a recording of ../shared/data, enlarged: somebody must be in it, for finding nobody takes another time.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from itertools import count, islice
from pathlib import Path

import av

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.video.environment import pose_python
from studies import load_study
from tests.benchmarks.resample import own_peak_mb
from warehouse.home import Home

_SOURCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "video" / "rohanx01_squat.mp4"
_STUDY = """
study: clips
title: Squats
participants: '^P\\d+$'
labels: [squat]
streams: {joint: {unit: m, rate_hz: [10, 65]}, keypoint: {unit: frame, rate_hz: [10, 65]}}
tasks:
  which:
    input: {streams: [joint@right_knee], rate_hz: 10}
    segment: {by: recording, length: 60}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""
_FRAMES = 600
_LEAST_SHARE, _LEAST_GAIN, _MOST_GROWTH = 0.9, 1.8, 1.1


def run() -> list[dict[str, object]]:
    """Measure everything on one clip, each time in processes of its own."""
    if not _SOURCE.is_file():
        return [{"figure": "video", "value": None, "note": f"{_SOURCE} is not there"}]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short, long = _enlarged(folder / "short.mp4", times=1), _enlarged(folder / "long.mp4", times=3)
        (bare, bare_alone), (_, bare_together) = _bare(short), _bare(short, cores=("0", "1"))
        ours, alone, memory = _ours(short)
        _, together, _ = _ours(short, cores=("0", "1"))
        _, _, memory_long = _ours(long)
    share, gain, growth = ours / bare, together / alone, memory_long / memory
    return [
        _row("clip to tables, one core", ours, "frames/s", f">= {_LEAST_SHARE:g} of bare", share >= _LEAST_SHARE, f"{bare:.1f}"),
        _row("its share of bare MediaPipe", share, "", f">= {_LEAST_SHARE:g}", share >= _LEAST_SHARE, "bare, PyAV, same core"),
        _row(
            "two clips on two cores",
            gain,
            "times",
            f">= {_LEAST_GAIN:g}",
            gain >= _LEAST_GAIN,
            f"bare {bare_together / bare_alone:.2f}",
        ),
        _row("memory, three times as long", growth, "times", f"<= {_MOST_GROWTH:g}", growth <= _MOST_GROWTH, f"{memory:.0f} MB"),
    ]


def _row(figure: str, value: float, unit: str, target: str, met: bool, peer: str) -> dict[str, object]:
    return {"figure": figure, "value": value, "unit": unit, "target": target, "met": met, "peer": peer}


def _enlarged(path: Path, *, times: int) -> Path:
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 1080, 1920, "yuv420p"
        stream.options = {"preset": "veryfast"}
        stream.codec_context.time_base, numbers = Fraction(1, 30), count()
        for _ in range(times):
            with av.open(_SOURCE) as source:
                for frame in islice(source.decode(video=0), _FRAMES):
                    larger = frame.reformat(1080, 1920)
                    larger.pts, larger.time_base = next(numbers), stream.codec_context.time_base
                    out.mux(stream.encode(larger))
        out.mux(stream.encode())
    return path


def _bare(clip: Path, cores: tuple[str, ...] = ("0",)) -> list[float]:
    packages = str(Path(av.__file__).parents[1])
    program = [str(pose_python()), str(Path(__file__).with_name("bare_pose.py")), str(clip), packages]
    return _added_up([["taskset", "-c", core, *program] for core in cores])


def _ours(clip: Path, cores: tuple[str, ...] = ("0",)) -> list[float]:
    """Frames a processor second, frames a second by the clock, and peak memory in MB, of all cores together."""
    program = [sys.executable, "-m", "tests.benchmarks.video", str(clip)]
    return _added_up([["taskset", "-c", core, *program] for core in cores])


def _added_up(commands: list[list[str]]) -> list[float]:
    """Run commands at once and add up the numbers that each prints."""
    running = [
        subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for command in commands
    ]
    said = [map(float, process.communicate()[0].split()) for process in running]
    return [sum(numbers) for numbers in zip(*said, strict=True)]


def _processor_s() -> float:
    """Of this process and of its children that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _to_tables(clip: Path) -> None:
    """Deliver and read a batch of that clip; the delivery is not timed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clips.yaml").write_text(_STUDY)
        delivery = folder / "delivery"
        delivery.mkdir()
        shutil.copy(clip, delivery / "clip.mp4")
        (delivery / "manifest.csv").write_text("path,participant,label\nclip.mp4,P1,squat\n")
        home, study = Home.at(folder / "home"), load_study(folder / "clips.yaml")
        receipt = deliver(delivery, study=study, site="lab", home=home)
        started, processor_s = time.perf_counter(), _processor_s()
        read_batch(receipt, study, home)
        seconds, processor_s = time.perf_counter() - started, _processor_s() - processor_s
        children_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
        with av.open(str(clip)) as read:
            frames = read.streams.video[0].frames
        print(frames / processor_s, frames / seconds, own_peak_mb() + children_mb)


if __name__ == "__main__":
    _to_tables(Path(sys.argv[1]))
