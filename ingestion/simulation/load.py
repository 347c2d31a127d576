"""Recordings of hours, for load tests: written fast, a stretch at a time, in the devices' own formats.

Belongs here: only what makes them long. A minute of real movement is repeated, with new noise in every repetition;
everything about formats is in `sensor_logger` and `metabase`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from ingestion.recording import Stream
from ingestion.simulation import metabase, sensor_logger
from ingestion.simulation.instruments import Capture, device_of
from ingestion.simulation.people import generator, person
from ingestion.simulation.sensing import simulate_recording

LongDevice = Literal["sensor_logger_android", "sensor_logger_ios", "metabase"]

_STARTED_NS = 1_768_204_800_000_000_000  # 2026-01-12 08:00 UTC
_FIRST_NS = _STARTED_NS + 50_000_000  # of every stream
_MINUTE_S = 60
_STRETCH_ROWS = 200_000
_WORKERS = 2  # stretches rendered at once; Arrow lets go of the interpreter while it writes numbers
_NOISE = 0.03


def write_long_recording(
    folder: Path, *, device: LongDevice, hours: float, rate_hz: float = 100.0, jitter_s: float = 0.0, seed: int = 0
) -> tuple[Path, ...]:
    """Write one recording of somebody walking for `hours`, and a manifest for it.

    Parameters
    ----------
    folder : Path
        Made if it is not there; the manifest in it is replaced.
    device : str
        ``sensor_logger_android`` and ``sensor_logger_ios`` write one zip, ``metabase`` a CSV for each sensor.
    hours : float
        Length; memory needed does not depend on it.
    rate_hz : float
        Rate of every stream.
    jitter_s : float
        Standard deviation of single readings around the even clock.
    seed : int
        The same seed writes the same bytes.

    Returns
    -------
    tuple of Path
        The device's files, the manifest left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = _Source(device.removeprefix("sensor_logger_"), hours=hours, rate_hz=rate_hz, jitter_s=jitter_s, seed=seed)
    paths = _write_metabase(folder, source) if device == "metabase" else (_write_sensor_logger(folder, source),)
    lines = "".join(f"{path.name},{source.start.participant},walking\n" for path in paths)
    (folder / "manifest.csv").write_text(f"path,participant,label\n{lines}", encoding="utf-8")
    return paths


class _Source:
    """The long recording, never held as a whole: a minute of every stream, and stretches made from it."""

    def __init__(self, system: str, *, hours: float, rate_hz: float, jitter_s: float, seed: int) -> None:
        who = person(seed, 1)
        placement = "lower_back" if system == "metabase" else "front_pocket"
        truth = simulate_recording(who, "walking", placement=placement, seconds=_MINUTE_S, rate_hz=rate_hz)
        self._minute = {name: values.astype(np.float32) for name, values in truth.streams.items()}
        self._key, self._step_ns, self._jitter_ns = who.key, round(1e9 / rate_hz), jitter_s * 1e9
        self._rows = round(hours * 3600 * rate_hz)
        title = f"{who.participant}-walking-1" if system == "metabase" else "walking_1"
        device = device_of(who, system)
        streams = {
            name: Stream(name, np.empty(0, np.int64), self._minute[name][:0], title, rate_hz) for name in device.model.clocks
        }
        self.start = Capture(title, who.participant, device, _STARTED_NS, streams)

    def stretches(self, name: str) -> Iterator[Stream]:
        """The stream, a stretch after the other, in order of time."""
        for first in range(0, self._rows, _STRETCH_ROWS):
            index = np.arange(first, min(first + _STRETCH_ROWS, self._rows))
            rng = generator(self._key, "stretch", name, first)
            minute = self._minute[name]
            values = minute[index % len(minute)]
            values += rng.standard_normal(values.shape, dtype=np.float32) * np.float32(0 if name == "orientation" else _NOISE)
            late = rng.normal(0, self._jitter_ns, len(index)).astype(np.int64) if self._jitter_ns else 0
            yield replace(self.start.streams[name], t_ns=_FIRST_NS + index * self._step_ns + late, values=values)


def _write_metabase(folder: Path, source: _Source) -> tuple[Path, ...]:
    paths = []
    for name in source.start.streams:
        path = folder / metabase.file_name(source.start, name)
        with path.open("wb") as file:
            file.write(metabase.header(name))
            file.writelines(_rendered(source.stretches(name), partial(metabase.rows, first_ns=_FIRST_NS)))
        paths.append(path)
    return tuple(paths)


def _write_sensor_logger(folder: Path, source: _Source) -> Path:
    system = source.start.device.model.system
    path = folder / sensor_logger.file_name(source.start)
    with zipfile.ZipFile(path, "w") as archive:
        for member, table in sensor_logger.TABLES[system].items():
            with archive.open(sensor_logger.entry(f"{member}.csv"), "w", force_zip64=True) as file:
                file.write(sensor_logger.header(table))
                file.writelines(
                    _rendered(source.stretches(table.stream), partial(sensor_logger.rows, table, started_ns=_STARTED_NS))
                )
        archive.writestr(sensor_logger.entry("Metadata.csv"), sensor_logger.metadata(source.start))
        for member in sensor_logger.SILENT[system]:
            archive.writestr(sensor_logger.entry(f"{member}.csv"), b"")
    return path


def _rendered(stretches: Iterator[Stream], render: Callable[[Stream], bytes]) -> Iterator[bytes]:
    """Texts of the stretches in their order, a few at a time in threads."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        while few := tuple(islice(stretches, _WORKERS)):
            yield from pool.map(render, few)
