"""What a batch is held against: the champions that there are, and that can be read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ml.drifting import in_words, measure_drift
from ml.registry import Registry
from ml.training import TrainingOutcome
from studies.study import Study
from warehouse.home import Home


def test_a_champion_that_an_older_version_wrote_stops_no_batch(
    trained: tuple[Home, Study, TrainingOutcome], tmp_path: Path
) -> None:
    shutil.copytree(trained[0].root, tmp_path / "home")
    home, study = Home.at(tmp_path / "home"), trained[1]
    registry = Registry(home)
    champion = registry.champion("wrist.movement")
    assert champion is not None
    described = registry.artifact(champion) / "model.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"format": 1}))
    assert in_words(measure_drift("b1", study, home)) == "no champion to compare with yet"
