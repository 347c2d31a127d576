"""The smallest study that has everything, as a mapping to change and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def trial(**changes: Any) -> dict[str, Any]:
    """Content of a study file, some of its top-level keys changed; None takes one out."""
    content: dict[str, Any] = {
        "study": "trial",
        "title": "A trial",
        "participants": r"^P\d{3}$",
        "labels": ["squat", "lunge"],
        "streams": {"accelerometer": {"unit": "m/s^2", "rate_hz": [45, 55], "required": True}},
        "tasks": {
            "which": {
                "input": {"streams": ["accelerometer"], "rate_hz": 50},
                "segment": {"by": "recording", "length": 100},
                "models": [{"family": "svm"}],
                "promote": {"at_least": 0.5},
            }
        },
    }
    return {key: value for key, value in (content | changes).items() if value is not None}


def write_study(folder: Path, *, name: str = "trial.yaml", **changes: Any) -> Path:
    """Write it as a file."""
    path = folder / name
    path.write_text(yaml.safe_dump(trial(**changes), sort_keys=False), encoding="utf-8")
    return path
