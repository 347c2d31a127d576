"""Tables whose rows are sequences: every row is a marked stretch, and becomes one example with its numbers unchanged."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from assets.resources import delivered
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.facts import measure
from ingestion.readers import Hints, known_by_content
from ingestion.readers.interface import DeviceFile
from ingestion.recording import Reading
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.examples import freeze_examples
from quality.judging import judge_batch
from studies import load_study
from studies.formats import Formats
from tests.ingestion.device_files import codes, device_file, write
from warehouse.batches import complete_batch
from warehouse.home import Home

_LATENT: dict[str, Any] = {
    "files": "*.csv",
    "rows": "sequences",
    "header": False,
    "columns": ["a", "b", "c", "d"],
    "streams": {"latent": {"columns": ["a", "b", "c", "d"], "unit": "1"}},
    "rate_hz": 30,
}


def _read(content: str | bytes | DeviceFile, **described: Any) -> Reading:
    hints = Hints(Formats(tables=[{**_LATENT, **described}]))
    file = content if isinstance(content, DeviceFile) else device_file("wide.csv", content)
    reader = known_by_content(file, hints)
    assert reader is not None
    return reader.read([file], hints)


def _sequences(rows: int = 5, readings: int = 12, *, seed: int = 0) -> npt.NDArray[np.float64]:
    """Shape (rows, readings, 4), five decimals each."""
    return np.random.default_rng(seed).normal(0, 0.1, (rows, readings, 4)).cumsum(axis=1).round(5)


def _text(sequences: npt.NDArray[np.float64]) -> str:
    return "".join(",".join(f"{value:g}" for value in row) + "\n" for row in sequences.reshape(len(sequences), -1).tolist())


@given(
    rows=st.integers(1, 6),
    readings=st.integers(2, 40),
    rate_hz=st.sampled_from([1, 7.5, 29.97, 30, 100]),
)
def test_every_row_is_a_marked_stretch_with_a_gap_before_the_next(rows: int, readings: int, rate_hz: float) -> None:
    sequences = _sequences(rows, readings)
    reading = _read(_text(sequences), rate_hz=rate_hz)
    (stream,) = reading.streams
    assert (stream.name, stream.unit, codes(reading)) == ("latent", "1", [])
    np.testing.assert_allclose(stream.values.reshape(sequences.shape), sequences, atol=1e-5)
    starts = stream.t_ns.reshape(rows, readings)
    assert [(one.start_ns, one.end_ns, one.label) for one in reading.annotations] == [
        (int(row[0]), int(row[-1]), "") for row in starts
    ]
    facts = measure(stream)
    assert facts.gaps == rows - 1
    assert facts.rate_hz == pytest.approx(rate_hz, rel=1e-6)


def test_columns_that_no_stream_asks_for_are_left_out() -> None:
    reading = _read("1,2,3,9,4,5,6,9\n", streams={"accelerometer": {"columns": ["c", "a", "b"], "unit": "m/s^2"}})
    assert reading.streams[0].values.tolist() == [[3, 1, 2], [6, 4, 5]]


_GOOD = _text(_sequences(3, 4))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("1,2,3,4,5,6,7\n", "sequence_cut", "has 7 numbers; due is a whole number of readings"),
        ("1,2,3,4\n", "sequence_cut", "has 4 numbers"),
        (_GOOD.replace("\n", ",1\n", 2).replace(",1\n", "\n", 1), "csv_row_ragged", "the row has 17 fields"),
        (_GOOD.replace(",", "\r", 20).replace("\r", ",", 19), "csv_row_ragged", "the row has 5 fields"),
        ("1,2,3,4,5,6,x,8\n1,2,3,4,5,6,7,8\n", "csv_not_a_number", "row 1 column c of reading 2"),
        ("1,2,3,4,5,6,7,8\n1,nan,3,4,5,6,7,8\n", "csv_value_missing", "row 2 column b of reading 1"),
        ("1,2,3,4,5,6,7,8\n1,inf,3,4,5,6,7,8\n", "csv_", "row 2 column b of reading 1"),
        ("", "csv_empty", "0 bytes"),
        ("\n\n", "csv_no_rows", "no rows"),
        ("1," * 40_000 + "1\n", "sequence_too_long", "longer than 64 KiB"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_sequence_is_told_with_its_place(text: str, code: str, words: str) -> None:
    reading = _read(text)
    assert reading.streams == ()
    (found,) = reading.findings
    assert found.reason.code.startswith(code)
    assert words in f"{found.reason.place}: {found.reason.sentence}"


@pytest.mark.parametrize("wrong", [{"header": True, "columns": []}, {"time": {"column": "a", "unit": "s"}}, {"rate_hz": None}])
def test_a_study_that_says_too_little_of_sequences_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Formats(tables=[{**_LATENT, **wrong}])


_LABELS = ("right", "wrong")
_STUDY = r"""
study: encoded
title: Movements that a program encoded
participants: '^P\d+$'
labels: [right, wrong]
formats:
  tables:
    - files: '*.csv'
      rows: sequences
      header: false
      columns: [a, b, c, d]
      streams: {latent: {columns: [a, b, c, d], unit: '1'}}
      rate_hz: 30
streams:
  latent: {unit: '1', rate_hz: [29, 31], range: [-5, 5]}
tasks:
  form:
    input: {streams: [latent], rate_hz: 30}
    segment: {by: annotation, length: 60}
    models: [{family: svm}]
    promote: {at_least: 0.5}
"""


def test_each_row_becomes_an_example_with_its_numbers_its_order_and_its_files_label(home: Home, tmp_path: Path) -> None:
    (tmp_path / "encoded.yaml").write_text(_STUDY, encoding="utf-8")
    study = load_study(tmp_path / "encoded.yaml")
    content = {(person, label): _sequences(7, 60, seed=number) for number, (person, label) in enumerate(product("12", _LABELS))}
    files = {f"{label}-{person}.csv": _text(sequences) for (person, label), sequences in content.items()}
    rows = (f"{label}-{person}.csv,P{person},{label}\n" for person, label in content)
    manifest = "path,participant,label\n" + "".join(rows)
    receipt = deliver(write(tmp_path / "in", {**files, "manifest.csv": manifest}), study=study, site="gym", home=home)
    read_batch(receipt, study, home)
    assert judge_batch(receipt.batch_id, study, home).accepted == 4
    resample_batch(receipt.batch_id, study, home)
    assert segment_batch(receipt.batch_id, study, home) == 28
    complete_batch(delivered(receipt), home, contract_version=study.contract_version, recipe_version=study.recipe_version)
    table = freeze_examples(study, "form", home)
    assert table.meta.channels == ("latent.x", "latent.y", "latent.z", "latent.w")
    for (person, label), sequences in content.items():
        found = table.signals[(np.array(table.labels) == label) & (np.array(table.participant) == f"P{person}")]
        np.testing.assert_allclose(found, sequences, atol=2e-5)


@pytest.mark.real
@pytest.mark.parametrize("name", ["Autoencoder_Output_Correct.csv", "Autoencoder_Output_Incorrect.csv"])
def test_published_sequences_are_read_in_the_order_in_which_they_are_smooth(real: Path, name: str) -> None:
    path = real / "keypoints" / "uiprmd_deep_squat" / name
    reading = _read(DeviceFile.at(path))
    assert codes(reading) == []
    assert len(reading.annotations) == 90
    values = reading.streams[0].values
    np.testing.assert_allclose(values.reshape(90, 960), np.loadtxt(path, delimiter=","), atol=1e-6)
    steps = np.abs(np.diff(values.reshape(90, 240, 4), axis=1)).mean()
    assert steps < 0.01  # channel by channel it would be 0.2
