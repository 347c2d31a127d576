"""The gate: which version of a training, if any, becomes champion, and why, in a sentence for each.

Belongs here: the decision, from scores alone. Scoring is in `ml.training`, moving the alias in `ml.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studies.study import Promotion

_WORDS = {"macro_f1": "a macro F1", "accuracy": "an accuracy", "precision": "a precision", "recall": "a recall"}


@dataclass(frozen=True)
class Candidate:
    """A version that asks to become champion.

    Parameters
    ----------
    version : int
    family : str
    selection : float
        The study's metric in the cross-validation, which chooses among the families; where there is none, in the test.
    score : float
        The study's metric in the test, or in the cross-validation where nothing is held out.
    """

    version: int
    family: str
    selection: float
    score: float


@dataclass(frozen=True)
class Champion:
    """The version that answers now, with the score it was promoted for."""

    version: int
    family: str
    score: float


@dataclass(frozen=True)
class Decision:
    """What the gate says.

    Parameters
    ----------
    promoted : int or None
        The version that becomes champion.
    best : int
        The version that was chosen among the families, promoted or not.
    sentence : str
        The decision for a person.
    sentences : mapping of int to str
        The same for every version.
    """

    promoted: int | None
    best: int
    sentence: str
    sentences: Mapping[int, str]


def decide(
    candidates: Sequence[Candidate], champion: Champion | None, promotion: Promotion, *, honest: bool, statement: str
) -> Decision:
    """Decide which of the versions of one training becomes champion: at most one, and only on honest splits.

    Parameters
    ----------
    candidates : sequence of Candidate
        One per family, in the study's order; of equals the first is chosen.
    champion : Champion or None
    promotion : Promotion
    honest : bool
        Whether nobody who was tested was also learnt from.
    statement : str
        What the training table says about its split, in plain words.

    Returns
    -------
    Decision

    Examples
    --------
    >>> gate = Promotion(at_least=0.8)
    >>> decide([Candidate(1, "svm", 0.7, 0.7)], None, gate, honest=True, statement="").sentence
    'Nothing was promoted: the best, svm (version 1), reaches a macro F1 of 0.700; the study asks for at least 0.800.'
    """
    best = max(candidates, key=lambda candidate: candidate.selection)
    metric = _WORDS[promotion.metric]
    if not honest:
        sentence = f"Nothing was promoted, for the scores are not honest. {statement}"
        return Decision(None, best.version, sentence, {candidate.version: sentence for candidate in candidates})
    obstacle = _obstacle(best, champion, promotion, metric)
    sentence = obstacle or _praise(best, champion, promotion, metric)
    sentences = {other.version: _second(other, best, metric) for other in candidates} | {best.version: sentence}
    return Decision(None if obstacle else best.version, best.version, sentence, sentences)


def _obstacle(best: Candidate, champion: Champion | None, promotion: Promotion, metric: str) -> str | None:
    reached = f"Nothing was promoted: the best, {best.family} (version {best.version}), reaches {metric} of {best.score:.3f}"
    if best.score < promotion.at_least:
        return f"{reached}; the study asks for at least {promotion.at_least:.3f}."
    if champion and best.score < champion.score + promotion.beat_champion_by:
        return f"{reached}; the champion, {_named(champion)}, has {champion.score:.3f}{_margin(promotion)}."
    return None


def _praise(best: Candidate, champion: Champion | None, promotion: Promotion, metric: str) -> str:
    reached = f"{best.family} (version {best.version}) became champion: it reaches {metric} of {best.score:.3f}"
    before = f", and the champion before, {_named(champion)}, had {champion.score:.3f}{_margin(promotion)}" if champion else ""
    return f"{reached}; the study asks for at least {promotion.at_least:.3f}{before}."


def _second(other: Candidate, best: Candidate, metric: str) -> str:
    return (
        f"{other.family} (version {other.version}) was not considered: {best.family} did better or as well in the comparison "
        f"of families ({metric} of {best.selection:.3f} against {other.selection:.3f})."
    )


def _named(champion: Champion) -> str:
    return f"{champion.family} (version {champion.version})"


def _margin(promotion: Promotion) -> str:
    by = promotion.beat_champion_by
    if by == 0:
        return ""
    return f", which must be beaten by {by:.3f}" if by > 0 else f", which may be missed by {-by:.3f}"
