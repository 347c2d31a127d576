"""ONNX for phones and wrists: a version as one file that takes raw signals, checked against the original, and quantised.

Belongs here: writing, checking and measuring the file. It takes the signals in SI units, as training did: standardisation,
the members of an ensemble and softmax are inside.
"""

from __future__ import annotations

import logging
import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.model_version import ModelVersion
from ml.preprocessing.training_table import load_examples
from ml.registry import Registry
from ml.storage import load
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home

#: Largest difference of a probability that counts as the same answer.
TOLERANCE = 1e-4
_OPSET = 18
_TIMED = 50
_COMPARED = 500


class ExportRefused(KinelakeError):
    """A version cannot be exported: its family has no ONNX form, or the file answers differently from the model."""


@dataclass(frozen=True)
class OnnxFile:
    """One exported file and what was measured on it.

    Parameters
    ----------
    path : Path
    bytes : int
    latency_ms : float
        Median time for one example on one thread of this machine.
    difference : float
        Largest difference of any probability from the original's, on the examples that were given.
    agreement : float
        Share of those examples with the same answer.
    """

    path: Path
    bytes: int
    latency_ms: float
    difference: float
    agreement: float


def export(estimator: Any, signals: npt.NDArray[np.float32], folder: Path) -> tuple[OnnxFile, OnnxFile]:
    """Write ``model.onnx`` and ``model.int8.onnx`` and hold both against the original.

    Parameters
    ----------
    estimator : Classifier
        Fitted, of a neural family.
    signals : ndarray of float32, shape (n, length, channels)
        Examples to compare on, in SI units; n at least 1.
    folder : Path

    Returns
    -------
    tuple of OnnxFile
        As trained, and with weights in 8 bits.

    Raises
    ------
    ExportRefused
        ``family_not_exportable``, or ``export_differs`` if the file as trained does not answer as the model does.
    """
    if not getattr(estimator, "modules_", None):
        sentence = f"{type(estimator).__name__} is no neural network; only those have an ONNX form here"
        raise ExportRefused(Reason("family_not_exportable", sentence, remedy="train a neural family, such as cnn_gru"))
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder.mkdir(parents=True, exist_ok=True)
    whole, small = folder / "model.onnx", folder / "model.int8.onnx"
    _write(estimator, signals.shape[1:], whole)
    truth = estimator.predict_proba(signals)
    exported = _measured(whole, signals, truth)
    if exported.difference > TOLERANCE:
        sentence = f"the file's probabilities differ from the model's by up to {exported.difference:.2g}; allowed is {TOLERANCE}"
        raise ExportRefused(Reason("export_differs", sentence, str(whole), "tell the data team: this is the platform's fault"))
    with _quiet():
        quantize_dynamic(whole, small, weight_type=QuantType.QInt8)
    return exported, _measured(small, signals, truth)


def export_version(version: ModelVersion, registry: Registry, home: Home, folder: Path) -> tuple[OnnxFile, OnnxFile]:
    """Export a registered version, held against the original on examples of its own training table.

    Raises
    ------
    ExportRefused, ModelRefused
        As `export` and `ml.storage.load` say.
    """
    table = load_examples(version.task, version.fingerprint, home)
    rows = np.flatnonzero(table.original)[:_COMPARED]
    return export(load(registry.artifact(version)).estimator, table.signals[rows], folder)


def _write(estimator: Any, shape: tuple[int, ...], path: Path) -> None:
    import torch

    from ml.models.deployment import Deployed

    example = torch.zeros((2, *shape), dtype=torch.float32)
    with _quiet():
        torch.onnx.export(
            Deployed(estimator).eval(),
            (example,),
            path,
            input_names=["signals"],
            output_names=["probabilities"],
            dynamic_axes={"signals": {0: "examples"}, "probabilities": {0: "examples"}},
            opset_version=_OPSET,
            dynamo=False,  # the newer exporter's graphs are refused by the quantiser
        )


def _measured(path: Path, signals: npt.NDArray[np.float32], truth: npt.NDArray[np.float64]) -> OnnxFile:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {"signals": signals})
    one = {"signals": signals[:1]}
    taken = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        session.run(None, one)
        taken.append(time.perf_counter() - started)
    agreement = float((said.argmax(axis=1) == truth.argmax(axis=1)).mean())
    difference = float(np.abs(said - truth).max())
    return OnnxFile(path, path.stat().st_size, 1000 * statistics.median(taken), difference, agreement)


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters warn of what is meant: fixed lengths, and quantisation without calibration."""
    logger = logging.getLogger()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, logger.disabled = logger.disabled, True
        try:
            yield
        finally:
            logger.disabled = before
