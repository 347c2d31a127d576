"""One module for each device format, and the registry that names them all.

To add a format, write ``ingestion/readers/<format>.py`` with

1. ``sniff(file, hints)``: is the content of this format? Look at ``file.head`` or ``file.members``, not at the name, unless
   the study's `formats` (in the hints) says which files are meant;
2. ``pairing_key(file)``: equal for the files that make up one recording (``file.name`` if a file is a recording);
3. ``device(files)``: a hash of the serial number, or ``""``;
4. ``read(files, hints)``: a `Reading` with every stream in SI units (`studies.sensors.SENSORS`), each on its own clock,
   unsorted as delivered, and a `Finding` with code, sentence, place and remedy for whatever is wrong;
5. ``READER = Reader("<format>", sniff, pairing_key, device, read)``,

and add its line to `READERS`. docs/readers.md has a whole reader to copy, which a test takes to the lake, and says what else is
there: `csv_columns.read_columns` parses a CSV fast and says exactly where one is broken, `export.opened` gives the members of a
zip or a folder safely, `Reader.recordings` pairs files that a key alone cannot.
"""

from __future__ import annotations

from ingestion.readers import (
    actigraph,
    axivity,
    coco_keypoints,
    geneactiv,
    joint_distances,
    keypoint_array,
    landmark_csv,
    metabase,
    multi_imu,
    openpose,
    packets,
    refused_pickle,
    sensor_logger,
    sensor_logger_json,
    sensor_logger_push,
    table,
    video,
)
from ingestion.readers.interface import NO_HINTS, DeviceFile, Hints, Reader

#: In the order in which they are asked: first those that a study describes by path, whatever the content looks like.
READERS: tuple[Reader, ...] = (
    table.READER,
    packets.READER,
    sensor_logger.READER,
    sensor_logger_json.READER,
    sensor_logger_push.READER,
    metabase.READER,
    multi_imu.READER,
    axivity.READER,
    actigraph.READER,
    geneactiv.READER,
    landmark_csv.READER,
    joint_distances.READER,
    openpose.READER,
    coco_keypoints.READER,
    keypoint_array.READER,
    refused_pickle.READER,
    video.READER,
)


def known_by_content(file: DeviceFile, hints: Hints = NO_HINTS) -> Reader | None:
    """Return the reader that knows the file by its content and the study's hints, or None if none does.

    Raises
    ------
    OSError
        If the file's bytes cannot be read at all.
    """
    return next((reader for reader in READERS if reader.sniff(file, hints)), None)


__all__ = ["NO_HINTS", "READERS", "DeviceFile", "Hints", "Reader", "known_by_content"]
