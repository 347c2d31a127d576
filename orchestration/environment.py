"""The environment of an installation: where Dagster finds its storage, its settings, and every telemetry switched off.

Light on purpose: the command line imports it before it knows what it will do.
"""

from __future__ import annotations

import os
from typing import Any

import yaml

from warehouse.home import Home

#: A run that lasts longer is taken for dead and its slot given back, in seconds.
MAX_RUNTIME_S = 2 * 3600

#: Settings of the embedded installation. `dagster.yaml` in the home is made from them once and is then yours.
SETTINGS: dict[str, Any] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "run_monitoring": {
        "enabled": True,
        "start_timeout_seconds": 180,
        "max_runtime_seconds": MAX_RUNTIME_S,
        "poll_interval_seconds": 20,
        "free_slots_after_run_end_seconds": 30,
    },
    "concurrency": {"runs": {"max_concurrent_runs": 2}, "pools": {"granularity": "run", "default_limit": 1}},
    "retention": {"sensor": {"purge_after_days": {"skipped": 7, "success": 90}}, "schedule": {"purge_after_days": 90}},
}


def prepare_environment(home: Home) -> None:
    """Point this process and its children at the home, and switch every telemetry off."""
    os.environ["KINELAKE_HOME"] = str(home.root)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    settings = home.dagster / "dagster.yaml"
    if not settings.exists():
        settings.write_text(yaml.safe_dump(SETTINGS, sort_keys=False), encoding="utf-8")
