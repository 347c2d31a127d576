"""One module for each device format, and the registry that names them all.

To add a format, write ``ingestion/readers/<format>.py`` with

1. ``sniff(file)``: is the content of this format? Look at ``file.head`` or ``file.members``, never at the name;
2. ``pairing_key(file)``: equal for the files that make up one recording (``file.name`` if a file is a recording);
3. ``device(files)``: a hash of the serial number, or ``""``;
4. ``read(files)``: a `Reading` with every stream in SI units (`ingestion.recording.STREAM_UNITS`), each on its own clock,
   unsorted as delivered, and a `Finding` with code, sentence, place and remedy for whatever is wrong;
5. ``READER = Reader("<format>", sniff, pairing_key, device, read)``,

and add its line to `READERS`. `csv_columns.read_columns` parses a CSV fast and says exactly where one is broken;
`export.opened` gives the members of a zip or a folder safely. `metabase` is the shortest example.
"""

from __future__ import annotations

from ingestion.readers import metabase, sensor_logger
from ingestion.readers.interface import DeviceFile, Reader

READERS: tuple[Reader, ...] = (
    sensor_logger.READER,
    metabase.READER,
)


def known_by_content(file: DeviceFile) -> Reader | None:
    """Return the reader that knows the file by its content, or None if none does.

    Raises
    ------
    OSError
        If the file's bytes cannot be read at all.
    """
    return next((reader for reader in READERS if reader.sniff(file)), None)


__all__ = ["READERS", "DeviceFile", "Reader", "known_by_content"]
