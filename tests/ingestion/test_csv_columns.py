"""Columns out of a CSV: exact integers, float32, and the exact place of what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.readers import csv_columns
from ingestion.readers.csv_columns import header_of, read_columns, text_rows
from ingestion.spool import Spooled
from tests.ingestion.device_files import device_file
from warehouse.errors import Reason, UnreadableFile

HEADER = "time,seconds_elapsed,z,y,x\n"
GOOD = HEADER + "".join(f"{1_700_000_000_000_000_001 + k},{k},{k}.5,2,3\n" for k in range(10))


def read(text: str | bytes) -> tuple[np.ndarray, np.ndarray]:
    columns = read_columns(device_file("walk.csv", text), time="time", ns_per_tick=1, axes=("x", "y", "z"))
    return columns.t_ns, columns.values


def refused(text: str | bytes) -> Reason:
    with pytest.raises(UnreadableFile) as caught:
        read(text)
    (reason,) = caught.value.reasons
    return reason


def test_columns_are_taken_by_name_and_nanoseconds_stay_exact():
    t_ns, values = read(GOOD)
    assert t_ns.dtype == np.int64
    assert t_ns.tolist() == [1_700_000_000_000_000_001 + k for k in range(10)]
    assert values.dtype == np.float32
    assert values[4].tolist() == [3.0, 2.0, 4.5]


@settings(deadline=None)
@given(st.lists(st.integers(0, csv_columns.LATEST_NS - 1), min_size=1, max_size=30))
def test_every_allowed_nanosecond_survives_the_round_trip(stamps):
    t_ns, _ = read(HEADER + "".join(f"{stamp},0,1,2,3\n" for stamp in stamps))
    assert t_ns.tolist() == stamps


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_every_float32_survives_the_round_trip(numbers):
    _, values = read(HEADER + "".join(f"{row},0,1,2,{number!r}\n" for row, number in enumerate(numbers)))
    assert values[:, 0].tolist() == numbers


def test_milliseconds_become_nanoseconds_without_a_float_between():
    file = device_file("a.csv", "epoch (ms),x\n1699999999999,0.25\n")
    columns = read_columns(file, time="epoch (ms)", ns_per_tick=1_000_000, axes=("x",))
    assert columns.t_ns.tolist() == [1_699_999_999_999_000_000]


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.removesuffix("\n"),
        GOOD.replace(",", "\t"),
        GOOD.replace(".", "#").replace(",", ";").replace("#", ","),
        GOOD + "\n\n",
        GOOD.replace("time,", '"time",'),
    ],
    ids=["crlf", "byte order mark", "no last newline", "tabs", "semicolons and decimal commas", "blank lines", "quoted name"],
)
def test_ways_of_writing_the_same_table_read_the_same(text):
    for got, expected in zip(read(text), read(GOOD), strict=True):
        np.testing.assert_array_equal(got, expected)


def _with_row(number: int, row: str) -> str:
    """Return GOOD with line `number` (the header is 1) replaced."""
    lines = GOOD.splitlines(keepends=True)
    lines[number - 1] = row + "\n"
    return "".join(lines)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "csv_empty", "walk.csv"),
        (HEADER, "csv_no_rows", "walk.csv"),
        (HEADER.strip(), "csv_no_rows", "walk.csv"),
        ("1,2,3,4,5\n1,2,3,4,5\n", "csv_header_unknown", "walk.csv row 1"),
        (GOOD.replace("time,", "tine,"), "csv_header_unknown", "walk.csv row 1"),
        (GOOD.replace("y,x", "x,x"), "csv_header_unknown", "walk.csv row 1"),
        (_with_row(5, "1700000000000000001,1,2"), "csv_row_ragged", "walk.csv row 5"),
        (_with_row(5, "1700000000000000001,1,2,3,4,5"), "csv_row_ragged", "walk.csv row 5"),
        (_with_row(7, "1700000000000000001,1,2,3,oops"), "csv_not_a_number", "walk.csv row 7 column x"),
        (_with_row(7, "noon,1,2,3,4"), "csv_not_a_number", "walk.csv row 7 column time"),
        (_with_row(7, "1.7e+18,1,2,3,4"), "csv_not_a_number", "walk.csv row 7 column time"),
        (_with_row(7, "99999999999999999999,1,2,3,4"), "csv_not_a_number", "walk.csv row 7 column time"),
        (_with_row(7, ",1,2,3,4"), "csv_value_missing", "walk.csv row 7 column time"),
        (_with_row(3, "1700000000000000001,1,2,,4"), "csv_value_missing", "walk.csv row 3 column y"),
        (_with_row(3, "1700000000000000001,1,2,NaN,4"), "csv_value_missing", "walk.csv row 3 column y"),
        (_with_row(3, "1700000000000000001,1,2,-inf,4"), "csv_value_missing", "walk.csv row 3 column y"),
        (_with_row(3, "1700000000000000001,1,2,1e39,4"), "csv_value_missing", "walk.csv row 3 column y"),
        (_with_row(9, "-5,1,2,3,4"), "time_out_of_range", "walk.csv row 9 column time"),
        (_with_row(9, "9000000000000000000,1,2,3,4"), "time_out_of_range", "walk.csv row 9 column time"),
    ],
)
def test_a_broken_file_is_refused_with_its_exact_place(text, code, place):
    reason = refused(text)
    assert (reason.code, reason.place) == (code, place)
    assert reason.sentence
    assert reason.remedy


def test_what_is_wrong_in_a_column_that_nobody_needs_does_not_matter():
    t_ns, _ = read(_with_row(5, "1700000000000000001,soon,2,3,4"))
    assert t_ns.size == 10


def test_rows_are_counted_in_lines_of_the_file_with_blank_ones():
    assert refused(GOOD + "\n\nbad,1,2,3,4\n").place == "walk.csv row 14 column time"


def test_a_rounded_time_stamp_is_said_to_be_a_spreadsheets_work():
    assert "spreadsheet" in refused(_with_row(4, "1.54722E+12,1,2,3,4")).sentence


def test_a_misspelt_column_is_met_with_the_nearest_one():
    assert "did you mean 'tine'?" in refused(GOOD.replace("time,", "tine,")).sentence


def test_a_single_endless_line_is_refused_and_not_swallowed():
    assert refused(HEADER + "7" * 9_000_000).code in {"csv_row_ragged", "csv_not_parsed"}


def test_binary_rubbish_under_a_good_header_is_refused():
    assert refused(HEADER.encode() + bytes(range(256)) * 40).code.startswith("csv_")


def test_too_much_text_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(csv_columns, "MOST_BYTES", 100)
    assert refused(GOOD).code == "csv_too_large"


def test_texts_with_quotes_commas_and_line_breaks_are_read_by_name():
    file = device_file("a.csv", '\ufefftime,text\n1,"up, and\ndown"\n2,"<b>"\n')
    assert text_rows(file) == [{"time": "1", "text": "up, and\ndown"}, {"time": "2", "text": "<b>"}]


def test_the_header_tells_its_delimiter():
    assert header_of(b"a\tb\n").delimiter == "\t"
    assert header_of(b"a;b\n1.5;2\n").decimal_point == "."


@pytest.mark.parametrize(
    "tail", ["1700", "1700000000000000011,1,0.5", "1700000000000000011,1,0.5,2,", "oops\n", "1,2\n", "1,2\r\n"]
)
def test_a_last_line_that_was_cut_off_is_left_out_alone_and_said(tail):
    columns = read_columns(device_file("walk.csv", GOOD + tail), time="time", ns_per_tick=1, axes=("x", "y", "z"))
    assert columns.t_ns.tolist() == read(GOOD)[0].tolist()
    (repair,) = columns.repairs
    assert (repair.kind, repair.rows, repair.source, repair.before) == ("tail_cut", 1, "walk.csv", tail.strip())
    assert "row 12" in repair.sentence


def test_a_last_number_that_lost_digits_is_no_reading():
    rows = [f"{1_700_000_000_000_000_000 + k},0,1,2,{k}.123456\n" for k in range(10)]
    for cut, kept in ((1, 10), (2, 9), (5, 9)):  # one character: the line end alone
        columns = read_columns(device_file("walk.csv", HEADER + "".join(rows)[:-cut]), time="time", ns_per_tick=1, axes=("x",))
        assert (columns.t_ns.size, len(columns.repairs)) == (kept, 10 - kept)


@settings(deadline=None)
@given(st.integers(1, len(GOOD) - len(HEADER) - 1))
def test_a_file_cut_anywhere_keeps_every_whole_line_and_no_other(lost):
    text = GOOD[:-lost]
    whole = text[len(HEADER) :].count("\n")
    if not whole:
        return
    t_ns, values = read(text)
    expected_t_ns, expected = read(GOOD)
    assert t_ns.size in {whole, whole + 1}
    np.testing.assert_array_equal(values, expected[: t_ns.size])
    np.testing.assert_array_equal(t_ns, expected_t_ns[: t_ns.size])


def test_a_long_file_is_spooled_and_reads_the_same(monkeypatch):
    in_memory = read(GOOD)
    monkeypatch.setattr(csv_columns, "SPOOLED_FROM_BYTES", 10)
    spooled = read(GOOD)
    assert all(isinstance(array, Spooled) for array in spooled)
    for long, short in zip(spooled, in_memory, strict=True):
        np.testing.assert_array_equal(long, short)


def test_damaged_names_of_columns_reach_no_message_whole_and_no_terminal():
    reason = refused("\x1b]0;title\x07" + "x" * 5000 + ",y\n1,2\n")
    assert reason.code == "csv_header_unknown"
    assert reason.sentence.isprintable()
    assert len(reason.sentence) < 400
