"""Probabilities from decisions: the softmax over a temperature that fits examples which taught nothing.

Temperature scaling: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (ICML 2017).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_TEMPERATURES = np.geomspace(0.05, 20, 121)


def best_temperature(decision: _Floats, target: npt.NDArray[np.int64]) -> float:
    """Return the temperature with the least log loss.

    Parameters
    ----------
    decision : ndarray of float64, shape (n, labels)
        Higher is more likely.
    target : ndarray of int64, shape (n,)
        Column of the true label.
    """
    logs = [log_softmax(decision / temperature)[np.arange(len(target)), target].mean() for temperature in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmax(logs))])


def log_softmax(decision: _Floats) -> _Floats:
    """Return log probabilities, shape (n, labels)."""
    shifted = decision - decision.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
