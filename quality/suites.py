"""A study's contract as Great Expectations suites over tables of facts, and the rows that break them.

Belongs here: which column must be like what, and running it. Where the facts come from is in `quality.facts`, how a broken
demand is told to a person in `quality.reasons`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from studies.study import StreamContract, Study
from warehouse.errors import KinelakeError, Reason

if TYPE_CHECKING:
    from types import ModuleType

#: The suite over findings; its name in `suites_of`.
FILES = "files"
#: The suite over what the manifest says of a recording.
MANIFEST = "manifest"
#: The suite over what a readable recording holds.
CONTENTS = "contents"

_HARMLESS = ("warning", "note")
_LARGEST = sys.float_info.max
_NOTHING = "\0"


@dataclass(frozen=True)
class Demand:
    """What every row of a table of facts must fulfil: a number lies between, or a value is one of. An absent one does neither.

    Parameters
    ----------
    code : str
        Reason code of a row that does not.
    column : str
    between : tuple of float, optional
        Smallest and largest allowed number, both included.
    one_of : tuple, optional
        Allowed values.
    """

    code: str
    column: str
    between: tuple[float, float] | None = None
    one_of: tuple[str | bool, ...] | None = None


@dataclass(frozen=True)
class Suite:
    """The demands on one table of facts."""

    name: str
    demands: tuple[Demand, ...]


@dataclass(frozen=True)
class Violation:
    """A demand and the rows (positions in the table of facts, ascending) that do not fulfil it."""

    suite: str
    demand: Demand
    rows: tuple[int, ...]


def suites_of(study: Study) -> Mapping[str, Suite]:
    """Return the suites of a study's contract by name: `FILES`, `MANIFEST`, `CONTENTS`, and one for each declared stream.

    Examples
    --------
    >>> from studies import find_study
    >>> list(suites_of(find_study("barbell")))
    ['files', 'manifest', 'contents', 'accelerometer', 'gyroscope']
    """
    suites = [
        Suite(FILES, (Demand("file_unreadable", "severity", one_of=_HARMLESS),)),
        Suite(MANIFEST, (*_labels(study), Demand("participant_unknown", "participant_fits", one_of=(True,)))),
        Suite(CONTENTS, (*_required_streams(study), *_duration(study))),
        *(Suite(name, tuple(_stream_demands(contract))) for name, contract in study.streams.items()),
    ]
    return {suite.name: suite for suite in suites}


def has(stream: str) -> str:
    """Return the name of the fact that tells whether a recording has readings of a stream."""
    return f"has_{stream}"


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


def _labels(study: Study) -> tuple[Demand, ...]:
    return (Demand("label_unknown", "label", one_of=tuple(study.labels)),) if study.labels else ()


def _required_streams(study: Study) -> list[Demand]:
    required = [name for name, contract in study.streams.items() if contract.required]
    columns = [has(name) for name in required] or [has("any")]
    return [Demand("stream_missing", column, one_of=(True,)) for column in columns]


def _duration(study: Study) -> tuple[Demand, ...]:
    shortest = study.min_duration_s
    return () if shortest is None else (Demand("too_short", "duration_s", between=(shortest, _LARGEST)),)


def _stream_demands(contract: StreamContract) -> Iterator[Demand]:
    yield Demand("unit_implausible", "unit", one_of=(contract.unit,))
    yield Demand("rate_out_of_contract", "rate_hz", between=contract.rate_hz)
    for code, column, largest in (
        ("gap_too_long", "longest_gap_s", contract.max_gap_s),
        ("jitter_too_high", "jitter", contract.max_jitter),
        ("saturated", "saturated", contract.max_saturated),
    ):
        if largest is not None:
            yield Demand(code, column, between=(0, largest))
    if contract.range is not None:
        yield Demand("out_of_range", "minimum", between=contract.range)
        yield Demand("out_of_range", "maximum", between=contract.range)
    if contract.gravity is not None:
        yield Demand("unit_implausible", "norm_median", between=contract.gravity)


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
    rows = {result.expectation_config.meta["demand"]: _rows(result, suite) for result in outcome.results}
    return [Violation(suite.name, demand, rows[number]) for number, demand in enumerate(suite.demands) if rows[number]]


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
    kinds, meta = gx.expectations, {"demand": number}
    if demand.between is not None:
        low, high = demand.between
        return kinds.ExpectColumnValuesToBeBetween(column=demand.column, min_value=low, max_value=high, meta=meta)
    return kinds.ExpectColumnValuesToBeInSet(column=demand.column, value_set=list(demand.one_of or ()), meta=meta)


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
