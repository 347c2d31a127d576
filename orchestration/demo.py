"""`kinelake demo`: a small simulated cohort in real device formats, with dirt in it, taken the whole way and summed up."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ingestion.delivery import deliver
from ingestion.simulation import CohortSpec, Dirt, simulate_delivery
from ingestion.simulation.poses import PoseSpec, simulate_poses
from ingestion.vault import Vault
from orchestration.cli.face import drawn
from orchestration.running import run
from orchestration.status import model_versions, status, without_gate
from studies import find_study
from warehouse.home import Home
from warehouse.query import query


@dataclass(frozen=True)
class DemoDelivery:
    """One simulated delivery: its batch id, whose it is, and what is simulated."""

    batch_id: str
    study: str
    site: str
    spec: CohortSpec | PoseSpec


_PHONE_DIRT = (
    Dirt("gap"),
    Dirt("wrong_rate"),
    Dirt("bad_label"),
    Dirt("corrupt_zip"),
    Dirt("copied_participant"),
    Dirt("jitter"),
)
_IMU_DIRT = (
    Dirt("text_in_number"),
    Dirt("missing_stream"),
    Dirt("unit_error"),
    Dirt("unknown_participant"),
    Dirt("time_backwards"),
    Dirt("copied_participant"),
)
_FORMS = ("good", "shallow", "inward_knees")

DELIVERIES = (
    DemoDelivery(
        "demo-phones-north",
        "phone_exercises",
        "north",
        CohortSpec(people=6, sets_per_exercise=2, seconds=14, seed=11, device="mixed", dirt=_PHONE_DIRT),
    ),
    DemoDelivery(
        "demo-phones-south",
        "phone_exercises",
        "south",
        CohortSpec(people=6, sets_per_exercise=2, seconds=14, seed=11, first_person=7),
    ),
    DemoDelivery(
        "demo-imus-north",
        "imu_exercises",
        "north",
        CohortSpec(people=8, sets_per_exercise=2, seconds=14, seed=11, device="metabase", dirt=_IMU_DIRT),
    ),
    DemoDelivery("demo-poses-north", "squat_screening", "north", PoseSpec(people=12, frames=105, seed=11, forms=_FORMS)),
    DemoDelivery(
        "demo-clips-north",
        "squat_screening",
        "north",
        PoseSpec(people=1, frames=90, seed=11, first_person=13, forms=_FORMS[:2], kind="clip"),
    ),
)

_QUERIES: tuple[tuple[str, str], ...] = (
    (
        "How long was each exercise recorded, and by how many people?",
        "SELECT study, label, count(*) AS recordings, count(DISTINCT recordings.participant) AS people, "
        "round(sum(duration_s) / 60, 1) AS minutes "
        "FROM recordings JOIN verdicts USING (recording_id) WHERE accepted GROUP BY ALL ORDER BY ALL",
    ),
    (
        "Which rates do the devices really run at?",
        "SELECT study, format, split_part(stream, '@', 1) AS sensor, "
        "round(min(rate_hz), 2) AS lowest_hz, round(max(rate_hz), 2) AS highest_hz, "
        "round(max(longest_gap_s), 2) AS longest_gap_s "
        "FROM streams JOIN recordings USING (recording_id) GROUP BY ALL ORDER BY ALL",
    ),
    (
        "How hard is each exercise, read from every single sample?",
        "SELECT study, label, count(*) AS samples, round(quantile_cont(sqrt(x*x + y*y + z*z), 0.95), 1) AS p95_m_per_s2 "
        "FROM samples JOIN recordings USING (recording_id) JOIN verdicts USING (recording_id) "
        "WHERE stream = 'accelerometer' AND accepted GROUP BY ALL ORDER BY p95_m_per_s2 DESC",
    ),
)


def run_demo(home: Home, *, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Simulate, deliver, run, and gather what a person wants to see.

    Parameters
    ----------
    home : Home
        Deliveries that it has already are not simulated again.
    progress : callable, optional
        Gets a line of text per step.

    Returns
    -------
    dict
        ``batches``, ``set_aside``, ``caught``, ``models``, ``queries`` and ``look``: what `summary_text` prints.
    """
    expected = {delivery.batch_id: _delivered(delivery, home, progress) for delivery in DELIVERIES}
    run(home, progress=progress)
    state = status(home)
    return {
        "batches": state["batches"],
        "set_aside": _set_aside(home),
        "caught": _caught(expected, home),
        "models": model_versions(home),
        "queries": [{"question": question, "sql": sql, "rows": query(home, sql).to_pylist()} for question, sql in _QUERIES],
        "look": _where_to_look(home),
    }


def forget_dirt(batch_id: str, paths: Collection[str], home: Home) -> None:
    """Take erased files out of the note on what was wrong in a simulated delivery."""
    noted = _note(batch_id, home)
    if noted.exists():
        kept = {path: dirt for path, dirt in json.loads(noted.read_text(encoding="utf-8")).items() if path not in paths}
        noted.write_text(json.dumps(kept), encoding="utf-8")


def summary_text(summary: dict[str, Any]) -> str:
    """Lay the summary out for a terminal."""
    console = Console(width=150, highlight=False)
    with console.capture() as captured:
        console.print(drawn(summary["batches"], "Batches"))
        console.print(drawn(summary["set_aside"], "\nSet aside, and why"))
        console.print(drawn(summary["caught"], "\nDirt that was put in on purpose, and what became of it"))
        console.print(drawn([without_gate(row) for row in summary["models"]], "\nModels, scored on people whom they never saw"))
        for gate in dict.fromkeys(f"  {row['task']}: {row['gate']}" for row in summary["models"] if row["alias"] == "champion"):
            console.print(gate, markup=False)
        for asked in summary["queries"]:
            console.print(f"\n[bold]{asked['question']}[/bold]\n[dim]{asked['sql']}[/dim]")
            console.print(drawn(asked["rows"], ""))
        console.print("\n[bold]Where to look next[/bold]")
        for what, where in summary["look"].items():
            console.print(f"  {what:<34} {where}", markup=False, soft_wrap=True)
    return captured.get()


def _delivered(delivery: DemoDelivery, home: Home, progress: Callable[[str], None]) -> dict[str, str]:
    """Deliver it unless the home has it, and return what is wrong in it by path."""
    noted = _note(delivery.batch_id, home)
    known = {receipt.batch_id for receipt in Vault(home).receipts()}
    if delivery.batch_id not in known or not noted.exists():
        with tempfile.TemporaryDirectory() as folder:
            progress(f"simulating {delivery.spec.recordings} recordings for {delivery.batch_id}")
            written, dirt = _written(Path(folder) / "delivery", delivery.spec)
            noted.write_text(json.dumps(dirt), encoding="utf-8")
            study = find_study(delivery.study)
            deliver(written, study=study, site=delivery.site, home=home, batch_id=delivery.batch_id)
    expected: dict[str, str] = json.loads(noted.read_text(encoding="utf-8"))
    return expected


def _written(folder: Path, spec: CohortSpec | PoseSpec) -> tuple[Path, dict[str, str]]:
    """Simulate a delivery; return it, and what is wrong in it by path."""
    if isinstance(spec, PoseSpec):
        return simulate_poses(folder, spec), {}
    simulated = simulate_delivery(folder, spec)
    return simulated.folder, dict(simulated.expected)


def _note(batch_id: str, home: Home) -> Path:
    return home.reports / f"{batch_id}.dirt.json"


def _set_aside(home: Home) -> list[dict[str, Any]]:
    return query(
        home,
        """
        SELECT code, count(DISTINCT recording_id) AS recordings, any_value(sentence) AS for_example,
               any_value(remedy) AS what_to_do
        FROM quarantine GROUP BY code ORDER BY recordings DESC, code
        """,
    ).to_pylist()


def _caught(expected: dict[str, dict[str, str]], home: Home) -> list[dict[str, Any]]:
    judged = query(
        home,
        """
        WITH mended AS (
            SELECT batch_id, recording_id, list(DISTINCT kind) AS kinds FROM repairs
            WHERE kind IN ('unit_inferred', 'sign_flipped') GROUP BY ALL
        )
        SELECT batch_id, path, accepted, list_transform(reasons, r -> r.code) AS codes, coalesce(kinds, []) AS mended
        FROM files JOIN verdicts USING (batch_id, recording_id) LEFT JOIN mended USING (batch_id, recording_id)
        """,
    ).to_pylist()
    verdicts = {(row["batch_id"], row["path"]): row for row in judged}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for batch, dirt in expected.items():
        for path, kind in dirt.items():
            found = verdicts[batch, path]
            named = ", ".join(sorted(set(found["mended"] if found["accepted"] else found["codes"])))
            new = {"dirt": kind, "batch": batch, "files": 0, "set_aside": 0, "repaired": 0, "as": named}
            row = rows.setdefault((batch, kind), new)
            row["files"] += 1
            row["set_aside"] += not found["accepted"]
            row["repaired"] += found["accepted"] and bool(found["mended"])
    return list(rows.values())


def _where_to_look(home: Home) -> dict[str, str]:
    first = DELIVERIES[0].batch_id
    return {
        "quality report of a batch": str(home.reports / f"{first}.html"),
        "the warehouse, in any DuckDB client": str(home.warehouse),
        "what every column means": "kinelake tables",
        "what was set aside, one by one": "kinelake quarantine list",
        "who is champion and why": "kinelake models",
        "pages for runs, assets and models": "kinelake up",
        "your own recordings": "kinelake manifest DIR, kinelake submit DIR --study S --site X, kinelake run",
    }
