"""What is uploaded to the watched bucket goes the whole way; a bucket that cannot be reached stops nothing and heals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.resources import HomeResource
from ingestion.landing import LANDING
from orchestration.running import run
from orchestration.sensors import landing_zone
from orchestration.status import status
from tests.orchestration.conftest import simulated
from warehouse.home import Home

_STUDY = "inbox/north/quick_exercises"


@pytest.fixture(autouse=True)
def watched(s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bucket in which one delivery lies, and nobody has written to it for a minute."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    monkeypatch.setenv(LANDING, "s3://clinics/inbox")
    folder = simulated(tmp_path / "delivery", people=1)
    for path in (path for path in folder.rglob("*") if path.is_file()):
        s3.upload_file(str(path), "clinics", f"{_STUDY}/visit/{path.relative_to(folder).as_posix()}")
    for key in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets["clinics"].keys.values():
        key.last_modified = key.last_modified.replace(year=2020)


def _asked_for(home: Home) -> list[str | None]:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, resources={"home": HomeResource(path=str(home.root))})
        result = landing_zone(context)
    assert isinstance(result, dg.SensorResult)
    return [request.partition_key for request in result.run_requests or ()]


def test_it_is_taken_and_read_and_the_receipt_lies_in_its_place(home: Home, s3: Any) -> None:
    assert _asked_for(home) == ["north.quick_exercises.visit"]
    assert {"key": "north.quick_exercises.visit", "why": "in the landing zone"} in status(home)["pending"]
    summary = run(home, tasks=False)
    assert summary.batches == summary.delivered == ["north.quick_exercises.visit"]
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="clinics")["Contents"]] == [f"{_STUDY}/visit.receipt.json"]
    assert _asked_for(home) == []


def test_a_bucket_that_is_out_of_reach_is_said_and_the_next_look_heals(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv(LANDING, "s3://nowhere")
        assert _asked_for(home) == []
        assert "landing_bucket_missing" in status(home)["pending"][0]["why"]
        summary = run(home, tasks=False)
        assert summary.batches == []
        assert "landing_bucket_missing" in summary.failed["landing zone"]
    assert _asked_for(home) == ["north.quick_exercises.visit"]
