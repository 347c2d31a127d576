"""The task that another one is pre-trained on: finding it, and refusing what cannot be honest or cannot work.

Belongs here: the names alone. What is carried from one to the other is in `ml.transfer`.
"""

from __future__ import annotations

from ml.preprocessing.selection import find_task
from studies.loader import find_study
from studies.study import Study
from warehouse.errors import Reason, StudyError, UnknownName, did_you_mean


def find_source(study: Study, task: str) -> tuple[Study, str] | None:
    """Return study and bare name of the task that a task is pre-trained on; None if it is not.

    Raises
    ------
    UnknownName
        The study has no such task.
    StudyError
        There is no such study or task, and the error offers the nearest; or it is of the task's own study, whose people
        would be tested by layers that saw them; or the source is itself pre-trained.
    """
    pretrain = find_task(study, task).pretrain
    if pretrain is None:
        return None
    place = f"studies/{study.study}.yaml tasks.{task}.pretrain.task"
    if pretrain.study == study.study:
        sentence = f"'{pretrain.task}' is of the same study, so the layers would have seen people who are tested"
        raise StudyError(Reason("pretrain_same_study", sentence, place, "pre-train on a task of another study"))
    try:
        source = find_study(pretrain.study)
    except UnknownName as error:
        raise StudyError(*(Reason(reason.code, reason.sentence, place, reason.remedy) for reason in error.reasons)) from None
    if pretrain.name not in source.tasks:
        sentence = f"study '{source.study}' has no task '{pretrain.name}'{did_you_mean(pretrain.name, source.tasks)}"
        raise StudyError(Reason("task_unknown", sentence, place))
    if source.tasks[pretrain.name].pretrain is not None:
        sentence = f"'{pretrain.task}' is itself pre-trained; one step is allowed"
        raise StudyError(Reason("pretrain_chain", sentence, place, "name the task where the line begins"))
    return source, pretrain.name
