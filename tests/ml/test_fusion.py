"""Two clocks of one session brought together by how the body goes up and down."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import make_interp_spline
from scipy.spatial.transform import Rotation

from ingestion.simulation.exercises.bout import Bout
from ingestion.simulation.people import person
from ingestion.simulation.poses.forms import posture
from ingestion.simulation.poses.physique import physique
from ingestion.simulation.poses.squatting import Performance
from ml.preprocessing.fusion import Motion, Offset, motion_of_body, motion_of_sensor, offset_between
from studies.skeletons import MEDIAPIPE

_FRAME_NS = 1e9 / 30
_ANKLES, _HIPS = ([MEDIAPIPE.index(f"{side}_{part}") for side in ("left", "right")] for part in ("ankle", "hip"))
_START_NS = 1_700_000_000_000_000_000


class Session:
    """One set of squats: a video of some of it, and a sensor at the hips that is mounted somehow."""

    def __init__(self, number: int, *, seconds: float = 20.0) -> None:
        who = person(4, number)
        self.rng = np.random.default_rng(number)
        t_s = np.arange(0, seconds, 1 / 200)
        bout = Bout(who, np.random.default_rng(number), t_s, 1.0, seconds - 1.5)
        body = Performance(physique(who), posture(who, "good", set_number=1), bout).landmarks()
        self.seconds = seconds
        self.height = make_interp_spline(t_s, body[:, _HIPS, 1].mean(axis=1) - body[:, _ANKLES, 1].mean(axis=1), k=5)
        self.hips = make_interp_spline(t_s, body[:, _HIPS].mean(axis=1), k=5)

    def video(self, *, first_s: float, last_s: float, noise_m: float = 0.006) -> tuple[npt.NDArray[np.int64], np.ndarray]:
        t_s = np.arange(first_s, last_s, 1 / 30)
        heights = self.height(t_s) + self.rng.normal(0, noise_m, len(t_s))
        return _START_NS + np.rint(t_s * 1e9).astype(np.int64), heights

    def sensor(self, offset_ns: int, *, noise: float = 0.15) -> tuple[npt.NDArray[np.int64], np.ndarray]:
        """Readings at 100 Hz by a clock that is `offset_ns` ahead of the video's."""
        t_s = np.arange(0.2, self.seconds - 0.2, 1 / 100)
        felt = self.hips.derivative(2)(t_s) + np.array([0, 9.80665, 0])
        turned = Rotation.random(random_state=3).apply(felt)
        t_ns = _START_NS + offset_ns + np.rint(t_s * 1e9).astype(np.int64)
        return t_ns, turned + self.rng.normal(0, noise, turned.shape)


def _found(session: Session, offset_ns: int, **part: float) -> Offset:
    video, sensor = motion_of_body(*session.video(**part)), motion_of_sensor(*session.sensor(offset_ns))
    assert video is not None
    assert sensor is not None
    found = offset_between(video, sensor)
    assert found is not None
    return found


@settings(deadline=None, max_examples=25)
@given(number=st.integers(1, 40), offset_ms=st.integers(-30_000, 30_000), first_s=st.floats(0, 3), last_s=st.floats(15, 20))
def test_a_known_offset_is_found_within_half_a_frame_under_noise(
    number: int, offset_ms: int, first_s: float, last_s: float
) -> None:
    found = _found(Session(number), offset_ms * 1_000_000, first_s=first_s, last_s=last_s)
    assert abs(found.offset_ns - offset_ms * 1_000_000) < _FRAME_NS / 2
    assert found.correlation > 0.7
    assert 0 < found.confidence < 1


def test_the_direction_of_gravity_is_used_where_a_device_tells_it() -> None:
    session = Session(2)
    t_ns, felt = session.sensor(0, noise=0.05)
    gravity = np.broadcast_to(Rotation.random(random_state=3).apply([0, 9.80665, 0]), felt.shape)
    told, guessed = motion_of_sensor(t_ns, felt, gravity), motion_of_sensor(t_ns, felt)
    assert told is not None
    assert guessed is not None
    np.testing.assert_allclose(told.values, guessed.values, atol=0.5)
    video = motion_of_body(*session.video(first_s=1, last_s=18))
    assert video is not None
    found = offset_between(video, told)
    assert found is not None
    assert abs(found.offset_ns) < _FRAME_NS / 2


def test_frames_without_anybody_are_no_motion() -> None:
    session = Session(5)
    t_ns, heights = session.video(first_s=0, last_s=19)
    seen = (np.arange(len(t_ns)) % 200 > 12) | (np.arange(len(t_ns)) < 100)
    motion, sensor = motion_of_body(t_ns[seen], heights[seen]), motion_of_sensor(*session.sensor(5_000_000_000))
    assert motion is not None
    assert sensor is not None
    found = offset_between(motion, sensor)
    assert found is not None
    assert abs(found.offset_ns - 5_000_000_000) < _FRAME_NS / 2


def test_evenly_repeated_movement_could_be_one_repetition_off_and_says_so() -> None:
    t_s = np.arange(0, 20, 1 / 60)
    even = np.sin(2 * np.pi * 0.5 * t_s)
    uneven = np.sin(2 * np.pi * (0.3 * t_s + 0.02 * t_s**2))
    sure = [offset_between(Motion(0, values[300:900]), Motion(0, values)) for values in (even, uneven)]
    assert all(found is not None for found in sure)
    assert sure[0].confidence < 0.05 < 0.3 < sure[1].confidence  # type: ignore[union-attr]
    assert sure[1].offset_ns == pytest.approx(5e9, abs=_FRAME_NS / 4)  # type: ignore[union-attr]


def test_a_sensor_that_moves_otherwise_is_not_believed() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (2, 1200))
    smooth = [Motion(0, np.convolve(row, np.hanning(15), "same")) for row in noise]
    found = offset_between(*smooth)
    assert found is not None
    assert found.confidence < 0.1


def test_what_stands_still_or_is_too_short_has_no_offset() -> None:
    t_ns = np.arange(200, dtype=np.int64) * 33_333_333
    still = motion_of_body(t_ns, np.ones(200))
    assert still is not None
    assert offset_between(still, still) is None
    assert motion_of_body(t_ns[:60], np.ones(60)) is None
    assert motion_of_sensor(t_ns[:1], np.ones((1, 3))) is None
