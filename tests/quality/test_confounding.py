"""Labels that can be told from the device, the person, the site or the batch; and studies of which that is not true."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import product
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.batch import read_batch
from ingestion.delivery import deliver
from ingestion.simulation import CohortSpec, simulate_delivery
from quality.confounding import FACTORS, Association, balance_of, confounding_of, study_facts
from quality.judging import judge_batch
from studies import find_study
from studies.study import Study
from tests.quality.conftest import Recorded, write_batch
from warehouse.batches import Delivered, complete_batch
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.publish import publish

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_ONE = {"device": "d", "participant": "P1", "site": "s", "batch_id": "b"}


def recorded(*rows: dict[str, Any]) -> pa.Table:
    names = ("label", *FACTORS)
    columns = {name: pa.array([{**_ONE, **row}.get(name) for row in rows], pa.string()) for name in names}
    return pa.table(columns | {"recordings": [1] * len(rows)})


def told(table: pa.Table) -> dict[str, Association]:
    return {one.factor: one for one in confounding_of(table)}


def test_labels_of_one_device_each_are_named_with_their_devices_and_people() -> None:
    where = {"jumping": "a", "standing": "a", "still": "b", "walking": "b"}
    rows = [{"label": label, "device": f"phone {one}", "participant": f"P{one}"} for label, one in where.items()] * 5
    (found,) = confounding_of(recorded(*rows))
    assert found.confounded and found.share == pytest.approx(1) and found.same_as == ("participant",)
    assert found.sentence == (
        "jumping and standing were recorded only with device phone a, still and walking only with device phone b: participants "
        "divide in the same way; a model can learn the device instead of the label"
    )


def test_one_exception_in_fifty_is_almost_only() -> None:
    rows = [{"label": label, "site": site} for label, site in [("hop", "x"), ("rest", "y")] * 50]
    (found,) = confounding_of(recorded(*rows, {"label": "hop", "site": "y"}))
    assert found.confounded and "hop was recorded almost only at site x, rest almost only at site y" in found.sentence


def test_labels_that_lean_to_a_device_are_told_with_figures() -> None:
    rows = [{"label": "hop", "device": "a"}] * 9 + [{"label": "hop", "device": "b"}] + [{"label": "rest", "device": "b"}] * 9
    (found,) = confounding_of(recorded(*rows, {"label": "rest", "device": "a"}))
    assert found.confounded and "9 of 10 hop with device a, 9 of 10 rest with device b" in found.sentence


def test_one_device_one_site_one_batch_tell_nothing() -> None:
    assert confounding_of(recorded(*[{"label": label} for label in "abcd"])) == ()
    assert confounding_of(recorded(*[{"label": "a", "device": device} for device in "xyz"])) == ()
    assert confounding_of(recorded()) == ()


@given(st.integers(2, 6), st.integers(2, 5), st.integers(1, 3), st.randoms())
def test_where_everybody_does_everything_nothing_is_said(people: int, labels: int, sets: int, chance: random.Random) -> None:
    rows = [
        {"label": f"l{label}", "participant": f"P{one}", "device": f"d{one % 2}", "batch_id": f"b{one // 2}"}
        for one, label, _ in product(range(people), range(labels), range(sets))
    ]
    chance.shuffle(rows)
    assert not any(one.confounded for one in confounding_of(recorded(*rows)))


def test_labels_given_at_random_are_hardly_ever_called_confounded() -> None:
    chance = random.Random(7)
    studies = [
        recorded(*[{"label": chance.choice("abc"), "device": chance.choice("xyz")} for _ in range(chance.choice((6, 12, 40)))])
        for _ in range(200)
    ]
    assert sum(one.confounded for table in studies for one in confounding_of(table)) <= 6


def test_a_few_recordings_that_happen_to_fall_so_are_not_told() -> None:
    assert not told(recorded(*[{"label": label, "device": device} for label, device in ["ax", "ax", "by", "by"]]))[
        "device"
    ].confounded


def test_a_study_of_patients_and_controls_is_not_blamed_for_its_people_but_for_its_sites() -> None:
    rows = [
        {"label": "patient" if one < 10 else "control", "participant": f"P{one}", "device": f"d{one}", "site": "AB"[one >= 10]}
        for one in range(20)
    ]
    found = told(recorded(*rows * 2))
    assert not found["participant" if "participant" in found else "device"].confounded and found["site"].confounded


def test_what_is_not_known_is_left_out() -> None:
    rows = [{"label": label, "device": device} for label, device in [("a", "x"), ("b", "y")] * 10]
    found = told(recorded(*rows, {"label": None, "device": "x"}, {"label": "a", "device": None}))
    assert found["device"].recordings == 20


def test_only_accepted_recordings_of_the_study_count(home: Home, study: Study) -> None:
    short = {"duration_s": 1.0, "device": "d2"}
    write_batch(home, Recorded("a", recording={"device": "d1"}), Recorded("b", participant="P002", recording=short))
    judge_batch("batch-1", study, home)
    facts = study_facts(study, home)
    assert facts.recordings == 1
    assert [(one.label, one.recordings, one.participants) for one in facts.balance] == [("hop", 1, 1), ("rest", 0, 0)]


def test_analysts_find_the_same_counts_and_the_same_measure(home: Home, study: Study) -> None:
    rows = [("hop", "d1", "P001"), ("hop", "d1", "P002"), ("rest", "d2", "P001"), ("rest", "d2", "P002"), ("rest", "d1", "P002")]
    recordings = [
        Recorded(f"r{number}", participant, label, recording={"device": device})
        for number, (label, device, participant) in enumerate(rows)
    ]
    write_batch(home, *recordings)
    judge_batch("batch-1", study, home)
    delivered = Delivered("batch-1", study.study, "clinic-a", LONG_AGO, 5, 5, "0")
    complete_batch(delivered, home, contract_version="1", recipe_version="1")
    publish(home)
    with duckdb.connect(str(home.warehouse), read_only=True) as database:
        cells = database.execute(
            "SELECT label, level, recordings, share_of_label, share_of_level"
            " FROM contingency WHERE factor = 'device' ORDER BY 1, 2"
        ).fetchall()
        measured = database.execute("SELECT factor, levels, explained FROM label_confounding ORDER BY factor").fetchall()
    assert cells == [
        ("hop", "d1", 2, 1.0, pytest.approx(2 / 3)),
        ("rest", "d1", 1, pytest.approx(1 / 3), pytest.approx(1 / 3)),
        ("rest", "d2", 2, pytest.approx(2 / 3), 1.0),
    ]
    # I(label; device) = H(2/5) - 3/5 H(1/3), over H(2/5), in bits
    assert measured == [("batch_id", 1, 0.0), ("device", 2, pytest.approx(0.43254, abs=1e-4)), *measured[2:]]


def test_the_simulated_cohort_is_not_confounded(home: Home, tmp_path: Any) -> None:
    study = find_study("phone_exercises")
    simulated = simulate_delivery(tmp_path / "delivery", CohortSpec(people=4, device="mixed", seconds=7))
    receipt = deliver(simulated.folder, study=study, site="gym", home=home)
    read_batch(receipt, study, home)
    judge_batch(receipt.batch_id, study, home)
    facts = study_facts(study, home)
    assert facts.recordings >= 9 and not any(one.confounded for one in facts.associations)


def test_counts_that_are_kept_tell_what_looking_at_every_recording_tells(home: Home, study: Study) -> None:
    chance = random.Random(3)
    for batch_id in ("batch-1", "batch-2"):
        written = [
            Recorded(
                f"{batch_id}-{number}",
                chance.choice(["P001", "P002", "P003"]),
                chance.choice(["hop", "rest"]),
                recording={"device": chance.choice(["d1", "d2", None]), "duration_s": chance.choice([1.0, 9.0, 9.0])},
            )
            for number in range(20)
        ]
        write_batch(home, *written, batch_id=batch_id)
        judge_batch(batch_id, study, home)
    verdicts, recordings = Lake(home).read("verdicts"), Lake(home).read("recordings")
    accepted = recordings.join(verdicts.filter(verdicts["accepted"]).select(["recording_id"]), "recording_id", join_type="inner")
    each = accepted.append_column("recordings", pa.array([1] * accepted.num_rows))
    facts = study_facts(study, home)
    assert 0 < facts.recordings == accepted.num_rows < 40
    assert facts.balance == balance_of(each, study.labels) and facts.associations == confounding_of(each)
