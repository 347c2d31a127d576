"""Annotation files: windows by rows and stretches by time become annotations, with every fault in its place."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ingestion.annotations import Recorded, read_annotations
from ingestion.recording import Annotation, Finding, Stream
from studies.study import Study
from tests.ingestion.device_files import device_file

_T0 = 1_700_000_000_000_000_000
_S = 1_000_000_000


def _recorded(rows: int = 1000, rate_hz: float = 110.0, **said: Any) -> Recorded:
    """A recording of ten seconds or so, late by 37 ms in the middle, as real ones are."""
    t_ns = _T0 + np.rint(np.arange(rows) * _S / rate_hz).astype(np.int64)
    t_ns[rows // 2 :] += 37_000_000
    return Recorded([Stream("accelerometer", t_ns, np.zeros((rows, 3), np.float32), "raw/set1.csv")], **said)


_STUDY = Study(
    study="trial",
    title="t",
    participants=".*",
    labels={"squat": ("squats",), "lunge": ()},
    streams={"accelerometer": {"unit": "m/s^2", "rate_hz": (1, 200)}},
)


def _read(content: str | bytes, recorded: Recorded | None = None) -> tuple[list[Annotation], list[Finding]]:
    return read_annotations(device_file("labels/a", content), recorded or _recorded(label="squat"), _STUDY)


def _windows(*windows: Any, **more: Any) -> str:
    return json.dumps({"source_file": "elsewhere/set1.csv", "sampling_rate": 110, "windows": windows, **more})


def _codes(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(found.reason.code, found.severity, found.reason.place) for found in findings]


def test_a_window_is_the_times_of_its_rows_whatever_its_seconds_say() -> None:
    recorded = _recorded(label="squat")
    t_ns = recorded.streams[0].t_ns
    found, findings = _read(_windows({"start_sample": 450, "end_sample": 550, "start_time": 1, "end_time": 2}), recorded)
    assert [(one.start_ns, one.end_ns, one.label, one.source) for one in found] == [(t_ns[450], t_ns[550], "squat", "labels/a")]
    assert findings == []


def test_a_window_has_its_own_label_before_the_recordings() -> None:
    found, findings = _read(
        _windows({"start_sample": 0, "end_sample": 9, "label": "squats"}, {"start_sample": 9, "end_sample": 1000})
    )
    assert [one.label for one in found] == ["squats", "squat"]
    assert found[1].end_ns == _recorded().last_ns
    assert findings == []


def test_a_declared_rate_that_is_not_the_measured_one_is_told() -> None:
    _, findings = _read(_windows({"start_sample": 0, "end_sample": 9}, sampling_rate=100))
    assert _codes(findings) == [("annotation_rate_wrong", "note", "labels/a")]
    assert "100 Hz" in findings[0].reason.sentence
    assert "109.5" in findings[0].reason.sentence


def test_windows_of_another_file_set_the_recording_aside() -> None:
    _, findings = _read(_windows({"start_sample": 0, "end_sample": 9}, source_file="raw/set2.csv"))
    assert _codes(findings) == [("annotations_of_another_file", "error", "labels/a")]


@pytest.mark.parametrize(
    ("window", "code"),
    [
        ({"start_sample": 20, "end_sample": 20}, "annotation_backwards"),
        ({"start_sample": 20, "end_sample": 10}, "annotation_backwards"),
        ({"start_sample": 1000, "end_sample": 1010}, "annotation_outside"),
        ({"start_sample": -3, "end_sample": 10}, "annotation_outside"),
        ({"start_sample": "3", "end_sample": 10}, "annotation_malformed"),
        ({"start_sample": True, "end_sample": 10}, "annotation_malformed"),
        ({"start_sample": 3.5, "end_sample": 10}, "annotation_malformed"),
        ({"end_sample": 10}, "annotation_malformed"),
        (None, "annotation_malformed"),
    ],
)
def test_a_window_that_cannot_be_used_is_left_out_and_the_others_are_kept(window: Any, code: str) -> None:
    found, findings = _read(_windows({"start_sample": 0, "end_sample": 9}, window))
    assert len(found) == 1
    assert _codes(findings) == [(code, "warning", "labels/a window 1")]


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        ("", "annotations_unknown", "labels/a"),
        ("time,text\n1,2\n", "annotations_unknown", "labels/a"),
        ("{", "annotations_not_read", "labels/a row 1"),
        ('{"windows": 3}', "annotations_not_read", "labels/a"),
        ('{"a": ' * 100_000, "annotations_not_read", "labels/a"),
        (b'{"windows": [\xff]}', "annotations_not_read", "labels/a"),
    ],
)
def test_a_file_that_cannot_be_read_sets_its_recording_aside(content: str | bytes, code: str, place: str) -> None:
    found, findings = _read(content)
    assert found == []
    assert _codes(findings) == [(code, "error", place)]


def test_overlaps_are_counted_and_kept() -> None:
    found, findings = _read(_windows(*({"start_sample": start, "end_sample": start + 110} for start in (0, 99, 300))))
    assert len(found) == 3
    assert _codes(findings) == [("annotations_overlap", "note", "labels/a")]
    assert findings[0].reason.sentence.startswith("1 of 3 marked stretches begin before an earlier one ends, by up to 0.10 s")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("1.5", "2.25"),
        ("1700000001.5", "1700000002.25"),
        ("1700000001500", "1700000002250"),
        ("1700000001500000", "1700000002250000"),
        ("1700000001500000000", "1700000002250000000"),
        ("2023-11-14T22:13:21.5Z", "2023-11-14T23:13:22.25+01:00"),
        ("2023-11-15 07:13:21.5", "2023-11-15 07:13:22.25"),
    ],
)
def test_a_stretch_may_be_written_in_any_way_to_write_time(start: str, end: str) -> None:
    found, findings = _read(f"Start,End,Label\n{start},{end},squats\n", _recorded(timezone="Asia/Seoul"))
    assert findings == []
    assert [(one.start_ns, one.end_ns, one.label) for one in found] == [(_T0 + 1_500_000_000, _T0 + 2_250_000_000, "squats")]


def test_a_row_without_an_end_is_an_instant_and_one_without_a_label_has_the_recordings() -> None:
    found, findings = _read("start;end;label\n1;;\n\n2;3;lunge\n")
    assert [((one.end_ns - one.start_ns) / _S, one.label) for one in found] == [(0, "squat"), (1, "lunge")]
    assert findings == []


def test_rows_that_cannot_be_used_are_left_out_with_their_row() -> None:
    rows = ["1,2,squat", "3,2,squat", "soon,2,squat", "2,later,squat", "60,61,squat", ",4,squat", "8,12,squat"]
    found, findings = _read("start,end,label\n" + "\n".join(rows) + "\n")
    assert [round((one.end_ns - one.start_ns) / _S, 2) for one in found] == [1.0, 1.12]
    assert sorted(_codes(findings)) == [
        ("annotation_backwards", "warning", "labels/a row 3"),
        ("annotation_cut", "warning", "labels/a row 8"),
        ("annotation_malformed", "warning", "labels/a row 4"),
        ("annotation_malformed", "warning", "labels/a row 5"),
        ("annotation_malformed", "warning", "labels/a row 7"),
        ("annotation_outside", "warning", "labels/a row 6"),
    ]


def test_an_unknown_label_is_told_once_with_the_nearest_match() -> None:
    found, findings = _read("start,end,label\n1,2,sqat\n3,4,sqat\n5,6,Squats\n")
    assert len(found) == 3
    assert _codes(findings) == [("annotation_label_unknown", "warning", "labels/a row 2")]
    assert "did you mean 'squat'?" in findings[0].reason.sentence


def test_local_times_without_a_zone_are_told() -> None:
    _, findings = _read("start,end,label\n2023-11-14T22:13:21,2023-11-14T22:13:22,squat\n")
    assert _codes(findings) == [("timezone_unknown", "note", "labels/a")]
