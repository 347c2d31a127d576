"""A fitted network with its standardisation, members and softmax as one torch module, for runtimes without this project.

Importing this module imports torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Deployed(nn.Module):
    """Signals in SI units, shape (batch, length, channels), to probabilities, shape (batch, labels).

    Parameters
    ----------
    estimator : NetworkClassifier
        Fitted.
    """

    def __init__(self, estimator: Any) -> None:
        super().__init__()
        self.members = nn.ModuleList(module.cpu() for module in estimator.modules_)
        self.register_buffer("mean", torch.from_numpy(estimator.mean_).clone())
        self.register_buffer("scale", torch.from_numpy(estimator.scale_).clone())

    def forward(self, signals: Tensor) -> Tensor:
        """Return the mean of the members' probabilities."""
        mean, scale = self.get_buffer("mean"), self.get_buffer("scale")
        said = [torch.softmax(member((signals - mean[n]) / scale[n]), dim=1) for n, member in enumerate(self.members)]
        return torch.stack(said).mean(dim=0)
