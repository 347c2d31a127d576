"""Every table of the lake: its columns with type, unit and meaning, and how it is partitioned.

These are the only lists of tables. The lake creates them from these, the warehouse comments its views from them, `kinelake
tables` prints them. One table, one entry, in the module of the room that writes it; a new table is a new entry.
"""

from __future__ import annotations

from collections.abc import Mapping

from warehouse.schemas.judged import JUDGED
from warehouse.schemas.learnt import LEARNT
from warehouse.schemas.parts import REASON, Column, Table
from warehouse.schemas.read import READ

__all__ = ["REASON", "TABLES", "Column", "Table"]

TABLES: Mapping[str, Table] = {table.name: table for table in (*READ, *JUDGED, *LEARNT)}
