"""The `batches` table: the row that makes a batch visible, written when everything else of it is in the lake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

RECEIVED = "received"
COMPLETE = "complete"


@dataclass(frozen=True)
class Delivered:
    """What is known of a batch from its receipt alone."""

    batch_id: str
    study: str
    site: str
    received_at: datetime
    files: int
    bytes: int
    content_sha256: str


def received_rows(deliveries: Sequence[Delivered]) -> pa.Table:
    """Rows of `batches` for deliveries that are in the vault and not yet read."""
    return pa.Table.from_pylist([_row(delivery, RECEIVED) for delivery in deliveries], schema=TABLES["batches"].schema)


def complete_batch(delivery: Delivered, home: Home, *, contract_version: str, recipe_version: str) -> dict[str, object]:
    """Write the row that makes a batch visible to analysts and to training, and return it.

    Parameters
    ----------
    delivery : Delivered
    home : Home
    contract_version, recipe_version : str
        Versions of the contract that its verdicts, and of the recipes that its segments, were made with.
    """
    lake = Lake(home)
    verdicts = lake.read("verdicts", columns=["accepted", "released_by", "decisions"], where={"batch_id": delivery.batch_id})
    files = lake.read("files", columns=["reading_version"], where={"batch_id": delivery.batch_id})
    accepted = pc.sum(verdicts["accepted"]).as_py() or 0
    row = _row(delivery, COMPLETE) | {
        "recordings": verdicts.num_rows,
        "accepted": accepted,
        "quarantined": verdicts.num_rows - accepted,
        "released": verdicts.num_rows - verdicts["released_by"].null_count,
        "decisions": pc.sum(verdicts["decisions"]).as_py() or 0,
        "contract_version": contract_version,
        "recipe_version": recipe_version,
        "reading_version": pc.min(files["reading_version"]).as_py(),
        "completed_at": datetime.now(UTC),
    }
    rows = pa.Table.from_pylist([row], schema=TABLES["batches"].schema)
    lake.replace("batches", rows, where={"batch_id": delivery.batch_id})
    return row


def _row(delivery: Delivered, state: str) -> dict[str, object]:
    return {
        "batch_id": delivery.batch_id,
        "study": delivery.study,
        "site": delivery.site,
        "received_at": delivery.received_at,
        "files": delivery.files,
        "bytes": delivery.bytes,
        "content_sha256": delivery.content_sha256,
        "state": state,
    }
