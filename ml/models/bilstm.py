"""Stacked bidirectional long short-term memory, as in Bartkowiak's "Fitness activity classification with LSTMs" and in
Ogata, Simo-Serra, Iizuka and Ishikawa, "Temporal Distance Matrices for Squat Classification" (CVPR Workshops 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ml.models.network import Features, NetworkClassifier
from ml.models.parameters import OneOf, Real, Whole, parameter


@dataclass(kw_only=True, eq=False, repr=False)
class BiLstm(NetworkClassifier):
    """A recurrent network that reads an example forwards and backwards.

    Parameters
    ----------
    hidden : int
        Units of a layer, in each direction.
    layers : int
    merge : {"concat", "sum"}
        How both directions of a layer go on: side by side, or added.

    Other parameters are those of `NetworkClassifier`.
    """

    learning_rate: float = parameter(0.005, Real(1e-6, 1))
    epochs: int = parameter(40, Whole(1, 10_000))
    patience: int = parameter(10, Whole(1, 10_000))
    hidden: int = parameter(50, Whole(1, 2048))
    layers: int = parameter(2, Whole(1, 4))
    merge: str = parameter("concat", OneOf(("concat", "sum")))

    def features(self, channels: int, length: int) -> Features:
        return BothWays(self, channels)


class BothWays(Features):
    """Layers of LSTM in both directions, dropout between them, the mean and the largest value of each state over time."""

    def __init__(self, family: BiLstm, channels: int) -> None:
        super().__init__()
        self.added = family.merge == "sum"
        merged = family.hidden if self.added else 2 * family.hidden
        widths = [channels, *[merged] * (family.layers - 1)]
        self.layers = nn.ModuleList(nn.LSTM(width, family.hidden, batch_first=True, bidirectional=True) for width in widths)
        self.dropout = nn.Dropout(family.dropout)
        self.width = 2 * merged

    def forward(self, signals: Tensor) -> Tensor:
        states = signals
        for number, layer in enumerate(self.layers):
            states, _ = layer(self.dropout(states) if number else states)
            if self.added:
                states = sum(states.chunk(2, dim=2))
        return torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1)
