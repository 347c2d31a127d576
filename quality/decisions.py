"""What people decided about the recordings of a batch: releases from quarantine, and corrections of what was delivered.

Belongs here: reading decisions; of several the latest counts. Taking one down is in `quality.quarantine` and
`quality.corrections`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from quality.facts import BatchFacts
from warehouse.lake import Lake

#: Field of a correction that names a stream's unit: ``unit:accelerometer``.
UNIT = "unit:"

Corrected = Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True)
class Decisions:
    """Decisions about a batch.

    Parameters
    ----------
    released : mapping of str to str
        Recording -> who let it out; only recordings that hold something.
    counts : mapping of str to int
        Recording -> how many decisions there are about it.
    """

    released: Mapping[str, str]
    counts: Mapping[str, int]


def decisions_on(facts: BatchFacts, lake: Lake) -> Decisions:
    """Return the decisions about the recordings of a batch."""
    releases, corrections = (_about(facts.recording_ids, lake.read(name)) for name in ("releases", "corrections"))
    counts = Counter([*releases["recording_id"].to_pylist(), *corrections["recording_id"].to_pylist()])
    decided = _about(facts.with_samples, releases).sort_by("released_at").to_pylist()
    latest = {row["recording_id"]: row for row in decided}
    return Decisions({one: row["who"] for one, row in latest.items() if not row["withdrawn"]}, counts)


def corrections_of(batch_id: str, lake: Lake) -> Corrected:
    """Return what holds of a batch by people's corrections.

    Returns
    -------
    mapping of str to mapping of str to (str or None)
        Recording -> field -> value. Where the last word took corrections of the field back, it is what was there before the
        first; None for label, participant and unit, which are as delivered then.
    """
    made = lake.read("corrections")
    if made.num_rows:
        recordings = lake.read("recordings", columns=["recording_id"], where={"batch_id": batch_id})
        made = _about(recordings["recording_id"].combine_chunks(), made).sort_by("corrected_at")
    found: dict[str, dict[str, str | None]] = {}
    first: dict[tuple[str, str], str | None] = {}
    for row in made.to_pylist():
        recording_id, name = row["recording_id"], row["field"]
        delivered = first.setdefault((recording_id, name), row["before"] if name in ("session", "placement") else None)
        found.setdefault(recording_id, {})[name] = row["value"] if row["value"] is not None else delivered
    return found


def decided_by_batch(lake: Lake) -> Counter[str]:
    """Count the decisions about the recordings of every batch."""
    made = [lake.read(name, columns=["recording_id"])["recording_id"] for name in ("releases", "corrections")]
    counts = Counter(name for column in made for name in column.to_pylist())
    if not counts:
        return counts
    # Asked at every look for what is due, so a process opens the files of each batch but once.
    recordings = lake.read_remembered("recordings").select(["batch_id", "recording_id"])
    by_batch: Counter[str] = Counter()
    for row in _about(pa.array(sorted(counts), pa.string()), recordings).to_pylist():
        by_batch[row["batch_id"]] += counts[row["recording_id"]]
    return by_batch


def _about(recordings: pa.Array, decisions: pa.Table) -> pa.Table:
    return decisions.filter(pc.is_in(decisions["recording_id"], recordings))
