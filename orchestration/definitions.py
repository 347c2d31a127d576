"""`build_defs` assembles everything; `defs` is what `workspace.yaml`, `dagster dev` and `dg` load."""

import dagster as dg

from assets import clips, ingestion, learning, preprocessing, quality, warehouse
from orchestration.jobs import BATCH_JOBS, publish_warehouse, train_task
from orchestration.liveness import LivingHome
from orchestration.progress import Progress, spoken_to
from orchestration.schedules import nightly
from orchestration.sensors import landing_zone, retraining
from warehouse.home import Home


def build_defs(*, home: Home | None = None, progress: Progress | None = None) -> dg.Definitions:
    """Assemble assets, jobs, sensors and schedules.

    Parameters
    ----------
    home : Home, optional
        Installation to work on; default ``$KINELAKE_HOME``.
    progress : callable, optional
        Gets the lines that runs say, instead of Dagster's console log.
    """
    return dg.Definitions(
        assets=dg.load_assets_from_modules([ingestion, quality, preprocessing, clips, learning, warehouse]),
        jobs=[*BATCH_JOBS, train_task, publish_warehouse],
        sensors=[landing_zone, retraining],
        schedules=[nightly],
        loggers={"console": spoken_to(progress)} if progress else None,
        resources={"home": LivingHome(path=str(home.root) if home else "")},
    )


defs = build_defs()
