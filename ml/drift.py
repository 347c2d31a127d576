"""Drift: how far what a batch delivers lies from what the champion learnt from, feature by feature and label by label.

Belongs here: the population stability index and what it is compared with. Which tables are compared is decided in
`ml.drifting`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ml.preprocessing.features import MotionFeatures

#: The features that are followed, of all that `MotionFeatures` computes: level, spread, reach, speed and rhythm of a channel.
FOLLOWED = ("mean", "std", "minimum", "maximum", "jerk_rms", "dominant_frequency")
#: From here on a population is commonly called shifted.
SHIFTED = 0.25
#: Deciles of the training table, and what lies below and above everything in it.
BINS = 12

_Floats = npt.NDArray[np.floating]
_Texts = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Reference:
    """What a training table was like.

    Parameters
    ----------
    features : tuple of str
        ``<channel>.<feature>``.
    edges : ndarray, shape (features, BINS - 1)
        Smallest value, deciles and largest value of each feature.
    shares : ndarray, shape (features, BINS)
        Share of the training examples between them.
    usual : ndarray, shape (features,)
        Largest index of any one participant of the table against the others: people differ, and that is no drift.
    labels : mapping of str to float
        Share of each label.
    """

    features: tuple[str, ...]
    edges: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    usual: npt.NDArray[np.float64]
    labels: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        arrays = {name: getattr(self, name).tolist() for name in ("edges", "shares", "usual")}
        return {"features": list(self.features), "labels": dict(self.labels), **arrays}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the reference that `to_json` wrote."""
        arrays = {name: np.array(content[name], np.float64) for name in ("edges", "shares", "usual")}
        return cls(features=tuple(content["features"]), labels=dict(content["labels"]), **arrays)


@dataclass(frozen=True)
class Drift:
    """What was found on one batch.

    Parameters
    ----------
    index : mapping of str to float
        Population stability index of every feature.
    limit : mapping of str to float
        `SHIFTED`, or what one participant against the others reaches in the training table, if that is more.
    label_shift : float
        Total variation distance of the label shares, 0 to 1.
    examples : int
    """

    index: Mapping[str, float]
    limit: Mapping[str, float]
    label_shift: float
    examples: int

    @property
    def shifted(self) -> tuple[str, ...]:
        """Features beyond their limit, the farthest first."""
        beyond = [name for name, value in self.index.items() if value > self.limit[name]]
        return tuple(sorted(beyond, key=lambda name: self.limit[name] - self.index[name]))


def reference(signals: npt.NDArray[np.float32], *, channels: Sequence[str], labels: _Texts, participants: _Texts) -> Reference:
    """Summarise a training table.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, length, channels)
        Its originals, without altered copies.
    channels : sequence of str
    labels, participants : ndarray of str, shape (n,)
    """
    names, values = _followed(signals, channels)
    edges = np.quantile(values, np.linspace(0, 1, BINS - 1), axis=0).T.astype(np.float64)
    edges[:, 0] = np.nextafter(edges[:, 0], -np.inf)  # a bin has its upper edge
    counts = _counts(values, edges)
    people = np.unique(participants)
    usual = np.zeros(len(names))
    for person in people if len(people) > 1 else ():
        own = _counts(values[participants == person], edges)
        usual = np.maximum(usual, stability_index(counts - own, own))
    share = {str(label): float((labels == label).mean()) for label in np.unique(labels)}
    return Reference(names, edges, counts / len(values), usual, share)


def drift(known: Reference, signals: npt.NDArray[np.float32], *, channels: Sequence[str], labels: _Texts) -> Drift:
    """Hold a batch's examples against a training table.

    Parameters
    ----------
    known : Reference
    signals : ndarray of float32, shape (n, length, channels)
        With at least one example.
    channels : sequence of str
        Those of the reference.
    labels : ndarray of str, shape (n,)
    """
    names, values = _followed(signals, channels)
    index = stability_index(known.shares * len(values), _counts(values, known.edges))
    limits = np.maximum(SHIFTED, known.usual)
    share = {str(label): float((labels == label).mean()) for label in np.unique(labels)}
    distance = sum(abs(share.get(label, 0) - known.labels.get(label, 0)) for label in share | dict(known.labels)) / 2
    return Drift(
        index=dict(zip(names, index.tolist(), strict=True)),
        limit=dict(zip(names, limits.tolist(), strict=True)),
        label_shift=distance,
        examples=len(values),
    )


def stability_index(expected: _Floats, actual: _Floats) -> npt.NDArray[np.float64]:
    """Population stability index of counts, shape (…, bins): the sum of (a - e) ln(a / e) over the bins' shares.

    Half a reading is added to every bin, so that an empty one is no infinity.

    Examples
    --------
    >>> stability_index(np.array([50, 50]), np.array([50, 50])).item()
    0.0
    >>> round(stability_index(np.array([500, 500]), np.array([900, 100])).item(), 2)
    0.88
    """
    shares = [(counts + 0.5) / (counts + 0.5).sum(axis=-1, keepdims=True) for counts in (expected, actual)]
    found: npt.NDArray[np.float64] = ((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum(axis=-1)
    return found


def _followed(signals: npt.NDArray[np.float32], channels: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    if signals.shape[1] == 1:  # frames have a level, and no course in time
        return tuple(f"{channel}.mean" for channel in channels), signals[:, 0]
    features = MotionFeatures(channels=channels).fit(signals)
    names = features.get_feature_names_out().tolist()
    wanted = [number for number, name in enumerate(names) if "~" not in name and name.rpartition(".")[2] in FOLLOWED]
    return tuple(names[number] for number in wanted), features.transform(signals)[:, wanted]


def _counts(values: _Floats, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values of each feature between its edges, shape (features, BINS)."""
    bins = (values[:, :, np.newaxis] > edges).sum(axis=2)
    return np.stack([np.bincount(of_feature, minlength=BINS) for of_feature in bins.T]).astype(np.float64)
