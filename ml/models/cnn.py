"""Convolutions over time, pooled to one vector: the fastest neural family."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ml.models.network import NetworkClassifier
from ml.models.parameters import OneOf, Whole, parameter

POOLINGS = ("max", "average")


@dataclass(kw_only=True, eq=False, repr=False)
class Cnn(NetworkClassifier):
    """A convolutional network over time.

    Parameters
    ----------
    kernel : int
        Samples that a filter of one layer sees.
    filters : int
        Filters of the first layer; each further layer has twice as many.
    layers : int
        Convolutions, each followed by batch norm, ReLU and pooling by 2.
    pooling : {"max", "average"}

    Other parameters are those of `NetworkClassifier`.
    """

    kernel: int = parameter(5, Whole(1, 31))
    filters: int = parameter(32, Whole(1, 1024))
    layers: int = parameter(2, Whole(1, 6))
    pooling: str = parameter("max", OneOf(POOLINGS))

    def module(self, channels: int, labels: int) -> nn.Module:
        return ConvolutionOnly(self, channels, labels)

    def shortest(self) -> int:
        return shortest_input(self.kernel, self.layers)


class ConvolutionOnly(nn.Module):
    """Convolutions, the mean and the largest value of each feature over time, dense layer."""

    def __init__(self, family: Cnn, channels: int, labels: int) -> None:
        super().__init__()
        self.convolutions, width = convolutions(channels, family.filters, family.kernel, family.layers, family.pooling)
        self.dropout = nn.Dropout(family.dropout)
        self.dense = nn.Linear(2 * width, labels)

    def forward(self, signals: Tensor) -> Tensor:
        features: Tensor = self.convolutions(signals.transpose(1, 2))
        pooled = torch.cat([features.mean(dim=2), features.amax(dim=2)], dim=1)
        logits: Tensor = self.dense(self.dropout(pooled))
        return logits


def convolutions(channels: int, filters: int, kernel: int, layers: int, pooling: str) -> tuple[nn.Sequential, int]:
    """Return unpadded convolutions over time, (batch, channels, length) in, and how many features come out."""
    pool = nn.MaxPool1d if pooling == "max" else nn.AvgPool1d
    widths = [channels, *(filters * 2**layer for layer in range(layers))]
    blocks: list[nn.Module] = []
    for before, after in pairwise(widths):
        # Without a bias: batch norm takes the mean away again.
        blocks += [nn.Conv1d(before, after, kernel, bias=False), nn.BatchNorm1d(after), nn.ReLU(), pool(2)]
    return nn.Sequential(*blocks), widths[-1]


def shortest_input(kernel: int, layers: int) -> int:
    """Return the fewest samples that leave at least one after `layers` unpadded convolutions pooled by 2.

    Examples
    --------
    >>> shortest_input(kernel=5, layers=2)
    16
    """
    samples = 1
    for _ in range(layers):
        samples = 2 * samples + kernel - 1
    return samples
