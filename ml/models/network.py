"""What the neural families share: a scikit-learn estimator around a torch module, trained by skorch, repeatable on a CPU.

Belongs here: standardisation, the held-out groups of early stopping, seeds, batches. The layers are in `cnn`, `gru`
and `cnn_gru`. Importing this module imports torch, so only the registry of families does, when a family is asked for.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from ml.models.parameters import Real, Whole, check_parameters, parameter
from ml.models.signals import checked_examples, checked_signals, held_out
from warehouse.errors import Reason, StudyError

# cuBLAS is repeatable only with a fixed workspace, and reads this when a GPU is first used.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

#: The order of additions, and with it the last bits of a result, depends on how many threads share the work. Several
#: threads gain a third on an idle machine and lose tenfold on a busy one, where they wait for each other at every layer.
_THREADS = 1
_PREDICT_BATCH = 1024
#: A loss that falls by less is no better: it falls for ever where everything is told apart already.
_BETTER = 0.005

_Weights = Mapping[str, npt.NDArray[Any]]


class Batches:
    """Iterate over a tensor data set in memory by index: no copy of single examples, no worker processes.

    Parameters
    ----------
    dataset : TensorDataset
    batch_size : int
        Most examples of a batch. Batches are of nearly equal size, so that none is left with a single example.
    shuffle : bool
        Draw a new order from torch's generator for every pass.
    """

    def __init__(self, dataset: TensorDataset, batch_size: int, shuffle: bool = False) -> None:
        self.tensors = dataset.tensors
        self.batches = max(1, math.ceil(len(dataset) / batch_size))
        self.shuffle = shuffle

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        count = len(self.tensors[0])
        order = torch.randperm(count) if self.shuffle else torch.arange(count)
        for chosen in order.tensor_split(self.batches):
            rows = chosen.to(self.tensors[0].device)
            yield tuple(tensor[rows] for tensor in self.tensors)


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Seed torch, ask it for deterministic kernels on one thread, and leave everything as it was found."""
    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(_THREADS)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)
            torch.set_num_threads(threads)


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkClassifier(ClassifierMixin, BaseEstimator, ABC):
    """A neural network that tells labels from signals of fixed length.

    Channels are standardised by the training examples. Labels weigh by the inverse of how often they occur. A share of
    the groups is held out of the training examples to stop early; the weights of the best epoch are kept.

    Parameters
    ----------
    learning_rate : float
        Highest step size of AdamW; it falls along a half cosine.
    weight_decay : float
    dropout : float
    batch_size : int or None
        Most examples in a batch; None takes a twelfth of the training examples, but at least 16 and at most 128.
    epochs : int
        Most passes over the training examples.
    patience : int
        Epochs without a better loss on the held-out groups before training stops.
    validation : float
        Share of the groups held out for that; 0 trains for all epochs on everything.
    random_state : int

    Attributes
    ----------
    classes_ : ndarray of str
    mean_, scale_ : ndarray of float32, shape (channels,)
        In the channel's unit.
    net_ : NeuralNetClassifier
    """

    learning_rate: float = parameter(0.003, Real(1e-6, 1))
    weight_decay: float = parameter(0.01, Real(0, 1))
    dropout: float = parameter(0.3, Real(0, 0.95))
    batch_size: int | None = parameter(None, Whole(2, 65_536, or_none=True))
    epochs: int = parameter(30, Whole(1, 10_000))
    patience: int = parameter(6, Whole(1, 10_000))
    validation: float = parameter(0.2, Real(0, 0.5))
    random_state: int = parameter(0, Whole(0, 2**31))

    @abstractmethod
    def module(self, channels: int, labels: int) -> nn.Module:
        """Return the untrained layers: (batch, length, channels) float32 in, (batch, labels) logits out."""

    def shortest(self) -> int:
        """Return the fewest samples that an example must have to pass the layers."""
        return 1

    def fit(
        self, signals: npt.NDArray[np.float32], labels: npt.NDArray[np.str_], groups: npt.NDArray[np.str_] | None = None
    ) -> Self:
        """Train.

        Parameters
        ----------
        signals : ndarray of float32, shape (n, length, channels)
        labels : ndarray of str, shape (n,)
        groups : ndarray of str, shape (n,), optional
            What must not be on both sides of early stopping, such as participants.

        Raises
        ------
        StudyError
            A parameter is outside what is allowed, or the layers do not fit the examples' length.
        """
        check_parameters(type(self), self.get_params())
        signals, labels = checked_examples(signals, labels)
        self._check_length(signals.shape[1])
        self.classes_, target = np.unique(labels, return_inverse=True)
        valid = held_out(target, groups, share=self.validation, seed=self.random_state)
        self.mean_ = signals[~valid].mean(axis=(0, 1))
        self.scale_ = np.maximum(signals[~valid].std(axis=(0, 1)), np.float32(1e-6))
        self.n_channels_ = signals.shape[2]
        weights = _balanced(target[~valid], len(self.classes_))
        with repeatable(self.random_state):
            self.net_ = self._net(weights, self._dataset(signals[valid], target[valid]) if valid.any() else None)
            self.net_.set_params(iterator_train__batch_size=self.batch_size or _fitting_batch(np.count_nonzero(~valid)))
            self.net_.fit(self._dataset(signals[~valid], target[~valid]), None)
        return self

    def predict_proba(self, signals: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, len(classes_)), each row summing to 1."""
        check_is_fitted(self, "net_")
        signals = checked_signals(signals, channels=self.n_channels_)
        self._check_length(signals.shape[1])
        with repeatable(self.random_state):
            found = self.net_.predict_proba(self._dataset(signals, np.zeros(len(signals), dtype=np.int64)))
        return np.asarray(found, dtype=np.float64)

    def predict(self, signals: npt.NDArray[np.float32]) -> npt.NDArray[np.str_]:
        """Return the most probable label of each example."""
        best = self.predict_proba(signals).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything learned as named arrays: the module's state, and the standardisation."""
        check_is_fitted(self, "net_")
        state = {f"module.{name}": tensor.cpu().numpy() for name, tensor in self.net_.module_.state_dict().items()}
        return {**state, "mean": self.mean_, "scale": self.scale_}

    def restore(self, classes: npt.NDArray[np.str_], weights: _Weights) -> Self:
        """Become the fitted estimator that `weights` were taken from.

        Raises
        ------
        RuntimeError
            If the arrays do not fit the layers that the parameters describe.
        """
        self.classes_, self.mean_, self.scale_ = classes, weights["mean"], weights["scale"]
        self.n_channels_ = len(self.mean_)
        with repeatable(self.random_state):
            self.net_ = self._net(np.ones(len(classes), dtype=np.float32), None).initialize()
        state = {name.removeprefix("module."): array for name, array in weights.items() if name.startswith("module.")}
        self.net_.module_.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
        return self

    @property
    def parameters_count_(self) -> int:
        """How many numbers are learned."""
        check_is_fitted(self, "net_")
        return sum(tensor.numel() for tensor in self.net_.module_.parameters())

    def _check_length(self, length: int) -> None:
        if length < self.shortest():
            sentence = f"examples have {length} samples, and these layers need at least {self.shortest()}"
            raise StudyError(Reason("example_too_short", sentence, remedy="lower kernel or layers, or raise segment.length"))

    def _dataset(self, signals: npt.NDArray[np.float32], target: npt.NDArray[np.int64]) -> TensorDataset:
        standardised = torch.from_numpy((signals - self.mean_) / self.scale_)
        return TensorDataset(standardised.to(_device()), torch.from_numpy(target.astype(np.int64)).to(_device()))

    def _net(self, class_weights: npt.NDArray[np.float32], valid: TensorDataset | None) -> NeuralNetClassifier:
        stop = EarlyStopping(patience=self.patience, threshold=_BETTER, threshold_mode="abs", load_best=True, sink=_silent)
        cool = LRScheduler("CosineAnnealingLR", T_max=self.epochs, eta_min=self.learning_rate / 100)
        return NeuralNetClassifier(
            self.module(self.n_channels_, len(self.classes_)),
            criterion=nn.CrossEntropyLoss(weight=torch.from_numpy(class_weights)),
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=self.weight_decay,
            lr=self.learning_rate,
            max_epochs=self.epochs,
            batch_size=_PREDICT_BATCH,
            classes=list(range(len(self.classes_))),
            iterator_train=Batches,
            iterator_train__shuffle=True,
            iterator_valid=Batches,
            train_split=None if valid is None else predefined_split(valid),
            callbacks=[cool] if valid is None else [stop, cool],
            callbacks__valid_acc=None,
            callbacks__print_log=None,
            verbose=0,
            device=_device(),
        )


def _balanced(target: npt.NDArray[np.int64], labels: int) -> npt.NDArray[np.float32]:
    counts = np.bincount(target, minlength=labels)
    return np.asarray(len(target) / (labels * np.maximum(counts, 1)), dtype=np.float32)


def _fitting_batch(examples: int | np.integer[Any]) -> int:
    return int(min(128, max(16, examples // 12)))


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _silent(_message: str) -> None:
    """Take skorch's progress lines: training reports through its own callback."""
