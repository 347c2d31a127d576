"""Reads .gt3x files of ActiGraph loggers: a zip with ``info.txt`` and ``log.bin``, a record for every second.

Seconds in which the device slept ("idle sleep mode") have no record or an empty one: they stay gaps and are never filled. A
record whose checksum fails is left out and counted. The layout is the one that the maker publishes as "GT3X File Format".
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import xor

import numpy as np
import numpy.typing as npt

from ingestion.readers.block_clock import reading_times
from ingestion.readers.interface import NO_HINTS, ZIP_FAULTS, DeviceFile, Hints, Reader
from ingestion.readers.local_time import in_utc
from ingestion.recording import Finding, Reading, Stream
from warehouse.errors import Reason, UnreadableFile

NAME = "actigraph"
STANDARD_GRAVITY = 9.80665  # m/s^2

_NS_PER_S = 1_000_000_000
_RECORD = struct.Struct("<BBIH")
_SEPARATOR = 0x1E
_PACKED, _WORDS = 0, 26
_MOST_LOG_BYTES = 4 << 30
_MOST_INFO_BYTES = 1 << 20
_OFFSET = re.compile(r"(-?)(\d\d):(\d\d):\d\d")
#: Counts a g by the first letters of the serial number, for devices whose info.txt does not say.
_SCALES: Mapping[str, float] = {"NEO": 341.0, "CLE": 341.0, "MOS": 256.0, "MRA": 341.0, "TAS": 256.0}
_AGAIN = "download the file from the device again with the maker's software"

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Seconds:
    """Records with readings: their stamp (wall clock, s), their number of readings, the readings in counts, shape (n, 3)."""

    stamps: _Ints
    counts: _Ints
    raw: npt.NDArray[np.float32]


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a zip that holds ``info.txt`` and a log of ActiGraph."""
    return "info.txt" in file.members and not {"log.bin", "activity.bin"}.isdisjoint(file.members)


def pairing_key(file: DeviceFile) -> str:
    """Return the file's name: a file is a recording."""
    return file.name


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the serial number in info.txt; empty if it cannot be read."""
    try:
        serial = _info(files[0]).get("Serial Number", "")
    except UnreadableFile:
        return ""
    return hashlib.sha256(f"actigraph:{serial}".encode()).hexdigest()[:16] if serial else ""


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read one .gt3x file; of info.txt only rate, scale and zone are used, never the subject's name."""
    file = files[0]
    try:
        info = _info(file)
        rate_hz, scale = _rate_hz(info, file), _scale(info, file)
        seconds, findings = _records(file)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))
    t_ns = reading_times(seconds.stamps * _NS_PER_S, seconds.counts, rate_hz=rate_hz)
    t_ns, found = in_utc(t_ns, place=file.name, offset=_offset(info), timezone=hints.timezone)
    values = np.asfortranarray(seconds.raw * np.float32(STANDARD_GRAVITY / scale))
    stream = Stream("accelerometer", t_ns, values, f"{file.name}::log.bin", rate_hz)
    return Reading(format=NAME, streams=(stream,), findings=(*findings, *found), device=device(files))


def _member(file: DeviceFile, name: str, most_bytes: int) -> bytes:
    try:
        with file.open() as stream, zipfile.ZipFile(stream) as archive:
            if archive.getinfo(name).file_size > most_bytes:
                sentence = f"{name} unpacks to more than {most_bytes / 2**20:,.0f} MiB"
                raise UnreadableFile(Reason("zip_too_large", sentence, f"{file.name}::{name}", "split the recording"))
            return archive.read(name)
    except KeyError as error:
        sentence = f"{name} is not in the archive; files of firmware before 3.0 (activity.bin) cannot be read"
        remedy = "export the recording to CSV with the maker's software"
        raise UnreadableFile(Reason("gt3x_layout", sentence, file.name, remedy)) from error
    except ZIP_FAULTS as error:
        raise UnreadableFile(Reason("zip_damaged", f"the archive is damaged: {error}", file.name, _AGAIN)) from error


def _info(file: DeviceFile) -> Mapping[str, str]:
    lines = _member(file, "info.txt", _MOST_INFO_BYTES).decode("utf-8-sig", errors="replace").splitlines()
    return {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


def _rate_hz(info: Mapping[str, str], file: DeviceFile) -> float:
    stated = info.get("Sample Rate", "")
    if re.fullmatch(r"\d{1,3}", stated) and int(stated):
        return float(stated)
    sentence = f"info.txt states no sampling rate ('{stated[:20]}')"
    raise UnreadableFile(Reason("rate_unknown", sentence, f"{file.name}::info.txt key Sample Rate", _AGAIN))


def _scale(info: Mapping[str, str], file: DeviceFile) -> float:
    stated = info.get("Acceleration Scale", "")
    if re.fullmatch(r"\d{1,5}(\.\d+)?", stated) and float(stated):
        return float(stated)
    serial = info.get("Serial Number", "")[:3]
    if serial in _SCALES:
        return _SCALES[serial]
    sentence = f"info.txt states no scale, and no device is known whose serial number begins with '{serial}'"
    raise UnreadableFile(Reason("scale_unknown", sentence, f"{file.name}::info.txt key Acceleration Scale", _AGAIN))


def _records(file: DeviceFile) -> tuple[_Seconds, list[Finding]]:
    log = _member(file, "log.bin", _MOST_LOG_BYTES)
    place = f"{file.name}::log.bin"
    stamps, parts, damaged, at = [], [], 0, 0
    while at + _RECORD.size <= len(log):
        separator, kind, stamp, size = _RECORD.unpack_from(log, at)
        end = at + _RECORD.size + size
        if separator != _SEPARATOR or end >= len(log):
            break
        if kind in (_PACKED, _WORDS) and size:
            if reduce(xor, log[at : end + 1]) == 0xFF:
                stamps.append(stamp)
                parts.append(_packed(log[end - size : end]) if kind == _PACKED else _words(log[end - size : end]))
            else:
                damaged += 1
        at = end + 1
    if not parts:
        sentence = "no record of the log holds readings" if not damaged else "every record with readings is damaged"
        raise UnreadableFile(Reason("recording_empty", sentence, place, _AGAIN))
    findings = []
    if damaged:
        sentence = f"{damaged} of {damaged + len(parts)} seconds are damaged (checksum) and were left out: their time is a gap"
        findings.append(Finding(Reason("blocks_damaged", sentence, place, _AGAIN), "warning"))
    if at < len(log):
        sentence = f"the log ends or is damaged at byte {at:,} of {len(log):,}; what follows is lost"
        findings.append(Finding(Reason("tail_cut", sentence, f"{place} byte {at}", _AGAIN), "warning"))
    counts = np.array([len(part) for part in parts])
    return _Seconds(np.array(stamps, np.int64), counts, np.concatenate(parts)), findings


def _words(payload: bytes) -> npt.NDArray[np.float32]:
    """Little-endian 16-bit x, y, z."""
    return np.frombuffer(payload, "<i2", count=len(payload) // 6 * 3).reshape(-1, 3).astype(np.float32)


def _packed(payload: bytes) -> npt.NDArray[np.float32]:
    """12-bit y, x, z, most significant bits first."""
    content = np.frombuffer(payload, np.uint8).astype(np.int32)
    padded = np.append(content, np.zeros(-len(content) % 3, np.int32)).reshape(-1, 3)
    numbers = np.stack([padded[:, 0] << 4 | padded[:, 1] >> 4, (padded[:, 1] & 0x0F) << 8 | padded[:, 2]], axis=1).ravel()
    readings = len(payload) * 2 // 9
    signed = (numbers[: readings * 3].reshape(-1, 3) ^ 0x800) - 0x800
    return signed[:, [1, 0, 2]].astype(np.float32)


def _offset(info: Mapping[str, str]) -> timedelta | None:
    """Offset of the wall clock, which newer devices state."""
    stated = _OFFSET.fullmatch(info.get("TimeZone", ""))
    return timedelta(hours=int(stated[2]), minutes=int(stated[3])) * (-1 if stated[1] else 1) if stated else None


READER = Reader(NAME, sniff, pairing_key, device, read)
