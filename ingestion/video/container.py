"""What kind of file a video is, told from its first bytes, and what else calls itself one.

Belongs here: signatures only; nothing is parsed beyond them. Reading a container is `ingestion.video.decoding`, in a child.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Endings that say "video", for the message to somebody whose file is something else.
SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".gif", ".avi", ".3gp")

#: Containers that are read, as libavformat calls them: nothing else of that library is ever asked about a file.
_CONTAINERS: Mapping[str, re.Pattern[bytes]] = {
    "mov": re.compile(rb"....(?:ftyp(?!heic|heix|mif1|avif|avis|M4A |M4B |jp2 )|moov|mdat|wide|pnot)", re.DOTALL),
    "matroska": re.compile(rb"\x1a\x45\xdf\xa3"),
    "gif": re.compile(rb"GIF8[79]a"),
}
_OTHERS: Mapping[str, re.Pattern[bytes]] = {
    "a playlist, which only names other files": re.compile(rb"\s*(?:#EXTM3U|ffconcat|\[playlist\]|<\?xml[^>]*>\s*<MPD|<MPD)"),
    "a PNG image": re.compile(rb"\x89PNG"),
    "a JPEG image": re.compile(rb"\xff\xd8\xff"),
    "an AVI file": re.compile(rb"RIFF....AVI ", re.DOTALL),
    "a zip archive": re.compile(rb"PK\x03\x04"),
    "a HEIC or AVIF image, or sound": re.compile(rb"....ftyp", re.DOTALL),
}


def container_of(head: bytes) -> str | None:
    """Return the container of a video, by its first bytes; None for everything else.

    Examples
    --------
    >>> container_of(b"\\0\\0\\0\\x20ftypisom"), container_of(b"GIF89a"), container_of(b"#EXTM3U")
    ('mov', 'gif', None)
    """
    return next((name for name, signature in _CONTAINERS.items() if signature.match(head)), None)


def content_of(head: bytes) -> str:
    """Return in words what a file that is no video is instead.

    Examples
    --------
    >>> content_of(b"#EXTM3U")
    'a playlist, which only names other files'
    """
    return next((name for name, signature in _OTHERS.items() if signature.match(head)), "of no kind that is known here")


def is_called_video(name: str) -> bool:
    """Return True if a file's name ends like one of a video."""
    return name.casefold().endswith(SUFFIXES)
