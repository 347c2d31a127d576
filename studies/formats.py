"""What a study says about the files of its devices, where the files do not say it themselves.

Belongs here: the `formats` section of a study file, as frozen models. Reading such files is in `ingestion.readers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SensorLoggerFiles(BaseModel):
    """What Sensor Logger files that were separated from their Metadata.csv or lost their name do not say.

    Parameters
    ----------
    platform : {"ios", "android"} or None
        For a recording without metadata: the platforms' signs differ.
    unnamed : str or None
        The sensor of a file with three axes whose name is of no sensor: the app's own name for it, such as ``Gyroscope``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: Literal["ios", "android"] | None = None
    unnamed: Literal["Accelerometer", "Gravity", "Gyroscope", "Magnetometer", "TotalAcceleration"] | None = None


class Formats(BaseModel):
    """Hints for readers.

    Parameters
    ----------
    placements : mapping of str to str
        Where each sensor of a device with several of them sits, by the device's own name for it: ``{s0: waist}``.
    sensor_logger : SensorLoggerFiles
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    placements: Mapping[str, str] = Field(default_factory=dict)
    sensor_logger: SensorLoggerFiles = Field(default_factory=SensorLoggerFiles)
