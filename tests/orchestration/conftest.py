"""A small simulated study that runs in seconds, and homes that have been taken the whole way with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestion.delivery import deliver
from ingestion.receipt import Receipt
from ingestion.simulation import CohortSpec, Dirt, simulate_delivery
from studies import find_study
from warehouse.home import Home

_STUDIES = Path(__file__).resolve().parents[1] / "data" / "studies"
EXERCISES = ("jumping_jack", "squat", "walking")

Deliver = Callable[..., Receipt]


@pytest.fixture(autouse=True, scope="session")
def quick_study() -> Iterator[None]:
    """Make `quick_exercises` known to this process and its children."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KINELAKE_STUDIES", str(_STUDIES))
        yield


def simulated(folder: Path, *, people: int = 3, first_person: int = 1, dirt: tuple[Dirt, ...] = ()) -> Path:
    """Write a small delivery for `quick_exercises` and return its folder."""
    spec = CohortSpec(people=people, first_person=first_person, exercises=EXERCISES, seconds=7, seed=3, dirt=dirt)
    return simulate_delivery(folder, spec).folder


def delivered(folder: Path, home: Home, batch_id: str) -> Receipt:
    """Deliver a folder to `quick_exercises`."""
    return deliver(folder, study=find_study("quick_exercises"), site="north", home=home, batch_id=batch_id)
