"""Which moments of one example speak for the model's answer, over time and channel.

Belongs here: attribution within an example: integrated gradients for networks, occlusion for every other family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

INTEGRATED_GRADIENTS = "integrated gradients"
OCCLUSION = "occlusion"
_STEPS = 32
_WINDOWS = 20

_Signals = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Saliency:
    """One explained example.

    Parameters
    ----------
    label, predicted : str
    probability : float
        That the model gives to its answer.
    signal : ndarray of float32, shape (length, channels)
        In the streams' SI units.
    attribution : ndarray of float32, shape (length, channels)
        What each point adds to the probability of the answer (occlusion: loses without it); its sum is about the answer's
        probability less the one of an example that is the training mean throughout.
    method : str
    """

    label: str
    predicted: str
    probability: float
    signal: _Signals
    attribution: _Signals
    method: str


def salient(estimator: Any, signals: _Signals, labels: npt.NDArray[np.str_]) -> tuple[Saliency, ...]:
    """Explain some examples.

    Parameters
    ----------
    estimator : Classifier
        Fitted.
    signals : ndarray of float32, shape (n, length, channels)
        The few examples to explain.
    labels : ndarray of str, shape (n,)

    Notes
    -----
    Integrated gradients: Sundararajan, Taly and Yan, ICML 2017, by Captum, from the training mean of every channel as the
    baseline. Occlusion: Zeiler and Fergus, ECCV 2014, a twentieth of the example at a time set to the channel's mean.
    """
    probabilities = estimator.predict_proba(signals)
    answer = probabilities.argmax(axis=1)
    modules: Sequence[Any] | None = getattr(estimator, "modules_", None)
    attributions = _gradients(estimator, signals, answer) if modules else _occlusion(estimator, signals, answer)
    method = INTEGRATED_GRADIENTS if modules else OCCLUSION
    return tuple(
        Saliency(str(label), str(estimator.classes_[best]), float(row[best]), signal, attribution, method)
        for label, best, row, signal, attribution in zip(labels, answer, probabilities, signals, attributions, strict=True)
    )


def _gradients(estimator: Any, signals: _Signals, answer: npt.NDArray[np.int64]) -> _Signals:
    """Mean over the members of an ensemble."""
    import torch
    from captum.attr import IntegratedGradients

    from ml.models.network import repeatable

    total = np.zeros_like(signals)
    target = torch.from_numpy(answer)
    # cuDNN has no gradients of recurrent layers outside training.
    with repeatable(estimator.random_state), torch.backends.cudnn.flags(enabled=False):
        for module, mean, scale in zip(estimator.modules_, estimator.mean_, estimator.scale_, strict=True):
            device = next(module.parameters()).device
            inputs = torch.from_numpy((signals - mean) / scale).to(device)
            explained = IntegratedGradients(lambda batch, layers=module: torch.softmax(layers(batch), dim=1))
            found = explained.attribute(inputs, target=target.to(device), n_steps=_STEPS, internal_batch_size=256)
            total += found.detach().cpu().numpy().astype(np.float32)
    return total / np.float32(len(estimator.modules_))


def _occlusion(estimator: Any, signals: _Signals, answer: npt.NDArray[np.int64]) -> _Signals:
    """All windows of all channels of an example are answered in one call."""
    _, length, channels = signals.shape
    edges = np.linspace(0, length, min(_WINDOWS, length) + 1).astype(int)
    mean = signals.mean(axis=(0, 1))
    found = np.zeros_like(signals)
    for number, signal in enumerate(signals):
        hidden = np.repeat(signal[np.newaxis], (len(edges) - 1) * channels, axis=0)
        cells = [(window, channel) for window in range(len(edges) - 1) for channel in range(channels)]
        for row, (window, channel) in enumerate(cells):
            hidden[row, edges[window] : edges[window + 1], channel] = mean[channel]
        before = estimator.predict_proba(signal[np.newaxis])[0, answer[number]]
        lost = before - estimator.predict_proba(hidden)[:, answer[number]]
        for (window, channel), value in zip(cells, lost, strict=True):
            start, end = edges[window], edges[window + 1]
            found[number, start:end, channel] = value / (end - start)
    return found
