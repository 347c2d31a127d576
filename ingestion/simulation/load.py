"""Recordings of hours, for load tests: written fast, a stretch at a time, in the devices' own formats.

Belongs here: only what makes them long. A minute of real movement is repeated with new noise; everything about formats
is in `sensor_logger` and `metabase`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import batched
from pathlib import Path

import numpy as np

from ingestion.recording import Stream
from ingestion.simulation import metabase, sensor_logger
from ingestion.simulation.instruments import Capture, device_of
from ingestion.simulation.motion import Floats
from ingestion.simulation.people import generator, person
from ingestion.simulation.sensing import simulate_recording
