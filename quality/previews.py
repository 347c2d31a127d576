"""Short stretches of signal as SVG paths: around what is to be seen, else around the longest pause, else from the middle.

Belongs here: which readings are drawn and where they lie on paper. Only numbers leave this module as paths; words are added,
and escaped, in the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warehouse.lake import Lake

#: Drawing size of a preview, in its own units.
WIDTH, HEIGHT = 640, 150
#: Together the previews of a page read at most so many readings, so that a page of long recordings is written in seconds.
MOST_READINGS = 3_000_000
#: A shorter pause is not worth drawing a preview around.
SHORTEST_PAUSE_S = 0.2

_AXES = ("x", "y", "z", "w")
_GAP_STEPS = 2.5
_SECONDS = 20.0
_POINTS = 200
_MOST_PIECES = 40
_THINNEST = 2.0

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]
_Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Preview:
    """One stretch of one stream.

    Parameters
    ----------
    paths : mapping of str to str
        SVG path data of each axis; a new sub-path after every gap.
    start_s, end_s : float
        The stretch, in seconds since the stream's first reading.
    low, high : float
        Values at the lower and upper edge, in the stream's unit.
    marked_s : float
        Length of the marked part that it is drawn around; 0 if there is none, or if it is an instant.
    marked_at : tuple of float
        Left edge and width of that part, in drawing units.
    """

    paths: Mapping[str, str]
    start_s: float
    end_s: float
    low: float
    high: float
    marked_s: float
    marked_at: tuple[float, float]


def read_readings(batch_id: str, wanted: Sequence[tuple[str, str]], lake: Lake) -> dict[tuple[str, str], tuple[_Times, _Values]]:
    """Read the samples of some streams.

    Returns
    -------
    dict
        By recording and stream: times (int64, ns) and values (float32, a column an axis), sorted by time.
    """
    where = {
        "batch_id": batch_id,
        "recording_id": sorted({recording for recording, _ in wanted}),
        "stream": sorted({stream for _, stream in wanted}),
    }
    samples = lake.read("samples", columns=["recording_id", "stream", "t_ns", *_AXES], where=where)
    return {key: _readings(samples, rows) for key, rows in _runs(samples).items() if key in set(wanted)}


def preview(t_ns: _Times, values: _Values, marked: tuple[int, int] | None = None) -> Preview | None:
    """Draw a stretch of a stream; None if there is nothing to draw.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Sorted.
    values : ndarray of float32, shape (n, 3) or (n, 4)
    marked : tuple of (int, int), optional
        First and last ns of what is to be seen; the longest pause, if there is one, where nothing is given.
    """
    finite = np.isfinite(values).all(axis=1)
    t_ns, values = t_ns[finite], values[finite]
    if t_ns.size < 2:
        return None
    steps = np.diff(t_ns)
    usual = float(np.median(steps))
    marked = marked or _longest_pause(t_ns, steps, usual)
    first_ns, last_ns = _stretch(t_ns, marked)
    inside = slice(int(np.searchsorted(t_ns, first_ns)), int(np.searchsorted(t_ns, last_ns, side="right")))
    low, high = float(values[inside].min()), float(values[inside].max())
    across = (t_ns[inside] - first_ns) * (WIDTH / (last_ns - first_ns))
    scale = (HEIGHT - 8) / ((high - low) or 1)
    cuts = np.flatnonzero(steps[inside.start : inside.stop - 1] > _GAP_STEPS * usual) + 1
    down = HEIGHT - 4 - (values[inside] - low) * scale
    return Preview(
        {axis: path_of(across, down[:, n], cuts) for n, axis in zip(range(values.shape[1]), _AXES, strict=False)},
        (first_ns - int(t_ns[0])) / 1e9,
        (last_ns - int(t_ns[0])) / 1e9,
        low,
        high,
        (marked[1] - marked[0]) / 1e9 if marked else 0.0,
        _placed(marked, first_ns, last_ns) if marked else (0.0, 0.0),
    )


def _placed(marked: tuple[int, int], first_ns: int, last_ns: int) -> tuple[float, float]:
    """Return left edge and width of a mark, in drawing units."""
    left, right = ((min(max(at, first_ns), last_ns) - first_ns) * WIDTH / (last_ns - first_ns) for at in marked)
    return left, max(right - left, _THINNEST)


def _longest_pause(t_ns: _Times, steps: _Times, usual: float) -> tuple[int, int] | None:
    longest = int(np.argmax(steps))
    telling = steps[longest] > max(_GAP_STEPS * usual, SHORTEST_PAUSE_S * 1e9)
    return (int(t_ns[longest]), int(t_ns[longest + 1])) if telling else None


def _stretch(t_ns: _Times, marked: tuple[int, int] | None) -> tuple[int, int]:
    """Return from when to when is drawn: two readings or more."""
    start, end = int(t_ns[0]), int(t_ns[-1])
    if marked:
        beside = int(min(max(marked[1] - marked[0], 5e9), 30e9))
        first, last = marked[0] - beside, marked[1] + beside
    else:
        first = (start + end) // 2 - int(_SECONDS * 1e9 / 2)
        last = first + int(_SECONDS * 1e9)
    return max(first, start), min(last, end)


def path_of(across: _Numbers, down: _Numbers, cuts: npt.NDArray[np.intp]) -> str:
    """Return SVG path data through points, a new sub-path at each of `cuts`; long lines are thinned without losing a spike."""
    pieces = zip(np.split(across, cuts), np.split(down, cuts), strict=True) if cuts.size < _MOST_PIECES else [(across, down)]
    return "".join(_line(*thinned(x, y)) for x, y in pieces if x.size)


def thinned(x: _Numbers, y: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Keep the smallest and the largest value of each bucket in their likely order, so that no spike is lost.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Sorted by `x`.

    Returns
    -------
    (ndarray, ndarray)
        At most 400 points; the arrays themselves if they are no longer.
    """
    if x.size <= 2 * _POINTS:
        return x, y
    edges = np.linspace(0, x.size, _POINTS + 1).astype(np.intp)
    starts, stops = edges[:-1], edges[1:]
    ends = np.column_stack([np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)])
    falling = y[starts] > y[stops - 1]
    ends[falling] = ends[falling, ::-1]
    return np.column_stack([x[starts], x[(starts + stops) // 2]]).ravel(), ends.ravel()


def _line(x: _Numbers, y: _Numbers) -> str:
    points = np.rint(np.column_stack([x, y])).astype(int).tolist()
    return "M" + "L".join(f"{left} {top}" for left, top in points)


def _runs(samples: pa.Table) -> dict[tuple[str, str], list[slice]]:
    """Find the stretches of rows that belong to one stream; they lie together as they were written."""
    if not samples.num_rows:
        return {}
    names = [samples[name].combine_chunks().dictionary_encode() for name in ("recording_id", "stream")]
    codes = [column.indices.to_numpy() for column in names]
    edges = np.flatnonzero((np.diff(codes[0]) != 0) | (np.diff(codes[1]) != 0)) + 1
    found: dict[tuple[str, str], list[slice]] = {}
    for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), samples.num_rows], strict=True):
        key = names[0].dictionary[int(codes[0][start])].as_py(), names[1].dictionary[int(codes[1][start])].as_py()
        found.setdefault(key, []).append(slice(start, stop))
    return found


def _readings(samples: pa.Table, runs: Sequence[slice]) -> tuple[_Times, _Values]:
    rows = pa.concat_tables([samples.slice(run.start, run.stop - run.start) for run in runs])
    axes = [axis for axis in _AXES if rows[axis].null_count < rows.num_rows]
    times, values = rows["t_ns"].to_numpy(), [rows[axis].to_numpy() for axis in axes]
    order = np.argsort(times, kind="stable")
    return times[order], np.column_stack([*values, np.empty((times.size, 0), np.float32)])[order]
