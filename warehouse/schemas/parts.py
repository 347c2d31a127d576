"""What the declarations of tables are made of: the two types, Arrow types, and columns that many tables share.

Belongs here: nothing of a single table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

UTC = pa.timestamp("us", tz="UTC")
NS = pa.int64()
F32 = pa.float32()
F64 = pa.float64()
TEXT = pa.string()
FLOATS = pa.list_(F32)

#: One reason inside a list column; the same four parts as `warehouse.errors.Reason`.
REASON = pa.struct([("code", TEXT), ("sentence", TEXT), ("place", TEXT), ("remedy", TEXT)])


@dataclass(frozen=True)
class Column:
    """One column: Arrow type and what an analyst must know, with the unit where there is one."""

    name: str
    type: pa.DataType
    comment: str


@dataclass(frozen=True)
class Table:
    """One table: what a row is, its columns, and the columns whose values name its folders.

    Parameters
    ----------
    name : str
        Name of the table, of its folder in the lake, of its view and of the asset that writes it.
    comment : str
        What one row is.
    columns : tuple of Column
    partition_by : tuple of str
        ``("batch_id",)`` for everything that a batch's run writes, so that it replaces its own rows and no others.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema, columns in the declared order."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])

    @cached_property
    def unpartitioned(self) -> pa.Schema:
        """The same without the columns that `Lake.replace` fills, for they name the folder."""
        return pa.schema([field for field in self.schema if field.name not in self.partition_by])


BATCH = Column("batch_id", TEXT, "The delivery that the row came with.")
RECORDING = Column("recording_id", TEXT, "The capture; joins with recordings.recording_id.")
PARTICIPANT = Column("participant", TEXT, "Pseudonym of the person, as in the manifest.")
STREAM = Column(
    "stream",
    TEXT,
    "Sensor: accelerometer (with gravity), linear_acceleration, gravity, gyroscope, magnetometer, orientation, joint, keypoint; "
    "where a recording has several, @ and its placement.",
)
TASK = Column("task", TEXT, "What is learnt: <study>.<task>.")
FINGERPRINT = Column("fingerprint", TEXT, "Hash of the training table's content and of the recipe and code that made it.")
AXES = (
    Column("x", F32, "First axis, in the stream's unit (streams.unit)."),
    Column("y", F32, "Second axis, in the stream's unit."),
    Column("z", F32, "Third axis, in the stream's unit."),
    Column("w", F32, "Real part of a quaternion, or the fourth number of latent; null for three-axis sensors."),
)
PER_BATCH = ("batch_id",)
PER_TRAINING = ("task", "fingerprint")
