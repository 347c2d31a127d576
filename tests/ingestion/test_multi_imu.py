"""Devices with several sensors and two clocks: streams are named after placements, the regular clock tells the time."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ingestion.facts import measure
from ingestion.readers import Hints, known_by_content
from ingestion.recording import Reading
from studies.formats import Formats
from tests.ingestion.device_files import device_file

_START = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
_NS_PER_MS = 1_000_000
_PLACED = Hints(Formats(placements={"s0": "waist", "s1": "thigh"}, timezone="UTC"))


def _csv(
    millis: Sequence[int],
    *,
    seq: Sequence[int] | None = None,
    late_ms: Sequence[int] | None = None,
    extra: str = "0",
    zone: str = "",
) -> str:
    """Rows of two sensors; the host stamps row k `late_ms[k]` after the device took it."""
    axes = [f"s{sensor}_{kind}{axis}" for sensor in (0, 1) for kind in "ag" for axis in "xyz"]
    lines = [",".join(["timestamp", "seq", "millis", "q0", *axes])]
    for row, taken in enumerate(millis):
        arrived = _START + timedelta(milliseconds=taken - millis[0] + (late_ms[row] if late_ms else 0))
        numbers = [f"{np.sin(row / 5 + column):.6f}" for column in range(len(axes))]
        stamp = arrived.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + zone
        lines.append(",".join([stamp, str(seq[row] if seq else 500 + row), str(taken), extra, *numbers]))
    return "\n".join(lines) + "\n"


def _read(content: str | bytes, hints: Hints = _PLACED) -> Reading:
    file = device_file("set1.csv", content)
    reader = known_by_content(file, hints)
    assert reader is not None
    assert reader.name == "multi_imu"
    return reader.read([file], hints)


def _codes(reading: Reading) -> dict[str, str]:
    return {found.reason.code: found.severity for found in reading.findings}


def test_every_sensor_becomes_streams_named_after_where_it_sits() -> None:
    reading = _read(_csv(range(7000, 8000, 9)))
    assert [stream.name for stream in reading.streams] == [
        "accelerometer@waist",
        "gyroscope@waist",
        "accelerometer@thigh",
        "gyroscope@thigh",
    ]
    assert [stream.unit for stream in reading.streams] == ["m/s^2", "rad/s"] * 2
    assert reading.streams[2].values[3] == pytest.approx([np.sin(3 / 5 + column) for column in (6, 7, 8)], abs=1e-6)


def test_a_sensor_that_the_study_does_not_place_keeps_the_devices_name_for_it() -> None:
    reading = _read(_csv(range(0, 900, 9)), Hints(Formats(placements={"s0": "waist"}, timezone="UTC")))
    assert "accelerometer@s1" in [stream.name for stream in reading.streams]
    assert _codes(reading)["placement_unknown"] == "note"


def test_the_devices_regular_clock_is_used_and_set_to_the_host_by_the_median() -> None:
    late = [3] * 60 + [250] * 30 + [3] * 60
    reading = _read(_csv(range(1_000_000, 1_000_000 + 150 * 9, 9), late_ms=late))
    stream = reading.streams[0]
    start_ns = int(_START.timestamp()) * 1_000 * _NS_PER_MS
    assert (stream.t_ns == start_ns + (3 + 9 * np.arange(150)) * _NS_PER_MS).all()
    assert measure(stream).jitter == 0
    (repair,) = reading.repairs
    assert (repair.kind, repair.before, repair.after) == ("clock_chosen", "timestamp", "millis")
    assert "+247 ms" in repair.sentence


def test_drift_between_the_two_clocks_is_measured() -> None:
    taken = np.arange(0, 120_000, 10)
    late = np.rint(taken * 1e-3).astype(int)  # the host's clock gains a thousandth
    reading = _read(_csv(taken.tolist(), late_ms=late.tolist()))
    assert reading.streams[0].drift_ppm == pytest.approx(-999, abs=15)


def test_lost_packets_stay_holes_and_are_counted_with_their_row() -> None:
    kept = [row for row in range(200) if row not in (50, *range(100, 126))]
    reading = _read(_csv([row * 9 for row in kept], seq=[900 + row for row in kept]))
    (lost,) = [found for found in reading.findings if found.reason.code == "packets_lost"]
    assert lost.severity == "warning"
    assert lost.reason.sentence.startswith("lost packets: 27, holes: 2, the longest of 243 ms")
    assert lost.reason.place == f"set1.csv row {kept.index(126) + 2} column seq"
    assert measure(reading.streams[0]).longest_gap_s == pytest.approx(0.243)


def test_a_counter_that_wraps_after_49_days_goes_on() -> None:
    wrapped = [(2**32 - 450 + step * 9) % 2**32 for step in range(100)]
    text = _csv(range(0, 900, 9))
    rows = [line.split(",") for line in text.splitlines()]
    for row, millis in zip(rows[1:], wrapped, strict=True):
        row[2] = str(millis)
    reading = _read("\n".join(map(",".join, rows)) + "\n")
    assert (np.diff(reading.streams[0].t_ns) == 9 * _NS_PER_MS).all()
    assert "device_restarted" not in _codes(reading)


def test_a_device_that_was_started_again_is_set_to_the_host_once_for_each_run() -> None:
    text = _csv(range(50_000, 50_900, 9))
    rows = [line.split(",") for line in text.splitlines()]
    for number, row in enumerate(rows[51:]):
        row[2] = str(number * 9)
    reading = _read("\n".join(map(",".join, rows)) + "\n")
    assert (np.diff(reading.streams[0].t_ns) == 9 * _NS_PER_MS).all()
    assert _codes(reading)["device_restarted"] == "warning"


def test_a_pause_that_the_devices_clock_leaves_out_becomes_a_gap_and_a_finding() -> None:
    late = [3 if row % 40 else 400 for row in range(600)]
    paused = [delay + (4_000 if row >= 300 else 0) for row, delay in enumerate(late)]
    assert "device_paused" not in _codes(_read(_csv(range(0, 5_400, 9), late_ms=late)))
    reading = _read(_csv(range(0, 5_400, 9), late_ms=paused))
    steps = np.diff(reading.streams[0].t_ns) // _NS_PER_MS
    assert np.flatnonzero(steps != 9).tolist() == [299]
    assert steps[299] == 4_009
    assert _codes(reading)["device_paused"] == "warning"


def test_a_column_that_never_changes_is_left_out_with_a_note_and_one_that_does_too() -> None:
    assert _codes(_read(_csv(range(0, 900, 9)))) == {"column_constant": "note"}
    text = _csv(range(9, 900, 9)).replace(",0,", ",0.5,", 1)
    assert _codes(_read(text)) == {"column_unknown": "note"}


def test_local_time_is_of_the_manifests_zone_then_the_studys_then_utc_with_a_note() -> None:
    text = _csv(range(0, 900, 9))
    utc = _read(text).streams[0].t_ns[0]
    seoul = _read(text, Hints(Formats(placements=_PLACED.formats.placements, timezone="Asia/Seoul")))
    assert utc - seoul.streams[0].t_ns[0] == 9 * 3_600_000 * _NS_PER_MS
    berlin = _read(text, Hints(seoul and Formats(timezone="Asia/Seoul"), timezone="Europe/Berlin"))
    assert utc - berlin.streams[0].t_ns[0] == 3_600_000 * _NS_PER_MS
    unknown = _read(text, Hints(Formats(placements=_PLACED.formats.placements)))
    assert unknown.streams[0].t_ns[0] == utc
    assert _codes(unknown)["timezone_unknown"] == "note"
    assert "timezone_unknown" not in _codes(_read(_csv(range(0, 900, 9), zone="+00:00"), Hints(_PLACED.formats)))


@pytest.mark.parametrize(
    ("broken", "code", "place"),
    [
        (lambda text: text.replace("2026-03-01T10:00:00.027", "noon"), "time_not_read", "row 5 column timestamp"),
        (lambda text: text.replace(",503,", ",5x3,"), "csv_not_a_number", "row 5 column seq"),
        (lambda text: text.replace(",27,0,", ",2.7E1,0,"), "csv_not_a_number", "row 5 column millis"),
        (lambda text: text.splitlines()[0] + "\n", "csv_no_rows", "set1.csv"),
        (lambda text: text.replace("\n2026", ",1\n2026", 3), "csv_row_ragged", "row"),
    ],
)
def test_what_is_broken_is_told_with_row_and_column(broken, code: str, place: str) -> None:  # type: ignore[no-untyped-def]
    reading = _read(broken(_csv(range(0, 900, 9))))
    assert not reading.streams
    (found,) = reading.findings
    assert (found.reason.code, found.severity) == (code, "error")
    assert place in found.reason.place


def test_a_last_line_that_was_cut_off_costs_itself() -> None:
    reading = _read(_csv(range(0, 900, 9))[:-40])
    assert len(reading.streams[0].t_ns) == 99
    assert [repair.kind for repair in reading.streams[0].repairs] == ["tail_cut"]


@pytest.mark.real
def test_real_sessions_run_at_their_measured_rate_with_their_lost_packets(real: Path) -> None:
    placements = {"s0": "waist", "s1": "thigh", "s2": "calf"}
    hints = Hints(Formats(placements=placements, timezone="Asia/Seoul"))
    rates, lost, rows = [], 0, 0
    with zipfile.ZipFile(real / "squat_3imu" / "raw.zip") as archive:
        for name in (name for name in archive.namelist() if "class2" in name):
            file = device_file(name, archive.read(name))
            reader = known_by_content(file, hints)
            assert reader is not None
            reading = reader.read([file], hints)
            assert len(reading.streams) == 6
            facts = measure(reading.streams[0])
            rates.append(facts.rate_hz)
            rows += facts.rows
            lost += sum(
                int(re.findall(r"\d+", found.reason.sentence)[0])
                for found in reading.findings
                if found.reason.code == "packets_lost"
            )
            assert facts.jitter is not None
            assert facts.jitter < 0.07
    assert np.median(rates) == pytest.approx(110.19, abs=0.1)
    assert rates == pytest.approx([110.19] * len(rates), abs=0.4)  # the sessions' own
    assert (lost, rows) == (36, 28_392)
