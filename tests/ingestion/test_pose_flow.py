"""Pose files of a small cohort go from the delivery to a training table of distances, whichever format each came in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from assets.resources import delivered
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from ml.preprocessing.pose.bodies import keep_bodies
from ml.preprocessing.pose.distances import PAIRS
from quality.judging import judge_batch
from studies import find_study, load_study
from tests.ingestion.device_files import write
from tests.ingestion.pose_files import distance_json, distances_of, landmark_csv, landmarks
from tests.ml.bodies import squatting
from warehouse.batches import complete_batch
from warehouse.home import Home
from warehouse.lake import Lake

_STUDY = r"""
study: bodies
title: Squats in files of poses
participants: '^P\d+$'
labels: [deep, shallow]
manifest: {pattern: '{participant}-{label}.*'}
formats: {poses: {rate_hz: 30}}
streams:
  joint: {unit: m, rate_hz: [25, 35], range: [-3, 3]}
tasks:
  depth:
    input: {streams: [joints], rate_hz: 30, derive: distances}
    segment: {by: window, seconds: 2, length: 300}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""


def _cohort(folder: Path) -> Path:
    """Two people as landmarks and two as distances, a file with 18 joints among them."""
    files = {}
    for person in range(4):
        for number, (label, deep) in enumerate((("deep", 0.45), ("shallow", 0.2))):
            seed = 2 * person + number
            if person < 2:
                files[f"P{person}-{label}.csv"] = landmark_csv(landmarks(150, seed=seed, deep=deep))
            else:
                files[f"P{person}-{label}.json"] = distance_json(distances_of(squatting(150, seed=seed, deep=deep)))
    files["P9-deep.json"] = distance_json(distances_of(squatting(60, seed=99))[:, :153])
    return write(folder, files)


def test_squats_labelled_beside_a_file_of_poses_are_kept_by_the_times_of_its_frames(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bodies.yaml").write_text(_STUDY, encoding="utf-8")
    labels = "P0-deep.csv:\n- {start: 0:04, mid: 1:01, end: 1:28, label: shallow}\n- {start: 2:00, mid: 4:00, end: 9:00}\n"
    files = {"P0-deep.csv": landmark_csv(landmarks(150, deep=0.45)), "labels.yml": labels}
    files["manifest.csv"] = "path,participant,label,annotations\nP0-deep.csv,P0,deep,labels.yml\n"
    study, folder = load_study(tmp_path / "bodies.yaml"), write(tmp_path / "recordings", files)
    receipt = deliver(folder, study=study, site="gym", home=home)
    read_batch(receipt, study, home)
    assert judge_batch(receipt.batch_id, study, home).accepted == 1
    assert keep_bodies(receipt.batch_id, study, home) == 1
    lake = Lake(home)
    (squat,), t_ns = lake.read("squats").to_pylist(), lake.read("poses")["t_ns"].to_pylist()
    assert (squat["start_ns"], squat["deepest_ns"], squat["end_ns"]) == (t_ns[4], t_ns[31], t_ns[58])
    assert squat["source"] == "labelled"
    (mark,) = lake.read("annotations").to_pylist()
    assert (mark["mid_ns"], mark["label"]) == (t_ns[31], "shallow")
    told = [row["sentence"] for row in lake.read("findings").to_pylist() if row["path"] == "labels.yml"]
    assert told == ["end 9:00: second 9 of the clip has 0 frames; it is left out"]


def test_files_of_poses_become_examples_of_171_distances(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bodies.yaml").write_text(_STUDY, encoding="utf-8")
    study, folder = load_study(tmp_path / "bodies.yaml"), _cohort(tmp_path / "recordings")
    (folder / "manifest.csv").write_text(draft_manifest(folder, study), encoding="utf-8")
    receipt = deliver(folder, study=study, site="gym", home=home)
    read_batch(receipt, study, home)
    judgement = judge_batch(receipt.batch_id, study, home)
    assert (judgement.accepted, judgement.quarantined) == (8, 1)
    resample_batch(receipt.batch_id, study, home)
    segment_batch(receipt.batch_id, study, home)
    complete_batch(delivered(receipt), home, contract_version=study.contract_version, recipe_version=study.recipe_version)
    table = freeze_examples(study, "depth", home)
    assert table.meta.channels == PAIRS
    assert table.signals.shape[1:] == (300, 171)
    assert set(table.participant) == {"P0", "P1", "P2", "P3"}
    assert np.isfinite(table.signals).all()
    shin = table.signals[:, :, PAIRS.index("right_ankle-right_knee")]
    hip_to_ankle = table.signals[:, :, PAIRS.index("right_ankle-right_hip")].min(axis=1)
    deep = np.array(table.labels) == "deep"
    assert hip_to_ankle[deep].max() < hip_to_ankle[~deep].min()
    assert 0.3 < shin.mean() < 0.6
    poses = Lake(home).read("poses")
    assert poses.num_rows == 4 * 150
    assert set(map(len, poses["landmarks"].to_pylist())) == {99}
    assert poses["image"].null_count == poses.num_rows  # these files have metres only


@pytest.mark.real
@pytest.mark.pose
def test_a_clip_labelled_as_published_is_one_squat_at_the_frame_that_was_labelled(home: Home, tmp_path: Path, real: Path) -> None:
    study = find_study("squat_frames")
    clip = (real / "video" / "mlsac_no_depth_vid.gif").read_bytes()
    # 12.5 frames a second: second 3 begins with frame 38, at 3.04 s, and 3:03 is frame 41.
    labels = "P001_bad_1:\n- {start: 2:07, mid: 3:03, end: 3:10, label: 0}\n"
    manifest = "path,participant,label,session,annotations\nP001_bad_1.gif,P001,bad,1,labels.yml\n"
    folder = write(tmp_path / "in", {"P001_bad_1.gif": clip, "labels.yml": labels, "manifest.csv": manifest})
    receipt = deliver(folder, study=study, site="gym", home=home)
    read_batch(receipt, study, home)
    assert judge_batch(receipt.batch_id, study, home).accepted == 1
    assert keep_bodies(receipt.batch_id, study, home) == 1
    (squat,) = Lake(home).read("squats").to_pylist()
    assert squat["deepest_ns"] == Lake(home).read("poses").filter(pc.field("frame") == 41)["t_ns"][0].as_py()
    assert squat["knee_deg"] == pytest.approx(107, abs=2)
    assert (squat["source"], Lake(home).read("pose_images").num_rows) == ("labelled", 11)
