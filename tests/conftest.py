"""What every test shares: where the real recordings lie, and a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from warehouse.home import Home

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `real` where the real recordings are not beside the checkout, and say so."""
    if REAL.is_dir():
        return
    skip = pytest.mark.skip(reason=f"real recordings are not at {REAL}")
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(skip)


@pytest.fixture
def real() -> Path:
    """The folder of real recordings."""
    return REAL


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home.at(tmp_path / "home")
