"""One device recording through the champion of a task: reader, clock, model, in the order of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assets.resources import split_task
from ingestion.batch import read_file
from ml.inference import Answer, classify
from ml.preprocessing.selection import find_task
from warehouse.home import Home


def classify_files(files: Sequence[Path], task: str, home: Home) -> Answer:
    """Ask the champion what the recording in `files` shows.

    Parameters
    ----------
    files : sequence of Path
        The files of one recording; devices that write a sensor a file need more than one.
    task : str
        ``<study>.<task>``.
    home : Home

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
    streams = {stream.name: (stream.t_ns, stream.values) for file in files for stream in read_file(file).streams}
    return classify(streams, study=study, task=name, home=home)
