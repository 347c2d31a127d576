"""The example of docs/studies.md: activities that no code knows go from device files to a training table."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from assets.resources import delivered
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from quality.judging import judge_batch
from studies import Study, find_study
from tests.ingestion.device_files import metabase_csv, metabase_name, rocking, write
from warehouse.batches import complete_batch
from warehouse.home import Home
from warehouse.publish import publish
from warehouse.query import query

_PAGE = Path(__file__).parents[2] / "docs" / "studies.md"


@pytest.fixture
def kettlebell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    (tmp_path / "studies").mkdir()
    (example,) = re.findall(r"```yaml\n(.*?)```", _PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "studies" / "kettlebell.yaml").write_text(example, encoding="utf-8")
    monkeypatch.setenv("KINELAKE_STUDIES", str(tmp_path / "studies"))
    return find_study("kettlebell")


def _recordings(folder: Path) -> Path:
    files = {}
    for person in ("P01", "P02", "P03", "P04"):
        for number, label in enumerate(("swing", "clean", "ohp")):
            seed = int(hashlib.sha256(f"{person}{label}".encode()).hexdigest()[:6], 16)
            for sensor, unit, scale in (("Accelerometer", "g", 1.0), ("Gyroscope", "deg/s", 20.0)):
                name = metabase_name(sensor, who=f"{person}-{label}-16kg", start=f"2023-11-14T23.{number:02d}.20.000")
                moved = rocking(600, seed=seed) + 0.05 * number * np.sin(np.arange(600) / 7)[:, np.newaxis]
                files[name] = metabase_csv(scale * moved, unit=unit, start_ms=1_700_000_000_000 + 60_000 * number)
    return write(folder, files)


def test_new_activities_need_a_file_and_no_code(kettlebell: Study, home: Home, tmp_path: Path) -> None:
    folder = _recordings(tmp_path / "recordings")
    (folder / "manifest.csv").write_text(draft_manifest(folder, kettlebell), encoding="utf-8")
    receipt = deliver(folder, study=kettlebell, site="gym", home=home)
    read_batch(receipt, kettlebell, home)
    judgement = judge_batch(receipt.batch_id, kettlebell, home)
    assert (judgement.accepted, judgement.quarantined) == (12, 0)
    resample_batch(receipt.batch_id, kettlebell, home)
    assert segment_batch(receipt.batch_id, kettlebell, home) > 12
    versions = {"contract_version": kettlebell.contract_version, "recipe_version": kettlebell.recipe_version}
    complete_batch(delivered(receipt), home, **versions)
    frozen = freeze_examples(kettlebell, "exercise", home)
    assert set(frozen.meta.labels) == {"swing", "clean", "press"}
    assert frozen.meta.honest
    publish(home)
    balance = query(home, "SELECT label, accepted, participants FROM label_balance ORDER BY label").to_pylist()
    assert balance == [{"label": label, "accepted": 4, "participants": 4} for label in ("clean", "press", "swing")]
    loads = query(home, "SELECT DISTINCT json_extract_string(attributes, '$.load') AS load FROM recordings").to_pylist()
    assert loads == [{"load": "16kg"}]
