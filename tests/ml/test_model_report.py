"""The page of a model version: everything that was measured is on it, and nothing on it is HTML from outside."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ml.evaluation import Answers, Evaluation, evaluate
from ml.explanation import ChannelImportance, Saliency
from ml.model_version import ModelVersion
from ml.report import Contents, Part, Picture, write_model_report
from ml.report.charts import lines_chart

LABELS = ["<b>jump</b>", "squat"]


def evaluation(right: float, protocol: str) -> Evaluation:
    random = np.random.default_rng(0)
    truth = np.array(LABELS)[random.integers(0, 2, 200)]
    says_truth = random.random(200) < right
    squat = np.where((truth == "squat") == says_truth, 0.8, 0.2)
    people = np.array([f"P{number % 5}" for number in range(200)])
    return evaluate(Answers(truth, people, np.column_stack([1 - squat, squat]), LABELS), protocol=protocol)


def version(scores: dict[str, float]) -> ModelVersion:
    return ModelVersion(
        task="trial.which", version=3, family="cnn", fingerprint="f" * 32, honest=True, protocol="leave one out",
        statement="The scores are for people whom the model never saw.", scores=scores, parameters={}, seed=1, code_version="c",
        trained_at=datetime(2026, 1, 2, tzinfo=UTC), train_seconds=2.5, parameters_count=10, artifact="a",
        gate="It became champion.",
    )  # fmt: skip


def page(tmp_path: Path, others: dict[str, Evaluation]) -> str:
    found = evaluation(0.8, "test")
    signal = np.random.default_rng(1).normal(0, 1, (50, 2)).astype(np.float32)
    contents = Contents(
        version=version(found.overall()),
        evaluations=[found],
        others=others,
        channels=["accelerometer.x", "accelerometer.y"],
        importance=[ChannelImportance("accelerometer.x", 0.3, 0.1), ChannelImportance("accelerometer.y", 0.0, 0.1)],
        examples=[Saliency(LABELS[0], "squat", 0.7, signal, signal / 100, "occlusion")],
        parts=[Part("Learning", "", (Picture(lines_chart({"loss": [1, 0.5]}, across="epoch", up="loss")),))],
        card={"participants": "5"},
    )
    return write_model_report(contents, tmp_path / "report.html").read_text(encoding="utf-8")


def test_every_part_is_told_and_drawn(tmp_path: Path) -> None:
    text = page(tmp_path, {})
    for said in (
        "It became champion.",
        "Label by label",
        "How sure",
        "Person by person",
        "Which channels count",
        "Which moments",
    ):
        assert said in text, said
    assert "Learning" in text and "Model card" in text
    assert text.count("<svg") == 7


def test_labels_are_text_in_the_page_and_in_the_pictures(tmp_path: Path) -> None:
    text = page(tmp_path, {})
    assert "<b>jump" not in text
    assert "&lt;b&gt;jump" in text


def test_two_protocols_far_apart_are_pointed_out_and_close_ones_are_not(tmp_path: Path) -> None:
    assert "points more" in page(tmp_path, {"authors": evaluation(0.99, "authors")})
    assert "points more" not in page(tmp_path, {"authors": evaluation(0.8, "authors")})


def test_nothing_is_fetched_from_anywhere(tmp_path: Path) -> None:
    text = page(tmp_path, {})
    assert "<script" not in text and " src=" not in text and "@import" not in text
