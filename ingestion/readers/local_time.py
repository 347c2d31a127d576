"""Local wall-clock times to UTC, as whole nanoseconds.

Belongs here: applying a zone that the file or the manifest states, and saying so where neither does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from ingestion.recording import Finding
from warehouse.errors import Reason

_NS_PER_S = 1_000_000_000

_Times = npt.NDArray[np.int64]


def in_utc(local_ns: _Times, *, place: str, offset: timedelta | None = None, timezone: str = "") -> tuple[_Times, list[Finding]]:
    """Bring a logger's wall-clock times to UTC.

    The offset of the first reading holds for all: loggers do not change their clock for summer time.

    Parameters
    ----------
    local_ns : ndarray of int64, shape (n,)
        Nanoseconds of the wall clock since its 1970, n at least 1.
    place : str
        How a finding names the file.
    offset : timedelta, optional
        From UTC to the wall clock, where the file states it.
    timezone : str
        IANA name from the manifest, asked where the file states nothing.

    Returns
    -------
    t_ns : ndarray of int64, shape (n,)
        Nanoseconds since 1970 UTC.
    findings : list of Finding
        A note where nobody states a zone, a warning where the manifest names one that does not exist; UTC is taken then.

    Examples
    --------
    >>> in_utc(np.array([3_600_000_000_000]), place="a.cwa", timezone="Europe/Berlin")
    (array([0]), [])
    """
    if offset is None:
        zone = known_zone(timezone)
        if zone is None:
            return local_ns, [_unknown(timezone, place)]
        offset = datetime.fromtimestamp(int(local_ns[0]) // _NS_PER_S, UTC).replace(tzinfo=zone).utcoffset()
        assert offset is not None
    return local_ns - np.int64(offset.total_seconds() * _NS_PER_S), []


def known_zone(timezone: str) -> ZoneInfo | None:
    """Return the zone of that name; None if there is no such zone, or no name.

    Examples
    --------
    >>> known_zone("Europe/Berlin"), known_zone("Middle/Earth")
    (zoneinfo.ZoneInfo(key='Europe/Berlin'), None)
    """
    try:
        return ZoneInfo(timezone) if timezone else None
    except (KeyError, ValueError, OSError):
        return None


def _unknown(timezone: str, place: str) -> Finding:
    remedy = "state the zone in the manifest's column timezone, such as Europe/Berlin"
    if timezone:
        sentence = f"the manifest's timezone '{timezone[:40]}' is no IANA name; local times were taken for UTC"
        return Finding(Reason("timezone_unknown", sentence, place, remedy), "warning")
    sentence = "the device writes local time without saying of which zone; it was taken for UTC"
    return Finding(Reason("timezone_unknown", sentence, place, remedy), "note")
