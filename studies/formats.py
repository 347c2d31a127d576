"""What a study says about the files of its devices, where the files do not say it themselves.

Belongs here: the `formats` section of a study file, as frozen models. Reading such files is in `ingestion.readers`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class Formats(BaseModel):
    """Hints for readers.

    Parameters
    ----------
    placements : mapping of str to str
        Where each sensor of a device with several of them sits, by the device's own name for it: ``{s0: waist}``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    placements: Mapping[str, str] = Field(default_factory=dict)
