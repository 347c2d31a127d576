"""Recordings of hours, for load tests: written fast, a stretch at a time, in the devices' own formats.

Belongs here: only what makes them long. A minute of real movement is repeated with new noise; everything about formats
is in `sensor_logger` and `metabase`.
"""

from __future__ import annotations


