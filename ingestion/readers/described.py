"""What readers of files that a study describes have in common: streams from columns, and clocks that say too little.

Belongs here: numbers in a study's words to SI streams, and times where no file states any. How the files are written is in
`ingestion.readers.table` and `ingestion.readers.packets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.recording import Finding, Repair, Stream
from ingestion.spool import Growing, blocks, scaled
from studies.formats import DescribedStream
from studies.sensors import unit_of
from warehouse.errors import Reason

_NS_PER_S = 1_000_000_000
#: Times before this, a year after 1970, are no dates but a count from the recording's start.
FIRST_DATE_NS = 365 * 86_400 * _NS_PER_S

_Times = npt.NDArray[np.int64]


class GrowingStreams:
    """Gathers blocks of columns into the values of every described stream.

    Parameters
    ----------
    described : mapping of str to DescribedStream
    folder : Path or None
        Where long arrays are spooled.
    """

    def __init__(self, described: Mapping[str, DescribedStream], folder: Path | None) -> None:
        self._described = described
        self._values = {name: Growing(np.float32, len(one.columns), folder=folder) for name, one in described.items()}

    @property
    def rows(self) -> int:
        """Readings so far, the same in every stream."""
        return next(iter(self._values.values())).rows

    def add(self, columns: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Append a block: an array of numbers for every column."""
        for name, one in self._described.items():
            block = np.empty((len(columns[one.columns[0]]), len(one.columns)), dtype=np.float32)
            for index, column in enumerate(one.columns):
                block[:, index] = columns[column]
            self._values[name].add(block)

    def streams(
        self, t_ns: _Times, *, source: str, rate_hz: float | None, repairs: tuple[Repair, ...] = ()
    ) -> tuple[Stream, ...]:
        """Return the streams in SI units, all on the times `t_ns`."""
        return tuple(
            Stream(
                name,
                t_ns,
                scaled(self._values[name].array(), one.factor),
                source,
                declared_rate_hz=rate_hz,
                declared_unit=one.unit,
                repairs=(*repairs, *_conversion(name, one, source, len(t_ns))),
            )
            for name, one in self._described.items()
        )


def counted_times(rows: int, rate_hz: float, folder: Path | None) -> _Times:
    """Return times of readings that follow each other at a known rate from 1970 on, ns.

    Examples
    --------
    >>> counted_times(3, 2.0, None)
    array([         0,  500000000, 1000000000])
    """
    growing = Growing(np.int64, folder=folder)
    for part in blocks(rows):
        growing.add(np.rint(np.arange(part.start, part.stop) * (_NS_PER_S / rate_hz)).astype(np.int64))
    return growing.array()


def no_dates(t_ns: _Times, source: str) -> list[Finding]:
    """Say that times count from the recording's start, if they do: recordings cannot be ordered by them."""
    if not t_ns.size or int(t_ns[0]) >= FIRST_DATE_NS:
        return []
    sentence = "the file states no date: its times count from 1970, so they tell nothing of when it was recorded"
    remedy = "nothing to do if only the motion counts; else export with absolute time stamps"
    return [Finding(Reason("time_not_absolute", sentence, source, remedy), "note")]


def _conversion(name: str, described: DescribedStream, source: str, rows: int) -> tuple[Repair, ...]:
    if described.factor == 1.0:
        return ()
    scale = f", the file's numbers times {described.scale:g}," if described.scale != 1.0 else ""
    sentence = f"{described.unit}{scale} became {unit_of(name)}, as the study says"
    return (Repair("unit_converted", sentence, source, rows=rows, stream=name, before=described.unit, after=unit_of(name)),)
