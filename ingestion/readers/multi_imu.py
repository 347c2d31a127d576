"""Reads CSVs of devices with several motion sensors and two clocks: the device's milliseconds, and the host's time of arrival.

Columns are ``timestamp`` (host, ISO 8601, local), ``seq``, ``millis`` (device) and ``<sensor>_<a|g|m><x|y|z>`` in m/s², rad/s and
µT. Each sensor's streams are named after where the study says it sits. Packets arrive late and in bursts, so time is the
device's, set to the host's by the median of their difference; a lost packet is a jump of ``seq`` and stays a hole.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.clock import drift_ppm, stops
from ingestion.readers import csv_columns, export
from ingestion.readers.interface import DeviceFile, Hints, Reader
from ingestion.readers.local_time import in_utc
from ingestion.readers.text_table import Layout, TextTable
from ingestion.readers.time_text import believable
from ingestion.recording import Finding, Reading, Repair, Stream
from ingestion.spool import Growing
from studies.sensors import stream_name, unit_of
from warehouse.errors import Reason, UnreadableFile

NAME = "multi_imu"

_HOST, _SEQ, _DEVICE = "timestamp", "seq", "millis"
_AXIS = re.compile(r"(\w+)_([agm])([xyz])")
_KINDS: Mapping[str, str] = {"a": "accelerometer", "g": "gyroscope", "m": "magnetometer"}
_NS_PER_MS = 1_000_000
#: The device counts milliseconds in 32 bits: after 49.7 days it begins again.
_WRAP_MS = 1 << 32
#: No packet is overtaken by more: a device's clock that goes back further was started again.
_RESTART_MS = 1_000

#: A column with so many different values is no constant.
_VARYING = 2

_Ints = npt.NDArray[np.int64]

_Sensor = tuple[str, str]
"""The device's name for a sensor, and the letter of its kind."""


class _Gathering:
    """Rows of a file, gathered block by block: both clocks as written, the packets' numbers, and the axes of each sensor."""

    def __init__(self, sensors: Mapping[_Sensor, Sequence[str]], others: Sequence[str], folder: Path | None) -> None:
        self.host, self.seq, self.millis = (Growing(np.int64, folder=folder) for _ in range(3))
        self.values = {sensor: Growing(np.float32, len(axes), folder=folder) for sensor, axes in sensors.items()}
        self.seen: dict[str, set[str]] = {name: set() for name in others}
        self.local = False
        self._sensors = sensors

    def add(self, batch: pa.RecordBatch, table: TextTable) -> None:
        """Append a block."""
        done = self.host.rows
        host_ns, self.local = believable(batch[_HOST], "iso", place=lambda at: table.place(done + at, _HOST))
        self.host.add(host_ns)
        self.seq.add(batch[_SEQ].to_numpy())
        self.millis.add(batch[_DEVICE].to_numpy())
        for sensor, axes in self._sensors.items():
            self.values[sensor].add(np.column_stack([batch[axis].to_numpy() for axis in axes]))
        for name, seen in self.seen.items():
            if len(seen) < _VARYING:
                seen.update(batch[name].unique().to_pylist()[:_VARYING])


def sniff(file: DeviceFile, _hints: Hints) -> bool:
    """Return True if the header has both clocks, packet numbers and the axes of a sensor."""
    names = csv_columns.header_of(file.head).names
    return {_HOST, _SEQ, _DEVICE} <= set(names) and any(map(_AXIS.fullmatch, names))


def pairing_key(file: DeviceFile) -> str:
    """Return the file's own name: a file is a recording."""
    return file.name


def device(_files: Sequence[DeviceFile]) -> str:
    """Return that no device is known: the files name none."""
    return ""


def read(files: Sequence[DeviceFile], hints: Hints) -> Reading:
    """Read one file."""
    try:
        with export.reading(files[0]):
            return _read(files[0], hints)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


def _read(file: DeviceFile, hints: Hints) -> Reading:
    header = csv_columns.header_of(file.head)
    sensors = _sensors(header.names)
    others = [name for name in header.names if name not in (_HOST, _SEQ, _DEVICE) and not _AXIS.fullmatch(name)]
    table = TextTable(file, Layout(header.names, header.delimiter, header.decimal_point), _types(sensors, others))
    rows = _Gathering(sensors, others, csv_columns.spool_folder(file))
    for batch in table.batches():
        rows.add(batch, table)
    if not rows.host.rows:
        raise UnreadableFile(table.no_rows())
    host_ns, seq = rows.host.array(), rows.seq.array()
    findings: list[Finding] = []
    if rows.local:
        host_ns, findings = in_utc(host_ns, place=file.name, timezone=hints.timezone or hints.formats.timezone)
    device_ns, restarts = _counted_on(rows.millis.array())
    stopped = _stopped(device_ns, host_ns, restarts)
    starts = np.union1d(restarts, stopped)
    t_ns = _set_to_host(device_ns, host_ns, starts)
    findings += [*_restarts(file, restarts), *_stops(file, stopped, t_ns), *_lost(file, seq, t_ns), *_unread(file, rows.seen)]
    placements = hints.formats.placements
    findings += _unplaced(file, sorted({name for name, _ in sensors} - set(placements)))
    streams = tuple(
        Stream(
            stream_name(_KINDS[kind], placements.get(name, name.lower())),
            t_ns,
            rows.values[name, kind].array(),
            file.name,
            declared_unit=unit_of(_KINDS[kind]),
            drift_ppm=drift_ppm(t_ns, host_ns) if len(starts) == 1 else None,
            repairs=table.repairs,
        )
        for name, kind in sensors
    )
    return Reading(format=NAME, streams=streams, findings=tuple(findings), repairs=(_clock_chosen(file, t_ns, host_ns),))


def _sensors(names: Sequence[str]) -> dict[_Sensor, tuple[str, ...]]:
    """Return the x, y and z of every sensor that has all three, in the order of the file."""
    found: dict[_Sensor, dict[str, str]] = defaultdict(dict)
    for axis in filter(None, map(_AXIS.fullmatch, names)):
        found[axis[1], axis[2]][axis[3]] = axis[0]
    return {sensor: tuple(axes[letter] for letter in "xyz") for sensor, axes in found.items() if len(axes) == 3}


def _types(sensors: Mapping[_Sensor, Sequence[str]], others: Sequence[str]) -> dict[str, pa.DataType]:
    axes = [axis for axes in sensors.values() for axis in axes]
    clocks = {_HOST: pa.string(), _SEQ: pa.int64(), _DEVICE: pa.int64()}
    return clocks | dict.fromkeys(axes, pa.float32()) | dict.fromkeys(others, pa.string())


def _counted_on(millis: _Ints) -> tuple[_Ints, npt.NDArray[np.intp]]:
    """Return the device's time in ns without the wraps of its counter, and the first row of every run between two starts."""
    steps = np.diff(millis)
    wraps = np.concatenate([[0], np.cumsum(steps < -_WRAP_MS // 2)])
    counted = millis + wraps * _WRAP_MS
    return counted * _NS_PER_MS, np.concatenate([[0], np.flatnonzero(np.diff(counted) < -_RESTART_MS) + 1])


def _stopped(device_ns: _Ints, host_ns: _Ints, starts: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the first row after each stop of the device's clock, in the runs between its starts."""
    ends = np.append(starts[1:], len(device_ns))
    return np.concatenate(
        [start + stops(device_ns[start:end], host_ns[start:end]) for start, end in zip(starts, ends, strict=True)]
    )


def _set_to_host(device_ns: _Ints, host_ns: _Ints, starts: npt.NDArray[np.intp]) -> _Ints:
    """Move every run of the device's clock by the median of its differences to the host's: bursts and late packets fall out."""
    ends = np.append(starts[1:], len(device_ns))
    apart = host_ns - device_ns
    first = apart[starts]  # what is left fits a float64 to the nanosecond
    more = [int(np.median(apart[start:end] - apart[start])) for start, end in zip(starts, ends, strict=True)]
    return device_ns + np.repeat(first + np.array(more, dtype=np.int64), ends - starts)


def _clock_chosen(file: DeviceFile, t_ns: _Ints, host_ns: _Ints) -> Repair:
    apart_ms = (host_ns - t_ns) / _NS_PER_MS
    repeats = int(np.count_nonzero(np.diff(host_ns) == 0))
    sentence = (
        f"the device's clock tells the time and not the host's, whose stamps lie between {apart_ms.min():+.0f} and "
        f"{apart_ms.max():+.0f} ms of it and repeat {repeats} times; the device's is set to it by the median"
    )
    return Repair("clock_chosen", sentence, file.name, rows=len(t_ns), before=_HOST, after=_DEVICE)


def _restarts(file: DeviceFile, starts: npt.NDArray[np.intp]) -> list[Finding]:
    if len(starts) < 2:
        return []
    sentence = f"new beginnings of the device's clock: {len(starts) - 1}; each run is set to the host's time by itself"
    place = f"{file.name} row {starts[1] + 2} column {_DEVICE}"
    return [Finding(Reason("device_restarted", sentence, place, "look for a loose battery or cable"), "warning")]


def _stops(file: DeviceFile, stopped: npt.NDArray[np.intp], t_ns: _Ints) -> list[Finding]:
    if not stopped.size:
        return []
    left_out_s = float((t_ns[stopped] - t_ns[stopped - 1]).sum()) / 1e9
    sentence = (
        f"stops of the device's clock while the host's went on: {stopped.size}, {left_out_s:.1f} s in all; "
        "what follows is set to the host's time and the pauses are gaps"
    )
    place = f"{file.name} row {stopped[0] + 2} column {_DEVICE}"
    return [Finding(Reason("device_paused", sentence, place, "keep the device from sleeping during a recording"), "warning")]


def _lost(file: DeviceFile, seq: _Ints, t_ns: _Ints) -> list[Finding]:
    jumps = np.flatnonzero(np.diff(seq) > 1)
    if not jumps.size:
        return []
    missing = int((seq[jumps + 1] - seq[jumps] - 1).sum())
    longest = int(jumps[np.argmax(t_ns[jumps + 1] - t_ns[jumps])])
    lasting_ms = (t_ns[longest + 1] - t_ns[longest]) / _NS_PER_MS
    sentence = f"lost packets: {missing}, holes: {jumps.size}, the longest of {lasting_ms:.0f} ms; holes stay holes"
    place = f"{file.name} row {longest + 3} column {_SEQ}"
    return [Finding(Reason("packets_lost", sentence, place, "keep the receiver near, and off crowded channels"), "warning")]


def _unread(file: DeviceFile, seen: Mapping[str, set[str]]) -> list[Finding]:
    constant = sorted(name for name, values in seen.items() if len(values) < _VARYING)
    varying = sorted(set(seen) - set(constant))
    notes = []
    if constant:
        sentence = f"columns {', '.join(constant)} hold one value all through and were left out"
        notes.append(Reason("column_constant", sentence, f"{file.name} column {constant[0]}", "nothing to do"))
    if varying:
        sentence = f"columns {', '.join(varying)} are no axes of a sensor (<sensor>_<a, g or m><x, y or z>) and were left out"
        notes.append(Reason("column_unknown", sentence, f"{file.name} column {varying[0]}", "nothing to do"))
    return [Finding(note, "note") for note in notes]


def _unplaced(file: DeviceFile, sensors: Sequence[str]) -> list[Finding]:
    if not sensors:
        return []
    sentence = f"the study does not say where {', '.join(sensors)} sat; the streams are named after the device's own names"
    remedy = "name the places in the study: formats: {placements: {" + f"{sensors[0]}: waist" + "}}"
    return [Finding(Reason("placement_unknown", sentence, file.name, remedy), "note")]


READER = Reader(NAME, sniff, pairing_key, device, read)
