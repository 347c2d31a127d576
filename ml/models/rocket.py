"""Features by many fixed dilated convolutions: MiniRocket, on the signal and on its steps.

Belongs here: choosing dilations, channels and biases, and the compiled transform. The classifier is `ml.models.minirocket`.

After Dempster, Schmidt and Webb, "MiniRocket: a very fast (almost) deterministic transform for time series classification"
(KDD 2021): 84 kernels of length 9 with six weights of -1 and three of 2, dilated to fill the example; a feature is the share
of samples at which the convolution exceeds a bias, a quantile of the convolution of a training example. With several channels
each kernel and dilation reads the sum over a random few of them. The steps from sample to sample as a second signal are from
Tan, Dempster, Bergmeir and Webb, "MultiRocket" (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.preprocessing.kernels import compiled

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int32]

_TAPS = 9
#: Where each kernel has its three weights of 2.
_KERNELS = np.array(list(combinations(range(_TAPS), 3)), dtype=np.int32)
_MOST_DILATIONS = 32
_GOLDEN = (np.sqrt(5) + 1) / 2
_MOST_CHANNELS = 9


@dataclass(frozen=True, eq=False)
class Rocket:
    """A fitted transform.

    Parameters
    ----------
    dilations : ndarray of int32, shape (dilations,)
    biases_each : ndarray of int32, shape (dilations,)
        Features of every kernel at that dilation.
    chosen : ndarray of bool, shape (dilations, 84, channels)
        Channels whose sum a kernel reads.
    biases : ndarray of float32, shape (features,)
        By dilation, kernel and bias.
    """

    dilations: _Ints
    biases_each: _Ints
    chosen: npt.NDArray[np.bool_]
    biases: _Floats

    def transform(self, signals: _Floats) -> _Floats:
        """Return the features of signals of shape (n, length, channels), shape (n, features), each from 0 to 1."""
        out = np.empty((len(signals), len(self.biases)), np.float32)
        by_channel = np.ascontiguousarray(np.moveaxis(signals, 1, 2), np.float32)
        _transform(by_channel, _KERNELS, self.dilations, self.biases_each, self.chosen, self.biases, out)
        return out


def fit_rocket(signals: _Floats, *, features: int, seed: int) -> Rocket:
    """Choose dilations, channels and biases.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, length, channels)
        Of training examples.
    features : int
        About as many are made: the next lower multiple of 84, at least 84.
    seed : int
    """
    random = np.random.default_rng(seed)
    dilations, each = _dilations(signals.shape[1], max(1, features // len(_KERNELS)))
    chosen = _channels(signals.shape[2], (len(dilations), len(_KERNELS)), random)
    pairs = len(dilations) * len(_KERNELS)
    quantiles = (np.arange(1, int(each.sum()) * len(_KERNELS) + 1) * _GOLDEN % 1).astype(np.float32)
    examples = np.ascontiguousarray(np.moveaxis(signals[random.integers(len(signals), size=pairs)], 1, 2), np.float32)
    rows = np.empty((pairs, signals.shape[1]), np.float32)
    _responses(examples, _KERNELS, dilations, chosen, rows)
    ends = np.cumsum(np.repeat(each, len(_KERNELS)))
    biases = [np.quantile(row, part) for row, part in zip(rows, np.split(quantiles, ends[:-1]), strict=True)]
    return Rocket(dilations, each, chosen, np.concatenate(biases).astype(np.float32))


def _dilations(length: int, each_kernel: int) -> tuple[_Ints, _Ints]:
    """Dilations evenly spaced in their logarithm, up to where a kernel spans the example, and the biases of each."""
    most = min(each_kernel, _MOST_DILATIONS)
    widest = np.log2(max(1.0, (length - 1) / (_TAPS - 1)))
    dilations, counts = np.unique(np.logspace(0, widest, most, base=2).astype(np.int32), return_counts=True)
    each = (counts * (each_kernel / most)).astype(np.int32)
    each[: each_kernel - int(each.sum())] += 1
    return dilations, each


def _channels(count: int, shape: tuple[int, int], random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """For every dilation and kernel a few channels, small sets as likely as large ones."""
    sizes = (2 ** random.uniform(0, np.log2(min(count, _MOST_CHANNELS) + 1), shape)).astype(np.int64)
    rank = random.random((*shape, count)).argsort(axis=2).argsort(axis=2)
    return np.asarray(rank < sizes[:, :, np.newaxis])


@compiled
def _convolve(example: Any, kernel: Any, dilation: int, chosen: Any, out: Any) -> None:
    """The sum over the chosen channels, with zeros beyond the ends, convolved with one kernel."""
    length = example.shape[1]
    summed = np.zeros(length, np.float32)
    for channel in range(example.shape[0]):
        if chosen[channel]:
            summed += example[channel]
    out[:] = 0
    for tap in range(_TAPS):
        weight = np.float32(2.0) if tap == kernel[0] or tap == kernel[1] or tap == kernel[2] else np.float32(-1.0)
        shift = (tap - _TAPS // 2) * dilation
        for at in range(max(0, -shift), min(length, length - shift)):
            out[at] += weight * summed[at + shift]


@compiled
def _responses(examples: Any, kernels: Any, dilations: Any, chosen: Any, out: Any) -> None:
    for number in range(len(dilations)):
        for kernel in range(len(kernels)):
            row = number * len(kernels) + kernel
            _convolve(examples[row], kernels[kernel], dilations[number], chosen[number, kernel], out[row])


@compiled
def _transform(signals: Any, kernels: Any, dilations: Any, each: Any, chosen: Any, biases: Any, out: Any) -> None:
    length = signals.shape[2]
    response = np.empty(length, np.float32)
    for row in range(len(signals)):
        first = 0
        for number in range(len(dilations)):
            # Every second kernel leaves out the ends, where it reads zeros from beyond the example.
            margin = _TAPS // 2 * dilations[number]
            for kernel in range(len(kernels)):
                _convolve(signals[row], kernels[kernel], dilations[number], chosen[number, kernel], response)
                ends = margin if (number + kernel) % 2 and 2 * margin < length else 0
                inside = response[ends : length - ends]
                for bias in range(first, first + each[number]):
                    above = 0
                    for value in inside:
                        above += value > biases[bias]
                    out[row, bias] = above / np.float32(len(inside))
                first += each[number]
