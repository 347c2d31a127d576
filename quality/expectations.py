"""Runs suites of demands with Great Expectations over tables of facts, and says which rows break them.

Belongs here: everything that knows Great Expectations. It is imported inside the check only: that alone takes 2 to 3 seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from quality.suites import Demand, Severity, Suite
from warehouse.errors import KinelakeError, Reason

if TYPE_CHECKING:
    from types import ModuleType

_NOTHING = "\0"
_SEVERITIES: Mapping[Severity, str] = {"error": "critical", "warning": "warning"}


@dataclass(frozen=True)
class Violation:
    """A demand and the rows (positions in the table of facts, ascending) that do not fulfil it.

    Parameters
    ----------
    suite : Suite
    demand : Demand
    rows : tuple of int
    severity : {"error", "warning"}
        As the evaluated expectation says.
    """

    suite: Suite
    demand: Demand
    rows: tuple[int, ...]
    severity: Severity


def violations(tables: Sequence[tuple[Suite, pa.Table]]) -> list[Violation]:
    """Validate every table of facts against its suite with Great Expectations.

    Parameters
    ----------
    tables : sequence of (Suite, Table)
        Each table with the columns that its suite names. An empty table fulfils everything.

    Returns
    -------
    list of Violation
        In the order of the suites and their demands; only demands that some row does not fulfil.

    Raises
    ------
    KinelakeError
        ``expectation_failed_to_run`` if a demand could not be evaluated: that is no verdict on any recording.
    """
    filled = [(suite, facts) for suite, facts in tables if facts.num_rows and suite.demands]
    if not filled:
        return []
    import great_expectations as gx

    source = _quiet_context(gx).data_sources.add_pandas("facts")
    return [violation for suite, facts in filled for violation in _run(suite, facts, source, gx)]


def _quiet_context(gx: ModuleType) -> Any:
    """Everything in memory: no docs site, no progress bars, nobody told."""
    from great_expectations.data_context.types import base

    stores, bars = base.InMemoryStoreBackendDefaults(), base.ProgressBarsConfig(globally=False)
    settings = base.DataContextConfig(store_backend_defaults=stores, progress_bars=bars, analytics_enabled=False)
    return gx.get_context(project_config=settings, mode="ephemeral")


def _run(suite: Suite, facts: pa.Table, source: Any, gx: ModuleType) -> list[Violation]:
    definition = source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe(suite.name)
    batch = definition.get_batch(batch_parameters={"dataframe": _frame(suite, facts)})
    expectations = [_expectation(number, demand, gx) for number, demand in enumerate(suite.demands)]
    report = {"result_format": "COMPLETE", "return_unexpected_index_query": False}
    outcome = batch.validate(gx.ExpectationSuite(name=suite.name, expectations=expectations), result_format=report)
    found = {result.expectation_config.meta["demand"]: result for result in outcome.results}
    return [
        Violation(suite, demand, rows, _severity(found[number]))
        for number, demand in enumerate(suite.demands)
        if (rows := _rows(found[number], suite))
    ]


def _frame(suite: Suite, facts: pa.Table) -> Any:
    """Return the columns that the suite names; what is absent becomes a value that no demand allows.

    Great Expectations leaves absent values out of account, so a rate that could not be measured would pass for a good one.
    """
    names = dict.fromkeys(demand.column for demand in suite.demands if demand.column in facts.column_names)
    return pa.table({name: _visible(facts[name]) for name in names}).to_pandas()


def _visible(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_null(column, nan_is_null=True), math.inf, column)
    return pc.fill_null(column, _NOTHING) if pa.types.is_string(column.type) else column


def _expectation(number: int, demand: Demand, gx: ModuleType) -> Any:
    kinds = gx.expectations
    told = {"column": demand.column, "meta": {"demand": number}, "severity": _SEVERITIES[demand.severity]}
    if demand.between is not None:
        low, high = demand.between
        return kinds.ExpectColumnValuesToBeBetween(min_value=low, max_value=high, **told)
    return kinds.ExpectColumnValuesToBeInSet(value_set=list(demand.one_of or ()), **told)


def _severity(result: Any) -> Severity:
    return "error" if result.expectation_config.severity.value == _SEVERITIES["error"] else "warning"


def _rows(result: Any, suite: Suite) -> tuple[int, ...]:
    rows = result.result.get("unexpected_index_list") or []
    if result.success or rows:
        return tuple(sorted(rows))
    # Great Expectations answers success=False both for rows that fail and for its own errors; without rows it is the latter.
    wanted = result.expectation_config
    sentence = f"{wanted.type} on {wanted.kwargs.get('column')} could not be evaluated: {_said(result.exception_info)}"
    remedy = "this is a fault of the platform, not of the recordings; tell the data team"
    raise KinelakeError(Reason("expectation_failed_to_run", sentence, f"suite {suite.name}", remedy))


def _said(exception_info: Mapping[str, Any]) -> str:
    parts = [exception_info, *(part for part in exception_info.values() if isinstance(part, Mapping))]
    return next((str(part["exception_message"]) for part in parts if part.get("exception_message")), "no reason given")
