"""One device recording through the champion of a task: reader, clock, model, in the order of the pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from assets.resources import split_task
from ingestion.batch import read_file
from ingestion.readers import Hints
from ml.inference import Answer, classify
from ml.preprocessing.selection import find_task
from warehouse.disk import sha256_of
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES


def classify_files(files: Sequence[Path], task: str, home: Home, *, participant: str | None = None) -> Answer:
    """Ask the champion what the recording in `files` shows, and keep its answer in the table `predictions`.

    Parameters
    ----------
    files : sequence of Path
        The files of one recording. Siblings that belong to the first are found by themselves where they lie beside it.
    task : str
        ``<study>.<task>``.
    home : Home
    participant : str, optional
        Whose recording it is; needed where the task says `input.baseline`.

    Returns
    -------
    Answer

    Raises
    ------
    KinelakeError
        If no reader knows a file, a stream that the task needs is missing, or the task has no champion.
    """
    study, name = split_task(task)
    find_task(study, name)
    hints = Hints.of(study)
    streams = {stream.name: (stream.t_ns, stream.values) for file in files for stream in read_file(file, hints).streams}
    answer = classify(streams, study=study, task=name, home=home, participant=participant)
    Lake(home).append("predictions", _predictions(answer, files[0], task))
    return answer


def _predictions(answer: Answer, file: Path, task: str) -> pa.Table:
    shared = {
        "task": task,
        "version": answer.version,
        "file": file.name,
        "sha256": _sha256(file),
        "predicted_at": datetime.now(UTC),
    }
    names = ("start_ns", "end_ns", "label", "probability")
    rows = [shared | dict(zip(names, segment, strict=True)) for segment in answer.segments]
    return pa.Table.from_pylist(rows, schema=TABLES["predictions"].schema)


def _sha256(path: Path) -> str:
    if path.is_dir():
        listed = sorted(child for child in path.iterdir() if child.is_file())
        return hashlib.sha256("".join(map(_sha256, listed)).encode()).hexdigest()
    return sha256_of(path)
