"""Copies that were shifted, cut, rounded or written in another unit are found through the lake, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.facts import measure
from ingestion.recording import Stream
from ingestion.simulation import person, simulate_recording
from quality.copies import Copies, find_copies, recordings_alike
from quality.facts import read_facts
from studies.study import Study
from tests.quality.conftest import CONTRACT, FIRST_NS, Recorded, write_batch
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_RATE_HZ = 50.0
_EXERCISES = ("squat", "lunge", "jumping_jack", "walking")
_STREAMS = ("accelerometer", "gyroscope")
_STUDY = Study.model_validate({**CONTRACT, "streams": {"accelerometer": {"unit": "m/s^2", "rate_hz": [45, 55]}}})

Values = Mapping[str, npt.NDArray[np.float32]]


def simulated(who: int, exercise: str, set_number: int = 1) -> Values:
    """What errorless sensors read: without their noise, two recordings are as alike as they can be."""
    truth = simulate_recording(person(1, who), exercise, seconds=12, set_number=set_number, rate_hz=_RATE_HZ)
    return {stream: truth.streams[stream].astype(np.float32) for stream in _STREAMS}


def recorded(name: str, values: Values, *, participant: str = "P001", start_ns: int = FIRST_NS) -> Recorded:
    step_ns = round(1e9 / _RATE_HZ)
    samples = {stream: (start_ns + step_ns * np.arange(len(one)), one) for stream, one in values.items()}
    facts = {stream: vars(measure(Stream(stream, *of_stream, "f"))) for stream, of_stream in samples.items()}
    return Recorded(name, participant, start_ns=start_ns, streams=tuple(values), facts=facts, samples=samples)


def copies_of(home: Home, *recordings: Recorded) -> Copies:
    write_batch(home, *recordings, batch_id="batch-2")
    return find_copies(read_facts("batch-2", Lake(home)), _STUDY, home, unusable=set())


@pytest.fixture(scope="module")
def originals() -> dict[str, Values]:
    return {f"{exercise}-{who}": simulated(who, exercise) for exercise, who in product(_EXERCISES, (1, 2))}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, originals: dict[str, Values]) -> Home:
    """A home with a judged batch of different recordings, all of them accepted."""
    home = Home.at(tmp_path_factory.mktemp("judged"))
    write_batch(home, *[recorded(name, values, participant=f"P00{name[-1]}") for name, values in originals.items()])
    accepted = [{"recording_id": name, "accepted": True, "reasons": []} for name in originals]
    verdicts = pa.Table.from_pylist([{"batch_id": "batch-1", **row} for row in accepted], TABLES["verdicts"].schema)
    Lake(home).replace("verdicts", verdicts, where={"batch_id": "batch-1"})
    return home


def _altered(values: Values, *, start: float, end: float, decimals: int | None, factor: float) -> Values:
    found = {}
    for stream, one in values.items():
        part = one[int(start * len(one)) : int(end * len(one))] * factor
        found[stream] = (part if decimals is None else np.round(part, decimals)).astype(np.float32)
    return found


@given(
    name=st.sampled_from([f"{exercise}-{who}" for exercise, who in product(_EXERCISES, (1, 2))]),
    start=st.floats(0, 0.35),
    end=st.floats(0.65, 1),
    written=st.sampled_from([(1.0, None), (1.0, 2), (1.0, 3), (1 / 9.80665, None), (1 / 9.80665, 3)]),
    later_ns=st.integers(-(10**15), 10**15),
)
@settings(max_examples=12)
def test_a_piece_shifted_rounded_and_rescaled_at_random_is_found(
    judged: Home,
    originals: dict[str, Values],
    name: str,
    start: float,
    end: float,
    written: tuple[float, int | None],
    later_ns: int,
) -> None:
    factor, decimals = written
    values = _altered(originals[name], start=start, end=end, decimals=decimals, factor=factor)
    copies = copies_of(judged, recorded("piece", values, participant="P009", start_ns=FIRST_NS + later_ns))
    (reason,) = copies.reasons["piece"]
    assert reason.code == "copy_of_other_participant"
    assert f"recording {name} of participant P00{name[-1]} in batch batch-1" in reason.sentence


@given(who=st.integers(3, 999), exercise=st.sampled_from(_EXERCISES), set_number=st.integers(2, 50))
@settings(max_examples=6)
def test_other_recordings_of_the_simulated_cohort_are_never_copies(
    judged: Home, who: int, exercise: str, set_number: int
) -> None:
    sets = [(1, set_number), (1, set_number + 1), (who, set_number)]
    others = [recorded(f"other-{one}-{number}", simulated(one, exercise, number)) for one, number in sets]
    assert copies_of(judged, *others).reasons == {}


def test_the_reason_tells_which_stretch_how_altered_and_how_far_away(judged: Home, originals: dict[str, Values]) -> None:
    piece = {"accelerometer": np.round(originals["walking-1"]["accelerometer"][100:400] / 9.80665, 3).astype(np.float32)}
    (reason,) = copies_of(judged, recorded("piece", piece, start_ns=FIRST_NS + 26 * 3600 * 10**9)).reasons["piece"]
    assert reason.code == "copy_of_recording"
    assert "the accelerometer values are a part (50 %, readings 101 to 400) of those of recording walking-1" in reason.sentence
    assert "multiplied by 0.102, rounded or altered by" in reason.sentence
    assert "stamped 26 h earlier: walking-1.zip::accelerometer.csv" in reason.sentence


def test_a_stretch_of_another_recording_inside_a_longer_one_is_told_with_its_readings(
    judged: Home, originals: dict[str, Values]
) -> None:
    spliced = simulated(5, "walking")["accelerometer"].copy()
    spliced[200:500] = originals["squat-2"]["accelerometer"][50:350]
    (reason,) = copies_of(judged, recorded("spliced", {"accelerometer": spliced})).reasons["spliced"]
    assert "readings 201 to 500 (50 %) of the accelerometer have the values of recording squat-2" in reason.sentence
    assert "(there 51 to 350)" in reason.sentence


def test_of_a_recording_and_its_piece_in_one_batch_the_whole_is_kept_whichever_came_first(home: Home) -> None:
    whole = simulated(1, "lunge")
    piece = _altered(whole, start=0.2, end=0.8, decimals=3, factor=1.0)
    reasons = copies_of(home, recorded("a-piece", piece, start_ns=FIRST_NS - 10**12), recorded("whole", whole)).reasons
    assert list(reasons) == ["a-piece"]


def test_recordings_of_a_device_that_lies_still_are_no_copies(home: Home) -> None:
    rng = np.random.default_rng(1)
    level = np.array([0, 0, 9.81])
    still = [np.round(rng.normal(0, 0.004, (900, 3)) + level, 2).astype(np.float32) for _ in range(6)]
    recordings = [recorded(f"still-{number}", {"accelerometer": one}) for number, one in enumerate(still)]
    assert copies_of(home, *recordings).reasons == {}


def test_two_overlapping_pieces_of_one_session_are_noticed(home: Home) -> None:
    session = simulated(3, "walking")["accelerometer"]
    parts = [recorded(f"part-{first}", {"accelerometer": session[first : first + 350]}) for first in (0, 200)]
    (reason,) = copies_of(home, *parts).reasons["part-200"]
    assert "readings 1 to 150 (42 %) of the accelerometer have the values of recording part-0" in reason.sentence


def test_neighbouring_pieces_of_one_session_are_no_copies(home: Home) -> None:
    session = simulated(3, "walking")["accelerometer"]
    parts = [recorded(f"part-{first}", {"accelerometer": session[first : first + 200]}) for first in (0, 200, 400)]
    assert copies_of(home, *parts).reasons == {}


def test_whoever_is_erased_goes_with_the_altered_pieces_of_their_recordings(judged: Home, originals: dict[str, Values]) -> None:
    piece = _altered(originals["squat-1"], start=0.1, end=0.9, decimals=3, factor=1.0)
    write_batch(judged, recorded("piece", piece), recorded("other", simulated(7, "squat")), batch_id="batch-2")
    assert recordings_alike({"squat-1", "lunge-1"}, _STUDY, judged) == {"piece"}
    assert recordings_alike({"piece"}, _STUDY, judged) == {"squat-1"}
    assert recordings_alike({"squat-2"}, _STUDY, judged) == recordings_alike([], _STUDY, judged) == set()
