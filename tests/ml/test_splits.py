"""Splits: nobody on two sides, every label on both where that is possible, and plain words where it is not."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ml.preprocessing.splits import Row, SplitPlan, plan_splits
from studies.splitting import AuthorsSplit, Split
from warehouse.errors import TrainingRefused

LABELS = ("bench", "row", "squat", "walk")


def cohort(recorded: dict[str, str], *, repeats: int = 2) -> list[Row]:
    """Rows of a cohort: participant -> the first letters of the labels that they recorded."""
    named = {label[0]: label for label in LABELS}
    return [
        Row(person, f"{person}-{letter}-{number}", named[letter])
        for person, letters in recorded.items()
        for letter, number in product(letters, range(repeats))
        for _ in range(3)
    ]


cohorts = st.dictionaries(
    st.sampled_from([f"P{number:03d}" for number in range(30)]),
    st.sets(st.sampled_from("brsw"), min_size=1).map(lambda letters: "".join(sorted(letters))),
    min_size=2,
    max_size=14,
).map(cohort)
splits = st.builds(
    lambda test, folds: Split(test=test, folds=folds),
    st.sampled_from([0, 0.2, 0.5, 0.9]),
    st.one_of(st.integers(2, 6), st.just("leave_one_out")),
)


def planned(rows: list[Row], split: Split, seed: int = 1) -> SplitPlan:
    try:
        return plan_splits(rows, split, seed=seed)
    except TrainingRefused:
        assume(False)
        raise


@given(cohorts, splits, st.integers(0, 50))
def test_no_participant_is_in_two_splits_of_an_honest_plan(rows: list[Row], split: Split, seed: int) -> None:
    plan = planned(rows, split, seed)
    sides: dict[str, set[tuple[str, int]]] = {}
    for row in rows:
        group = plan.group_of(row)
        sides.setdefault(row.participant if plan.honest else row.recording_id, set()).add((plan.split[group], plan.fold[group]))
    assert all(len(found) == 1 for found in sides.values())


@given(cohorts, splits, st.integers(0, 50))
def test_a_plan_is_the_same_for_the_same_seed_in_any_order(rows: list[Row], split: Split, seed: int) -> None:
    plan = planned(rows, split, seed)
    assert plan == plan_splits(random.Random(seed).sample(rows, len(rows)), split, seed=seed)


@given(cohorts, splits)
def test_a_plan_is_honest_where_two_labels_have_two_participants_each(rows: list[Row], split: Split) -> None:
    plan = planned(rows, split)
    people = {label: {row.participant for row in rows if row.label == label} for label in LABELS}
    assert plan.honest == (sum(len(names) >= 2 for names in people.values()) >= 2)
    assert plan.group == ("participant" if plan.honest else "recording")
    assert ("No honest split exists" in plan.statement) != plan.honest


@given(cohorts, splits)
def test_folds_are_numbered_without_holes_and_test_is_in_none(rows: list[Row], split: Split) -> None:
    plan = planned(rows, split)
    taught = {number for number in plan.fold.values() if number >= 0}
    assert taught == set(range(len(taught)))
    assert taught
    for group, number in plan.fold.items():
        expected = ("test" if number < 0 else "train") if split.test else f"fold_{number}"
        assert plan.split[group] == expected
    assert ("test" in plan.split.values()) == (split.test > 0)


@given(cohorts, splits)
def test_a_label_of_two_people_is_on_both_sides_or_named_as_one_that_is_not(rows: list[Row], split: Split) -> None:
    plan = planned(rows, split)
    assume(plan.honest)
    for label in LABELS:
        folds = [plan.fold[row.participant] for row in rows if row.label == label]
        people = {row.participant for row in rows if row.label == label}
        if len(people) < 2:
            continue
        both = (-1 in folds and max(folds) >= 0) if split.test else len(set(folds)) >= 2
        assert both != (f"'{label}'" in plan.statement)


@given(st.integers(3, 20), st.integers(0, 30), st.sampled_from([0.1, 0.25, 0.5]))
def test_where_everybody_recorded_everything_the_test_is_as_large_as_asked(people: int, seed: int, share: float) -> None:
    rows = cohort({f"P{number:03d}": "brsw" for number in range(people)})
    plan = plan_splits(rows, Split(test=share, folds=3), seed=seed)
    held_out = [group for group, side in plan.split.items() if side == "test"]
    assert len(held_out) == max(1, round(share * people))
    assert plan.statement == "The scores are for people whom the model never saw in training."


def test_other_seeds_hold_out_other_people() -> None:
    rows = cohort({f"P{number:03d}": "brsw" for number in range(12)})
    chosen = {
        tuple(sorted(group for group, side in plan_splits(rows, Split(test=0.25), seed=seed).split.items() if side == "test"))
        for seed in range(10)
    }
    assert len(chosen) > 5


def test_a_new_participant_moves_no_more_than_one_other_between_test_and_train() -> None:
    people = {f"P{number:03d}": "brsw" for number in range(16)}
    before = plan_splits(cohort(people), Split(test=0.25), seed=1)
    after = plan_splits(cohort({**people, "P999": "brsw"}), Split(test=0.25), seed=1)
    assert sum(before.split[person] != after.split[person] for person in people) <= 1


@pytest.mark.parametrize("seed", range(12))
def test_a_rare_label_is_put_on_both_sides_by_the_smallest_change(seed: int) -> None:
    people = {f"P{number:03d}": "br" for number in range(10)} | {"P010": "brw", "P011": "brw"}
    plan = plan_splits(cohort(people), Split(test=0.25, folds=2), seed=seed)
    assert {plan.split["P010"], plan.split["P011"]} == {"train", "test"}
    assert sum(side == "test" for side in plan.split.values()) == 3


@pytest.mark.parametrize("seed", range(12))
def test_a_label_of_a_single_group_is_taught_and_not_held_out(seed: int) -> None:
    honest = plan_splits(cohort({"A": "brs", "B": "br", "C": "br", "D": "br"}), Split(test=0.3, folds=2), seed=seed)
    assert honest.split["A"] == "train"
    rows = [row for row in cohort({"A": "b", "B": "w"}, repeats=3) if row.recording_id not in ("B-w-1", "B-w-2")]
    by_recording = plan_splits(rows, Split(test=0.3, folds=2), seed=seed)
    assert by_recording.split["B-w-0"] == "train"


@pytest.mark.parametrize("seed", range(12))
def test_folds_share_out_every_label_evenly(seed: int) -> None:
    people = {f"P{number:03d}": "br" for number in range(8)} | {f"P{number:03d}": "sw" for number in range(8, 16)}
    plan = plan_splits(cohort(people), Split(folds=4), seed=seed)
    for kind in ("b", "s"):
        number = [plan.fold[person] for person, letters in people.items() if kind in letters]
        assert np.bincount(number).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("seed", range(12))
def test_a_label_of_two_people_is_never_in_one_fold_only(seed: int) -> None:
    plan = plan_splits(cohort({"A": "brsw", "B": "brs", "C": "brs", "D": "bw"}), Split(folds=2), seed=seed)
    assert plan.fold["A"] != plan.fold["D"]
    assert "'walk'" not in plan.statement


def test_leave_one_out_tests_every_participant_once() -> None:
    plan = plan_splits(cohort({"A": "brs", "B": "br", "C": "bs"}), Split(folds="leave_one_out"), seed=9)
    assert plan.fold == {"A": 0, "B": 1, "C": 2}
    assert plan.protocol == "leave one participant out (3 participants)"


def test_no_honest_split_says_who_recorded_what_and_that_nothing_is_promoted() -> None:
    plan = plan_splits(cohort({"A": "b", "B": "r", "C": "s"}), Split(folds="leave_one_out"), seed=1)
    assert not plan.honest
    for words in ("only A recorded 'bench'", "only C recorded 'squat'", "nothing about new people", "promoted"):
        assert words in plan.statement
    assert plan.protocol == "5-fold cross-validation by recording, stratified by label (6 recordings)"


def test_a_label_of_a_single_person_is_kept_and_named() -> None:
    plan = plan_splits(cohort({"A": "brs", "B": "br", "C": "br"}), Split(folds=3), seed=1)
    assert plan.honest
    assert "only A recorded 'squat'" in plan.statement


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([], "too_few_labels"),
        (cohort({"A": "b", "B": "b"}), "too_few_labels"),
        (cohort({"A": "br"}), "too_few_participants"),
        (cohort({"A": "b", "B": "r"}, repeats=1), "too_few_recordings"),
    ],
)
def test_what_cannot_be_split_is_refused_with_what_is_missing(rows: list[Row], code: str) -> None:
    with pytest.raises(TrainingRefused) as refused:
        plan_splits(rows, Split(), seed=1)
    assert code in [reason.code for reason in refused.value.reasons]
    assert all(reason.remedy for reason in refused.value.reasons)


# --- other groups, other targets, other protocols


def enrolled(people: str = "ABCD", sessions: int = 3, *, known: bool = True) -> list[Row]:
    """Rows of people who each recorded two labels in every session, asked who they are."""
    return [
        Row(
            person,
            f"{person}{label}{number}",
            person,
            f"{person}{label}{number}-{part}",
            {"session": f"set{number}"} if known else {},
        )
        for person, number, label in product(people, range(1, sessions + 1), "br")
        for part in range(4)
    ]


def test_people_are_enrolled_on_some_sessions_and_identified_on_the_named_one() -> None:
    plan = plan_splits(enrolled(), Split(group="session", test=("set2",)), seed=1, target="participant")
    assert plan.honest
    assert plan.split == {"set1": "train", "set2": "test", "set3": "train"}
    assert "session set2 held out for the test (1 of 3 sessions)" in plan.protocol
    assert "other sessions of the 4 people who taught" in plan.statement


def test_who_somebody_is_tested_on_the_session_that_taught_it_is_not_honest() -> None:
    plan = plan_splits(enrolled(), Split(group="recording", folds=2), seed=1, target="participant")
    assert not plan.honest
    assert "nobody took the sensor off" in plan.statement


def test_recordings_of_no_session_are_sessions_of_their_own() -> None:
    assert plan_splits(enrolled(known=False), Split(group="recording", folds=2), seed=1, target="participant").honest


def test_somebody_of_a_single_session_is_named() -> None:
    rows = [*enrolled(), Row("E", "Eb1", "E", "Eb1-0", {"session": "set1"})]
    plan = plan_splits(rows, Split(group="session", test=("set2",)), seed=1, target="participant")
    assert "Of 'E' there is one session only" in plan.statement


def with_sets(rows: list[Row]) -> list[Row]:
    return [Row(row.participant, row.recording_id, row.label, described={"set": row.recording_id[-1]}) for row in rows]


def test_sets_of_the_same_people_on_both_sides_are_not_honest_about_labels() -> None:
    plan = plan_splits(with_sets(cohort({"A": "br", "B": "br"}, repeats=4)), Split(group="set", folds=4), seed=1)
    assert (plan.group, plan.honest) == ("set", False)
    assert "nothing about new people" in plan.statement
    assert "'group: participant'" in plan.statement


def test_sets_of_the_only_participant_are_as_honest_as_can_be_and_say_of_what() -> None:
    plan = plan_splits(with_sets(cohort({"A": "br"}, repeats=4)), Split(group="set", folds=4), seed=1)
    assert plan.honest
    assert "Only one participant is known" in plan.statement


@given(st.integers(2, 8), st.integers(0, 30))
def test_nothing_of_a_group_is_on_two_sides_whatever_the_group(groups: int, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"g{number}" for number in range(groups)]
    rows = [Row("A", f"r{number}", "bx"[number % 2], f"s{number}", {"set": chance.choice(names)}) for number in range(60)]
    if len({row.described["set"] for row in rows}) < 2:
        return
    plan = plan_splits(rows, Split(group="set", test=0.3), seed=seed)
    for name in names:
        assert len({plan.split[plan.group_of(row)] for row in rows if row.described["set"] == name}) <= 1
    assert {"train", "test"} == set(plan.split.values())


def test_recordings_without_the_group_that_a_study_splits_by_are_refused_with_the_nearest_column() -> None:
    with pytest.raises(TrainingRefused, match=r"splits by sett.*24 of 24 recordings have none.*did you mean 'set'") as refused:
        plan_splits(with_sets(cohort({"A": "br", "B": "br"}, repeats=6)), Split(group="sett"), seed=1)
    assert "manifests" in str(refused.value.reasons[0].remedy)


@pytest.mark.parametrize(
    ("held_out", "words"), [(("set9",), "'set9', which has no segment; there are: set1"), (("set1", "set2"), "nothing is left")]
)
def test_a_test_that_cannot_be_held_out_is_refused(held_out: tuple[str, ...], words: str) -> None:
    with pytest.raises(TrainingRefused, match=words):
        plan_splits(enrolled(sessions=2), Split(group="session", test=held_out), seed=1, target="participant")


def test_the_authors_random_segments_are_dealt_out_evenly_and_never_called_honest() -> None:
    plan = plan_splits(enrolled(), AuthorsSplit(group="segment", test=0.4), seed=3)
    sides = [plan.split[row.segment_id] for row in enrolled()]
    assert sides.count("test") == round(0.4 * len(sides))
    assert not plan.honest
    assert "Segments of one recording are taught and tested" in plan.statement
    assert "no cross-validation" in plan.protocol
    folded = plan_splits(enrolled(), AuthorsSplit(group="segment", folds=5), seed=3)
    for person in "ABCD":
        counts = np.bincount([folded.fold[row.segment_id] for row in enrolled() if row.participant == person])
        assert np.ptp(counts) <= 1


def test_many_thousands_of_segments_can_be_split_by_themselves() -> None:
    rows = [Row(f"P{number % 20}", f"r{number // 50}", "abc"[number % 3], f"s{number}") for number in range(20_000)]
    plan = plan_splits(rows, AuthorsSplit(group="segment", test=0.2, folds=5), seed=1)
    assert sum(side == "test" for side in plan.split.values()) == 4000


def _in_order(counts: dict[str, int]) -> list[Row]:
    """Segments of recordings of one label each, in their order; nobody knows whose they are."""
    return [
        Row("unknown", name, name[0], f"{name}-{place}", {"session": name}, place, count)
        for name, count in counts.items()
        for place in range(count)
    ]


@given(st.lists(st.integers(5, 40), min_size=2, max_size=5), st.integers(2, 5))
def test_blocks_are_consecutive_even_and_the_same_part_of_every_recording(counts: list[int], folds: int) -> None:
    rows = _in_order({f"{'ab'[number % 2]}{number}": count for number, count in enumerate(counts)})
    plan = plan_splits(rows, Split(group="block", folds=folds), seed=1)
    for name in {row.recording_id for row in rows}:
        blocks = [plan.group_of(row) for row in rows if row.recording_id == name]
        assert blocks == sorted(blocks)
        sizes = [blocks.count(block) for block in dict.fromkeys(blocks)]
        assert len(sizes) == folds
        assert max(sizes) - min(sizes) <= 1
    assert sorted(plan.fold.values()) == list(range(folds))
    assert plan.honest
    assert "consecutive blocks" in plan.statement


def test_the_authors_may_deal_out_places_in_the_order_of_recordings_which_is_never_honest() -> None:
    rows = _in_order({"good": 20, "bad": 20})
    plan = plan_splits(rows, AuthorsSplit(group="position", folds=5), seed=1)
    folds = [plan.fold[plan.group_of(row)] for row in rows]
    assert folds[:20] == folds[20:]
    assert np.bincount(folds).tolist() == [8] * 5
    assert not plan.honest
    assert "stands beside a segment" in plan.statement


def test_two_recordings_are_enough_where_one_is_the_test_and_the_other_is_cut_into_folds() -> None:
    rows = [
        Row("unknown", name, "ab"[place // 3 % 2], f"{name}-{place}", {"session": name}, place, 30)
        for name in ("train", "test")
        for place in range(30)
    ]
    plan = plan_splits(rows, Split(group="session", test=("test",), folds=3, folds_by="block"), seed=1)
    folds = [plan.fold[plan.group_of(row)] for row in rows]
    assert folds[30:] == [-1] * 30
    assert sorted(np.diff(np.flatnonzero(np.diff(folds[:30]))).tolist()) == [10]
    assert set(folds[:30]) == {0, 1, 2}
    assert plan.honest
    assert "1 of 2 sessions" in plan.protocol
    assert "3-fold cross-validation by block" in plan.protocol
    assert "choose among the families" in plan.statement
