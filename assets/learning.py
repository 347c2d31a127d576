"""Examples and models: a training table frozen under its fingerprint, and the versions trained on it."""

from collections.abc import Iterator

import dagster as dg

from assets.partitions import TASKS
from assets.quality import batches
from assets.resources import HomeResource, split_task
from ml.preprocessing.examples import freeze_examples
from ml.training import train_task
from warehouse.errors import TrainingRefused
from warehouse.schemas import TABLES

#: Marks the failure of a run that nothing went wrong in: there is too little to learn from yet.
WAITS_FOR_DATA = "waits_for_data"

_EVERY_BATCH = dg.AllPartitionMapping()


@dg.asset(
    deps=[dg.AssetDep(batches, partition_mapping=_EVERY_BATCH), dg.AssetDep("segments", partition_mapping=_EVERY_BATCH)],
    partitions_def=TASKS,
    group_name="learning",
    kinds={"deltalake"},
    description=TABLES["examples"].comment,
    code_version="1",
)
def examples(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:
    """Freeze the training table that the task would have now."""
    study, task = split_task(context.partition_key)
    try:
        table = freeze_examples(study, task, home.open())
    except TrainingRefused as refusal:
        raise dg.Failure(str(refusal), metadata={WAITS_FOR_DATA: True}, allow_retries=False) from None
    return dg.MaterializeResult(
        metadata={"fingerprint": table.meta.fingerprint, "examples": len(table.labels), "statement": table.meta.statement},
        data_version=dg.DataVersion(table.meta.fingerprint),
    )


@dg.multi_asset(
    specs=[
        dg.AssetSpec("models", deps=[examples], description=TABLES["models"].comment, kinds={"mlflow", "deltalake"}),
        dg.AssetSpec("evaluations", deps=[examples], description=TABLES["evaluations"].comment, kinds={"deltalake"}),
        dg.AssetSpec("trials", deps=[examples], description=TABLES["trials"].comment, kinds={"deltalake"}),
    ],
    partitions_def=TASKS,
    group_name="learning",
    name="train",
)
def train(context: dg.AssetExecutionContext, home: HomeResource) -> Iterator[dg.MaterializeResult]:
    """Train every family of the task, score it, register it, and let the gate decide about the champion."""
    study, task = split_task(context.partition_key)
    outcome = train_task(study, task, home.open(), progress=context.log.info)
    version = dg.DataVersion(outcome.fingerprint)
    yield dg.MaterializeResult(asset_key="models", metadata={"gate": outcome.sentence}, data_version=version)
    scores = {f"{trained.family} {metric}": value for trained in outcome.versions for metric, value in trained.scores.items()}
    yield dg.MaterializeResult(asset_key="evaluations", metadata=scores, data_version=version)
    yield dg.MaterializeResult(asset_key="trials", data_version=version)
