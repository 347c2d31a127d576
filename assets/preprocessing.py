"""Resample and segment: accepted recordings on one uniform clock, cut into stretches to learn from."""

import warnings
from collections.abc import Iterator

import dagster as dg

from assets.partitions import BATCHES
from assets.quality import verdicts
from assets.resources import HomeResource
from ml.drifting import in_words, is_steady, measure_drift
from ml.preprocessing.batch import resample_batch, segment_batch
from ml.preprocessing.pose.bodies import keep_bodies
from ml.preprocessing.sessions import offsets_of_batch
from warehouse.schemas import TABLES


@dg.multi_asset(
    specs=[
        dg.AssetSpec(name, deps=[verdicts], description=TABLES[name].comment, kinds={"deltalake", "numba"})
        for name in ("resampled", "resampling")
    ],
    partitions_def=BATCHES,
    group_name="preprocessing",
    name="resample",
)
def resample(context: dg.AssetExecutionContext, home: HomeResource) -> Iterator[dg.MaterializeResult]:
    """Bring accepted recordings to the clocks that the study's tasks ask for, and say how well that went."""
    _, study = home.batch(context.partition_key)
    yield dg.MaterializeResult(
        asset_key="resampled", metadata={"rows": resample_batch(context.partition_key, study, home.open())}
    )
    yield dg.MaterializeResult(asset_key="resampling")


def _drift_spec() -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        # One evaluation per batch is a preview of the pinned Dagster; its warning would greet every command.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec("drift", asset="segments", blocking=False, partitions_def=BATCHES)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(name, deps=["resampled"], description=TABLES[name].comment, kinds={"deltalake"})
        for name in ("joint_angles", "squats", "pose_images", "offsets", "segments", "cuts", "drift")
    ],
    partitions_def=BATCHES,
    group_name="preprocessing",
    check_specs=[_drift_spec()],
    name="segment",
)
def segment(context: dg.AssetExecutionContext, home: HomeResource) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Tell what bodies do, cut recordings as each task of the study says, and hold them against what champions learnt from."""
    _, study = home.batch(context.partition_key)
    opened = home.open()
    squats = keep_bodies(context.partition_key, study, opened)
    yield dg.MaterializeResult(asset_key="joint_angles")
    yield dg.MaterializeResult(asset_key="squats", metadata={"rows": squats})
    yield dg.MaterializeResult(asset_key="pose_images")
    yield dg.MaterializeResult(asset_key="offsets", metadata={"rows": offsets_of_batch(context.partition_key, study, opened)})
    yield dg.MaterializeResult(asset_key="segments", metadata={"rows": segment_batch(context.partition_key, study, opened)})
    yield dg.MaterializeResult(asset_key="cuts")
    found = measure_drift(context.partition_key, study, opened)
    yield dg.MaterializeResult(asset_key="drift", metadata={"tasks": len(found)})
    yield dg.AssetCheckResult(
        check_name="drift",
        asset_key="segments",
        passed=is_steady(found),
        severity=dg.AssetCheckSeverity.WARN,
        description=in_words(found),
        metadata={f"{one.task}: {name}": one.found.index[name] for one in found for name in one.found.shifted},
    )
