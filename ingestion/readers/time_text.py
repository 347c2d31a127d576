"""Time columns of tables to whole nanoseconds: numbers in a unit, ISO 8601, or texts of a stated pattern.

Belongs here: Arrow columns to int64, exactly. Zones of local times are `ingestion.readers.local_time`'s.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.readers.csv_columns import EXPORT_AGAIN, LATEST_NS
from warehouse.errors import Reason, UnreadableFile

#: Unit -> decimal places that its numbers have at most when they are nanoseconds.
_PLACES = {"s": 9, "ms": 6, "us": 3, "ns": 0}

_Times = npt.NDArray[np.int64]


def nanoseconds(column: pa.Array, unit: str) -> tuple[_Times, bool]:
    """Convert a time column.

    Parameters
    ----------
    column : Array
        Texts; of a Parquet file also numbers and time stamps.
    unit : str
        ``s``, ``ms``, ``us``, ``ns``, ``iso`` or a pattern of `strptime`, as in `studies.formats.TimeColumn`. Of time stamps
        it does not matter.

    Returns
    -------
    t_ns : ndarray of int64, shape (n,)
        Decimals beyond nanoseconds are cut off.
    local : bool
        True if the texts state no offset from UTC: they are a wall clock's.

    Raises
    ------
    ValueError
        If a value is none of that unit, or missing; see `believable`.

    Examples
    --------
    >>> nanoseconds(pa.array(["1620148740.0461671819", "1620148741"]), "s")
    (array([1620148740046167181, 1620148741000000000]), False)
    >>> nanoseconds(pa.array(["20150706142226"]), "%Y%m%d%H%M%S")
    (array([1436192546000000000]), True)
    """
    if column.null_count:
        raise ValueError("a time is missing")
    if pa.types.is_timestamp(column.type):
        return _whole(column.cast(pa.timestamp("ns", tz=column.type.tz))), column.type.tz is None
    if unit in _PLACES:
        return _counted(column, _PLACES[unit]), False
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return _iso(texts) if unit == "iso" else (_by_pattern(texts, unit), True)


def believable(column: pa.Array, unit: str, *, place: Callable[[int], str]) -> tuple[_Times, bool]:
    """Convert a time column as `nanoseconds` does, and refuse what cannot be.

    Parameters
    ----------
    place : callable
        Names the place of a row of the column, counted from 0.

    Raises
    ------
    UnreadableFile
        ``time_not_read`` or ``time_out_of_range`` (before 1970 or after 2099), with the first row that is so.
    """
    try:
        t_ns, local = nanoseconds(column, unit)
    except ValueError:
        at = _first_fault(column, unit)
        sentence = f"'{str(column[at])[:60]}' is no time in '{unit}'"
        raise UnreadableFile(Reason("time_not_read", sentence, place(at), EXPORT_AGAIN)) from None
    beyond = (t_ns < 0) | (t_ns >= LATEST_NS)
    if beyond.any():
        at = int(np.argmax(beyond))
        sentence = f"'{str(column[at])[:60]}' in '{unit}' is not between 1970 and 2100"
        raise UnreadableFile(Reason("time_out_of_range", sentence, place(at), EXPORT_AGAIN))
    return t_ns, local


def _first_fault(column: pa.Array, unit: str) -> int:
    """Return the first row that `nanoseconds` refuses, by halving."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            nanoseconds(column.slice(low, middle - low), unit)
        except ValueError:
            high = middle
        else:
            low = middle
    return low


def _counted(column: pa.Array, places: int) -> _Times:
    """A decimal number of `places` places is kept as a whole number of nanoseconds: its lower 64 bits."""
    if pa.types.is_floating(column.type):
        if not np.isfinite(column.to_numpy()).all():
            raise ValueError("a time is not finite")
        return np.rint(column.to_numpy().astype(np.longdouble) * 10**places).astype(np.int64)
    if pa.types.is_string(column.type):
        column = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), rf"(\.\d{{{places}}})\d+$", r"\1")
        column = pc.replace_substring_regex(column, r"\.$", "")
    exact = column.cast(pa.decimal128(38, places))
    words = np.frombuffer(exact.buffers()[1], dtype=np.int64)[2 * exact.offset : 2 * (exact.offset + len(exact))]
    low, high = words[::2], words[1::2]
    if (high != low >> 63).any():
        raise ValueError("a time does not fit")
    return low.copy()


def _iso(texts: pa.Array) -> tuple[_Times, bool]:
    if not len(texts):
        return np.zeros(0, dtype=np.int64), False
    zoned = pc.match_substring_regex(texts, r"(Z|[+-]\d\d:?\d\d)$")
    if pc.any(zoned).as_py():
        return _whole(texts.cast(pa.timestamp("ns", tz="UTC"))), False
    return _whole(texts.cast(pa.timestamp("ns"))), True


def _by_pattern(texts: pa.Array, pattern: str) -> _Times:
    if not pattern.endswith("%f"):
        return _whole(pc.strptime(texts, format=pattern, unit="s").cast(pa.timestamp("ns")))
    mark = pattern[-3]
    whole = pc.replace_substring_regex(texts, r"\D\d*$", "")
    digits = pc.utf8_rpad(pc.replace_substring_regex(texts, r"^.*\D", ""), 9, "0")
    if mark == "%" or not pc.all(pc.match_substring_regex(texts, rf"\{mark}\d{{1,9}}$")).as_py():
        raise ValueError("decimals of the second are missing")
    seconds = pc.strptime(whole, format=pattern[:-3], unit="s").cast(pa.timestamp("ns"))
    return _whole(seconds) + digits.cast(pa.int64()).to_numpy()


def _whole(stamps: pa.Array) -> _Times:
    return stamps.cast(pa.int64()).to_numpy().copy()
