"""Reads a JSON file from outside that is parsed in one piece, and says why one cannot be.

Belongs here: bytes to objects. What they mean is each reader's; files that are too long for that are `json_blocks`'.
"""

from __future__ import annotations

import json
from typing import Any

from ingestion.readers.interface import DeviceFile
from warehouse.errors import Reason, UnreadableFile

#: Half an hour of 30 frames a second, 171 numbers each.
MOST_BYTES = 192 << 20


def parsed(file: DeviceFile) -> Any:
    """Return the content of a file.

    Raises
    ------
    UnreadableFile
        ``file_empty``, ``json_too_large`` or ``json_not_parsed``.
    """
    if file.size > MOST_BYTES:
        sentence = f"the file has {file.size / 2**20:,.0f} MiB; at most {MOST_BYTES >> 20} MiB are read"
        raise UnreadableFile(Reason("json_too_large", sentence, file.name, "split the recording"))
    with file.open() as stream:
        data = stream.read()
    if not data:
        raise UnreadableFile(Reason("file_empty", "the file is empty: 0 bytes", file.name, "send the file again, in full"))
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        sentence = f"the file is no JSON that can be read: {str(error)[:200]}"
        raise UnreadableFile(Reason("json_not_parsed", sentence, file.name, "send the file again, in full")) from error
