"""The compiled inner loops of resampling: from readings at any times to an even grid, and from the grid to fewer ticks.

Belongs here: what numba compiles, so that only resampling pays for importing numba. Clocks, gaps, blocks and threads are
in `resampling`. Every kernel works on one block and releases the interpreter lock.

**Interpolation.** Readings at t₀ … t₁₅ around x count with q_j = V(u_j) / (Π_k≠j (t_j − t_k) · (x − t_j)), over the sum of
all q. With V = 1 that is Lagrange's polynomial in barycentric form (Berrut and Trefethen, SIAM Review 46, 2004), which
is excellent at low frequencies and poor near the source's Nyquist frequency. V stands for the readings beyond the
sixteen, taken as even, times a Kaiser window: the direct interpolation of irregular samples of Flornes, Lyubarskii and
Seip (Appl. Comput. Harmon. Anal. 7, 1999). u_j is the distance of t_j from the window's mean in mean steps. The signal
passes through every reading, however jittered the times.

Where sixteen readings do not lie around x (ends of a piece, short pieces), or where they would magnify noise (Lebesgue
function above `MOST_NOISE`: bursts, dropouts), the nearest 8, 6, 4, 3 or 2 readings are taken, with V = 1: the first that
stay below the limit. Two are linear interpolation, which never magnifies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.polynomial import Polynomial

READINGS = 16
MOST_NOISE = 5.0
#: Channels that one pass takes; all share its weights.
CHANNELS = 4
_HALF = READINGS // 2
_TILE = 128
_KAISER = 8.5
_NEAREST = 1e-6  # in steps; closer than that, a reading stands for x
_f32 = np.float32
_FEWER = (8, 6, 4, 3, 2)
_LIMIT = _f32(MOST_NOISE)


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile on first use and keep the machine code, where this machine has a place that can be written to."""
    # Not-a-number stays meaningful (no nnan): it is how an overflow in a row of weights is noticed.
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder for its cache
        return numba.njit(**options)(function)


def _taper() -> tuple[np.float32, ...]:
    """Return the coefficients of V as a polynomial of degree 5 in (u / 8)², lowest first."""
    square = np.sin(np.linspace(0, np.pi / 2, 402)[1:-1]) ** 2
    offset = np.sqrt(square) * _HALF
    centre = (READINGS + 1) / 2
    readings_beyond = np.array([math.lgamma(centre - u) + math.lgamma(centre + u) - 2 * math.lgamma(centre) for u in offset])
    kaiser = np.i0(_KAISER * np.sqrt(1 - square)) / np.i0(_KAISER)
    wanted = np.exp(readings_beyond) * kaiser
    fitted = Polynomial.fit(square, wanted, 5, domain=[0, 1], window=[0, 1], w=kaiser / wanted)
    return tuple(np.float32(coefficient) for coefficient in fitted.coef)


_TAPER = _taper()


@_compiled
def interpolate(t_ns, values, start_ns, step_ns, mean_step_ns, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the signal at ``t_ns[0] + start_ns + g × step_ns``, less the first reading.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Sorted, unique, of one piece; with sixteen more on both sides than the grid needs, unless the piece ends there.
    values : ndarray of float32, shape (n, c), c at most `CHANNELS`
    start_ns, step_ns : float
        First grid point after the first reading, and distance of grid points, in ns.
    mean_step_ns : float
        Typical step of the readings; a unit that keeps float32 in range.
    out : ndarray of float32, shape (c, points)
    """
    readings, channels = values.shape
    points = out.shape[1]
    windows = readings - READINGS + 1
    width = _TILE + READINGS - 1
    t = np.empty(width, _f32)
    y = np.zeros((CHANNELS, width), _f32)
    weights = np.empty((_TILE, READINGS), _f32)
    ahead = np.empty((READINGS, width), _f32)
    behind = np.empty(width, _f32)
    scratch = np.empty((3, _TILE), _f32)
    near = 0
    point = 0
    first = 0
    while point < points and first < windows:
        tile = min(_TILE, windows - first)
        last_tile = first + tile == windows
        base = t_ns[first]
        for i in range(tile + READINGS - 1):
            t[i] = (t_ns[first + i] - base) / mean_step_ns
        for channel in range(channels):
            for i in range(tile + READINGS - 1):
                y[channel, i] = values[first + i, channel] - values[0, channel]
        _weigh(t, tile, ahead, behind, scratch, weights)
        lead = start_ns + (t_ns[0] - base)
        w = 0
        while point < points:
            x = _f32((lead + point * step_ns) / mean_step_ns)
            while w < tile and t[w + _HALF] <= x:
                w += 1
            if w == tile:
                if not last_tile:
                    break
                w = tile - 1
            # Not-a-number fails this comparison too.
            centred = t[w + _HALF - 1] - _f32(0.5) <= x and x <= t[w + _HALF] + _f32(0.5)
            end = w + READINGS
            a, b, c, d, noise = _sum(x, t[w:end], weights[w], y[0, w:end], y[1, w:end], y[2, w:end], y[3, w:end])
            if centred and noise <= _LIMIT:
                out[0, point] = a
                if channels > 1:
                    out[1, point] = b
                if channels > 2:
                    out[2, point] = c
                if channels > 3:
                    out[3, point] = d
            else:
                near = _from_fewer(t_ns, values, start_ns + point * step_ns, mean_step_ns, near, out[:, point])
            point += 1
        first += tile
    while point < points:
        near = _from_fewer(t_ns, values, start_ns + point * step_ns, mean_step_ns, near, out[:, point])
        point += 1


@_compiled
def _weigh(t, tile, ahead, behind, scratch, weights):  # type: ignore[no-untyped-def]
    """Fill row w of `weights` with V(u_j) / Π_k≠j (t_j − t_k) for the window of readings w to w + 15, up to sign and scale."""
    width = tile + READINGS - 1
    mean = scratch[0]
    per_width = scratch[1]
    column = scratch[2]
    # ahead[m, i] is the product of the distances from reading i to the next m; behind, below, that to the previous j.
    for i in range(width):
        ahead[0, i] = _f32(1)
        behind[i] = _f32(1)
    for m in range(1, READINGS):
        _scale(ahead[m], ahead[m - 1], t[m:width], t)
    for w in range(tile):
        mean[w] = _f32(0)
    for j in range(READINGS):
        for w in range(tile):
            mean[w] += t[w + j]
    for w in range(tile):
        mean[w] *= _f32(1 / READINGS)
        half = (t[w + READINGS - 1] - t[w]) * _f32(_HALF / (READINGS - 1))
        per_width[w] = _f32(1) / (half * half)
    sign = _f32(1)
    for j in range(READINGS):
        if j > 0:
            _scale(behind[j:], behind[j:], t[j:width], t)
        _column(t[j:], mean, per_width, behind[j:], ahead[READINGS - 1 - j, j:], sign, column[:tile])
        for w in range(tile):
            weights[w, j] = column[w]
        sign = -sign


@_compiled
def _scale(out, factor, upper, lower):  # type: ignore[no-untyped-def]
    for i in range(len(upper)):
        out[i] = factor[i] * (upper[i] - lower[i])


@_compiled
def _column(t, mean, per_width, behind, ahead, sign, out):  # type: ignore[no-untyped-def]
    c0, c1, c2, c3, c4, c5 = _TAPER
    for w in range(len(out)):
        u = t[w] - mean[w]
        s = min(u * u * per_width[w], _f32(1))
        v = c0 + s * (c1 + s * (c2 + s * (c3 + s * (c4 + s * c5))))
        out[w] = sign * v / (behind[w] * ahead[w])


@_compiled
def _sum(x, t, weights, y0, y1, y2, y3):  # type: ignore[no-untyped-def]
    """Return four weighted means of sixteen readings at x, and the Lebesgue function: by how much noise may grow."""
    # One loop of fixed length over all four channels: this form becomes two vectors of eight, others do not (5 × slower).
    total = _f32(0)
    size = _f32(0)
    s0 = _f32(0)
    s1 = _f32(0)
    s2 = _f32(0)
    s3 = _f32(0)
    for j in range(READINGS):
        distance = x - t[j]
        distance = distance if abs(distance) > _f32(_NEAREST) else _f32(_NEAREST)
        q = weights[j] / distance
        total += q
        size += abs(q)
        s0 += q * y0[j]
        s1 += q * y1[j]
        s2 += q * y2[j]
        s3 += q * y3[j]
    scale = _f32(1) / total
    return s0 * scale, s1 * scale, s2 * scale, s3 * scale, size * abs(scale)


@_compiled
def _from_fewer(t_ns, values, x_ns, mean_step_ns, near, out):  # type: ignore[no-untyped-def]
    """Fill `out` from the 8, 6, 4, 3 or 2 readings nearest to x, and return the index of the reading before x."""
    readings = len(t_ns)
    while near + 1 < readings and t_ns[near + 1] - t_ns[0] <= x_ns:
        near += 1
    while near > 0 and t_ns[near] - t_ns[0] > x_ns:
        near -= 1
    part = np.empty(_FEWER[0])
    if readings == 1:
        out[:] = 0
        return near
    for order in _FEWER:
        if order > readings:
            continue
        first = min(max(near - order // 2 + 1, 0), readings - order)
        noise = 0.0
        for j in range(order):
            part[j] = 1.0
            t_j = t_ns[first + j]
            for k in range(order):
                if k != j:
                    t_k = t_ns[first + k]
                    part[j] *= (x_ns - (t_k - t_ns[0])) / (t_j - t_k)
            noise += abs(part[j])
        if noise <= MOST_NOISE:
            break
    for channel in range(values.shape[1]):
        mean = 0.0
        for j in range(order):
            mean += part[j] * (values[first + j, channel] - values[0, channel])
        out[channel] = mean
    return near


@_compiled
def decimate(grid, taps, factor, offset, out):  # type: ignore[no-untyped-def]
    """Low-pass the grid and keep every `factor`-th point.

    Parameters
    ----------
    grid : ndarray of float32, shape (c, points)
        Starts where the filter of the first tick starts.
    taps : ndarray of float32, shape (k,)
    offset : ndarray of float32, shape (c,)
        Added to what comes out.
    out : ndarray of float32, shape (ticks, c)
    """
    for tick in range(out.shape[0]):
        for channel in range(out.shape[1]):
            out[tick, channel] = _dot(taps, grid[channel, tick * factor :]) + offset[channel]


@_compiled
def _dot(taps, signal):  # type: ignore[no-untyped-def]
    total = _f32(0)
    for k in range(len(taps)):
        total += taps[k] * signal[k]
    return total
