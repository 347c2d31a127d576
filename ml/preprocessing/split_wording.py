"""What a split means, for people: how it was made, whom its scores are for, and why it may be no honest one.

Belongs here: sentences. The splits are planned in `ml.preprocessing.splits`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from studies.splitting import BLOCK, POSITION, SEGMENT, AuthorsSplit, Split

#: What is added where the folds are consecutive parts of the recordings that are not held out.
OF_BLOCKS = (
    "The folds are consecutive parts of the recordings that teach, with neighbours on both sides: their scores choose among the "
    "families, and hold for nothing else."
)
_BY_BLOCK = (
    "Every recording was cut into consecutive blocks, and the same block of all recordings is tested together: where recordings "
    "go on from one person to the next, nearly everybody is on one side only. "
)


def protocol_of(split: Split | AuthorsSplit, fold: npt.NDArray[np.int64], *, groups: int) -> str:
    """Say how a split was made.

    Parameters
    ----------
    split : Split or AuthorsSplit
    fold : ndarray of int64, shape (n,)
        Fold of each group, or of each block where those are the folds; -1 in the test.
    groups : int
        How many groups there are.
    """
    number, taught, held_out = int(fold.max()) + 1, int((fold >= 0).sum()), int((fold < 0).sum())
    group = split.group if isinstance(split, AuthorsSplit) or split.folds_by is None else split.folds_by
    if split.folds == "leave_one_out":
        turns = f"leave one {group} out ({number} {_plural(group)})"
    else:
        turns = f"{number}-fold cross-validation by {group}, stratified by label ({taught} {_plural(group)})"
    if not held_out:
        return turns
    group = split.group
    if isinstance(split.test, tuple):
        out = f"{group} {_listed(split.test)} held out for the test ({held_out} of {groups} {_plural(group)})"
    else:
        out = f"{held_out} of {groups} {_plural(group)} held out for the test"
    return f"{out}; {turns} on the others" if number > 1 else f"{out}, no cross-validation"


def statement_of(people: Mapping[str, Sequence[str]], one_sided: Sequence[str], *, honest: bool) -> str:
    """Say what the scores of a split by participant mean, or why there is no such split.

    Parameters
    ----------
    people : mapping of str to sequence of str
        Who recorded each label.
    one_sided : sequence of str
        Labels, quoted, that are taught or tested only, though more than one person recorded them.
    honest : bool
    """
    alone: dict[str, list[str]] = {}
    for label, names in people.items():
        if len(names) == 1:
            alone.setdefault(names[0], []).append(f"'{label}'")
    only = _listed([f"only {person} recorded {_listed(labels)}" for person, labels in sorted(alone.items())], between="; ")
    if not honest:
        return (
            f"No honest split exists, for fewer than two labels were recorded by two participants or more: {only}. "
            "A model can score by telling the people apart instead of the labels. The recordings were split instead: the "
            "scores say nothing about new people, and nothing can be promoted."
        )
    said = ["The scores are for people whom the model never saw in training."]
    if alone:
        said.append(f"But {only}: nobody else can be scored on that, and when that person is tested nothing taught it.")
    if one_sided:
        said.append(f"With so few participants, {_listed(one_sided)} could not be put both where is taught and where is tested.")
    return " ".join(said)


def statement_of_other_groups(
    group: str,
    *,
    target: str,
    participants: int,
    shared: int,
    honest: bool,
    one_sided: Sequence[str],
    alone: Sequence[str],
) -> str:
    """Say what the scores of a split by something else than the participant mean.

    Parameters
    ----------
    group : str
    target : str
        ``label``, ``participant`` or ``participant_and_label``.
    participants, shared : int
        People there are, and how many of them are on both sides.
    honest : bool
    one_sided : sequence of str
        Labels (or participants), quoted, that are taught or tested only, though more than one group has them.
    alone : sequence of str
        Participants, quoted, of whom there is one group only.
    """
    said = _meaning(group, target=target, participants=participants, shared=shared, honest=honest)
    if group == BLOCK:
        said = _BY_BLOCK + said
    if alone:
        said += f" Of {_listed(alone)} there is one {group} only, which is either taught or tested."
    if one_sided:
        said += f" With so few {_plural(group)}, {_listed(one_sided)} could not be put both where is taught and where is tested."
    return said


def _meaning(group: str, *, target: str, participants: int, shared: int, honest: bool) -> str:
    """Say whom or what the scores are for."""
    if group == SEGMENT:
        return "Segments of one recording are taught and tested: the scores say nothing about a recording that is new."
    if group == POSITION:
        return (
            "What stands beside a segment in its recording is taught, and the segment tested: the scores say nothing about a "
            "recording that is new."
        )
    if target != "label" and honest:
        asked = "who of them it is" if target == "participant" else "who of them it is and what they do"
        return (
            f"The scores are for other {_plural(group)} of the {participants} people who taught: {asked}. They say nothing "
            "about anybody else."
        )
    if target != "label":
        return (
            "Recordings of one session, in which nobody took the sensor off, are taught and tested: the scores say little about "
            "another day, and nothing can be promoted. With 'group: session' they would."
        )
    if participants == 1:
        return (
            f"Only one participant is known, or nobody says whose a recording is: the scores are for other {_plural(group)}, "
            "and say nothing about new people."
        )
    if shared:
        return (
            f"The scores are for other {_plural(group)} of people who also taught ({shared} of {participants}): they say nothing "
            "about new people, and nothing can be promoted. With 'group: participant' they would."
        )
    return f"The scores are for {_plural(group)}, and so for people, whom the model never saw in training."


def _plural(group: str) -> str:
    return group if group.endswith("s") else f"{group}s"


def _listed(parts: Sequence[str], between: str = ", ", most: int = 12) -> str:
    return between.join(parts[:most]) + (f" and {len(parts) - most} more" if len(parts) > most else "")
