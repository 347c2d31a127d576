"""Pre-training on another study's task: what is carried, what the fingerprint covers, what is refused, what is erased."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ml.erasure import erase_trainings
from ml.models import create
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import training_fingerprint
from ml.registry import Registry
from ml.storage import read_description
from ml.training import TrainingOutcome, train_task
from studies import load_study
from studies.study import Study
from tests.ml.conftest import Waves, make_waves
from tests.ml.written_batches import STUDY, cohort, wrist_study, write_batch
from warehouse.errors import StudyError, TrainingRefused
from warehouse.home import Home

SMALL = "{epochs: 2, filters: 4, layers: 2, embedding: 6}"
GAIT = """
study: gait
title: Walking
participants: '^P\\d+$'
labels: [shake, turn, wave]
streams:
  accelerometer: {unit: m/s^2, rate_hz: [20, 60], required: true}
  gyroscope: {unit: rad/s, rate_hz: [20, 60]}
tasks:
  kind:
    input: {streams: [gyroscope, accelerometer], rate_hz: 20, magnitude: true}
    segment: {by: window, seconds: 2, length: 40, min_seconds: 1.5}
    split: {folds: 3}
    models: [{family: svm}]
    promote: {at_least: 0.5}
  narrow:
    input: {streams: [gyroscope], rate_hz: 20}
    segment: {by: window, seconds: 2, length: 40, min_seconds: 1.5}
    split: {folds: 3}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""

Trained = tuple[Home, Study, TrainingOutcome]


def studies(folder: Path, *, source: str = "gait.kind", models: str | None = None) -> tuple[Study, Study]:
    """Write both studies: one to learn features from, and one that carries them."""
    folder.mkdir(exist_ok=True)
    (folder / "gait.yaml").write_text(GAIT)
    models = models or f"[{{family: identity_cnn, parameters: {SMALL}}}, {{family: svm}}]"
    text = STUDY.replace("models: [{family: random_forest}]", f"models: {models}\n    pretrain: {{task: {source}}}", 1)
    return load_study(folder / "gait.yaml"), wrist_study(folder, text)


def deliver_gait(home: Home, gait: Study, *, people: int = 4) -> None:
    others = [one.__class__(f"g{one.recording_id}", f"P9{one.participant[1:]}", one.label, one.streams) for one in cohort(people)]
    write_batch(home, gait, "g1", others)
    resample_batch("g1", gait, home)
    segment_batch("g1", gait, home)


@pytest.fixture(scope="module")
def trained(segmented: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    root = tmp_path_factory.mktemp("carried")
    shutil.copytree(segmented, root / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KINELAKE_STUDIES", str(root / "studies"))
        gait, wrist = studies(root / "studies")
        home = Home.at(root / "home")
        deliver_gait(home, gait)
        return home, wrist, train_task(wrist, "movement", home)


@pytest.fixture
def searched_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of studies that this test may write to."""
    monkeypatch.setenv("KINELAKE_STUDIES", str(tmp_path / "studies"))
    (tmp_path / "studies").mkdir()
    return tmp_path / "studies"


def test_carried_layers_are_where_training_begins(waves: Waves) -> None:
    teacher = create("identity_cnn", {"epochs": 2, "filters": 4, "layers": 2}).fit(*waves)
    pupil = create("identity_cnn", {"epochs": 1, "filters": 4, "layers": 2, "learning_rate": 1e-6, "random_state": 5})
    carried, scratch = pupil.fit(*waves, carried=teacher.feature_weights()).feature_weights(), pupil.fit(*waves).feature_weights()
    learnt = teacher.feature_weights()["dense.1.weight"]
    assert np.abs(carried["dense.1.weight"] - learnt).max() < 1e-3
    assert np.abs(scratch["dense.1.weight"] - learnt).max() > 0.05


def test_all_layers_go_on_learning(waves: Waves) -> None:
    teacher = create("cnn_gru", {"epochs": 1, "filters": 4, "hidden": 4}).fit(*waves)
    pupil = create("cnn_gru", {"epochs": 2, "filters": 4, "hidden": 4}).fit(*waves, carried=teacher.feature_weights())
    learnt, now = teacher.feature_weights(), pupil.feature_weights()
    assert all(not np.array_equal(learnt[name], now[name]) for name in learnt)


def test_layers_that_do_not_fit_are_refused(waves: Waves) -> None:
    teacher = create("cnn", {"epochs": 1}).fit(*make_waves(channels=2))
    with pytest.raises(StudyError, match="both tasks need the same number of channels"):
        create("cnn", {"epochs": 1}).fit(*waves, carried=teacher.feature_weights())


def test_a_version_says_what_it_was_pre_trained_on_and_what_that_brought(trained: Trained) -> None:
    home, _, outcome = trained
    network, other = outcome.versions
    facts = read_description(Registry(home).artifact(network))["facts"]
    assert facts["pretrained_on"]["task"] == "gait.kind"
    brought = facts["transfer"]
    assert {how: len(curve) for how, curve in brought["over_epochs"].items()} == {"carried": 2, "scratch": 2}
    assert [row["examples"] for row in brought["over_enrolments"]][:3] == [1, 2, 3]
    assert all(0 <= row[how] <= 1 for row in brought["over_enrolments"] for how in ("carried", "scratch"))
    assert {point["label"] for point in brought["embedding"]} == {"shake", "turn", "wave"}
    assert len(facts["curves"][0]) == 2
    assert "pretrained_on" not in read_description(Registry(home).artifact(other))["facts"]


def test_features_are_learnt_once_for_a_source_and_its_layers(trained: Trained) -> None:
    home, _, outcome = trained
    folders = list((home.registry / "models" / "gait.kind").glob("*/pretrained-identity_cnn-*"))
    facts = read_description(Registry(home).artifact(outcome.versions[0]))["facts"]
    assert [folder.parent.name for folder in folders] == [facts["pretrained_on"]["fingerprint"]]


def test_new_recordings_of_the_source_are_a_reason_to_train_again(trained: Trained, tmp_path: Path, searched_in: Path) -> None:
    shutil.copytree(trained[0].root, tmp_path / "home")
    home = Home.at(tmp_path / "home")
    gait, wrist = studies(searched_in)
    assert training_fingerprint(wrist, "movement", home) == trained[2].fingerprint
    assert train_task(wrist, "movement", home).already_trained
    deliver_gait(home, gait, people=3)
    assert training_fingerprint(wrist, "movement", home) != trained[2].fingerprint


def test_a_source_without_recordings_is_refused_and_asks_for_no_training(ready: Home, searched_in: Path) -> None:
    _, wrist = studies(searched_in)
    assert training_fingerprint(wrist, "movement", ready) is None
    with pytest.raises(TrainingRefused, match=r"'wrist\.movement' is pre-trained on 'gait\.kind', and that cannot be learnt yet"):
        train_task(wrist, "movement", ready)


@pytest.mark.parametrize(
    ("source", "models", "sentence"),
    [
        ("walk.kind", None, "study 'walk' is not known"),
        ("gait.kinds", None, "study 'gait' has no task 'kinds'; did you mean 'kind'"),
        ("wrist.whole", None, "of the same study, so the layers would have seen people who are tested"),
        ("gait.kind", "[{family: svm}]", "only networks can be pre-trained, and the task has none"),
    ],
)
def test_a_source_that_cannot_be_is_refused(
    source: str, models: str | None, sentence: str, ready: Home, searched_in: Path
) -> None:
    _, wrist = studies(searched_in, source=source, models=models)
    with pytest.raises(StudyError, match=sentence):
        train_task(wrist, "movement", ready)


def test_a_source_with_other_channels_is_refused(trained: Trained, tmp_path: Path, searched_in: Path) -> None:
    shutil.copytree(trained[0].root, tmp_path / "home")
    _, wrist = studies(searched_in, source="gait.narrow")
    with pytest.raises(StudyError, match="both tasks need the same number of channels"):
        train_task(wrist, "movement", Home.at(tmp_path / "home"))


def test_whoever_the_layers_learnt_from_can_be_erased_from_what_carries_them(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained[0].root, tmp_path / "home")
    home = Home.at(tmp_path / "home")
    assert erase_trainings("gait", "P90", recordings=[], home=home) == 2
    assert not Registry(home).versions()
    assert not list(home.registry.glob("models/*/*/*"))


def test_nobody_of_the_source_is_named_with_the_version(trained: Trained) -> None:
    texts = [path.read_text() for path in trained[0].registry.rglob("*.json")]
    assert json.loads(texts[0])
    assert not any("P90" in text or "P93" in text for text in texts)
