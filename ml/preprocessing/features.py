"""Hand-made features of motion signals, as a scikit-learn transformer, for families that do not learn their own.

Belongs here: numbers computed from one example alone, the same in training and inference; nothing is fitted but the number
of channels, so no test example can leak into them. Time-domain and spectral features follow Bulling, Blanke and Schiele,
"A tutorial on human activity recognition using body-worn inertial sensors" (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import scipy.fft
from sklearn.base import BaseEstimator, TransformerMixin

_Floats = npt.NDArray[np.floating]
_BANDS = 5
_EXAMPLES_AT_ONCE = 1024

#: Features of one channel, in order; frequencies and lags in cycles and parts of an example's length.
CHANNEL_FEATURES = (
    "mean",
    "std",
    "minimum",
    "lower_quartile",
    "median",
    "upper_quartile",
    "maximum",
    "mean_absolute",
    "rms",
    "skewness",
    "kurtosis",
    "zero_crossings",
    "mean_crossings",
    "jerk_rms",
    "dominant_frequency",
    "spectral_entropy",
    *(f"energy_band_{number}" for number in range(1, _BANDS + 1)),
    "regularity",
    "period",
)


class MotionFeatures(TransformerMixin, BaseEstimator):
    """Statistics, spectrum and regularity of every channel, and how channels move together.

    For each channel: level and spread, quartiles, shape, crossings of zero and of the mean, jerk (root mean square of the
    steps), dominant frequency in cycles per example, entropy and five octave bands of the spectrum, height and lag of the
    autocorrelation's first peak. For each pair of channels: Pearson's correlation. What is undefined, such as the skewness
    of a constant, is 0.

    Parameters
    ----------
    channels : sequence of str, optional
        Names for `get_feature_names_out`; default ``channel_0``, ``channel_1``, …

    Attributes
    ----------
    n_channels_ : int
        Channels of the examples seen in `fit`.

    Examples
    --------
    >>> signals = np.zeros((3, 50, 2), np.float32)
    >>> features = MotionFeatures(channels=["gyroscope.x", "gyroscope.y"]).fit(signals)
    >>> features.transform(signals).shape, features.get_feature_names_out()[-1]
    ((3, 47), 'gyroscope.x~gyroscope.y.correlation')
    """

    def __init__(self, channels: Sequence[str] | None = None) -> None:
        self.channels = channels

    def fit(self, X: _Floats, y: object = None) -> MotionFeatures:
        """Remember the number of channels.

        Parameters
        ----------
        X : ndarray, shape (n, length, channels)
        y : ignored

        Raises
        ------
        ValueError
            If X is of another shape, or `channels` names another number of them.
        """
        self.n_channels_ = _checked(X).shape[2]
        if self.channels is not None and len(self.channels) != self.n_channels_:
            raise ValueError(f"channels names {len(self.channels)}, the examples have {self.n_channels_}")
        return self

    def transform(self, X: _Floats) -> npt.NDArray[np.float32]:
        """Return the features of examples.

        Parameters
        ----------
        X : ndarray, shape (n, length, channels)

        Returns
        -------
        ndarray of float32, shape (n, features)

        Raises
        ------
        ValueError
            If X has another number of channels than in `fit`.
        """
        if _checked(X).shape[2] != self.n_channels_:
            raise ValueError(f"examples have {X.shape[2]} channels, {self.n_channels_} were fitted")
        blocks = [_features(X[first : first + _EXAMPLES_AT_ONCE]) for first in range(0, len(X), _EXAMPLES_AT_ONCE)]
        return np.concatenate([*blocks, np.zeros((0, len(self.get_feature_names_out())), np.float32)])

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Return the name of every feature, as ``<channel>.<feature>`` and ``<channel>~<channel>.correlation``."""
        names = self.channels or [f"channel_{number}" for number in range(self.n_channels_)]
        single = [f"{name}.{feature}" for name in names for feature in CHANNEL_FEATURES]
        pairs = [f"{first}~{second}.correlation" for first, second in combinations(names, 2)]
        return np.array([*single, *pairs], dtype=object)


def _checked(signals: _Floats) -> _Floats:
    if signals.ndim != 3 or signals.shape[1] < 8:
        raise ValueError(f"examples have shape {signals.shape}; allowed: (n, length, channels) with a length of 8 or more")
    return signals


def _features(signals: _Floats) -> npt.NDArray[np.float32]:
    # Time last, so that every reduction runs over neighbours in memory.
    values = np.ascontiguousarray(np.moveaxis(signals, 1, 2), np.float64)
    values = _without_nan(values)
    mean, spread = values.mean(axis=2, keepdims=True), values.std(axis=2, keepdims=True)
    # Below rounding error of the float32 that came in, a channel is constant.
    moving = spread > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    standard = np.where(moving, (values - mean) / np.where(moving, spread, 1), 0)
    columns = [*_statistics(values, standard), *_spectrum(standard), *_regularity(standard)]
    single = np.stack(columns, axis=2).reshape(len(values), -1)
    correlation = standard @ np.moveaxis(standard, 1, 2) / values.shape[2]
    pairs = correlation[:, *np.triu_indices(values.shape[1], 1)]
    return np.concatenate([single, pairs], axis=1).astype(np.float32)


def _without_nan(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    missing = ~np.isfinite(values)
    if not missing.any():
        return values
    known = np.where(missing, 0, values)
    mean = known.sum(axis=2, keepdims=True) / np.maximum((~missing).sum(axis=2, keepdims=True), 1)
    return np.where(missing, mean, values)


def _statistics(values: npt.NDArray[np.float64], standard: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    squared = standard * standard
    moving = squared.any(axis=2)
    return [
        values.mean(axis=2),
        values.std(axis=2),
        *np.quantile(values, [0, 0.25, 0.5, 0.75, 1], axis=2),
        np.abs(values).mean(axis=2),
        np.sqrt((values * values).mean(axis=2)),
        (squared * standard).mean(axis=2),
        np.where(moving, (squared * squared).mean(axis=2) - 3, 0),
        _crossings(values),
        _crossings(standard),
        np.sqrt((np.diff(values, axis=2) ** 2).mean(axis=2)),
    ]


def _crossings(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = values > 0
    return (above[:, :, 1:] != above[:, :, :-1]).mean(axis=2)


def _spectrum(standard: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    power = np.abs(scipy.fft.rfft(standard * np.hanning(standard.shape[2]), axis=2)[:, :, 1:]) ** 2
    total = power.sum(axis=2, keepdims=True)
    share = power / np.where(total > 0, total, 1)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis=2) / np.log(power.shape[2])
    # Octaves down from the highest frequency; the lowest band takes what is left.
    edges = np.round(power.shape[2] / 2.0 ** np.arange(_BANDS - 1, 0, -1)).astype(int)
    bands = np.split(share, edges, axis=2)
    dominant = np.where(total[:, :, 0] > 0, power.argmax(axis=2) + 1.0, 0)
    return [dominant, entropy, *(band.sum(axis=2) for band in bands)]


def _regularity(standard: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    length = standard.shape[2]
    padded = scipy.fft.next_fast_len(2 * length, real=True)
    power = np.abs(scipy.fft.rfft(standard, n=padded, axis=2)) ** 2
    correlation = scipy.fft.irfft(power, n=padded, axis=2)[:, :, :length] / length
    # A signal resembles itself at once: the period shows only after the autocorrelation has gone below zero.
    correlation = np.where(np.logical_or.accumulate(correlation < 0, axis=2), correlation, 0)
    lag = correlation.argmax(axis=2)
    return [correlation.max(axis=2), lag / length]
