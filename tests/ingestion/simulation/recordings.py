"""Single simulated recordings for the tests of devices, files and dirt."""

from __future__ import annotations

from ingestion.simulation import person
from ingestion.simulation.instruments import Capture, capture, device_of
from ingestion.simulation.sensing import mount

STARTED_NS = 1_768_294_800_123_000_000  # 2026-01-13 09:00:00.123 UTC


def recorded(system: str, *, number: int = 2, exercise: str = "walking", seconds: float = 6.0) -> Capture:
    """One recording of person `number` with a device of `system`."""
    someone = person(1, number)
    placement = "lower_back" if system == "metabase" else "front_pocket"
    sensor = mount(someone, exercise, placement=placement, seconds=seconds, set_number=1)
    title = f"{someone.participant}-{exercise}-1" if system == "metabase" else f"{exercise}_1"
    return capture(device_of(someone, system), sensor, title=title, person=someone, started_ns=STARTED_NS, seconds=seconds)
