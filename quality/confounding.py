"""Whether a study's labels can be told from something else: the device, the participant, the site or the batch.

Belongs here: what counts of accepted recordings tell, the statistic and its sentence. Where a warning is shown, and what else is
asked of a study, is not told here; the same counts for analysts are `warehouse/sql/contingency.sql`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import random_table

from quality.reasons import listed
from studies.study import Study
from warehouse.accepted_index import AcceptedIndex
from warehouse.home import Home
from warehouse.study_index import open_index

#: What may take the label's place, and how a sentence says where something was recorded.
FACTORS: Mapping[str, str] = {"device": "with", "participant": "by", "site": "at", "batch_id": "in"}
#: From here on a factor tells enough about the label to be told to a person; see `Association.share`.
LEAST_SHARE = 0.25
#: A cell with no more of its label and of its level than this is an exception: "almost only".
STRAY_SHARE = 0.05

# A test at 5 % needs few draws, and chance varies the less the larger the table: the more cells, the fewer draws.
_CHANCES = (39, 199)
_CELLS_DRAWN = 20_000
_LIKELY = 0.05
_DOMINANT = 0.9
_SEED = 20260
_NAMED = 3
_GROUPS_NAMED = 4

_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Labels that share no level of a factor with any other label, exceptions aside."""

    labels: tuple[str, ...]
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Association:
    """How much a factor tells about the label.

    Parameters
    ----------
    factor : str
        A key of `FACTORS`.
    same_as : tuple of str
        Other factors that divide the recordings in exactly the same way; they have no association of their own.
    labels, levels, recordings : int
        What was counted; recordings without a label or without the factor are left out.
    share : float
        Mutual information of label and factor, less what chance alone gives, over the most that there could be, less the
        same: 0 by chance, 1 if the one follows from the other (adjusted mutual information [1]_, relative to the smaller of
        the two entropies).
    p_value : float
        Share of random assignments of the same labels to the same levels that tell at least as much.
    groups : tuple of Group
        Sets of labels that no level has in common; one group if the labels are not divided.
    confounded : bool
        True if a person should know.
    sentence : str
        For that person; also says so if nothing is wrong.

    References
    ----------
    .. [1] Vinh, Epps and Bailey, "Information theoretic measures for clusterings comparison", JMLR 11 (2010).
    """

    factor: str
    same_as: tuple[str, ...]
    labels: int
    levels: int
    recordings: int
    share: float
    p_value: float
    groups: tuple[Group, ...]
    confounded: bool
    sentence: str


@dataclass(frozen=True)
class LabelBalance:
    """How much there is of a label."""

    label: str
    recordings: int
    participants: int


@dataclass(frozen=True)
class StudyFacts:
    """What a study's accepted recordings have in common.

    Parameters
    ----------
    recordings : int
    balance : tuple of LabelBalance
        Every label of the study and every other one that occurs, sorted; 0 where there is none.
    associations : tuple of Association
        One for each way in which the recordings are divided, the strongest first; none where there is nothing to tell.
    """

    recordings: int
    balance: tuple[LabelBalance, ...]
    associations: tuple[Association, ...]


def study_facts(study: Study, home: Home) -> StudyFacts:
    """Tell what counts of the accepted recordings of a study tell, over all its judged batches; no sample is touched."""
    with open_index(AcceptedIndex, study.study, home=home) as index:
        counted = index.counts()
    return StudyFacts(pc.sum(counted["recordings"]).as_py() or 0, balance_of(counted, study.labels), confounding_of(counted))


def balance_of(counted: pa.Table, labels: Iterable[str]) -> tuple[LabelBalance, ...]:
    """Count recordings and participants of each label; `labels` are told of even where they do not occur."""
    sums = _labelled(counted).group_by("label").aggregate([("recordings", "sum"), ("participant", "count_distinct")])
    found = {row["label"]: (row["recordings_sum"], row["participant_count_distinct"]) for row in sums.to_pylist()}
    return tuple(LabelBalance(label, *found.get(label, (0, 0))) for label in sorted({*labels, *found}))


def confounding_of(counted: pa.Table) -> tuple[Association, ...]:
    """Tell how much device, participant, site and batch each tell about the label.

    Parameters
    ----------
    counted : Table
        ``label, device, participant, site, batch_id, recordings``: how many accepted ones there are of what; null where not
        known.

    Returns
    -------
    tuple of Association
        The strongest first. A factor with one level, or a single label, is left out: there is nothing to tell.

    Examples
    --------
    >>> rows = {"label": ["jump", "still"] * 9, "device": ["a", "b"] * 9, "site": ["x"] * 18}
    >>> rows |= {"participant": ["P1", "P1", "P2", "P2", "P3", "P3"] * 3, "batch_id": ["b1", "b1", "b2", "b2", "b2", "b2"] * 3}
    >>> strongest, *others = confounding_of(pa.table(rows | {"recordings": [1] * 18}))
    >>> strongest.sentence
    'jump was recorded only with device a, still only with device b: a model can learn the device instead of the label'
    >>> [(one.factor, one.confounded) for one in others]
    [('participant', False), ('batch_id', False)]
    """
    labelled = _labelled(counted)
    found = [_association(factor, same_as, labelled) for factor, same_as in _different(labelled).items()]
    told = [one for one in found if one is not None]
    return tuple(sorted(told, key=lambda one: (not one.confounded, -one.share, list(FACTORS).index(one.factor))))


def contingency(counted: pa.Table, factor: str) -> tuple[_Counts, tuple[str, ...], tuple[str, ...]]:
    """Count recordings by label and level.

    Returns
    -------
    (ndarray of int64, shape (labels, levels); tuple of str; tuple of str)
        The counts, the labels and the levels, both sorted.
    """
    known = counted.filter(pc.and_(pc.is_valid(counted["label"]), pc.is_valid(counted[factor])))
    sides = [np.unique(known[name].to_numpy(zero_copy_only=False).astype(str), return_inverse=True) for name in ("label", factor)]
    (labels, rows), (levels, columns) = sides
    counts = np.zeros((len(labels), len(levels)), dtype=np.int64)
    np.add.at(counts, (rows, columns), known["recordings"].to_numpy())
    return counts, tuple(map(str, labels)), tuple(map(str, levels))


def _labelled(counted: pa.Table) -> pa.Table:
    return counted.filter(pc.is_valid(counted["label"]))


def _different(counted: pa.Table) -> dict[str, tuple[str, ...]]:
    """Name the factors that divide the recordings, each with the later ones that divide them in the same way."""
    kept: dict[str, list[str]] = {}
    for factor in FACTORS:
        same = next((other for other in kept if _pairs(counted, factor, other) == (1, 1)), None)
        kept.setdefault(same or factor, []).extend([factor] if same else [])
    return {factor: tuple(same_as) for factor, same_as in kept.items()}


def _pairs(counted: pa.Table, factor: str, other: str) -> tuple[int, int]:
    """Return the most levels of `other` that one level of `factor` has, and the other way round; null is a level here."""
    counts = []
    for one, two in ((factor, other), (other, factor)):
        distinct = counted.group_by(one).aggregate([(two, "count_distinct", pc.CountOptions(mode="all"))])
        counts.append(pc.max(distinct[f"{two}_count_distinct"]).as_py() or 0)
    return counts[0], counts[1]


def _association(factor: str, same_as: tuple[str, ...], counted: pa.Table) -> Association | None:
    counts, labels, levels = contingency(counted, factor)
    if min(counts.shape) < 2:
        return None
    share, p_value = _information(counts)
    groups = _groups(counts, labels, levels)
    strong = share >= LEAST_SHARE and p_value <= _LIKELY
    told = strong and not _new_with_everybody(factor, counts, counted)
    sentence = _sentence(factor, same_as, groups, counts, labels, levels) if told else _harmless(factor, share, strong=strong)
    return Association(factor, same_as, len(labels), len(levels), int(counts.sum()), share, p_value, groups, told, sentence)


def _new_with_everybody(factor: str, counts: _Counts, counted: pa.Table) -> bool:
    """Tell whether a person who is held out brings a level of their own, and every label has several such levels."""
    own = factor == "participant" or _pairs(counted, factor, "participant")[0] == 1
    return own and not (counts.max(axis=1) >= _DOMINANT * counts.sum(axis=1)).any()


def _information(counts: _Counts) -> tuple[float, float]:
    """Return mutual information adjusted for chance, 0 to 1, and how often chance gives as much."""
    observed = float(_mutual(counts[None])[0])
    draws = int(np.clip(_CELLS_DRAWN // counts.size, *_CHANCES))
    drawn = _mutual(random_table(counts.sum(axis=1), counts.sum(axis=0), seed=_SEED).rvs(size=draws))
    most = min(_entropy(counts.sum(axis=axis)) for axis in (0, 1))
    expected = float(drawn.mean())
    tolerance = 1e-9
    share = (observed - expected) / (most - expected) if most - expected > tolerance else 0.0
    # Sums of logarithms are off by their last digits: what follows entirely is 1.
    return round(min(max(share, 0.0), 1.0), 9), float(1 + np.count_nonzero(drawn >= observed - tolerance)) / (1 + draws)


def _mutual(tables: _Counts) -> npt.NDArray[np.float64]:
    """Mutual information, in nats, of tables of shape (tables, labels, levels) that have their margins in common."""
    total = tables[0].sum()
    # Counts are small and many: a table of n log n is quicker than so many logarithms.
    every = np.arange(tables.max() + 1)
    joint = np.log(total) - (every * np.log(np.maximum(every, 1)))[tables].sum(axis=(1, 2)) / total
    return np.asarray(_entropy(tables[0].sum(axis=1)) + _entropy(tables[0].sum(axis=0)) - joint)


def _entropy(counts: _Counts) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _groups(counts: _Counts, labels: Sequence[str], levels: Sequence[str]) -> tuple[Group, ...]:
    stray = (counts <= STRAY_SHARE * counts.sum(axis=1, keepdims=True)) & (
        counts <= STRAY_SHARE * counts.sum(axis=0, keepdims=True)
    )
    rows, columns = np.nonzero(~stray)
    nodes = len(labels) + len(levels)
    graph = csr_array((np.ones(len(rows)), (rows, columns + len(labels))), shape=(nodes, nodes))
    count, of_node = connected_components(graph, directed=False)
    sides = [(labels, of_node[: len(labels)]), (levels, of_node[len(labels) :])]
    names = [
        [tuple(name for name, of in zip(all_, parts, strict=True) if of == one) for all_, parts in sides] for one in range(count)
    ]
    return tuple(Group(*one) for one in names if all(one))


def _sentence(
    factor: str, same_as: Sequence[str], groups: Sequence[Group], counts: _Counts, labels: Sequence[str], levels: Sequence[str]
) -> str:
    word = _word(factor)
    ending = f"a model can learn the {word} instead of the label"
    if same_as:
        ending = f"{listed([_plural(one) for one in same_as])} divide in the same way; {ending}"
    if len(groups) == 1:
        return f"the {word} alone tells much of the label ({_mostly(factor, counts, labels, levels)}): {ending}"
    exact = sum(counts[np.ix_(_places(one.labels, labels), _places(one.levels, levels))].sum() for one in groups) == counts.sum()
    only = "only" if exact else "almost only"
    first, *others = groups[:_GROUPS_NAMED]
    verb = "was" if len(first.labels) == 1 else "were"
    parts = [f"{_some(first.labels)} {verb} recorded {only} {_where(factor, first.levels)}"]
    parts += [f"{_some(one.labels)} {only} {_where(factor, one.levels)}" for one in others]
    rest = len(groups) - len(parts)
    more = f", and so on for {rest} more" if rest else ""
    return f"{', '.join(parts)}{more}: {ending}"


def _mostly(factor: str, counts: _Counts, labels: Sequence[str], levels: Sequence[str]) -> str:
    tops = counts.argmax(axis=1)
    shares = counts.max(axis=1) / counts.sum(axis=1)
    named = np.argsort(-shares, kind="stable")[:_NAMED]
    return ", ".join(
        f"{counts[row, tops[row]]} of {counts[row].sum()} {labels[row]} {_where(factor, [levels[tops[row]]])}" for row in named
    )


def _harmless(factor: str, share: float, *, strong: bool) -> str:
    excuse = ", but everybody has their own and every label several: people who are held out keep the score honest"
    return f"the {_word(factor)} tells {share:.0%} of what it could tell about the label{excuse if strong else ''}"


def _where(factor: str, levels: Sequence[str]) -> str:
    return f"{FACTORS[factor]} {_word(factor) if len(levels) == 1 else _plural(factor)} {_some(levels)}"


def _some(names: Sequence[str]) -> str:
    return listed([*names[:_NAMED], f"{len(names) - _NAMED} more"] if len(names) > _NAMED + 1 else names)


def _places(names: Sequence[str], among: Sequence[str]) -> list[int]:
    return [among.index(name) for name in names]


def _word(factor: str) -> str:
    return factor.removesuffix("_id")


def _plural(factor: str) -> str:
    return {"batch_id": "batches"}.get(factor, f"{factor}s")
