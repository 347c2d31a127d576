"""What every family asks of the examples it is given, and which of them it holds out to stop early or to calibrate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ORDERS_TRIED = 32


def checked_signals(signals: npt.NDArray[np.float32], *, channels: int | None = None) -> npt.NDArray[np.float32]:
    """Return signals as contiguous float32, shape (n, length, channels).

    Parameters
    ----------
    signals : array, shape (n, length, channels)
    channels : int, optional
        What an estimator was fitted on.

    Raises
    ------
    ValueError
        Another shape, another number of channels, or a value that is no finite number.
    """
    signals = np.ascontiguousarray(signals, dtype=np.float32)
    if signals.ndim != 3:
        raise ValueError(f"signals have shape {signals.shape}; allowed: (examples, length, channels)")
    if channels is not None and signals.shape[2] != channels:
        raise ValueError(f"signals have {signals.shape[2]} channels; the model was fitted on {channels}")
    if not np.isfinite(signals).all():
        raise ValueError("signals hold values that are no finite numbers")
    return signals


def checked_examples(
    signals: npt.NDArray[np.float32], labels: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.str_]]:
    """Return signals and labels for a fit.

    Raises
    ------
    ValueError
        As `checked_signals`; also if labels are not one per example, or fewer than two different ones.
    """
    signals, labels = checked_signals(signals), np.asarray(labels, dtype=np.str_)
    if labels.shape != (len(signals),):
        raise ValueError(f"{labels.shape} labels for {len(signals)} examples; allowed: one for each")
    if len(np.unique(labels)) < 2:
        raise ValueError("all examples have the same label; a classifier needs at least two")
    return signals, labels


def held_out(
    target: npt.NDArray[np.int64], groups: npt.NDArray[np.str_] | None, *, share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Choose the examples of about `share` of the groups, such that every label is left on the other side.

    Parameters
    ----------
    target : ndarray of int64, shape (n,)
        Labels as numbers from 0.
    groups : ndarray of str, shape (n,), optional
        Whole groups are chosen. Without groups, or with a single one, every example is its own.
    share : float
    seed : int

    Returns
    -------
    ndarray of bool, shape (n,)
        All False where no choice leaves every label on the other side.
    """
    if groups is None or len(np.unique(groups)) < 2:
        groups = np.arange(len(target)).astype(np.str_)
    _, group = np.unique(groups, return_inverse=True)
    counts = np.zeros((group.max() + 1, target.max() + 1), dtype=np.int64)
    np.add.at(counts, (group, target), 1)
    chosen = _best_choice(counts, share, np.random.default_rng(seed)) if share > 0 else np.zeros(len(counts), dtype=np.bool_)
    return np.asarray(chosen[group])


def _best_choice(counts: npt.NDArray[np.int64], share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    best, best_cost = np.zeros(len(counts), dtype=np.bool_), np.inf
    wanted = share * counts.sum()
    for _ in range(_ORDERS_TRIED):
        order = random.permutation(len(counts))
        taken = max(1, int(np.searchsorted(counts.sum(axis=1)[order].cumsum(), wanted, side="right")))
        chosen = np.zeros(len(counts), dtype=np.bool_)
        chosen[order[:taken]] = True
        if not counts[~chosen].sum(axis=0).all():
            continue
        missing = np.count_nonzero(counts[chosen].sum(axis=0) == 0)
        cost = missing + abs(counts[chosen].sum() - wanted) / counts.sum()
        if cost < best_cost:
            best, best_cost = chosen, cost
    return best
