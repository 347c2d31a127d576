"""Reads .cwa files of Axivity AX3 and AX6 loggers: a header of 1,024 bytes and blocks of 512 bytes, each with a checksum.

A block whose checksum fails is left out, so that its time is a gap, and counted. The layout is the one that the maker
publishes with the Open Movement software (AX3/AX6 firmware, "cwa.h").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingestion.readers.block_clock import reading_times
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.readers.local_time import in_utc
from ingestion.recording import Finding, Reading, Stream
from warehouse.errors import Reason, UnreadableFile

NAME = "axivity"
STANDARD_GRAVITY = 9.80665  # m/s^2
_DEGREE = 0.017453292519943295  # rad

_BLOCK_BYTES = 512
_HEADER_BLOCKS = 2
_BLOCK = np.dtype(
    {
        "names": ["magic", "fraction", "sequence", "stamp", "light", "rate", "axes", "offset", "count", "data", "words"],
        "formats": ["<u2", "<u2", "<u4", "<u4", "<u2", "u1", "u1", "<i2", "<u2", "(480,)u1", "(256,)<u2"],
        "offsets": [0, 4, 10, 14, 18, 24, 25, 26, 28, 30, 0],
        "itemsize": _BLOCK_BYTES,
    }
)
_MAGIC = int.from_bytes(b"AX", "little")
_AGAIN = "copy the file from the device again"

_Blocks = npt.NDArray[np.void]


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a metadata block of Axivity: ``MD`` with its fixed length."""
    return file.head[:4] == b"MD\xfc\x03" and file.size >= _HEADER_BLOCKS * _BLOCK_BYTES


def pairing_key(file: DeviceFile) -> str:
    """Return the file's name: a file is a recording."""
    return file.name


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the device id in the header."""
    head = files[0].head
    serial = int.from_bytes(head[5:7], "little") + (int.from_bytes(head[11:13], "little") << 16)
    return hashlib.sha256(f"axivity:{serial}".encode()).hexdigest()[:16]


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read one .cwa file: accelerometer and, from an AX6, gyroscope."""
    file = files[0]
    try:
        blocks, findings = _sound_blocks(file)
        t_ns, values = _times(blocks), _values(blocks, file)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))
    t_ns, found = in_utc(t_ns, place=file.name, timezone=hints.timezone)
    rate_hz = _rate_hz(blocks)
    streams = [Stream(name, t_ns, of_sensor, file.name, rate_hz) for name, of_sensor in values.items()]
    return Reading(format=NAME, streams=tuple(streams), findings=(*findings, *found), device=device(files))


def _sound_blocks(file: DeviceFile) -> tuple[_Blocks, list[Finding]]:
    with file.open() as stream:
        stream.seek(_HEADER_BLOCKS * _BLOCK_BYTES)
        content = stream.read()
    whole, rest = divmod(len(content), _BLOCK_BYTES)
    blocks = np.frombuffer(content, _BLOCK, count=whole)
    sound = (blocks["magic"] == _MAGIC) & (blocks["words"].sum(axis=1, dtype=np.uint32) % (1 << 16) == 0) & (blocks["count"] > 0)
    findings = []
    if rest:
        sentence = f"the file ends {rest} bytes into block {whole + 1}; those readings are lost"
        findings.append(Finding(Reason("tail_cut", sentence, f"{file.name} block {whole + 1}", _AGAIN), "warning"))
    if broken := int(np.count_nonzero(~sound)):
        first = int(np.argmin(sound)) + 1
        sentence = f"{broken} of {whole} blocks are damaged (their checksum fails) and were left out: their time is a gap"
        findings.append(Finding(Reason("blocks_damaged", sentence, f"{file.name} block {first}", _AGAIN), "warning"))
    if not sound.any():
        sentence = "no block of the file holds a reading" if not broken else "every block of the file is damaged"
        raise UnreadableFile(Reason("recording_empty", sentence, file.name, _AGAIN))
    return blocks[sound], findings


def _rate_hz(blocks: _Blocks) -> float:
    return 3200.0 / (1 << (15 - (int(blocks["rate"][0]) & 0x0F)))


def _times(blocks: _Blocks) -> npt.NDArray[np.int64]:
    """Wall-clock ns of every reading; a block states the second and which of its readings that second belongs to."""
    rate_hz = _rate_hz(blocks)
    precise = (blocks["fraction"] & 0x8000) != 0
    fraction = np.where(precise, (blocks["fraction"] & 0x7FFF).astype(np.int64) << 1, 0)
    offset = blocks["offset"] + ((fraction * int(rate_hz)) >> 16)
    second_ns = _packed_seconds(blocks["stamp"]) * 1_000_000_000
    start_ns = second_ns + (fraction * 1_000_000_000 >> 16) - np.rint(offset * 1e9 / rate_hz).astype(np.int64)
    return reading_times(start_ns, blocks["count"].astype(np.int64), rate_hz=rate_hz)


def _packed_seconds(stamp: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """Year, month, day, hour, minute and second in 6, 4, 5, 5, 6 and 6 bits, as seconds of the wall clock since 1970."""
    years = (((stamp >> 26) & 0x3F).astype(np.int64) + 30).astype("datetime64[Y]")
    months = years.astype("datetime64[M]") + (((stamp >> 22) & 0x0F).astype(np.int64) - 1)
    days = months.astype("datetime64[D]") + (((stamp >> 17) & 0x1F).astype(np.int64) - 1)
    seconds = ((stamp >> 12) & 0x1F).astype(np.int64) * 3600 + ((stamp >> 6) & 0x3F) * 60 + (stamp & 0x3F)
    return days.astype("datetime64[s]").astype(np.int64) + seconds


def _values(blocks: _Blocks, file: DeviceFile) -> dict[str, npt.NDArray[np.float32]]:
    axes, packing = int(blocks["axes"][0]) >> 4, int(blocks["axes"][0]) & 0x0F
    if axes not in (3, 6) or packing not in (0, 2) or (blocks["axes"] != blocks["axes"][0]).any():
        sentence = f"blocks of {axes} axes in packing {packing}; 3 or 6 axes in packing 0 or 2 can be read"
        raise UnreadableFile(Reason("packing_unknown", sentence, file.name, "export the file to CSV with the maker's software"))
    raw = _unpacked(blocks["data"]) if packing == 0 else _words(blocks["data"], axes)
    taken = np.arange(raw.shape[1]) < blocks["count"][:, np.newaxis]
    rows = raw[taken]
    light = int(blocks["light"][0])
    one_g = 1 << (8 + (light >> 13))
    values = {"accelerometer": np.asfortranarray(rows[:, -3:] * np.float32(STANDARD_GRAVITY / one_g))}
    if axes == 6:
        full_scale = 8000.0 / (1 << ((light >> 10) & 7))
        values["gyroscope"] = np.asfortranarray(rows[:, :3] * np.float32(full_scale / 32768 * _DEGREE))
    return values


def _words(data: npt.NDArray[np.uint8], axes: int) -> npt.NDArray[np.float32]:
    words = np.ascontiguousarray(data).view("<i2")
    readings = words.shape[1] // axes
    return words[:, : readings * axes].reshape(len(data), readings, axes).astype(np.float32)


def _unpacked(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Three signed numbers of 10 bits and a common exponent of 2 bits in every 4 bytes."""
    words = np.ascontiguousarray(data).view("<u4")
    shift = (words >> 30).astype(np.int32)
    axes = [(((words >> bits) & 0x3FF).astype(np.int32) ^ 0x200) - 0x200 << shift for bits in (0, 10, 20)]
    return np.stack(axes, axis=-1).astype(np.float32)


READER = Reader(NAME, sniff, pairing_key, device, read)
