"""What a study is: its labels, its versions, what fits together, and that every key of it is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from studies import Study, find_study, load_study
from studies.augmentation import MultiplicativeNoise
from studies.formats import UNITS
from studies.learning import Family
from studies.sensors import SENSORS
from studies.study import Metric, StreamContract
from tests.studies.trial import trial

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "studies.md").read_text(encoding="utf-8")


# --- labels ---------------------------------------------------------------------------------------------------------------


def test_a_label_is_found_whatever_its_capitals_blanks_and_hyphens() -> None:
    study = Study.model_validate(trial(labels={"push_ups": ["press ups"], "squat": []}))
    for delivered in ("push_ups", "Push-Ups", " push  ups ", "PRESS_UPS", "press-ups"):
        assert study.canonical_label(delivered) == "push_ups"
    assert study.canonical_label("Squat") == "squat"


@pytest.mark.parametrize("delivered", [None, "", " ", "squats", "push", "<b>"])
def test_what_is_no_label_is_none(delivered: str | None) -> None:
    assert Study.model_validate(trial(labels={"squat": [], "push_ups": []})).canonical_label(delivered) is None


def test_a_plain_list_is_labels_without_aliases() -> None:
    assert Study.model_validate(trial(labels=["squat", "lunge"])).labels == {"squat": (), "lunge": ()}


@pytest.mark.parametrize(
    "labels", [{"squat": ["lunge"], "lunge": []}, {"Push-Ups": [], "push_ups": []}, {"a": ["x"], "b": ["X"]}]
)
def test_a_spelling_that_means_two_labels_is_refused(labels: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError, match="means both"):
        Study.model_validate(trial(labels=labels))


def test_a_spelling_that_means_one_label_twice_is_no_fault() -> None:
    assert Study.model_validate(trial(labels={"squat": ["Squat", "SQUAT"], "lunge": []})).canonical_label("sQuAt") == "squat"


@given(st.text(max_size=20))
def test_every_label_finds_itself(label: str) -> None:
    study = Study.model_validate(trial(labels=[label], tasks={}))
    assert study.canonical_label(label) == (label or None)
    assert study.canonical_label(f" {label}\t") == (label if label.strip() or not label else study.canonical_label(f" {label}\t"))


# --- versions -------------------------------------------------------------------------------------------------------------


def _version(**changes: Any) -> str:
    return Study.model_validate(trial(**changes)).contract_version


def test_the_contract_has_another_version_when_a_verdict_could_be_another() -> None:
    streams = trial()["streams"]
    tighter = {"accelerometer": {**streams["accelerometer"], "rate_hz": [49, 51]}}
    changed = [
        _version(),
        _version(labels=["squat", "lunge", "rest"]),
        _version(participants="^Q$"),
        _version(min_duration_s=3),
        _version(streams=tighter),
    ]
    assert len(set(changed)) == len(changed)


def test_the_contract_keeps_its_version_when_only_titles_drafts_or_tasks_change() -> None:
    assert _version() == _version(title="Another title", manifest={"pattern": "{label}/*"}, tasks={})


def test_the_version_does_not_depend_on_how_the_file_is_laid_out() -> None:
    assert _version(labels=["squat", "lunge"]) == _version(labels={"squat": [], "lunge": []})


def test_the_recipe_has_another_version_when_segments_would_be_others() -> None:
    def recipe(**task: Any) -> str:
        return Study.model_validate(trial(tasks={"which": {**trial()["tasks"]["which"], **task}})).recipe_version

    changed = [
        recipe(),
        recipe(labels=["squat"]),
        recipe(input={"streams": ["accelerometer"], "rate_hz": 25}),
        recipe(segment={"by": "recording", "length": 64}),
    ]
    assert len(set(changed)) == len(changed)
    assert recipe(title="x", seed=3, promote={"at_least": 0.9}, split={"folds": 3}) == recipe()


# --- what fits together ---------------------------------------------------------------------------------------------------


def test_a_study_cannot_be_changed_once_loaded() -> None:
    study = find_study("barbell")
    with pytest.raises(ValidationError):
        study.title = "x"  # type: ignore[misc]


@pytest.mark.parametrize("values", [[55, 45], [45], [1, 2, 3], ["a", "b"], [float("nan"), 1], [0, float("inf")]])
def test_a_range_is_two_finite_numbers_the_smaller_first(values: list[Any]) -> None:
    with pytest.raises(ValidationError):
        StreamContract(unit="m/s^2", rate_hz=values)  # type: ignore[arg-type]
    assert StreamContract(unit="m/s^2", rate_hz=(45, 45)).rate_hz == (45, 45)


def test_noise_that_runs_from_high_to_low_is_refused() -> None:
    with pytest.raises(ValidationError, match="the smaller number comes first"):
        MultiplicativeNoise(share=0.3, low=1.1, high=0.8)


def test_a_stream_or_a_label_named_twice_in_a_task_is_refused() -> None:
    which = trial()["tasks"]["which"]
    twice = {"streams": ["accelerometer", "accelerometer"], "rate_hz": 50}
    for change in ({"input": twice}, {"labels": ["squat", "squat"]}):
        with pytest.raises(ValidationError, match="is there twice"):
            Study.model_validate(trial(tasks={"which": which | change}))


def test_a_contract_of_a_sensor_holds_at_every_placement_that_has_none_of_its_own() -> None:
    streams = trial()["streams"]
    waist = {**streams["accelerometer"], "rate_hz": [109, 111]}
    study = Study.model_validate(trial(streams={**streams, "accelerometer@waist": waist}))
    assert study.contract_of("accelerometer@waist") == StreamContract.model_validate(waist)
    assert study.contract_of("accelerometer@thigh") == study.streams["accelerometer"]
    assert study.contract_of("magnetometer@thigh") is None


def test_a_placement_that_is_no_name_is_refused() -> None:
    streams = trial()["streams"]
    with pytest.raises(ValidationError, match="is no placement"):
        Study.model_validate(trial(streams={**streams, "accelerometer@Left Thigh": streams["accelerometer"]}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"merge": {"bad": {"labels": ["squatt"]}}}, "label 'squatt' is none of the task's; did you mean 'squat'"),
        ({"merge": {"bad": {"labels": ["rest"]}}, "labels": ["squat", "lunge"]}, "label 'rest' is none of the task's"),
        ({"merge": {"bad": {"labels": ["squat"]}, "worse": {"labels": ["squat"]}}}, "label 'squat' goes into bad already"),
        ({"merge": {"rest": {"labels": ["squat"]}}}, "'rest' is a label of its own"),
        ({"positive": "squatt"}, "'squatt' is no answer of the task; did you mean 'squat'"),
        ({"merge": {"bad": {"labels": ["squat"]}}, "positive": "squat"}, "'squat' is no answer of the task"),
        ({"positive": "squat", "target": "participant", "split": {"group": "session"}}, "positive is about labels"),
    ],
)
def test_what_a_task_answers_is_checked(change: dict[str, Any], message: str) -> None:
    content = trial(labels=["squat", "lunge", "rest"], tasks={"which": trial()["tasks"]["which"] | change})
    with pytest.raises(ValidationError) as refused:
        Study.model_validate(content)
    assert message in str(refused.value.errors()[0]["ctx"]["misfits"])


def test_a_name_that_is_one_of_the_labels_it_stands_for_is_fine() -> None:
    change = {"merge": {"squat": {"labels": ["squat", "lunge"]}}, "positive": "rest"}
    content = trial(labels=["squat", "lunge", "rest"], tasks={"which": trial()["tasks"]["which"] | change})
    assert Study.model_validate(content).tasks["which"].merge["squat"].share == 1


def test_every_family_has_a_file_of_its_parameters() -> None:
    assert all((_ROOT / "ml" / "models" / f"{family}.yaml").is_file() for family in get_args(Family))


# --- documentation --------------------------------------------------------------------------------------------------------


def _models(annotation: object, place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield place or "study file", annotation
        for name, field in annotation.model_fields.items():
            yield from _models(field.annotation, f"{place}.{name}".strip("."))
    else:
        origin, arguments = str(annotation), get_args(annotation)
        for argument in arguments:
            one = place.rpartition(".")[2].removesuffix("s")
            inside = f"{place}.<{one}>" if "Mapping[" in origin else f"{place}[]" if origin.startswith("tuple[") else place
            yield from _models(argument, inside)


_MODELS = dict(_models(Study, ""))


def _sections() -> dict[str, list[list[str]]]:
    """The table of every section of the page that explains keys: cells of each row."""
    found: dict[str, list[list[str]]] = {}
    for part in _PAGE.split("\n### `")[1:]:
        heading, _, body = part.partition("`\n")
        rows = [line for line in body.splitlines() if line.startswith("| `")]
        found[heading] = [[cell.strip() for cell in row.removeprefix("| ").removesuffix(" |").split(" | ")] for row in rows]
    return found


def test_every_model_has_its_section_in_the_documentation_and_every_section_its_model() -> None:
    assert set(_sections()) == set(_MODELS)
    assert {"streams.<stream>", "tasks.<task>.augment[].subsequence", "tasks.<task>.models[]"} <= set(_MODELS)


@pytest.mark.parametrize("place", _MODELS)
def test_every_key_is_documented_with_its_default_and_no_other(place: str) -> None:
    documented = {row[0].strip("`"): row for row in _sections()[place]}
    assert list(documented) == list(_MODELS[place].model_fields)
    for name, field in _MODELS[place].model_fields.items():
        _, value, default, meaning = documented[name]
        assert value, name
        assert meaning.endswith("."), name
        assert default == _default(field), name


def _default(field: Any) -> str:
    if field.is_required():
        return "*required*"
    default = field.get_default(call_default_factory=True)
    assert default is not PydanticUndefined
    if default is None:
        return "–"
    if isinstance(default, BaseModel) or default == {}:
        return "`{}`"
    if default == ():
        return "`[]`"
    if isinstance(default, tuple):
        return f"`[{', '.join(default)}]`"
    return f"`{yaml.safe_dump(default).splitlines()[0]}`"


def test_every_choice_is_documented() -> None:
    for word in (
        *SENSORS,
        *get_args(Family),
        *get_args(Metric),
        *SENSORS.values(),
        *UNITS,
        "leave_one_out",
        "window",
        "device",
    ):
        assert f"`{word}`" in _PAGE, word


def test_the_worked_example_is_a_study_as_it_stands(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", _PAGE, flags=re.DOTALL)
    (tmp_path / "kettlebell.yaml").write_text(example, encoding="utf-8")
    study = load_study(tmp_path / "kettlebell.yaml")
    assert study.canonical_label("KB-Swing") == "swing"
    assert study.tasks["exercise"].segment.seconds == 4
