"""What is wrong with a study file, for people who write YAML and no Python: one reason a fault, with line and key.

Belongs here: turning the faults that the models of `studies.study` find into sentences. Reading files is in `studies.loader`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from studies.study import Study
from warehouse.errors import Reason, did_you_mean

#: Mapping keys and list positions from the top of the file.
Key = tuple[str | int, ...]
Lines = Mapping[Key, int]
Fault = Mapping[str, Any]

_REMEDY = "docs/studies.md explains every key"
_QUOTE = "put it in quotes: YAML reads yes, no, on, off, numbers and dates as something else than text"
_WANTED = {
    "bool": "true or false",
    "dict": "keys with values, one a line",
    "mapping": "keys with values, one a line",
    "finite_number": "a number",
    "float": "a number",
    "int": "a whole number",
    "list": "a list in [ ]",
    "model": "keys with values, one a line",
    "string": "text",
    "tuple": "a list in [ ]",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def explain(path: str, faults: Sequence[Fault], content: Mapping[str, Any], lines: Lines) -> list[Reason]:
    """Say what is wrong with a study file.

    Parameters
    ----------
    path : str
        How messages name the file.
    faults : sequence of mapping
        As pydantic's ``ValidationError.errors()`` gives them.
    content : mapping
        What the file holds.
    lines : mapping of key to int
        The line of every key.

    Returns
    -------
    list of Reason
        One for each key that is wrong, in the order of the file.
    """
    found: dict[Key, list[Fault]] = defaultdict(list)
    reasons: list[tuple[int, Reason]] = []
    for fault in faults:
        found[_key(fault["loc"], content)].append(fault)
    for key, same in found.items():
        if same[0]["type"] == "misfits":
            reasons += [_reason(path, at, sentence, lines) for at, sentence in same[0]["ctx"]["misfits"]]
        elif not _only_says_that_a_part_is_wrong(key, same, found):
            reasons.append(_reason(path, key, _sentence(key, same), lines, remedy=_remedy(same)))
    return [reason for _, reason in sorted(reasons, key=lambda entry: entry[0])]


def _key(location: tuple[str | int, ...], content: Any) -> Key:
    """The part of a location that the file knows, and the missing key if it ends in one; not which kind was tried."""
    key: list[str | int] = []
    for part in location:
        if isinstance(content, Mapping):
            inside = part in content
        else:
            inside = (
                isinstance(content, Sequence) and not isinstance(content, str) and isinstance(part, int) and part < len(content)
            )
        if not inside:
            named = isinstance(part, str) and isinstance(content, Mapping) and part != "[key]"
            return (*key, part) if named or isinstance(part, int) else tuple(key)
        key.append(part)
        content = content[part]
    return tuple(key)


def _only_says_that_a_part_is_wrong(key: Key, faults: Sequence[Fault], found: Mapping[Key, object]) -> bool:
    return faults[0]["type"] == "too_short" and any(other[: len(key)] == key and other != key for other in found)


def _reason(path: str, key: Key, sentence: str, lines: Lines, remedy: str = _REMEDY) -> tuple[int, Reason]:
    known = key
    while known and known not in lines:
        known = known[:-1]
    line = lines.get(known, 1)
    return line, Reason("study_invalid", sentence, f"{path}:{line}", remedy)


def _sentence(key: Key, faults: Sequence[Fault]) -> str:
    fault, dotted = faults[0], ".".join(map(str, key)) or "the file"
    kind, given = fault["type"], fault["input"]
    if kind == "missing" and isinstance(key[-1], int):
        return f"{'.'.join(map(str, key[:-1]))}: entry {key[-1] + 1} is missing"
    if kind == "missing":
        return f"key '{dotted}' is missing"
    if kind == "extra_forbidden":
        return f"key '{dotted}' is not known{did_you_mean(str(key[-1]), _allowed_keys(key[:-1]))}"
    if kind == "value_error":
        return f"{dotted}: {str(fault['msg']).removeprefix('Value error, ')}"
    if kind == "literal_error" and len(faults) == 1:
        return f"{dotted}: '{given}' is not known{did_you_mean(str(given), _choices(fault))}"
    wanted = list(dict.fromkeys(text for one in faults for text in _wanted(one)))
    return f"{dotted}: {_shown(given)} is not allowed; wanted: {', or '.join(wanted)}"


def _wanted(fault: Fault) -> Iterator[str]:
    context = fault.get("ctx", {})
    kind = str(fault["type"])
    if kind == "literal_error":
        yield from _choices(fault)
    elif kind == "string_pattern_mismatch":
        yield "a-z, 0-9 and '_', a letter first, at most 63"
    elif kind == "too_short":
        yield f"at least {context['min_length']} of them"
    elif kind == "value_error":
        yield f"no fault such as: {str(fault['msg']).removeprefix('Value error, ')}"
    elif bounds := [f"{_BOUNDS[name]} {context[name]:g}" for name in _BOUNDS if name in context]:
        yield from bounds
    else:
        yield _WANTED.get(kind.removesuffix("_type").removesuffix("_parsing").removesuffix("_from_float"), str(fault["msg"]))


def _remedy(faults: Sequence[Fault]) -> str:
    texts = {"string_type", "string_pattern_mismatch"}
    return (
        _QUOTE
        if len(faults) == 1 and faults[0]["type"] in texts and not isinstance(faults[0]["input"], str | list | dict)
        else _REMEDY
    )


def _shown(given: Any) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    return f"'{given}'" if isinstance(given, str) else str(given)


def _choices(fault: Fault) -> list[str]:
    expected = str(fault["ctx"]["expected"])
    return [word.strip(" '") for word in expected.replace(" or ", ",").split(",") if word.strip(" '")]


def _allowed_keys(parent: Key) -> list[str]:
    model: type[BaseModel] | None = Study
    for part in parent:
        if model is not None and isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation)
    return sorted(model.model_fields) if model else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model), None)
