"""From what a version's folder and the registry hold to the contents of its page.

Belongs here: reading and wording; the page itself is `ml.report`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.describing import explained_examples, importance_of
from ml.evaluation import AUTHORS, Evaluation
from ml.model_version import ModelVersion
from ml.registry import Registry
from ml.report import Contents, Part, Picture, write_model_report
from ml.report.charts import bars_chart, lines_chart, scatter_chart
from ml.search import EVERYTHING
from ml.storage import read_description
from warehouse.home import Home
from warehouse.lake import Lake

PAGE = "report.html"
_BATCHES = 20
_LIMITS = "It answers one of the labels above, whatever it is shown; sensors must sit and turn as in the study."


def write_page(version: ModelVersion, registry: Registry, home: Home) -> Path:
    """Write the page of a version into its folder, with today's alias and drift; return its path."""
    folder = registry.artifact(version)
    facts = read_description(folder)["facts"]
    evaluations = [Evaluation.from_json(content) for content in facts["evaluations"]]
    by_the_authors = [found for found in evaluations if found.protocol == AUTHORS]
    contents = Contents(
        version=version,
        evaluations=[found for found in evaluations if found.protocol != AUTHORS],
        others=dict(zip([facts["table"]["authors_protocol"]], by_the_authors, strict=False)),
        channels=facts["channels"],
        importance=importance_of(facts),
        examples=explained_examples(folder),
        parts=[part for part in _parts(version, facts, home) if any(picture.drawing for picture in part.pictures)],
        card=_card(version, facts),
    )
    return write_model_report(contents, folder / PAGE)


def _parts(version: ModelVersion, facts: Mapping[str, Any], home: Home) -> list[Part]:
    return [
        Part("Learning", "", (*_epochs(facts.get("curves", [])), _groups(facts.get("learning", [])))),
        Part(
            "Search",
            "Score of every trial inside the training groups, in the order in which they were made; the test is never looked at.",
            (Picture(_trials(facts.get("trials", []))),),
        ),
        _transfer(facts.get("transfer", {}), facts.get("pretrained_on", {})),
        _drift(version, home),
    ]


def _epochs(curves: Sequence[Sequence[Mapping[str, Any]]]) -> list[Picture]:
    if not curves:
        return []
    names = {"train_loss": "taught", "valid_loss": "held out to stop early"}
    lines = {
        title: [epoch[name] for epoch in curves[0]]
        for name, title in names.items()
        if all(epoch.get(name) is not None for epoch in curves[0])
    }
    return [Picture(lines_chart(lines, across="epoch", up="loss"), "Loss over epochs")]


def _groups(points: Sequence[Mapping[str, float]]) -> Picture:
    lines = {"macro F1 on unseen examples": [point["macro_f1"] for point in points]}
    drawing = lines_chart(lines, across="groups learnt from", up="macro F1", at=[point["groups"] for point in points])
    return Picture(drawing, "Would more people help?" if drawing else "")


def _trials(trials: Sequence[Mapping[str, Any]]) -> str:
    scores = [trial["value"] for trial in trials if trial["part"] == EVERYTHING]
    best = np.maximum.accumulate(scores).tolist() if scores else []
    return lines_chart({"trial": scores, "best so far": best}, across="trial", up="score")


def _transfer(found: Mapping[str, Any], source: Mapping[str, str]) -> Part:
    if not found:
        return Part("", "", ())
    names = {"carried": "pre-trained", "scratch": "from scratch"}
    epochs = {names[how]: values for how, values in found["over_epochs"].items()}
    few = found["over_enrolments"]
    enrolments = {title: [row[how] for row in few] for how, title in names.items()}
    points = found["embedding"]
    pictures = [
        Picture(lines_chart(epochs, across="epoch", up="accuracy"), "Accuracy over epochs"),
        Picture(
            lines_chart(enrolments, across="examples of each label", up="accuracy", at=[row["examples"] for row in few]),
            "Accuracy over enrolment",
        ),
    ]
    if points:
        at = np.array([[point["x"], point["y"]] for point in points])
        pictures.append(
            Picture(scatter_chart(at, [point["label"] for point in points]), "What the carried layers tell apart (t-SNE)")
        )
    text = (
        f"Feature layers were learnt on {source.get('task', 'another task')} first, and are compared with training from scratch."
    )
    return Part("Transfer", text, tuple(pictures))


def _drift(version: ModelVersion, home: Home) -> Part:
    columns = ["batch_id", "task", "version", "feature", "value", "allowed", "shifted"]
    rows = Lake(home).read("drift", columns=columns, where={"task": version.task}).to_pylist()
    own = [row for row in rows if row["version"] == version.version]
    batches = sorted({row["batch_id"] for row in own})[-_BATCHES:]
    share = {batch_id: float(np.mean([row["shifted"] for row in own if row["batch_id"] == batch_id])) for batch_id in batches}
    text = "Share of the followed features of each later batch that lie beyond what people in the training table differ anyway."
    return Part("Drift", text, (Picture(bars_chart(share, across="share of features that shifted")),))


def _card(version: ModelVersion, facts: Mapping[str, Any]) -> dict[str, str]:
    table = facts.get("table", {})
    return {
        "Task": version.task,
        "Family and parameters": f"{version.family}: "
        + ", ".join(f"{name} {value}" for name, value in sorted(version.parameters.items())),
        "Labels": ", ".join(table.get("labels", [])),
        "Channels": ", ".join(facts["channels"]),
        "Data": "; ".join(
            f"{table[name]:,} {name}" for name in ("participants", "recordings", "segments", "examples") if name in table
        ),
        "Copies left out": str(table.get("copies_dropped", 0)),
        "Training fingerprint": version.fingerprint,
        "Code version and seed": f"{version.code_version}, {version.seed}",
        "Time": f"{version.train_seconds:.1f} s of training, {facts.get('inference_ms', 0):.2f} ms for one example",
        "Limits": f"{version.statement} {_LIMITS}",
    }
