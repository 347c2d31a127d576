"""Simulated people: the same seed grows the same ones, and no two are alike."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.simulation import person
from ingestion.simulation.people import generator


@given(seed=st.integers(0, 2**31), number=st.integers(1, 999))
def test_a_person_is_always_the_same_and_of_human_proportions(seed: int, number: int) -> None:
    someone = person(seed, number)
    assert someone == person(seed, number)
    assert someone.participant == f"P{number:03d}"
    assert 1.4 < someone.height_m < 2.1 and 0.45 < someone.leg_m / someone.height_m < 0.6
    assert someone.thigh_m + someone.shank_m < someone.leg_m
    assert 0 <= someone.vigour <= 1 and 0 <= someone.flight <= 0.5 and someone.side in (-1, 1)


def test_people_differ_from_each_other_and_from_cohort_to_cohort() -> None:
    everybody = [person(seed, number) for seed in (1, 2) for number in range(1, 31)]
    assert len({astuple(someone)[2:] for someone in everybody}) == 60


@pytest.mark.parametrize("number", [0, -1, 1000])
def test_a_number_that_no_pseudonym_can_hold_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 999"):
        person(1, number)


def test_dice_of_one_purpose_are_not_those_of_another() -> None:
    assert generator((1, 2), "a").random() == generator((1, 2), "a").random()
    assert generator((1, 2), "a").random() != generator((1, 2), "b").random()
    assert generator((1, 2), "a", 1).random() != generator((1, 2), "a", 2).random()
