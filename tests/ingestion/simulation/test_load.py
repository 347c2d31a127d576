"""Long recordings: as many rows as asked, even across stretches, the same every time, and known to the readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingestion.readers import DeviceFile, known_by_content
from ingestion.recording import Reading
from ingestion.simulation import load, write_long_recording

DEVICES = ["sensor_logger_android", "sensor_logger_ios", "metabase"]
HOURS = 0.02  # 7,200 rows at 100 Hz


def read_back(paths: tuple[Path, ...]) -> Reading:
    files = [DeviceFile.at(path) for path in paths]
    reader = known_by_content(files[0])
    assert reader is not None
    return reader.read(files)


@pytest.mark.parametrize("device", DEVICES)
def test_all_rows_are_there_and_no_step_shows_where_stretches_meet(
    tmp_path: Path, device: load.LongDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_STRETCH_ROWS", 999)
    reading = read_back(write_long_recording(tmp_path, device=device, hours=HOURS))
    assert not [finding for finding in reading.findings if finding.severity == "error"]
    assert {"accelerometer", "gyroscope"} <= {stream.name for stream in reading.streams}
    for stream in reading.streams:
        assert len(stream.t_ns) == 7200 and set(np.diff(stream.t_ns).tolist()) == {10_000_000}
    force = next(stream.values for stream in reading.streams if stream.name == "accelerometer")
    assert np.median(np.linalg.norm(force, axis=1)) == pytest.approx(9.8, abs=0.5)


def test_the_minute_returns_but_never_with_the_same_noise(tmp_path: Path) -> None:
    reading = read_back(write_long_recording(tmp_path, device="metabase", hours=HOURS))
    turning = next(stream.values for stream in reading.streams if stream.name == "gyroscope")
    first, later = turning[:1200], turning[6000:]
    assert np.corrcoef(first[:, 0], later[:, 0])[0, 1] > 0.9 and np.mean(first == later) < 0.2


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, device: load.LongDevice) -> None:
    first, again, other = (
        b"".join(
            path.read_bytes() for path in write_long_recording(tmp_path / str(number), device=device, hours=0.005, seed=seed)
        )
        for number, seed in enumerate((1, 1, 2))
    )
    assert first == again != other


def test_jitter_is_as_large_as_asked_and_the_manifest_lists_the_files(tmp_path: Path) -> None:
    paths = write_long_recording(tmp_path, device="sensor_logger_android", hours=HOURS, jitter_s=0.0015)
    stream = read_back(paths).streams[0]
    late = stream.t_ns - stream.t_ns[0] - np.arange(len(stream.t_ns)) * 10_000_000
    assert late.std() / 1e9 == pytest.approx(0.0015, rel=0.1)
    assert (tmp_path / "manifest.csv").read_text().splitlines() == ["path,participant,label", f"{paths[0].name},P001,walking"]
