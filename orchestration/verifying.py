"""`kinelake verify`: the vault hashed again, and the tables held against the promises that can be seen in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.vault import Vault
from orchestration.erasure_plan import unfinished
from warehouse.errors import Reason
from warehouse.home import Home
from warehouse.lake import Lake


@dataclass(frozen=True)
class Promise:
    """One promise and whether this home keeps it.

    Parameters
    ----------
    promise : str
    kept : bool
    figures : str
        What was looked at.
    reasons : tuple of Reason
        One per breach.
    """

    promise: str
    kept: bool
    figures: str
    reasons: tuple[Reason, ...]


def verify(home: Home) -> list[Promise]:
    """Check every promise of this home that can be checked without running anything."""
    lake = Lake(home)
    looks: Mapping[str, Callable[[], tuple[str, list[Reason]]]] = {
        "delivered bytes are in the vault, unchanged": lambda: _vault(home),
        "every recording has one verdict": lambda: _verdicts(lake),
        "no reading is lost and none is there twice": lambda: _samples(lake),
        "two accepted recordings never share a sensor's values": lambda: _copies(lake),
        "nobody is in two splits, copies stay with their original": lambda: _splits(lake),
        "every model names its training table and is stored": lambda: _models(lake, home),
        "every erasure came to its end": lambda: _erasures(home),
    }
    return [Promise(name, not reasons, figures, tuple(reasons)) for name, (figures, reasons) in _each(looks)]


def _each(
    looks: Mapping[str, Callable[[], tuple[str, list[Reason]]]],
) -> Iterator[tuple[str, tuple[str, list[Reason]]]]:
    for name, look in looks.items():
        yield name, look()


def _vault(home: Home) -> tuple[str, list[Reason]]:
    vault = Vault(home)
    receipts = vault.receipts()
    return f"{sum(len(receipt.files) for receipt in receipts)} files of {len(receipts)} receipts", vault.verify()


def _verdicts(lake: Lake) -> tuple[str, list[Reason]]:
    complete = [values["batch_id"] for values in lake.partitions("batches")]
    recordings = lake.read("recordings", columns=["recording_id"], where={"batch_id": complete})["recording_id"].to_pylist()
    verdicts = Counter(lake.read("verdicts", columns=["recording_id"], where={"batch_id": complete})["recording_id"].to_pylist())
    wrong = [name for name in recordings if verdicts[name] != 1]
    found = [Reason("verdict_count", f"recording has {verdicts[name]} verdicts", name, "kinelake run") for name in wrong]
    return f"{len(recordings)} recordings", found


def _samples(lake: Lake) -> tuple[str, list[Reason]]:
    found: list[Reason] = []
    readings = 0
    for values in lake.partitions("streams"):
        streams = lake.read("streams", columns=["recording_id", "stream", "rows", "duplicates"], where=values).to_pylist()
        samples = lake.read("samples", columns=["recording_id", "stream"], where=values)
        counts = samples.group_by(["recording_id", "stream"]).aggregate([([], "count_all")]).to_pylist()
        kept = {(row["recording_id"], row["stream"]): row["count_all"] for row in counts}
        readings += samples.num_rows
        for row in streams:
            due, there = row["rows"] - row["duplicates"], kept.get((row["recording_id"], row["stream"]), 0)
            if due != there:
                place = f"{row['recording_id']} {row['stream']}"
                found.append(Reason("samples_count", f"{there} readings in the lake, {due} are due", place, "kinelake run"))
    return f"{readings} readings", found


def _copies(lake: Lake) -> tuple[str, list[Reason]]:
    verdicts = lake.read("verdicts", columns=["recording_id", "accepted", "released_by"])
    trusted = verdicts.filter(pc.and_(verdicts["accepted"], pc.is_null(verdicts["released_by"])))["recording_id"]
    streams = lake.read("streams", columns=["recording_id", "stream", "value_hash"])
    streams = streams.filter(
        pc.and_(pc.is_in(streams["recording_id"], trusted.combine_chunks()), pc.is_valid(streams["value_hash"]))
    )
    shared = _repeated(streams, ["stream", "value_hash"], "recording_id")
    found = [
        Reason("copy_accepted", f"{count} accepted recordings share one {stream}", digest) for (stream, digest), count in shared
    ]
    return f"{streams.num_rows} streams", found


def _splits(lake: Lake) -> tuple[str, list[Reason]]:
    found: list[Reason] = []
    tables = lake.read("training_tables", columns=["task", "fingerprint"]).to_pylist()
    for table in tables:
        where = {"task": table["task"], "fingerprint": table["fingerprint"]}
        examples = lake.read("examples", columns=["split_group", "segment_id", "split"], where=where)
        for group in ("segment_id", "split_group"):
            for (name,), count in _repeated(examples, [group], "split"):
                found.append(
                    Reason("split_leak", f"{group} {name} is in {count} splits", f"{table['task']} {table['fingerprint']}")
                )
    return f"{len(tables)} training tables", found


def _models(lake: Lake, home: Home) -> tuple[str, list[Reason]]:
    rows = lake.read("models", columns=["task", "version", "fingerprint", "artifact"]).to_pylist()
    known = {
        (row["task"], row["fingerprint"]) for row in lake.read("training_tables", columns=["task", "fingerprint"]).to_pylist()
    }
    found = []
    for row in rows:
        place = f"{row['task']} version {row['version']}"
        if (row["task"], row["fingerprint"]) not in known:
            found.append(Reason("model_without_table", f"training table {row['fingerprint']} is not there", place))
        if not (home.registry / row["artifact"]).exists():
            found.append(Reason("model_without_file", f"{row['artifact']} is not in the registry", place))
    return f"{len(rows)} versions", found


def _erasures(home: Home) -> tuple[str, list[Reason]]:
    found = unfinished(home)
    return f"{len(found)} unfinished", found


def _repeated(rows: pa.Table, keys: list[str], counted: str) -> list[tuple[tuple[str, ...], int]]:
    """Keys under which `counted` has more than one distinct value, with how many."""
    counts = rows.group_by(keys).aggregate([(counted, "count_distinct")])
    many = counts.filter(pc.greater(counts[f"{counted}_count_distinct"], 1)).to_pylist()
    return [(tuple(row[key] for key in keys), row[f"{counted}_count_distinct"]) for row in many]
