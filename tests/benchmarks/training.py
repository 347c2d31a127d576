"""Speed of a training step: one epoch of the CNN-GRU family beside the same layers under a stock DataLoader over a list.

10,000 examples of 100 samples and 9 channels, batches of 128, AdamW, one thread. The peers have torch's own `nn.GRU` and
`nn.MaxPool1d` with the very weights that ours starts from, and differ in what the list holds: plain numbers, as a file of rows
is read, or an array an example, which leaves the loader little to do. Time is processor time, so that neighbours on the machine
do not count; all take turns, and the least of three runs stands for each.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ml.models import create
from ml.models import loop as training_loop
from ml.models.cnn import LargerOfTwo
from ml.models.loop import Examples, LoopSettings, learn
from ml.models.network import repeatable

_EXAMPLES, _LENGTH, _CHANNELS, _LABELS = 10_000, 100, 9, 6
_BATCH, _REPEATS = 128, 3
_LEAST_FACTOR, _MOST_OUTSIDE = 2.0, 10.0


def run() -> list[dict[str, object]]:
    """Measure one epoch of each, and how much of ours is spent outside the model."""
    random = np.random.default_rng(0)
    signals = random.normal(size=(_EXAMPLES, _LENGTH, _CHANNELS)).astype(np.float32)
    target = random.integers(0, _LABELS, _EXAMPLES)
    labels = target.tolist()
    peers = {
        "a list of numbers": _List([(rows, label) for rows, label in zip(signals.tolist(), labels, strict=True)]),
        "a list of arrays": _List(list(zip(signals, labels, strict=True))),
    }
    ours, outside, stock = [], [], {name: [] for name in peers}
    with repeatable(0):
        for _ in range(_REPEATS):
            seconds, share = _our_epoch(signals, target)
            ours.append(seconds)
            outside.append(share)
            for name, examples in peers.items():
                stock[name].append(_stock_epoch(examples))
    return [
        {"figure": "CNN-GRU, one epoch of 10,000 × 100 × 9", "value": min(ours), "unit": "s"},
        *(_faster(name, min(seconds) / min(ours), min(seconds)) for name, seconds in stock.items()),
        {
            "figure": "training time outside the model",
            "value": min(outside),
            "unit": "%",
            "target": f"at most {_MOST_OUTSIDE:g}",
            "met": min(outside) <= _MOST_OUTSIDE,
            "note": "all but forward, loss, backward and optimiser",
        },
    ]


def _faster(name: str, factor: float, seconds: float) -> dict[str, object]:
    return {
        "figure": f"times as fast as a stock DataLoader over {name}",
        "value": factor,
        "unit": "×",
        "target": f"at least {_LEAST_FACTOR:g}",
        "met": factor >= _LEAST_FACTOR,
        "peer": f"stock {seconds:.2f} s",
    }


def _layers() -> nn.Sequential:
    torch.manual_seed(0)
    layers: nn.Sequential = create("cnn_gru").module(_CHANNELS, _LENGTH, _LABELS)
    return layers


def _our_epoch(signals: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    settings = LoopSettings(
        optimiser="adamw",
        learning_rate=0.003,
        weight_decay=0.01,
        schedule="constant",
        epochs=1,
        patience=1,
        batch_size=_BATCH,
        label_smoothing=0.0,
        mixup=0.0,
        seed=0,
    )
    module, inside = _layers(), []
    started = time.process_time()
    taught = Examples(torch.from_numpy(signals), torch.from_numpy(target))
    with patch.object(training_loop, "step", _timed(training_loop.step, inside)):
        learn(module, taught, settings, class_weights=None)
    seconds = time.process_time() - started
    return seconds, 100 * (1 - sum(inside) / seconds)


def _timed(step: object, inside: list[float]) -> object:
    def timed(*arguments: object) -> object:
        started = time.process_time()
        result = step(*arguments)  # type: ignore[operator]
        inside.append(time.process_time() - started)
        return result

    return timed


class _StockRecurrence(nn.Module):
    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        self.gru = gru

    def forward(self, sequence: Tensor) -> Tensor:
        states, _ = self.gru(sequence.transpose(1, 2))
        return torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1)


class _TimeLast(nn.Module):
    def forward(self, signals: Tensor) -> Tensor:
        return signals.transpose(1, 2)


def _stock_layers() -> nn.Sequential:
    ours = _layers()
    convolutions = [nn.MaxPool1d(2) if isinstance(layer, LargerOfTwo) else layer for layer in ours.features.convolutions]
    recurrence = _StockRecurrence(ours.features.recurrence.gru)
    parts = [("time_last", _TimeLast()), ("convolutions", nn.Sequential(*convolutions)), ("recurrence", recurrence)]
    return nn.Sequential(OrderedDict([*parts, ("head", ours.head)]))


class _List(Dataset):
    def __init__(self, examples: list[tuple[object, int]]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        signal, label = self.examples[row]
        return torch.as_tensor(signal), label


def _stock_epoch(examples: _List) -> float:
    module, criterion = _stock_layers().train(), nn.CrossEntropyLoss()
    started = time.process_time()
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.003, weight_decay=0.01)
    for batch, labels in DataLoader(examples, batch_size=_BATCH, shuffle=True):
        optimiser.zero_grad()
        criterion(module(batch), labels).backward()
        optimiser.step()
    return time.process_time() - started
