"""Reads GENEActiv .bin files: text with a header and pages of 300 readings, 12 hexadecimal digits each.

A page that is cut off or holds other characters is left out, so that its time is a gap, and counted. The layout is the one of
the maker's "GENEActiv instructions for use": 12 bits for each axis, 10 for light, 1 for the button, 1 reserved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from ingestion.readers.block_clock import reading_times
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.readers.local_time import in_utc
from ingestion.recording import Finding, Reading, Stream
from warehouse.errors import Reason, UnreadableFile

NAME = "geneactiv"
STANDARD_GRAVITY = 9.80665  # m/s^2

_DIGITS_A_READING = 12
_LEAST_DIGITS = 300 * _DIGITS_A_READING
_NS_PER_S = 1_000_000_000
_PAGE = re.compile(
    rb"Recorded Data\r?\n.*?Page Time:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d):(\d{3})\r?\n.*?Measurement Frequency:([\d.]+)\r?\n"
    rb"([^\r\n]*)",
    re.DOTALL,
)
_FIELD = re.compile(r"^([A-Za-z][\w /]*):(.*?)\s*$", re.MULTILINE)
_OFFSET = re.compile(r"GMT\s*([+-])(\d\d):(\d\d)")
_AGAIN = "extract the file from the device again"

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Pages:
    """What the sound pages hold: wall-clock ns of their first reading, rate, and all digits one after the other."""

    start_ns: _Ints
    rate_hz: float
    digits: bytes


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a header of GENEActiv."""
    return file.head.startswith(b"Device Identity") and b"GENEActiv" in file.head[:512]


def pairing_key(file: DeviceFile) -> str:
    """Return the file's name: a file is a recording."""
    return file.name


def device(files: Sequence[DeviceFile]) -> str:
    """Return 16 hex digits in place of the serial code in the header; empty if it names none."""
    serial = _header(files[0]).get("Device Unique Serial Code", "")
    return hashlib.sha256(f"geneactiv:{serial}".encode()).hexdigest()[:16] if serial else ""


def read(files: Sequence[DeviceFile], hints: Hints = NO_HINTS) -> Reading:
    """Read one .bin file; of its header only calibration, zone and placement are used, never what it says of the person."""
    file = files[0]
    header = _header(file)
    try:
        gains, offsets = _calibration(header, file)
        pages, findings = _sound_pages(file, header)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))
    values = ((_raw(pages.digits) * np.float32(100) - offsets) / gains * np.float32(STANDARD_GRAVITY)).astype(np.float32)
    counts = np.full(len(pages.start_ns), _LEAST_DIGITS // _DIGITS_A_READING)
    t_ns = reading_times(pages.start_ns, counts, rate_hz=pages.rate_hz)
    t_ns, found = in_utc(t_ns, place=file.name, offset=_offset(header), timezone=hints.timezone)
    stream = Stream("accelerometer", t_ns, np.asfortranarray(values), file.name, pages.rate_hz)
    return Reading(format=NAME, streams=(stream,), findings=(*findings, *found), device=device(files))


def _header(file: DeviceFile) -> Mapping[str, str]:
    text = file.head.split(b"Recorded Data", 1)[0].decode("utf-8", errors="replace")
    return {name.strip(): value.strip() for name, value in _FIELD.findall(text)}


def _calibration(header: Mapping[str, str], file: DeviceFile) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    names = [f"{axis} {part}" for part in ("gain", "offset") for axis in "xyz"]
    absent = [name for name in names if not re.fullmatch(r"-?\d{1,9}", header.get(name, ""))]
    absent += [name for name in names[:3] if name not in absent and int(header[name]) == 0]
    if absent:
        sentence = f"the header has no usable calibration: {', '.join(absent)}"
        raise UnreadableFile(Reason("calibration_missing", sentence, f"{file.name} header", _AGAIN))
    figures = np.array([int(header[name]) for name in names], np.float32)
    return figures[:3], figures[3:]


def _sound_pages(file: DeviceFile, header: Mapping[str, str]) -> tuple[_Pages, list[Finding]]:
    with file.open() as stream:
        found = list(_PAGE.finditer(stream.read()))
    sound = [page for page in found if len(page[4]) >= _LEAST_DIGITS and _is_hexadecimal(page[4][:_LEAST_DIGITS])]
    sound = [page for page in sound if 0 < _number(page[3]) <= 1000]
    if not sound:
        raise UnreadableFile(Reason("recording_empty", "no page of the file holds a reading", file.name, _AGAIN))
    findings = []
    if broken := len(found) - len(sound):
        sentence = f"{broken} of {len(found)} pages are cut off or damaged and were left out: their time is a gap"
        findings.append(Finding(Reason("blocks_damaged", sentence, file.name, _AGAIN), "warning"))
    promised = header.get("Number of Pages", "")
    if promised.isdecimal() and int(promised) > len(found):
        sentence = f"the header says {int(promised):,} pages, the file has {len(found):,}"
        findings.append(Finding(Reason("tail_cut", sentence, f"{file.name} header", _AGAIN), "warning"))
    stamps = np.array([page[1].decode().replace(" ", "T") for page in sound], "datetime64[s]").astype(np.int64)
    start_ns = stamps * _NS_PER_S + np.array([int(page[2]) for page in sound]) * 1_000_000
    digits = b"".join(page[4][:_LEAST_DIGITS] for page in sound)
    return _Pages(start_ns, _number(sound[0][3]), digits), findings


def _is_hexadecimal(digits: bytes) -> bool:
    return not digits.translate(None, b"0123456789ABCDEFabcdef")


def _number(text: bytes) -> float:
    return float(text) if re.fullmatch(rb"\d{1,6}(\.\d{1,6})?", text) else 0.0


def _raw(digits: bytes) -> npt.NDArray[np.float32]:
    """Signed 12-bit numbers of x, y and z, shape (readings, 3)."""
    content = np.frombuffer(bytes.fromhex(digits.decode()), np.uint8).reshape(-1, 6).astype(np.int32)
    x = content[:, 0] << 4 | content[:, 1] >> 4
    y = (content[:, 1] & 0x0F) << 8 | content[:, 2]
    z = content[:, 3] << 4 | content[:, 4] >> 4
    return ((np.stack([x, y, z], axis=1) ^ 0x800) - 0x800).astype(np.float32)


def _offset(header: Mapping[str, str]) -> timedelta | None:
    stated = _OFFSET.fullmatch(header.get("Time Zone", ""))
    if stated is None:
        return None
    return timedelta(hours=int(stated[2]), minutes=int(stated[3])) * (-1 if stated[1] == "-" else 1)


READER = Reader(NAME, sniff, pairing_key, device, read)
