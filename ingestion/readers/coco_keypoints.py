"""Reads keypoints as COCO has them: a JSON list of ``{"image_id", "category_id": 1, "keypoints": [x, y, v, …], "score"}``.

Or such a list as ``annotations`` beside ``images``, which tell how large the pictures are. Belongs here: results to frames with
people. Whom to follow, and joints, is in `ingestion.readers.people`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints
from ingestion.readers.people import Person, checked, followed, malformed
from ingestion.readers.pose_files import Beside, Body, rate_of, reader_of_one_file, reading_of
from ingestion.readers.whole_json import parsed
from ingestion.recording import Finding, Reading
from studies.formats import PoseFiles
from studies.skeletons import COCO_17
from warehouse.errors import Reason, UnreadableFile

NAME = "coco_keypoints"

_PERSON = 1
_LAST_NUMBER = re.compile(r"(\d{1,18})\D*")


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a JSON list of keypoints with the picture they are in, or an object that lists pictures."""
    head = file.head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"["):
        return b'"keypoints"' in head and b'"image_id"' in head
    return head.startswith(b"{") and b'"images"' in head and (b'"width"' in head or b'"keypoints"' in head)


def _read(file: DeviceFile, said: PoseFiles) -> Reading:
    rate_hz = rate_of(said, file)
    content = parsed(file)
    parts = (content.get("images"), content.get("annotations")) if isinstance(content, Mapping) else ([], content)
    images, results = (_objects(part, file) for part in parts)
    people = [(number, one) for number, one in enumerate(results, start=1) if one.get("category_id", _PERSON) == _PERSON]
    if not people:
        raise malformed("the file has no keypoints of a person", file.name)
    persons = [checked(one.get("keypoints"), f"{file.name} entry {number}", joints=[len(COCO_17)]) for number, one in people]
    of_person = [_frame(one.get("image_id"), f"{file.name} entry {number}") for number, one in people]
    pictures = [_frame(one.get("id"), f"{file.name} image {number}") for number, one in enumerate(images, start=1)]
    frames, row = np.unique(np.array([*of_person, *pictures], np.int64), return_inverse=True)
    frames = _from_the_first(frames, file)
    points, visibility, findings = _followed(persons, row[: len(persons)], len(frames), file)
    body = Body(frames.astype(np.int32), visibility, image=points, size=_size(images, file))
    t_ns = np.rint(frames * (1e9 / rate_hz)).astype(np.int64)
    beside = Beside(findings=[*findings, *_no_people(len(results) - len(people), file)])
    return reading_of(body, t_ns, file, name=NAME, said=said, folder=None, beside=beside)


def _followed(
    persons: Sequence[Person], row: npt.NDArray[np.int64], frames: int, file: DeviceFile
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], list[Finding]]:
    order = np.argsort(row, kind="stable")
    return followed([persons[at] for at in order], row[order], frames, file)


def _objects(value: Any, file: DeviceFile) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise malformed("the file is no list of objects, nor one with lists of them as 'images' and 'annotations'", file.name)
    return value


def _frame(name: Any, place: str) -> int:
    """The number of a picture: its id, or the last number in its name."""
    match = _LAST_NUMBER.search(name[::-1]) if isinstance(name, str) else None
    number = int(match[1][::-1]) if match else name
    if type(number) is not int or not 0 <= number < 1 << 62:
        raise malformed(f"the picture is called {str(name)[:40]!r}; it is a whole number, or a name with one, from 0 on", place)
    return number


def _from_the_first(frames: npt.NDArray[np.int64], file: DeviceFile) -> npt.NDArray[np.int64]:
    """Ids of pictures are names: only how far they lie apart counts."""
    if len(frames) and frames[-1] - frames[0] >= 1 << 31:
        raise malformed(f"pictures {frames[0]} and {frames[-1]} are too far apart to be frames of one clip", file.name)
    return frames - frames[:1]


def _size(images: Sequence[Mapping[str, Any]], file: DeviceFile) -> tuple[float, float] | None:
    sizes = {(str(one.get("width")), str(one.get("height"))): (one.get("width"), one.get("height")) for one in images}
    if len(sizes) > 1:
        remedy = "write the frames of one clip into one file"
        raise UnreadableFile(Reason("frame_size_unknown", f"its pictures have {len(sizes)} sizes", file.name, remedy))
    width, height = next(iter(sizes.values()), (None, None))
    if type(width) is not int or type(height) is not int or not (0 < width < 1 << 16 and 0 < height < 1 << 16):
        return None
    return width, height


def _no_people(count: int, file: DeviceFile) -> list[Finding]:
    if not count:
        return []
    sentence = f"{count:,} entries are of another category than {_PERSON}, person, and were left out"
    return [Finding(Reason("objects_left_out", sentence, file.name, "nothing to do"), "note")]


READER = reader_of_one_file(NAME, sniff, _read)
