"""Resample and segment: accepted recordings on one uniform clock, cut into stretches to learn from."""

import warnings

import dagster as dg

from assets.partitions import BATCHES
from assets.quality import verdicts
from assets.resources import HomeResource
from ml.drifting import in_words, is_steady, measure_drift
from ml.preprocessing.batch import resample_batch, segment_batch
from warehouse.schemas import TABLES


@dg.asset(
    deps=[verdicts],
    partitions_def=BATCHES,
    group_name="preprocessing",
    kinds={"deltalake", "numba"},
    description=TABLES["resampled"].comment,
)
def resampled(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:
    """Bring accepted recordings to the clocks that the study's tasks ask for."""
    _, study = home.batch(context.partition_key)
    return dg.MaterializeResult(metadata={"rows": resample_batch(context.partition_key, study, home.open())})


def _drift_spec() -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        # One evaluation per batch is a preview of the pinned Dagster; its warning would greet every command.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec("drift", asset="segments", blocking=False, partitions_def=BATCHES)


@dg.asset(
    deps=[resampled],
    partitions_def=BATCHES,
    group_name="preprocessing",
    kinds={"deltalake"},
    description=TABLES["segments"].comment,
    check_specs=[_drift_spec()],
)
def segments(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:
    """Cut resampled recordings as each task of the study says, and hold them against what the champions learnt from."""
    _, study = home.batch(context.partition_key)
    opened = home.open()
    count = segment_batch(context.partition_key, study, opened)
    found = measure_drift(context.partition_key, study, opened)
    check = dg.AssetCheckResult(
        check_name="drift",
        passed=is_steady(found),
        severity=dg.AssetCheckSeverity.WARN,
        description=in_words(found),
        metadata={f"{one.task}: {name}": one.found.index[name] for one in found for name in one.found.shifted},
    )
    return dg.MaterializeResult(metadata={"segments": count}, check_results=[check])
