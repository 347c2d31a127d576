"""The training loop of the neural families: all examples in memory as one tensor, batches taken from it by index.

Belongs here: passes over the examples, optimisers, schedules and early stopping. Which layers learn, and from which
examples, is in `ml.models.network`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

OPTIMISERS = ("adamw", "adam", "rmsprop")
SCHEDULES = ("cosine", "plateau", "constant")

#: A loss that falls by less is no better: it falls for ever where everything is told apart already.
_BETTER = 0.005
_PREDICT_BATCH = 1024
#: On a plateau the step size falls to a tenth after this part of the patience, so that smaller steps get a chance.
_PLATEAU_SHARE, _PLATEAU_FACTOR = 3, 0.1


class Examples(NamedTuple):
    """Standardised signals, shape (n, length, channels) float32, and labels as numbers, shape (n,) int64."""

    signals: Tensor
    target: Tensor


@dataclass(frozen=True)
class LoopSettings:
    """How to learn; each as in `ml.models.network.NetworkClassifier`."""

    optimiser: str
    learning_rate: float
    weight_decay: float
    schedule: str
    epochs: int
    patience: int
    batch_size: int
    label_smoothing: float
    mixup: float
    seed: int


@dataclass(frozen=True)
class Epoch:
    """What one pass came to.

    Parameters
    ----------
    epoch : int
        From 1.
    learning_rate : float
        Step size of the pass.
    train_loss : float
        Mean over the batches, while they were learnt.
    valid_loss, valid_accuracy : float or None
        On the held-out groups; None where nothing is held out.
    watched_accuracy : float or None
        On examples that are looked at and steer nothing.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    watched_accuracy: float | None = None


def learn(
    module: nn.Module,
    taught: Examples,
    settings: LoopSettings,
    *,
    class_weights: Tensor | None,
    valid: Examples | None = None,
    watched: Examples | None = None,
) -> list[Epoch]:
    """Train layers in place; with held-out examples it ends with the weights of the best epoch.

    Parameters
    ----------
    module : Module
        On the examples' device; logits out.
    taught : Examples
    settings : LoopSettings
    class_weights : Tensor, optional
        Of each label in the loss, shape (labels,).
    valid : Examples, optional
        Decide when to stop and which epoch is kept.
    watched : Examples, optional
        Are scored after every epoch, and steer nothing.

    Returns
    -------
    list of Epoch
    """
    judge = nn.CrossEntropyLoss(weight=class_weights)
    criterion = nn.CrossEntropyLoss(weight=class_weights, label_smoothing=settings.label_smoothing)
    optimiser = _optimiser(module, settings)
    step_size = _schedule(optimiser, settings)
    curve: list[Epoch] = []
    best = _Best(module, settings.patience)
    mix = _mixer(settings)
    for number in range(1, settings.epochs + 1):
        rate = float(optimiser.param_groups[0]["lr"])
        train_loss = _one_pass(module, taught, criterion, optimiser, settings.batch_size, mix)
        epoch = Epoch(number, rate, train_loss, *_judged(module, valid, judge), watched_accuracy=_judged(module, watched)[1])
        curve.append(epoch)
        step_size(train_loss if epoch.valid_loss is None else epoch.valid_loss)
        if epoch.valid_loss is not None and best.is_enough(epoch.valid_loss):
            break
    best.restore()
    return curve


@torch.no_grad()
def outputs(module: nn.Module, signals: Tensor) -> Tensor:
    """Return what layers make of standardised signals, as they answer and not as they learn."""
    module.eval()
    return torch.cat([module(part) for part in torch.split(signals, _PREDICT_BATCH)])


def _one_pass(
    module: nn.Module,
    taught: Examples,
    criterion: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch_size: int,
    mix: Callable[[Examples, nn.Module, nn.Module], Tensor],
) -> float:
    module.train()
    total = torch.zeros((), device=taught.signals.device)
    for batch in _batches(taught, batch_size):
        total += step(batch, module, criterion, optimiser, mix) * len(batch.target)
    return float(total) / len(taught.target)


def step(
    batch: Examples,
    module: nn.Module,
    criterion: nn.Module,
    optimiser: torch.optim.Optimizer,
    loss_of: Callable[[Examples, nn.Module, nn.Module], Tensor],
) -> Tensor:
    """Learn one batch, and return its mean loss."""
    optimiser.zero_grad(set_to_none=True)
    loss = loss_of(batch, module, criterion)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()


def _batches(examples: Examples, batch_size: int) -> Iterator[Examples]:
    """All examples in a new order, in batches of nearly equal size, so that none is left with a single one."""
    count = len(examples.target)
    order = torch.randperm(count).to(examples.target.device)
    for rows in order.tensor_split(max(1, math.ceil(count / batch_size))):
        yield Examples(examples.signals.index_select(0, rows), examples.target.index_select(0, rows))


def _mixer(settings: LoopSettings) -> Callable[[Examples, nn.Module, nn.Module], Tensor]:
    """The loss of a batch: as it is, or of pairs of examples laid over each other (Zhang et al., "mixup", 2018)."""
    random = np.random.default_rng(settings.seed)

    def plain(batch: Examples, module: nn.Module, criterion: nn.Module) -> Tensor:
        loss: Tensor = criterion(module(batch.signals), batch.target)
        return loss

    def mixed(batch: Examples, module: nn.Module, criterion: nn.Module) -> Tensor:
        share = float(random.beta(settings.mixup, settings.mixup))
        other = torch.randperm(len(batch.target)).to(batch.target.device)
        logits = module(torch.lerp(batch.signals[other], batch.signals, share))
        loss: Tensor = share * criterion(logits, batch.target) + (1 - share) * criterion(logits, batch.target[other])
        return loss

    return mixed if settings.mixup > 0 else plain


def _judged(
    module: nn.Module, examples: Examples | None, criterion: nn.Module | None = None
) -> tuple[float | None, float | None]:
    """Loss and accuracy."""
    if examples is None:
        return None, None
    logits = outputs(module, examples.signals)
    accuracy = (logits.argmax(dim=1) == examples.target).float().mean()
    return None if criterion is None else float(criterion(logits, examples.target)), float(accuracy)


def _optimiser(module: nn.Module, settings: LoopSettings) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "rmsprop":
        return torch.optim.RMSprop(module.parameters(), lr=rate, alpha=0.9, weight_decay=decay)
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(module.parameters(), lr=rate, weight_decay=decay, fused=True)


def _schedule(optimiser: torch.optim.Optimizer, settings: LoopSettings) -> Callable[[float], None]:
    if settings.schedule == "constant":
        return lambda _loss: None
    if settings.schedule == "plateau":
        patience = max(1, settings.patience // _PLATEAU_SHARE)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=_PLATEAU_FACTOR, patience=patience, threshold=1e-4, threshold_mode="abs"
        )
        return plateau.step
    lowest = settings.learning_rate / 100
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=settings.epochs, eta_min=lowest)
    return lambda _loss: cosine.step()


class _Best:
    """The weights of the epoch with the least held-out loss, and how long ago that was."""

    def __init__(self, module: nn.Module, patience: int) -> None:
        self.module, self.patience = module, patience
        self.loss, self.since = math.inf, 0
        self.weights: dict[str, Tensor] | None = None

    def is_enough(self, loss: float) -> bool:
        if loss < self.loss - _BETTER or self.weights is None:
            self.loss, self.since = loss, 0
            self.weights = {name: tensor.clone() for name, tensor in self.module.state_dict().items()}
        else:
            self.since += 1
        return self.since >= self.patience

    def restore(self) -> None:
        if self.weights is not None:
            self.module.load_state_dict(self.weights)
