"""What a study says about the files of its devices, where the files do not say it themselves.

Belongs here: the `formats` section of a study file, as frozen models, and the units that files may be in. Reading such files is
in `ingestion.readers`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, FiniteFloat, field_validator, model_validator

from studies.fields import Strict, distinct
from studies.sensors import Placement, StreamName, axes_of, unit_of
from studies.skeletons import PLACEMENTS
from warehouse.errors import did_you_mean

STANDARD_GRAVITY = 9.80665  # m/s^2
_DEGREE = math.pi / 180  # rad

#: Unit in a file -> unit in the lake, and the factor between them.
UNITS: Mapping[str, tuple[str, float]] = {
    "m/s^2": ("m/s^2", 1.0),
    "g": ("m/s^2", STANDARD_GRAVITY),
    "mg": ("m/s^2", STANDARD_GRAVITY / 1000),
    "rad/s": ("rad/s", 1.0),
    "deg/s": ("rad/s", _DEGREE),
    "mdeg/s": ("rad/s", _DEGREE / 1000),
    "uT": ("uT", 1.0),
    "nT": ("uT", 1e-3),
    "T": ("uT", 1e6),
    "mG": ("uT", 0.1),
    "G": ("uT", 100.0),
    "quaternion": ("quaternion", 1.0),
    "1": ("1", 1.0),
}

Positive = Annotated[float, Field(gt=0)]
Pixels = Annotated[int, Field(ge=16, le=65_536)]
Pattern = Annotated[str, Field(min_length=1)]


def fits(path: str, pattern: str) -> bool:
    """Tell whether a shell pattern fits a delivered path or its end.

    Examples
    --------
    >>> fits("day1/set 2/a.txt", "*.txt"), fits("day1/raw/a.csv", "raw/*.csv"), fits("day1/a.csv", "raw/*.csv")
    (True, True, False)
    """
    return fnmatchcase(path, pattern) or fnmatchcase(path, f"*/{pattern}")


class DescribedStream(Strict):
    """One sensor of a file: its columns in the order x, y, z (and w), and how to get to its unit.

    Parameters
    ----------
    columns : tuple of str
    unit : str
        One of `UNITS`.
    scale : float
        What the file's numbers are multiplied by to be in `unit`; for sensors that write counts.
    """

    columns: tuple[str, ...]
    unit: str
    scale: FiniteFloat = 1.0

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, unit: str) -> str:
        if unit not in UNITS:
            raise ValueError(f"'{unit}' is not known{did_you_mean(unit, UNITS)}")
        return unit

    @property
    def factor(self) -> float:
        """What the file's numbers are multiplied by to be in the lake's unit."""
        return self.scale * UNITS[self.unit][1]


class TimeColumn(Strict):
    """Where a table keeps time, and how it is written.

    Parameters
    ----------
    column : str
    unit : str
        ``s``, ``ms``, ``us`` or ``ns`` since 1970 UTC or since the start; ``iso``; or a pattern such as ``%Y%m%d%H%M%S``.
    """

    column: str
    unit: str

    @field_validator("unit")
    @classmethod
    def _is_a_unit_or_a_pattern(cls, unit: str) -> str:
        if unit not in ("s", "ms", "us", "ns", "iso") and "%" not in unit:
            raise ValueError(f"'{unit}' is not allowed; wanted: s, ms, us, ns, iso, or a pattern such as '%Y-%m-%d %H:%M:%S.%f'")
        return unit


class _Described(Strict):
    """What every described file has: a name to know it by, and columns that make up its streams."""

    files: Pattern
    streams: Mapping[StreamName, DescribedStream] = Field(min_length=1)

    @model_validator(mode="after")
    def _streams_have_their_axes_and_units(self) -> _Described:
        for name, stream in self.streams.items():
            axes = axes_of(name)
            if len(stream.columns) != len(axes):
                raise ValueError(f"{name} needs {len(axes)} columns, for {', '.join(axes)}; {len(stream.columns)} are named")
            if UNITS[stream.unit][0] != unit_of(name):
                allowed = ", ".join(unit for unit, (kept, _) in UNITS.items() if kept == unit_of(name))
                raise ValueError(f"{name} cannot be in '{stream.unit}'; allowed: {allowed}")
        return self

    def columns_asked_for(self) -> Iterator[str]:
        """Give the columns of all streams."""
        return (column for stream in self.streams.values() for column in stream.columns)


class TableFormat(_Described):
    """A CSV, text or Parquet file with a row for each reading, or a text file with a row for each sequence of them.

    Parameters
    ----------
    files : str
        Shell pattern on the path or its end.
    rows : {"readings", "sequences"}
        What a row is. In a row of a sequence `columns` are those of one reading, which follow each other, reading by reading.
    delimiter : str
        Between the cells of a row; a blank stands for any number of blanks and tabs.
    header : bool
        True if the first row names the columns; without it `columns` does.
    columns : tuple of str
    decimal : {".", ","}
    comment : str
        Lines that begin with it are left out.
    skip_lines : int
        Lines at the top that are no part of the table.
    time : TimeColumn, optional
        Without it, readings follow each other at `rate_hz`.
    rate_hz : float, optional
        What the device was set to.
    """

    rows: Literal["readings", "sequences"] = "readings"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    header: bool = True
    columns: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    comment: str = ""
    skip_lines: Annotated[int, Field(ge=0, le=10_000)] = 0
    time: TimeColumn | None = None
    rate_hz: Positive | None = None

    @model_validator(mode="after")
    def _says_what_the_file_does_not(self) -> TableFormat:
        if self.header == bool(self.columns):
            raise ValueError("either the file has a header, or its columns are named")
        if self.time is None and self.rate_hz is None:
            raise ValueError("a table needs time or rate_hz")
        if self.rows == "sequences" and (self.header or self.time or self.rate_hz is None):
            raise ValueError(
                "a table of sequences has no header and no time: it needs columns, those of one reading, and rate_hz"
            )
        _known(self.columns, [*self.columns_asked_for(), *([self.time.column] if self.time else [])])
        return self


class PacketFormat(_Described):
    """A file of raw packets: rows of little-endian 16-bit integers, nothing between them.

    Parameters
    ----------
    files : str
        Shell pattern on the path or its end: bytes have no signature.
    rate_hz : float
        Packets a second: they carry no time.
    fields : tuple of str
        Names of a packet's integers, in order.
    """

    rate_hz: Positive
    fields: Annotated[tuple[str, ...], Field(min_length=1)] = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")

    @model_validator(mode="after")
    def _fields_are_there(self) -> PacketFormat:
        _known(self.fields, self.columns_asked_for())
        return self


class SensorLoggerFiles(Strict):
    """What Sensor Logger files that were separated from their Metadata.csv or lost their name do not say.

    Parameters
    ----------
    platform : {"ios", "android"} or None
        For a recording without metadata: the platforms' signs differ.
    unnamed : str or None
        The sensor of a file with three axes whose name is of no sensor: the app's own name for it, such as ``Gyroscope``.
    """

    platform: Literal["ios", "android"] | None = None
    unnamed: Literal["Accelerometer", "Gravity", "Gyroscope", "Magnetometer", "TotalAcceleration"] | None = None


class PoseFiles(Strict):
    """What files of poses do not say, and which joints a tool may guess.

    Parameters
    ----------
    rate_hz : float or None
        Frames a second: they hold no times.
    aspect : float or None
        Width of the picture over its height, for landmarks that are shares of both.
    frame : tuple of int, or None
        Width and height of the picture in pixels, for keypoints in pixels; it says `aspect` too.
    guessed : tuple of str
        Joints that are taken where the tool only guesses them, for the body hides them: seen from the side the far arm is.
    """

    rate_hz: Positive | None = None
    aspect: Positive | None = None
    frame: tuple[Pixels, Pixels] | None = None
    guessed: Annotated[tuple[str, ...], AfterValidator(distinct)] = ()

    @field_validator("guessed")
    @classmethod
    def _joints_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PLACEMENTS:
                raise ValueError(f"'{name}' is no joint{did_you_mean(name, PLACEMENTS)}")
        return names

    @model_validator(mode="after")
    def _says_the_shape_once(self) -> PoseFiles:
        if self.aspect is not None and self.frame is not None:
            raise ValueError("say frame or aspect, not both: the frame's width over its height is its aspect")
        return self


class Formats(Strict):
    """Hints for readers.

    Parameters
    ----------
    placements : mapping of str to str
        Where each sensor of a device with several of them sits, by the device's own name for it: ``{s0: waist}``.
    timezone : str
        Zone of local times that state none, where the manifest does not say; an IANA name.
    sensor_logger : SensorLoggerFiles
    poses : PoseFiles
    tables, packets : tuple
        Files that no reader knows by their content; the first whose `files` fits a path describes it.
    """

    placements: Mapping[str, Placement] = Field(default_factory=dict)
    timezone: str = ""
    sensor_logger: SensorLoggerFiles = SensorLoggerFiles()
    poses: PoseFiles = PoseFiles()
    tables: tuple[TableFormat, ...] = ()
    packets: tuple[PacketFormat, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, name: str) -> str:
        try:
            return name and ZoneInfo(name).key
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"'{name}' is no IANA name of a time zone, such as Europe/Berlin") from error

    def table_for(self, path: str) -> TableFormat | None:
        """Return the description of a table, None if there is none."""
        return next((table for table in self.tables if fits(path, table.files)), None)

    def packets_for(self, path: str) -> PacketFormat | None:
        """Return the description of a file of packets, None if there is none."""
        return next((packets for packets in self.packets if fits(path, packets.files)), None)


def _known(columns: tuple[str, ...], wanted: Iterator[str] | list[str]) -> None:
    for name in wanted if columns else ():
        if name not in columns:
            raise ValueError(f"column '{name}' is not named{did_you_mean(name, columns)}")
