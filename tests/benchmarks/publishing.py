"""What a batch's commits and its publish cost when the lake already holds many batches.

A lake of 1,000 small batches is laid down directly, one commit a table, because a thousand runs would take an hour; the
batches that are timed go the ordinary way.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from statistics import median

from tests.warehouse.rows import make_rows, write_batch
from warehouse import lake as inside
from warehouse.delta import Log
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.publish import publish
from warehouse.query import query
from warehouse.schemas import TABLES

_BY_BATCH = [table for table in TABLES.values() if table.partition_by == ("batch_id",)]
_REPEATS = 5


def run() -> list[dict[str, object]]:
    """Measure with 10, 100 and 1,000 batches in every table that a batch writes."""
    return [row for batches in (10, 100, 1000) for row in _measured(batches)]


def _measured(batches: int) -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(folder)
        _lay_down(home, batches)
        where = f"{batches} batches × {len(_BY_BATCH)} tables"
        rows = make_rows("recordings", 4, batch_id="same")
        commit = _best(lambda: Lake(home).replace("recordings", rows, where={"batch_id": "same"}))
        yield {"figure": f"commit of one partition, {where}", "value": commit * 1e3, "unit": "ms"}
        yield {"figure": f"first publish, {where}", "value": _seconds(lambda: publish(home)), "unit": "s"}
        yield {"figure": f"publish after one more batch, {where}", "value": _after_each_batch(home), "unit": "s"}
        counted = _best(lambda: query(home, "SELECT count(*) FROM samples WHERE batch_id = 'b0'"))
        yield {"figure": f"query of one batch's samples, {where}", "value": counted * 1e3, "unit": "ms"}


def _lay_down(home: Home, batches: int) -> None:
    for table in _BY_BATCH:
        folder = home.lake / table.name
        added = [
            inside._write(folder, table, _rows(table.name, f"b{number}"), {"batch_id": f"b{number}"}) for number in range(batches)
        ]
        log = Log(folder, table)
        log.create()
        log.commit(added=added, removed=(), after=0)


def _rows(name: str, batch_id: str) -> inside.pa.Table:
    count = {"batches": 1, "samples": 100, "resampled": 100}.get(name, 4)
    state = {"state": "complete"} if name == "batches" else {}
    return make_rows(name, count, batch_id=batch_id, recording_id="r1", participant="P001", **state)


def _after_each_batch(home: Home) -> float:
    taken = []
    for number in range(_REPEATS):
        write_batch(home, f"new{number}", samples=100)
        taken.append(_seconds(lambda: publish(home)))
    return median(taken)


def _best(work: Callable[[], object]) -> float:
    return min(_seconds(work) for _ in range(_REPEATS))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    for row in run():
        print(f"{row['figure']:<60} {row['value']:>8.3g} {row['unit']}")
