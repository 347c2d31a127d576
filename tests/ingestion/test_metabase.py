"""MetaBase CSVs: known by content, paired by name, SI units out, clocks compared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ingestion.facts import measure
from ingestion.grouping import captures
from ingestion.readers import DeviceFile, known_by_content, metabase
from tests.ingestion.device_files import START_MS, G, device_file, metabase_csv, metabase_name, rocking

VALUES = rocking(100)


def accelerometer(**changes: object) -> DeviceFile:
    return device_file(metabase_name(**changes), metabase_csv(VALUES))  # type: ignore[arg-type]


def gyroscope(**changes: object) -> DeviceFile:
    name = metabase_name("Gyroscope", rate="100.000", **changes)  # type: ignore[arg-type]
    return device_file(name, metabase_csv(VALUES * 90, unit="deg/s", step_ms=10))


def test_both_sensors_come_out_in_si_units_on_their_own_clocks():
    reading = metabase.read([gyroscope(), accelerometer()])
    streams = {stream.name: stream for stream in reading.streams}
    np.testing.assert_allclose(streams["accelerometer"].values, VALUES * G, atol=0.001)
    np.testing.assert_allclose(streams["gyroscope"].values, np.deg2rad(VALUES * 90), atol=0.001)
    assert streams["accelerometer"].t_ns[:2].tolist() == [START_MS * 10**6, (START_MS + 20) * 10**6]
    assert (streams["accelerometer"].declared_rate_hz, streams["gyroscope"].declared_rate_hz) == (50.0, 100.0)
    assert reading.findings == ()
    assert reading.metadata == {"app_version": "1.7.3"}


def test_the_format_is_known_by_content_under_any_name():
    assert known_by_content(device_file("export (3).txt", metabase_csv(VALUES))) is metabase.READER
    assert known_by_content(device_file(metabase_name(), "day,steps\n1,2\n")) is None


@pytest.mark.parametrize("header", ["epoc (ms),timestamp (-0700),elapsed (s)", "epoch (ms),time (-13:00),elapsed (s)"])
def test_headers_of_other_versions_of_the_app_are_read(header):
    text = metabase_csv(VALUES).replace("epoch (ms),time (01:00),elapsed (s)", header)
    reading = metabase.read([device_file("walk.csv", text)])
    assert [stream.name for stream in reading.streams] == ["accelerometer"]
    assert reading.findings == ()


@pytest.mark.parametrize(("unit", "factor"), [("T", 1e6), ("uT", 1.0)])
def test_a_magnetometer_comes_out_in_microtesla(unit, factor):
    (stream,) = metabase.read([device_file("m.csv", metabase_csv(VALUES * 10, unit=unit))]).streams
    assert stream.name == "magnetometer"
    np.testing.assert_allclose(stream.values, VALUES * 10 * factor, rtol=0.01, atol=1e-4 * factor)


def test_fused_sensors_of_the_same_unit_are_told_apart_by_name():
    files = [device_file(metabase_name(sensor), metabase_csv(VALUES)) for sensor in ("Linear Acceleration", "Gravity")]
    assert {stream.name for stream in metabase.read(files).streams} == {"linear_acceleration", "gravity"}


def test_files_of_one_recording_differ_in_sensor_and_rate_only():
    assert metabase.pairing_key(accelerometer()) == metabase.pairing_key(gyroscope())
    assert metabase.pairing_key(accelerometer()) != metabase.pairing_key(accelerometer(who="P002-squat-1"))
    assert len(captures([accelerometer(), accelerometer(start="2023-11-14T23.14.20.000")])) == 2
    longer = accelerometer().name.replace("1.7.3", "1.7.31")
    assert metabase.pairing_key(accelerometer()) != metabase.pairing_key(device_file(longer, ""))
    assert metabase.pairing_key(device_file("a_gyroscope_day/x.csv", "")) == "a_gyroscope_day/x.csv"


def test_the_serial_number_leaves_only_a_hash():
    reading = metabase.read([accelerometer()])
    assert len(reading.device) == 16
    assert int(reading.device, 16) >= 0
    assert metabase.device([accelerometer()]) == reading.device
    assert metabase.device([device_file("walk.csv", "")]) == ""


@pytest.mark.parametrize(("start", "shifted"), [("2023-11-14T23.12.30.000", False), ("2023-11-13T23.13.20.000", True)])
def test_a_clock_that_contradicts_the_name_by_more_than_a_minute_is_a_warning(start, shifted):
    findings = metabase.read([accelerometer(start=start)]).findings
    assert [(finding.reason.code, finding.severity) for finding in findings] == [("clock_shifted", "warning")] * shifted
    assert all("+24.0 h" in finding.reason.sentence for finding in findings)


def test_an_impossible_date_in_the_name_is_no_reason_to_fail():
    assert metabase.read([accelerometer(start="2023-99-14T23.13.20.000")]).findings == ()


def test_an_unknown_unit_is_refused_with_the_allowed_ones():
    text = metabase_csv(VALUES).replace("(g)", "(furlong)")
    reading = metabase.read([device_file("walk.csv", text)])
    assert reading.streams == ()
    assert reading.findings[0].reason.code == "csv_unit_unknown"
    assert "deg/s" in reading.findings[0].reason.sentence


def test_a_broken_file_costs_itself_and_not_its_sibling():
    broken = device_file(gyroscope().name, metabase_csv(VALUES, unit="deg/s").replace("\n", "\nx", 3))
    reading = metabase.read([accelerometer(), broken])
    assert [stream.name for stream in reading.streams] == ["accelerometer"]
    assert reading.findings[0].severity == "error"
    assert reading.findings[0].reason.place == f"{broken.name} row 2 column epoch (ms)"


def test_a_second_file_of_the_same_sensor_is_said_and_not_mixed_in():
    twin = device_file(metabase_name(rate="25.000"), metabase_csv(VALUES * 2))
    (group,) = captures([accelerometer(), twin])
    reading = metabase.read(group.files)
    assert len(reading.streams) == 1
    assert reading.findings[0].reason.code == "stream_twice"


def test_an_empty_file_joins_the_recording_that_its_name_belongs_to():
    empty = device_file(gyroscope().name, "")
    (group,) = captures([accelerometer(), empty])
    assert [finding.reason.code for finding in metabase.read(group.files).findings] == ["csv_empty"]


def test_files_of_two_participants_are_never_one_recording():
    files = [accelerometer(), gyroscope()]
    assert len(captures(files, owner=lambda file: file.name)) == 2


def test_files_of_one_recording_meet_though_their_names_state_different_starts():
    files = [accelerometer(), gyroscope(start="2023-11-14T23.13.24.512"), accelerometer(start="2023-11-14T23.15.00.000")]
    assert sorted(len(capture.files) for capture in captures(files)) == [1, 2]


def test_two_short_sets_in_a_row_stay_two_recordings():
    starts = ("2023-11-14T23.13.20.000", "2023-11-14T23.13.28.000")
    files = [make(start=start) for start in starts for make in (accelerometer, gyroscope)]
    assert [{file.name.split("_")[2] for file in capture.files} for capture in captures(files)] == [{start} for start in starts]


QUATERNIONS = np.random.default_rng(0).normal(size=(50, 4))
QUATERNIONS /= np.linalg.norm(QUATERNIONS, axis=1, keepdims=True)


def fused_csv(columns: str, values: np.ndarray) -> str:
    rows = (
        f"{START_MS + 10 * k},2023-11-14T23:13:20.000,0.1,{','.join(map(str, row))}\n" for k, row in enumerate(values.tolist())
    )
    return f"epoch (ms),time (01:00),elapsed (s),{columns}\n" + "".join(rows)


def euler() -> DeviceFile:
    """The angles that the firmware gives for `QUATERNIONS`, as MbientLab measured: heading, negated roll, negated pitch."""
    yaw, pitch, roll = Rotation.from_quat(QUATERNIONS).as_euler("ZYX", degrees=True).T
    angles = np.column_stack([-roll, -pitch, yaw % 360, yaw % 360])
    text = fused_csv("pitch (deg),roll (deg),yaw (deg), heading (deg)", angles)
    return device_file(metabase_name("Euler Angles", rate="100.000"), text)


def quaternion() -> DeviceFile:
    text = fused_csv("w (number),x (number),y (number), z (number)", QUATERNIONS[:, [3, 0, 1, 2]])
    return device_file(metabase_name("Quaternion", rate="100.000"), text)


def test_a_quaternion_is_read_by_name():
    (stream,) = metabase.read([quaternion()]).streams
    assert stream.name == "orientation"
    np.testing.assert_allclose(stream.values, QUATERNIONS, atol=1e-6)


def test_euler_angles_become_the_rotation_that_they_say():
    (stream,) = metabase.read([euler()]).streams
    assert (stream.name, stream.declared_unit) == ("orientation", "deg")
    apart = Rotation.from_quat(stream.values) * Rotation.from_quat(QUATERNIONS).inv()
    assert apart.magnitude().max() < 1e-4
    assert [repair.kind for repair in stream.repairs] == ["euler_to_quaternion"]


def test_euler_angles_beside_a_quaternion_are_not_needed():
    (group,) = captures([euler(), quaternion()])
    reading = metabase.read(group.files)
    np.testing.assert_allclose(reading.streams[0].values, QUATERNIONS, atol=1e-6)
    assert [(finding.reason.code, finding.severity) for finding in reading.findings] == [("euler_not_needed", "note")]


@pytest.mark.parametrize(
    ("sensor", "column"),
    [
        ("Temperature", "temperature (C)"),
        ("Pressure", "pressure (Pa)"),
        ("Ambient Light", "illuminance (lx)"),
        ("Humidity", "relative humidity (%)"),
    ],
)
def test_what_is_no_motion_is_known_left_out_and_said(sensor, column):
    other = device_file(metabase_name(sensor, rate="1.000"), fused_csv(column, np.ones((5, 1))))
    (group,) = captures([accelerometer(), other])
    reading = metabase.read(group.files)
    assert [stream.name for stream in reading.streams] == ["accelerometer"]
    assert (reading.left_out, reading.metadata["left_out"]) == (1, f"{column.partition(' (')[0]} 1")
    assert [(finding.reason.code, finding.severity) for finding in reading.findings] == [("not_motion_data", "note")]
    assert [finding.reason.code for finding in metabase.read([other]).findings] == ["not_motion_data", "recording_empty"]


def test_daylight_saving_which_the_header_leaves_out_is_no_shifted_clock():
    assert metabase.read([accelerometer(start="2023-11-15T00.13.20.000")]).findings == ()
    assert len(metabase.read([accelerometer(start="2023-11-14T22.13.20.000")]).findings) == 1


@pytest.mark.parametrize(
    "data", [b"", b"epoch (ms)", b"epoch (ms),x-axis (g)\n1,2", b"epoch (ms),time (99:99),w (number)\n1,2,3\n"]
)
def test_headers_that_were_cut_are_refused_with_a_reason(data):
    reading = metabase.read([device_file(metabase_name(), data)])
    assert reading.streams == ()
    assert {finding.severity for finding in reading.findings} == {"error"}


def test_a_file_cut_anywhere_is_read_or_refused_with_a_reason():
    data = metabase_csv(VALUES[:20]).encode()
    for cut in range(0, len(data), 7):
        reading = metabase.read([device_file(metabase_name(), data[:cut])])
        assert reading.streams or [finding for finding in reading.findings if finding.severity == "error"]


def _real_recordings(real: Path):
    folder = real / "metamotion_barbell" / "MetaMotion"
    found = captures([DeviceFile.at(path) for path in sorted(folder.glob("*.csv"))])
    return [(capture.files, capture.reader.read(capture.files)) for capture in found if capture.reader]


@pytest.mark.real
def test_real_files_pair_into_their_recordings_with_the_rates_and_units_of_the_device(real):
    readings = [reading for _, reading in _real_recordings(real)]
    assert Counter(len(reading.streams) for reading in readings) == {2: 93, 1: 1}
    assert {finding.reason.code for reading in readings for finding in reading.findings} == {"clock_shifted"}
    facts = [(stream, measure(stream)) for reading in readings for stream in reading.streams]
    for stream, fact in facts:
        assert fact.rate_hz == pytest.approx({"accelerometer": 12.5, "gyroscope": 25.0}[stream.name], abs=0.1)
        assert fact.rate_hz == pytest.approx(stream.declared_rate_hz, abs=0.1)
    norms = [fact.norm_median for stream, fact in facts if stream.name == "accelerometer"]
    assert np.median(norms) == pytest.approx(9.81, abs=0.3)
    assert min(norms) > 8.8
    assert max(norms) < 11.5


@pytest.mark.real
def test_real_copies_are_found_by_value_whatever_their_clock_and_bytes(real):
    hashes: dict[str, set[str]] = {}
    shifted = set()
    for files, reading in _real_recordings(real):
        stream = next(stream for stream in reading.streams if stream.name == "accelerometer")
        name = files[0].name
        hashes.setdefault(measure(stream).value_hash or "", set()).add(name)
        if any(finding.reason.place.startswith(stream.source) for finding in reading.findings):
            shifted.add(name)
    assert "" not in hashes
    assert (len(hashes), sum(map(len, hashes.values()))) == (59, 94)
    copied = [names for names in hashes.values() if any(name.startswith("E-") for name in names)]
    assert sum(len([name for name in names if name.startswith("E-")]) for names in copied) == 30
    assert all(any(name.startswith(("A-", "D-")) for name in names) for names in copied)
    assert len(shifted) == 94 - 59
