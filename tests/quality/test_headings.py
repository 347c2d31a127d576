"""No code reaches a person without words of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from quality.accounts import REPAIRS
from quality.headings import READING, VERDICTS, heading

INGESTION = Path(__file__).resolve().parents[2] / "ingestion"
READERS = [*sorted((INGESTION / "readers").glob("*.py")), *sorted((INGESTION / "annotations").glob("*.py"))]
READERS += sorted((INGESTION / "video").glob("*.py"))
READERS += [INGESTION / name for name in ("batch.py", "clock.py", "recording.py", "repairs.py", "units.py")]


def codes_given_in(path: Path, to: str) -> Iterator[str]:
    """First arguments of calls such as ``Reason(...)`` that stand there as text."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == to and call.args:
            yield from (
                one.value for one in ast.walk(call.args[0]) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.stem)
def test_every_code_that_reading_gives_has_a_heading_in_words(path: Path) -> None:
    assert sorted(set(codes_given_in(path, "Reason")) - set(READING)) == []


def test_every_repair_is_told_in_words() -> None:
    kinds = {kind for path in READERS for to in ("Repair", "_Change") for kind in codes_given_in(path, to)}
    assert kinds and kinds <= set(REPAIRS)


def test_headings_begin_like_sentences_and_hold_no_code() -> None:
    for words in (*VERDICTS.values(), *READING.values()):
        assert words[0].isupper() and "_" not in words and not words.endswith(".")


def test_a_code_that_nobody_worded_is_told_in_its_own_words() -> None:
    assert heading("hinge_loose") == "Hinge loose"
