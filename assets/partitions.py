"""The two ways the graph is cut: a batch is one delivery, a task is one thing to learn.

They lie here and not in `orchestration` because the assets are declared with them, and imports run one way.
"""

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="batch")
TASKS = dg.DynamicPartitionsDefinition(name="task")
