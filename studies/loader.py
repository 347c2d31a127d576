"""Reads study files and says what is wrong with them: file, line, key, what is allowed, the nearest match.

Shipped studies lie beside this module; further folders are named in ``$KINELAKE_STUDIES`` (separated by ``:``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ValidationError

from studies.study import Study
from warehouse.errors import Reason, StudyError, UnknownName, did_you_mean

_SHIPPED = Path(__file__).parent
_Key = tuple[str | int, ...]


def load_studies() -> Mapping[str, Study]:
    """Load every study of the search path; a later folder's study replaces an earlier one of the same name.

    Raises
    ------
    StudyError
        If any file breaks the schema; the error names file, line and key.
    """
    return {study.study: study for folder in _folders() for study in map(load_study, sorted(folder.glob("*.yaml")))}


def find_study(name: str) -> Study:
    """Return the study of that name.

    Raises
    ------
    UnknownName
        If there is none; the error offers the nearest name.
    """
    known = load_studies()
    if name not in known:
        sentence = f"study '{name}' is not known{did_you_mean(name, known)}"
        raise UnknownName(Reason("study_unknown", sentence, remedy="write studies/<name>.yaml, or set KINELAKE_STUDIES"))
    return known[name]


def load_study(path: Path) -> Study:
    """Load and validate one study file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    StudyError
        One reason per fault, each with file, line and key.
    """
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _load(path: Path, _modified_ns: int) -> Study:
    text = path.read_text(encoding="utf-8")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise StudyError(Reason("study_not_yaml", f"not YAML: {getattr(error, 'problem', error)}", place)) from error
    if not isinstance(content, dict):
        raise StudyError(Reason("study_not_a_mapping", "a study file is a mapping that starts with 'study: <name>'", str(path)))
    lines = dict(_lines(node))
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise StudyError(*(_explained(path, fault, lines) for fault in error.errors())) from error
    if study.study != path.stem:
        fault = Reason("study_name", f"study: {study.study} must be the file's name, {path.stem}", f"{path}:{lines[('study',)]}")
        raise StudyError(fault)
    return study


def _folders() -> list[Path]:
    further = [Path(folder) for folder in os.environ.get("KINELAKE_STUDIES", "").split(os.pathsep) if folder]
    return [_SHIPPED, *further]


def _lines(node: yaml.Node | None, key: _Key = ()) -> Iterator[tuple[_Key, int]]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield (*key, name.value), name.start_mark.line + 1
            yield from _lines(value, (*key, name.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*key, index), value.start_mark.line + 1
            yield from _lines(value, (*key, index))


def _explained(path: Path, fault: Mapping[str, object], lines: Mapping[_Key, int]) -> Reason:
    location = fault["loc"]
    assert isinstance(location, tuple)
    key: _Key = tuple(part for part in location if part != "[key]")
    while key and key not in lines:
        key = key[:-1]
    dotted = ".".join(str(part) for part in location if part != "[key]") or "the file"
    sentence = f"{dotted}: {str(fault['msg']).removeprefix('Value error, ')}"
    if fault["type"] == "extra_forbidden":
        sentence = f"key '{location[-1]}' is not known{did_you_mean(str(location[-1]), _allowed_keys(key[:-1]))}"
    elif "expected" in (context := _context(fault)):
        sentence = f"{dotted}: '{fault['input']}' is not known{did_you_mean(str(fault['input']), _choices(context['expected']))}"
    return Reason("study_invalid", sentence, f"{path}:{lines.get(key, 1)}", "see docs/studies.md for every key")


def _context(fault: Mapping[str, object]) -> Mapping[str, object]:
    context = fault.get("ctx", {})
    return context if isinstance(context, Mapping) else {}


def _choices(expected: object) -> list[str]:
    return [word.strip(" '") for word in str(expected).replace(" or ", ",").split(",") if word.strip(" '")]


def _allowed_keys(parent: _Key) -> list[str]:
    model: type[BaseModel] | None = Study
    for part in parent:
        if model is None:
            return []
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation)
    return sorted(model.model_fields) if model else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model), None)
