"""Repetitions counted in real sets, against marks made by hand and against what people do in a set."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.csv as pc
import pytest

from ml.preprocessing.repetitions import Repetitions, find_repetitions

pytestmark = pytest.mark.real

_RATE_HZ = 110.19
_SENSORS = {"accelerometer": "a", "gyroscope": "g"}
_MARKED = Path("squat_3imu", "labels")


def marked_sets(real: Path, number: str) -> Iterator[tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.int64]]]:
    """Streams of one of the three sensors, and first and last sample of every squat that was marked by hand."""
    with zipfile.ZipFile(real / "squat_3imu" / "raw.zip") as files:
        for path in sorted((real / _MARKED).glob("class*/*.json")):
            marks = json.loads(path.read_text())
            table = pc.read_csv(io.BytesIO(files.read(marks["source_file"])))
            streams = {
                sensor: np.stack([table[f"{number}_{letter}{axis}"].to_numpy() for axis in "xyz"], axis=1).astype(np.float32)
                for sensor, letter in _SENSORS.items()
            }
            yield streams, np.array([(window["start_sample"], window["end_sample"]) for window in marks["windows"]])


def found_in(streams: dict[str, npt.NDArray[np.float32]]) -> Repetitions:
    return find_repetitions(streams, rate_hz=_RATE_HZ, min_seconds=1, max_seconds=8)


@pytest.mark.parametrize("number", ["s0", "s1", "s2"])
def test_squats_are_counted_as_they_were_marked_by_hand_and_lie_there(real: Path, number: str) -> None:
    counted, overlap = [], []
    for streams, marked in marked_sets(real, number):
        found = found_in(streams)
        counted.append(len(found) == len(marked))
        if counted[-1]:
            end = found.first + found.steps
            shared = np.minimum(end, marked[:, 1]) - np.maximum(found.first, marked[:, 0])
            overlap.append(np.mean(shared / (np.maximum(end, marked[:, 1]) - np.minimum(found.first, marked[:, 0]))))
    assert len(counted) == 40
    assert np.mean(counted) >= 0.95
    assert np.mean(overlap) > 0.85
