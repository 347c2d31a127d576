"""Who becomes champion, and the sentences that say why."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ml.evaluation.intervals import Interval
from ml.gate import Candidate, Champion, Rivalry, decide
from studies.study import Promotion

HONEST = {"honest": True, "statement": "The scores are for people whom the model never saw in training."}
GATE = Promotion(metric="macro_f1", at_least=0.6, beat_champion_by=0.02)
FOREST, HYBRID = Candidate(1, "random_forest", 0.70, 0.72, 0.6), Candidate(2, "cnn_gru", 0.75, 0.71, 0.5)


def test_the_best_in_the_cross_validation_becomes_champion_even_if_another_scores_higher_in_the_test() -> None:
    decision = decide([FOREST, HYBRID], None, GATE, **HONEST)
    assert (decision.promoted, decision.best) == (2, 2)
    assert decision.sentence == (
        "cnn_gru (version 2) became champion: it reaches a macro F1 of 0.710; the study asks for at least 0.600."
    )
    assert decision.sentences[1] == (
        "random_forest (version 1) was not considered: cnn_gru did better or as well in the comparison of families "
        "(a macro F1 of 0.750 against 0.700)."
    )


def test_too_low_a_score_promotes_nothing_and_both_figures_are_stated() -> None:
    decision = decide([FOREST], None, Promotion(metric="accuracy", at_least=0.8), **HONEST)
    assert decision.promoted is None
    assert decision.sentence == (
        "Nothing was promoted: the best, random_forest (version 1), reaches an accuracy of 0.720; "
        "the study asks for at least 0.800."
    )


def test_a_champion_must_be_beaten_by_what_the_study_asks() -> None:
    present = Champion(7, "svm", 0.695)
    assert decide([HYBRID], present, GATE, **HONEST).sentence == (
        "Nothing was promoted: the best, cnn_gru (version 2), reaches a macro F1 of 0.710; "
        "the champion, svm (version 7), has 0.695, which must be beaten by 0.020."
    )
    decision = decide([HYBRID], Champion(7, "svm", 0.68), GATE, **HONEST)
    assert decision.promoted == 2
    assert "the champion before, svm (version 7), had 0.680" in decision.sentence


def test_an_equal_score_is_enough_where_no_margin_is_asked() -> None:
    gate = Promotion(at_least=0.6, beat_champion_by=0)
    assert decide([FOREST], Champion(3, "svm", 0.72), gate, **HONEST).promoted == 1


def test_a_score_that_is_not_honest_promotes_nothing_however_high() -> None:
    statement = "'jump' was recorded by P1 only, so a model can score by telling the people apart."
    perfect = [Candidate(1, "svm", 1.0, 1.0, 1.0), Candidate(2, "cnn", 0.9, 0.9, 0.9)]
    decision = decide(perfect, None, GATE, honest=False, statement=statement)
    assert (decision.promoted, decision.best) == (None, 1)
    assert decision.sentence == f"Nothing was promoted, for the scores are not honest. {statement}"
    assert decision.sentences == {1: decision.sentence, 2: decision.sentence}


def test_of_equals_the_first_that_the_study_names_is_chosen() -> None:
    assert decide([Candidate(5, "svm", 0.8, 0.8, 0.8), Candidate(4, "cnn", 0.8, 0.9, 0.8)], None, GATE, **HONEST).best == 5


SHARES = st.floats(0, 1)


@given(
    scores=st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=6),
    present=st.none() | SHARES,
    at_least=SHARES,
    margin=st.floats(-1, 1),
    honest=st.booleans(),
)
def test_whatever_the_scores_the_gate_lets_at_most_the_best_through(
    scores: list[tuple[float, float]], present: float | None, at_least: float, margin: float, honest: bool
) -> None:
    candidates = [Candidate(number, "svm", *pair, worst=0.5) for number, pair in enumerate(scores, start=1)]
    champion = None if present is None else Champion(99, "cnn", present)
    gate = Promotion(at_least=at_least, beat_champion_by=margin)
    decision = decide(candidates, champion, gate, honest=honest, statement="")
    best = candidates[decision.best - 1]
    passes = honest and best.score >= at_least and (present is None or best.score >= present + margin)
    assert best.selection == max(selection for selection, _ in scores)
    assert decision.promoted == (best.version if passes else None)
    assert decision.sentences.keys() == {candidate.version for candidate in candidates}
    assert decision.sentences[decision.best] == decision.sentence


def test_a_rival_on_the_same_people_counts_more_than_the_scores_of_two_trainings() -> None:
    beaten = Rivalry(challenger=0.80, champion=0.70, lead=Interval(-0.02, 0.2), groups=4, examples=90)
    present = Champion(7, "svm", 0.95, beaten)  # promoted with a score on other people
    decision = decide([HYBRID], present, GATE, **HONEST)
    assert decision.promoted == 2
    assert "same 4 held-out groups that neither has learnt from" in decision.sentence


def test_a_lead_that_chance_explains_promotes_nothing_where_the_study_asks_for_more() -> None:
    close = Rivalry(challenger=0.80, champion=0.70, lead=Interval(-0.02, 0.2), groups=4, examples=90)
    strict = GATE.model_copy(update={"beyond_chance": True})
    decision = decide([HYBRID], Champion(7, "svm", 0.5, close), strict, **HONEST)
    assert decision.promoted is None
    assert "95 % interval of the difference: -0.020 to +0.200" in decision.sentence


def test_one_person_with_whom_it_fails_is_enough_where_the_study_asks_for_everybody() -> None:
    floor = GATE.model_copy(update={"worst_participant": 0.55})
    assert decide([HYBRID], None, floor, **HONEST).sentence == (
        "Nothing was promoted: the best, cnn_gru (version 2), reaches a macro F1 of 0.710, but with one participant it reaches "
        "a macro F1 of only 0.500; the study asks for 0.550 with everybody."
    )
