"""Repetitions of an exercise found without labels: their period, their count, where each begins and ends, and how sure that is.

Belongs here: arithmetic on the gap-free stretches of a recording's uniform clock. Which streams a task has and what becomes
of the stretches found is in `ml.preprocessing.cutting`.

A repetition takes the body from a posture out and back. What shows posture is the direction of gravity in an accelerometer,
and the integral of a gyroscope; both are band-passed, brought to one size and put side by side. The period is where their
autocorrelation, summed over all axes, first comes near its highest: no axis needs to be chosen, so it is the same however
the sensor was turned. Around that period the principal axis has one peak for each repetition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import find_peaks

from studies.sensors import sensor_of, unit_of

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

#: What takes longer than so many periods is drift, what is faster than so many times the period's frequency is detail.
_DRIFT, _DETAIL = 2.0, 1.5
#: Drift that stays where it matters which end of an axis is rest.
_REST_DRIFT = 20.0
#: The part of a period at each end of a set that shows the posture of rest.
_ENDS = 8
_ORDER = 2
#: An earlier peak of the autocorrelation stands for the period if it is nearly as high as the highest.
_NEARLY = 0.8
#: A lag at which less of the movement overlaps proves nothing: rest fits rest at any lag.
_LEAST_OVERLAP = 0.5
#: Two repetitions must fit into a stretch for it to have a period; its share of the stretch, with some room.
_LONGEST_LAG = 0.55
#: Below it there is no rhythm; peaks are then counted as they are.
_LEAST_RHYTHM = 0.3
#: Periods that two neighbouring peaks are apart at least.
_APART = 0.6
#: Share of the highest peak's prominence below which one says nothing about the typical.
_SMALL = 0.25
#: Share of the typical peak's prominence that one must have to be a repetition.
_LEAST_PEAK = 0.4
#: A trough further from the peak than so many periods lies in a pause: the repetition then ends at this share of its height.
_PAUSE, _BASE = 0.75, 0.05
#: A sensor that moves less than this (root mean square, in its unit) is at rest.
_REST: Mapping[str, float] = {"m/s^2": 0.2, "rad/s": 0.1, "uT": 2.0, "quaternion": 0.02, "m": 0.02, "frame": 0.01, "1": 0.02}


@dataclass(frozen=True)
class Repetitions:
    """The repetitions of one stretch.

    Parameters
    ----------
    first, steps : ndarray of int64, shape (n,)
        First sample and number of samples of each, in order; they do not overlap.
    confidence : ndarray of float64, shape (n,)
        0 to 1: how strong the rhythm of the stretch is, times how far the repetition comes up to its typical one. Where
        there is one repetition only, half of how far it stands out from the next largest movement.
    """

    first: _Ints
    steps: _Ints
    confidence: _Floats

    def __len__(self) -> int:
        return len(self.first)


def find_repetitions(
    streams: Mapping[str, npt.NDArray[np.float32]], *, rate_hz: float, min_seconds: float, max_seconds: float
) -> Repetitions:
    """Find the repetitions in a stretch without a gap.

    Parameters
    ----------
    streams : mapping of str to ndarray of float32, shape (n, axes)
        The stretch in every stream, in SI units; accelerometers and gyroscopes show the most.
    rate_hz : float
    min_seconds, max_seconds : float
        Shortest and longest repetition.

    Returns
    -------
    Repetitions
        None where nothing moves.
    """
    moving = {name: values for name, values in streams.items() if _moves(name, values, max_seconds * rate_hz)}
    if not moving or len(next(iter(moving.values()))) < min_seconds * rate_hz:
        return _NOTHING
    shortest, longest = min_seconds * rate_hz, max_seconds * rate_hz
    period, rhythm = _period(_posture(moving, _Band(longest, shortest)), shortest=shortest, longest=longest)
    band = _Band(period, period) if rhythm else _Band(longest, shortest, _REST_DRIFT)
    found = _between(_excursion(moving, band), band.fastest, band.slowest, rhythm=rhythm)
    kept = (found.steps >= shortest) & (found.steps <= longest)
    return Repetitions(found.first[kept], found.steps[kept], found.confidence[kept])


@dataclass(frozen=True)
class _Band:
    """Periods that are looked for, in samples; `drift` is how much slower than the slowest something may be and stay."""

    slowest: float
    fastest: float
    drift: float = _DRIFT


_NOTHING = Repetitions(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def _moves(name: str, values: npt.NDArray[np.float32], longest: float) -> bool:
    swing = _filtered(values, _Band(longest, 1.0), integrated=0)
    return float(np.sqrt((swing**2).sum(axis=1).mean())) > _REST[unit_of(name)]


def _posture(streams: Mapping[str, npt.NDArray[np.float32]], band: _Band) -> _Floats:
    """What shows posture, all streams at one size, shape (n, axes of all)."""
    parts = [_filtered(values, band, integrated=int(sensor_of(name) == "gyroscope")) for name, values in streams.items()]
    return np.concatenate([part / np.sqrt((part**2).sum(axis=1).mean() + 1e-24) for part in parts], axis=1)


def _filtered(values: npt.NDArray[np.float32], band: _Band, *, integrated: int) -> _Floats:
    """Band-pass without delay and integrate so many times; beyond its ends the signal goes on as its mirror image."""
    beyond = min(len(values) - 1, round(band.drift * band.slowest))
    longer = np.concatenate([values[beyond:0:-1], values, values[-2 : -2 - beyond : -1]]).astype(np.float64)
    size = next_fast_len(len(longer), real=True)
    frequency = rfftfreq(size)[1:]
    low, high = 1 / (band.drift * band.slowest), _DETAIL / band.fastest
    gain = 1 / np.sqrt((1 + (low / frequency) ** (2 * _ORDER)) * (1 + (frequency / high) ** (2 * _ORDER)))
    spectrum = rfft(longer - longer.mean(axis=0), size, axis=0)
    spectrum[0] = 0
    spectrum[1:] *= (gain / (2j * np.pi * frequency) ** integrated)[:, np.newaxis]
    return np.asarray(irfft(spectrum, size, axis=0)[beyond : beyond + len(values)])


def _period(posture: _Floats, *, shortest: float, longest: float) -> tuple[float, float]:
    """Period in samples, and how well the signal fits itself one period later, 0 to 1; both 0 where nothing repeats."""
    fit = _autocorrelation(posture, min(int(longest) + 2, int(_LONGEST_LAG * len(posture))))
    peaks, _ = find_peaks(fit)
    peaks = peaks[(peaks >= np.floor(shortest)) & (fit[peaks] > 0)]
    if not len(peaks):
        return 0.0, 0.0
    first = peaks[fit[peaks] >= _NEARLY * fit[peaks].max()][0]
    return (float(first), float(min(fit[first], 1.0))) if fit[first] >= _LEAST_RHYTHM else (0.0, 0.0)


def _autocorrelation(signal: _Floats, lags: int) -> _Floats:
    """Correlation of a signal with itself, all axes together, at 0 to `lags` samples; each lag over what overlaps there."""
    count, size = len(signal), next_fast_len(2 * len(signal), real=True)
    products = irfft((np.abs(rfft(signal, size, axis=0)) ** 2).sum(axis=1), size)[: lags + 1]
    energy = np.concatenate([[0.0], np.cumsum((signal**2).sum(axis=1))])
    lag = np.arange(lags + 1)
    overlapping = np.sqrt(energy[count - lag] * (energy[-1] - energy[lag]))
    return np.asarray(products / np.maximum(overlapping, _LEAST_OVERLAP * energy[-1]))


def _excursion(streams: Mapping[str, npt.NDArray[np.float32]], band: _Band) -> _Floats:
    """The axis on which most happens, turned so that the posture at both ends, which is that of rest, is low."""
    posture = _posture(streams, band)
    axis = np.linalg.eigh(posture.T @ posture)[1][:, -1]
    with_rest = _posture(streams, replace(band, drift=_REST_DRIFT)) @ axis
    ends = max(2, round(band.fastest / _ENDS))
    resting = np.concatenate([with_rest[:ends], with_rest[-ends:]]).mean()
    return np.asarray(posture @ (-axis if resting > with_rest.mean() else axis))


def _between(along: _Floats, apart: float, longest: float, *, rhythm: float) -> Repetitions:
    """Repetitions from trough to trough round the peaks; at the ends of a set, and where it pauses, from base to base."""
    low = along.min()
    peaks, found = find_peaks(np.concatenate([[low], along, [low]]), distance=max(1.0, _APART * apart), prominence=1e-9)
    if not len(peaks):
        return _NOTHING
    height = found["prominences"]
    large = np.sort(height[height >= _SMALL * height.max()])
    typical = np.median(large[len(large) // 2 :])
    kept = height >= _LEAST_PEAK * typical
    confidence = rhythm * np.minimum(height[kept] / typical, 1) if rhythm else _contrast(height, kept)
    peaks, height = peaks[kept] - 1, height[kept]
    edges = [0, *(int(a + np.argmin(along[a:b])) for a, b in pairwise(peaks)), len(along) - 1]
    start = np.array([_base(along, peak, edge, apart, longest) for peak, edge in zip(peaks, edges[:-1], strict=True)], np.int64)
    back, last = along[::-1], len(along) - 1
    end = np.array(
        [last - _base(back, last - peak, last - edge, apart, longest) for peak, edge in zip(peaks, edges[1:], strict=True)],
        np.int64,
    )
    return Repetitions(start, end - start + 1, confidence)


def _base(along: _Floats, peak: int, edge: int, apart: float, longest: float) -> int:
    """Where the rise to a peak begins, not before `edge`."""
    if peak - edge <= _PAUSE * apart:
        return edge
    from_ = max(edge, peak - int(longest))
    rise = along[from_:peak]
    level = rise.min() + _BASE * (along[peak] - rise.min())
    return from_ + int(np.flatnonzero(rise <= level)[-1])


def _contrast(height: _Floats, kept: npt.NDArray[np.bool_]) -> _Floats:
    """Without a rhythm: half of how far a single repetition stands out, nothing for more than one."""
    if np.count_nonzero(kept) != 1:
        return np.zeros(np.count_nonzero(kept))
    second = np.sort(height)[-2] if len(height) > 1 else 0.0
    return np.array([0.5 * (1 - second / height.max())])
