"""What looking for copies costs a batch, with 10 and with 1,000 earlier batches in the study.

The earlier batches are laid down directly, one commit a table, with random marks: a thousand readings would take an hour. The
batches that are timed are new ones with samples, a rounded copy among them, and are looked at the ordinary way.
"""

from __future__ import annotations

import tempfile
import time
from statistics import median

import numpy as np
import pyarrow as pa

from ingestion.facts import measure
from ingestion.recording import Stream
from quality.copies import find_copies
from quality.facts import read_facts
from studies import find_study
from tests.quality.conftest import Recorded, write_batch
from tests.warehouse.rows import make_rows
from warehouse import lake as inside
from warehouse.delta import Log
from warehouse.fingerprint_index import FingerprintIndex
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES
from warehouse.study_index import open_index

_STUDY = find_study("barbell")
_RECORDINGS, _MARKS, _ROWS, _RATE_HZ = 20, 60, 1500, 50.0
_TIMED = 9
_MOST_GROWTH = 1.5


def run() -> list[dict[str, object]]:
    """Measure in both lakes in turn, so that whatever else the machine does meets both alike."""
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        homes = {10: Home.at(few), 1000: Home.at(many)}
        rows: list[dict[str, object]] = []
        for batches, home in homes.items():
            _lay_down(home, batches)
            made = _seconds(home)
            rows.append({"figure": f"index of {batches:,} batches made anew", "value": made, "unit": "s"})
        taken: dict[int, list[float]] = {batches: [] for batches in homes}
        for number in range(_TIMED):
            for batches, home in homes.items():
                taken[batches].append(_looked_for(home, number))
        ours = {batches: median(times) for batches, times in taken.items()}
        rows += [
            {
                "figure": f"copies of a batch of {_RECORDINGS} looked for among {batches:,} batches",
                "value": time_s * 1e3,
                "unit": "ms",
            }
            for batches, time_s in ours.items()
        ]
        growth = ours[1000] / ours[10]
        figure = "looking for copies among 1,000 batches against 10"
        target = {"target": f"<= {_MOST_GROWTH}", "met": growth <= _MOST_GROWTH}
        return [*rows, {"figure": figure, "value": growth, "unit": "x the time", **target}]


def _seconds(home: Home) -> float:
    started = time.perf_counter()
    with open_index(FingerprintIndex, _STUDY.study, home=home):
        return time.perf_counter() - started


def _looked_for(home: Home, number: int) -> float:
    """Write a new batch, of which the last recording is the first one rounded, and time the look for copies in it."""
    rng = np.random.default_rng(number)
    values = [np.cumsum(rng.normal(0, 0.3, (_ROWS, 3)), axis=0).astype(np.float32) for _ in range(_RECORDINGS - 1)]
    values.append(np.round(values[0], 2))
    batch_id = write_batch(
        home, *[_recorded(f"n{number}-{one}", of_one) for one, of_one in enumerate(values)], batch_id=f"n{number}"
    )
    facts = read_facts(batch_id, Lake(home))
    started = time.perf_counter()
    copies = find_copies(facts, _STUDY, home, unusable=set())
    taken = time.perf_counter() - started
    assert len(copies.reasons) == 1
    return taken


def _recorded(name: str, values: np.ndarray) -> Recorded:
    times = 10**18 + round(1e9 / _RATE_HZ) * np.arange(_ROWS)
    facts = {"accelerometer": vars(measure(Stream("accelerometer", times, values, name)))}
    samples = {"accelerometer": (times, values)}
    return Recorded(name, streams=("accelerometer",), facts=facts, samples=samples, recording={"study": _STUDY.study})


def _lay_down(home: Home, batches: int) -> None:
    rng = np.random.default_rng(0)
    for name in ("recordings", "streams", "fingerprints", "verdicts", "samples"):
        table, folder = TABLES[name], home.lake / name
        added = [inside._write(folder, table, _rows(name, f"b{one}", rng), {"batch_id": f"b{one}"}) for one in range(batches)]
        log = Log(folder, table)
        log.create()
        log.commit(added=added, removed=(), after=0)


def _rows(name: str, batch_id: str, rng: np.random.Generator) -> pa.Table:
    ids = [f"{batch_id}-{number}" for number in range(_RECORDINGS)]
    each = {"fingerprints": _MARKS, "samples": 10}.get(name, 1)
    count = _RECORDINGS * each
    columns: dict[str, object] = {"recording_id": [one for one in ids for _ in range(each)], "study": _STUDY.study}
    columns |= {
        "stream": "accelerometer",
        "accepted": True,
        "reasons": [[]] * count,
        "rows": _ROWS,
        "duplicates": 0,
        "start_ns": 0,
    }
    columns |= {"position": list(range(count)), "hash": rng.integers(-(2**62), 2**62, count).tolist()}
    return make_rows(name, count, batch_id=batch_id, participant="P001", **columns)


if __name__ == "__main__":
    for row in run():
        print(f"{row['figure']:<70} {row['value']:>8.3g} {row['unit']} {row.get('target', '')}")
