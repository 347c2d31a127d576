"""What the neural families share: a scikit-learn estimator around torch layers, repeatable on a CPU.

Belongs here: standardisation, the held-out groups of early stopping, seeds, several members that answer together, weights
in and out. The loop is in `loop`, the layers are in each family's module. Importing this module imports torch, so only the
registry of families does, when a family is asked for.
"""

from __future__ import annotations

import copy
import os
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.utils import deterministic as memory

from ml.models.estimator import LabelClassifier
from ml.models.loop import OPTIMISERS, SCHEDULES, Examples, LoopSettings, learn, outputs
from ml.models.parameters import OneOf, Real, Whole, check_parameters, parameter
from ml.models.signals import checked_examples, checked_signals, held_out
from warehouse.errors import Reason, StudyError

# cuBLAS is repeatable only with a fixed workspace, and reads this when a GPU is first used.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

#: The order of additions, and with it the last bits of a result, depends on how many threads share the work. Several
#: threads gain a third on an idle machine and lose tenfold on a busy one, where they wait for each other at every layer.
_THREADS = 1
#: The part of a network that is carried to another task; the rest is its head.
FEATURES = "features"

_Signals = npt.NDArray[np.float32]
_Texts = npt.NDArray[np.str_]
_Weights = Mapping[str, npt.NDArray[Any]]


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Seed torch, ask it for deterministic kernels on one thread, and leave everything as it was found."""
    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    filled = memory.fill_uninitialized_memory  # type: ignore[attr-defined]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        # Nothing here reads memory before it is written; filling it costs a tenth of a training step.
        memory.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.set_num_threads(_THREADS)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)
            memory.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
            torch.set_num_threads(threads)


class Features(nn.Module):
    """Layers that make one vector of an example: (batch, length, channels) in, (batch, `width`) out."""

    width: int


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkClassifier(LabelClassifier):
    """A neural network that tells labels from signals of fixed length.

    Channels are standardised by the training examples. A share of the groups is held out of the training examples to stop
    early; the weights of the best epoch are kept.

    Parameters
    ----------
    optimiser : {"adamw", "adam", "rmsprop"}
    learning_rate : float
        Highest step size.
    schedule : {"cosine", "plateau", "constant"}
        The step size falls along a half cosine over all epochs, or to a tenth when the held-out loss gets no better, or
        never.
    weight_decay : float
    dropout : float
    label_smoothing : float
        Share of the certainty that is spread over all labels.
    class_weights : {"balanced", "none"}
        Labels weigh by the inverse of how often they occur, or alike.
    mixup : float
        Both parameters of the Beta distribution that pairs of examples are laid over each other with; 0: not at all.
    batch_size : int or None
        Most examples in a batch; None takes a twelfth of the training examples, but at least 16 and at most 128.
    epochs : int
        Most passes over the training examples.
    patience : int
        Epochs without a better loss on the held-out groups before training stops.
    validation : float
        Share of the groups held out for that; 0 trains for all epochs on everything.
    members : int
        Networks that are trained from different seeds, each with held-out groups of its own; their probabilities are
        averaged.
    device : {"auto", "cpu", "cuda"}
        Auto takes a GPU where there is one. Results repeat to the last bit on one kind of device only.
    random_state : int

    Attributes
    ----------
    classes_ : ndarray of str
    mean_, scale_ : ndarray of float32, shape (members, channels)
        In the channel's unit.
    modules_ : list of Module
        One a member: `features`, then `head`.
    curves_ : list of list of dict
        For each member what every epoch came to; see `ml.models.loop.Epoch`.
    """

    optimiser: str = parameter("adamw", OneOf(OPTIMISERS))
    learning_rate: float = parameter(0.003, Real(1e-6, 1))
    schedule: str = parameter("cosine", OneOf(SCHEDULES))
    weight_decay: float = parameter(0.01, Real(0, 1))
    dropout: float = parameter(0.3, Real(0, 0.95))
    label_smoothing: float = parameter(0.0, Real(0, 0.9))
    class_weights: str = parameter("balanced", OneOf(("balanced", "none")))
    mixup: float = parameter(0.0, Real(0, 10))
    batch_size: int | None = parameter(None, Whole(2, 65_536, or_none=True))
    epochs: int = parameter(30, Whole(1, 10_000))
    patience: int = parameter(6, Whole(1, 10_000))
    validation: float = parameter(0.2, Real(0, 0.5))
    members: int = parameter(1, Whole(1, 100))
    device: str = parameter("auto", OneOf(("auto", "cpu", "cuda")))
    random_state: int = parameter(0, Whole(0, 2**31))

    @abstractmethod
    def features(self, channels: int, length: int) -> Features:
        """Return the untrained layers that make one vector of an example."""

    def head(self, width: int, labels: int) -> nn.Module:
        """Return the untrained layers from that vector, (batch, width), to logits, (batch, labels)."""
        return nn.Sequential(nn.Dropout(self.dropout), nn.Linear(width, labels))

    def shortest(self) -> int:
        """Return the fewest samples that an example must have to pass the layers."""
        return 1

    def standardisation(self, taught: _Signals) -> tuple[_Signals, _Signals]:
        """Return the mean and the scale of each channel, shape (channels,), by which examples are standardised."""
        return taught.mean(axis=(0, 1)), np.maximum(taught.std(axis=(0, 1)), np.float32(1e-6))

    def module(self, channels: int, length: int, labels: int) -> nn.Sequential:
        """Return all untrained layers: (batch, length, channels) float32 in, (batch, labels) logits out."""
        features = self.features(channels, length)
        return nn.Sequential(OrderedDict([(FEATURES, features), ("head", self.head(features.width, labels))]))

    def fit(
        self,
        signals: _Signals,
        labels: _Texts,
        groups: _Texts | None = None,
        *,
        carried: _Weights | None = None,
        watched: tuple[_Signals, _Texts] | None = None,
    ) -> Self:
        """Train.

        Parameters
        ----------
        signals : ndarray of float32, shape (n, length, channels)
        labels : ndarray of str, shape (n,)
        groups : ndarray of str, shape (n,), optional
            What must not be on both sides of early stopping, such as participants.
        carried : mapping of str to ndarray, optional
            Feature layers to start from, as `feature_weights` of an estimator of the same layers gave them.
        watched : (signals, labels), optional
            Scored after every epoch for `curves_`, and steering nothing; labels not in `labels` count as mistakes.

        Raises
        ------
        StudyError
            A parameter is outside what is allowed, the layers do not fit the examples' length, or what is carried does not
            fit the layers.
        """
        check_parameters(type(self), self.get_params())
        signals, labels = checked_examples(signals, labels)
        self._check_length(signals.shape[1])
        self.classes_, target = np.unique(labels, return_inverse=True)
        self.n_length_, self.n_channels_ = signals.shape[1:]
        numbers = None if watched is None else (checked_signals(watched[0]), _numbered(watched[1], self.classes_))
        self.modules_: list[nn.Module] = []
        self.curves_: list[list[dict[str, Any]]] = []
        self.mean_ = np.empty((self.members, self.n_channels_), np.float32)
        self.scale_ = np.empty_like(self.mean_)
        for member in range(self.members):
            valid = held_out(target, groups, share=self.validation, seed=self.random_state + member)
            self._fit_member(member, (signals, target), valid, carried, numbers)
        return self

    def predict_proba(self, signals: _Signals) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, len(classes_)), each row summing to 1."""
        logits = self._outputs(signals, whole=True)
        return np.asarray(torch.softmax(logits.double(), dim=2).mean(dim=0).cpu().numpy())

    def embed(self, signals: _Signals) -> npt.NDArray[np.float32]:
        """Return the vectors that the feature layers of the first member make, shape (n, width)."""
        return np.asarray(self._outputs(signals, whole=False)[0].cpu().numpy())

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything learned as named arrays: the layers' state, and the standardisation."""
        check_is_fitted(self, "modules_")
        state = {
            f"module.{member}.{name}": tensor.cpu().numpy()
            for member, module in enumerate(self.modules_)
            for name, tensor in module.state_dict().items()
        }
        return {**state, "mean": self.mean_, "scale": self.scale_, "length": np.array([self.n_length_], np.int64)}

    def feature_weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state of the first member's feature layers, to be carried to another task."""
        check_is_fitted(self, "modules_")
        state = self.modules_[0].get_submodule(FEATURES).state_dict()
        return {name: tensor.cpu().numpy().copy() for name, tensor in state.items()}

    def with_features(self, carried: _Weights) -> Self:
        """Return a fitted copy whose first member has other feature layers: what `embed` made before anything was learnt."""
        check_is_fitted(self, "modules_")
        other = copy.deepcopy(self)
        _carry(other.modules_[0], carried)
        return other

    def restore(self, classes: _Texts, weights: _Weights) -> Self:
        """Become the fitted estimator that `weights` were taken from.

        Raises
        ------
        RuntimeError
            If the arrays do not fit the layers that the parameters describe.
        """
        self.classes_, self.mean_, self.scale_ = classes, weights["mean"], weights["scale"]
        self.n_length_, self.n_channels_ = int(weights["length"][0]), self.mean_.shape[1]
        self.modules_ = []
        for member in range(self.members):
            start = f"module.{member}."
            state = {name.removeprefix(start): array for name, array in weights.items() if name.startswith(start)}
            with repeatable(self.random_state):
                module = self.module(self.n_channels_, self.n_length_, len(classes))
            module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
            self.modules_.append(module.to(self._device()))
        return self

    @property
    def parameters_count_(self) -> int:
        """How many numbers are learned."""
        check_is_fitted(self, "modules_")
        return sum(tensor.numel() for module in self.modules_ for tensor in module.parameters())

    def _fit_member(
        self,
        member: int,
        examples: tuple[_Signals, npt.NDArray[np.int64]],
        valid: npt.NDArray[np.bool_],
        carried: _Weights | None,
        watched: tuple[_Signals, npt.NDArray[np.int64]] | None,
    ) -> None:
        signals, target = examples
        taught = signals[~valid] if valid.any() else signals
        self.mean_[member], self.scale_[member] = self.standardisation(taught)
        with repeatable(self.random_state + member):
            module = self.module(self.n_channels_, self.n_length_, len(self.classes_))
            if carried is not None:
                _carry(module, carried)
            curve = learn(
                module.to(self._device()),
                self._examples(taught, target[~valid], member),
                self._settings(len(taught), member),
                class_weights=self._class_weights(target[~valid]),
                valid=self._examples(signals[valid], target[valid], member) if valid.any() else None,
                watched=None if watched is None else self._examples(*watched, member),
            )
        self.modules_.append(module.eval())
        self.curves_.append([asdict(epoch) for epoch in curve])

    def _settings(self, taught: int, member: int) -> LoopSettings:
        return LoopSettings(
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            epochs=self.epochs,
            patience=self.patience,
            batch_size=self.batch_size or min(128, max(16, taught // 12)),
            label_smoothing=self.label_smoothing,
            mixup=self.mixup,
            seed=self.random_state + member,
        )

    def _class_weights(self, target: npt.NDArray[np.int64]) -> Tensor | None:
        if self.class_weights == "none":
            return None
        counts = np.bincount(target, minlength=len(self.classes_))
        weights = len(target) / (len(counts) * np.maximum(counts, 1))
        return torch.from_numpy(weights.astype(np.float32)).to(self._device())

    def _examples(self, signals: _Signals, target: npt.NDArray[np.int64], member: int) -> Examples:
        return Examples(self._standardised(signals, member), torch.from_numpy(target.astype(np.int64)).to(self._device()))

    def _standardised(self, signals: _Signals, member: int) -> Tensor:
        standardised = (signals - self.mean_[member]) / self.scale_[member]
        return torch.from_numpy(standardised).to(self._device())

    def _outputs(self, signals: _Signals, *, whole: bool) -> Tensor:
        check_is_fitted(self, "modules_")
        signals = checked_signals(signals, channels=self.n_channels_)
        if signals.shape[1] != self.n_length_:
            raise ValueError(f"signals have {signals.shape[1]} samples; the model was fitted on {self.n_length_}")
        with repeatable(self.random_state):
            found = [
                outputs(module if whole else module.get_submodule(FEATURES), self._standardised(signals, member))
                for member, module in enumerate(self.modules_)
            ]
        return torch.stack(found)

    def _device(self) -> str:
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

    def _check_length(self, length: int) -> None:
        if length < self.shortest():
            sentence = f"examples have {length} samples, and these layers need at least {self.shortest()}"
            raise StudyError(Reason("example_too_short", sentence, remedy="lower kernel or layers, or raise segment.length"))


def _numbered(labels: _Texts, classes: _Texts) -> npt.NDArray[np.int64]:
    """Labels as numbers; -1, which no answer equals, for one that no example taught."""
    found = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.asarray(np.where(classes[found] == labels, found, -1), dtype=np.int64)


def _carry(module: nn.Module, carried: _Weights) -> None:
    features = module.get_submodule(FEATURES)
    state = {name: torch.from_numpy(np.array(array)) for name, array in carried.items()}
    try:
        features.load_state_dict(state)
    except RuntimeError as error:
        sentence = "the feature layers that were learnt elsewhere do not fit: both tasks need the same number of channels"
        remedy = "give both tasks the same number of channels, the same segment.length and the same layers"
        raise StudyError(Reason("carried_misfit", sentence, remedy=remedy)) from error
