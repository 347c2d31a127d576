"""Gated recurrent units over the samples of an example."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ml.models.network import NetworkClassifier
from ml.models.parameters import Real, Whole, parameter


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

    def module(self, channels: int, labels: int) -> nn.Module:
        width = channels * self.samples_per_step
        recurrence = Recurrence(width, labels, hidden=self.hidden, layers=self.layers, dropout=self.dropout)
        return nn.Sequential(Together(self.samples_per_step), recurrence)

    def shortest(self) -> int:
        return self.samples_per_step


class Together(nn.Module):
    """Put a few neighbouring samples into one step: (batch, length, channels) in, (batch, steps, samples × channels) out."""

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.samples = samples

    def forward(self, signals: Tensor) -> Tensor:
        whole = signals[:, signals.shape[1] % self.samples :]
        return whole.reshape(len(whole), -1, self.samples * whole.shape[2])


class Recurrence(nn.Module):
    """GRU, the mean and the largest value of each state over time, dense layer."""

    def __init__(self, channels: int, labels: int, *, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(2 * hidden, labels)

    def forward(self, sequence: Tensor) -> Tensor:
        states, _ = self.gru(sequence)
        pooled = torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1)
        logits: Tensor = self.dense(self.dropout(pooled))
        return logits
