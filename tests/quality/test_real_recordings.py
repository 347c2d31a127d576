"""What real recordings are known to hold: copies, and labels that the device gives away."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from quality.confounding import study_facts
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


@pytest.mark.real
def test_the_same_recordings_sent_again_cut_and_with_fewer_decimals_are_found_and_nothing_else_is(
    home: Home, real: Path, tmp_path: Path
) -> None:
    study, source, sent = find_study("barbell"), real / "metamotion_barbell" / "MetaMotion", tmp_path / "again"
    sent.mkdir()
    for number, path in enumerate(sorted(source.glob("B-*.csv"))):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        fields = [row.split(",") for row in rows[len(rows) // 10 + number :]]
        rounded = [",".join([*given[:3], *(f"{float(value):.2f}" for value in given[3:])]) for given in fields]
        (sent / f"D{path.name[1:]}").write_text("\n".join([header, *rounded]) + "\n", encoding="utf-8")
    judged = {}
    for batch_id, folder in (("barbell-1", source), ("barbell-2", sent)):
        manifest = tmp_path / f"{batch_id}.csv"
        manifest.write_text(draft_manifest(folder, study), encoding="utf-8")
        read_batch(deliver(folder, study=study, site="gym", home=home, batch_id=batch_id, manifest=manifest), study, home)
        judged[batch_id] = judge_batch(batch_id, study, home)
    assert (judged["barbell-1"].accepted, judged["barbell-2"].accepted) == (59, 0)
    verdicts = Lake(home).read("verdicts", where={"batch_id": "barbell-2"}).to_pylist()
    assert len(verdicts) == 9 and all("of participant B in batch barbell-1" in row["reasons"][0]["sentence"] for row in verdicts)


@pytest.mark.real
def test_labels_that_one_phone_alone_recorded_are_told_and_one_device_is_not(home: Home, real: Path, tmp_path: Path) -> None:
    told = {}
    for name, folder in (("phone_activities", "sensor_logger/phones_a"), ("barbell", "metamotion_barbell/MetaMotion")):
        study, manifest = find_study(name), tmp_path / f"{name}.csv"
        manifest.write_text(draft_manifest(real / folder, study), encoding="utf-8")
        receipt = deliver(real / folder, study=study, site="lab", home=home, batch_id=name, manifest=manifest)
        read_batch(receipt, study, home)
        judge_batch(name, study, home)
        told[name] = [one for one in study_facts(study, home).associations if one.confounded]
    assert told["barbell"] == []
    (found,) = told["phone_activities"]
    assert (found.factor, found.same_as, round(found.share, 6)) == ("device", ("participant",), 1.0)
    assert found.sentence.startswith("jumping and standing were recorded only with device ")
    assert ", still and walking only with device " in found.sentence
