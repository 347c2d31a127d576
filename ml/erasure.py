"""Erasing what was learnt from a participant: training tables, models and their scores.

Belongs here: which trainings are touched, and all that comes of one. A model cannot unlearn, so it goes; the next run trains
again without the participant.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ml.registry import Registry
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

# The examples last: they tell what is to be erased, if this is killed before its end.
_TABLES = ("models", "evaluations", "trials", "training_tables", "examples")


def erase_trainings(study: str, participant: str, *, recordings: Collection[str], home: Home) -> int:
    """Erase every training of a study that learnt from a participant or from one of these recordings.

    A training of which the lake has no examples cannot be cleared of having done so: it is erased as well.

    Parameters
    ----------
    study : str
    participant : str
    recordings : collection of str
        Recording ids.
    home : Home

    Returns
    -------
    int
        Model versions erased.
    """
    registry, lake, erased = Registry(home), Lake(home), 0
    touched = _touched(study, participant, recordings, registry, lake)
    # Before what they were pre-trained on, which tells that they are to be erased, if this is killed before its end.
    for task, fingerprints in [*_pretrained_on(touched, registry).items(), *touched.items()]:
        with registry.locked(task):
            erased += registry.forget(task, fingerprints)
            for name in _TABLES:
                for fingerprint in sorted(fingerprints):
                    lake.replace(name, TABLES[name].schema.empty_table(), where={"task": task, "fingerprint": fingerprint})
    return erased


def _touched(study: str, participant: str, recordings: Collection[str], registry: Registry, lake: Lake) -> dict[str, set[str]]:
    frozen = [(part["task"], part["fingerprint"]) for part in lake.partitions("examples") if _is_of(study, part["task"])]
    cleared = {training for training in frozen if not _holds(*training, participant, recordings, lake)}
    there = {*frozen, *((found.task, found.fingerprint) for found in registry.versions() if _is_of(study, found.task))}
    there |= {
        (folder.parent.name, folder.name) for folder in registry.root.glob("models/*/*") if _is_of(study, folder.parent.name)
    }
    touched: dict[str, set[str]] = defaultdict(set)
    for task, fingerprint in there - cleared:
        touched[task].add(fingerprint)
    return touched


def _pretrained_on(touched: Mapping[str, Collection[str]], registry: Registry) -> dict[str, set[str]]:
    """Trainings of other tasks that carry layers from one of these, or of which nobody can say any more what they carry."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in registry.root.glob("models/*/*/*/model.json") if touched else ():
        try:
            source = json.loads(path.read_text(encoding="utf-8"))["facts"].get("pretrained_on")
        except (ValueError, KeyError, TypeError, AttributeError):
            source = None
            found[path.parents[2].name].add(path.parents[1].name)
        if source and source["fingerprint"] in touched.get(source["task"], ()):
            found[path.parents[2].name].add(path.parents[1].name)
    return found


def _is_of(study: str, task: str) -> bool:
    return task.startswith(f"{study}.")


def _holds(task: str, fingerprint: str, participant: str, recordings: Collection[str], lake: Lake) -> bool:
    where = {"task": task, "fingerprint": fingerprint}
    rows = lake.read("examples", columns=["participant", "recording_id"], where=where)
    of_person = pc.any(pc.equal(rows["participant"], participant)).as_py()
    return bool(of_person or pc.any(pc.is_in(rows["recording_id"], pa.array(sorted(recordings), pa.string()))).as_py())
