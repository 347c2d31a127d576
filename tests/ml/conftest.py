"""What tests of models share: waves with a label each, and a registry database made once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from ml.mlflow_store import MlflowStore
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.training import TrainingOutcome, train_task
from studies.study import Study
from tests.ml.written_batches import STUDY, cohort, wrist_study, write_batch
from warehouse.home import Home


class Waves(NamedTuple):
    """Examples of three labels by six participants, each label with a frequency of its own."""

    signals: npt.NDArray[np.float32]
    labels: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]

    def part(self, rows: npt.NDArray[np.bool_]) -> Waves:
        return Waves(self.signals[rows], self.labels[rows], self.groups[rows])


def make_waves(count: int = 108, *, length: int = 24, channels: int = 3, seed: int = 0) -> Waves:
    random = np.random.default_rng(seed)
    number = np.arange(count)
    label, person = number % 3, (number // 3) % 6
    time = np.linspace(0, 1, length)[None, :, None]
    phase = random.uniform(0, 2 * np.pi, (count, 1, channels))
    size = 1 + person[:, None, None] / 6
    signals = size * np.sin(2 * np.pi * (1 + 2 * label)[:, None, None] * time + phase) + random.normal(
        0, 0.3, (count, length, channels)
    )
    return Waves(signals.astype(np.float32), np.array(["lunge", "squat", "walk"])[label], np.char.add("P", person.astype(str)))


@pytest.fixture(scope="session")
def waves() -> Waves:
    return make_waves()


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose database has its tables and nothing in them: making them takes seconds."""
    root = tmp_path_factory.mktemp("registry")
    MlflowStore(root).prepare()
    return root / "mlflow.db"


@pytest.fixture
def registry_home(home: Home, empty_registry: Path) -> Home:
    """An empty home whose registry answers at once."""
    shutil.copy(empty_registry, home.registry / "mlflow.db")
    return home


MODELS = "[{family: random_forest, parameters: {n_estimators: 8}}, {family: svm}]"


def movement_study(folder: Path, *, models: str = MODELS, at_least: float = 0.5) -> Study:
    """Write and load the study of the wrist with models that are fast to train."""
    text = STUDY.replace("[{family: random_forest}]", models, 1).replace("[{family: random_forest}]", "[{family: svm}]")
    return wrist_study(folder, text.replace("promote: {at_least: 0.5}", f"promote: {{at_least: {at_least}}}", 1))


@pytest.fixture(scope="session")
def segmented(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> Path:
    """A home with one batch of six people, ready to be trained on."""
    root = tmp_path_factory.mktemp("segmented")
    home, study = Home.at(root / "home"), movement_study(root)
    write_batch(home, study, "b1", cohort(people=6))
    resample_batch("b1", study, home)
    segment_batch("b1", study, home)
    shutil.copy(empty_registry, home.registry / "mlflow.db")
    return home.root


@pytest.fixture
def ready(segmented: Path, tmp_path: Path) -> Home:
    """A copy of that home."""
    shutil.copytree(segmented, tmp_path / "home", dirs_exist_ok=True)
    return Home.at(tmp_path / "home")


@pytest.fixture(scope="session")
def trained(segmented: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Study, TrainingOutcome]:
    """That home after its task was trained; tests only read it."""
    root = tmp_path_factory.mktemp("trained")
    shutil.copytree(segmented, root / "home")
    home, study = Home.at(root / "home"), movement_study(root)
    return home, study, train_task(study, "movement", home)
