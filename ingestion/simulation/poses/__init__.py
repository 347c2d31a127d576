"""Simulated people before a camera: squats in good form and with faults, as a pose tool would have found them, and as a clip.

From people to files, one module each: `physique` (bones) and `forms` (what a fault changes) → `squatting` (every landmark in the
world) → `camera` (where it stands, what a pose tool makes of it) → `files` (as they are delivered) and `drawing` (a clip).
`delivery` makes a delivery of it.
"""

from __future__ import annotations

from ingestion.simulation.poses.delivery import PoseSpec, simulate_poses
from ingestion.simulation.poses.forms import FORMS

__all__ = ["FORMS", "PoseSpec", "simulate_poses"]
