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


class Split(Strict):
    """Who is tested, in the scores that decide.

    Parameters
    ----------
    group : str
        ``participant``, ``session``, ``recording``, or a column of the manifest: nothing of a group is in two splits.
    test : float or tuple of str
        Share of the groups held out for the test, or their names; 0 where every group is tested once (`folds`).
    folds : int or "leave_one_out"
        Folds of the cross-validation over the groups that are not held out.
    """

    group: Group = "participant"
    test: HeldOut = 0.0
    folds: Folds = 5

    @field_validator("group")
    @classmethod
    def _keeps_recordings_together(cls, group: str) -> str:
        if group in (SEGMENT, "window"):
            raise ValueError(f"a split by {group} tests on what it taught; only authors_split may do that, beside this one")
        return group


class AuthorsSplit(Strict):
    """Who was tested in the scores that the authors of a study published; reported beside `split`, and never decides.

    Parameters
    ----------
    group : str
        As in `Split`, or ``segment``: every segment by itself, at random.
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
        return self
