"""Telling people apart by how they move: convolutions to a small embedding, two dense layers on it.

After Prabhu, Tietz and Ta, "Classifying humans using deep time-series transfer learning: accelerometric gait-cycles to
gyroscopic squats" (MileTS 2019): the embedding is learnt from walking, say, and carried to another movement and sensor (see
`pretrain` of a task), with new dense layers of 256 and 128, all layers trained with RMSprop, smoothed labels, early stopping
and a step size that falls to a tenth on plateaus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from ml.models.network import Features, NetworkClassifier
from ml.models.parameters import OneOf, Real, Whole, parameter

_HEAD = (256, 128)


@dataclass(kw_only=True, eq=False, repr=False)
class IdentityCnn(NetworkClassifier):
    """A convolutional network with an embedding, which reads one cycle of a movement.

    Parameters
    ----------
    kernel : int
        Samples that a filter of one layer sees.
    filters : int
        Filters of the first layer; each further one has twice as many.
    layers : int
        Convolutions, each followed by batch norm, ReLU and pooling by 2.
    embedding : int
        Numbers that stand for an example.

    Other parameters are those of `NetworkClassifier`.
    """

    optimiser: str = parameter("rmsprop", OneOf(("rmsprop", "adamw", "adam")))
    learning_rate: float = parameter(0.001, Real(1e-6, 1))
    schedule: str = parameter("plateau", OneOf(("plateau", "cosine", "constant")))
    weight_decay: float = parameter(0.0, Real(0, 1))
    dropout: float = parameter(0.25, Real(0, 0.95))
    label_smoothing: float = parameter(0.1, Real(0, 0.9))
    epochs: int = parameter(100, Whole(1, 10_000))
    patience: int = parameter(15, Whole(1, 10_000))
    kernel: int = parameter(5, Whole(1, 31))
    filters: int = parameter(32, Whole(1, 1024))
    layers: int = parameter(3, Whole(1, 6))
    embedding: int = parameter(80, Whole(1, 4096))

    def features(self, channels: int, length: int) -> Features:
        return Embedding(self, channels, length)

    def head(self, width: int, labels: int) -> nn.Module:
        return nn.Sequential(*_dense(width, _HEAD, self.dropout), nn.Linear(_HEAD[-1], labels))

    def shortest(self) -> int:
        return int(2**self.layers)


class Embedding(Features):
    """Padded convolutions, and a dense layer on all that they leave: where in the cycle something happens tells people apart."""

    def __init__(self, family: IdentityCnn, channels: int, length: int) -> None:
        super().__init__()
        self.width = family.embedding
        widths = [channels, *(family.filters * 2**layer for layer in range(family.layers))]
        left = length // 2**family.layers
        self.convolutions = nn.Sequential(
            *(layer for before, after in pairwise(widths) for layer in _block(before, after, family.kernel))
        )
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(widths[-1] * left, family.embedding), nn.ReLU())

    def forward(self, signals: Tensor) -> Tensor:
        embedded: Tensor = self.dense(self.convolutions(signals.transpose(1, 2)))
        return embedded


def _block(before: int, after: int, kernel: int) -> list[nn.Module]:
    convolution = nn.Conv1d(before, after, kernel, padding="same", bias=False)
    return [convolution, nn.BatchNorm1d(after), nn.ReLU(), nn.MaxPool1d(2)]


def _dense(width: int, widths: tuple[int, ...], dropout: float) -> Iterator[nn.Module]:
    for before, after in pairwise([width, *widths]):
        yield from (nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout))
