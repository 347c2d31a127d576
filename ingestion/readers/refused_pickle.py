"""Knows pickles and refuses them: loading one runs whatever program its sender wrote.

Belongs here: telling that a file is one, and saying what to do instead. Converting them is an explicit command outside the
pipeline, `ingestion.pickles`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingestion.pickles.conversion import SUFFIXES
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader
from ingestion.recording import Finding, Reading
from warehouse.errors import Reason

NAME = "pickle"

_FRAMED = re.compile(rb"\x80[\x04\x05]\x95.{6}\0\0", re.DOTALL)


def sniff(file: DeviceFile, _hints: Hints = NO_HINTS) -> bool:
    """Return True for a pickle of protocol 4 or 5, or a file that is called one: older protocols have no signature."""
    return _FRAMED.match(file.head) is not None or file.name.casefold().endswith(tuple(SUFFIXES))


def pairing_key(file: DeviceFile) -> str:
    """Return the file's own name: each is refused by itself."""
    return file.name


def device(_files: Sequence[DeviceFile]) -> str:
    """Return that no device is known."""
    return ""


def read(files: Sequence[DeviceFile], _hints: Hints = NO_HINTS) -> Reading:
    """Refuse every file, unread."""
    sentence = "the file is a Python pickle; loading one would run whatever is in it, so it is never loaded"
    remedy = "convert the folder once with 'kinelake convert-pickles FOLDER --out DIR' and deliver DIR"
    return Reading(format=NAME, findings=tuple(Finding(Reason("pickle_refused", sentence, file.name, remedy)) for file in files))


READER = Reader(NAME, sniff, pairing_key, device, read)
