"""The shipped studies of real recordings: a drafted manifest, read, judged; what comes out is what was measured by hand."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.draft import draft_manifest
from ingestion.pickles.conversion import convert_pickles
from quality.judging import Judgement, judge_batch
from studies import find_study
from warehouse.home import Home
from warehouse.lake import Lake

pytestmark = pytest.mark.real


def _judged(source: Path, name: str, home: Home, tmp_path: Path) -> Judgement:
    study, manifest = find_study(name), tmp_path / f"{name}.csv"
    manifest.write_text(draft_manifest(source, study), encoding="utf-8")
    read_batch(deliver(source, study=study, site="lab", home=home, batch_id="b1", manifest=manifest), study, home)
    return judge_batch("b1", study, home)


def _streams(home: Home) -> Mapping[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for row in Lake(home).read("streams").to_pylist():
        found.setdefault(str(row["stream"]), []).append(row)
    return found


def test_three_sensors_are_placed_judged_by_placement_and_marked_by_rows(real: Path, home: Home, tmp_path: Path) -> None:
    source = tmp_path / "squats"
    with zipfile.ZipFile(real / "squat_3imu" / "raw.zip") as archive:
        archive.extractall(source, [name for name in archive.namelist() if "class2/subject1" in name or "subject4_ssl" in name])
    for path in (real / "squat_3imu" / "labels").rglob("*.json"):
        target = source / "labels" / path.relative_to(real / "squat_3imu" / "labels")
        target.parent.mkdir(parents=True, exist_ok=True)
        if "class2/subject1" in path.as_posix() or "subject4_ssl" in path.name:
            target.write_bytes(path.read_bytes())
    judgement = _judged(source, "squat_form", home, tmp_path)
    assert (judgement.accepted, judgement.quarantined, judgement.reasons) == (2, 1, {"label_missing": 1})
    streams = _streams(home)
    assert sorted(streams) == [
        f"{sensor}@{place}" for sensor in ("accelerometer", "gyroscope") for place in ("calf", "thigh", "waist")
    ]
    assert {row["unit"] for row in streams["gyroscope@calf"]} == {"rad/s"}
    rates = sorted(float(str(row["mean_rate_hz"])) for row in streams["accelerometer@waist"])
    assert rates == pytest.approx([109.05, 109.87, 110.20], abs=0.05)  # two of them lost packets
    lengths = {name: np.median([row["norm_median"] for row in rows]) for name, rows in streams.items() if "acc" in name}  # type: ignore[arg-type]
    assert 9 < lengths["accelerometer@waist"] < 10.5
    assert 12.5 < lengths["accelerometer@thigh"] < 14.5
    labels = Counter(row["label"] for row in Lake(home).read("annotations").to_pylist())
    assert labels == {"2": 20, "": 25}
    codes = Counter(row["code"] for row in Lake(home).read("findings").to_pylist())
    assert codes["annotation_rate_wrong"] == 3
    assert codes["packets_lost"] == 2
    assert codes["annotations_overlap"] == 1


def test_gait_is_read_at_fifty_hertz_and_its_copy_is_found(real: Path, home: Home, tmp_path: Path) -> None:
    source = tmp_path / "gait"
    for path in (real / "gait_phone").rglob("wy_*.txt"):
        target = source / path.relative_to(real / "gait_phone")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    judgement = _judged(source, "gait", home, tmp_path)
    assert (judgement.accepted, judgement.reasons) == (17, {"copy_of_recording": 1})
    for rows in _streams(home).values():
        assert [row["rate_hz"] for row in rows] == pytest.approx([50] * 18, abs=0.1)
        assert sum(int(str(row["gaps"])) for row in rows) == 0
    labels = Counter(row["label"] for row in Lake(home).read("recordings").to_pylist())
    assert labels == {"normal": 14, "fast": 4}


def test_converted_sets_are_sessions_of_nobody_in_si_units(real: Path, home: Home, tmp_path: Path) -> None:
    convert_pickles(real / "fitness_ble" / "original" / "data_collected" / "7", tmp_path / "sets" / "7")
    judgement = _judged(tmp_path / "sets", "fitness_ble", home, tmp_path)
    assert (judgement.accepted, judgement.quarantined) == (7, 0)
    recordings = Lake(home).read("recordings").to_pylist()
    assert {(row["participant"], row["session"]) for row in recordings} == {("unknown", "7")}
    assert {row["label"] for row in recordings} == set(find_study("fitness_ble").labels)
    streams = _streams(home)
    assert [row["rate_hz"] for row in streams["accelerometer"]] == [2.0] * 7
    assert max(float(str(row["maximum"])) for row in streams["accelerometer"]) == pytest.approx(
        2 * 9.80665, rel=1e-3
    )  # it clips at 2 g
    earth_ut = [float(str(row["norm_median"])) for row in streams["magnetometer"]]
    assert 25 < min(earth_ut) < max(earth_ut) < 130
    dateless = [row for row in Lake(home).read("findings").to_pylist() if row["code"] == "time_not_absolute"]
    assert len(dateless) == 7


def test_clinical_loggers_are_accepted_with_their_own_rates(real: Path, home: Home, tmp_path: Path) -> None:
    judgement = _judged(real / "clinical_raw", "clinical", home, tmp_path)
    assert (judgement.accepted, judgement.quarantined) == (3, 0)
    rates = sorted(float(str(row["mean_rate_hz"])) for row in _streams(home)["accelerometer"])
    assert rates == pytest.approx([30, 85.7, 98.8], abs=2)
