"""Tables that a study describes: any delimiter, header, comments, units and way to write time; told exactly where they break."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.batch import read_file
from ingestion.facts import measure
from ingestion.readers import Hints, csv_columns, known_by_content
from ingestion.readers.time_text import nanoseconds
from ingestion.recording import Reading
from studies.formats import Formats
from tests.ingestion.device_files import device_file

_ACC: dict[str, Any] = {"accelerometer": {"columns": ["ax", "ay", "az"], "unit": "m/s^2"}}
_T0 = 1_700_000_000_000_000_000


def _hints(timezone: str = "", **described: Any) -> Hints:
    table = {"files": "*", "streams": _ACC, "time": {"column": "t", "unit": "ms"}} | described
    return Hints(Formats(tables=[{key: value for key, value in table.items() if value is not None}]), timezone)


def _read(content: str | bytes, hints: Hints, name: str = "walk.csv") -> Reading:
    file = device_file(name, content)
    reader = known_by_content(file, hints)
    assert reader is not None
    assert reader.name == "table"
    return reader.read([file], hints)


def _rows(reading: Reading) -> list[list[float]]:
    assert not [found for found in reading.findings if found.severity == "error"], reading.findings
    return np.round(reading.streams[0].values.astype(float), 4).tolist()


def test_columns_are_taken_by_name_in_the_order_that_the_study_names() -> None:
    text = "az,t,note,ax,ay\n3,1700000000000,hello,1,2\n6,1700000000020,,4,5\n"
    reading = _read(text, _hints())
    assert _rows(reading) == [[1, 2, 3], [4, 5, 6]]
    assert reading.streams[0].t_ns.tolist() == [_T0, _T0 + 20_000_000]


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("t;ax;ay;az\n1700000000000;0,5;-1;9,8\n", {"delimiter": ";", "decimal": ","}),
        ("1700000000000 0.5 -1 9.8 \n", {"delimiter": " ", "header": False, "columns": ["t", "ax", "ay", "az"]}),
        ("  1700000000000\t 0.5   -1 9.8\t\r\n", {"delimiter": " ", "header": False, "columns": ["t", "ax", "ay", "az"]}),
        ("Device 7\nt,ax,ay,az\n1700000000000,0.5,-1,9.8\n", {"skip_lines": 1}),
        ("# of 2026\nt,ax,ay,az\n# begin\n1700000000000,0.5,-1,9.8\n# end", {"comment": "#"}),
        ("\ufefft,ax,ay,az\n1700000000000,0.5,-1,9.8\n", {}),
        ("t,ax,ay,az\r\n1700000000000,0.5,-1,9.8", {}),
        ("t\tax\tay\taz\n1700000000000\t0.5\t-1\t9.8\n", {"delimiter": "\t"}),
    ],
)
def test_a_table_is_read_however_it_is_written(text: str, described: dict[str, Any]) -> None:
    reading = _read(text, _hints(**described))
    assert _rows(reading) == [[0.5, -1, 9.8]]
    assert reading.streams[0].t_ns.tolist() == [_T0]


@pytest.mark.parametrize(
    ("stamp", "unit", "t_ns"),
    [
        ("1700000000.000000001", "s", _T0 + 1),
        ("1700000000", "s", _T0),
        ("1700000000123.456789", "ms", _T0 + 123_456_789),
        ("1700000000000001.5", "us", _T0 + 1_500),
        ("1700000000000000001", "ns", _T0 + 1),
        ("2023-11-14T22:13:20.000000001Z", "iso", _T0 + 1),
        ("2023-11-14T23:13:20+01:00", "iso", _T0),
        ("2023-11-14 22:13:20.5", "iso", _T0 + 500_000_000),
        ("20231114221320", "%Y%m%d%H%M%S", _T0),
        ("14.11.2023 22:13:20.25", "%d.%m.%Y %H:%M:%S.%f", _T0 + 250_000_000),
    ],
)
def test_time_is_exact_to_the_nanosecond_in_every_unit(stamp: str, unit: str, t_ns: int) -> None:
    reading = _read(f"t,ax,ay,az\n{stamp},1,2,3\n", _hints(time={"column": "t", "unit": unit}))
    assert reading.streams[0].t_ns.tolist() == [t_ns]


@given(
    st.lists(st.integers(0, 4 * 10**18), min_size=1, max_size=20), st.sampled_from([("s", 9), ("ms", 6), ("us", 3), ("ns", 0)])
)
def test_no_digit_of_a_time_is_lost(times: list[int], unit: tuple[str, int]) -> None:
    name, places = unit
    texts = [f"{t // 10**places}.{t % 10**places:0{places}d}" if places else str(t) for t in times]
    assert nanoseconds(pa.array(texts), name)[0].tolist() == times


def test_local_times_are_of_the_manifests_zone_before_the_studys() -> None:
    text, time = "t,ax,ay,az\n20231115071320,1,2,3\n", {"column": "t", "unit": "%Y%m%d%H%M%S"}
    assert _read(text, _hints("Asia/Seoul", time=time)).streams[0].t_ns.tolist() == [_T0 + 0]
    unknown = _read(text, _hints(time=time))
    assert [(found.reason.code, found.severity) for found in unknown.findings] == [("timezone_unknown", "note")]


@pytest.mark.parametrize(
    ("unit", "scale", "factor"),
    [("g", 1.0, 9.80665), ("mg", 100.0, 0.980665), ("m/s^2", -1.0, -1.0), ("g", 1 / 2048, 9.80665 / 2048)],
)
def test_values_come_out_in_the_lakes_unit_and_the_conversion_is_told(unit: str, scale: float, factor: float) -> None:
    streams = {"accelerometer@wrist": {"columns": ["ax", "ay", "az"], "unit": unit, "scale": scale}}
    (stream,) = _read("t,ax,ay,az\n1700000000000,1,2,3\n", _hints(streams=streams)).streams
    assert stream.values[0] == pytest.approx(np.array([1, 2, 3]) * factor, rel=1e-6)
    assert (stream.unit, stream.declared_unit) == ("m/s^2", unit)
    assert [(repair.kind, repair.before, repair.after) for repair in stream.repairs] == [("unit_converted", unit, "m/s^2")]


def test_a_table_without_time_runs_at_the_known_rate_from_1970_on_and_says_so() -> None:
    text = "ax,ay,az\n" + "".join(f"{row},0,0\n" for row in range(5))
    reading = _read(text, _hints(time=None, rate_hz=2))
    assert reading.streams[0].t_ns.tolist() == [row * 500_000_000 for row in range(5)]
    assert reading.streams[0].declared_rate_hz == 2
    assert [(found.reason.code, found.severity) for found in reading.findings] == [("time_not_absolute", "note")]


def test_seconds_since_the_start_are_told_from_dates() -> None:
    reading = _read("t,ax,ay,az\n0.02,1,2,3\n0.04,1,2,3\n", _hints(time={"column": "t", "unit": "s"}))
    assert [found.reason.code for found in reading.findings] == ["time_not_absolute"]
    assert reading.streams[0].t_ns.tolist() == [20_000_000, 40_000_000]


@pytest.mark.parametrize("kind", ["epoch", "stamp", "seconds"])
def test_parquet_is_known_by_its_content_and_read_by_the_same_description(kind: str) -> None:
    times: dict[str, tuple[str, pa.Array]] = {
        "epoch": ("ms", pa.array([1_700_000_000_000, 1_700_000_000_020])),
        "stamp": ("iso", pa.array([_T0, _T0 + 20_000_000], pa.timestamp("ns", tz="UTC"))),
        "seconds": ("s", pa.array([1_700_000_000.0, 1_700_000_000.02])),
    }
    unit, column = times[kind]
    table = pa.table({"az": pa.array([3, 6]), "t": column, "ax": pa.array([1.0, 4.0]), "ay": pa.array([2.0, 5.0], pa.float32())})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    reading = _read(buffer.getvalue(), _hints(time={"column": "t", "unit": unit}), "walk.parquet")
    assert _rows(reading) == [[1, 2, 3], [4, 5, 6]]
    assert np.abs(reading.streams[0].t_ns - np.array([_T0, _T0 + 20_000_000])).max() <= (100 if kind == "seconds" else 0)


_GOOD = "t,ax,ay,az\n" + "".join(f"{1_700_000_000_000 + row * 20},{row}.5,0,9.8\n" for row in range(40))


@pytest.mark.parametrize(
    ("text", "described", "code", "place"),
    [
        ("", {}, "csv_empty", "walk.csv"),
        ("t,ax,ay,az\n", {}, "csv_no_rows", "walk.csv"),
        ("t,ax,ay\n1,2,3\n", {}, "csv_header_unknown", "walk.csv"),
        (_GOOD.replace("7.5", "7.5x"), {}, "csv_not_a_number", "walk.csv row 9 column ax"),
        (_GOOD.replace("7.5", ""), {}, "csv_value_missing", "walk.csv row 9 column ax"),
        (_GOOD.replace("7.5", "inf"), {}, "csv_value_missing", "walk.csv row 9 column ax"),
        (_GOOD.replace("7.5", "1,2"), {}, "csv_row_ragged", "walk.csv row 9"),
        (_GOOD.replace("1700000000140", "noon"), {}, "time_not_read", "walk.csv row 9 column t"),
        (_GOOD.replace("1700000000140", "-5"), {}, "time_out_of_range", "walk.csv row 9 column t"),
        ("top\n" + _GOOD.replace("7.5", "x"), {"skip_lines": 1}, "csv_not_a_number", "walk.csv row 10 column ax"),
        ("#\n" + _GOOD.replace("7.5", "x"), {"comment": "#"}, "csv_not_a_number", "walk.csv row 10 column ax"),
        ("#\n" + _GOOD.replace("1700000000140", "noon"), {"comment": "#"}, "time_not_read", "walk.csv row 10 column t"),
        (b"PAR1 is no table", {}, "parquet_not_parsed", "walk.csv"),
        (bytes(range(256)) * 20, {}, "csv_", "walk.csv"),
    ],
)
def test_what_is_broken_is_told_with_row_and_column(text: Any, described: dict[str, Any], code: str, place: str) -> None:
    reading = _read(text, _hints(**described))
    assert not reading.streams
    (found,) = reading.findings
    assert found.reason.code.startswith(code)
    assert found.severity == "error"
    assert found.reason.place == place


def test_a_last_line_that_was_cut_off_costs_itself() -> None:
    reading = _read(_GOOD[:-6], _hints())
    assert len(reading.streams[0].t_ns) == 39
    assert [repair.kind for repair in reading.streams[0].repairs] == ["tail_cut"]


def test_blocks_meet_without_a_row_lost_and_a_long_table_lies_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.readers.text_table.BLOCK_BYTES", 700)
    monkeypatch.setattr(csv_columns, "SPOOLED_FROM_BYTES", 1000)
    text = "".join(f"# {row}\n{1_700_000_000_000 + row} {row}  1 2 \n" for row in range(3000))
    described = {"delimiter": " ", "header": False, "columns": ["t", "ax", "ay", "az"], "comment": "#"}
    (stream,) = _read(text, _hints(**described)).streams
    assert stream.values[:, 0].tolist() == list(range(3000))
    assert (np.diff(stream.t_ns) == 1_000_000).all()
    assert isinstance(stream.values, np.memmap)


def test_a_table_that_the_study_does_not_name_is_nobodys() -> None:
    assert known_by_content(device_file("other/walk.csv", _GOOD), _hints(files="raw/*.csv")) is None


_GAIT = {
    "files": "*.txt",
    "delimiter": " ",
    "header": False,
    "columns": ["time", "ax", "ay", "az", "gx", "gy", "gz", "pressure"],
    "time": {"column": "time", "unit": "%Y%m%d%H%M%S"},
    "streams": {
        "accelerometer": {"columns": ["ax", "ay", "az"], "unit": "m/s^2"},
        "gyroscope": {"columns": ["gx", "gy", "gz"], "unit": "rad/s"},
    },
}


@pytest.mark.real
def test_real_one_second_stamps_are_spread_to_fifty_readings_a_second(real: Path) -> None:
    hints = Hints(Formats(tables=[_GAIT], timezone="Asia/Shanghai"))
    for path in sorted((real / "gait_phone" / "gait_mobile_Acc_data").glob("*/*/*a1.txt")):
        reading = read_file(path, hints)
        lines = path.read_bytes().count(b"\n")
        assert [stream.name for stream in reading.streams] == ["accelerometer", "gyroscope"]
        for stream in reading.streams:
            facts = measure(stream)
            assert facts.rows == lines
            assert facts.rate_hz == pytest.approx(50, abs=0.1)
            assert facts.mean_rate_hz == pytest.approx(50, abs=0.3)
            assert facts.gaps == 0
