"""Who is tested and who teaches: splits by group, stratified by label, the same for the same seed in any process.

Belongs here: the plan, from nothing but who recorded which label how often. A group never falls apart, so no person (or,
where that is impossible, no recording) is in two splits. Where no honest split exists the plan says so in plain words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studies.study import Split
from warehouse.errors import Reason, TrainingRefused

_Counts = npt.NDArray[np.int64]
_FEWEST_RECORDINGS = 4
#: Instead of leaving one out: recordings can be many, and no number of folds would make their scores honest.
_FOLDS_OF_RECORDINGS = 5


@dataclass(frozen=True)
class Row:
    """What a plan needs to know of one segment."""

    participant: str
    recording_id: str
    label: str


@dataclass(frozen=True)
class SplitPlan:
    """Which group is in which split.

    Parameters
    ----------
    group : str
        ``participant``, or ``recording`` where no honest split exists.
    split : mapping of str to str
        For every group ``train`` or ``test``, or ``fold_<n>`` where every fold is tested once.
    fold : mapping of str to int
        For every group its fold of the cross-validation, from 0; -1 in test.
    honest : bool
        True if no participant is in two splits.
    protocol : str
        How the splits were made, in words.
    statement : str
        What the scores mean, or why no honest split exists, in plain words.
    """

    group: str
    split: Mapping[str, str]
    fold: Mapping[str, int]
    honest: bool
    protocol: str
    statement: str

    def group_of(self, row: Row) -> str:
        """Return the group that a segment belongs to."""
        return row.participant if self.group == "participant" else row.recording_id


def plan_splits(rows: Sequence[Row], split: Split, *, seed: int) -> SplitPlan:
    """Plan the splits of a training table.

    Parameters
    ----------
    rows : sequence of Row
        One for each segment; their order does not matter.
    split : Split
        With a `test` share, whole groups are held out, chosen by a seeded order of their names and adjusted as little as
        possible so that every label is on both sides, and those of a single group are taught; the others are spread over
        stratified folds. Without one, every
        group is in exactly one fold, and every fold is tested once.
    seed : int

    Returns
    -------
    SplitPlan
        By participant if at least two labels were recorded by at least two participants each; else by recording and
        ``honest=False``.

    Raises
    ------
    TrainingRefused
        Fewer than two labels, two participants or four recordings.
    """
    _refuse_too_little(rows)
    people = _people(rows)
    honest = sum(len(names) >= 2 for names in people.values()) >= 2
    group = split.group if honest else "recording"
    if not honest and split.folds == "leave_one_out":
        split = split.model_copy(update={"folds": _FOLDS_OF_RECORDINGS})
    names, counts = _count(rows, group, seed)
    test = _held_out(counts, split.test)
    fold = np.full(len(names), -1)
    fold[~test] = _folds([name for name, out in zip(names, test, strict=True) if not out], counts[~test], split)
    one_sided = [f"'{label}'" for label, uncovered in zip(people, _uncovered(counts, fold), strict=True) if uncovered]
    return SplitPlan(
        group=group,
        split={name: _split_name(number, testing=bool(test.any())) for name, number in zip(names, fold, strict=True)},
        fold=dict(zip(names, fold.tolist(), strict=True)),
        honest=honest,
        protocol=_protocol(group, fold, split),
        statement=_statement(people, one_sided, honest=honest),
    )


def _refuse_too_little(rows: Sequence[Row]) -> None:
    labels = sorted({row.label for row in rows})
    participants = sorted({row.participant for row in rows})
    recordings = len({row.recording_id for row in rows})
    faults = []
    if len(labels) < 2:
        only = f"only '{labels[0]}'" if labels else "none"
        faults.append(("too_few_labels", f"a classifier needs two labels or more; the accepted recordings have {only}"))
    if len(participants) < 2:
        only = f"all are of {participants[0]}" if participants else "there is nobody"
        faults.append(("too_few_participants", f"a score needs two participants or more; of the accepted recordings {only}"))
    if recordings < _FEWEST_RECORDINGS:
        sentence = f"a split needs {_FEWEST_RECORDINGS} recordings or more; {recordings} can be used"
        faults.append(("too_few_recordings", sentence))
    if faults:
        remedy = "deliver more recordings, or see with 'kinelake quarantine list' what was set aside"
        raise TrainingRefused(*(Reason(code, sentence, remedy=remedy) for code, sentence in faults))


def _people(rows: Sequence[Row]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.label, set()).add(row.participant)
    return {label: sorted(found[label]) for label in sorted(found)}


def _count(rows: Sequence[Row], group: str, seed: int) -> tuple[list[str], _Counts]:
    """Groups in an order that only seed and names decide, and their segments by label (sorted by name)."""
    column = "participant" if group == "participant" else "recording_id"
    names, of_group = np.unique([getattr(row, column) for row in rows], return_inverse=True)
    labels, of_label = np.unique([row.label for row in rows], return_inverse=True)
    counts = np.zeros((len(names), len(labels)), np.int64)
    np.add.at(counts, (of_group, of_label), 1)
    order = sorted(range(len(names)), key=lambda i: hashlib.sha256(f"{seed}:{names[i]}".encode()).digest())
    return names[order].tolist(), counts[order]


def _held_out(counts: _Counts, share: float) -> npt.NDArray[np.bool_]:
    """The first groups, exchanged, added or taken away as long as that leaves fewer labels on the wrong side."""
    test = np.zeros(len(counts), bool)
    if share > 0:
        test[: min(max(1, round(share * len(counts))), len(counts) - 1)] = True
        while (better := _better_test(test, counts > 0)) is not None:
            test = better
    return test


def _better_test(test: npt.NDArray[np.bool_], has: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    """The first exchange, addition or removal of groups that leaves the fewest labels misplaced; None if none helps."""
    best, fewest = None, _misplaced(test, has)
    if fewest == 0:
        return None
    inside, outside = (_first_of_each_kind(side, has) for side in (test, ~test))
    for move in [*([i, j] for i in inside for j in outside), *([j] for j in outside), *([i] for i in inside)]:
        changed = test.copy()
        changed[move] ^= True
        if changed.any() and not changed.all() and (left := _misplaced(changed, has)) < fewest:
            best, fewest = changed, left
    return best


def _first_of_each_kind(side: npt.NDArray[np.bool_], has: npt.NDArray[np.bool_]) -> list[int]:
    """Groups with the same labels are interchangeable: the first of each is enough to try."""
    (members,) = np.nonzero(side)
    first = np.unique(has[members], axis=0, return_index=True)[1]
    return sorted(members[first].tolist())


def _misplaced(test: npt.NDArray[np.bool_], has: npt.NDArray[np.bool_]) -> int:
    """Labels of two groups or more that are on one side only, and labels of one group that nothing would teach."""
    tested, taught = has[test].any(axis=0), has[~test].any(axis=0)
    shared = has.sum(axis=0) >= 2
    return int(np.where(shared, ~(tested & taught), tested).sum())


def _folds(names: Sequence[str], counts: _Counts, split: Split) -> _Counts:
    if split.folds == "leave_one_out":
        return np.argsort(np.argsort(names))
    return _stratified(counts, min(split.folds, len(names)))


def _stratified(counts: _Counts, folds: int) -> _Counts:
    """Stratified group k-fold: each group goes where its labels are rarest, the most lopsided groups first.

    Goes beyond scikit-learn's greedy rule in two points: no fold stays empty, and a label is put into a second fold as
    soon as a second group has it, for a label all in one fold would be tested without ever being learnt.
    """
    share = counts / np.maximum(counts.sum(axis=0), 1)
    filled = np.zeros((folds, counts.shape[1]))
    fold = np.full(len(counts), -1)
    for left, group in zip(range(len(counts), 0, -1), np.argsort(-counts.std(axis=1), kind="stable"), strict=True):
        empty = np.setdiff1d(np.arange(folds), fold)
        choices = empty if len(empty) >= left else np.arange(folds)
        tried = filled + share[group] * np.eye(folds)[choices][:, :, np.newaxis]
        alone = (filled > 0).sum(axis=0) == 1
        stuck = (alone & (filled[choices] > 0) & (counts[group] > 0)).sum(axis=1)
        uneven = tried.std(axis=1).mean(axis=1).round(12)
        chosen = choices[np.lexsort((filled[choices].sum(axis=1), uneven, stuck))[0]]
        filled[chosen] += share[group]
        fold[group] = chosen
    return fold


def _split_name(fold: int, *, testing: bool) -> str:
    if not testing:
        return f"fold_{fold}"
    return "test" if fold < 0 else "train"


def _protocol(group: str, fold: _Counts, split: Split) -> str:
    number, held_out, taught = fold.max() + 1, int((fold < 0).sum()), int((fold >= 0).sum())
    if split.folds == "leave_one_out":
        turns = f"leave one {group} out ({number} {group}s)"
    else:
        turns = f"{number}-fold cross-validation by {group}, stratified by label ({taught} {group}s)"
    if not held_out:
        return turns
    return f"{held_out} of {len(fold)} {group}s held out for the test; {turns} on the others"


def _uncovered(counts: _Counts, fold: _Counts) -> npt.NDArray[np.bool_]:
    """Labels of two groups or more that are nevertheless on one side only."""
    shared = (counts > 0).sum(axis=0) >= 2
    if (fold < 0).any():
        covered = (counts[fold < 0] > 0).any(axis=0) & (counts[fold >= 0] > 0).any(axis=0)
    else:
        covered = np.array([len(set(fold[column > 0])) >= 2 for column in counts.T])
    return shared & ~covered


def _statement(people: Mapping[str, Sequence[str]], one_sided: Sequence[str], *, honest: bool) -> str:
    alone: dict[str, list[str]] = {}
    for label, names in people.items():
        if len(names) == 1:
            alone.setdefault(names[0], []).append(f"'{label}'")
    only = _listed([f"only {person} recorded {_listed(labels)}" for person, labels in sorted(alone.items())], between="; ")
    if not honest:
        return (
            f"No honest split exists, for fewer than two labels were recorded by two participants or more: {only}. "
            "A model can score by telling the people apart instead of the labels. The recordings were split instead: the "
            "scores say nothing about new people, and nothing can be promoted."
        )
    said = ["The scores are for people whom the model never saw in training."]
    if alone:
        said.append(f"But {only}: nobody else can be scored on that, and when that person is tested nothing taught it.")
    if one_sided:
        said.append(f"With so few participants, {_listed(one_sided)} could not be put both where is taught and where is tested.")
    return " ".join(said)


def _listed(parts: Sequence[str], between: str = ", ", most: int = 12) -> str:
    return between.join(parts[:most]) + (f" and {len(parts) - most} more" if len(parts) > most else "")
