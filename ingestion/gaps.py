"""Lists the gaps of a recording's streams, and tells those of one sensor from pauses of the whole device.

Belongs here: rows of table `gaps`. Which gap is too long for a study is judged in `quality`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.facts import Clock, clock_of
from ingestion.units import Measured

#: Silence of all sensors for at least so long is a pause.
SHORTEST_PAUSE_NS = 1_000_000_000

GAPS = pa.schema(
    [
        ("stream", pa.string()),
        ("start_ns", pa.int64()),
        ("end_ns", pa.int64()),
        ("seconds", pa.float64()),
        ("kind", pa.string()),
        ("missing", pa.int64()),
    ]
)


def gaps_of(streams: Sequence[Measured]) -> pa.Table:
    """List every gap of every stream, as many as its facts count.

    A gap is a ``pause`` if it lasts a second or more, the recording has other streams that reach over it, and each of them is
    silent in its middle too: then the device recorded nothing. Else it is a ``gap``: one sensor's readings were lost.

    Parameters
    ----------
    streams : sequence of Measured
        All of one recording.

    Returns
    -------
    Table
        Columns `GAPS`; ``missing`` is how many steps at the stream's rate would fit between its two readings.
    """
    clocks = {one.stream.name: clock_of(one.ready.t_ns) for one in streams if one.facts.gaps}
    tables = [_rows_of(one, clocks[one.stream.name], streams, clocks) for one in streams if one.facts.gaps]
    return pa.concat_tables(tables) if tables else GAPS.empty_table()


def _rows_of(one: Measured, clock: Clock, streams: Sequence[Measured], clocks: dict[str, Clock]) -> pa.Table:
    start, end = clock.gap_start_ns, clock.gap_end_ns
    others = [other for other in streams if other is not one and other.facts.start_ns is not None]
    reach = [(other.ready.t_ns[0] <= start) & (other.ready.t_ns[-1] >= end) for other in others]
    silent = [_silent(clocks.get(other.stream.name), start + (end - start) // 2) for other in others]
    pause = (end - start >= SHORTEST_PAUSE_NS) & np.any([np.zeros(len(start), dtype=np.bool_), *reach], axis=0)
    for reaches, is_silent in zip(reach, silent, strict=True):
        pause &= ~reaches | is_silent
    columns = {
        "stream": pa.repeat(one.stream.name, len(start)),
        "start_ns": start,
        "end_ns": end,
        "seconds": (end - start) / 1e9,
        "kind": np.where(pause, "pause", "gap"),
        "missing": np.rint((end - start) / clock.step_ns).astype(np.int64) - 1,
    }
    return pa.table(columns, schema=GAPS)


def _silent(clock: Clock | None, at_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    if clock is None:
        return np.zeros(len(at_ns), dtype=np.bool_)
    before = np.searchsorted(clock.gap_start_ns, at_ns, side="right") - 1
    return (before >= 0) & (clock.gap_end_ns[np.maximum(before, 0)] > at_ns)
