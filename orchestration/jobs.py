"""The jobs: one brings a batch from its bytes to the warehouse, two begin later where less changed, one trains a task."""

import dagster as dg

from assets.clips import clip_pages
from assets.ingestion import raw_files, read
from assets.learning import examples, train
from assets.preprocessing import resample, segment
from assets.quality import batches, quality_report, verdicts
from assets.warehouse import warehouse
from orchestration.environment import MAX_RUNTIME_S

_TAGS = {"dagster/max_runtime": str(MAX_RUNTIME_S)}

process_batch = dg.define_asset_job(
    "process_batch",
    selection=dg.AssetSelection.assets(
        raw_files, *read.keys, verdicts, quality_report, *resample.keys, *segment.keys, clip_pages, batches, warehouse
    ),
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Vault, read, judge, resample and segment one delivery, then publish.",
)

rejudge_batch = dg.define_asset_job(
    "rejudge_batch",
    selection=dg.AssetSelection.assets(verdicts, quality_report, *resample.keys, *segment.keys, clip_pages, batches, warehouse),
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Judge, resample and segment a batch that was read, then publish; no delivered file is read.",
)

recut_batch = dg.define_asset_job(
    "recut_batch",
    selection=dg.AssetSelection.assets(*resample.keys, *segment.keys, clip_pages, batches, warehouse),
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Resample and segment a batch that was judged, then publish.",
)

#: Jobs that work on one batch.
BATCH_JOBS = (process_batch, rejudge_batch, recut_batch)

train_task = dg.define_asset_job(
    "train_task",
    selection=dg.AssetSelection.assets(examples, *train.keys, warehouse),
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Freeze the training table of one task, train and register its models, then publish.",
)

publish_warehouse = dg.define_asset_job(
    "publish_warehouse",
    selection=dg.AssetSelection.assets(warehouse),
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Build warehouse.duckdb anew from the lake.",
)
