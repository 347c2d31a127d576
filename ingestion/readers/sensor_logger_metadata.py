"""What a Sensor Logger export says about itself, whichever of its versions wrote it and whether as CSV or JSON.

Belongs here: platform, conventions, declared rates. The name of the device and its serial number end here: only a hash goes on.
``recording time`` is not used: in 2021 it was local and a month early; the readings' own times are right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ingestion.readers.interface import Hints
from ingestion.recording import Finding
from warehouse.errors import Reason

_APPLE = frozenset({"ios", "ipados", "watchos"})
_ANDROID = frozenset({"android", "wearos", "wear os"})
#: What is kept as it was written: version 2 of 2021 has the first two, version 4 of a watch lacks ``platform version``.
_STATED: Mapping[str, str] = {
    "platform": "platform",
    "version": "schema_version",
    "appversion": "app_version",
    "platformversion": "platform_version",
    "standardisation": "standardised",
    "recordingtimezone": "timezone",
    "fusion": "fusion",
}
_PERIOD_MS = re.compile(r"\d{1,7}(\.\d+)?")
_LONGEST_TEXT = 100


@dataclass(frozen=True)
class Metadata:
    """What is known about a recording as a whole.

    Parameters
    ----------
    platform : str
        ``ios`` (also of an Apple Watch), ``android``, or empty if it is not stated.
    standardised : bool
        True if the app was told to write Android's units and signs everywhere.
    device : str
        16 hex digits in place of the device id; empty if there is none.
    rates_hz : mapping of str to float
        What the app was asked for, by sensor; a watch says 0, which is left out.
    stated : mapping of str to str
        For `Reading.metadata`.
    """

    platform: str = ""
    standardised: bool = False
    device: str = ""
    rates_hz: Mapping[str, float] = field(default_factory=dict)
    stated: Mapping[str, str] = field(default_factory=dict)


def metadata_of(row: Mapping[str, str]) -> Metadata:
    """Read the one row of Metadata.csv, or the Metadata element of a JSON export, by name; any column may be missing."""
    facts = {re.sub(r"[\s_]", "", name).casefold(): value.strip() for name, value in row.items()}
    platform = facts.get("platform", "").casefold()
    stated = {name: facts.get(column, "")[:_LONGEST_TEXT] for column, name in _STATED.items()}
    stated["platform"] = platform[:_LONGEST_TEXT]
    stated["standardised"] = stated["standardised"].casefold()
    return Metadata(
        platform="ios" if platform in _APPLE else "android" if platform in _ANDROID else "",
        standardised=stated["standardised"] == "true",
        device=pseudonym(facts.get("deviceid", "")),
        rates_hz=_declared_rates(facts.get("sensors", ""), facts.get("sampleratems", "")),
        stated={name: value for name, value in stated.items() if value},
    )


def with_platform(metadata: Metadata, hints: Hints, *, place: str) -> tuple[Metadata, list[Finding]]:
    """Return the metadata with the platform that the study states if they state none; say so if neither does."""
    if platform := metadata.platform or hints.formats.sensor_logger.platform:
        return replace(metadata, platform=platform), []
    sentence = "Metadata.csv is missing or names no platform: signs are taken as Android's, the unit from the values"
    remedy = "send the whole export, Metadata.csv included, or state formats.sensor_logger.platform in the study"
    return metadata, [Finding(Reason("platform_unknown", sentence, place, remedy), "warning")]


def pseudonym(identity: str) -> str:
    """Return 16 hex digits that stand for a device or a user; empty for an empty one."""
    return hashlib.sha256(f"sensor_logger:{identity}".encode()).hexdigest()[:16] if identity else ""


def _declared_rates(sensors: str, periods_ms: str) -> dict[str, float]:
    names = [re.sub(r"\s", "", name) for name in sensors.split("|")]
    periods = periods_ms.split("|")
    if len(periods) == 1:
        periods *= len(names)
    pairs = zip(names, periods, strict=False)
    return {name: 1000.0 / float(period) for name, period in pairs if _PERIOD_MS.fullmatch(period) and float(period) > 0}
