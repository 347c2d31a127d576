"""Convolutions over time, pooled to one vector: the fastest neural family."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ml.models.network import Features, NetworkClassifier
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

    def features(self, channels: int, length: int) -> Features:
        return Convolutions(self, channels)

    def shortest(self) -> int:
        return shortest_input(self.kernel, self.layers)


class Convolutions(Features):
    """Convolutions, the mean and the largest value of each feature over time."""

    def __init__(self, family: Cnn, channels: int) -> None:
        super().__init__()
        self.convolutions, width = convolutions(channels, family.filters, family.kernel, family.layers, family.pooling)
        self.width = 2 * width

    def forward(self, signals: Tensor) -> Tensor:
        features: Tensor = self.convolutions(signals.transpose(1, 2))
        return torch.cat([features.mean(dim=2), features.amax(dim=2)], dim=1)


def convolutions(channels: int, filters: int, kernel: int, layers: int, pooling: str) -> tuple[nn.Sequential, int]:
    """Return unpadded convolutions over time, (batch, channels, length) in, and how many features come out."""
    widths = [channels, *(filters * 2**layer for layer in range(layers))]
    blocks: list[nn.Module] = []
    for before, after in pairwise(widths):
        # Without a bias: batch norm takes the mean away again.
        blocks += [nn.Conv1d(before, after, kernel, bias=False), nn.BatchNorm1d(after), *halving(pooling)]
    return nn.Sequential(*blocks), widths[-1]


def halving(pooling: str) -> list[nn.Module]:
    """Return ReLU and pooling by 2; the largest of two commutes with ReLU, which then has half the work."""
    return [LargerOfTwo(), nn.ReLU()] if pooling == "max" else [nn.ReLU(), nn.AvgPool1d(2)]


class LargerOfTwo(nn.Module):
    """Max pooling by 2 over the last axis, which in training is several times as fast as `nn.MaxPool1d` on a CPU."""

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return nn.functional.max_pool1d(features, 2)
        larger: Tensor = _LargerOfTwo.apply(features)  # type: ignore[no-untyped-call]
        return larger


class _LargerOfTwo(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        half = features.shape[-1] // 2
        first, second = features[..., 0 : 2 * half : 2], features[..., 1 : 2 * half : 2]
        ctx.length = features.shape[-1]
        ctx.save_for_backward(first >= second)
        return torch.maximum(first, second)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (is_first,) = ctx.saved_tensors
        spread = grad.new_zeros(*grad.shape[:-1], ctx.length)
        half = grad.shape[-1]
        first, second = spread[..., 0 : 2 * half : 2], spread[..., 1 : 2 * half : 2]
        torch.mul(grad, is_first, out=first)
        torch.sub(grad, first, out=second)
        return spread


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
