"""Patterns that take participant, label and more out of paths: ``{participant}-{label}-{load}_*``.

Belongs here: the little language and its faults. Which paths, and where the fields go, is in `ingestion.draft`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from warehouse.errors import KinelakeError, Reason

_TOKEN = re.compile(r"\{([^{}]*)\}|(\*+)|([^{}*]+)|(.)", re.DOTALL)
_FIELD = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NOT_FIELDS = ("path", "sha256")


class PathPattern:
    """A template on relative paths.

    ``{name}`` is a field inside one folder or file name and ends at the next literal; ``{_}`` is ignored; ``*`` is
    anything, also across folders; everything else is literal. It describes the whole path, or its end if the path does
    not fit as a whole, so ``{participant}-*`` also finds ``visit1/A-squat.csv``.

    Parameters
    ----------
    text : str

    Raises
    ------
    KinelakeError
        If the text is no pattern; the reason names the column.

    Examples
    --------
    >>> PathPattern("{participant}-{label}-{load}_*").fields("day1/A-bench-heavy2-rpe8_MetaWear_2019.csv")
    {'participant': 'A', 'label': 'bench', 'load': 'heavy2-rpe8'}
    >>> PathPattern("{label}/*").fields("squat/one.zip")
    {'label': 'squat'}
    >>> PathPattern("{label}/*").fields("one.zip") is None
    True
    """

    def __init__(self, text: str) -> None:
        self.text = text
        tokens = list(_tokens(text))
        self._expression = re.compile("".join(_expressions(tokens)), re.DOTALL)

    def fields(self, path: str) -> dict[str, str] | None:
        """Return the fields of a path, or None if it does not fit; linear in the length of the path."""
        tail = path
        while True:
            found = self._expression.fullmatch(tail)
            if found:
                return {name: value.strip() for name, value in found.groupdict().items()}
            _, slash, tail = tail.partition("/")
            if not slash:
                return None


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    open_ended = ""
    for token in _TOKEN.finditer(text):
        field, star, literal, stray = token.groups()
        part = token.group()
        fault = (
            (stray and f"'{stray}' has no partner: a field is written {{name}}")
            or (field is not None and _field_fault(field, seen))
            or (open_ended and not literal and f"'{part}' follows '{open_ended}' directly: nothing says where one ends")
        )
        if fault:
            where = f"pattern {text} column {token.start() + 1}"
            raise KinelakeError(Reason("pattern_invalid", fault, where, "for example {participant}-{label}_*"))
        open_ended = "" if literal else part
        yield ("field", field) if field is not None else ("star", star) if star else ("literal", literal)


def _field_fault(name: str, seen: set[str]) -> str:
    if not _FIELD.fullmatch(name) or name in _NOT_FIELDS:
        return f"'{name}' cannot be a field: a-z, 0-9 and '_', and none of {', '.join(_NOT_FIELDS)}"
    if name in seen:
        return f"field '{name}' is there twice"
    seen |= {name} - {"_"}
    return ""


def _expressions(tokens: list[tuple[str, str]]) -> Iterator[str]:
    # Atomic groups: a field never grows past the literal that ends it, so no path can make the match try and try again.
    endings = [*(re.escape(value) for _, value in tokens[1:]), ""][: len(tokens)]
    endings[-2:] = [ending + r"\Z" for ending in endings[-2:]]
    for (kind, value), ending in zip(tokens, endings, strict=True):
        if kind == "literal":
            yield re.escape(value)
        elif kind == "star":
            yield f"(?>.*?(?={ending}))"
        else:
            name = f"P<{value}>" if value != "_" else ":"
            yield f"(?{name}(?>[^/]+?(?={ending})))"
