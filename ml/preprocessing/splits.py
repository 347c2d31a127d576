"""Who is tested and who teaches: splits by group, stratified by label, the same for the same seed in any process.

Belongs here: the plan, from nothing but who recorded which label how often. A group never falls apart; where it is the
participant, no person is in two splits. Where no honest split exists the plan says so, in the words of `split_wording`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ml.preprocessing.split_wording import OF_BLOCKS, protocol_of, statement_of, statement_of_other_groups
from studies.splitting import BLOCK, POSITION, SEGMENT, AuthorsSplit, Split
from studies.study import Target
from warehouse.errors import Reason, TrainingRefused, did_you_mean

_Counts = npt.NDArray[np.int64]
_FEWEST_RECORDINGS = 4
#: Instead of leaving one out: recordings can be many, and no number of folds would make their scores honest.
_FOLDS_OF_RECORDINGS = 5
_SHOWN = 8


@dataclass(frozen=True)
class Row:
    """What a plan needs to know of one segment.

    Parameters
    ----------
    participant, recording_id : str
    label : str
        What a model is to answer; the participant where the task asks for that.
    segment_id : str
    described : mapping of str to str
        What the manifest says of the recording: its session, and further columns.
    position, beside : int
        Place of the segment in the order of its recording, from 0, and how many that has.
    """

    participant: str
    recording_id: str
    label: str
    segment_id: str = ""
    described: Mapping[str, str] = field(default_factory=dict)
    position: int = 0
    beside: int = 1


@dataclass(frozen=True)
class _Naming:
    """How the group of a segment is called: as the study says, or by consecutive parts of what is not held out."""

    group: str
    blocks: int
    held_out: frozenset[str] | None = None

    def of(self, row: Row) -> str:
        name = self._of(row, self.group)
        return name if self.held_out is None or name in self.held_out else self._of(row, BLOCK)

    def _of(self, row: Row, group: str) -> str:
        if group == BLOCK:
            return f"block {row.position * self.blocks // row.beside + 1} of {self.blocks}"
        own = {
            "participant": row.participant,
            "recording": row.recording_id,
            SEGMENT: row.segment_id,
            POSITION: f"position {row.position + 1}",
        }
        return own[group] if group in own else row.described[group]


@dataclass(frozen=True)
class SplitPlan:
    """Which group is in which split.

    Parameters
    ----------
    naming : _Naming
        What is kept together, as the study says; ``recording`` where that would not be honest by participant.
    split : mapping of str to str
        For every group ``train`` or ``test``, or ``fold_<n>`` where every fold is tested once.
    fold : mapping of str to int
        For every group its fold of the cross-validation, from 0; -1 in test.
    honest : bool
        True if the scores hold for what they are said to hold for: see `statement`.
    protocol : str
        How the splits were made, in words.
    statement : str
        What the scores mean, or why no honest split exists, in plain words.
    """

    naming: _Naming
    split: Mapping[str, str]
    fold: Mapping[str, int]
    honest: bool
    protocol: str
    statement: str

    @property
    def group(self) -> str:
        """What is kept together."""
        return self.naming.group

    def group_of(self, row: Row) -> str:
        """Return the group that a segment belongs to."""
        return self.naming.of(row)


def plan_splits(rows: Sequence[Row], split: Split | AuthorsSplit, *, seed: int, target: Target = "label") -> SplitPlan:
    """Plan the splits of a training table.

    Parameters
    ----------
    rows : sequence of Row
        One for each segment; their order does not matter.
    split : Split or AuthorsSplit
        With a `test` share, whole groups are held out, chosen by a seeded order of their names and adjusted as little as
        possible so that every label is on both sides, and those of a single group are taught; the others are spread over
        stratified folds. Names of groups are held out as they are. Without a test, every group is in exactly one fold, and
        every fold is tested once.
    seed : int
    target : {"label", "participant", "participant_and_label"}
        What a model answers.

    Returns
    -------
    SplitPlan
        By participant if that is asked for and at least two labels were recorded by at least two participants each; where
        they were not, by recording and ``honest=False``. By another group as asked, and honest if nobody is on both sides,
        if only one participant is known at all, or if the task asks who somebody is and no session is on both sides. The
        split of a study's authors is planned as asked.

    Raises
    ------
    TrainingRefused
        Fewer than two labels or two groups, or fewer than four recordings where those are dealt out; recordings of no known
        group; a held out group that is not there.
    """
    if isinstance(split, Split):
        _refuse_too_little(rows, split)
    people = _people(rows)
    by_person = isinstance(split, Split) and split.group == "participant"
    honest = sum(len(names) >= 2 for names in people.values()) >= 2
    if by_person and not honest:
        split = split.model_copy(update=_by_recording(split))
    _refuse_unknown_groups(rows, split)
    dealt = _groups_of(rows, split, seed)
    fold = dealt.folds(split.folds)
    one_sided = [f"'{label}'" for label, uncovered in zip(dealt.labels, _uncovered(dealt.counts, fold), strict=True) if uncovered]
    of_group = dict(zip(dealt.names, fold.tolist(), strict=True))
    if by_person:
        statement = statement_of(people, one_sided, honest=honest)
    else:
        honest, statement = _of_other_groups(rows, dealt.naming, of_group, one_sided, target)
    return SplitPlan(
        naming=dealt.naming,
        split={name: _split_name(number, testing=bool(dealt.test.any())) for name, number in of_group.items()},
        fold=of_group,
        honest=honest,
        protocol=protocol_of(split, fold, groups=dealt.groups),
        statement=statement,
    )


@dataclass(frozen=True, eq=False)
class _Dealt:
    """Groups in the order in which they are dealt out, and which of them are held out for the test.

    Parameters
    ----------
    naming : _Naming
    names : list of str
    counts : ndarray of int64, shape (groups, labels)
        Segments of each.
    labels : list of str
    test : ndarray of bool, shape (groups,)
    groups : int
        How many the study's own naming makes.
    """

    naming: _Naming
    names: list[str]
    counts: _Counts
    labels: list[str]
    test: npt.NDArray[np.bool_]
    groups: int

    def folds(self, wanted: int | str | None) -> npt.NDArray[np.int64]:
        """Return the fold of every group, -1 of those held out."""
        fold = np.full(len(self.names), -1)
        taught = [name for name, out in zip(self.names, self.test, strict=True) if not out]
        fold[~self.test] = _folds(taught, self.counts[~self.test], wanted)
        return fold


def _groups_of(rows: Sequence[Row], split: Split | AuthorsSplit, seed: int) -> _Dealt:
    naming = _Naming(split.group, split.folds if isinstance(split.folds, int) else 1)
    names, counts, labels = _count(rows, naming, seed)
    _refuse_unusable_test(names, split)
    test = np.isin(names, split.test) if isinstance(split.test, tuple) else _held_out(counts, split.test)
    dealt = _Dealt(naming, names, counts, labels, test, len(names))
    if not (isinstance(split, Split) and split.folds_by):
        return dealt
    held_out = frozenset(np.array(names)[test].tolist())
    naming = replace(naming, held_out=held_out)
    names, counts, labels = _count(rows, naming, seed)
    return _Dealt(naming, names, counts, labels, np.isin(names, list(held_out)), dealt.groups)


def _by_recording(split: Split | AuthorsSplit) -> dict[str, object]:
    folds = _FOLDS_OF_RECORDINGS if split.folds == "leave_one_out" else split.folds
    test = 0.0 if isinstance(split.test, tuple) else split.test
    return {"group": "recording", "folds": folds, "test": test}


def _of_other_groups(
    rows: Sequence[Row], naming: _Naming, fold: Mapping[str, int], one_sided: Sequence[str], target: Target
) -> tuple[bool, str]:
    """Whether the scores of a split by something else than the participant are honest, and what they mean."""
    sides: dict[str, dict[str, set[int]]] = {"participant": {}, "session": {}}
    for row in rows:
        side = fold[naming.of(row)]
        if naming.held_out is not None:
            side = min(side, 0)  # the test decides; its folds only choose among the families
        sides["participant"].setdefault(row.participant, set()).add(side)
        session = row.described.get("session", row.recording_id)
        sides["session"].setdefault(f"{row.participant} {session}", set()).add(side)
    shared = {what: sum(len(found) > 1 for found in of.values()) for what, of in sides.items()}
    known = len(sides["participant"])
    apart = known == 1 or not shared["participant"] if target == "label" else not shared["session"]
    honest = apart and naming.group not in (SEGMENT, POSITION)
    statement = statement_of_other_groups(
        naming.group,
        target=target,
        participants=known,
        shared=shared["participant"],
        honest=honest,
        one_sided=one_sided,
        alone=_of_one_group(rows, naming) if target != "label" else [],
    )
    if naming.held_out is not None:
        statement += f" {OF_BLOCKS}"
    return honest, statement


def _of_one_group(rows: Sequence[Row], naming: _Naming) -> list[str]:
    """People of whom there is one group only, which cannot be taught and tested."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.participant, set()).add(naming.of(row))
    return [f"'{person}'" for person, groups in sorted(found.items()) if len(groups) == 1]


def _refuse_unknown_groups(rows: Sequence[Row], split: Split | AuthorsSplit) -> None:
    if split.group in ("participant", "recording", SEGMENT, POSITION, BLOCK):
        return
    nameless = {row.recording_id for row in rows if not row.described.get(split.group)}
    if nameless:
        every = {row.recording_id for row in rows}
        known = sorted({name for row in rows for name in row.described})
        sentence = (
            f"the study splits by {split.group}, and {len(nameless)} of {len(every)} recordings have none"
            f"{did_you_mean(split.group, known)}"
        )
        remedy = f"fill the column {split.group} of the manifests, or split by participant or recording"
        raise TrainingRefused(Reason("group_unknown", sentence, remedy=remedy))


def _refuse_unusable_test(names: Sequence[str], split: Split | AuthorsSplit) -> None:
    if not isinstance(split.test, tuple):
        return
    there = sorted(names)
    shown = ", ".join(there[:_SHOWN]) + (f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else "")
    missing = [name for name in split.test if name not in there]
    if missing:
        sentence = f"the study holds out {split.group} '{missing[0]}', which has no segment; there are: {shown}"
    elif len(there) == len(split.test):
        sentence = f"the study holds out every {split.group} that there is ({shown}): nothing is left to teach"
    else:
        return
    remedy = "change what the study holds out, or deliver those recordings"
    raise TrainingRefused(Reason("held_out_unusable", sentence, remedy=remedy))


def _refuse_too_little(rows: Sequence[Row], split: Split) -> None:
    group = split.group
    labels = sorted({row.label for row in rows})
    participants = sorted({row.participant for row in rows})
    recordings = len({row.recording_id for row in rows})
    faults = []
    if len(labels) < 2:
        only = f"only '{labels[0]}'" if labels else "none"
        faults.append(("too_few_labels", f"a classifier needs two labels or more; the accepted recordings have {only}"))
    if group == "participant" and len(participants) < 2:
        only = f"all are of {participants[0]}" if participants else "there is nobody"
        faults.append(("too_few_participants", f"a score needs two participants or more; of the accepted recordings {only}"))
    if group not in ("participant", BLOCK) and rows and len({row.described.get(group, row.recording_id) for row in rows}) < 2:
        faults.append(("too_few_groups", f"a score needs two groups or more; all accepted recordings are of one {group}"))
    if recordings < _FEWEST_RECORDINGS and group != BLOCK and not isinstance(split.test, tuple):
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


def _count(rows: Sequence[Row], naming: _Naming, seed: int) -> tuple[list[str], _Counts, list[str]]:
    """Groups in an order that only seed and names decide, their segments by label, and the labels, sorted."""
    names, of_group = np.unique([naming.of(row) for row in rows], return_inverse=True)
    labels, of_label = np.unique([row.label for row in rows], return_inverse=True)
    counts = np.zeros((len(names), len(labels)), np.int64)
    np.add.at(counts, (of_group, of_label), 1)
    order = sorted(range(len(names)), key=lambda i: hashlib.sha256(f"{seed}:{names[i]}".encode()).digest())
    return names[order].tolist(), counts[order], labels.tolist()


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


def _folds(names: Sequence[str], counts: _Counts, folds: int | str | None) -> _Counts:
    if folds == "leave_one_out":
        return np.argsort(np.argsort(names))
    number = min(int(folds or 1), len(names))
    # Segments by themselves can be many thousands, and dealing them out label by label is as even.
    return _dealt(counts, number) if (counts.sum(axis=1) == 1).all() else _stratified(counts, number)


def _dealt(counts: _Counts, folds: int) -> _Counts:
    """Groups of one segment each: all of the first label in turn, then those of the next."""
    order = np.argsort(counts.argmax(axis=1), kind="stable")
    fold = np.empty(len(counts), np.int64)
    fold[order] = np.arange(len(counts)) % folds
    return fold


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


def _uncovered(counts: _Counts, fold: _Counts) -> npt.NDArray[np.bool_]:
    """Labels of two groups or more that are nevertheless on one side only."""
    shared = (counts > 0).sum(axis=0) >= 2
    if (fold < 0).any():
        covered = (counts[fold < 0] > 0).any(axis=0) & (counts[fold >= 0] > 0).any(axis=0)
    else:
        covered = np.array([len(set(fold[column > 0])) >= 2 for column in counts.T])
    return shared & ~covered
