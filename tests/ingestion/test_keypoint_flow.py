"""Keypoints of every format go from the delivery to the same examples: frames in a folder or a zip, results, and arrays."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np

from assets.resources import delivered
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from quality.judging import judge_batch
from studies import load_study
from studies.skeletons import COCO_17
from tests.ingestion.device_files import write, zipped
from tests.ingestion.test_keypoint_files import body, coco_entries, frame_files
from warehouse.batches import complete_batch
from warehouse.home import Home
from warehouse.lake import Lake

_STUDY = r"""
study: pictured
title: Squats in files of keypoints
participants: '^P\d+$'
labels: [deep, shallow]
manifest: {pattern: ['{participant}-{label}_*.json', '*::{participant}-{label}_*.json', '{participant}-{label}.*']}
formats: {poses: {rate_hz: 30, frame: [1080, 1920]}}
streams:
  keypoint: {unit: frame, rate_hz: [25, 35], range: [-1, 3], max_gap_s: 1}
tasks:
  depth:
    input: {streams: [keypoint@left_hip, keypoint@left_knee], rate_hz: 30}
    segment: {by: recording, length: 60}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""


def _array(points: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, points)
    return buffer.getvalue()


def _squats() -> dict[tuple[str, str], np.ndarray]:
    """Two squats by each of five people, in pixels: the copy of one would be seen and quarantined."""
    made = product(("P1", "P2", "P3", "P4", "P5"), ("deep", "shallow"))
    return {whose: body(COCO_17, 60, seed=seed) for seed, whose in enumerate(made)}


def _files(squats: Mapping[tuple[str, str], np.ndarray]) -> dict[str, str | bytes]:
    """What another program wrote of each person, and a frame that was cut off."""
    files: dict[str, str | bytes] = {"P9-deep_0000_keypoints.json": '{"people": ['}
    for label in ("deep", "shallow"):
        files |= _of_clip(f"P1-{label}", squats["P1", label])
        files[f"P2-{label}.zip"] = zipped(frame_files(squats["P2", label]))
        files[f"P3-{label}.json"] = json.dumps(coco_entries(squats["P3", label]))
        files[f"P4-{label}.npy"] = _array(squats["P4", label])
    files["both.zip"] = zipped(_of_clip("P5-deep", squats["P5", "deep"]) | _of_clip("P5-shallow", squats["P5", "shallow"]))
    return files


def _of_clip(name: str, points: np.ndarray) -> dict[str, str]:
    return {f"{name}_{frame.removeprefix('clip_')}": text for frame, text in frame_files(points).items()}


def test_a_squat_makes_the_same_example_whatever_wrote_its_keypoints(home: Home, tmp_path: Path) -> None:
    (tmp_path / "pictured.yaml").write_text(_STUDY, encoding="utf-8")
    study = load_study(tmp_path / "pictured.yaml")
    squats = _squats()
    folder = write(tmp_path / "recordings", _files(squats))
    (folder / "manifest.csv").write_text(draft_manifest(folder, study), encoding="utf-8")
    receipt = deliver(folder, study=study, site="gym", home=home)
    read_batch(receipt, study, home)
    judgement = judge_batch(receipt.batch_id, study, home)
    assert (judgement.accepted, judgement.quarantined) == (10, 1)
    formats = {(row["participant"], row["format"]) for row in Lake(home).read("recordings").to_pylist()}
    assert formats == {
        *((who, "openpose") for who in ("P1", "P2", "P5")),
        ("P3", "coco_keypoints"),
        ("P4", "keypoint_array"),
        ("P9", None),
    }
    resample_batch(receipt.batch_id, study, home)
    segment_batch(receipt.batch_id, study, home)
    complete_batch(delivered(receipt), home, contract_version=study.contract_version, recipe_version=study.recipe_version)
    table = freeze_examples(study, "depth", home)
    for (person, label), points in squats.items():
        (example,) = table.signals[(np.array(table.labels) == label) & (np.array(table.participant) == person)]
        joints = points[:, [COCO_17.index("left_hip"), COCO_17.index("left_knee")], :2] / 1920
        np.testing.assert_allclose(example[:, [0, 3]], joints[..., 0], atol=1e-5)
        np.testing.assert_allclose(example[:, [1, 4]], 1 - joints[..., 1], atol=1e-5)
