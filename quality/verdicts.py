"""Rows of `verdicts` and `verdict_history`: what was decided of every recording, and every change of it.

Belongs here: making the rows, a column at a time. Only recordings with reasons become Python objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quality.facts import BatchFacts
from warehouse.errors import Reason
from warehouse.lake import Lake
from warehouse.schemas import REASON, TABLES

_Value = TypeVar("_Value")
_SAYS = ("accepted", "reasons", "contract_version", "released_by")


def verdict_rows(
    facts: BatchFacts,
    reasons: Mapping[str, Sequence[Reason]],
    *,
    released: Mapping[str, str],
    decisions: Mapping[str, int],
    contract_version: str,
    judged_at: datetime,
) -> pa.Table:
    """Return one verdict for every recording of a batch.

    Parameters
    ----------
    facts : BatchFacts
    reasons : mapping of str to sequence of Reason
        By recording; those that nothing was found against are not in it.
    released : mapping of str to str
        Recording -> who let it out.
    decisions : mapping of str to int
        Recording -> releases and corrections of it.
    contract_version : str
    judged_at : datetime
    """
    ids = facts.recording_ids
    given = _aligned({one: list(found) for one, found in reasons.items() if found}, ids)
    faultless = np.array([not found for found in given], dtype=bool)
    signed = _aligned({one: who for one, who in released.items() if one in reasons}, ids)
    names = facts.recordings["recording_id"].combine_chunks()
    columns = {
        "batch_id": pa.repeat(facts.batch_id, len(ids)),
        "recording_id": ids,
        "participant": facts.recordings["participant"].take(pc.index_in(ids, value_set=names)),
        "accepted": pa.array(faultless | np.array([who is not None for who in signed], dtype=bool)),
        "reasons": _lists(given),
        "contract_version": pa.repeat(contract_version, len(ids)),
        "judged_at": pa.repeat(pa.scalar(judged_at, pa.timestamp("us", tz="UTC")), len(ids)),
        "released_by": pa.array(signed, pa.string()),
        "decisions": pa.array([count or 0 for count in _aligned(decisions, ids)], pa.int32()),
    }
    return pa.table(columns, schema=TABLES["verdicts"].schema)


def remember(verdicts: pa.Table, lake: Lake, *, batch_id: str) -> int:
    """Add the verdicts that say something else than the last one of their recording to the batch's history.

    Parameters
    ----------
    verdicts : Table
        Rows of `verdicts`, all of one batch.
    lake : Lake
    batch_id : str

    Returns
    -------
    int
        Rows added; repeating it adds none.
    """
    before = lake.read("verdict_history", where={"batch_id": batch_id})
    latest = before.take(_last_of_each(before))
    positions = pc.index_in(verdicts["recording_id"], value_set=latest["recording_id"].combine_chunks())
    number = pc.fill_null(latest["number"].take(positions), 0)
    changed = pc.equal(number, 0)
    for column in _SAYS:
        changed = pc.or_(changed, _differs(verdicts[column], latest[column].take(positions)))
    new = verdicts.append_column("number", pc.cast(pc.add(number, 1), pa.int32())).filter(changed)
    if new.num_rows:
        rows = pa.concat_tables([before, new.select(before.column_names).cast(before.schema)])
        lake.replace("verdict_history", rows, where={"batch_id": batch_id})
    return int(new.num_rows)


def _aligned(values: Mapping[str, _Value], ids: pa.Array) -> list[_Value | None]:
    """Return the value of each id, None for most of them."""
    found: list[_Value | None] = [None] * len(ids)
    positions = pc.index_in(pa.array(list(values), pa.string()), value_set=ids).to_pylist()
    for position, value in zip(positions, values.values(), strict=True):
        if position is not None:
            found[position] = value
    return found


def _lists(given: Sequence[Sequence[Reason] | None]) -> pa.Array:
    counts = np.array([len(found) if found else 0 for found in given], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    flat = [vars(reason) for found in given if found for reason in found]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, REASON))


def _last_of_each(history: pa.Table) -> pa.Array:
    """Positions of the row with the largest number of each recording."""
    numbered = history.select(["recording_id", "number"]).append_column("at", pa.array(np.arange(history.num_rows)))
    ordered = numbered.sort_by([("recording_id", "ascending"), ("number", "ascending")])
    ids = ordered["recording_id"].combine_chunks()
    last = np.ones(len(ids), dtype=bool)
    if len(ids) > 1:
        last[:-1] = pc.not_equal(ids[:-1], ids[1:]).to_numpy(zero_copy_only=False)
    return ordered["at"].combine_chunks().filter(pa.array(last))


def _differs(new: pa.ChunkedArray, old: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(new.type):
        new, old = _as_text(new), _as_text(old)
    same = pc.equal(new, old)
    both_absent = pc.and_(pc.is_null(new), pc.is_null(old))
    return pc.invert(pc.fill_null(pc.or_kleene(same, both_absent), False))


def _as_text(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Reasons as text that can be compared; without reasons, which most are, it is empty."""
    held = pc.greater(pc.fill_null(pc.list_value_length(lists), 0), 0).to_numpy(zero_copy_only=False)
    texts = np.full(len(lists), "", dtype=object)
    texts[held] = [repr(value) for value in lists.filter(pa.array(held)).to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])
