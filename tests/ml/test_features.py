"""Features: the right number for signals whose answer is known, finite for those that have none."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from ml.preprocessing.features import MotionFeatures


def features_of(signals: np.ndarray, channels: list[str] | None = None) -> dict[str, np.ndarray]:
    transformer = MotionFeatures(channels=channels).fit(signals)
    return dict(zip(transformer.get_feature_names_out(), transformer.transform(signals).T, strict=True))


def test_a_sine_has_its_level_its_frequency_and_its_period() -> None:
    time = np.arange(100) / 100
    sine = (3 + 2 * np.sin(2 * np.pi * 5 * time))[np.newaxis, :, np.newaxis].astype(np.float32)
    found = {name: values[0] for name, values in features_of(sine, ["gyroscope.x"]).items()}
    assert found["gyroscope.x.mean"] == pytest.approx(3, abs=1e-5)
    assert found["gyroscope.x.std"] == pytest.approx(2 / np.sqrt(2), abs=1e-4)
    assert found["gyroscope.x.maximum"] == pytest.approx(5, abs=1e-3)
    assert found["gyroscope.x.rms"] == pytest.approx(np.sqrt(9 + 2), abs=1e-3)
    assert found["gyroscope.x.kurtosis"] == pytest.approx(-1.5, abs=1e-3)
    assert found["gyroscope.x.skewness"] == pytest.approx(0, abs=1e-3)
    assert found["gyroscope.x.zero_crossings"] == 0
    assert found["gyroscope.x.mean_crossings"] == pytest.approx(10 / 99, abs=0.015)
    assert found["gyroscope.x.dominant_frequency"] == 5
    assert found["gyroscope.x.period"] == pytest.approx(0.2, abs=0.011)
    assert found["gyroscope.x.regularity"] > 0.7
    bands = [found[f"gyroscope.x.energy_band_{number}"] for number in range(1, 6)]
    assert sum(bands) == pytest.approx(1, abs=1e-5)
    assert bands[1] > 0.9


def test_noise_has_a_wide_spectrum_and_no_period() -> None:
    noise = np.random.default_rng(0).normal(size=(1, 400, 1)).astype(np.float32)
    found = features_of(noise)
    assert found["channel_0.spectral_entropy"] > 0.85
    assert found["channel_0.regularity"] < 0.3


def test_correlation_tells_together_from_against_each_other() -> None:
    wave = np.sin(np.linspace(0, 20, 80))
    signals = np.stack([wave, 2 * wave + 1, -wave], axis=1)[np.newaxis].astype(np.float32)
    found = features_of(signals, ["a", "b", "c"])
    assert found["a~b.correlation"][0] == pytest.approx(1, abs=1e-4)
    assert found["a~c.correlation"][0] == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("value", [0.0, 9.81, np.nan, np.inf])
def test_constant_and_missing_values_give_finite_features(value: float) -> None:
    signals = np.full((2, 40, 2), value, np.float32)
    signals[1, :, 1] = np.arange(40)
    assert np.isfinite(MotionFeatures().fit_transform(signals)).all()


def test_a_single_missing_value_hardly_moves_the_features() -> None:
    signals = np.random.default_rng(0).normal(5, 1, (1, 200, 1)).astype(np.float32)
    whole = features_of(signals)["channel_0.mean"]
    signals[0, 17] = np.nan
    assert features_of(signals)["channel_0.mean"] == pytest.approx(whole, abs=0.02)


def test_a_row_depends_on_its_own_example_only() -> None:
    signals = np.random.default_rng(0).normal(size=(2100, 30, 2)).astype(np.float32)
    together = MotionFeatures().fit_transform(signals)
    alone = MotionFeatures().fit(signals).transform(signals[2050:2051])
    assert np.allclose(together[2050], alone[0], atol=1e-6)
    assert MotionFeatures().fit(signals).transform(signals[:0]).shape == (0, together.shape[1])


def test_it_is_a_scikit_learn_transformer() -> None:
    time = np.linspace(0, 1, 60)
    signals = np.stack([np.sin(2 * np.pi * (1 + (i % 2) * 9) * time)[:, np.newaxis] for i in range(20)]).astype(np.float32)
    labels = np.array([i % 2 for i in range(20)])
    pipeline = clone(make_pipeline(MotionFeatures(channels=["x"]), DecisionTreeClassifier(random_state=0)))
    assert pipeline.fit(signals[:10], labels[:10]).score(signals[10:], labels[10:]) == 1.0


def test_examples_of_another_shape_are_refused_with_what_is_allowed() -> None:
    signals = np.zeros((2, 40, 3), np.float32)
    with pytest.raises(ValueError, match=r"allowed: \(n, length, channels\)"):
        MotionFeatures().fit(signals[0])
    with pytest.raises(ValueError, match="2 channels, 3 were fitted"):
        MotionFeatures().fit(signals).transform(signals[:, :, :2])
    with pytest.raises(ValueError, match="names 1, the examples have 3"):
        MotionFeatures(channels=["x"]).fit(signals)
