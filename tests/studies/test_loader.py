"""Reading study files: whatever is wrong is told with file, line and key, what is allowed and the nearest match."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from studies import find_study, load_studies, load_study
from tests.studies.trial import trial, write_study
from warehouse.errors import Reason, StudyError, UnknownName

_SHIPPED = Path(__file__).parents[2] / "studies"


def _reasons(path: Path) -> tuple[Reason, ...]:
    with pytest.raises(StudyError) as refused:
        load_study(path)
    return refused.value.reasons


def _reason(path: Path) -> Reason:
    (reason,) = _reasons(path)
    return reason


def _written(folder: Path, text: str) -> Path:
    path = folder / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _task(**changes: Any) -> dict[str, Any]:
    return {"which": trial()["tasks"]["which"] | changes}


# --- finding --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(_SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_loads_under_its_own_name(path: Path) -> None:
    assert load_study(path) == find_study(path.stem) == load_studies()[path.stem]


@pytest.mark.parametrize("name", ["barbell", "fitness_ble", "phone_exercises", "squat_form", "squat_identity"])
def test_studies_that_others_published_declare_their_authors_protocol_beside_the_one_that_decides(name: str) -> None:
    tasks = find_study(name).tasks
    assert tasks
    assert all(task.authors_split is not None for task in tasks.values())


def test_an_unknown_study_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="study 'barbel' is not known; did you mean 'barbell'"):
        find_study("barbel")


def test_further_folders_are_searched_and_the_last_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        write_study(folder, title=folder.name)
    write_study(second, name="barbell.yaml", study="barbell", title="ours")
    monkeypatch.setenv("KINELAKE_STUDIES", os.pathsep.join([str(first), str(second)]))
    assert find_study("trial").title == "second"
    assert find_study("barbell").title == "ours"
    assert {"trial", "barbell", "imu_exercises"} <= set(load_studies())


def test_a_file_that_ends_in_yml_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path, name="trial.yml")
    monkeypatch.setenv("KINELAKE_STUDIES", str(tmp_path))
    assert find_study("trial").title == "A trial"


def test_one_broken_file_does_not_stop_the_other_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path)
    write_study(tmp_path, name="broken.yaml", study="broken", labels=None)
    monkeypatch.setenv("KINELAKE_STUDIES", str(tmp_path))
    assert find_study("trial").study == "trial"
    for ask in (load_studies, lambda: find_study("broken")):
        with pytest.raises(StudyError, match=r"key 'labels' is missing .*broken\.yaml:1"):
            ask()


def test_a_folder_of_the_search_path_that_is_not_there_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINELAKE_STUDIES", str(tmp_path / "absent"))
    with pytest.raises(StudyError, match="study_folder_missing: KINELAKE_STUDIES names a folder that is not there"):
        find_study("barbell")


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    assert load_study(path).title == "A trial"
    write_study(tmp_path, title="Changed")
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    assert load_study(path).title == "Changed"


# --- what is wrong --------------------------------------------------------------------------------------------------------

_WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown key": ({"taskss": {}}, "taskss:", "key 'taskss' is not known; did you mean 'tasks'?"),
    "missing key": ({"title": None}, "study:", "key 'title' is missing"),
    "unknown stream": (
        {"streams": {"acelerometer": {"unit": "m/s^2", "rate_hz": [1, 2]}}, "tasks": {}},
        "acelerometer:",
        "streams.acelerometer: 'acelerometer' is not known; did you mean 'accelerometer'?",
    ),
    "wrong unit": (
        {"streams": {"accelerometer": {"unit": "g", "rate_hz": [1, 2]}}},
        "unit: g",
        "unit of accelerometer is 'g'; the lake keeps accelerometer in 'm/s^2'",
    ),
    "numbers the wrong way round": (
        {"streams": {"accelerometer": {"unit": "m/s^2", "rate_hz": [55, 45]}}},
        "rate_hz:",
        "streams.accelerometer.rate_hz: the smaller number comes first: [45, 55]",
    ),
    "one number of two": (
        {"streams": {"accelerometer": {"unit": "m/s^2", "rate_hz": [45]}}},
        "rate_hz:",
        "streams.accelerometer.rate_hz: entry 2 is missing",
    ),
    "a word for numbers": (
        {"streams": {"accelerometer": {"unit": "m/s^2", "rate_hz": "fast"}}},
        "rate_hz:",
        "streams.accelerometer.rate_hz: 'fast' is not allowed; wanted: a list in [ ]",
    ),
    "neither true nor false": (
        {"streams": {"accelerometer": {"unit": "m/s^2", "rate_hz": [1, 2], "required": "maybe"}}},
        "required:",
        "streams.accelerometer.required: 'maybe' is not allowed; wanted: true or false",
    ),
    "unknown family": (
        {"tasks": _task(models=[{"family": "svm"}, {"family": "forest"}])},
        "family: forest",
        "tasks.which.models.1.family: 'forest' is not known; did you mean 'random_forest'?",
    ),
    "no family at all": (
        {"tasks": _task(models=[])},
        "models:",
        "tasks.which.models: [] is not allowed; wanted: at least 1 of them",
    ),
    "folds that are neither number nor word": (
        {"tasks": _task(split={"folds": "leave_one"})},
        "folds:",
        "tasks.which.split.folds: 'leave_one' is not allowed; wanted: a whole number, or leave_one_out",
    ),
    "too few folds": (
        {"tasks": _task(split={"folds": 1})},
        "folds:",
        "tasks.which.split.folds: 1 is not allowed; wanted: at least 2, or leave_one_out",
    ),
    "a share above one": (
        {"tasks": _task(augment=[{"subsequence": {"min_share": 1.5}}])},
        "min_share:",
        "tasks.which.augment.0.subsequence.min_share: 1.5 is not allowed; wanted: at most 1",
    ),
    "two kinds in one augmentation": (
        {"tasks": _task(augment=[{}])},
        "- {}",
        "tasks.which.augment.0: an augmentation is one of: multiplicative_noise, subsequence",
    ),
    "a window without seconds": (
        {"tasks": _task(segment={"by": "window", "length": 100})},
        "segment:",
        "tasks.which.segment: seconds goes with 'by: window', and windows need it",
    ),
    "an undeclared stream": (
        {"tasks": _task(input={"streams": ["accelerometer", "gyroscope"], "rate_hz": 50})},
        "- gyroscope",
        "stream 'gyroscope' is not declared under streams; known: accelerometer",
    ),
    "an undeclared label": (
        {"tasks": _task(labels=["squat", "lunges"])},
        "- lunges",
        "label 'lunges' is not declared under labels; did you mean 'lunge'?",
    ),
    "a task that cannot be a name": (
        {"tasks": {"Which One": trial()["tasks"]["which"]}},
        "Which One:",
        "tasks.Which One: 'Which One' is not allowed; wanted: a-z, 0-9 and '_', a letter first, at most 63",
    ),
    "a pattern that is none": ({"participants": "^P("}, "participants:", "participants: not a regular expression: missing )"),
    "labels as one word": (
        {"labels": "squat", "tasks": {}},
        "labels:",
        "labels: a list of labels, or labels with lists of aliases",
    ),
    "labels as lists": (
        {"labels": [["squat"]], "tasks": {}},
        "labels:",
        "labels: a list of labels, or labels with lists of aliases",
    ),
    "aliases as one word": (
        {"labels": {"squat": "squats"}, "tasks": {}},
        "squat: squats",
        "labels.squat: 'squats' is not allowed; wanted: a list in [ ]",
    ),
    "a mapping for a number": (
        {"min_duration_s": {"least": 3}},
        "min_duration_s:",
        "min_duration_s: {'least': 3} is not allowed; wanted: a number",
    ),
    "a parameter that is a list": (
        {"tasks": _task(models=[{"family": "svm", "parameters": {"C": [1, 2]}}])},
        "C:",
        "tasks.which.models.0.parameters.C: [1, 2] is not allowed; wanted: a number, or a whole number, or text, or",
    ),
}


@pytest.mark.parametrize("case", _WRONG)
def test_a_fault_is_told_once_with_its_line_what_was_given_and_what_is_allowed(tmp_path: Path, case: str) -> None:
    changes, on_line, sentence = _WRONG[case]
    path = write_study(tmp_path, **changes)
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if on_line in text)
    reason = _reason(path)
    assert reason.sentence.startswith(sentence)
    assert reason.place == f"{path}:{line}"
    assert reason.code == "study_invalid"
    assert reason.remedy == "docs/studies.md explains every key"


@pytest.mark.parametrize("case", _WRONG)
def test_no_fault_is_told_in_the_words_of_a_programmer(tmp_path: Path, case: str) -> None:
    said = str(_reason(write_study(tmp_path, **_WRONG[case][0])))
    assert not re.search(r"\b(tuple|dictionary|dict|str|NoneType|Input should|pydantic|literal|constrained)\b", said), said


def test_every_fault_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    streams = {"accelerometer": {"unit": "g", "rate_hz": [1, 2], "rate": 3}}
    reasons = _reasons(write_study(tmp_path, title=None, streams=streams, tasks=_task(seed=-1), oops=1))
    assert [reason.sentence.split(";")[0] for reason in reasons] == [
        "key 'title' is missing",
        "key 'streams.accelerometer.rate' is not known",
        "tasks.which.seed: -1 is not allowed",
        "key 'oops' is not known",
    ]


def test_units_streams_and_labels_that_do_not_fit_are_all_told_at_once(tmp_path: Path) -> None:
    streams = {"accelerometer": {"unit": "g", "rate_hz": [1, 2]}}
    wanted = _task(input={"streams": ["gyroscope"], "rate_hz": 5}, labels=["squats", "walk"])
    assert len(_reasons(write_study(tmp_path, streams=streams, tasks=wanted))) == 4


@pytest.mark.parametrize(
    ("labels", "shown"), [("[yes, squat]", "true"), ("[squat, 3]", "3"), ("{1: [], b: []}", "1"), ("[2026-01-01, b]", "2026")]
)
def test_a_label_that_yaml_takes_for_something_else_is_to_be_quoted(tmp_path: Path, labels: str, shown: str) -> None:
    text = yaml.safe_dump(trial(labels="@", tasks=None), sort_keys=False)
    reason = _reason(_written(tmp_path, text.replace("'@'", labels)))
    assert shown in reason.sentence
    assert "put it in quotes" in reason.remedy


def test_a_key_that_is_there_twice_is_told_with_both_lines_and_not_the_keys_below_it(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    path.write_text(path.read_text() + "streams:\n  accelerometer: {unit: m/s^2, rate_hz: [1, 2]}\n")
    reason = _reason(path)
    lines = path.read_text().splitlines()
    assert reason.code == "study_key_repeated"
    assert reason.sentence == f"key 'streams' is there twice, first in line {lines.index('streams:') + 1}"
    assert reason.place == f"{path}:{len(lines) - 1}"


def test_a_name_other_than_the_files_is_refused(tmp_path: Path) -> None:
    reason = _reason(write_study(tmp_path, study="other"))
    assert (reason.code, reason.sentence) == ("study_name", "study: other must be the file's name, trial")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "study_not_a_mapping"),
        (b"- a\n", "study_not_a_mapping"),
        (b"only text", "study_not_a_mapping"),
        (b"study: [", "study_not_yaml"),
        (b"study: a\n\ttitle: b\n", "study_not_yaml"),
        (b"study: a\n---\nstudy: b\n", "study_not_yaml"),
        (b"study: !!python/object/apply:os.system ['true']\n", "study_not_yaml"),
        (b"\xff\xfe\x00", "study_not_text"),
        (b"study: caf\xe9\n", "study_not_text"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused_with_a_reason(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "trial.yaml"
    path.write_bytes(content)
    assert _reason(path).code == code


def test_a_byte_order_mark_is_all_right(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_study(path).study == "trial"


def test_a_file_that_is_not_there_is_refused_with_a_reason(tmp_path: Path) -> None:
    reason = _reason(tmp_path / "absent.yaml")
    assert (reason.code, reason.sentence) == ("study_unreadable", "cannot be read: No such file or directory")
