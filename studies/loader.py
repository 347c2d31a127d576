"""Reads study files and says what is wrong with them: file, line, key, what is allowed, the nearest match.

Shipped studies lie beside this module; further folders are named in ``$KINELAKE_STUDIES`` (separated by ``:``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from studies.explanation import Key, explain
from studies.study import Study
from warehouse.errors import Reason, StudyError, UnknownName, did_you_mean

_SHIPPED = Path(__file__).parent
_NAMES = (".yaml", ".yml")


def load_studies() -> Mapping[str, Study]:
    """Load every study of the search path; a later folder's study replaces an earlier one of the same name.

    Raises
    ------
    StudyError
        If any file breaks the schema; the error names file, line and key. Or if a folder of the search path is not there.
    """
    return {name: load_study(path) for name, path in _study_files().items()}


def find_study(name: str) -> Study:
    """Return the study of that name; what is wrong with other files is of no account.

    Raises
    ------
    UnknownName
        If there is none; the error offers the nearest name.
    StudyError
        If its file breaks the schema.
    """
    known = _study_files()
    if name not in known:
        sentence = f"study '{name}' is not known{did_you_mean(name, known)}"
        raise UnknownName(Reason("study_unknown", sentence, remedy="write studies/<name>.yaml, or set KINELAKE_STUDIES"))
    return load_study(known[name])


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
    try:
        return _load(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise StudyError(Reason("study_unreadable", f"cannot be read: {error.strerror}", str(path))) from error


@lru_cache(maxsize=256)
def _load(path: Path, _modified_ns: int) -> Study:
    content, lines = _parsed(path)
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise StudyError(*explain(str(path), error.errors(), content, lines)) from error
    if study.study != path.stem:
        sentence = f"study: {study.study} must be the file's name, {path.stem}"
        raise StudyError(Reason("study_name", sentence, f"{path}:{lines[('study',)]}", "rename the file or the study"))
    return study


def _parsed(path: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        sentence = f"not UTF-8: byte {error.start} cannot be read"
        raise StudyError(Reason("study_not_text", sentence, str(path), "save the file as UTF-8")) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise StudyError(Reason("study_not_yaml", f"not YAML: {getattr(error, 'problem', error)}", place)) from error
    if not isinstance(content, dict):
        raise StudyError(Reason("study_not_a_mapping", "a study file is a mapping that starts with 'study: <name>'", str(path)))
    return content, _lines_without_repeats(path, node)


def _lines_without_repeats(path: Path, node: yaml.Node | None) -> dict[Key, int]:
    lines: dict[Key, int] = {}
    repeats: list[Reason] = []
    repeated: Key | None = None
    for key, line in _lines(node):
        if key in lines and (repeated is None or key[: len(repeated)] != repeated):
            repeated = key
            sentence = f"key '{'.'.join(map(str, key))}' is there twice, first in line {lines[key]}"
            repeats.append(Reason("study_key_repeated", sentence, f"{path}:{line}", "keep one of them"))
        lines.setdefault(key, line)
    if repeats:
        raise StudyError(*repeats)
    return lines


def _study_files() -> dict[str, Path]:
    return {path.stem: path for folder in _folders() for path in sorted(folder.iterdir()) if path.suffix in _NAMES}


def _folders() -> list[Path]:
    further = [Path(folder) for folder in os.environ.get("KINELAKE_STUDIES", "").split(os.pathsep) if folder]
    for folder in further:
        if not folder.is_dir():
            sentence = "KINELAKE_STUDIES names a folder that is not there"
            raise StudyError(Reason("study_folder_missing", sentence, str(folder), "make it, or take it out of the variable"))
    return [_SHIPPED, *further]


def _lines(node: yaml.Node | None, key: Key = ()) -> Iterator[tuple[Key, int]]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield (*key, name.value), name.start_mark.line + 1
            yield from _lines(value, (*key, name.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*key, index), value.start_mark.line + 1
            yield from _lines(value, (*key, index))
