"""Great Expectations says the same as a plain comparison; what it cannot evaluate is an error, never a verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.expectations import violations
from quality.suites import Demand, Suite, suites_of
from studies.study import StreamContract, Study
from warehouse.errors import KinelakeError

LIMIT = StreamContract(
    unit="m/s^2", rate_hz=(45, 55), max_gap_s=0.5, max_jitter=0.2, range=(-160, 160), gravity=(8, 12), max_saturated=0.05
)
BOUNDS = {
    "rate_hz": (45.0, 55.0),
    "longest_gap_s": (0.0, 0.5),
    "jitter": (0.0, 0.2),
    "saturated": (0.0, 0.05),
    "minimum": (-160.0, 160.0),
    "maximum": (-160.0, 160.0),
    "norm_median": (8.0, 12.0),
    "over_declared": (0.9, 1.1),
    "held": (0.0, 0.5),
}


def around(low: float, high: float) -> st.SearchStrategy[float | None]:
    """Inside, outside, on the limits, the nearest number beyond them, and what is no number."""
    edges = [low, high, np.nextafter(low, -np.inf), np.nextafter(high, np.inf)]
    odd = [None, math.nan, math.inf, -math.inf]
    elsewhere = st.one_of(st.sampled_from([*map(float, edges), *odd]), st.floats(-500, 500))
    return st.integers(0, 9).flatmap(lambda dice: elsewhere if dice == 0 else st.floats(low, high))


def facts_strategy() -> st.SearchStrategy[list[dict[str, Any]]]:
    columns = {name: around(*bounds) for name, bounds in BOUNDS.items()}
    row = st.fixed_dictionaries({**columns, "unit": st.sampled_from(["m/s^2", "m/s^2", "m/s^2", "g", None])})
    return st.lists(row, min_size=1, max_size=60)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, pa.schema([*((name, pa.float64()) for name in BOUNDS), ("unit", pa.string())]))


def the_suite() -> Suite:
    study = Study.model_validate(
        {"study": "s", "title": "s", "participants": ".*", "labels": [], "streams": {"accelerometer": LIMIT.model_dump()}}
    )
    (suite,) = [suite for suite in suites_of(study) if suite.about == "accelerometer"]
    return suite


@given(rows=facts_strategy())
@settings(max_examples=12, deadline=None)
def test_rows_without_a_violation_are_exactly_those_inside_the_contract(rows: list[dict[str, Any]]) -> None:
    broken = violations([(the_suite(), table(rows))])
    found = {row for violation in broken for row in violation.rows}
    warned = {violation.demand.column for violation in broken if violation.severity == "warning"}
    assert warned <= {"over_declared", "held"}
    values = {name: np.array([row[name] for row in rows], dtype=float) for name in BOUNDS}
    inside = np.array([row["unit"] == "m/s^2" for row in rows])
    for name, (low, high) in BOUNDS.items():
        inside &= (values[name] >= low) & (values[name] <= high)
    assert found == set(np.flatnonzero(~inside).tolist())


def test_absent_facts_never_pass() -> None:
    row = dict.fromkeys([*BOUNDS, "unit"])
    found = violations([(the_suite(), table([row]))])
    assert {violation.demand.column for violation in found} == {*BOUNDS, "unit"}


def test_an_expectation_that_cannot_be_evaluated_is_an_error_and_no_verdict() -> None:
    suite = Suite("stream", (Demand("rate_out_of_contract", "rate_hz", between=(1, 2)),))
    with pytest.raises(KinelakeError, match=r"expectation_failed_to_run.*rate_hz.*does not exist"):
        violations([(suite, pa.table({"another": [1.5]}))])


def test_text_that_looks_like_the_sign_for_absent_is_still_not_allowed() -> None:
    suite = Suite("label", (Demand("label_unknown", "label", one_of=("hop",)),))
    (violation,) = violations([(suite, pa.table({"label": ["hop", "\0", None, "HOP", "", "hop "]}))])
    assert violation.rows == (1, 2, 3, 4, 5)


def test_tables_without_rows_need_no_great_expectations() -> None:
    assert violations([(the_suite(), table([]))]) == []
