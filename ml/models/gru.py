"""Gated recurrent units over the samples of an example."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ml.models.network import Features, NetworkClassifier
from ml.models.parameters import Real, Whole, parameter
from ml.models.recurrence import Recurrence


@dataclass(kw_only=True, eq=False, repr=False)
class Gru(NetworkClassifier):
    """A recurrent network.

    Parameters
    ----------
    samples_per_step : int
        Neighbouring samples that one step reads together: fewer steps are faster, and reach further back. What is left
        at the start of an example when its length is no multiple is not read.
    hidden : int
        Units of a layer.
    layers : int

    Other parameters are those of `NetworkClassifier`.
    """

    learning_rate: float = parameter(0.01, Real(1e-6, 1))
    epochs: int = parameter(40, Whole(1, 10_000))
    patience: int = parameter(10, Whole(1, 10_000))
    samples_per_step: int = parameter(4, Whole(1, 100))
    hidden: int = parameter(64, Whole(1, 2048))
    layers: int = parameter(1, Whole(1, 4))

    def features(self, channels: int, length: int) -> Features:
        return Steps(self, channels)

    def shortest(self) -> int:
        return self.samples_per_step


class Steps(Features):
    """A few neighbouring samples in one step, then the recurrence over the steps."""

    def __init__(self, family: Gru, channels: int) -> None:
        super().__init__()
        self.samples = family.samples_per_step
        width = channels * self.samples
        self.recurrence = Recurrence(width, hidden=family.hidden, layers=family.layers, dropout=family.dropout)
        self.width = self.recurrence.width

    def forward(self, signals: Tensor) -> Tensor:
        whole = signals[:, signals.shape[1] % self.samples :]
        steps = torch.cat([whole[:, number :: self.samples] for number in range(self.samples)], dim=2)
        states: Tensor = self.recurrence(steps)
        return states
