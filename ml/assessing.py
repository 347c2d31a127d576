"""What a champion says of each repetition of a recording: which squat it is, how deep, and how it looks.

Belongs here: bringing the squats of a body and the segments of an answer together. Finding squats is
`ml.preprocessing.pose.told`, answering `ml.inference`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from ml.inference import Answer
from ml.preprocessing.blocks import Readings
from ml.preprocessing.pose.told import repetitions_of
from studies.preparation import Segmentation


@dataclass(frozen=True)
class Repetition:
    """One repetition of an exercise.

    Parameters
    ----------
    repetition : int
        From 1, by time.
    start_ns, end_ns : int
    deepest_ns, knee_deg, hip_height_m : int and float, or None
        Of squats: where it is deepest, and the knee angle (180 is straight) and the height of the hips above the ankles there,
        where they are known.
    segment : int or None
        Number of the answer's segment that is about it alone, from 0; None if there is none.
    why_not : str
        Why there is none; else empty.
    """

    repetition: int
    start_ns: int
    end_ns: int
    deepest_ns: int | None
    knee_deg: float | None
    hip_height_m: float | None
    segment: int | None
    why_not: str = ""


_WHY_NOT = {
    "deepest": "round its deepest frame not all joints were seen that the task needs",
    "recording": "the task judges a recording as a whole",
}


def assess(streams: Mapping[str, Readings], answer: Answer, cut: Segmentation) -> tuple[Repetition, ...]:
    """Return the repetitions of a recording, each with the segment that is about it.

    Parameters
    ----------
    streams : mapping of str to (t_ns, values)
        Joints of a body, in which squats are found; or others, where the segments are the repetitions if the task cuts so.
    answer : Answer
    cut : Segmentation
        How the champion's task cuts recordings.
    """
    squats = repetitions_of(streams).repetitions
    if not squats and cut.by == "repetition":
        return tuple(
            Repetition(number + 1, start, end, None, None, None, number)
            for number, (start, end, *_) in enumerate(answer.segments)
        )
    deepest = [squat.deepest_ns for squat in squats]
    why_not = _WHY_NOT.get(cut.by, "no stretch that the task judges is about it alone")
    about = segments_about(deepest, answer)
    found = [
        Repetition(0, **asdict(one), segment=segment, why_not=why_not if segment is None else "")
        for one, segment in zip(squats, about, strict=True)
    ]
    if cut.by == "deepest":
        found += _found_by_the_task_alone(answer, about)
    return tuple(replace(one, repetition=number) for number, one in enumerate(sorted(found, key=lambda one: one.start_ns), 1))


def _found_by_the_task_alone(answer: Answer, about: Sequence[int | None]) -> list[Repetition]:
    """Squats seen on the task's own clock only, as one beside a gap may be: nothing is known but where they are deepest."""
    return [
        Repetition(0, start, end, (start + end) // 2, None, None, number)
        for number, (start, end, *_) in enumerate(answer.segments)
        if number not in about
    ]


def segments_about(deepest_ns: Sequence[int], answer: Answer) -> list[int | None]:
    """Return for each squat the number of the segment that holds its deepest point and no other squat's.

    Of several, as windows are, it is the one whose middle is nearest; None if there is none.
    """
    found: list[int | None] = []
    for own in deepest_ns:
        alone = [
            number
            for number, (start, end, *_) in enumerate(answer.segments)
            if start <= own <= end and sum(start <= other <= end for other in deepest_ns) == 1
        ]
        middles = {number: abs(answer.segments[number][0] + answer.segments[number][1] - 2 * own) for number in alone}
        found.append(min(alone, key=middles.__getitem__, default=None))
    return found
