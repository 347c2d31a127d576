"""A correction is checked against the study, carried out in the lake alone, and ends as if it had been delivered so."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quality import settling
from quality.corrections import correct, undo
from quality.judging import judge_batch
from quality.quarantine import list_quarantined, release, show
from quality.settling import reading_needed
from studies.study import Study
from tests.quality.conftest import CONTRACT, FIRST_NS, Recorded, write_batch
from warehouse.errors import KinelakeError, UnknownName
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.value_hash import recording_hash, value_hash

SIGNED = {"who": "Dr Lee", "why": "seen on the video"}
G = 9.80665


pytestmark = pytest.mark.usefixtures("known_study")


@pytest.fixture
def study() -> Study:
    return Study.model_validate(CONTRACT)


def in_g(name: str = "in-g", *, gyroscope: bool = True) -> Recorded:
    """A recording whose accelerometer says m/s² and is in g, with every fact measured on its samples."""
    times = FIRST_NS + np.arange(500, dtype=np.int64) * 20_000_000
    phase = np.arange(500) / 50
    values = np.column_stack([np.sin(phase) / 9, np.cos(phase) / 9, 1 + 0 * phase]).astype(np.float32)
    hashed = value_hash(values)
    facts = {"minimum": float(values.min()), "maximum": float(values.max()), "norm_median": 1.0, "value_hash": hashed}
    samples = {"accelerometer": (times, values), **({"gyroscope": (times, values[:, ::-1] + 1)} if gyroscope else {})}
    return Recorded(name, facts={"accelerometer": facts}, samples=samples)


def verdict(home: Home, recording_id: str) -> tuple[bool, list[str]]:
    (row,) = Lake(home).read("verdicts", where={"recording_id": recording_id}).to_pylist()
    return row["accepted"], [reason["code"] for reason in row["reasons"]]


def content(home: Home, *tables: str) -> dict[str, list[str]]:
    names = tables or ("recordings", "streams", "samples", "verdicts")
    rows = {name: Lake(home).read(name).to_pylist() for name in names}
    return {name: sorted(str(row | {"judged_at": None}) for row in of_table) for name, of_table in rows.items()}


def test_a_wrong_label_is_corrected_by_an_alias_and_the_delivered_one_stays(home: Home, study: Study) -> None:
    batch = write_batch(home, Recorded("odd", label="hopp"), Recorded("fine"))
    judge_batch(batch, study, home)
    assert correct(home, "odd", {"label": " Hops "}, **SIGNED) == {"label": "hop"}
    judge_batch(batch, study, home)
    assert verdict(home, "odd") == (True, [])
    found = show(home, "odd")
    assert (found["label"], found["label_as_delivered"]) == ("hop", "hopp")
    assert [(one["field"], one["value"], one["before"], one["who"]) for one in found["corrections"]] == [
        ("label", "hop", "hopp", "Dr Lee")
    ]
    assert json.dumps(found)


def test_a_wrong_participant_is_corrected_in_every_table_and_in_no_row_of_others(home: Home, study: Study) -> None:
    batch = write_batch(home, in_g("odd").but(participant="xP7"), in_g("fine").but(participant="P002", start_ns=FIRST_NS + 9))
    judge_batch(batch, study, home)
    correct(home, "odd", {"participant": "P007", "session": "2", "placement": "left wrist"}, **SIGNED)
    judge_batch(batch, study, home)
    for name in ("recordings", "streams", "samples", "verdicts"):
        rows = Lake(home).read(name, columns=["recording_id", "participant"]).to_pylist()
        assert {(row["recording_id"], row["participant"]) for row in rows} == {("odd", "P007"), ("fine", "P002")}, name
    delivered = Lake(home).read("files", columns=["participant"], where={"recording_id": "odd"})
    assert delivered["participant"].to_pylist() == ["xP7"]
    (recording,) = Lake(home).read("recordings", where={"recording_id": "odd"}).to_pylist()
    assert (recording["session"], recording["placement"]) == ("2", "left wrist")


def test_values_in_g_become_metres_per_second_squared_with_all_that_follows_from_them(home: Home, study: Study) -> None:
    batch = write_batch(home, in_g())
    judge_batch(batch, study, home)
    assert verdict(home, "in-g") == (False, ["unit_implausible"])
    before = Lake(home).read("samples")
    correct(home, "in-g", {"unit:accelerometer": "g"}, **SIGNED)
    judge_batch(batch, study, home)
    assert verdict(home, "in-g") == (True, [])
    after = Lake(home).read("samples")
    assert after["t_ns"].equals(before["t_ns"])
    was, is_now = (
        np.column_stack([table.filter(_is(table, "accelerometer"))[axis] for axis in "xyz"]) for table in (before, after)
    )
    assert np.array_equal(is_now, (was.astype(np.float64) * G).astype(np.float32))
    assert after.filter(_is(after, "gyroscope")).equals(before.filter(_is(before, "gyroscope")))
    rows = {row["stream"]: row for row in Lake(home).read("streams").to_pylist()}
    acceleration = rows["accelerometer"]
    assert acceleration["value_hash"] == value_hash(is_now.astype(np.float32))
    assert (acceleration["minimum"], acceleration["maximum"]) == (float(is_now.min()), float(is_now.max()))
    assert acceleration["norm_median"] == pytest.approx(G) and acceleration["corrected_unit"] == "g"
    assert rows["gyroscope"]["corrected_unit"] is None
    hashes = Lake(home).read("recordings", columns=["value_hash"])["value_hash"].to_pylist()
    assert hashes == [recording_hash(row["value_hash"] for row in rows.values())]


def _is(table: pa.Table, stream: str) -> pa.ChunkedArray:
    return pc.equal(table["stream"], stream)


def test_reading_the_batch_again_and_judging_it_ends_the_same(home: Home, study: Study) -> None:
    recordings = (in_g(), Recorded("odd", label="hopp", participant="xP7"))
    batch = write_batch(home, *recordings)
    judge_batch(batch, study, home)
    correct(home, "in-g", {"unit:accelerometer": "g", "session": "3"}, **SIGNED)
    correct(home, "odd", {"label": "hop", "participant": "P007"}, **SIGNED)
    judge_batch(batch, study, home)
    corrected = content(home)
    write_batch(home, *recordings)
    assert content(home) != corrected
    judge_batch(batch, study, home)
    assert content(home) == corrected


def test_killed_after_the_samples_were_multiplied_they_are_not_multiplied_again(
    home: Home, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = write_batch(home, in_g(), Recorded("fine"))
    correct(home, "in-g", {"unit:accelerometer": "g", "participant": "P002"}, **SIGNED)
    with monkeypatch.context() as patch:
        patch.setattr(settling, "_settled_streams", _killed)
        with pytest.raises(KeyboardInterrupt):
            judge_batch(batch, study, home)
    judge_batch(batch, study, home)
    interrupted = content(home)
    write_batch(home, in_g(), Recorded("fine"))
    judge_batch(batch, study, home)
    assert content(home) == interrupted


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_of_several_corrections_the_latest_counts(home: Home, study: Study) -> None:
    batch = write_batch(home, Recorded("odd", label="hopp"))
    for label in ("hop", "rest"):
        correct(home, "odd", {"label": label}, **SIGNED)
        judge_batch(batch, study, home)
    assert show(home, "odd")["label"] == "rest"
    assert len(show(home, "odd")["corrections"]) == 2  # type: ignore[arg-type]


def test_a_unit_corrected_for_the_second_time_wants_the_values_as_delivered(home: Home, study: Study) -> None:
    batch = write_batch(home, in_g())
    correct(home, "in-g", {"unit:accelerometer": "mg"}, **SIGNED)
    judge_batch(batch, study, home)
    correct(home, "in-g", {"unit:accelerometer": "g"}, **SIGNED)
    assert reading_needed(batch, Lake(home)) == [("in-g", "accelerometer")]
    with pytest.raises(KinelakeError, match="reading_needed"):
        judge_batch(batch, study, home)
    write_batch(home, in_g())
    judge_batch(batch, study, home)
    assert reading_needed(batch, Lake(home)) == []
    assert verdict(home, "in-g") == (True, [])


def test_taking_everything_back_ends_as_delivered(home: Home, study: Study) -> None:
    batch = write_batch(home, Recorded("odd", label="hopp", participant="xP7", facts={"accelerometer": {"rate_hz": 9.0}}))
    judge_batch(batch, study, home)
    before = content(home, "recordings", "streams", "samples")
    correct(home, "odd", {"label": "hop", "participant": "P007", "session": "9"}, **SIGNED)
    release(home, "odd", **SIGNED)
    judge_batch(batch, study, home)
    assert verdict(home, "odd") == (True, ["rate_out_of_contract"])
    assert set(undo(home, "odd", **SIGNED)) == {"release", "label", "participant", "session"}
    assert list_quarantined(home).num_rows == 0
    judge_batch(batch, study, home)
    assert verdict(home, "odd")[0] is False
    assert content(home, "recordings", "streams", "samples") == before
    with pytest.raises(KinelakeError, match="nothing_to_undo"):
        undo(home, "odd", **SIGNED)


def test_corrections_that_make_no_sense_are_refused_and_nothing_is_taken_down(home: Home, study: Study) -> None:
    judge_batch(write_batch(home, in_g("odd")), study, home)
    for changes, said in (
        ({"label": "hopp"}, "did you mean 'hop'"),
        ({"label": "HOP"}, "corrected_to_the_same"),
        ({"participant": "P001"}, "corrected_to_the_same"),
        ({"participant": "Ann"}, "does not fit"),
        ({"session": " "}, "1 to 200 characters"),
        ({"placement": "a\nb"}, "in one line"),
        ({"unit:accelerometer": "furlong"}, "is no unit of accelerometer"),
        ({"unit:accelerometer": "m/s^2"}, "corrected_to_the_same"),
        ({"unit:acelerometer": "g"}, "did you mean 'accelerometer'"),
        ({"label": "rest", "session": ""}, "session_unusable"),
        ({}, "nothing_to_correct"),
    ):
        with pytest.raises(KinelakeError, match=said):
            correct(home, "odd", changes, **SIGNED)
    with pytest.raises(KinelakeError, match="correction_unsigned"):
        correct(home, "odd", {"label": "rest"}, who=" ", why="b")
    with pytest.raises(UnknownName, match="did you mean 'odd'"):
        correct(home, "od", {"label": "rest"}, **SIGNED)
    assert Lake(home).read("corrections").num_rows == 0


def test_an_alias_added_to_the_study_reaches_labels_that_were_delivered_before(home: Home, study: Study) -> None:
    batch = write_batch(home, Recorded("odd", label="bunny"), Recorded("fine"))
    judge_batch(batch, study, home)
    assert verdict(home, "odd") == (False, ["label_unknown"])
    wider = Study.model_validate({**CONTRACT, "labels": {"hop": ["hops", "bunny"], "rest": []}})
    judge_batch(batch, wider, home)
    assert verdict(home, "odd") == (True, [])
    (row,) = Lake(home).read("recordings", where={"recording_id": "odd"}).to_pylist()
    assert (row["label"], row["label_as_delivered"]) == ("hop", "bunny")
    judge_batch(batch, study, home)
    assert verdict(home, "odd") == (False, ["label_unknown"])


def test_settling_what_is_settled_writes_nothing(home: Home, study: Study) -> None:
    batch = write_batch(home, in_g(), Recorded("odd", label="hopp"))
    correct(home, "in-g", {"unit:accelerometer": "g"}, **SIGNED)
    judge_batch(batch, study, home)
    before = {name: Lake(home).version(name) for name in ("recordings", "streams", "samples", "files", "verdict_history")}
    judge_batch(batch, study, home)
    assert {name: Lake(home).version(name) for name in before} == before
