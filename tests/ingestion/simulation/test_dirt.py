"""Every kind of dirt really is in the bytes that are delivered, and nothing else is."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from ingestion.simulation import CohortSpec, Dirt, SimulatedDelivery, simulate_delivery
from ingestion.simulation.dirt import KINDS, Kind

CLEAN = CohortSpec(people=2, exercises=("squat",), seconds=5, seed=3)


def delivered(folder: Path, kind: Kind, device: str, *, amount: float | None = None) -> SimulatedDelivery:
    return simulate_delivery(folder, replace(CLEAN, device=device, dirt=(Dirt(kind, recording=0, amount=amount),)))


def texts(delivery: SimulatedDelivery, path: str) -> dict[str, bytes]:
    """The CSV texts in one delivered file."""
    if not path.endswith(".zip"):
        return {path: (delivery.folder / path).read_bytes()}
    with zipfile.ZipFile(delivery.folder / path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def soiled(delivery: SimulatedDelivery) -> dict[str, bytes]:
    """All CSV texts of the recording with the dirt."""
    return {name: text for path in delivery.expected for name, text in texts(delivery, path).items()}


def times_s(text: bytes) -> np.ndarray:
    first = pyarrow.csv.read_csv(io.BytesIO(text)).column(0).to_numpy().astype(np.float64)
    return (first - first[0]) * (1e-3 if text.startswith(b"epoch") else 1e-9)


def values(text: bytes) -> np.ndarray:
    read = pyarrow.csv.read_csv(io.BytesIO(text))
    return np.column_stack(
        [read[name].to_numpy() for name in read.column_names if not re.match("time|epoch|seconds|elapsed", name)]
    )


def manifest(delivery: SimulatedDelivery) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(delivery.manifest.read_text(encoding="utf-8"))))


def sensor(delivery: SimulatedDelivery, name: str) -> bytes:
    return next(text for member, text in soiled(delivery).items() if member == f"{name}.csv" or f"_{name}_" in member)


both = pytest.mark.parametrize("device", ["sensor_logger_android", "sensor_logger_ios", "metabase"])


@both
def test_a_gap_is_a_hole_as_long_as_asked_in_every_stream(tmp_path: Path, device: str) -> None:
    delivery = delivered(tmp_path, "gap", device, amount=10.0)
    for name in ("Gyroscope", "AccelerometerUncalibrated" if device != "metabase" else "Accelerometer"):
        steps = np.diff(times_s(sensor(delivery, name)))
        assert 10.0 <= steps.max() < 10.1 and np.sort(steps)[-2] < 0.1
        assert times_s(sensor(delivery, name))[-1] > 13.5


@both
def test_jitter_spreads_the_steps_but_keeps_rate_and_order(tmp_path: Path, device: str) -> None:
    steps = np.diff(times_s(sensor(delivered(tmp_path, "jitter", device), "Gyroscope")))
    assert steps.std() / np.median(steps) > 0.4 and steps.min() >= 0 and steps.max() < 0.25
    clean = np.diff(times_s(sensor(delivered(tmp_path / "n", "unit_error", device), "Gyroscope")))
    assert clean.std() / np.median(clean) < 0.15
    assert np.median(steps) == pytest.approx(np.median(clean), rel=0.15)


@both
def test_a_wrong_rate_is_a_fifth_of_what_the_file_claims(tmp_path: Path, device: str) -> None:
    rates = [
        1 / np.median(np.diff(times_s(sensor(delivered(tmp_path / kind, kind, device), "Gyroscope"))))
        for kind in ("wrong_rate", "unit_error")
    ]
    assert rates[0] == pytest.approx(rates[1] / 5, rel=0.05) and rates[0] < 45


@both
def test_time_goes_backwards_once_in_every_stream(tmp_path: Path, device: str) -> None:
    steps = np.diff(times_s(sensor(delivered(tmp_path, "time_backwards", device), "Gyroscope")))
    assert np.sum(steps < 0) == 1 and steps.min() == pytest.approx(-2.0, abs=0.1)


@pytest.mark.parametrize(
    ("device", "member", "length"),
    [
        ("sensor_logger_android", "TotalAcceleration", 1.0),
        ("sensor_logger_ios", "Gravity", 1.0),
        ("sensor_logger_ios", "AccelerometerUncalibrated", 1 / 9.80665),
        ("metabase", "Accelerometer", 9.80665),
    ],
)
def test_a_unit_error_shows_in_the_length_of_gravity(tmp_path: Path, device: str, member: str, length: float) -> None:
    found = np.median(np.linalg.norm(values(sensor(delivered(tmp_path, "unit_error", device), member)), axis=1))
    assert found == pytest.approx(length, rel=0.1)


@both
def test_text_stands_where_a_number_is_due(tmp_path: Path, device: str) -> None:
    texts = soiled(delivered(tmp_path, "text_in_number", device))
    damaged = [name for name, text in texts.items() if b"#VALUE!" in text]
    assert len(damaged) == 1 and "Gyroscope" in damaged[0]
    lines = texts[damaged[0]].splitlines()
    assert sum(line.endswith(b",#VALUE!") for line in lines) == 1
    assert {line.count(b",") for line in lines} == {lines[0].count(b",")}


@both
def test_empty_csvs_have_no_byte(tmp_path: Path, device: str) -> None:
    for name, text in soiled(delivered(tmp_path, "empty_csv", device)).items():
        assert (text == b"") == ("Acceler" in name or name in _silent(device)), name


@both
def test_a_missing_stream_is_not_there_under_any_name(tmp_path: Path, device: str) -> None:
    delivery = delivered(tmp_path, "missing_stream", device)
    assert soiled(delivery) and not [name for name in soiled(delivery) if "Gyroscope" in name]
    assert len(manifest(delivery)) == len(delivery.files)


def test_a_corrupt_zip_is_cut_off(tmp_path: Path) -> None:
    delivery = delivered(tmp_path, "corrupt_zip", "sensor_logger_android")
    (path,) = delivery.expected
    assert (delivery.folder / path).read_bytes().startswith(b"PK\x03\x04")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(delivery.folder / path)


@both
def test_a_bad_label_is_in_the_manifest_only(tmp_path: Path, device: str) -> None:
    delivery = delivered(tmp_path, "bad_label", device)
    labels = {line["path"]: line["label"] for line in manifest(delivery)}
    assert {labels[path] for path in delivery.expected} == {"squatt"}
    assert {label for path, label in labels.items() if path not in delivery.expected} == {"squat"}


def test_an_unknown_participant_is_in_the_manifest_only(tmp_path: Path) -> None:
    delivery = delivered(tmp_path, "unknown_participant", "sensor_logger_android")
    people = {line["path"]: line["participant"] for line in manifest(delivery)}
    assert [people[path] for path in delivery.expected] == ["P1"]
    assert [who for path, who in people.items() if path not in delivery.expected] == ["P002"]


@both
def test_a_copy_has_the_same_numbers_in_other_bytes_of_another_person_a_day_later(tmp_path: Path, device: str) -> None:
    delivery = delivered(tmp_path, "copied_participant", device)
    people = {line["path"]: line["participant"] for line in manifest(delivery)}
    assert delivery.expected.keys() == delivery.originals.keys() and delivery.expected
    for copy, original in delivery.originals.items():
        assert people[copy] != people[original]
        ours, theirs = texts(delivery, copy), texts(delivery, original)
        for (name, text), (_, first) in zip(ours.items(), theirs.items(), strict=True):
            if text and name != "Metadata.csv":
                assert text != first and np.array_equal(values(text), values(first))
                shift = _first_time(text) - _first_time(first)
                assert shift == 86_400_000 * (1 if text.startswith(b"epoch") else 1_000_000)


def test_a_spec_without_dirt_expects_none_and_dirt_touches_one_recording(tmp_path: Path) -> None:
    clean = simulate_delivery(tmp_path / "clean", CLEAN)
    assert not clean.expected and not clean.originals
    for kind in KINDS:
        dirty = delivered(tmp_path / kind, kind, "sensor_logger_android")
        assert list(dirty.expected.values()) == [kind]
        for path in set(dirty.files) - set(dirty.expected):
            assert (dirty.folder / path).read_bytes() == (clean.folder / path).read_bytes()


@pytest.mark.parametrize(("kind", "amount"), [("sloth", None), ("bad_label", 1.0)])
def test_dirt_that_makes_no_sense_is_refused(kind: str, amount: float | None) -> None:
    with pytest.raises(ValueError, match=kind):
        Dirt(kind, amount=amount)


def _silent(device: str) -> set[str]:
    if device == "sensor_logger_ios":
        watch = ("WatchMagnetometer", "WatchBarometer", "WatchCompass", "WatchLocation")
        return {f"{name}.csv" for name in (*watch, "Headphone", "HeartRate", "Pedometer", "WristMotion", "Annotation")}
    return {"Annotation.csv"}


def _first_time(text: bytes) -> int:
    return int(text.splitlines()[1].split(b",")[0])
