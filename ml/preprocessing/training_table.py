"""A frozen training table in memory: what all of its examples have in common, what each protocol teaches and tests, its arrays.

Belongs here: reading one back, checked against its hash. Freezing one is in `ml.preprocessing.examples`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ml.preprocessing.augmentation import ORIGINAL
from warehouse.errors import LakeError, Reason, UnknownName
from warehouse.home import Home
from warehouse.lake import Lake

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Texts = npt.NDArray[np.str_]

_NAMES = ("example_id", "segment_id", "recording_id", "participant", "label", "split_group", "split", "augmentation")


@dataclass(frozen=True)
class TableFacts:
    """What all examples of a training table have in common: one row of the table `training_tables`."""

    task: str
    fingerprint: str
    study: str
    target: str
    length: int
    channels: tuple[str, ...]
    rate_hz: float
    labels: tuple[str, ...]
    examples: int
    segments: int
    participants: int
    recordings: int
    copies_dropped: int
    protocol: str
    honest: bool
    statement: str
    authors_protocol: str | None
    authors_statement: str | None
    recipe: str
    seed: int
    code_version: str
    content_sha256: str
    frozen_at: datetime


@dataclass(frozen=True, eq=False)
class Sides:
    """What one protocol teaches and tests; row i is example i of its table.

    Parameters
    ----------
    split : ndarray of str, shape (n,)
        ``train``, ``test``, or ``fold_<n>`` where every fold is tested once.
    fold : ndarray of int64, shape (n,)
        Fold of the cross-validation, from 0; -1 in test.
    original : ndarray of bool, shape (n,)
        True for examples as they were recorded.
    """

    split: _Texts
    fold: _Ints
    original: npt.NDArray[np.bool_]

    def rounds(self) -> Iterator[tuple[_Ints, _Ints]]:
        """Yield ``(train, test)`` row numbers of every round of the cross-validation.

        A fold's originals are tested by a model that learnt from all other folds, altered copies included; rows held out
        for the test are in neither. Nothing is yielded where only one fold exists.
        """
        folds = np.unique(self.fold[self.fold >= 0])
        for fold in folds if len(folds) > 1 else ():
            learnt = (self.fold >= 0) & (self.fold != fold)
            yield np.flatnonzero(learnt), np.flatnonzero((self.fold == fold) & self.original)

    def held_out(self) -> tuple[_Ints, _Ints] | None:
        """Return ``(train, test)`` row numbers of the test split; None where every fold is tested once instead."""
        test = np.flatnonzero((self.fold < 0) & self.original)
        return (np.flatnonzero(self.fold >= 0), test) if len(test) else None


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """A frozen training table in memory; row i of every array is example i.

    Parameters
    ----------
    meta : TableFacts
        Task, fingerprint, channels, labels, protocol, statement, honest, seed, …
    signals : ndarray of float32, shape (n, length, channels)
        In the streams' SI units, or beside a baseline, where the task asks for that; channels as ``meta.channels`` names them.
    labels : ndarray of str, shape (n,)
    groups : ndarray of str, shape (n,)
        What the splits keep together: the participant, or what else the task splits by.
    split : ndarray of str, shape (n,)
        ``train``, ``test``, or ``fold_<n>`` where every fold is tested once.
    fold : ndarray of int64, shape (n,)
        Fold of the cross-validation, from 0; -1 in test.
    augmentation : ndarray of str, shape (n,)
        ``original``, or the name of the altered copy; copies teach and are never tested.
    authors : Sides or None
        Who taught and who was tested by the protocol of the study's authors, for scores that are reported beside; None if
        the task names none. What a copy was made of is on the same side.
    example_id, segment_id, recording_id, participant : ndarray of str, shape (n,)
    """

    meta: TableFacts
    signals: _Floats
    labels: _Texts
    groups: _Texts
    split: _Texts
    fold: _Ints
    authors: Sides | None
    augmentation: _Texts
    example_id: _Texts
    segment_id: _Texts
    recording_id: _Texts
    participant: _Texts

    @property
    def original(self) -> npt.NDArray[np.bool_]:
        """True for examples as they were recorded, shape (n,)."""
        return self.augmentation == ORIGINAL

    def rounds(self) -> Iterator[tuple[_Ints, _Ints]]:
        """Yield ``(train, test)`` row numbers of every round of the cross-validation: see `Sides.rounds`."""
        return Sides(self.split, self.fold, self.original).rounds()

    def held_out(self) -> tuple[_Ints, _Ints] | None:
        """Return ``(train, test)`` row numbers of the test split, or None: see `Sides.held_out`."""
        return Sides(self.split, self.fold, self.original).held_out()


def load_examples(study_task: str, fingerprint: str, home: Home) -> TrainingTable:
    """Read a frozen training table.

    Parameters
    ----------
    study_task : str
        ``<study>.<task>``.
    fingerprint : str
    home : Home

    Returns
    -------
    TrainingTable

    Raises
    ------
    UnknownName
        If no training table was frozen under that fingerprint.
    LakeError
        If the examples no longer have the hash that they were frozen with.
    """
    lake, where = Lake(home), {"task": study_task, "fingerprint": fingerprint}
    facts = lake.read("training_tables", where=where).to_pylist()
    if not facts:
        sentence = f"no training table of '{study_task}' has the fingerprint {fingerprint}"
        raise UnknownName(Reason("fingerprint_unknown", sentence, remedy="freeze the examples first"))
    meta = TableFacts(**{**facts[0], "channels": tuple(facts[0]["channels"]), "labels": tuple(facts[0]["labels"])})
    names = _texts(lake, where, _NAMES if meta.authors_protocol is None else (*_NAMES, "authors_split"))
    numbers = lake.read("examples", columns=list(_folds_of(names)), where=where)
    folds = {name: numbers[name].to_numpy().astype(np.int64) for name in numbers.column_names}
    signals = _signals(lake, where, meta)
    content = content_hash(names, folds)
    content.update(signals.astype("<f4", copy=False).data)
    if content.hexdigest() != meta.content_sha256:
        sentence = f"the examples of '{study_task}' with fingerprint {fingerprint} are not those that were frozen"
        raise LakeError(Reason("examples_changed", sentence, "lake/examples", "freeze and train them again"))
    original = names["augmentation"] == ORIGINAL
    authors = Sides(names.pop("authors_split"), folds["authors_fold"], original) if "authors_fold" in folds else None
    return TrainingTable(
        meta, signals, names.pop("label"), names.pop("split_group"), fold=folds["fold"], authors=authors, **names
    )


def _folds_of(names: Mapping[str, _Texts]) -> tuple[str, ...]:
    return ("fold", "authors_fold") if "authors_split" in names else ("fold",)


def content_hash(names: Mapping[str, _Texts], folds: Mapping[str, _Ints]) -> hashlib._Hash:
    """Hash over ids, labels and splits of all examples; the caller adds the signals, in the same order."""
    content = hashlib.sha256()
    for name in sorted(names):
        content.update("\0".join([name, *names[name].tolist(), ""]).encode())
    for name in sorted(folds):
        content.update(folds[name].astype("<i8").data)
    return content


def _texts(lake: Lake, where: Mapping[str, str], names: Sequence[str]) -> dict[str, _Texts]:
    """Columns of texts one by one: as objects they take many times what they take as an array."""
    return {name: np.array(lake.read("examples", columns=[name], where=where)[name].to_pylist(), dtype=np.str_) for name in names}


def _signals(lake: Lake, where: Mapping[str, str], meta: TableFacts) -> _Floats:
    """All signals, read a row group at a time into the array they stay in: they can be most of the memory there is."""
    signals = np.zeros((meta.examples, meta.length, len(meta.channels)), np.float32)
    flat, filled = signals.reshape(-1), 0
    for path in (path for path, partition in lake.parquet_files("examples") if partition == where):
        file = pq.ParquetFile(path)
        for group in range(file.metadata.num_row_groups):
            values = file.read_row_group(group, columns=["signal"]).column(0).combine_chunks().flatten().to_numpy()
            taken = values[: len(flat) - filled]  # what should not be there is noticed by the hash over the ids
            flat[filled : filled + len(taken)] = taken
            filled += len(taken)
            pa.default_memory_pool().release_unused()
    return signals
