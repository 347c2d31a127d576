"""Who is tested, as a task says: the split that decides, and the one that its authors scored by.

Belongs here: the sections `split` and `authors_split` of a task, as frozen models. Splits are planned in
`ml.preprocessing.splits`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from studies.fields import Strict, distinct

Group = Annotated[str, Field(min_length=1, max_length=63)]
Folds = Annotated[int, Field(ge=2, le=50)] | Literal["leave_one_out"]
HeldOut = Annotated[float, Field(ge=0, lt=1)] | Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)]

#: A group that holds one segment each: whatever was recorded together falls apart.
SEGMENT = "segment"
#: Groups that hold one segment of every recording: all first ones, all second ones.
POSITION = "position"
#: Groups that hold one of so many consecutive parts of every recording as there are folds.
BLOCK = "block"


class Split(Strict):
    """Who is tested, in the scores that decide.

    Parameters
    ----------
    group : str
        ``participant``, ``session``, ``recording``, ``block`` or a column of the manifest: nothing of a group is in two splits.
    test : float or tuple of str
        Share of the groups held out for the test, or their names; 0 where every group is tested once (`folds`).
    folds : int or "leave_one_out"
        Folds of the cross-validation over the groups that are not held out.
    folds_by : {"block"}, optional
        Folds over consecutive parts of the recordings that are not held out, where those are too few to be folds themselves.
    """

    group: Group = "participant"
    test: HeldOut = 0.0
    folds: Folds = 5
    folds_by: Literal["block"] | None = None

    @field_validator("group")
    @classmethod
    def _keeps_recordings_together(cls, group: str) -> str:
        if group in (SEGMENT, POSITION, "window"):
            raise ValueError(f"a split by {group} tests on what it taught; only authors_split may do that, beside this one")
        return group

    @model_validator(mode="after")
    def _blocks_are_folds(self) -> Split:
        if self.folds_by and not self.test:
            raise ValueError("folds_by goes with test: without one, 'group: block' tests every consecutive part once")
        _refuse_unknown_blocks(self)
        return self


class AuthorsSplit(Strict):
    """Who was tested in the scores that the authors of a study published; reported beside `split`, and never decides.

    Parameters
    ----------
    group : str
        As in `Split`; or ``segment``, every segment by itself, at random; or ``position``, those together that are at one place
        in the order of their recordings.
    test : float or tuple of str
        As in `Split`.
    folds : int or "leave_one_out", optional
        As in `Split`; none where the authors made no cross-validation.
    """

    group: Group = SEGMENT
    test: HeldOut = 0.0
    folds: Folds | None = None

    @model_validator(mode="after")
    def _something_is_tested(self) -> AuthorsSplit:
        if not self.test and self.folds is None:
            raise ValueError("nothing is tested: give test, folds or both")
        _refuse_unknown_blocks(self)
        return self


def _refuse_unknown_blocks(split: Split | AuthorsSplit) -> None:
    by_block = split.group == BLOCK or (isinstance(split, Split) and split.folds_by == BLOCK)
    if by_block and not isinstance(split.folds, int):
        raise ValueError("a recording is cut into as many blocks as there are folds: give folds, a whole number")
    if split.group == BLOCK and split.test:
        raise ValueError("every block is tested once, in its fold: leave out test")
