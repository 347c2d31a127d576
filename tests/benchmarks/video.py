"""A clip of 1080 × 1920 from its bytes to the tables, beside bare MediaPipe on one core; two clips on two; memory by length.

The clip is a recording of ../shared/data, enlarged: somebody must be in it, for finding nobody takes another time.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
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
_LEAST_SHARE, _LEAST_GAIN, _MOST_GROWTH = 0.9, 1.8, 1.1


def run() -> list[dict[str, object]]:
    """Measure everything on one clip, each time in processes of its own."""
    if not _SOURCE.is_file():
        return [{"figure": "video", "value": None, "note": f"{_SOURCE} is not there"}]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short, long = _enlarged(folder / "short.mp4", times=1), _enlarged(folder / "long.mp4", times=4)
        bare = _bare(short)
        alone, memory = _ours([(short, "0")])
        _, memory_long = _ours([(long, "0")])
        together, _ = _ours([(short, "0"), (short, "1")])
        bare_together = _bare(short, cores=("0", "1"))
    share, gain, growth = alone / bare, together / alone, memory_long / memory
    return [
        _row("clip to tables, one core", alone, "frames/s", f">= {_LEAST_SHARE:g} of bare", share >= _LEAST_SHARE, f"{bare:.1f}"),
        _row("its share of bare MediaPipe", share, "", f">= {_LEAST_SHARE:g}", share >= _LEAST_SHARE, "bare, PyAV, same core"),
        _row(
            "two clips on two cores",
            gain,
            "times",
            f">= {_LEAST_GAIN:g}",
            gain >= _LEAST_GAIN,
            f"bare {bare_together / bare:.2f}",
        ),
        _row("memory, four times as long", growth, "times", f"<= {_MOST_GROWTH:g}", growth <= _MOST_GROWTH, f"{memory:.0f} MB"),
    ]


def _row(figure: str, value: float, unit: str, target: str, met: bool, peer: str) -> dict[str, object]:
    return {"figure": figure, "value": value, "unit": unit, "target": target, "met": met, "peer": peer}


def _enlarged(path: Path, *, times: int) -> Path:
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 1080, 1920, "yuv420p"
        stream.options = {"preset": "veryfast"}
        for _ in range(times):
            with av.open(_SOURCE) as source:
                for frame in source.decode(video=0):
                    larger = frame.reformat(1080, 1920)
                    larger.pts = None
                    out.mux(stream.encode(larger))
        out.mux(stream.encode())
    return path


def _bare(clip: Path, cores: tuple[str, ...] = ("0",)) -> float:
    packages = str(Path(av.__file__).parents[1])
    program = [str(pose_python()), str(Path(__file__).with_name("bare_pose.py")), str(clip), packages]
    return sum(float(said) for said in _outputs([["taskset", "-c", core, *program] for core in cores]))


def _ours(clips: list[tuple[Path, str]]) -> tuple[float, float]:
    """Frames a second of all clips together, each on its core, and the peak memory of the first: its process's and its largest child's."""
    program = [sys.executable, "-m", "tests.benchmarks.video"]
    said = [text.split() for text in _outputs([["taskset", "-c", core, *program, str(clip)] for clip, core in clips])]
    return sum(float(rate) for rate, _ in said), float(said[0][1])


def _outputs(commands: list[list[str]]) -> list[str]:
    running = [
        subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for command in commands
    ]
    return [process.communicate()[0] for process in running]


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
        started = time.perf_counter()
        read_batch(receipt, study, home)
        seconds = time.perf_counter() - started
        children_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
        with av.open(str(clip)) as read:
            print(read.streams.video[0].frames / seconds, own_peak_mb() + children_mb)


if __name__ == "__main__":
    _to_tables(Path(sys.argv[1]))
