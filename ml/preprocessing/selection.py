"""What a task would learn from now: accepted recordings of finished batches, each set of sensor values once.

Belongs here: reading the small tables only; no sample is touched, so that asking every few seconds is cheap.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ml.code_version import code_version
from ml.preprocessing.segmentation import method_of
from studies.study import Study, Task
from warehouse.errors import Reason, UnknownName, did_you_mean
from warehouse.home import Home
from warehouse.lake import Lake

#: The tables that a selection is made from.
SELECTED_FROM = ("batches", "recordings", "segments", "streams", "verdicts")


@dataclass(frozen=True)
class Selection:
    """The segments that a task would learn from.

    Parameters
    ----------
    segments : Table
        ``segment_id, batch_id, recording_id, participant, label, start_ns, end_ns, steps``, and of their recordings
        ``value_hash`` and ``described`` (JSON: session and further columns of the manifest that a split groups by), sorted by
        batch, recording and start.
    copies_dropped : int
        Accepted recordings left out because an earlier one has the same sensor values.
    """

    segments: pa.Table
    copies_dropped: int


def find_task(study: Study, task: str) -> Task:
    """Return a task of a study by name.

    Raises
    ------
    UnknownName
        If the study has none of that name; the error offers the nearest.
    """
    if task not in study.tasks:
        sentence = f"study '{study.study}' has no task '{task}'{did_you_mean(task, study.tasks)}"
        raise UnknownName(Reason("task_unknown", sentence, f"studies/{study.study}.yaml"))
    return study.tasks[task]


def labels_of(study: Study, task: Task) -> tuple[str, ...]:
    """Return the labels that a task tells apart: its own list, or all of the study."""
    return task.labels or tuple(study.labels)


def learnt_labels(study: Study, task: Task) -> tuple[str, ...] | None:
    """Return the labels whose segments a task learns from; None where segments of any label and of none do.

    A task that asks who a person is takes whatever they do, unless it names labels.
    """
    return task.labels if task.target == "participant" else labels_of(study, task)


def answers(segments: pa.Table, task: Task) -> list[str]:
    """Return what a model of a task should answer for each segment: ``squat``, ``P001``, or ``P001 squat``."""
    if task.target != "participant_and_label":
        merged = {label: name for name, one in task.merge.items() for label in one.labels}
        return [merged.get(answer, answer) for answer in segments[task.target].to_pylist()]
    return [f"{who} {what}" for who, what in zip(segments["participant"].to_pylist(), segments["label"].to_pylist(), strict=True)]


def select_segments(study: Study, task: str, home: Home) -> Selection:
    """Select what a task would learn from now.

    A recording counts if its verdict is accepted and its batch is complete. Where two recordings share the values of a
    sensor, which quality cannot see while two batches are judged at the same time, only the earliest counts.

    Parameters
    ----------
    study : Study
    task : str
        Bare name.
    home : Home

    Returns
    -------
    Selection
    """
    recipe, lake = find_task(study, task), Lake(home)
    where = {"study": study.study, "state": "complete"}
    batches = lake.read("batches", columns=["batch_id", "received_at"], where=where)
    of_batches = {"batch_id": batches["batch_id"].to_pylist()}
    recordings = _accepted(lake, of_batches).join(batches, "batch_id", join_type="inner")
    copies = _copies(recordings, lake.read("streams", columns=["recording_id", "value_hash"], where=of_batches))
    kept = _described(recordings.filter(~pc.field("recording_id").isin(copies)), recipe)
    segments = _current(lake, recipe, {**of_batches, "task": f"{study.study}.{task}"}, learnt_labels(study, recipe))
    joined = segments.join(kept, "recording_id", join_type="inner")
    return Selection(joined.sort_by([(key, "ascending") for key in _TOGETHER]), len(copies))


def segments_of_batch(batch_id: str, study: Study, task: str, home: Home) -> pa.Table:
    """Return the segments that a batch holds for a task, whether it is complete or not.

    Returns
    -------
    Table
        ``segment_id, batch_id, recording_id, participant, label, start_ns, end_ns, steps``, sorted by recording and start.
    """
    recipe = find_task(study, task)
    where: dict[str, list[str] | str] = {"batch_id": batch_id, "task": f"{study.study}.{task}"}
    found = _current(Lake(home), recipe, where, learnt_labels(study, recipe))
    return found.sort_by([(key, "ascending") for key in _TOGETHER])


def fingerprint(selection: Selection, study: Study, task: str, *, source: str | None = None) -> str | None:
    """Return the hash of what a selection, a recipe and this code would make; None if nothing is selected.

    `source` is the fingerprint of the table that the task is pre-trained on, where it is.

    The recipe is everything that the study says about the task, its title aside; the order of rows is of no account.
    """
    if not selection.segments.num_rows:
        return None
    columns = (selection.segments[name].to_pylist() for name in _CONTENT)
    content = {
        "code": code_version("ml.preprocessing"),
        "recipe": json.loads(recipe_json(study, task)),
        "segments": sorted(zip(*columns, strict=True), key=lambda row: row[0]),
        **({"source": source} if source else {}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def recipe_json(study: Study, task: str) -> str:
    """Return the task as the study declares it, with its labels written out, as canonical JSON."""
    recipe = find_task(study, task)
    said = recipe.model_dump(mode="json", exclude={"title"})
    return json.dumps({**said, "labels": labels_of(study, recipe)}, sort_keys=True)


def _accepted(lake: Lake, of_batches: dict[str, list[str]]) -> pa.Table:
    verdicts = lake.read("verdicts", columns=["recording_id", "accepted"], where=of_batches)
    columns = ["recording_id", "batch_id", "started_at", "value_hash", "session", "attributes"]
    recordings = lake.read("recordings", columns=columns, where=of_batches)
    return recordings.join(verdicts.filter(pc.field("accepted")), "recording_id", join_type="inner")


def _copies(recordings: pa.Table, streams: pa.Table) -> pa.Array:
    hashes: dict[str, set[str]] = {}
    for recording_id, value_hash in zip(streams["recording_id"].to_pylist(), streams["value_hash"].to_pylist(), strict=True):
        if value_hash is not None:
            hashes.setdefault(recording_id, set()).add(value_hash)
    seen: set[str] = set()
    copies = []
    for recording_id in recordings.sort_by([(key, "ascending") for key in _EARLIEST_FIRST])["recording_id"].to_pylist():
        own = hashes.get(recording_id, set())
        if own & seen:
            copies.append(recording_id)
        else:
            seen |= own
    return pa.array(copies, pa.string())


def _described(recordings: pa.Table, recipe: Task) -> pa.Table:
    """Recordings with what the splits of a task may group them by, and nothing else of their manifest."""
    groups = {split.group for split in (recipe.split, recipe.authors_split) if split is not None} | {"session"}
    described = []
    for session, attributes in zip(recordings["session"].to_pylist(), recordings["attributes"].to_pylist(), strict=True):
        told = {**(json.loads(attributes) if attributes else {}), "session": session}
        described.append(json.dumps({name: str(told[name]) for name in sorted(groups) if told.get(name) not in (None, "")}))
    return recordings.select(["recording_id", "value_hash"]).append_column("described", pa.array(described, pa.string()))


#: What the content of a training table depends on, of each segment.
_CONTENT = ("segment_id", "participant", "label", "value_hash", "described")
_TOGETHER = ("batch_id", "recording_id", "start_ns", "segment_id")
_EARLIEST_FIRST = ("received_at", "started_at", "recording_id")


def _current(lake: Lake, recipe: Task, where: dict[str, list[str] | str], labels: tuple[str, ...] | None) -> pa.Table:
    """Segments cut as the recipe says today; those of an earlier recipe are of no use until their batch runs again."""
    columns = ["segment_id", "batch_id", "recording_id", "participant", "label", "start_ns", "end_ns", "steps"]
    segments = lake.read("segments", columns=[*columns, "method", "rate_hz"], where=where)
    now = (pc.field("method") == method_of(recipe.segment)) & (pc.field("rate_hz") == recipe.input.rate_hz)
    wanted = now if labels is None else now & pc.field("label").isin(list(labels))
    return segments.filter(wanted).select(columns)
