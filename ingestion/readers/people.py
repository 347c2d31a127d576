"""Keypoints of everybody in a picture, frame by frame, to the landmarks of the one person that a recording is of.

Belongs here: lists of numbers to arrays, whom to follow, which keypoint is which landmark. How a tool writes its files is in
`ingestion.readers.openpose` and `ingestion.readers.coco_keypoints`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.readers.interface import DeviceFile
from ingestion.readers.pose_files import without_the_unseen
from ingestion.recording import Finding
from studies.skeletons import MEDIAPIPE, SKELETONS
from warehouse.errors import Reason, UnreadableFile

#: No picture has so many pixels in a row.
_LARGEST = 1e6
_PAIRS_AT_ONCE = 1 << 15
_AGAIN = "write the keypoints again, of every frame all"

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Person:
    """One body in one frame: its numbers as written, x, y and confidence of each keypoint, and where they stand."""

    numbers: npt.NDArray[np.float64]
    place: str


def checked(numbers: Any, place: str, *, joints: Collection[int]) -> Person:
    """Return a body's numbers if they are such.

    Parameters
    ----------
    numbers : object
        As parsed.
    place : str
    joints : collection of int
        How many there may be.

    Raises
    ------
    UnreadableFile
        ``keypoints_malformed`` or ``joints_wrong_number``.
    """
    if not isinstance(numbers, list) or not set(map(type, numbers)) <= {int, float}:
        raise malformed("the keypoints of a person are a list of numbers, and here is something else", place)
    if len(numbers) not in {3 * count for count in joints}:
        found = f"{len(numbers) // 3} joints" if len(numbers) % 3 == 0 else "no whole number of joints"
        due = " or ".join(map(str, sorted(joints)))
        sentence = f"a person has {len(numbers)} numbers, {found}; due are {due} joints, x, y and confidence of each"
        raise UnreadableFile(Reason("joints_wrong_number", sentence, place, _AGAIN))
    try:
        return Person(np.array(numbers, np.float64), place)
    except OverflowError as error:  # a whole number of more than 308 digits
        raise malformed("a number is too large for any picture", place) from error


def malformed(sentence: str, place: str) -> UnreadableFile:
    """Return that keypoints cannot be understood."""
    return UnreadableFile(Reason("keypoints_malformed", sentence, place, _AGAIN))


def followed(people: Sequence[Person], frame: _Ints, frames: int, file: DeviceFile) -> tuple[_Floats, _Floats, list[Finding]]:
    """Return the landmarks of one person in every frame: at first the largest, then whoever is nearest to where that one was.

    Parameters
    ----------
    people : sequence of Person
        By frame.
    frame : ndarray of int64, shape (len(people),)
        Place of each person's frame among the frames, ascending.
    frames : int
    file : DeviceFile
        What is said to hold several people.

    Returns
    -------
    points : ndarray of float32, shape (frames, 33, 3)
        x, y and z, which is 0; NaN where not seen.
    visibility : ndarray of float32, shape (frames, 33)
        As `pose_files.without_the_unseen` returns it.
    findings : list of Finding
        In how many frames there were several people, and how often the followed one leapt.

    Raises
    ------
    UnreadableFile
        ``joints_wrong_number`` if they have different numbers of joints, ``keypoints_malformed`` if a number is larger than
        any picture.
    """
    keypoints = _array(people)
    points, visibility = landmarks_of(keypoints)
    there = np.flatnonzero(~np.isnan(visibility[:, 0]))
    one = there[_chain(points[there, :, :2], frame[there])]
    whole, sure = np.full((frames, *points.shape[1:]), np.nan, np.float32), np.full((frames, points.shape[1]), np.nan, np.float32)
    whole[frame[one]], sure[frame[one]] = points[one], visibility[one]
    leaps = _leaps(points[one, :, :2])
    several = len(there) - len(one) and int((np.bincount(frame[there], minlength=frames) > 1).sum())
    return whole, sure, [*_several(several, frames, file), *_changed(leaps, file)]


def landmarks_of(keypoints: npt.NDArray[np.floating]) -> tuple[_Floats, _Floats]:
    """Return landmarks and visibility of keypoints whose number tells which they are.

    Parameters
    ----------
    keypoints : ndarray, shape (n, joints, 3)
        x, y and confidence of as many joints as one of `studies.skeletons.SKELETONS` has.

    Returns
    -------
    points : ndarray of float32, shape (n, 33, 3)
    visibility : ndarray of float32, shape (n, 33)
    """
    names = SKELETONS[keypoints.shape[1]]
    known = [number for number, name in enumerate(names) if name in MEDIAPIPE]
    places = [MEDIAPIPE.index(names[number]) for number in known]
    points = np.full((len(keypoints), len(MEDIAPIPE), 3), np.nan, np.float32)
    sure = np.zeros((len(keypoints), len(MEDIAPIPE)), np.float32)
    points[:, places, :2], points[:, places, 2] = keypoints[:, known, :2], 0
    sure[:, places] = keypoints[:, known, 2]
    return without_the_unseen(points, sure)


def _array(people: Sequence[Person]) -> npt.NDArray[np.float64]:
    counts = np.fromiter((len(person.numbers) for person in people), np.int64, len(people))
    other = np.flatnonzero(counts != counts[:1])
    if other.size:
        person = people[other[0]]
        sentence = f"a person has {len(person.numbers) // 3} joints, the first one in the recording {counts[0] // 3}"
        raise UnreadableFile(Reason("joints_wrong_number", sentence, person.place, _AGAIN))
    joints = int(counts[0]) // 3 if len(counts) else next(iter(SKELETONS))
    keypoints = np.array([person.numbers for person in people], np.float64).reshape(-1, joints, 3)
    beyond = (np.abs(keypoints) > _LARGEST).any(axis=(1, 2))
    if beyond.any():
        raise malformed("a number is infinite, or too large for any picture", people[int(beyond.argmax())].place)
    return keypoints


def _chain(xy: _Floats, frame: _Ints) -> _Ints:
    """Whom to follow of people by frame, one a frame: every person points at the nearest of the next frame that has any.

    The way from pointer to pointer is taken in doubling strides, so that there is no loop over frames.
    """
    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    if not len(starts) or len(starts) == len(frame):
        return starts
    ends = np.append(starts[1:], len(frame))
    extent = np.nanmax(xy[: ends[0]], axis=1) - np.nanmin(xy[: ends[0]], axis=1)
    way = np.full(len(starts), extent.prod(axis=1).argmax())
    stride, jump = 1, _nearest(xy, starts, ends)
    while stride < len(way):
        way[stride : 2 * stride] = jump[way[: min(stride, len(way) - stride)]]
        stride, jump = 2 * stride, jump[jump]
    return way


def _nearest(xy: _Floats, starts: _Ints, ends: _Ints) -> _Ints:
    """For each person the one of the next frame whose joints are nearest on average; themselves for those of the last frame."""
    counts = ends - starts
    after = np.append(counts[1:], 0)  # how many each person of a frame has to choose from
    choices, first = np.repeat(after, counts), np.repeat(np.append(starts[1:], len(xy)), counts)
    chosen = np.arange(len(xy))
    choosers = np.flatnonzero(choices)
    for part in np.array_split(choosers, max(1, int(choices.sum()) // _PAIRS_AT_ONCE)):
        one = np.repeat(part, choices[part])
        begins = np.cumsum(choices[part]) - choices[part]
        other = first[one] + np.arange(len(one)) - np.repeat(begins, choices[part])
        apart = _apart(xy[one], xy[other])
        least = np.repeat(np.minimum.reduceat(apart, begins), choices[part]) if len(part) else apart
        hit = np.flatnonzero(apart == least)[::-1]  # of equals the first one stays
        chosen[one[hit]] = other[hit]
    return chosen


def _apart(one: _Floats, other: _Floats) -> _Floats:
    """Mean distance of the joints that both have; of two without any in common that of their middles."""
    between = np.linalg.norm(one - other, axis=2)
    both = np.isfinite(between)
    count = both.sum(axis=1)
    apart = np.where(both, between, 0).sum(axis=1) / np.maximum(count, 1)
    alien = np.flatnonzero(count == 0)
    apart[alien] = np.linalg.norm(np.nanmean(one[alien], axis=1) - np.nanmean(other[alien], axis=1), axis=1)
    return apart.astype(np.float32)


def _several(several: int, frames: int, file: DeviceFile) -> list[Finding]:
    if not several:
        return []
    sentence = (
        f"in {several:,} of {frames:,} frames more than one person is seen; the largest of the first such frame was followed, "
        "then whoever is nearest to where that one was"
    )
    remedy = "look whether the right one was followed; film one at a time"
    return [Finding(Reason("several_people", sentence, file.name, remedy), "warning")]


def _leaps(xy: _Floats) -> int:
    """How often a body is further from where it was one frame before than half of its own size."""
    if len(xy) < 2:
        return 0
    size = (np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1)).max(axis=1)
    return int((_apart(xy[:-1], xy[1:]) > np.maximum(size[:-1], size[1:]) / 2).sum())


def _changed(leaps: int, file: DeviceFile) -> list[Finding]:
    if not leaps:
        return []
    sentence = f"the body leaps {leaps:,} times: from there on it may be another person's"
    reason = Reason("person_changed", sentence, file.name, "look whether the right one was followed; film one at a time")
    return [Finding(reason, "warning")]
