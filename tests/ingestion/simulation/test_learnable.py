"""The cohort is worth learning from: exercises are told apart in people never seen, but not by one number."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from ingestion.simulation import person, simulate_recording
from ingestion.simulation.exercises import EXERCISES


def test_exercises_are_told_in_new_people_but_not_by_a_single_threshold() -> None:
    rows, labels, people = [], [], []
    for number in range(1, 13):
        for exercise in EXERCISES:
            streams = simulate_recording(person(1, number), exercise, seconds=12, rate_hz=50).streams
            signal = np.column_stack((streams["accelerometer"], streams["gyroscope"]))
            for start in (0, 100, 200, 300, 400):
                rows.append(features(signal[start : start + 200]))
                labels.append(exercise)
                people.append(number)
    table, truth = np.array(rows), np.array(labels)
    forest = RandomForestClassifier(60, random_state=0)
    answers = cross_val_predict(forest, table, truth, groups=people, cv=GroupKFold(4))
    assert 0.85 < f1_score(truth, answers, average="macro") < 1.0
    single = [
        f1_score(
            truth, DecisionTreeClassifier(max_leaf_nodes=4, random_state=0).fit(column, truth).predict(column), average="macro"
        )
        for column in np.hsplit(table, table.shape[1])
    ]
    assert max(single) < 0.88


def features(window: np.ndarray) -> np.ndarray:
    """Level, spread, extremes and dominant frequency of every channel and of both vectors' lengths."""
    lengths = [np.linalg.norm(window[:, part], axis=1) for part in (slice(0, 3), slice(3, 6))]
    channels = np.column_stack((window, *lengths))
    spectrum = np.abs(np.fft.rfft(channels - channels.mean(axis=0), axis=0))
    parts = (channels.mean(axis=0), channels.std(axis=0), channels.min(axis=0), channels.max(axis=0), spectrum.argmax(axis=0))
    return np.concatenate(parts)
