"""Filters of a task's input, and gravity told from an accelerometer: between gaps, without delay, before anything is cut.

Belongs here: what turns the streams of a recording on their uniform clock into those whose channels an example has. The
low-pass that resampling needs is in `ml.preprocessing.resampling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, savgol_filter, sosfiltfilt

from ml.preprocessing import one_euro
from studies.preparation import Filter, Input, Smooth
from studies.sensors import sensor_of

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]

#: What is slower than this in an accelerometer is gravity, in Hz: a common choice for worn sensors (Anguita et al., 2013).
GRAVITY_HZ = 0.3
_GRAVITY = Filter(high_hz=GRAVITY_HZ, order=2)


@dataclass(frozen=True)
class Ticks:
    """One stream on the recording's uniform clock.

    Parameters
    ----------
    at : ndarray of int64, shape (n,)
        Tick numbers or tick times in ns, ascending; the same in all streams of a recording.
    values : ndarray of float32, shape (n, axes)
        x, y, z and, for quaternions, w.
    starts : ndarray of int64, shape (pieces,)
        The row that each piece without a gap begins with, the first of them 0.
    """

    at: _Ints
    values: _Floats
    starts: _Ints


def prepare(streams: Mapping[str, Ticks], inputs: Input) -> dict[str, Ticks]:
    """Return every stream that has channels in an example, in the order of `Input.all_streams`.

    Parameters
    ----------
    streams : mapping of str to Ticks
        At least those that the input declares.
    inputs : Input

    Returns
    -------
    dict of str to Ticks
        Gravity is estimated from the accelerometer as it is; smoothing and filter then take the rest but orientation.
    """
    found: dict[str, Ticks] = {}
    for stream in inputs.streams:
        ticks = streams[stream]
        made = {stream: ticks}
        if parts := inputs.parts_of(stream):
            gravity = filtered(ticks, _GRAVITY, rate_hz=inputs.rate_hz)
            made |= dict(zip(parts, (gravity, replace(ticks, values=ticks.values - gravity.values)), strict=True))
        found |= {name: _as_asked(name, part, inputs) for name, part in made.items()}
    return found


def filtered(ticks: Ticks, wanted: Filter, *, rate_hz: float) -> Ticks:
    """Filter a stream forwards and backwards, every piece by itself.

    Beyond the ends of a piece the signal goes on as its own point reflection, three time constants of the filter or as far
    as the piece is long.

    Parameters
    ----------
    ticks : Ticks
    wanted : Filter
    rate_hz : float
        Rate of the clock, in Hz.

    Returns
    -------
    Ticks
    """
    edges = [edge for edge in (wanted.low_hz, wanted.high_hz) if edge is not None]
    kind = "bandpass" if len(edges) == 2 else "highpass" if wanted.high_hz is None else "lowpass"
    # Two passes take the power away twice: edges move out so that half of it is left where the study says.
    sections = butter(wanted.order, _for_two_passes(wanted, rate_hz), kind, fs=rate_hz, output="sos")
    beyond = round(3 * rate_hz / (2 * np.pi * min(edges))) * wanted.order
    out = np.empty_like(ticks.values)
    for start, end in pairwise([*ticks.starts.tolist(), len(ticks.values)]):
        piece = ticks.values[start:end].astype(np.float64)
        out[start:end] = sosfiltfilt(sections, piece, axis=0, padlen=min(beyond, len(piece) - 1))
    return replace(ticks, values=out)


def smoothed(ticks: Ticks, wanted: Smooth, *, rate_hz: float) -> Ticks:
    """Smooth a stream, every piece by itself (Savitzky & Golay, 1964); a piece too short for the window gets a shorter one.

    Parameters
    ----------
    ticks : Ticks
    wanted : Smooth
    rate_hz : float
        Rate of the clock, in Hz.

    Returns
    -------
    Ticks
    """
    out = ticks.values.copy()
    for start, end in pairwise([*ticks.starts.tolist(), len(out)]):
        window = (min(round(wanted.seconds * rate_hz), end - start) - 1) // 2 * 2 + 1  # odd: as many before as after
        if window > wanted.order:
            out[start:end] = savgol_filter(ticks.values[start:end].astype(np.float64), window, wanted.order, axis=0)
    return replace(ticks, values=out)


def _for_two_passes(wanted: Filter, rate_hz: float) -> list[float] | float:
    stretch = (np.sqrt(2) - 1) ** (1 / (2 * wanted.order))
    low = None if wanted.low_hz is None else _warped(wanted.low_hz, stretch, rate_hz)
    high = None if wanted.high_hz is None else _warped(wanted.high_hz, 1 / stretch, rate_hz)
    edges = [edge for edge in (low, high) if edge is not None]
    return edges if len(edges) == 2 else edges[0]


def _warped(edge_hz: float, factor: float, rate_hz: float) -> float:
    """An edge moved by a factor of the analogue frequency, which the bilinear transform keeps below half of the rate."""
    return float(np.arctan(factor * np.tan(np.pi * edge_hz / rate_hz)) * rate_hz / np.pi)


def _as_asked(stream: str, ticks: Ticks, inputs: Input) -> Ticks:
    if sensor_of(stream) in ("gravity", "orientation"):
        return ticks
    if inputs.smooth:
        ticks = smoothed(ticks, inputs.smooth, rate_hz=inputs.rate_hz)
    if inputs.one_euro:
        ticks = replace(ticks, values=one_euro.follow(ticks.values, ticks.starts, inputs.one_euro, rate_hz=inputs.rate_hz))
    return filtered(ticks, inputs.filter, rate_hz=inputs.rate_hz) if inputs.filter else ticks
