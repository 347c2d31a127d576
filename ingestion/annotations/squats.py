"""Reads YAML files of labelled squats: for every clip a list of ``{start: 0:12, mid: 1:03, end: 1:20, label: 1}``.

A moment is the second and the frame in that second (``1:03``), the number of a frame from 0 (``33``), or seconds from the first
frame (``1.1``). Frames are those of the clip with their own times, whatever rate it declares. After Zheng and Jiang, "DeepSquat:
Analyzing Weightlifting Form with Deep Learning", whose labels are written so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import yaml

from ingestion.annotations.marked import Marked, Recorded, left_out
from ingestion.readers.interface import DeviceFile
from ingestion.recording import Annotation, Poses
from warehouse.errors import Reason, UnreadableFile

#: A larger file is no list of squats.
MOST_BYTES = 1 << 18

_MOMENTS = ("start", "mid", "end")
_STARTS = re.compile(rb"(?m)(^|[\s{,\-])[\"']?start[\"']?\s*:(\s|$)")
_IN_SECOND = re.compile(r"(\d{1,6}):(\d{1,3})")
_FRAME = re.compile(r"\d{1,9}")
_SECONDS = re.compile(r"\d{1,6}\.\d+")
_SHOWN = 3
#: Share of a frame by which a frame may be told too early and still belongs to the second that begins then.
_EARLY = 0.1
_NS_PER_S = 1_000_000_000


class _Fault(Exception):
    """Why a squat cannot be used, for `read`: the finding's code and its sentence."""


def sniff(file: DeviceFile) -> bool:
    """Return True if it is named as YAML or has a key ``start``."""
    return PurePosixPath(file.name).suffix.lower() in (".yml", ".yaml") or bool(_STARTS.search(file.head))


def read(file: DeviceFile, recorded: Recorded) -> Marked:
    """Read the squats of one clip.

    Raises
    ------
    UnreadableFile
        ``annotations_not_read`` if it is no such YAML, ``annotations_of_another_file`` if it names other clips only,
        ``annotations_without_frames`` if the recording is no clip.
    """
    clip, entries = _entries(_content(file), recorded, file)
    annotations, places, findings = [], [], []
    for number, entry in enumerate(entries, start=1):
        place = f"{file.name} squat {number}"
        try:
            annotations.append(_annotation(entry, clip, recorded, file))
            places.append(place)
        except _Fault as fault:
            code, sentence = fault.args
            findings.append(left_out(code, sentence, place))
    return Marked(tuple(annotations), tuple(places), tuple(findings))


def _content(file: DeviceFile) -> Any:
    if file.size > MOST_BYTES:
        raise UnreadableFile(_broken(f"it has {file.size:,} bytes; at most {MOST_BYTES:,} are read", file.name))
    with file.open() as stream:
        try:
            # Every value as it is written: YAML itself reads 12:15 as a number of seconds, 735.
            loader = yaml.BaseLoader(stream.read().decode("utf-8-sig"))
            node = loader.get_single_node()
            content: Any = loader.construct_document(node) if node else None
        except yaml.MarkedYAMLError as error:
            line = f" row {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise UnreadableFile(_broken(f"it is no YAML: {error.problem}", file.name + line)) from error
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            raise UnreadableFile(_broken("it is no YAML in UTF-8", file.name)) from error
    if isinstance(node, yaml.MappingNode) and len(content) < len(node.value):
        raise UnreadableFile(_broken("it has a clip twice; of one of them the squats would be lost", file.name))
    return content


def _entries(content: Any, recorded: Recorded, file: DeviceFile) -> tuple[Poses, Sequence[Any]]:
    """The clip and its squats: those under its name, or all of a file that names no clip."""
    clips = [poses for poses in recorded.poses if len(poses.t_ns)]
    if not clips:
        sentence = "the file marks frames, and the recording has none: it is no clip and no file of poses with times"
        raise UnreadableFile(Reason("annotations_without_frames", sentence, file.name, "correct the column annotations"))
    if isinstance(content, list):
        return clips[0], content
    if not isinstance(content, Mapping) or not content:
        raise UnreadableFile(_broken("it is neither a list of squats nor clips with a list each", file.name))
    for clip in clips:
        for name, entries in content.items():
            if _is_of(str(name), clip.source):
                if not isinstance(entries, list):
                    raise UnreadableFile(_broken(f"of '{str(name)[:60]}' it has no list of squats", file.name))
                return clip, entries
    named = ", ".join(f"'{str(name)[:60]}'" for name in list(content)[:_SHOWN]) + (", …" if len(content) > _SHOWN else "")
    sources = ", ".join(sorted({PurePosixPath(clip.source).name for clip in clips}))
    sentence = f"the squats are of {named}; the recording is {sources}"
    remedy = "correct the column annotations, or name the clip in the file as it was delivered"
    raise UnreadableFile(Reason("annotations_of_another_file", sentence, file.name, remedy))


def _is_of(name: str, source: str) -> bool:
    """Whether a clip is called so, with or without its ending."""
    named, path = PurePosixPath(name).name.casefold(), PurePosixPath(source.rpartition("::")[2])
    return named in (path.name.casefold(), path.stem.casefold())


def _broken(sentence: str, place: str) -> Reason:
    remedy = "write it as: '<clip>: [{start: 0:12, mid: 1:03, end: 1:20, label: good}, …]'"
    return Reason("annotations_not_read", sentence[:200], place, remedy)


def _annotation(entry: Any, clip: Poses, recorded: Recorded, file: DeviceFile) -> Annotation:
    if not isinstance(entry, Mapping) or not all(isinstance(entry.get(name), str) and entry[name].strip() for name in _MOMENTS):
        raise _Fault("annotation_malformed", "it has not all of start, mid and end")
    start, mid, end = (_frame(name, entry[name].strip(), clip) for name in _MOMENTS)
    if not start <= mid <= end or start == end:
        said = ", ".join(f"{name} {str(entry[name])[:20]}" for name in _MOMENTS)
        raise _Fault("annotation_backwards", f"its moments do not follow one another: {said}")
    label = entry.get("label")
    if label is not None and not isinstance(label, str):
        raise _Fault("annotation_malformed", "its label is no text")
    start_ns, mid_ns, end_ns = (int(clip.t_ns[frame]) for frame in (start, mid, end))
    return Annotation(start_ns, end_ns, (label or "").strip() or recorded.label, file.name, mid_ns)


def _frame(name: str, written: str, clip: Poses) -> int:
    """Row of the clip's frame that a moment means."""
    since = clip.t_ns - clip.t_ns[0]
    step = float(np.median(np.diff(since))) if len(since) > 1 else 0.0
    if found := _IN_SECOND.fullmatch(written):
        second, frame = int(found[1]), int(found[2])
        # A tenth of a frame early, for time stamps are rounded, and one frame more: at 29.97 Hz some seconds have 29.
        first, after = np.searchsorted(since, np.array([second, second + 1]) * _NS_PER_S - _EARLY * step).tolist()
        if frame <= after - first and first + frame < len(since):
            return int(first + frame)
        raise _Fault("annotation_outside", f"{name} {written}: second {second} of the clip has {after - first} frames")
    if _FRAME.fullmatch(written):
        row = int(np.searchsorted(clip.frame, int(written)))
        if row < len(clip.frame) and clip.frame[row] == int(written):
            return row
        raise _Fault("annotation_outside", f"{name} {written}: the clip's frames are 0 to {clip.frame[-1]}")
    if _SECONDS.fullmatch(written):
        if float(written) * _NS_PER_S <= since[-1] + step / 2:
            return int(np.abs(since - float(written) * _NS_PER_S).argmin())
        raise _Fault("annotation_outside", f"{name} {written}: the clip lasts {since[-1] / _NS_PER_S:.2f} s")
    sentence = f"{name} '{written[:20]}' is no second and frame (1:03), no frame (33) and no seconds (1.1)"
    raise _Fault("annotation_malformed", sentence)
