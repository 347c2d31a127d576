"""Training tables: what a task learns from, frozen under a fingerprint so that any training can be done again.

Belongs here: `training_fingerprint` (what training would have now) and `freeze_examples` (cut, split, augment, write). Reading
one back is in `ml.preprocessing.training_table`, which recordings count in `ml.preprocessing.selection`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.code_version import code_version
from ml.preprocessing.augmentation import ORIGINAL, augment, copies_of
from ml.preprocessing.baseline import baselines_of, beside_baselines
from ml.preprocessing.originals import cut_segments
from ml.preprocessing.recordings import codes, run_starts
from ml.preprocessing.selection import SELECTED_FROM, Selection, answers, find_task, fingerprint, recipe_json, select_segments
from ml.preprocessing.sources import find_source
from ml.preprocessing.splits import Row, SplitPlan, plan_splits
from ml.preprocessing.tensors import channel_names, rows_of
from ml.preprocessing.training_table import TrainingTable, content_hash, load_examples
from studies.augmentation import Settings
from studies.study import Study, Task
from warehouse.errors import Reason, TrainingRefused
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]
_Texts = npt.NDArray[np.str_]

_EXAMPLES = TABLES["examples"].unpartitioned
_FACTS = TABLES["training_tables"].unpartitioned
_ROWS_AT_ONCE = 8192
_OWN_BASELINE = (
    "Everybody is held against their own mean, which all their recordings make, tested ones too, labels unseen: the scores hold "
    "for people of whom recordings of all that is told apart are there."
)
#: For each task the last answer of `training_fingerprint` and the state of the lake, the recipe and the code it was for.
_ANSWERS: dict[tuple[Path, str, str], tuple[object, str | None]] = {}


def training_fingerprint(study: Study, task: str, home: Home) -> str | None:
    """Return the fingerprint that training would have now; None while there is nothing to learn from.

    Depends on the recipe, its seed and labels, the code of `ml.preprocessing`, and the segments of accepted recordings of
    finished batches with their participants, labels and value hashes. No sample is read; in a process that asks again and
    again, as the retraining sensor does, the tables are read only when one of them has a new version.

    Parameters
    ----------
    study : Study
    task : str
        Bare name, without the study.
    home : Home

    Returns
    -------
    str or None
        32 hexadecimal digits, equal for equal content in any process.
    """
    lake, asked = Lake(home), (home.root, study.study, task)
    source = find_source(study, task)
    of_source = training_fingerprint(*source, home) if source else None
    if source and of_source is None:
        return None
    versions = (lake.version(name) for name in SELECTED_FROM)
    state = (recipe_json(study, task), code_version("ml.preprocessing"), of_source, *versions)
    if _ANSWERS.get(asked, ("", None))[0] != state:
        _ANSWERS[asked] = state, fingerprint(select_segments(study, task, home), study, task, source=of_source)
    return _ANSWERS[asked][1]


def freeze_examples(study: Study, task: str, home: Home) -> TrainingTable:
    """Write the training table of the current fingerprint, unless it is there already, and return it.

    Segments are cut and brought to one length, groups are split, and only then training examples are augmented.

    Parameters
    ----------
    study : Study
    task : str
        Bare name, without the study.
    home : Home

    Returns
    -------
    TrainingTable

    Raises
    ------
    TrainingRefused
        If there is nothing to learn from, or too little to be scored.
    """
    selection, source = select_segments(study, task, home), find_source(study, task)
    of_source = training_fingerprint(*source, home) if source else None
    found = fingerprint(selection, study, task, source=of_source)
    name = f"{study.study}.{task}"
    if found is None:
        sentence = f"no accepted recording of a finished batch has a segment for '{name}' yet"
        raise TrainingRefused(Reason("nothing_to_learn_from", sentence, remedy="deliver recordings, then 'kinelake run'"))
    if not _is_frozen(name, found, home):
        _freeze(selection, found, study, task, home)
    return load_examples(name, found, home)


def _is_frozen(study_task: str, fingerprint: str, home: Home) -> bool:
    where = {"task": study_task, "fingerprint": fingerprint}
    return Lake(home).read("training_tables", columns=["fingerprint"], where=where).num_rows > 0


def _freeze(selection: Selection, found: str, study: Study, task: str, home: Home) -> None:
    recipe, segments = find_task(study, task), selection.segments
    plans = _planned(segments, recipe)
    layout = _lay_out(segments, plans, recipe)
    content = content_hash(layout.names, layout.folds)
    signals = _hashed(layout.signals(cut_segments(segments, recipe, home), recipe), content)
    lake, where = Lake(home), {"task": f"{study.study}.{task}", "fingerprint": found}
    lake.replace("examples", pa.RecordBatchReader.from_batches(_EXAMPLES, layout.batches(signals)), where=where)
    # This row comes last: without it nobody looks at the examples, and the next try replaces them.
    facts = _facts(selection, layout, plans, study, task)
    lake.replace(
        "training_tables",
        pa.Table.from_pylist([{**facts, "content_sha256": content.hexdigest()}], schema=_FACTS),
        where=where,
    )


@dataclass(frozen=True)
class _Plans:
    """The split that decides and, where the task names one, that of the study's authors, each with every segment's group."""

    decides: SplitPlan
    groups: list[str]
    authors: SplitPlan | None
    authors_groups: list[str]


def _planned(segments: pa.Table, recipe: Task) -> _Plans:
    rows = _split_rows(segments, recipe)
    decides = plan_splits(rows, recipe.split, seed=recipe.seed, target=recipe.target)
    authors = None
    if recipe.authors_split is not None:
        authors = plan_splits(rows, recipe.authors_split, seed=recipe.seed, target=recipe.target)
    authors_groups = [authors.group_of(row) for row in rows] if authors else []
    return _Plans(decides, [decides.group_of(row) for row in rows], authors, authors_groups)


@dataclass(frozen=True, eq=False)
class _Layout:
    """Every example of a table before its signal is made: the originals, then one block for each kind of copy."""

    names: dict[str, _Texts]
    folds: dict[str, _Ints]
    source: _Ints  # the original's row
    blocks: list[tuple[Settings | None, slice]]

    def signals(self, originals: _Floats, recipe: Task) -> Iterator[_Floats]:
        channels, people = channel_names(recipe.input), self.names["participant"]
        # The originals are the first block. Copies are made of what was measured, and compared with the same baseline.
        baselines = baselines_of(originals, people[: len(originals)]) if recipe.input.baseline else None
        for settings, block in self.blocks:
            for first in range(block.start, block.stop, _ROWS_AT_ONCE):
                rows = slice(first, min(first + _ROWS_AT_ONCE, block.stop))
                signals = originals[self.source[rows]]
                if settings is not None:
                    ids = self.names["example_id"][rows].tolist()
                    signals = augment(signals, settings, channels=channels, example_ids=ids, seed=recipe.seed)
                yield signals if baselines is None else beside_baselines(signals, people[rows], baselines)

    def batches(self, signals: Iterator[_Floats]) -> Iterator[pa.RecordBatch]:
        first = 0
        for block in signals:
            rows = slice(first, first + len(block))
            columns = {name: pa.array(values[rows].tolist()) for name, values in self.names.items()}
            columns |= {name: pa.array(values[rows], pa.int32()) for name, values in self.folds.items()}
            columns["signal"] = pa.ListArray.from_arrays(_offsets(block), pa.array(block.ravel()))
            none = {name: pa.nulls(len(block), _EXAMPLES.field(name).type) for name in _EXAMPLES.names if name not in columns}
            yield pa.RecordBatch.from_arrays([(columns | none)[name] for name in _EXAMPLES.names], schema=_EXAMPLES)
            first = rows.stop


def _lay_out(segments: pa.Table, plans: _Plans, recipe: Task) -> _Layout:
    of_segments = {name: np.array(segments[name].to_pylist(), np.str_) for name in ("segment_id", "recording_id", "participant")}
    of_segments["label"] = np.array(answers(segments, recipe), np.str_)
    of_segments["split_group"] = np.array(plans.groups, np.str_)
    of_segments["split"] = np.array([plans.decides.split[name] for name in plans.groups], np.str_)
    folds = {"fold": np.array([plans.decides.fold[name] for name in plans.groups], np.int64)}
    if plans.authors:
        of_segments["authors_split"] = np.array([plans.authors.split[name] for name in plans.authors_groups], np.str_)
        folds["authors_fold"] = np.array([plans.authors.fold[name] for name in plans.authors_groups], np.int64)
    # Whatever a protocol teaches has its copies; where another tests the same segment, they are on the side of their original.
    taught = np.flatnonzero(np.logical_or.reduce([fold >= 0 for fold in folds.values()]))
    made = [
        (ORIGINAL, None, np.arange(segments.num_rows)),
        *((name, settings, taught) for name, settings in copies_of(recipe.augment)),
    ]
    source = np.concatenate([rows for _, _, rows in made])
    names = {name: values[source] for name, values in of_segments.items()}
    names["augmentation"] = np.repeat([name for name, _, _ in made], [len(rows) for _, _, rows in made])
    names["example_id"] = np.strings.add(np.strings.add(names["segment_id"], "."), names["augmentation"])
    ends = np.cumsum([len(rows) for _, _, rows in made]).tolist()
    blocks = [(settings, slice(start, end)) for (_, settings, _), start, end in zip(made, [0, *ends], ends, strict=False)]
    return _Layout(names, {name: fold[source] for name, fold in folds.items()}, source, blocks)


def _facts(selection: Selection, layout: _Layout, plans: _Plans, study: Study, task: str) -> dict[str, object]:
    recipe, segments = find_task(study, task), selection.segments
    return {
        "study": study.study,
        "target": recipe.target,
        "length": rows_of(recipe),
        "channels": channel_names(recipe.input),
        "rate_hz": recipe.input.rate_hz,
        "labels": np.unique(layout.names["label"]).tolist(),
        "examples": len(layout.source),
        "segments": segments.num_rows,
        "participants": len(np.unique(layout.names["participant"])),
        "recordings": len(np.unique(layout.names["recording_id"])),
        "copies_dropped": selection.copies_dropped,
        "protocol": plans.decides.protocol,
        "honest": plans.decides.honest,
        "statement": plans.decides.statement + (f" {_OWN_BASELINE}" if recipe.input.baseline else ""),
        "authors_protocol": plans.authors.protocol if plans.authors else None,
        "authors_statement": plans.authors.statement if plans.authors else None,
        "recipe": recipe_json(study, task),
        "seed": recipe.seed,
        "code_version": code_version("ml.preprocessing"),
        "frozen_at": datetime.now(UTC),
    }


def _split_rows(segments: pa.Table, recipe: Task) -> list[Row]:
    who, recording, segment = (segments[name].to_pylist() for name in ("participant", "recording_id", "segment_id"))
    described = {text: json.loads(text) for text in pc.unique(segments["described"]).to_pylist()}
    told = (described[text] for text in segments["described"].to_pylist())
    starts = run_starts(codes(segments["recording_id"])[0])
    beside = np.diff(starts, append=segments.num_rows)
    position = np.arange(segments.num_rows) - np.repeat(starts, beside)
    placed = position.tolist(), np.repeat(beside, beside).tolist()
    return [Row(*values) for values in zip(who, recording, answers(segments, recipe), segment, told, *placed, strict=True)]


def _hashed(signals: Iterator[_Floats], content: hashlib._Hash) -> Iterator[_Floats]:
    for block in signals:
        content.update(np.ascontiguousarray(block, "<f4").data)
        yield block


def _offsets(signals: _Floats) -> pa.Array:
    return pa.array(np.arange(len(signals) + 1, dtype=np.int32) * signals[0].size, pa.int32())
