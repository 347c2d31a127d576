"""Where in a stream the thing is that a reason speaks of: the pause, the spike, the readings that stick.

Belongs here: finding stretches, in vectorised passes over the samples of the lake.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from quality.reasons import shared_readings
from studies.study import StreamContract

#: More stretches than this are joined with their neighbours, so that a picture stays one.
MOST_STRETCHES = 60

_ROW = re.compile(r" row (\d{1,9})$")

_Times = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float32]


def evidence_of(
    t_ns: _Times, values: _Values, contract: StreamContract | None, reason: Mapping[str, str]
) -> tuple[int, int] | None:
    """Find the one stretch of a stream that shows best what a reason is about.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Sorted.
    values : ndarray of float32, shape (n, channels)
    contract : StreamContract or None
    reason : mapping
        ``code``, ``sentence`` and ``place``.

    Returns
    -------
    tuple of (int, int) or None
        First and last ns: of what breaks the contract or repeats one reading the longest stretch, of a copied part all of it, of
        a clock that goes back the place. None where the reason is about the stream as a whole.
    """
    if t_ns.size < 2:
        return None
    if span := shared_readings(reason["sentence"] or ""):
        first, last = (min(reading, t_ns.size) - 1 for reading in span)
        return int(t_ns[first]), int(t_ns[last])
    if reason["code"] == "time_backwards" and (row := _ROW.search(reason["place"] or "")):
        at = int(t_ns[min(max(int(row[1]) - 3, 0), t_ns.size - 1)])  # the row before, counted from 0 below a header
        return at, at
    if reason["code"] == "readings_repeated":
        found = _runs(t_ns, _repeated(values))
    else:
        found = offending(t_ns, values, contract, [reason["code"]]) if contract else np.zeros((0, 2), np.int64)
    if not len(found):
        return None
    first, last = found[np.argmax(found[:, 1] - found[:, 0])].tolist()
    return first, last


def offending(t_ns: _Times, values: _Values, contract: StreamContract, codes: Collection[str]) -> _Times:
    """Find the stretches of a stream that break a contract.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Sorted.
    values : ndarray of float32, shape (n, channels)
    contract : StreamContract
    codes : collection of str
        Reason codes; those that speak of the stream as a whole (rate, unit) have no stretch.

    Returns
    -------
    ndarray of int64, shape (k, 2)
        First and last ns of each, sorted, at most `MOST_STRETCHES`.
    """
    steps = np.diff(t_ns)
    found = [np.zeros((0, 2), np.int64)]
    if "gap_too_long" in codes and contract.max_gap_s is not None:
        long = np.flatnonzero(steps > contract.max_gap_s * 1e9)
        found.append(np.column_stack([t_ns[long], t_ns[long + 1]]))
    if "jitter_too_high" in codes and contract.max_jitter is not None and steps.size:
        usual = np.median(steps)
        late = np.flatnonzero(np.abs(steps - usual) > contract.max_jitter * usual)
        found.append(np.column_stack([t_ns[late], t_ns[late + 1]]))
    if "out_of_range" in codes and contract.range is not None:
        low, high = contract.range
        found.append(_runs(t_ns, np.asarray(((values < low) | (values > high)).any(axis=1))))
    if "saturated" in codes and values.size:
        found.append(_runs(t_ns, _stuck(values)))
    return _joined(np.concatenate(found), int(t_ns[-1] - t_ns[0]) if t_ns.size else 0)


def _repeated(values: _Values) -> npt.NDArray[np.bool_]:
    """Readings equal to the one before or after them on all axes."""
    equal = np.concatenate([[False], (values[1:] == values[:-1]).all(axis=1), [False]])
    return np.asarray(equal[1:] | equal[:-1])


def _stuck(values: _Values) -> npt.NDArray[np.bool_]:
    """Readings held at the stream's own extreme for two readings or more on some axis."""
    extreme = (values == values.min()) | (values == values.max())
    held = extreme[1:] & (values[1:] == values[:-1])
    stuck = np.zeros(len(values), dtype=bool)
    stuck[1:] |= held.any(axis=1)
    stuck[:-1] |= held.any(axis=1)
    return stuck


def _runs(t_ns: _Times, bad: npt.NDArray[np.bool_]) -> _Times:
    edges = np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return np.column_stack([t_ns[first], t_ns[last]])


def _joined(stretches: _Times, whole_ns: int) -> _Times:
    """Join stretches that lie together; ever further apart, until there are few enough."""
    stretches = stretches[np.argsort(stretches[:, 0], kind="stable")]
    apart_ns = 0
    while True:
        reach = np.maximum.accumulate(stretches[:, 1]) if len(stretches) else stretches[:, 1]
        new = np.concatenate([[True], stretches[1:, 0] > reach[:-1] + apart_ns])[: len(stretches)]
        starts = np.flatnonzero(new)
        ends = np.append(starts[1:], len(stretches)) - 1
        joined = np.column_stack([stretches[starts, 0], reach[ends] if len(stretches) else reach])
        if len(joined) <= MOST_STRETCHES:
            return joined
        apart_ns = max(2 * apart_ns, whole_ns // 1000, 1)
