"""Facts about a judged batch as a whole: its labels, one row for each, and the batch within its study, one row.

Belongs here: counting over verdicts. What the counts should be like is in `quality.suites`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from quality.confounding import Association
from quality.copies import COPY_CODES
from quality.facts import BatchFacts
from studies.study import Study

_BALANCE = pa.schema(
    [
        ("label", pa.string()),
        ("recordings", pa.int64()),
        ("participants", pa.int64()),
        ("of_most", pa.float64()),
        ("of_one_person", pa.bool_()),
    ]
)
_FACTORS = pa.schema([("factor", pa.string()), ("share", pa.float64()), ("confounded", pa.bool_())])


def people_by_label(recordings: pa.Table, accepted: Collection[str]) -> dict[str, Counter[str]]:
    """Count accepted recordings by label and participant; recordings without a label are left out."""
    wanted = pc.is_in(recordings["recording_id"], pa.array(list(accepted), pa.string()))
    counted = recordings.filter(pc.and_(wanted, pc.is_valid(recordings["label"])))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in counted.group_by(["label", "participant"]).aggregate([([], "count_all")]).to_pylist():
        counts[row["label"]][row["participant"]] = row["count_all"]
    return dict(sorted(counts.items()))


def told_by_one_person(by_label: Mapping[str, Counter[str]]) -> list[str]:
    """Return the labels that one participant alone recorded, where there are several labels and several participants."""
    people = {person for counts in by_label.values() for person in counts}
    if len(by_label) < 2 or len(people) < 2:
        return []
    return [label for label, counts in by_label.items() if len(counts) == 1]


def label_balance(facts: BatchFacts, study: Study, verdicts: pa.Table) -> pa.Table:
    """Return a row for each label of the study (or each one found, where the study asks for none) with what was accepted of it.

    ``label, recordings, participants``, ``of_most`` (recordings over those of the most frequent label; 1 where there are none:
    that is another fault) and ``of_one_person``. Empty for a batch without recordings.
    """
    if not facts.recordings.num_rows:
        return _BALANCE.empty_table()
    by_label = people_by_label(facts.recordings, verdicts.filter(verdicts["accepted"])["recording_id"].to_pylist())
    alone, most = told_by_one_person(by_label), max((counts.total() for counts in by_label.values()), default=0)
    rows = [
        {
            "label": label,
            "recordings": by_label[label].total() if label in by_label else 0,
            "participants": len(by_label.get(label, ())),
            "of_most": by_label[label].total() / most if label in by_label else 1.0,
            "of_one_person": label in alone,
        }
        for label in study.labels or by_label
    ]
    return pa.Table.from_pylist(rows, _BALANCE)


def batch_in_study(facts: BatchFacts, verdicts: pa.Table, *, also_in_quarantine: int) -> pa.Table:
    """Return one row: recordings that have not exactly one verdict, copies, and values that lie in another quarantine too."""
    row = {
        "without_one_verdict": _without_one_verdict(facts.recordings["recording_id"], verdicts["recording_id"]),
        "copies": len(set().union(*(recordings_by_code(verdicts).get(code, set()) for code in COPY_CODES))),
        "values_in_another_quarantine": also_in_quarantine,
    }
    return pa.Table.from_pylist([row])


def factors_of(associations: Sequence[Association]) -> pa.Table:
    """Return a row for each factor that may take the label's place, and whether it does."""
    rows = [{"factor": one.factor, "share": one.share, "confounded": one.confounded} for one in associations]
    return pa.Table.from_pylist(rows, _FACTORS)


def recordings_by_code(verdicts: pa.Table) -> dict[str, set[str]]:
    """Return the recordings that have a reason of each code."""
    found: dict[str, set[str]] = defaultdict(set)
    given = verdicts.filter(pc.greater(pc.list_value_length(verdicts["reasons"]), 0))
    for recording_id, reasons in zip(given["recording_id"].to_pylist(), given["reasons"].to_pylist(), strict=True):
        for reason in reasons:
            found[reason["code"]].add(recording_id)
    return found


def _without_one_verdict(recordings: pa.ChunkedArray, judged: pa.ChunkedArray) -> int:
    named = {"read": recordings, "judged": judged}
    rows = [pa.table({"recording_id": ids, name: pa.repeat(1, len(ids))}) for name, ids in named.items()]
    each = pa.concat_tables(rows, promote_options="default").group_by("recording_id")
    both = each.aggregate([("read", "count"), ("judged", "count")])
    once = pc.and_(pc.equal(both["read_count"], 1), pc.equal(both["judged_count"], 1))
    return int(both.num_rows - (pc.sum(once).as_py() or 0))
