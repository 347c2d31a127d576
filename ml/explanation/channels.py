"""Permutation importance of channels: how much worse a model gets when it is given somebody else's channel.

Belongs here: what counts over all examples, for any family. Of very many channels, those that belong together are exchanged
together. What counts within one example is in `ml.explanation.saliency`.
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
#: More channels than that are not exchanged one by one: nobody reads so long a list, and it takes as long as training.
MOST_CHANNELS = 64


@dataclass(frozen=True)
class ChannelImportance:
    """One channel.

    Parameters
    ----------
    channel : str
        As ``<stream>.<axis>``; where there are more than `MOST_CHANNELS`, what several have in common: a stream, or a joint of
        the distances ``<joint>-<joint>``.
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
    groups = _groups(channels)
    drops = np.array(
        [
            [whole - macro_f1_of(labels, estimator.predict(_exchanged(signals, together, random))) for _ in range(REPEATS)]
            for together in groups.values()
        ]
    )
    found = [ChannelImportance(name, float(drop.mean()), float(drop.std())) for name, drop in zip(groups, drops, strict=True)]
    return tuple(sorted(found, key=lambda one: -one.drop))


def _groups(channels: Sequence[str]) -> dict[str, list[int]]:
    """Numbers of the channels that are exchanged together, by what they are called."""
    if len(channels) <= MOST_CHANNELS:
        return {name: [number] for number, name in enumerate(channels)}
    found: dict[str, list[int]] = {}
    for number, name in enumerate(channels):
        for part in name.split("-") if "." not in name else [name.rpartition(".")[0]]:
            found.setdefault(part, []).append(number)
    return found


def _exchanged(signals: npt.NDArray[np.float32], together: list[int], random: np.random.Generator) -> npt.NDArray[np.float32]:
    mixed = signals.copy()
    mixed[:, :, together] = signals[random.permutation(len(signals))][:, :, together]
    return mixed
