"""Altered copies of training examples: multiplicative noise and random sub-sequences.

Belongs here: the recipes of `studies.study.Augmentation`. Which examples are copied is decided in
`ml.preprocessing.examples`. Every copy draws from its own random stream, named by the seed and its example id, so that
neither the order of the examples nor their number changes any of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ml.preprocessing.tensors import interpolate
from studies.study import Augmentation, MultiplicativeNoise, Subsequence

_Floats = npt.NDArray[np.float32]

#: The value of `examples.augmentation` for an example as it was recorded.
ORIGINAL = "original"


def copies_of(recipe: Sequence[Augmentation]) -> Iterator[tuple[str, MultiplicativeNoise | Subsequence]]:
    """Yield the name of every copy that a recipe makes of one original, with what makes it.

    Examples
    --------
    >>> [name for name, _ in copies_of([Augmentation(subsequence=Subsequence(min_share=0.7, copies=2))])]
    ['subsequence_1', 'subsequence_2']
    """
    made = Counter[str]()
    for step in recipe:
        kind, settings = next((kind, settings) for kind, settings in step if settings is not None)
        for _ in range(settings.copies):
            made[kind] += 1
            yield f"{kind}_{made[kind]}", settings


def augment(signals: _Floats, settings: MultiplicativeNoise | Subsequence, *, example_ids: Sequence[str], seed: int) -> _Floats:
    """Return one altered copy of every signal.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, length, channels)
    settings : MultiplicativeNoise or Subsequence
    example_ids : sequence of str, length n
        Ids of the copies; with the seed they name each copy's random stream.
    seed : int

    Returns
    -------
    ndarray of float32, shape (n, length, channels)
    """
    keys = _keys(example_ids, seed)
    if isinstance(settings, MultiplicativeNoise):
        return multiply_points(signals, settings, keys)
    return cut_subsequence(signals, settings, keys)


def multiply_points(signals: _Floats, noise: MultiplicativeNoise, keys: npt.NDArray[np.uint64]) -> _Floats:
    """Multiply exactly ``round(share × length)`` time points of each signal by a factor from `low` to `high`.

    All channels of a time point share its factor, so that a vector keeps its direction and fits its own norm.
    """
    count, length, _ = signals.shape
    points = round(noise.share * length)
    drawn = uniforms(keys, 2 * length)
    chosen = np.argsort(drawn[:, :length], axis=1)[:, :points]
    factors = np.ones((count, length), np.float32)
    values = noise.low + (noise.high - noise.low) * drawn[:, length : length + points]
    np.put_along_axis(factors, chosen, values.astype(np.float32), axis=1)
    return signals * factors[:, :, np.newaxis]


def cut_subsequence(signals: _Floats, subsequence: Subsequence, keys: npt.NDArray[np.uint64]) -> _Floats:
    """Cut a random stretch of at least `min_share` of each signal and stretch it to full length by straight lines."""
    length = signals.shape[1]
    drawn = uniforms(keys, 2)
    span = (length - 1) * (subsequence.min_share + (1 - subsequence.min_share) * drawn[:, 0])
    start = (length - 1 - span) * drawn[:, 1]
    return interpolate(signals, start[:, np.newaxis] + np.linspace(0, 1, length) * span[:, np.newaxis])


def uniforms(keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.float64]:
    """Return `count` uniform numbers in [0, 1) for every key, the same for the same key in any process.

    SplitMix64 (Steele, Lea and Flood, 2014) over a counter: one vectorised pass, where a generator object for each of
    tens of thousands of examples would take longer than the augmentation itself.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
    count : int

    Returns
    -------
    ndarray of float64, shape (n, count)
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    mixed = keys[:, np.newaxis] + golden * np.arange(1, count + 1, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) * 2.0**-53


def _keys(example_ids: Sequence[str], seed: int) -> npt.NDArray[np.uint64]:
    digests = b"".join(hashlib.sha256(f"{seed}:{example_id}".encode()).digest()[:8] for example_id in example_ids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
