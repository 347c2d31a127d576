"""Residual convolutions over time, as in Ogata, Simo-Serra, Iizuka and Ishikawa, "Temporal Distance Matrices for Squat
Classification" (CVPR Workshops 2019), and in their code: two or four blocks of three convolutions, global average pooling.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ml.models.network import Features, NetworkClassifier
from ml.models.parameters import Real, Whole, parameter


@dataclass(kw_only=True, eq=False, repr=False)
class ResNet1d(NetworkClassifier):
    """A residual network over time.

    Parameters
    ----------
    filters : int
        Of every convolution.
    blocks : int
        Residual blocks; each halves time.
    dropout : float
        Before each convolution of a block but its first.

    Other parameters are those of `NetworkClassifier`.
    """

    learning_rate: float = parameter(0.001, Real(1e-6, 1))
    dropout: float = parameter(0.1, Real(0, 0.95))
    filters: int = parameter(256, Whole(1, 1024))
    blocks: int = parameter(2, Whole(1, 8))

    def features(self, channels: int, length: int) -> Features:
        return Residuals(self, channels)


class Residuals(Features):
    """A convolution that halves time, residual blocks, the mean of each feature over time."""

    def __init__(self, family: ResNet1d, channels: int) -> None:
        super().__init__()
        self.width = family.filters
        blocks = (Block(family.filters, family.dropout) for _ in range(family.blocks))
        self.layers = nn.Sequential(*_convolution(channels, family.filters, stride=2), *blocks)

    def forward(self, signals: Tensor) -> Tensor:
        features: Tensor = self.layers(signals.transpose(1, 2))
        return features.mean(dim=2)


class Block(nn.Module):
    """Three convolutions of width 3, the first of stride 2, beside a convolution of width 1 and stride 2."""

    def __init__(self, filters: int, dropout: float) -> None:
        super().__init__()
        first, second, third = (_convolution(filters, filters, stride=stride) for stride in (2, 1, 1))
        self.path = nn.Sequential(*first, nn.Dropout(dropout), *second, nn.Dropout(dropout), *third)
        self.skip = nn.Conv1d(filters, filters, 1, stride=2)

    def forward(self, features: Tensor) -> Tensor:
        both: Tensor = self.path(features) + self.skip(features)
        return both


def _convolution(before: int, after: int, *, stride: int) -> list[nn.Module]:
    # Without a bias: batch norm takes the mean away again.
    return [nn.Conv1d(before, after, 3, stride=stride, padding=1, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
