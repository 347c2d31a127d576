"""Movement beside what a person's movement usually is: their mean example taken away, by channel and moment.

Belongs here: the arithmetic on examples, for tasks that say `input.baseline: participant`. No label is looked at. Whose examples
make a baseline is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float32]
_Texts = npt.NDArray[np.str_]

#: A channel that moves less than this, in its own unit, is constant: what is left of it is rounding.
_LEAST_SPREAD = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class Baseline:
    """What the examples of one person usually are.

    Parameters
    ----------
    mean : ndarray of float32, shape (length, channels)
        Their mean example, in the channels' units.
    spread : ndarray of float32, shape (channels,)
        Root mean square of what is left of them, over all moments.
    """

    mean: _Floats
    spread: _Floats

    @classmethod
    def of(cls, signals: _Floats) -> Baseline:
        """Return the baseline of one person's examples, shape (n, length, channels); n is at least 1."""
        mean = signals.mean(axis=0, dtype=np.float64)
        spread = np.sqrt(np.mean((signals - mean) ** 2, axis=(0, 1))).astype(np.float32)
        return cls(mean.astype(np.float32), np.where(spread > _LEAST_SPREAD, spread, np.float32(1)))

    def relative(self, signals: _Floats) -> _Floats:
        """Return examples, shape (n, length, channels), as differences from the baseline in units of its spread."""
        return np.asarray((signals - self.mean) / self.spread, np.float32)


def baselines_of(signals: _Floats, people: _Texts) -> dict[str, Baseline]:
    """Return everybody's baseline: of examples, shape (n, length, channels), and whose each is, shape (n,)."""
    return {str(person): Baseline.of(signals[people == person]) for person in np.unique(people)}


def beside_baselines(signals: _Floats, people: _Texts, baselines: Mapping[str, Baseline]) -> _Floats:
    """Return every example beside the baseline of its own person.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, length, channels)
    people : ndarray of str, shape (n,)
        Whose each example is.
    baselines : mapping of str to Baseline
        Of everybody in `people`.

    Returns
    -------
    ndarray of float32, shape (n, length, channels)
        Without a unit. Over the examples that made a baseline the mean is 0 at every moment of every channel, and the root
        mean square of a channel is 1 (0 where all examples are the same).

    Examples
    --------
    >>> signals = np.array([0, 2, 10, 30], np.float32).reshape(4, 1, 1)
    >>> people = np.array(["ann", "ann", "bob", "bob"])
    >>> beside_baselines(signals, people, baselines_of(signals, people)).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    found = np.empty_like(signals)
    for person in np.unique(people):
        own = people == person
        found[own] = baselines[str(person)].relative(signals[own])
    return found
