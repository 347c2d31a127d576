"""Resample and segment: accepted recordings on one uniform clock, cut into stretches to learn from."""

import dagster as dg

from assets.partitions import BATCHES
from assets.quality import verdicts
from assets.resources import HomeResource
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


@dg.asset(
    deps=[resampled],
    partitions_def=BATCHES,
    group_name="preprocessing",
    kinds={"deltalake"},
    description=TABLES["segments"].comment,
)
def segments(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:
    """Cut resampled recordings as each task of the study says."""
    _, study = home.batch(context.partition_key)
    return dg.MaterializeResult(metadata={"segments": segment_batch(context.partition_key, study, home.open())})
