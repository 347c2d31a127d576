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
stay below the limit, 8 and 6 only with as many before x as after. Two are linear interpolation, which never magnifies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.polynomial import Polynomial

READINGS = 16
MOST_NOISE = 6.0
#: Channels that one pass takes; all share its weights.
CHANNELS = 4
_HALF = READINGS // 2
_TILE = 256
_KAISER = 8.5
_NEAREST = 1e-6  # in steps; closer than that, a reading stands for x
_f32 = np.float32
_FEWER = (8, 6, 4, 3, 2)
_ONE_SIDED = 4  # more than that only on both sides of x alike
_LIMIT = _f32(MOST_NOISE)


def compiled(function: Callable[..., Any]) -> Any:
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


@compiled
def interpolate(t_ns, values, start_ns, step_ns, mean_step_ns, out, column, points):  # type: ignore[no-untyped-def]
    """Fill columns of `out` with the signal at ``t_ns[0] + start_ns + g × step_ns``, less the first reading.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Sorted, unique, of one piece; with sixteen more on both sides than the grid needs, unless the piece ends there.
    values : ndarray of float32, shape (n, c), c at most `CHANNELS`
    start_ns, step_ns : float
        First grid point after the first reading, and distance of grid points, in ns.
    mean_step_ns : float
        Typical step of the readings; a unit that keeps float32 in range.
    out : ndarray of float32, shape (c, m)
    column, points : int
        Where in `out` grid point g = 0 goes, and how many there are.
    """
    windows = len(t_ns) - READINGS + 1
    stride = step_ns / mean_step_ns
    width = _TILE + READINGS - 1
    t = np.empty(width, _f32)
    y = np.zeros((CHANNELS, width), _f32)
    weights = np.empty((_TILE, READINGS), _f32)
    products = np.empty((2, READINGS, width), _f32)
    signal = out[:, column : column + points]
    signal[0] = np.nan
    point = 0
    for first in range(0, windows, _TILE):
        if point == points:
            break
        tile = min(_TILE, windows - first)
        _load(t_ns, values, first, tile + READINGS - 1, mean_step_ns, t, y)
        _weigh(t, tile, products, weights)
        lead = (start_ns + (t_ns[0] - t_ns[first])) / mean_step_ns + point * stride
        point += _follow(t, y, weights, tile, lead, stride, first + tile == windows, signal[:, point:])
    for point in range(points):
        if math.isnan(signal[0, point]):
            _from_fewer(t_ns, values, start_ns + point * step_ns, signal[:, point])


@compiled
def _load(t_ns, values, first, count, mean_step_ns, t, y):  # type: ignore[no-untyped-def]
    """Take `count` readings: times in mean steps after the first of them, values by channel and less the first of all."""
    per_ns = 1 / mean_step_ns
    for i in range(count):
        t[i] = (t_ns[first + i] - t_ns[first]) * per_ns
    for channel in range(values.shape[1]):
        for i in range(count):
            y[channel, i] = values[first + i, channel] - values[0, channel]


@compiled
def _follow(t, y, weights, tile, lead, stride, ends, out):  # type: ignore[no-untyped-def]
    """Fill `out` as far as the windows of a tile reach and return how far; not-a-number where sixteen readings won't do."""
    w = 0
    for point in range(out.shape[1]):
        x = _f32(lead + point * stride)
        while w < tile and t[w + _HALF] <= x:
            w += 1
        if w == tile:
            if not ends:
                return point
            w = tile - 1
        end = w + READINGS
        a, b, c, d, noise = _sum(x, t[w:end], weights[w], y[0, w:end], y[1, w:end], y[2, w:end], y[3, w:end])
        centred = t[w + _HALF - 1] - _f32(0.5) <= x and x <= t[w + _HALF] + _f32(0.5)
        if centred and noise <= _LIMIT:  # false for not-a-number
            out[0, point] = a
            if len(out) > 1:
                out[1, point] = b
            if len(out) > 2:
                out[2, point] = c
            if len(out) > 3:
                out[3, point] = d
    return out.shape[1]


@compiled
def _weigh(t, tile, products, weights):  # type: ignore[no-untyped-def]
    """Fill row w of `weights` with V(u_j) / Π_k≠j (t_j − t_k) for the window of readings w to w + 15, up to sign and scale."""
    width = tile + READINGS - 1
    # ahead[m, i] is the product of the distances from reading i to the next m readings, behind[m, i] to the m before it.
    ahead = products[0]
    behind = products[1]
    ahead[0] = _f32(1)
    behind[0] = _f32(1)
    for m in range(1, READINGS):
        _scale(ahead[m], ahead[m - 1], t[m:width], t)
        _scale(behind[m, m:], behind[m - 1, m:], t[m:width], t)
    mean = np.zeros(tile, _f32)
    for j in range(READINGS):
        mean += t[j : j + tile]
    mean *= _f32(1 / READINGS)
    half = (t[READINGS - 1 : width] - t[:tile]) * _f32(_HALF / (READINGS - 1))
    column = np.empty(tile, _f32)
    for j in range(READINGS):
        _column(t[j:], mean, half, behind[j, j:], ahead[READINGS - 1 - j, j:], column)
        for w in range(tile):
            weights[w, j] = column[w] if j % 2 else -column[w]


@compiled
def _scale(out, factor, upper, lower):  # type: ignore[no-untyped-def]
    for i in range(len(upper)):
        out[i] = factor[i] * (upper[i] - lower[i])


@compiled
def _column(t, mean, half, behind, ahead, out):  # type: ignore[no-untyped-def]
    c0, c1, c2, c3, c4, c5 = _TAPER
    for w in range(len(out)):
        u = (t[w] - mean[w]) / half[w]
        s = min(u * u, _f32(1))
        v = c0 + s * (c1 + s * (c2 + s * (c3 + s * (c4 + s * c5))))
        out[w] = v / (behind[w] * ahead[w])


@compiled
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


@compiled
def _from_fewer(t_ns, values, x_ns, out):  # type: ignore[no-untyped-def]
    """Fill `out` from the 8, 6, 4, 3 or 2 readings nearest to x, which is in ns after the first."""
    readings = len(t_ns)
    near = _before(t_ns, x_ns)
    share = np.ones(_FEWER[0])
    first = 0
    for order in _FEWER:
        centred = near - order // 2 + 1
        first = min(max(centred, 0), readings - order)
        fits = order <= readings and (first == centred or order <= _ONE_SIDED)
        if fits and _lagrange(t_ns, first, x_ns, share[:order]) <= MOST_NOISE:
            break
    for channel in range(len(out)):
        mean = 0.0
        for j in range(min(order, readings)):
            mean += share[j] * (values[first + j, channel] - values[0, channel])
        out[channel] = mean


@compiled
def _before(t_ns, x_ns):  # type: ignore[no-untyped-def]
    """Return the index of the last reading that is not after x."""
    low, high = 0, len(t_ns) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if t_ns[middle] - t_ns[0] <= x_ns:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def _lagrange(t_ns, first, x_ns, share):  # type: ignore[no-untyped-def]
    """Fill `share` with what each reading from `first` on has in the polynomial at x; return the Lebesgue function."""
    noise = 0.0
    for j in range(len(share)):
        share[j] = 1.0
        for k in range(len(share)):
            if k != j:
                share[j] *= (x_ns - (t_ns[first + k] - t_ns[0])) / (t_ns[first + j] - t_ns[first + k])
        noise += abs(share[j])
    return noise


@compiled
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


@compiled
def _dot(taps, signal):  # type: ignore[no-untyped-def]
    total = _f32(0)
    for k in range(len(taps)):
        total += taps[k] * signal[k]
    return total


@compiled
def follow_cubics(values, first, steps, positions, halves, out):  # type: ignore[no-untyped-def]
    """Fill `out` with segments of a signal at fractional positions, on cubics through the four samples round each.

    Where only two or three samples are there, the polynomial through those is taken. With a half width above 0 the mean of
    the cubics over that stretch is taken instead of their value, exactly, so that what is denser than `out` is damped.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, c)
    first, steps : ndarray of int64, shape (n,)
        First row and number of rows of each segment; two or more.
    positions : ndarray of float64, shape (n, m)
        In rows after the first of the segment, from 0 to its steps - 1.
    halves : ndarray of float64, shape (n, m)
        Half widths in rows; a stretch ends with its segment.
    out : ndarray of float32, shape (n, m, c)
    """
    longest = 0
    for segment in range(len(first)):
        longest = max(longest, steps[segment])
    areas = np.empty(longest)
    for segment in range(len(first)):
        rows = values[first[segment] : first[segment] + steps[segment]]
        for channel in range(values.shape[1]):
            signal = rows[:, channel]
            summed = False
            for point in range(positions.shape[1]):
                x = positions[segment, point]
                half = min(halves[segment, point], x, len(signal) - 1 - x)
                if half <= _NEAREST:
                    out[segment, point, channel] = _cubic(signal, x)
                    continue
                if not summed:
                    areas[0] = 0.0
                    for i in range(len(signal) - 1):
                        areas[i + 1] = areas[i] + _area(signal, i, 1.0)
                    summed = True
                area = _area_to(signal, areas, x + half) - _area_to(signal, areas, x - half)
                out[segment, point, channel] = area / (2 * half)


@compiled
def _cell(signal, x):  # type: ignore[no-untyped-def]
    """Return the sample before x that has one after it."""
    return min(max(int(x), 0), len(signal) - 2)


@compiled
def _differences(signal, cell):  # type: ignore[no-untyped-def]
    """Return the first of four samples round a cell, its place, and their first, second and third differences."""
    start = min(max(cell - 1, 0), max(len(signal) - 4, 0))
    y0 = float(signal[start])
    first = float(signal[start + 1]) - y0
    if len(signal) == 2:
        return start, y0, first, 0.0, 0.0
    second = float(signal[start + 2]) - float(signal[start + 1]) - first
    if len(signal) == 3:
        return start, y0, first, second, 0.0
    third = float(signal[start + 3]) - float(signal[start + 2]) - (float(signal[start + 2]) - float(signal[start + 1])) - second
    return start, y0, first, second, third


@compiled
def _cubic(signal, x):  # type: ignore[no-untyped-def]
    if x == int(x):
        return float(signal[int(x)])
    start, y0, first, second, third = _differences(signal, _cell(signal, x))
    u = x - start
    return y0 + u * (first + (u - 1) / 2 * (second + (u - 2) / 3 * third))


@compiled
def _area(signal, cell, share):  # type: ignore[no-untyped-def]
    """Return the integral of a cell's cubic over so much of the cell, from its beginning."""
    start, y0, first, second, third = _differences(signal, cell)
    begin = float(cell - start)
    return _primitive(begin + share, y0, first, second, third) - _primitive(begin, y0, first, second, third)


@compiled
def _primitive(u, y0, first, second, third):  # type: ignore[no-untyped-def]
    return u * (y0 + u / 2 * (first + (u / 3 - 0.5) * second + (u * u / 4 - u + 1) / 3 * third))


@compiled
def _area_to(signal, areas, x):  # type: ignore[no-untyped-def]
    cell = _cell(signal, x)
    return areas[cell] + _area(signal, cell, x - cell)
