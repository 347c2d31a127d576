"""Takes single frames out of a clip in the vault, decoded behind the same walls, for people to look at.

Belongs here: nothing but these frames leaves a clip, and no frame leaves with a face in it unless the setting says so
(`ingestion.video.faces`). What is drawn over them, and on which page they stand, is told elsewhere.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np

from ingestion.readers.interface import DeviceFile
from ingestion.video.child import Decoder, on_disk
from ingestion.video.exchange import FRAME
from ingestion.video.faces import Picture, Seen, faces_hidden, without_face
from ingestion.video.limits import LIMITS, Limits


def read_stills(file: DeviceFile, wanted: Mapping[int, Seen], *, several: bool, limits: Limits = LIMITS) -> dict[int, Picture]:
    """Decode chosen frames of a clip and hide the face in each.

    Parameters
    ----------
    file : DeviceFile
    wanted : mapping of int to Seen
        Number of a frame, as in table `poses`, to whom the pose tool saw in it.
    several : bool
        Whether more than one person was ever seen in the clip: it is not known where the others' faces are, so that no frame
        is given unless faces are shown.
    limits : Limits, optional

    Returns
    -------
    dict of int to ndarray of uint8, shape (height, width, 3)
        Without the frames that do not decode, and those in which it is not known where the face is.

    Raises
    ------
    UnreadableFile
        If the clip cannot be decoded, or costs more than the limits.
    """
    hidden = faces_hidden()
    if not wanted or (hidden and several):
        return {}
    decoded = _decoded(file, wanted.keys(), limits)
    if not hidden:
        return dict(decoded)
    shown = {number: without_face(picture, wanted[number]) for number, picture in decoded}
    return {number: picture for number, picture in shown.items() if picture is not None}


def _decoded(file: DeviceFile, numbers: Collection[int], limits: Limits) -> Iterator[tuple[int, Picture]]:
    limits = replace(limits, silent_s=limits.cpu_s)  # minutes lie between two frames of a long clip
    with on_disk(file) as clip, Decoder(file, clip, limits, frames=numbers) as decoder:
        _, shape = decoder.begin()
        ring = np.frombuffer(mmap.mmap(decoder.memory, 0, prot=mmap.PROT_READ), np.uint8).reshape(shape)
        decoder.go_on()
        while len(notice := decoder.heard(decoder.frames, FRAME.size)) == FRAME.size:
            _, number, slot, _ = FRAME.unpack(notice)
            yield number, ring[slot].copy()
            os.write(decoder.freed, bytes([slot]))
        decoder.end()
