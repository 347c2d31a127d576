"""What is drawn of a stream: around what is to be seen, inside its paper, no spike lost, and where the reason's matter lies."""

from __future__ import annotations

import numpy as np
import pytest

from quality.evidence import evidence_of
from quality.previews import HEIGHT, WIDTH, preview
from quality.reasons import Other, Shared, copy_reason, shared_readings
from studies.study import StreamContract
from tests.quality.conftest import CONTRACT
from tests.quality.test_report import wave

ACCELERATION = StreamContract.model_validate(CONTRACT["streams"]["accelerometer"])


def points_of(path: str) -> list[list[tuple[int, int]]]:
    pieces = [piece.split("L") for piece in path.split("M")[1:]]
    return [[(int(point.split()[0]), int(point.split()[1])) for point in piece] for piece in pieces]


def test_a_preview_is_drawn_around_the_longest_pause_and_never_across_it() -> None:
    drawn = preview(*wave(seconds=100, gap_s=7))
    assert drawn is not None and drawn.marked_s == pytest.approx(7.02)
    assert drawn.start_s == pytest.approx(43, abs=0.1) and drawn.end_s == pytest.approx(64, abs=0.1)
    left, width = drawn.marked_at
    for path in drawn.paths.values():
        before, after = points_of(path)
        assert max(x for x, _ in before) == pytest.approx(left, abs=1) and min(x for x, _ in after) == pytest.approx(
            left + width, abs=1
        )


def test_a_preview_of_a_regular_stream_shows_twenty_seconds_from_the_middle_inside_its_paper() -> None:
    drawn = preview(*wave(seconds=60))
    assert drawn is not None and drawn.marked_s == 0 and drawn.end_s - drawn.start_s == pytest.approx(20)
    points = [point for path in drawn.paths.values() for piece in points_of(path) for point in piece]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_a_spike_survives_thinning() -> None:
    times, values = wave(seconds=20, rate_hz=1000)
    values[12_345, 0] = 500
    drawn = preview(times, values)
    assert drawn is not None and drawn.high == 500
    (piece,) = points_of(drawn.paths["x"])
    assert len(piece) < 500 and min(y for _, y in piece) <= 4


def test_what_is_not_finite_is_left_out_and_nothing_is_drawn_of_a_single_reading() -> None:
    times, values = wave()
    values[::7] = np.nan
    drawn = preview(times, values)
    assert drawn is not None and "nan" not in "".join(drawn.paths.values())
    assert preview(times[:1], values[1:2]) is None


def test_what_is_marked_is_drawn_with_as_much_beside_it_and_an_instant_is_still_seen() -> None:
    times, values = wave(seconds=100)
    drawn = preview(times, values, (int(times[3000]), int(times[3500])))
    assert drawn is not None and (drawn.start_s, drawn.end_s, drawn.marked_s) == pytest.approx((50, 80, 10))
    assert drawn.marked_at == pytest.approx((WIDTH / 3, WIDTH / 3))
    instant = preview(times, values, (int(times[0]), int(times[0])))
    assert instant is not None and instant.marked_s == 0 and instant.marked_at == (0, 2)


def found(code: str, values: np.ndarray, *, sentence: str = "", place: str = "") -> tuple[float, float] | None:
    times, _ = wave(seconds=20)
    span = evidence_of(times, values, ACCELERATION, {"code": code, "sentence": sentence, "place": place})
    return span and ((span[0] - int(times[0])) / 1e9, (span[1] - int(times[0])) / 1e9)


def test_the_longest_held_stretch_is_found() -> None:
    _, values = wave(seconds=20)
    values[100:104], values[500:600] = values[100], values[500]
    assert found("readings_repeated", values) == pytest.approx((10, 11.98))


def test_the_longest_saturated_stretch_is_found() -> None:
    _, values = wave(seconds=20)
    values[100:110, 0] = values[700:750, 0] = 80
    assert found("saturated", values) == pytest.approx((14, 14.98))


def test_the_row_where_the_clock_goes_back_is_found() -> None:
    _, values = wave(seconds=20)
    assert found("time_backwards", values, place="a.csv row 52") == pytest.approx((0.98, 0.98))
    assert found("time_backwards", values, place="a.csv row 999999999") == pytest.approx((19.98, 19.98))


def test_the_copied_part_is_found_in_the_words_of_its_reason_and_a_whole_copy_has_none() -> None:
    _, values = wave(seconds=20)
    part = Shared("accelerometer", 10**9, rows=(101, 200), other_rows=(1, 100), share=0.1, other_share=0.5)
    reasons = [
        copy_reason(Other("r1", "P002", "b", "b.csv"), [one], participant="P001", source="a.csv", batch_id="b")
        for one in (part, Shared("accelerometer", 0))
    ]
    assert shared_readings(reasons[0].sentence) == (101, 200)
    assert found(reasons[0].code, values, sentence=reasons[0].sentence) == pytest.approx((2, 3.98))
    assert shared_readings(reasons[1].sentence) is None
    assert found(reasons[1].code, values, sentence=reasons[1].sentence) is None


def test_a_reason_about_the_whole_stream_has_no_stretch() -> None:
    assert found("rate_out_of_contract", wave(seconds=20)[1]) is None
