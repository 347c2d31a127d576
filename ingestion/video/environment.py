"""Where the pose environment's Python is, and what is said where it is not.

Belongs here: finding it. What it holds is in `requirements-pose.lock`, which `make setup-pose` installs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from warehouse.errors import Reason, UnreadableFile

#: The environment variable that names the Python of the pose environment.
SETTING = "KINELAKE_POSE_PYTHON"

_ROOT = Path(__file__).resolve().parents[2]
_INSIDE = Path(".venv-pose", "bin", "python")


def pose_python() -> Path:
    """Return the Python that runs the pose worker.

    Raises
    ------
    UnreadableFile
        ``pose_unavailable`` where there is none; it says how to get it.
    """
    named = os.environ.get(SETTING)
    places = [Path(named)] if named else [_ROOT / _INSIDE, Path(sys.prefix).parent / _INSIDE]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise unavailable(f"there is no {' nor '.join(map(str, dict.fromkeys(places)))}")
    return found


def unavailable(why: str) -> UnreadableFile:
    """Return the refusal of every video on a machine that cannot find bodies."""
    sentence = f"the environment that finds bodies in videos cannot be used: {why}"
    remedy = f"run 'make setup-pose', or set {SETTING} to the Python of such an environment, and run the batch again"
    return UnreadableFile(Reason("pose_unavailable", sentence, "", remedy))
