"""Permutation importance of channels: how much worse a model gets when it is given somebody else's channel.

Belongs here: what counts over all examples, for any family. What counts within one example is in `ml.explanation.saliency`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.intervals import macro_f1_of

REPEATS = 5
#: Enough for a stable mean; more cost time and tell nothing new.
MOST_EXAMPLES = 1000


@dataclass(frozen=True)
class ChannelImportance:
    """One channel.

    Parameters
    ----------
    channel : str
        As ``<stream>.<axis>``.
    drop : float
        Macro F1 lost when the channel is exchanged between examples, mean over `REPEATS`; about 0 if it is not used.
    spread : float
        Standard deviation of the repeats.
    """

    channel: str
    drop: float
    spread: float


def channel_importance(
    estimator: Any,
    signals: npt.NDArray[np.float32],
    labels: npt.NDArray[np.str_],
    *,
    channels: Sequence[str],
    seed: int,
) -> tuple[ChannelImportance, ...]:
    """Exchange each channel between examples and measure what that costs.

    Parameters
    ----------
    estimator : Classifier
        Fitted.
    signals : ndarray of float32, shape (n, length, channels)
        Examples that the estimator did not learn from; at most `MOST_EXAMPLES` of them, drawn at random, are used.
    labels : ndarray of str, shape (n,)
    channels : sequence of str
        Their names, in order.
    seed : int

    Returns
    -------
    tuple of ChannelImportance
        Most important first.

    Notes
    -----
    Breiman, Random Forests, Machine Learning 45, 2001. Channels that carry the same information can stand in for each other:
    each may look unimportant alone.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(signals))[:MOST_EXAMPLES])
    signals, labels = signals[chosen], labels[chosen]
    whole = macro_f1_of(labels, estimator.predict(signals))
    drops = np.array(
        [
            [whole - macro_f1_of(labels, estimator.predict(_exchanged(signals, channel, random))) for _ in range(REPEATS)]
            for channel in range(signals.shape[2])
        ]
    )
    found = [ChannelImportance(name, float(drop.mean()), float(drop.std())) for name, drop in zip(channels, drops, strict=True)]
    return tuple(sorted(found, key=lambda one: -one.drop))


def _exchanged(signals: npt.NDArray[np.float32], channel: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    mixed = signals.copy()
    mixed[:, :, channel] = signals[random.permutation(len(signals)), :, channel]
    return mixed
