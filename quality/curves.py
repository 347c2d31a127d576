"""Knee angle and hip height over a clip as SVG paths, with its squats marked.

Belongs here: where lines and marks lie on paper. Scales are the same on every page, so that two clips can be held side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quality.clips import Clip
from quality.previews import path_of

#: Size of a panel, in drawing units.
WIDTH, HEIGHT = 860, 170

_GAP_STEPS = 2.5
_ANGLES = (30.0, 180.0)
_LEAST_HEIGHT_M = 1.0
_MOST_TICKS = 10
_STEPS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)

_Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Tick:
    """A line of the grid: where it lies, and what it says."""

    at: float
    says: str


@dataclass(frozen=True)
class Span:
    """A squat on paper: left and right edge, and where it is deepest."""

    repetition: int
    left: float
    deepest: float
    right: float


@dataclass(frozen=True)
class Panel:
    """One measure over time: a path for each line, ticks, and the height on paper at the deepest point of each squat."""

    paths: dict[str, str]
    ticks: tuple[Tick, ...]
    dots: tuple[float | None, ...]


@dataclass(frozen=True)
class Curves:
    """What is drawn of a clip's angles."""

    spans: tuple[Span, ...]
    seconds: tuple[Tick, ...]
    knee: Panel
    hips: Panel


def curves_of(clip: Clip) -> Curves | None:
    """Draw the knee angles and the hip height of a clip; None where fewer than two frames have any.

    A line breaks where a joint was not seen, or where frames are missing.
    """
    t_ns = clip.angles["t_ns"].to_numpy()
    if t_ns.size < 2:
        return None
    end_ns = max(int(t_ns[-1]), int(clip.t_ns[-1]))
    scale = WIDTH / max(end_ns - clip.start_ns, 1)
    across = (t_ns - clip.start_ns) * scale
    heights = _column(clip, "hip_height_m")
    top = max(_LEAST_HEIGHT_M, float(np.nanmax(heights, initial=0.0)))
    knees = {side: _column(clip, f"{side}_knee_deg") for side in ("left", "right")}
    spans = tuple(
        Span(squat["repetition"], *((squat[name] - clip.start_ns) * scale for name in ("start_ns", "deepest_ns", "end_ns")))
        for squat in clip.squats
    )
    return Curves(
        spans,
        _seconds((end_ns - clip.start_ns) / 1e9),
        _panel(t_ns, across, knees, _ANGLES, ticks=range(30, 181, 30), dots=[squat["knee_deg"] for squat in clip.squats]),
        _panel(
            t_ns,
            across,
            {"middle": heights},
            (0.0, top),
            ticks=np.arange(0, top + 1e-9, 0.2).tolist(),
            dots=[squat["hip_height_m"] for squat in clip.squats],
        ),
    )


def _column(clip: Clip, name: str) -> _Floats:
    found: _Floats = clip.angles[name].to_numpy().astype(np.float64)
    return found


def _panel(
    t_ns: npt.NDArray[np.int64],
    across: _Floats,
    values: dict[str, _Floats],
    scale: tuple[float, float],
    *,
    ticks: Sequence[float],
    dots: Sequence[float | None],
) -> Panel:
    def down(value: Any) -> Any:
        return HEIGHT * (1 - (value - scale[0]) / (scale[1] - scale[0]))

    paths = {}
    for name, line in values.items():
        there = np.isfinite(line)
        cuts = np.flatnonzero(np.diff(t_ns[there]) > _GAP_STEPS * np.median(np.diff(t_ns))) + 1
        paths[name] = path_of(across[there], np.clip(down(line[there]), 0, HEIGHT), cuts)
    marks = tuple(None if dot is None else float(np.clip(down(dot), 0, HEIGHT)) for dot in dots)
    return Panel(paths, tuple(Tick(float(down(tick)), f"{tick:.3g}") for tick in ticks), marks)


def _seconds(duration_s: float) -> tuple[Tick, ...]:
    step = next((step for step in _STEPS_S if duration_s / step <= _MOST_TICKS), _STEPS_S[-1])
    return tuple(Tick(WIDTH * at / max(duration_s, 1e-9), f"{at:g} s") for at in np.arange(0, duration_s + 1e-9, step).tolist())
