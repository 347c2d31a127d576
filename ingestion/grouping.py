"""Tells which delivered files are one recording: known by content, paired by their reader's key, of one participant and label.

Belongs here: files to captures. What a capture holds is read in `ingestion.batch`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from ingestion.readers import NO_HINTS, READERS, DeviceFile, Hints, Reader, known_by_content
from ingestion.receipt import Receipt
from ingestion.source import normal_path

_Key = tuple[str, str, Hashable]


@dataclass(frozen=True)
class Capture:
    """The files of one recording.

    Parameters
    ----------
    reader : Reader or None
        Who knows them; None for a file that nobody knows.
    files : tuple of DeviceFile
        Sorted by name.
    """

    reader: Reader | None
    files: tuple[DeviceFile, ...]


def captures(
    files: Sequence[DeviceFile], hints: Hints = NO_HINTS, *, owner: Callable[[DeviceFile], Hashable] = lambda _: None
) -> list[Capture]:
    """Group files into recordings, sorted by their first file's name.

    A file that no reader knows joins the recording that it would belong to by name (an empty CSV beside its siblings, a photo
    in an app's folder), so that its reader can say what is wrong with it; else it stands alone.

    Parameters
    ----------
    files : sequence of DeviceFile
    hints : Hints, optional
        What the study says about its files.
    owner : callable, optional
        Participant and label of a file: files of different owners are never one recording.
    """
    groups: dict[_Key, list[DeviceFile]] = {}
    strangers: list[DeviceFile] = []
    readers = {reader.name: reader for reader in READERS}
    for file in files:
        reader = known_by_content(file, hints)
        if reader:
            groups.setdefault((reader.name, reader.pairing_key(file), owner(file)), []).append(file)
        else:
            strangers.append(file)
    alone = [file for file in strangers if not _joined(file, groups, owner(file))]
    known = [
        Capture(readers[name], _sorted(recording))
        for (name, _, _), group in groups.items()
        for recording in readers[name].recordings(group)
    ]
    return sorted([*known, *(Capture(None, (file,)) for file in alone)], key=lambda capture: capture.files[0].name)


def beside_recordings(files: Sequence[DeviceFile], receipt: Receipt) -> dict[str, DeviceFile]:
    """Return the files that the manifest names as annotations of others, by path: they are no recordings themselves.

    One that a reader knows by its content, such as an app's own annotations among the files of its export, stays with those.
    """
    marks = {file.path: normal_path(file.annotations) for file in receipt.files if file.annotations}
    named = {path for owner, path in marks.items() if owner not in marks.values()}
    return {file.name: file for file in files if file.name in named and known_by_content(file) is None}


def _joined(file: DeviceFile, groups: dict[_Key, list[DeviceFile]], owner: Hashable) -> bool:
    for reader in READERS:
        group = groups.get((reader.name, reader.pairing_key(file), owner))
        if group:
            group.append(file)
            return True
    return False


def _sorted(files: Sequence[DeviceFile]) -> tuple[DeviceFile, ...]:
    return tuple(sorted(files, key=lambda file: file.name))
