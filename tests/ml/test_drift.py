"""Drift: found where there is one, and not where only another person of the same kind came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.drift import drift, reference, stability_index

CHANNELS = ["accelerometer.x", "accelerometer.y"]
COUNTS = arrays(np.int64, 10, elements=st.integers(0, 500)).map(lambda counts: counts.astype(float))


def people(seed: int, *, count: int = 8, each: int = 40, level: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Examples of people who differ in level and strength, as people do."""
    random = np.random.default_rng(seed)
    signals, labels, names = [], [], []
    for person in range(count):
        strength = random.uniform(0.8, 1.2)
        own = strength * random.normal(0, 1, (each, 60, 2)) + random.normal(0, 0.3, 2) + level
        signals.append(own)
        labels += ["squat", "lunge"] * (each // 2)
        names += [f"P{seed}{person}"] * each
    return np.concatenate(signals).astype(np.float32), np.array(labels), np.array(names)


def test_new_people_of_the_same_kind_are_no_drift_and_another_mounting_is() -> None:
    signals, labels, names = people(0)
    known = reference(signals, channels=CHANNELS, labels=labels, participants=names)
    same, of_same, _ = people(1)
    assert drift(known, same, channels=CHANNELS, labels=of_same).shifted == ()
    turned, of_turned, _ = people(2, level=9.8)
    found = drift(known, turned, channels=CHANNELS, labels=of_turned)
    assert {"accelerometer.x.mean", "accelerometer.y.mean"} <= set(found.shifted)


def test_labels_that_come_in_other_shares_are_told_apart_from_values_that_changed() -> None:
    signals, labels, names = people(0)
    known = reference(signals, channels=CHANNELS, labels=labels, participants=names)
    only_squats = drift(known, signals, channels=CHANNELS, labels=np.full(len(labels), "squat"))
    assert only_squats.label_shift == pytest.approx(0.5)
    assert only_squats.shifted == ()
    assert drift(known, signals, channels=CHANNELS, labels=np.full(len(labels), "yoga")).label_shift == pytest.approx(1.0)


@given(COUNTS, COUNTS)
def test_the_index_is_never_negative_is_zero_for_equals_and_does_not_care_who_is_first(
    one: np.ndarray, other: np.ndarray
) -> None:
    assert stability_index(one, other) >= 0
    assert stability_index(one, one) == 0
    assert stability_index(one, other) == pytest.approx(stability_index(other, one))
