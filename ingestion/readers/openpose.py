"""Reads OpenPose's keypoints: a JSON file for each frame, ``<clip>_000000000012_keypoints.json``, loose or in a zip.

The files of a clip are one recording; the number in a file's name is that of its frame, and a number that is missing is a gap.
Belongs here: files to frames with people. Whom to follow, and joints, is in `ingestion.readers.people`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ingestion.readers import export
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.readers.people import Person, checked, followed, malformed
from ingestion.readers.pose_files import Beside, Body, rate_of, reading_of
from ingestion.readers.whole_json import parsed
from ingestion.recording import Finding, Reading
from studies.formats import PoseFiles
from studies.skeletons import BODY_25, COCO_17, COCO_18
from warehouse.errors import UnreadableFile

NAME = "openpose"

_KEY = "pose_keypoints_2d"
_JOINTS = (len(COCO_17), len(COCO_18), len(BODY_25))
_NUMBERED = re.compile(r"(.*?)_?(\d+)(_keypoints)?\.json", re.IGNORECASE | re.DOTALL)
_NOBODY = re.compile(rb'"people"\s*:\s*\[\s*\]')
#: Ten hours of 30 frames a second.
_MOST_FRAMES = 1_080_000


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for an object of people with keypoints, or a zip of the frames of one clip."""
    if file.is_zip:
        frames = (_NUMBERED.fullmatch(name) for name in file.members if not name.startswith("__MACOSX/"))
        clips = {match[1] for match in frames if match and match[3]}
        return len(clips) == 1
    head = file.head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith(b"{") and b'"people"' in head and (f'"{_KEY}"'.encode() in head or bool(_NOBODY.search(head)))


def pairing_key(file: DeviceFile) -> str:
    """Return the file's name without the number of the frame."""
    match = _NUMBERED.fullmatch(file.name)
    return f"{match[1]}{match[3] or ''}.json" if match else file.name


def device(_files: Sequence[DeviceFile]) -> str:
    """Return that no device is known: the files name none."""
    return ""


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read the frames of one clip: a stream for each joint of the person that is followed."""
    try:
        with export.opened(files, most_members=_MOST_FRAMES) as members:
            return _read(files[0], members, hints.formats.poses)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


def _read(file: DeviceFile, members: Sequence[DeviceFile], said: PoseFiles) -> Reading:
    rate_hz = rate_of(said, file)
    number, members = _in_order(members)
    people = [_people(member) for member in members]
    row = np.repeat(np.arange(len(people)), [len(frame) for frame in people])
    points, visibility, findings = followed([one for frame in people for one in frame], row, len(people), file)
    body = Body(number.astype(np.int32), visibility, image=points)
    t_ns = np.rint(number * (1e9 / rate_hz)).astype(np.int64)
    return reading_of(body, t_ns, file, name=NAME, said=said, folder=None, beside=Beside(findings=findings))


def _in_order(members: Sequence[DeviceFile]) -> tuple[npt.NDArray[np.int64], list[DeviceFile]]:
    numbers = np.array([_number(member) for member in members], np.int64)
    order = np.argsort(numbers, kind="stable")
    numbers, members = numbers[order], [members[at] for at in order]
    again = np.flatnonzero(np.diff(numbers) == 0)
    if again.size:
        raise malformed(f"frame {numbers[again[0]]} is there twice", members[again[0] + 1].name)
    return numbers, members


def _number(member: DeviceFile) -> int:
    match = _NUMBERED.fullmatch(member.name)
    number = int(match[2]) if match and len(match[2]) < 16 else 0
    if number >= 1 << 31:
        raise malformed(f"the file is called after frame {number}; a clip has no such one", member.name)
    return number


def _people(member: DeviceFile) -> list[Person]:
    with export.reading(member):
        content = parsed(member)
    people = content.get("people") if isinstance(content, Mapping) else None
    if not isinstance(people, list) or not all(isinstance(person, Mapping) for person in people):
        raise malformed("a frame is an object with a list 'people' of objects", member.name)
    return [
        checked(person.get(_KEY), f"{member.name} person {number}", joints=_JOINTS)
        for number, person in enumerate(people, start=1)
    ]


READER = Reader(NAME, sniff, pairing_key, device, read)
