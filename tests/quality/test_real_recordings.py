"""The copies that real recordings are known to hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from quality.judging import judge_batch
from quality.report import write_report
from studies import find_study
from warehouse.home import Home
from warehouse.lake import Lake


@pytest.mark.real
def test_every_recording_of_the_copied_participant_is_set_aside(home: Home, real: Path, tmp_path: Path) -> None:
    study, source = find_study("barbell"), real / "metamotion_barbell" / "MetaMotion"
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(draft_manifest(source, study), encoding="utf-8")
    receipt = deliver(source, study=study, site="gym", home=home, batch_id="barbell-1", manifest=manifest)
    read_batch(receipt, study, home)
    judgement = judge_batch("barbell-1", study, home)
    assert (judgement.accepted, judgement.quarantined) == (59, 35)
    assert judgement.reasons == {"copy_of_other_participant": 30, "copy_of_recording": 5, "stream_missing": 1}
    verdicts = Lake(home).read("verdicts").to_pylist()
    assert {row["participant"] for row in verdicts if row["accepted"]} == {"A", "B", "C", "D"}
    assert write_report("barbell-1", study, home).stat().st_size < 2_000_000
