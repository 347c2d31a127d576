"""Exported files answer as the model does, whatever the number of examples, and refuse what has no such form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ml.export import ExportRefused, export
from ml.models import create


def examples(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(count)
    labels = np.array(["a", "b", "c"])[random.integers(0, 3, count)]
    signals = random.normal(0, 1, (count, 60, 4)).astype(np.float32)
    signals[:, :, 0] += 20 * (labels == "a")[:, None]  # far from standardised: the file must do that itself
    return signals, labels


@pytest.mark.parametrize(("family", "parameters"), [("cnn", {}), ("gru", {}), ("cnn_gru", {"members": 2}), ("bilstm", {})])
def test_an_exported_network_gives_the_probabilities_of_the_model(
    family: str, parameters: dict[str, int], tmp_path: Path
) -> None:
    estimator = create(family, {"epochs": 1, **parameters}).fit(*examples(40))
    signals, _ = examples(7)
    whole, small = export(estimator, signals, tmp_path)
    assert whole.difference < 1e-4 and whole.agreement == 1.0
    assert small.agreement > 0.7
    assert whole.bytes == whole.path.stat().st_size
    session = onnxruntime.InferenceSession(whole.path, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        (said,) = session.run(None, {"signals": signals[:count]})
        np.testing.assert_allclose(said, estimator.predict_proba(signals[:count]), atol=1e-4)


def test_a_family_without_layers_is_refused_with_what_to_do(tmp_path: Path) -> None:
    estimator = create("random_forest").fit(*examples(40))
    with pytest.raises(ExportRefused, match="family_not_exportable"):
        export(estimator, examples(2)[0], tmp_path)


def test_a_file_that_answers_differently_is_refused(tmp_path: Path) -> None:
    estimator = create("cnn", {"epochs": 1}).fit(*examples(40))
    signals, _ = examples(5)
    answered = estimator.predict_proba
    estimator.predict_proba = lambda given: np.roll(answered(given), 1, axis=1)
    with pytest.raises(ExportRefused, match="export_differs"):
        export(estimator, signals, tmp_path)
