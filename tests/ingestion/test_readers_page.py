"""docs/readers.md: every format is on the page, and its example is a reader that works from file to lake."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import ingestion.grouping
import ingestion.readers
from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.readers import READERS, Reader
from studies.loader import find_study
from tests.ingestion.device_files import device_file, write
from warehouse.home import Home
from warehouse.lake import Lake

_PAGE = (Path(__file__).parents[2] / "docs" / "readers.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", _PAGE, flags=re.DOTALL)
    return block


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """The page's example, in the registry."""
    path = tmp_path / "acme_on_the_page.py"
    path.write_text(_block("python"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    for place in (ingestion.readers, ingestion.grouping):
        monkeypatch.setattr(place, "READERS", (*READERS, module.READER))
    return module.READER


def test_every_format_is_on_the_page():
    table = _PAGE.partition("## What is read today")[2].partition("###")[0]
    listed = {name for line in re.findall(r"(?m)^\| (`.*?) \|", table) for name in re.findall(r"`(\w+)`", line)}
    assert listed == {reader.name for reader in READERS}


def test_the_example_goes_from_a_delivery_to_the_lake(acme: Reader, home: Home, tmp_path: Path):
    manifest = "path,participant,label\nwalk.csv,P01,walking\n"
    folder = write(tmp_path / "delivery", {"walk.csv": _block("csv"), "manifest.csv": manifest})
    study = find_study("phone_activities")
    receipt = deliver(folder, study=study, site="lab", home=home)
    read_batch(receipt, study, home)
    (recording,) = Lake(home).read("recordings").to_pylist()
    assert (recording["format"], len(recording["device"])) == ("acme", 16)
    rows = Lake(home).read("streams").to_pylist()
    assert {row["stream"]: (row["unit"], row["rows"], round(row["rate_hz"])) for row in rows} == {
        "accelerometer": ("m/s^2", 4, 100),
        "gyroscope": ("rad/s", 4, 100),
    }
    assert Lake(home).read("findings").to_pylist() == []


def test_the_example_converts_to_si_units(acme: Reader):
    reading = acme.read([device_file("walk.csv", _block("csv"))], ingestion.readers.NO_HINTS)
    accelerometer, gyroscope = reading.streams
    np.testing.assert_allclose(accelerometer.values[0], [0.0980665, -0.196133, 9.80665], rtol=1e-5)
    np.testing.assert_allclose(gyroscope.values[0], np.deg2rad([0.5, -0.5, 0.0]), rtol=1e-5)
    assert "SN-0042" not in repr(reading)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (_block("csv").replace("0.99", "oops"), "csv_not_a_number"),
        (_block("csv").splitlines()[0] + "\n", "csv_no_rows"),
        ("", "csv_empty"),
    ],
)
def test_the_example_says_what_is_wrong_with_a_file(acme: Reader, text: str, code: str):
    reading = acme.read([device_file("walk.csv", text)], ingestion.readers.NO_HINTS)
    assert (reading.streams, reading.findings[0].reason.code) == ((), code)
    assert reading.findings[0].reason.place.startswith("walk.csv")
