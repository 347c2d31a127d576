"""The page of a clip: which moments it shows, what is drawn over them, what it tells of body, clip and verdict."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from quality.clip_page import Opinion, Stills, page_of, remove_pages, write_clip_page
from quality.clips import Clip, clips_of
from quality.curves import HEIGHT, curves_of
from quality.judging import judge_batch
from quality.strips import MOST, moments_of, strip_of
from studies.study import Study
from tests.ingestion.pose_files import landmarks
from tests.quality.conftest import FIRST_NS, Recorded, write_batch
from tests.quality.test_report import HOSTILE, Page
from tests.quality.test_report import page_of as report_of
from warehouse.home import Home
from warehouse.lake import Lake
from warehouse.schemas import TABLES

_STEP_NS = 40_000_000
_FRAMES = 200
_VIDEO = {"codec": "h264", "width": 640, "height": 480, "rotation": 0, "frames": _FRAMES, "rate_hz": 25.0, "jitter": 0.0}
_VIDEO |= {"dropped": 3, "frozen": 0, "damaged": 0, "frames_without_person": 20, "frames_with_several": 0, "person_changes": 0}
_VIDEO |= {"landmarks_seen": 0.9, "duration_s": 7.96}


def _write(home: Home, recorded: Recorded, *, squats: int = 2, batch_id: str = "batch-1") -> None:
    """A recording of somebody who is not seen in the first 20 frames, with so many squats of 2 s."""
    lake, where = Lake(home), {"batch_id": batch_id}
    own = {"recording_id": recorded.name, "participant": recorded.participant}
    times = FIRST_NS + np.arange(_FRAMES) * _STEP_NS
    bodies = landmarks(_FRAMES) * [1, -1, -1]
    seen = np.arange(_FRAMES) >= 20
    poses = [
        {
            **own,
            "source": f"{recorded.name}.zip",
            "frame": number,
            "t_ns": int(times[number]),
            "landmarks": bodies[number].ravel().tolist() if seen[number] else None,
            "image": (bodies[number] * [0.2, -0.2, 0] + 0.5).ravel().tolist() if seen[number] else None,
            "visibility": [0.9] * 33 if seen[number] else None,
        }
        for number in range(_FRAMES)
    ]
    knee = 120 + 50 * np.cos(np.arange(_FRAMES) / 25 * np.pi)
    angles = [
        {**own, "t_ns": int(at), "left_knee_deg": angle, "right_knee_deg": angle - 5, "hip_height_m": angle / 200}
        for at, angle in zip(times[20:], knee[20:], strict=True)
    ]
    found = [
        {
            **own,
            "repetition": number + 1,
            "source": "found",
            "confidence": 0.9,
            "depth": 0.4,
            "knee_deg": 70.0,
            "hip_height_m": 0.35,
        }
        | {
            name: FIRST_NS + int((2 * number + at) * 1e9)
            for name, at in {"start_ns": 0.9, "deepest_ns": 1.5, "end_ns": 2.1}.items()
        }
        for number in range(squats)
    ]
    video = [{**own, "source": f"{recorded.name}.zip", **_VIDEO}]
    for name, rows in {"poses": poses, "joint_angles": angles, "squats": found, "videos": video}.items():
        schema = TABLES[name].schema
        lake.replace(name, pa.Table.from_pylist([{**where, **row} for row in rows], schema), where=where)


def _clip(home: Home, study: Study, recorded: Recorded | None = None, *, squats: int = 2, judged: bool = False) -> Clip:
    recorded = recorded or Recorded("clip-1")
    write_batch(home, recorded)
    _write(home, recorded, squats=squats)
    if judged:
        judge_batch("batch-1", study, home)
    (clip,) = clips_of("batch-1", study, Lake(home))
    return clip


def _page(clip: Clip, study: Study, home: Home, stills: Stills | None = None, opinions: tuple[Opinion, ...] = ()) -> Page:
    stills = stills or Stills({}, "no frame")
    page = write_clip_page(clip, study, home, moments=moments_of(clip), stills=stills, opinions=opinions)
    return Page(page.read_text(encoding="utf-8"))


def _pictures(clip: Clip) -> dict[int, np.ndarray]:
    noise = np.random.default_rng(0)
    frames = [int(clip.frame[moment.row]) for moment in moments_of(clip)]
    return {frame: noise.integers(0, 255, (480, 640, 3)).astype(np.uint8) for frame in frames}


def test_the_ends_of_the_clip_and_the_deepest_point_of_every_squat_are_shown(home: Home, study: Study) -> None:
    moments = moments_of(_clip(home, study))
    assert [moment.words for moment in moments if "deepest" in moment.words] == [
        "squat 1, deepest: knee 70°",
        "squat 2, deepest: knee 70°",
    ]
    assert (moments[0].words, moments[-1].words) == ("first seen", "last seen")
    assert 5 <= len(moments) <= MOST


@pytest.mark.parametrize("squats", [0, 1, 3])
def test_a_strip_has_five_to_eight_frames_however_many_squats_there_are(home: Home, study: Study, squats: int) -> None:
    moments = moments_of(_clip(home, study, squats=squats))
    rows = [moment.row for moment in moments]
    assert 5 <= len(moments) <= MOST and rows == sorted(rows)


def test_pictures_are_small_and_every_skeleton_lies_on_its_body(home: Home, study: Study) -> None:
    clip = _clip(home, study)
    strip = strip_of(clip, moments_of(clip), _pictures(clip))
    assert 20_000 < sum(len(shot.uri) for shot in strip.shots) < 400_000
    places = np.array([point for shot in strip.shots for bone in shot.bones for point in (bone.start, bone.end)])
    assert (places > 0).all() and (places < (strip.width, strip.height)).all()
    assert {bone.side for bone in strip.shots[0].bones} == {"left", "right", "middle"}


def test_a_body_that_sinks_is_seen_to_sink_on_black_too(home: Home, study: Study) -> None:
    clip = _clip(home, study)
    strip = strip_of(clip, moments_of(clip), {})
    assert all(not shot.uri for shot in strip.shots)
    feet = [max(max(bone.start[1], bone.end[1]) for bone in shot.bones) for shot in strip.shots]
    heads = [min(min(bone.start[1], bone.end[1]) for bone in shot.bones) for shot in strip.shots]
    assert np.ptp(feet) < 0.1 * strip.height < np.ptp(heads)


@pytest.mark.parametrize("there", [np.arange(33) > 10, np.arange(33) % 2 == 0, np.arange(33) == 7])
def test_poses_that_lack_landmarks_are_drawn_with_what_they_have(home: Home, study: Study, there: np.ndarray) -> None:
    clip = _clip(home, study)
    lacking = replace(clip, world=np.where(there[:, np.newaxis], clip.world, np.nan))
    of_picture_only = replace(
        lacking, world=np.full_like(clip.world, np.nan), image=np.where(there[:, np.newaxis], clip.image, np.nan)
    )
    for poses in (lacking, of_picture_only):
        strip = strip_of(poses, moments_of(poses), {})
        ends = [end for shot in strip.shots for bone in shot.bones for end in (bone.start, bone.end)]
        assert all(0 < x < strip.width and 0 < y < strip.height for x, y in ends)
        assert len(strip.shots[0].bones) <= 20 and bool(ends) == (there.sum() > 1)


def test_curves_have_the_squats_where_the_knees_are_bent_most(home: Home, study: Study) -> None:
    curves = curves_of(_clip(home, study))
    assert curves is not None
    assert [span.repetition for span in curves.spans] == [1, 2]
    assert all(span.left < span.deepest < span.right for span in curves.spans)
    assert set(curves.knee.paths) == {"left", "right"}
    numbers = [float(number) for number in re.findall(r"\d+", curves.knee.paths["left"])]
    assert min(numbers[1::2]) >= 0 and max(numbers[1::2]) <= HEIGHT


def test_a_line_breaks_where_nobody_was_seen(home: Home, study: Study) -> None:
    clip = _clip(home, study)
    gone = clip.angles.to_pylist()
    torn = pa.Table.from_pylist([row for number, row in enumerate(gone) if not 50 < number < 80], clip.angles.schema)
    whole, broken = curves_of(clip), curves_of(replace(clip, angles=torn))
    assert whole is not None and broken is not None
    assert (whole.knee.paths["left"].count("M"), broken.knee.paths["left"].count("M")) == (1, 2)


def test_the_page_tells_clip_squats_champion_and_verdict(home: Home, study: Study) -> None:
    opinion = Opinion("hops.form, version 3", "good, says it.", {2: ("good", 0.91)})
    page = _page(_clip(home, study, judged=True), study, home, opinions=(opinion,))
    assert "accepted 2 squats" in page.words and "Nothing was found against it." in page.words
    assert (
        "640 × 480 pixels, h264" in page.words and "200 in 7.96 s, 25 a second" in page.words and "20 of 200 frames" in page.words
    )
    assert "1 0.9 s 2.1 s 1.5 s 70° 0.35 m 40 % not judged" in page.words
    assert "2 2.9 s 4.1 s 3.5 s 70° 0.35 m 40 % good 91 %" in page.words
    assert "good, says it." in page.words


def test_a_recording_that_was_set_aside_says_why_and_text_from_outside_stays_text(home: Home, study: Study) -> None:
    error = {"severity": "error", "code": "person_missing", "sentence": f"nobody {HOSTILE}", "remedy": "film again"}
    page = _page(_clip(home, study, Recorded("clip-1", findings=(error,)), squats=0, judged=True), study, home)
    assert "set aside No squat deep enough was found" in page.words
    assert "What to do: film again" in page.words and HOSTILE in page.words
    assert "script" not in page.tags


def test_the_report_of_the_batch_leads_to_the_page_and_no_page_outlives_its_recording(home: Home, study: Study) -> None:
    clip = _clip(home, study)
    _page(clip, study, home)
    report = report_of(home, study)
    assert ("href", "batch-1/clip-1.html") in report.attributes
    assert "200 in 7.96 s, 25 a second, 3 dropped" in report.words
    remove_pages("batch-1", home, besides=["clip-1"])
    assert page_of("batch-1", "clip-1", home).is_file()
    remove_pages("batch-1", home)
    assert not page_of("batch-1", "clip-1", home).exists()
