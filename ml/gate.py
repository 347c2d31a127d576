"""The gate: which version of a training, if any, becomes champion, and why, in a sentence for each.

Belongs here: the decision, from scores alone. Scoring is in `ml.training`, moving the alias in `ml.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml.evaluation.intervals import Interval
from studies.study import Promotion

_WORDS = {"macro_f1": "a macro F1", "accuracy": "an accuracy", "precision": "a precision", "recall": "a recall"}


@dataclass(frozen=True)
class Rivalry:
    """Champion and challenger beside each other on the same examples.

    Parameters
    ----------
    challenger, champion : float
        Their scores.
    lead : Interval
        Of the challenger's score less the champion's, over other people like these.
    groups : int
        Held-out groups that neither has learnt from.
    examples : int
    """

    challenger: float
    champion: float
    lead: Interval
    groups: int
    examples: int


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
    worst : float
        Macro F1 of the participant with whom it does worst.
    """

    version: int
    family: str
    selection: float
    score: float
    worst: float


@dataclass(frozen=True)
class Champion:
    """The version that answers now.

    Parameters
    ----------
    version : int
    family : str
    score : float
        That it was promoted for.
    rivalry : Rivalry or None
        How it does beside the best candidate on people whom neither has learnt from; None if there are no such people.
    """

    version: int
    family: str
    score: float
    rivalry: Rivalry | None = None


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
    >>> decide([Candidate(1, "svm", 0.7, 0.7, 0.5)], None, gate, honest=True, statement="").sentence
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
    if best.worst < promotion.worst_participant:
        worst = f"with one participant it reaches a macro F1 of only {best.worst:.3f}"
        return f"{reached}, but {worst}; the study asks for {promotion.worst_participant:.3f} with everybody."
    if champion and champion.rivalry:
        return _beaten(champion, champion.rivalry, promotion, metric, reached)
    if champion and best.score < champion.score + promotion.beat_champion_by:
        return f"{reached}; the champion, {_named(champion)}, has {champion.score:.3f}{_margin(promotion)}."
    return None


def _beaten(champion: Champion, rivalry: Rivalry, promotion: Promotion, metric: str, reached: str) -> str | None:
    lead = rivalry.lead.low if promotion.beyond_chance else rivalry.challenger - rivalry.champion
    if lead >= promotion.beat_champion_by:
        return None
    sure = (
        f" (95 % interval of the difference: {rivalry.lead.low:+.3f} to {rivalry.lead.high:+.3f})"
        if promotion.beyond_chance
        else ""
    )
    return f"{reached}; {_side_by_side(champion, rivalry, metric)}{sure}{_margin(promotion)}."


def _side_by_side(champion: Champion, rivalry: Rivalry, metric: str) -> str:
    return (
        f"asked about the same {rivalry.groups} held-out groups that neither has learnt from, it reaches {metric} of "
        f"{rivalry.challenger:.3f} and the champion, {_named(champion)}, {rivalry.champion:.3f}"
    )


def _praise(best: Candidate, champion: Champion | None, promotion: Promotion, metric: str) -> str:
    reached = f"{best.family} (version {best.version}) became champion: it reaches {metric} of {best.score:.3f}"
    before = f", and the champion before, {_named(champion)}, had {champion.score:.3f}{_margin(promotion)}" if champion else ""
    if champion and champion.rivalry:
        before = f"; {_side_by_side(champion, champion.rivalry, metric)}{_margin(promotion)}"
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
