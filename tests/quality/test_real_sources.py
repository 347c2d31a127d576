"""Every real recording is accepted with streams, rates and units as measured by hand, or set aside with the right reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quality.copies import COPY_CODES
from tests.benchmarks.real_recordings import Told, alike, judge_source, table_of, told
from warehouse.home import Home
from warehouse.lake import Lake

pytestmark = [pytest.mark.real, pytest.mark.slow]

_SI = {
    "accelerometer": "m/s^2",
    "gravity": "m/s^2",
    "linear_acceleration": "m/s^2",
    "gyroscope": "rad/s",
    "magnetometer": "uT",
    "orientation": "quaternion",
}


@pytest.fixture
def judged(real: Path, home: Home, tmp_path: Path, request: pytest.FixtureRequest) -> list[Told]:
    """The recordings of the study that the test names as its parameter, judged in the test's home."""
    judge_source(request.param, real, home, scratch=tmp_path)
    return told(request.param, home)


def of(study: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("judged", [study], indirect=True)


def verdicts(recordings: list[Told]) -> Counter[tuple[str, ...]]:
    return Counter(one.verdict for one in recordings)


def sensors(recordings: list[Told]) -> Counter[tuple[str, ...]]:
    assert {_SI[stream.partition("@")[0]] == unit for one in recordings for stream, unit in one.streams} == {True}
    return Counter(tuple(stream for stream, _ in one.streams) for one in recordings)


def rates(recordings: list[Told], stream: str) -> list[float]:
    return [rate for one in recordings for (name, _), (rate, _, _) in zip(one.streams, one.rates, strict=True) if name == stream]


def gaps(home: Home, stream: str) -> list[float]:
    found = Lake(home).read("gaps")
    return sorted(found.filter(pc.equal(found["stream"], stream))["seconds"].to_pylist())


@of("barbell")
def test_barbell_all_fifty_nine_files_of_one_participant_and_five_recordings_of_two_others_are_copies(
    judged: list[Told], home: Home
) -> None:
    assert verdicts(judged) == {
        (): 59,
        ("copy_of_other_participant",): 29,
        ("copy_of_other_participant", "stream_missing"): 1,
        ("copy_of_recording",): 5,
    }
    by_participant = _participants_of_copies(home)
    assert by_participant.pop("E") == 59
    assert set(by_participant) == {"A", "C"} and sum(by_participant.values()) == 2 * 5
    assert rates(judged, "accelerometer") == pytest.approx([12.5] * 94, abs=0.1)
    assert rates(judged, "gyroscope") == pytest.approx([25.0] * 93, abs=0.1)
    assert sensors(judged) == {("accelerometer", "gyroscope"): 93, ("accelerometer",): 1}
    for stream in ("accelerometer", "gyroscope"):
        assert len(gaps(home, stream)) == 6
    assert gaps(home, "accelerometer")[-1] == pytest.approx(3.52)
    shifted = [one for one in judged if "clock_shifted" in one.said]
    assert len(shifted) == 35 and all(set(one.verdict) & set(COPY_CODES) for one in shifted)


def _participants_of_copies(home: Home) -> Counter[str]:
    """Count the files of recordings that are copies, by participant."""
    lake = Lake(home)
    verdict = lake.read("verdicts").to_pylist()
    copies = {row["recording_id"] for row in verdict if {reason["code"] for reason in row["reasons"]} & set(COPY_CODES)}
    files = lake.read("files")
    return Counter(files.filter(pc.is_in(files["recording_id"], pa.array(sorted(copies))))["participant"].to_pylist())


@of("phone_activities")
def test_phones_are_read_with_their_own_sensors_and_rates_and_none_is_a_copy(judged: list[Told], home: Home) -> None:
    assert verdicts(judged) == {(): 38}
    android = ("accelerometer", "gyroscope", "linear_acceleration")
    assert sensors(judged) == {
        android: 25,
        ("accelerometer", "gravity", "gyroscope", "linear_acceleration", "magnetometer", "orientation"): 13,
    }
    of_android = [one for one in judged if len(one.streams) == 3]
    of_ios = [one for one in judged if len(one.streams) == 6]
    for stream in android:
        assert rates(of_android, stream) == pytest.approx([99.56] * 25, abs=0.1)
        assert rates(of_ios, stream) == pytest.approx([99.9] * 13, abs=0.1)
    assert len(gaps(home, "gyroscope")) == 31
    assert gaps(home, "gyroscope")[-1] == pytest.approx(0.110, abs=1e-3)
    assert all("private_left_out" in one.said for one in of_ios)


@of("falls")
def test_falls_without_names_and_headers_are_read_as_the_study_says(judged: list[Told]) -> None:
    assert verdicts(judged) == {(): 3}
    assert sensors(judged) == {("linear_acceleration",): 2, ("gyroscope", "orientation"): 1}
    for stream in ("linear_acceleration", "gyroscope", "orientation"):
        assert rates(judged, stream) == pytest.approx([99.96] * len(rates(judged, stream)), abs=0.1)
    assert sum("header_inferred" in one.said for one in judged) == 1


@of("squat_form")
def test_squats_only_lack_a_label_where_they_have_none_and_none_is_a_copy(judged: list[Told], home: Home) -> None:
    assert verdicts(judged) == {(): 40, ("label_missing",): 4}
    ((held, recordings),) = sensors(judged).items()
    places = ("calf", "thigh", "waist")
    assert recordings == 44
    assert held == tuple(f"{sensor}@{place}" for sensor in ("accelerometer", "gyroscope") for place in places)
    means = sorted(mean for one in judged for _, _, mean in one.rates)
    assert means[len(means) // 2] == pytest.approx(110.19, abs=0.1)
    assert (means[0], means[-1]) == pytest.approx((109.05, 110.30), abs=0.01)
    assert gaps(home, "gyroscope@calf")[-1] == pytest.approx(0.238)
    assert all({"clock_chosen", "annotation_rate_wrong"} <= set(one.said) for one in judged)


@of("gait")
def test_gait_has_the_one_pair_of_equal_files_that_is_here(judged: list[Told], home: Home) -> None:
    assert verdicts(judged) == {(): 161, ("copy_of_recording",): 1}
    assert [Path(one.recordings[0]).stem for one in judged if one.verdict] in (["wy_nb40"], ["wy_nb41"])
    assert sensors(judged) == {("accelerometer", "gyroscope"): 162}
    for stream in ("accelerometer", "gyroscope"):
        assert rates(judged, stream) == pytest.approx([50] * 162, abs=0.1)
        assert gaps(home, stream) == []


def test_fitness_sets_are_taken_once_though_they_lie_there_three_times(real: Path, home: Home, tmp_path: Path) -> None:
    left_out = judge_source("fitness_ble", real, home, scratch=tmp_path)
    assert Counter(Path(path).parent.name for path in left_out) == {"merged": 23, "data": 1, "": 1}
    judged = told("fitness_ble", home)
    assert verdicts(judged) == {(): 140}
    assert sensors(judged) == {("accelerometer", "gyroscope", "magnetometer"): 140}
    assert rates(judged, "magnetometer") == pytest.approx([2] * 140)


@of("clinical")
def test_clinical_loggers_are_read_at_the_rates_of_their_own_clocks(judged: list[Told]) -> None:
    assert verdicts(judged) == {(): 3}
    assert sensors(judged) == {("accelerometer",): 3}
    assert {one.format: rates([one], "accelerometer")[0] for one in judged} == pytest.approx(
        {"axivity": 98.82, "geneactiv": 85.7, "actigraph": 30}, abs=0.1
    )
    (line,) = alike([one for one in judged if one.format == "geneactiv"])
    assert {"blocks_damaged", "tail_cut"} <= set(line.said)
    assert table_of(judged).row_count == 3
