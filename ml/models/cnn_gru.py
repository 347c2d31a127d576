"""Convolutions, then gated recurrent units: the hybrid of Zhang, Lau and Zhu, "Advanced Exercise Classification with a
Hybrid CNN-GRU Model: Utilising IMU Data from Cell Phones".

As there: convolutions without padding, batch norm, max or average pooling, transposition, GRU, dense layer with softmax.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ml.models.cnn import POOLINGS, convolutions, shortest_input
from ml.models.network import Features, NetworkClassifier
from ml.models.parameters import OneOf, Whole, parameter
from ml.models.recurrence import Recurrence


@dataclass(kw_only=True, eq=False, repr=False)
class CnnGru(NetworkClassifier):
    """The hybrid network.

    Parameters
    ----------
    kernel : int
        Samples that a filter of one layer sees.
    filters : int
        Filters of the first convolution; each further one has twice as many.
    layers : int
        Convolutions, each followed by batch norm, ReLU and pooling by 2.
    pooling : {"max", "average"}
    hidden : int
        Units of the GRU.

    Other parameters are those of `NetworkClassifier`.
    """

    epochs: int = parameter(25, Whole(1, 10_000))
    kernel: int = parameter(5, Whole(1, 31))
    filters: int = parameter(24, Whole(1, 1024))
    layers: int = parameter(2, Whole(1, 6))
    pooling: str = parameter("max", OneOf(POOLINGS))
    hidden: int = parameter(48, Whole(1, 2048))

    def features(self, channels: int, length: int) -> Features:
        return ConvolutionsThenRecurrence(self, channels)

    def shortest(self) -> int:
        return shortest_input(self.kernel, self.layers)


class ConvolutionsThenRecurrence(Features):
    """Unpadded convolutions, GRU over what they leave of time."""

    def __init__(self, family: CnnGru, channels: int) -> None:
        super().__init__()
        self.convolutions, width = convolutions(channels, family.filters, family.kernel, family.layers, family.pooling)
        self.recurrence = Recurrence(width, hidden=family.hidden, layers=1, dropout=family.dropout)
        self.width = self.recurrence.width

    def forward(self, signals: Tensor) -> Tensor:
        features: Tensor = self.convolutions(signals.transpose(1, 2))
        states: Tensor = self.recurrence(features.transpose(1, 2))
        return states
