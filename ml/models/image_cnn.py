"""Convolutions over an image, as in Zheng and Jiang, "DeepSquat: Analyzing Weightlifting Form with Deep Learning": blocks of two
convolutions, max pooling and dropout, then three dense layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ml.models.loop import OPTIMISERS, SCHEDULES
from ml.models.network import Features, NetworkClassifier
from ml.models.parameters import OneOf, Real, Whole, parameter
from warehouse.errors import Reason, StudyError


@dataclass(kw_only=True, eq=False, repr=False)
class ImageCnn(NetworkClassifier):
    """A convolutional network on images: an example's samples are the rows of its images, its channels the columns.

    All pixels are standardised by one mean and one deviation: a column that is black in every image that taught says
    nothing about how bright it may become.

    Parameters
    ----------
    blocks : int
        Of two convolutions, max pooling by 2 and dropout.
    kernel : int
        Pixels that a filter sees, in each direction.
    filters : int
        Of the first block; each further block has twice as many.
    dense : int
        Units of the two dense layers before the one that answers.
    stacked : int
        Images that lie under one another in an example; what the convolutions find in them is averaged.
    shrink : int
        Pixels in each direction of which the mean is taken first; 1 leaves the image as it is.

    Other parameters are those of `NetworkClassifier`.
    """

    optimiser: str = parameter("adam", OneOf(OPTIMISERS))
    learning_rate: float = parameter(1e-5, Real(1e-6, 1))
    schedule: str = parameter("constant", OneOf(SCHEDULES))
    weight_decay: float = parameter(2e-6, Real(0, 1))
    dropout: float = parameter(0.25, Real(0, 0.95))
    epochs: int = parameter(500, Whole(1, 10_000))
    patience: int = parameter(50, Whole(1, 10_000))
    blocks: int = parameter(4, Whole(1, 6))
    kernel: int = parameter(3, Whole(2, 7))
    filters: int = parameter(16, Whole(1, 256))
    dense: int = parameter(128, Whole(1, 4096))
    stacked: int = parameter(1, Whole(1, 100))
    shrink: int = parameter(1, Whole(1, 8))

    def features(self, channels: int, length: int) -> Features:
        if channels < self._smallest():
            sentence = f"images are {channels} pixels wide, and these layers need at least {self._smallest()}"
            raise StudyError(Reason("example_too_short", sentence, remedy="lower blocks or shrink"))
        if length % self.stacked:
            sentence = f"examples have {length} rows, which are no {self.stacked} images of one size"
            raise StudyError(Reason("images_do_not_fit", sentence, remedy="set stacked to the number of images of an example"))
        return Images(self, rows=length // self.stacked, columns=channels)

    def head(self, width: int, labels: int) -> nn.Module:
        # The paper's dropout ends each block; the dense layers have none.
        return nn.Sequential(*_dense(width, self.dense), *_dense(self.dense, self.dense), nn.Linear(self.dense, labels))

    def shortest(self) -> int:
        return self.stacked * self._smallest()

    def standardisation(self, taught: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        mean, scale = taught.mean(dtype=np.float64), taught.std(dtype=np.float64)
        columns = taught.shape[2]
        return np.full(columns, mean, np.float32), np.full(columns, max(scale, 1e-6), np.float32)

    def _smallest(self) -> int:
        return self.shrink * 2**self.blocks


class Images(Features):
    """Blocks of convolutions over one plane, and everything that is left of it as one vector."""

    def __init__(self, family: ImageCnn, *, rows: int, columns: int) -> None:
        super().__init__()
        widths = [1, *(family.filters * 2**block for block in range(family.blocks))]
        blocks = (_block(before, after, family.kernel, family.dropout) for before, after in pairwise(widths))
        self.layers = nn.Sequential(nn.AvgPool2d(family.shrink), *(layer for block in blocks for layer in block), nn.Flatten())
        self.width = self._left(rows, columns)
        self.stacked, self.rows, self.columns = family.stacked, rows, columns

    def forward(self, signals: Tensor) -> Tensor:
        images = signals.reshape(-1, 1, self.rows, self.columns)
        # Channels last: a third faster on a CPU, and the same numbers.
        features: Tensor = self.layers(images.contiguous(memory_format=torch.channels_last))
        return features.reshape(-1, self.stacked, self.width).mean(dim=1)

    @torch.no_grad()
    def _left(self, rows: int, columns: int) -> int:
        return self.layers.eval()(torch.zeros(1, 1, rows, columns)).shape[1]


def _block(before: int, after: int, kernel: int, dropout: float) -> list[nn.Module]:
    # An even kernel has no middle: with half of it as padding the plane grows by a pixel, which pooling takes away again.
    first, second = (nn.Conv2d(width, after, kernel, padding=kernel // 2) for width in (before, after))
    return [first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout)]


def _dense(before: int, after: int) -> list[nn.Module]:
    return [nn.Linear(before, after), nn.ReLU()]
