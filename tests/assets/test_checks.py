"""What was found in a batch stands on its verdicts: every check, with its figures, for that partition."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from assets.ingestion import raw_files, read
from assets.partitions import BATCHES
from assets.quality import CHECKS, verdicts
from assets.resources import HomeResource
from ingestion.delivery import deliver
from ingestion.simulation import CohortSpec, Dirt, simulate_delivery
from studies import find_study
from warehouse.home import Home


@pytest.fixture
def judged(home: Home, tmp_path: Path) -> dg.ExecuteInProcessResult:
    """A batch of four recordings, one with a gap, read and judged by the assets alone."""
    spec = CohortSpec(people=1, seconds=6, seed=2, dirt=(Dirt("gap", recording=1),))
    folder = simulate_delivery(tmp_path / "delivery", spec).folder
    deliver(folder, study=find_study("phone_exercises"), site="north", home=home, batch_id="monday")
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions(str(BATCHES.name), ["monday"])
    return dg.materialize(
        [raw_files, read, verdicts],
        partition_key="monday",
        instance=instance,
        resources={"home": HomeResource(path=str(home.root))},
    )


def test_every_check_is_evaluated_with_figures_and_only_what_was_found_fails(judged: dg.ExecuteInProcessResult) -> None:
    checks = {check.check_name: check for check in judged.get_asset_check_evaluations()}
    assert set(checks) == set(CHECKS)
    assert all(check.metadata for check in checks.values())
    assert not checks["stream_contracts"].passed
    assert checks["stream_contracts"].severity is dg.AssetCheckSeverity.ERROR
    assert checks["class_balance"].severity is dg.AssetCheckSeverity.WARN
    assert checks["stream_contracts"].metadata["level"].value == "stream"
    assert checks["every_recording_judged"].passed
    assert checks["every_recording_judged"].blocking


def test_the_verdicts_say_how_many_were_accepted_and_why_the_others_were_not(judged: dg.ExecuteInProcessResult) -> None:
    (materialization,) = judged.asset_materializations_for_node("verdicts")
    figures = {name: entry.value for name, entry in materialization.metadata.items()}
    assert (figures["accepted"], figures["quarantined"], figures["gap_too_long"]) == (3, 1, 1)
    assert materialization.partition == "monday"
