"""A manifest is read with all its faults at once, and drafted from what paths and exports say."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.manifest import Manifest, read_manifest
from ingestion.pattern import PathPattern
from ingestion.source import normal_path, path_fault
from warehouse.errors import DeliveryRefused, KinelakeError, Reason

PRESENT = ["a.csv", "set/b.csv", "Übung.csv"]
NAME = st.text("abcdefghij0123456789", min_size=1, max_size=8)


def read(text: str | bytes, present: list[str] = PRESENT) -> Manifest:
    return read_manifest(text if isinstance(text, bytes) else text.encode(), name="manifest.csv", present=present)


def only_fault(text: str, present: list[str] = PRESENT) -> Reason:
    (fault,) = read(text, present).faults
    return fault


def test_every_column_is_read_and_further_ones_are_kept_as_attributes() -> None:
    (row,) = read(
        "path,participant,sha256,session,label,device,placement,timezone,annotations,load,camera\n"
        f"a.csv,P1,{'AB' * 32},1,squat,d1,wrist,Europe/Berlin,marks.csv,heavy,\n"
    ).rows
    assert (row.path, row.participant, row.sha256) == ("a.csv", "P1", "ab" * 32)
    assert row.described == {
        "session": "1",
        "label": "squat",
        "device": "d1",
        "placement": "wrist",
        "timezone": "Europe/Berlin",
        "annotations": "marks.csv",
    }
    assert row.attributes == {"load": "heavy"}


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfpath,participant,label\na.csv,P1,squat\n",
        b"path;participant;label\r\na.csv;P1;squat\r\n",
        b"path\tparticipant\tlabel\na.csv\tP1\tsquat",
        b" Path , PARTICIPANT ,Label\n  a.csv , P1,  squat  \n",
        b"\n\npath,participant,label\n\n,,\na.csv,P1,squat\n,,,,\n",
        b'"path","participant","label"\r"a.csv","P1","squat"\r',
        b"label,participant,path\nsquat,P1,./a.csv\n",
    ],
    ids=["byte order mark", "semicolons and CRLF", "tabs", "blanks and capitals", "empty rows", "quotes and CR", "other order"],
)
def test_spellings_of_one_manifest_say_the_same(text: bytes) -> None:
    manifest = read(text)
    assert manifest.faults == ()
    (row,) = manifest.rows
    assert (normal_path(row.path), row.participant, row.described["label"]) == ("a.csv", "P1", "squat")


def test_a_name_with_blanks_round_it_or_another_unicode_spelling_is_found() -> None:
    decomposed = "U\u0308bung.csv"
    manifest = read(f"path,participant\n {PRESENT[0]}x,P1\n{decomposed},P2\n", [" a.csvx", "Übung.csv"])
    assert [normal_path(row.path) for row in manifest.rows] == [" a.csvx", "Übung.csv"]


def test_missing_columns_are_named_with_the_nearest_one_that_is_there() -> None:
    with pytest.raises(DeliveryRefused) as refused:
        read("file,partcipant,label\na.csv,P1,squat\n")
    codes = [(reason.code, reason.place) for reason in refused.value.reasons]
    assert codes == [
        ("manifest_column_missing", "manifest.csv row 1 column path"),
        ("manifest_column_missing", "manifest.csv row 1 column participant"),
    ]
    assert "did you mean 'partcipant'" in refused.value.reasons[1].sentence


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "manifest_empty"),
        (b"\n\n", "manifest_empty"),
        (b"path,participant\n\xff\xfe\n", "manifest_not_utf8"),
        ("path,participant\n".encode("utf-16"), "manifest_not_utf8"),
        (b'path,participant\n"a"b,P1\n', "manifest_not_csv"),
        (b"path,participant,path\n", "manifest_column_twice"),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(DeliveryRefused) as refused:
        read(content)
    assert code in [reason.code for reason in refused.value.reasons]
    assert refused.value.reasons[0].place.startswith("manifest.csv")


def test_a_manifest_without_rows_is_an_empty_batch() -> None:
    assert only_fault("path,participant\n").code == "batch_empty"


def test_an_absent_file_is_named_with_the_nearest_one() -> None:
    fault = only_fault("path,participant\nset/c.csv,P1\n")
    assert (fault.code, fault.place) == ("file_absent", "manifest.csv row 2 column path")
    assert "'set/c.csv' is not in the delivery; did you mean 'set/b.csv'?" in fault.sentence


def test_a_file_in_another_folder_is_offered_by_its_name() -> None:
    assert "did you mean 'set/b.csv'?" in only_fault("path,participant\nB.csv,P1\n").sentence


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../a.csv", "'..'"),
        ("set/../../a.csv", "'..'"),
        ("/etc/passwd", "absolute"),
        ("C:/a.csv", "absolute"),
        ("c:a.csv", "absolute"),
        ("set\\b.csv", "backslash"),
        ('"a\n.csv"', "control"),
        (".", "empty"),
        ('""', "empty"),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path: str, why: str) -> None:
    fault = only_fault(f"path,participant\n{path},P1\n")
    assert (fault.code, fault.place) == ("path_unsafe", "manifest.csv row 2 column path")
    assert why in fault.sentence


def test_a_path_named_twice_is_refused_with_both_rows() -> None:
    fault = only_fault("path,participant\na.csv,P1\nset/b.csv,P1\n./a.csv,P2\n")
    assert (fault.code, fault.place) == ("path_twice", "manifest.csv row 4 column path")
    assert "row 2" in fault.sentence


def test_a_row_without_a_participant_is_refused() -> None:
    fault = only_fault("path,participant\na.csv, \n")
    assert (fault.code, fault.place) == ("participant_empty", "manifest.csv row 2 column participant")


@pytest.mark.parametrize("given", ["abc", "g" * 64, "a" * 63, "a" * 65])
def test_a_malformed_sha256_is_refused(given: str) -> None:
    fault = only_fault(f"path,participant,sha256\na.csv,P1,{given}\n")
    assert (fault.code, fault.place) == ("sha256_malformed", "manifest.csv row 2 column sha256")


def test_a_cell_without_a_column_is_refused_because_a_delimiter_slipped_in() -> None:
    assert only_fault("path,participant\na.csv,P1,squat\n").place == "manifest.csv row 2"
    assert only_fault("path,participant,\na.csv,P1,squat\n").code == "manifest_cell_extra"


def test_control_characters_in_a_label_are_refused() -> None:
    fault = only_fault("path,participant,label\na.csv,P1,sq\x1b[31muat\n")
    assert (fault.code, fault.place) == ("manifest_cell_text", "manifest.csv row 2 column label")


def test_a_short_row_leaves_its_last_cells_empty() -> None:
    (row,) = read("path,participant,label\na.csv,P1\n").rows
    assert row.described["label"] is None


def test_unknown_participants_and_labels_are_not_the_manifests_business() -> None:
    assert read("path,participant,label\na.csv,nobody knows me,dancing\n").faults == ()


def test_all_faults_come_at_once_and_ten_are_shown() -> None:
    text = "path,participant,sha256\n" + "".join(f"no{n}.csv,,xyz\n" for n in range(8))
    faults = read(text).faults
    assert len(faults) == 24
    assert {fault.code for fault in faults} == {"file_absent", "participant_empty", "sha256_malformed"}
    shown = str(DeliveryRefused(*faults)).splitlines()
    assert len(shown) == 11
    assert shown[-1] == "… and 14 more of 24"


def test_ten_thousand_absent_files_are_refused_in_seconds() -> None:
    present = [f"set{n % 10}/P{n:05d}-squat-recording.csv" for n in range(10_000)]
    text = "path,participant\n" + "".join(f"set/P{n:05d}-squat-recording.csvx,P1\n" for n in range(10_000))
    started = time.perf_counter()
    assert len(read(text, present).faults) == 10_000
    assert time.perf_counter() - started < 5


@given(st.text(max_size=60))
def test_an_allowed_path_never_leads_outside(path: str) -> None:
    if path_fault(path) is None:
        parts = normal_path(path).split("/")
        assert not normal_path(path).startswith("/")
        assert ".." not in parts and "\\" not in path and "\x00" not in path


@given(NAME, NAME, NAME, NAME)
def test_a_pattern_finds_the_fields_that_a_name_was_made_of(participant: str, label: str, load: str, rest: str) -> None:
    path = f"visit/{participant}-{label}-{load}_{rest}.csv"
    found = PathPattern("{participant}-{label}-{load}_*").fields(path)
    assert found == {"participant": participant, "label": label, "load": load}


@pytest.mark.parametrize(
    ("pattern", "path", "fields"),
    [
        ("{label}/*", "squat/deep/one.zip", {"label": "squat"}),
        ("{participant}/{_}/{label}.csv", "P1/day 2/squat.csv", {"participant": "P1", "label": "squat"}),
        ("{a}-{b}.csv", "x-y-z.csv", {"a": "x", "b": "y-z"}),
        ("*_{label}.csv", "2026_squat.csv", {"label": "squat"}),
        ("{label} .csv", "squat  .csv", {"label": "squat"}),
        ("{label}.csv", "squat.zip", None),
        ("{label}-*", "-nobody.csv", None),
        ("P(1)+.csv", "P(1)+.csv", {}),
    ],
)
def test_patterns_read_as_they_look(pattern: str, path: str, fields: dict[str, str] | None) -> None:
    assert PathPattern(pattern).fields(path) == fields


@pytest.mark.parametrize("pattern", ["{a}{b}", "{a", "a}", "{a}*", "*{a}", "{A b}", "{path}", "{a}-{a}", "{}"])
def test_a_pattern_that_is_none_is_refused_with_its_column(pattern: str) -> None:
    with pytest.raises(KinelakeError, match=r"pattern_invalid.*column \d"):
        PathPattern(pattern)


def test_no_path_makes_a_pattern_slow() -> None:
    started = time.perf_counter()
    PathPattern("{a}-{b}-{c}-{d}-{e}-{f}_*_*_*_x").fields("-a" * 2000 + "_" * 2000)
    assert time.perf_counter() - started < 1


def _named(text: str, *present: str) -> Manifest:
    return read_manifest(f"path,participant,annotations\n{text}".encode(), name="manifest.csv", present=present)


def test_a_file_that_is_named_as_annotations_is_delivered_with_its_recording() -> None:
    found = _named("a.csv,P1,marks/a.csv\nb.csv,P1,./marks/a.csv\nc.csv,P2,\n", "a.csv", "b.csv", "c.csv", "marks/a.csv")
    assert found.faults == ()
    assert [(row.path, row.participant) for row in found.rows] == [
        ("a.csv", "P1"),
        ("b.csv", "P1"),
        ("c.csv", "P2"),
        ("marks/a.csv", "P1"),
    ]


def test_a_file_that_is_named_as_annotations_and_has_a_row_has_one() -> None:
    found = _named("a.csv,P1,marks.csv\nmarks.csv,P1,\n", "a.csv", "marks.csv")
    assert found.faults == ()
    assert [row.path for row in found.rows] == ["a.csv", "marks.csv"]


@pytest.mark.parametrize(
    ("text", "code", "row"),
    [
        ("a.csv,P1,mark.csv\n", "file_absent", 2),
        ("a.csv,P1,../marks.csv\n", "path_unsafe", 2),
        ("a.csv,P1,marks.csv\nb.csv,P2,marks.csv\n", "annotations_shared", 3),
        ("a.csv,P1,marks.csv\nmarks.csv,P2,\n", "annotations_shared", 2),
    ],
)
def test_annotations_that_cannot_be_delivered_are_a_fault_of_their_row(text: str, code: str, row: int) -> None:
    (fault,) = _named(text, "a.csv", "b.csv", "marks.csv").faults
    assert (fault.code, fault.place) == (code, f"manifest.csv row {row} column annotations")
    if code == "file_absent":
        assert "did you mean 'marks.csv'?" in fault.sentence
