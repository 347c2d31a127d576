"""Judge: every recording gets a verdict; what was found stands on the verdicts as asset checks and in the report."""

import warnings
from collections.abc import Sequence

import dagster as dg

from assets.ingestion import read
from assets.partitions import BATCHES
from assets.resources import HomeResource, delivered
from quality.judging import Check, judge_batch
from quality.report import write_report
from warehouse.batches import complete_batch
from warehouse.schemas import TABLES

#: Checks that every batch gets, with whether a failure stops what comes after. A bad recording never does.
CHECKS = {
    "files_readable": False,
    "files_repaired": False,
    "stream_contracts": False,
    "stream_oddities": False,
    "units": False,
    "recordings_complete": False,
    "participants": False,
    "labels": False,
    "class_balance": False,
    "every_recording_judged": True,
    "copies": False,
    "confounding": False,
}


def _check_specs() -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        # One evaluation per batch is a preview of the pinned Dagster; its warning would greet every command.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(name, asset="verdicts", blocking=blocking, partitions_def=BATCHES)
            for name, blocking in CHECKS.items()
        ]


@dg.asset(
    deps=[*read.keys],
    partitions_def=BATCHES,
    group_name="quality",
    kinds={"deltalake", "greatexpectations"},
    description=TABLES["verdicts"].comment,
    check_specs=_check_specs(),
)
def verdicts(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:
    """Judge the batch against its study's contract."""
    _, study = home.batch(context.partition_key)
    judgement = judge_batch(context.partition_key, study, home.open())
    context.log.info(f"{judgement.accepted} recordings accepted, {judgement.quarantined} set aside")
    return dg.MaterializeResult(
        metadata={
            "accepted": judgement.accepted,
            "quarantined": judgement.quarantined,
            "changed": judgement.changed,
            **judgement.reasons,
        },
        check_results=_results(judgement.checks),
        data_version=dg.DataVersion(study.contract_version),
    )


@dg.asset(deps=[verdicts], partitions_def=BATCHES, group_name="quality", kinds={"html"})
def quality_report(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:
    """One self-contained page for the people who delivered the batch."""
    _, study = home.batch(context.partition_key)
    page = write_report(context.partition_key, study, home.open())
    return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(page), "bytes": page.stat().st_size})


@dg.asset(
    deps=[verdicts, "segments"],
    partitions_def=BATCHES,
    group_name="quality",
    kinds={"deltalake"},
    description=TABLES["batches"].comment,
)
def batches(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:
    """The row that makes the batch visible, written last."""
    receipt, study = home.batch(context.partition_key)
    row = complete_batch(
        delivered(receipt), home.open(), contract_version=study.contract_version, recipe_version=study.recipe_version
    )
    return dg.MaterializeResult(metadata={name: str(row[name]) for name in ("recordings", "accepted", "quarantined", "state")})


def _results(checks: Sequence[Check]) -> list[dg.AssetCheckResult]:
    return [
        dg.AssetCheckResult(
            check_name=check.name,
            passed=check.passed,
            severity=dg.AssetCheckSeverity.ERROR if check.severity == "error" else dg.AssetCheckSeverity.WARN,
            description=check.sentence,
            metadata={"level": check.level, **check.figures},
        )
        for check in checks
    ]
