"""What was repaired on a recording's streams, told twice: as repairs that an analyst can query, and as findings for people.

Belongs here: wording and severity. What is repaired is decided in `ingestion.order` and `ingestion.units`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from ingestion.order import first_step_back
from ingestion.recording import Finding, Repair
from ingestion.units import Measured
from warehouse.errors import Reason

#: A local time taken for UTC may lie so far ahead: the easternmost zone's offset.
DATE_LINE_NS = 14 * 3600 * 1_000_000_000
#: More than this share of steps that run backwards is no repair any more but a broken clock.
MOST_BACKWARDS = 0.01

_NOTHING = "nothing to do"


def repairs_of(one: Measured) -> list[Repair]:
    """Return everything that was repaired on a stream: by its reader, then by sorting, then by its units."""
    named = (replace(repair, stream=one.stream.name) for repair in one.stream.repairs)
    return [*named, *(replace(repair, start_ns=one.facts.start_ns, end_ns=one.facts.end_ns) for repair in _of_order(one))]


def _of_order(one: Measured) -> Iterator[Repair]:
    stream, ready, facts = one
    name, source = stream.name, stream.source
    if facts.out_of_order:
        sentence = f"{facts.out_of_order} of {facts.rows} readings came after a later one; the rows were sorted by time"
        yield Repair("sorted", sentence, source, rows=facts.out_of_order, stream=name, before="as delivered", after="by time")
    if ready.replayed:
        sentence = (
            f"{ready.replayed} readings repeat earlier ones, time and values, as if a buffer was written twice; one was kept"
        )
        yield Repair("replay_removed", sentence, source, rows=ready.replayed, stream=name)
    if doubled := facts.duplicates - ready.replayed:
        sentence = f"{doubled} readings have the time stamp of another one; the first of each stamp was kept"
        yield Repair("duplicate_stamps_removed", sentence, source, rows=doubled, stream=name)
    if ready.coarse:
        tick_s = ready.coarse.tick_ns / 1e9
        sentence = (
            f"the clock only counts steps of {tick_s:g} s, with about {ready.coarse.per_tick} readings in each; they were spread "
            "evenly over it"
        )
        before, after = f"stamps of {tick_s:g} s", f"steps of about {tick_s / ready.coarse.per_tick:.4g} s"
        yield Repair("sub_second_rebuilt", sentence, source, rows=facts.rows, stream=name, before=before, after=after)


def clock_findings(one: Measured, received_at: datetime) -> list[Finding]:
    """Return what people must know about a stream's clock, whose batch was received then; a broken one is an error."""
    stream, ready, facts = one
    findings = []
    if facts.out_of_order:
        sentence = (
            f"{facts.out_of_order} of {facts.rows} readings come after a later one, {ready.replayed} repeat an earlier one; the "
            "rows were sorted by time"
        )
        severity = "error" if facts.out_of_order - ready.replayed > MOST_BACKWARDS * facts.rows else "warning"
        remedy = f"more than {MOST_BACKWARDS:.0%} that are no repeats is a broken clock: record again; less is repaired"
        place = f"{stream.source} row {first_step_back(stream.t_ns) + 2}"
        findings.append(Finding(Reason("time_backwards", sentence, place, remedy), severity))
    if facts.duplicates:
        sentence = f"{facts.duplicates} of {facts.rows} readings have the time stamp of another one; the first of each was kept"
        findings.append(Finding(Reason("time_duplicates", sentence, stream.source, _NOTHING), "note"))
    if ready.coarse:
        sentence = (
            f"the clock only counts steps of {ready.coarse.tick_ns / 1e9:g} s, with about {ready.coarse.per_tick} readings in "
            "each; times between them were rebuilt"
        )
        remedy = "export with milliseconds if the app can; rates and jitter of this stream are those of the rebuilt times"
        findings.append(Finding(Reason("time_coarse", sentence, stream.source, remedy), "warning"))
    if facts.end_ns is not None and facts.end_ns > int(received_at.timestamp() * 1e9) + DATE_LINE_NS:
        last = datetime.fromtimestamp(facts.end_ns // 1_000_000_000, UTC)
        sentence = (
            f"the last reading is of {last:%Y-%m-%d %H:%M} UTC, after the batch was received on {received_at:%Y-%m-%d}: the "
            "device's clock was set wrong; the times were left as they are"
        )
        remedy = "set the device's clock; until then, do not compare its dates with those of other devices"
        findings.append(Finding(Reason("time_in_future", sentence, stream.source, remedy), "warning"))
    return findings
