"""Single frames out of a clip: the right ones, without a face that anybody could recognise, or none at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import laplace

from ingestion.video.faces import FACE, SETTING, Picture, Seen, face_disc
from ingestion.video.stills import read_stills
from studies.skeletons import MEDIAPIPE
from tests.ingestion.clips import as_file, clip
from warehouse.errors import UnreadableFile

_HEIGHT, _WIDTH = 320, 192


def _noise(number: int) -> Picture:
    """A picture that is full of detail, the brighter the later it comes."""
    fine = np.random.default_rng(number).integers(0, 120, (_HEIGHT // 2, _WIDTH // 2, 3)).repeat(2, 0).repeat(2, 1)
    return (fine + 10 * number).astype(np.uint8)


def _body(*, profile: bool = False) -> Seen:
    """Somebody upright in the middle of the picture: head at a sixth of its height, feet at nine tenths."""
    image = np.zeros((33, 3))
    for number, name in enumerate(MEDIAPIPE):
        side = 0.0 if profile else {"left": 1.0, "right": -1.0}.get(name.split("_")[0], 0.0)
        part = name.rpartition("_")[2] if number not in FACE else "face"
        height = {"face": 0.16, "shoulder": 0.27, "elbow": 0.4, "wrist": 0.5, "hip": 0.52, "knee": 0.7, "ankle": 0.88}.get(
            part, 0.9
        )
        width = 0.03 + 0.003 * number if part == "face" else 0.12
        image[number, :2] = 0.5 + width * side, height
    return Seen(image, np.full(33, 0.9))


def _detail(picture: Picture, where: npt.NDArray[np.bool_]) -> float:
    return float(laplace(picture.astype(float).mean(axis=2))[where].var())


def _within(seen: Seen, share: float) -> npt.NDArray[np.bool_]:
    middle, radius = face_disc(seen.image[:, :2] * (_WIDTH, _HEIGHT), _WIDTH)
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH]
    found: npt.NDArray[np.bool_] = np.hypot(x - middle[0], y - middle[1]) < share * radius
    return found


@pytest.fixture(scope="module")
def content() -> bytes:
    return clip([_noise(number) for number in range(12)])


def _stills(content: bytes, wanted: dict[int, Seen], *, several: bool = False) -> dict[int, Picture]:
    return read_stills(as_file(content), wanted, several=several)


def test_the_frames_that_were_asked_for_come_and_no_others(content: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(SETTING, "off")
    stills = _stills(content, dict.fromkeys((0, 3, 4, 5, 6, 7, 11), _body()))
    assert sorted(stills) == [0, 3, 4, 5, 6, 7, 11]
    assert [np.abs(still - _noise(number).astype(float)).mean() < 15 for number, still in stills.items()] == [True] * 7


@pytest.mark.parametrize("profile", [False, True])
def test_of_a_face_and_of_what_lies_around_the_body_no_detail_is_left(
    content: bytes, profile: bool, monkeypatch: pytest.MonkeyPatch
):
    seen = _body(profile=profile)
    hidden = _stills(content, {5: seen})[5]
    monkeypatch.setenv(SETTING, "off")
    plain = _stills(content, {5: seen})[5]
    face, body = _within(seen, 1.0), ~_within(seen, 1.25)
    assert _detail(plain, face) > 100
    assert _detail(hidden, face) < 0.01 * _detail(plain, face)
    assert np.abs(hidden.astype(int) - plain)[face].mean() > 5
    waist = np.zeros_like(face)
    waist[130:160, 92:100] = True
    assert (hidden == plain)[waist & body].all()
    edge = np.zeros_like(face)
    edge[:, :15] = True
    assert _detail(hidden, edge) < 0.02 * _detail(plain, edge)


def test_the_disc_holds_the_whole_head_of_somebody_seen_from_the_side():
    for seen in (_body(), _body(profile=True)):
        middle, radius = face_disc(seen.image[:, :2] * (_WIDTH, _HEIGHT), _WIDTH)
        chin_to_crown = 0.13 * 0.75 * _HEIGHT  # an eighth of the body
        assert radius > 0.75 * chin_to_crown
        assert middle[1] + radius > (0.16 + 0.05) * _HEIGHT


def test_a_frame_is_not_given_where_it_is_not_known_where_a_face_is(content: bytes):
    no_ear, unsure = _body(), Seen(_body().image, np.full(33, 0.2))
    no_ear.image[MEDIAPIPE.index("left_ear")] = np.nan
    nobody = Seen(np.full((33, 3), np.nan), np.full(33, np.nan))
    assert sorted(_stills(content, {1: no_ear, 2: unsure, 3: nobody, 4: _body()})) == [4]
    assert _stills(content, {4: _body()}, several=True) == {}


def test_anything_but_off_hides_faces(content: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(SETTING, "of")
    assert _stills(content, {4: _body()}, several=True) == {}
    monkeypatch.setenv(SETTING, "Off")
    assert sorted(_stills(content, {4: _body()}, several=True)) == [4]


def test_a_damaged_clip_is_refused_in_words(content: bytes):
    with pytest.raises(UnreadableFile, match="cannot be opened as a video"):
        _stills(content[: len(content) // 2], {1: _body()})
