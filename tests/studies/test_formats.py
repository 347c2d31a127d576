"""What a study may say about files: patterns, units and columns that fit together, refused where they do not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from studies.formats import UNITS, Formats, PoseFiles, fits

_ACC: dict[str, Any] = {"accelerometer": {"columns": ["x", "y", "z"], "unit": "g"}}


def _table(**changes: Any) -> dict[str, Any]:
    return {"files": "*.csv", "streams": _ACC, "rate_hz": 50} | changes


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (_table(rate_hz=None), "a table needs time or rate_hz"),
        (_table(header=False), "either the file has a header, or its columns are named"),
        (_table(columns=["x", "y", "z"]), "either the file has a header, or its columns are named"),
        (_table(header=False, columns=["x", "y", "w"]), "column 'z' is not named"),
        (_table(header=False, columns=["x", "y", "z"], time={"column": "t", "unit": "s"}), "column 't' is not named"),
        (_table(time={"column": "t", "unit": "seconds"}), "'seconds' is not allowed; wanted: s, ms, us, ns, iso, or a pattern"),
        (_table(streams={"accelerometer": {"columns": ["x", "y"], "unit": "g"}}), "accelerometer needs 3 columns"),
        (_table(streams={"orientation": {"columns": ["x", "y", "z"], "unit": "quaternion"}}), "orientation needs 4 columns"),
        (_table(streams={"gyroscope": _ACC["accelerometer"]}), "gyroscope cannot be in 'g'; allowed: rad/s, deg/s, mdeg/s"),
        (_table(streams={"accelerometer": {"columns": ["x", "y", "z"], "unit": "G's"}}), "'G's' is not known"),
        (_table(streams={"accelerometer@Left Hand": _ACC["accelerometer"]}), "is no placement"),
        (_table(streams={}), "at least 1"),
    ],
)
def test_a_table_whose_parts_do_not_fit_is_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        Formats(tables=[table])


def test_a_packet_whose_stream_names_another_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="column 'x' is not named"):
        Formats(packets=[{"files": "*", "rate_hz": 50, "streams": _ACC}])


def test_a_zone_or_a_placement_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValidationError, match="no IANA name"):
        Formats(timezone="Middle/Earth")
    with pytest.raises(ValidationError, match="is no placement"):
        Formats(placements={"s0": "Left Hand"})


def test_the_first_description_that_fits_a_path_counts() -> None:
    formats = Formats(tables=[_table(files="raw/*.csv", rate_hz=1), _table(files="*.csv", rate_hz=2)])
    found = [formats.table_for(path) for path in ("day/raw/a.csv", "raw/a.csv", "b.csv", "b.txt")]
    assert [table and table.rate_hz for table in found] == [1, 1, 2, None]
    assert fits("a/b.CSV", "*.csv") is False


def test_every_unit_leads_to_one_of_the_lake_and_known_ones_agree() -> None:
    assert UNITS["g"][1] == pytest.approx(1000 * UNITS["mg"][1])
    assert UNITS["G"][1] == pytest.approx(1000 * UNITS["mG"][1])
    assert UNITS["T"][1] == pytest.approx(10_000 * UNITS["G"][1])
    assert UNITS["deg/s"][1] * 180 == pytest.approx(3.14159265)


def test_a_joint_to_be_guessed_is_one_that_the_lake_keeps():
    assert PoseFiles(guessed=("left_wrist",)).guessed == ("left_wrist",)
    with pytest.raises(ValidationError, match="'left_rist' is no joint; did you mean 'left_wrist'"):
        PoseFiles(guessed=("left_rist",))
