"""What the readers of annotation files share: the recording that is marked, and the marks they return.

Belongs here: the two types and the finding for a mark that is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.recording import Annotation, Finding, Poses, Stream
from warehouse.errors import Reason


@dataclass(frozen=True)
class Recorded:
    """A recording that somebody marked.

    Parameters
    ----------
    streams : sequence of Stream
        As the reader gave them, rows in the order of the file; at least one with a reading.
    label : str
        What the manifest calls the whole recording; empty if it does not.
    timezone : str
        Zone of local times; empty: UTC.
    poses : sequence of Poses
        Of a clip, with all its frames.
    """

    streams: Sequence[Stream]
    label: str = ""
    timezone: str = ""
    poses: Sequence[Poses] = ()

    @property
    def first_ns(self) -> int:
        """Time of the earliest reading, ns UTC."""
        return min(int(stream.t_ns.min()) for stream in self.streams if stream.t_ns.size)

    @property
    def last_ns(self) -> int:
        """Time of the latest reading, ns UTC."""
        return max(int(stream.t_ns.max()) for stream in self.streams if stream.t_ns.size)


@dataclass(frozen=True)
class Marked:
    """What a file marks.

    Parameters
    ----------
    annotations : tuple of Annotation
    places : tuple of str
        Where each of them stands in the file.
    findings : tuple of Finding
        About the file, and about marks that were left out.
    """

    annotations: tuple[Annotation, ...]
    places: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def left_out(code: str, sentence: str, place: str) -> Finding:
    """Return the warning about one mark that cannot be used."""
    return Finding(Reason(code, f"{sentence}; it is left out", place, "correct it and deliver again"), "warning")
