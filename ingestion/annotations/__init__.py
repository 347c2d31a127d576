"""Files beside a recording that say what was done when: one module for each kind, and what is checked of all of them.

A manifest's column `annotations` names such a file; it belongs to that recording and is none itself. To add a kind, write a
module with ``sniff(file)`` and ``read(file, recording)`` and add it to `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ingestion.annotations import squats, stretches, windows
from ingestion.annotations.marked import Marked, Recorded
from ingestion.readers.interface import DeviceFile
from ingestion.recording import Annotation, Finding
from studies.study import Study
from warehouse.errors import Reason, UnreadableFile, did_you_mean

#: Kinds of annotation files: is it one, and what does it mark.
KINDS: tuple[tuple[Callable[[DeviceFile], bool], Callable[[DeviceFile, Recorded], Marked]], ...] = (
    (windows.sniff, windows.read),
    (stretches.sniff, stretches.read),
    (squats.sniff, squats.read),
)

_NS_PER_S = 1_000_000_000
_WANTED = (
    "a CSV with columns start, end and label, a JSON with windows that have start_sample and end_sample, or a YAML of squats "
    "that have start, mid and end"
)


def read_annotations(file: DeviceFile, recorded: Recorded, study: Study) -> tuple[list[Annotation], list[Finding]]:
    """Read what a file marks in a recording.

    Parameters
    ----------
    file : DeviceFile
    recorded : Recorded
        The recording as its reader gave it.
    study : Study
        Whose labels are expected.

    Returns
    -------
    annotations : list of Annotation
        In the order of the file; those that reach beyond the recording are cut to it, those outside are left out.
    findings : list of Finding
        An error if the file cannot be read at all; warnings for single marks, each with its row or window.
    """
    reader = next((read for sniff, read in KINDS if sniff(file)), None)
    try:
        if reader is None:
            sentence = f"the file is no annotation file that is known: {_WANTED}"
            raise UnreadableFile(Reason("annotations_unknown", sentence, file.name, "send it in one of these forms"))
        marked = reader(file, recorded)
    except UnreadableFile as error:
        return [], [Finding(reason) for reason in error.reasons]
    inside, findings = _inside(marked, recorded)
    return inside, [*marked.findings, *findings, *_overlaps(inside, file), *_unknown_labels(marked, study)]


def _inside(marked: Marked, recorded: Recorded) -> tuple[list[Annotation], list[Finding]]:
    kept, findings = [], []
    first, last = recorded.first_ns, recorded.last_ns
    for annotation, place in zip(marked.annotations, marked.places, strict=True):
        start, end = max(annotation.start_ns, first), min(annotation.end_ns, last)
        begins, ends = (annotation.start_ns, annotation.end_ns) if annotation.mid_ns is None else (annotation.mid_ns,) * 2
        if ends < first or begins > last:
            early = ends < first
            apart_s = (first - ends if early else begins - last) / _NS_PER_S
            sentence = (
                f"'{annotation.label}' lies {apart_s:,.1f} s {'before' if early else 'after'} the recording and is left out"
            )
            findings.append(_warning("annotation_outside", sentence, place, "correct its time, or the recording it belongs to"))
            continue
        if (start, end) != (annotation.start_ns, annotation.end_ns):
            beyond_s = (annotation.end_ns - annotation.start_ns - end + start) / _NS_PER_S
            sentence = f"'{annotation.label}' reaches {beyond_s:.2f} s beyond the recording and was cut to it"
            findings.append(_warning("annotation_cut", sentence, place, "nothing to do if the recording was stopped early"))
        kept.append(replace(annotation, start_ns=start, end_ns=end))
    return kept, findings


def _overlaps(annotations: Sequence[Annotation], file: DeviceFile) -> list[Finding]:
    starts = np.array([annotation.start_ns for annotation in annotations])
    ends = np.array([annotation.end_ns for annotation in annotations])
    order = np.argsort(starts, kind="stable")
    shared_s = (np.maximum.accumulate(ends[order])[:-1] - starts[order][1:]) / _NS_PER_S
    overlapping = np.count_nonzero(shared_s > 0)
    if not overlapping:
        return []
    sentence = (
        f"{overlapping} of {len(annotations)} marked stretches begin before an earlier one ends, by up to {shared_s.max():.2f} s"
    )
    remedy = "nothing to do: test and training are split by person or session, never by stretch"
    return [Finding(Reason("annotations_overlap", sentence, file.name, remedy), "note")]


def _unknown_labels(marked: Marked, study: Study) -> list[Finding]:
    unknown = {
        annotation.label: place
        for annotation, place in reversed(list(zip(marked.annotations, marked.places, strict=True)))
        if study.labels and study.canonical_label(annotation.label) is None
    }
    return [
        _warning(
            "annotation_label_unknown",
            f"label '{label[:60]}' is none of the study's{did_you_mean(label, study.labels)}",
            place,
            "correct the label, or add it to the study as a label or an alias",
        )
        for label, place in unknown.items()
        if label
    ]


def _warning(code: str, sentence: str, place: str, remedy: str) -> Finding:
    return Finding(Reason(code, sentence, place, remedy), "warning")


__all__ = ["KINDS", "Recorded", "read_annotations"]
