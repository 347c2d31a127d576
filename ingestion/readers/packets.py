"""Reads files of raw sensor packets, such as a 9-axis board sends over the air: rows of little-endian 16-bit integers.

The study's `formats.packets` says which files they are, since bytes have no signature, and what an integer means. Belongs here:
packets to a `Reading`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ingestion.readers import csv_columns, export
from ingestion.readers.described import GrowingStreams, counted_times, no_dates
from ingestion.readers.interface import DeviceFile, Hints, Reader
from ingestion.recording import Finding, Reading, Repair
from studies.formats import PacketFormat
from warehouse.errors import Reason, UnreadableFile

NAME = "packets"

_INTEGER = np.dtype("<i2")
_BLOCK_PACKETS = 1 << 17


def sniff(file: DeviceFile, hints: Hints) -> bool:
    """Return True if the study describes packets whose `files` fits the path."""
    return hints.formats.packets_for(file.name) is not None


def pairing_key(file: DeviceFile) -> str:
    """Return the file's own name: a file is a recording."""
    return file.name


def device(_files: Sequence[DeviceFile]) -> str:
    """Return that no device is known."""
    return ""


def read(files: Sequence[DeviceFile], hints: Hints) -> Reading:
    """Read the packets of one file; an unfinished one at its end is left out."""
    file, described = next((file, found) for file in files if (found := hints.formats.packets_for(file.name)))
    try:
        with export.reading(file):
            return _read(file, described)
    except UnreadableFile as error:
        return Reading(format=NAME, findings=tuple(map(Finding, error.reasons)))


def _read(file: DeviceFile, described: PacketFormat) -> Reading:
    width = len(described.fields) * _INTEGER.itemsize
    folder = csv_columns.spool_folder(file)
    values, tail = GrowingStreams(described.streams, folder), b""
    with file.open() as stream:
        while block := stream.read(_BLOCK_PACKETS * width):
            tail = block[len(block) // width * width :]
            packets = np.frombuffer(block, _INTEGER, count=len(block) // width * len(described.fields))
            values.add(dict(zip(described.fields, packets.reshape(-1, len(described.fields)).T, strict=True)))
    if not values.rows:
        sentence = f"the file has {file.size} bytes; one packet has {width}"
        raise UnreadableFile(Reason("packets_absent", sentence, file.name, "record again: nothing was received"))
    t_ns = counted_times(values.rows, described.rate_hz, folder)
    repairs = _tail_cut(file, tail, width, int(t_ns[-1]))
    streams = values.streams(t_ns, source=file.name, rate_hz=described.rate_hz, repairs=repairs)
    return Reading(format=NAME, streams=streams, findings=tuple(no_dates(t_ns, file.name)))


def _tail_cut(file: DeviceFile, tail: bytes, width: int, last_ns: int) -> tuple[Repair, ...]:
    if not tail:
        return ()
    sentence = f"the last packet has {len(tail)} of {width} bytes: it was cut off and is left out"
    return (Repair("tail_cut", sentence, file.name, rows=1, start_ns=last_ns, end_ns=last_ns, before=tail.hex()),)


READER = Reader(NAME, sniff, pairing_key, device, read)
