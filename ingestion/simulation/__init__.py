"""A simulated cohort in real device formats: for the demo, the tests and load tests.

From people to files, one module each: `people` (size, tempo, style) → `exercises` on `motion` (how hip, pelvis and thigh
go) → `sensing` (gravity, rotation, mounting) → `instruments` (bias, noise, clocks) → `sensor_logger` and `metabase` (files
as the device writes them), with `dirt` on demand. `cohort` makes a delivery of it, `load` a recording of many hours.
"""

from __future__ import annotations

from ingestion.simulation.cohort import CohortSpec, SimulatedDelivery, simulate_delivery
from ingestion.simulation.dirt import Dirt
from ingestion.simulation.load import write_long_recording
from ingestion.simulation.people import Person, person
from ingestion.simulation.sensing import Truth, simulate_recording

__all__ = [
    "CohortSpec",
    "Dirt",
    "Person",
    "SimulatedDelivery",
    "Truth",
    "person",
    "simulate_delivery",
    "simulate_recording",
    "write_long_recording",
]
