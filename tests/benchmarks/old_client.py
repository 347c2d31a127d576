"""Does a plain DuckDB client of the oldest promised version open the warehouse? `python -m tests.benchmarks.old_client`.

The old client lives in an environment of its own: the Python that ``$KINELAKE_OLD_DUCKDB`` names, else one that this script makes
with pip in a temporary folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from tests.warehouse.rows import write_batch, write_training
from warehouse.home import Home
from warehouse.publish import OLDEST_CLIENT, publish

# Runs in the old client's Python, where there is DuckDB and nothing else: no pyarrow, no pytz, nothing of this project.
_ASK = """
import duckdb, json, sys
warehouse = duckdb.connect(sys.argv[1], read_only=True)
things = {name: comment for name, comment in warehouse.execute(
    "SELECT table_name, comment FROM duckdb_tables() UNION ALL "
    "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall()}
failed, rows = {}, {}
for name in things:
    try:
        rows[name] = warehouse.execute(f'SELECT count(*) FROM (SELECT COLUMNS(*)::VARCHAR FROM "{name}")').fetchone()[0]
    except duckdb.Error as error:
        failed[name] = str(error)
columns = warehouse.execute(
    "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal").fetchall()
asked = {
    "json": "SELECT json_extract_string(attributes, '$.load') FROM recordings ORDER BY ALL LIMIT 1",
    "struct": "SELECT reasons[1].code FROM verdicts WHERE NOT accepted LIMIT 1",
    "instant": "SELECT strftime(received_at, '%Y-%m-%d') FROM batches LIMIT 1",
    "nanoseconds": "SELECT max(t_ns) FROM samples",
    "float": "SELECT sum(z) FROM samples WHERE batch_id = 'b1'",
    "list": "SELECT list_sum(signal) FROM examples ORDER BY example_id LIMIT 1",
}
print(json.dumps({
    "version": duckdb.__version__, "rows": rows, "failed": failed,
    "without_comment": [name for name, comment in things.items() if not comment]
        + [f"{table}.{column}" for table, column, _, comment in columns if not comment],
    "types": {f"{table}.{column}": kind for table, column, kind, _ in columns},
    "answers": {name: warehouse.execute(sql).fetchone()[0] for name, sql in asked.items()},
}))
"""


def ask(python: Path, warehouse: Path) -> dict[str, Any]:
    """Let the old client look at everything in a published warehouse and say what it saw."""
    said = subprocess.run([python, "-c", _ASK, warehouse], capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(said.stderr)
    return dict(json.loads(said.stdout))


def make_sample(root: Path) -> Home:
    """A published home with rows of every kind of column."""
    home = Home.at(root)
    write_batch(home, "b1", attributes='{"load": "20 kg"}')
    write_batch(home, "b2")
    write_training(home, "trial.which", "f1", [1, 2])
    publish(home, aliases={("trial.which", 2): "champion"})
    return home


def old_python(folder: Path) -> Path:
    """The Python with the old client; made in `folder` unless the environment names one."""
    if named := os.environ.get("KINELAKE_OLD_DUCKDB"):
        return Path(named)
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    wanted = f"duckdb=={OLDEST_CLIENT.removeprefix('v')}"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted], check=True)
    return python


def main() -> int:
    """Print what the old client saw; 1 if anything failed or has no comment."""
    with tempfile.TemporaryDirectory() as folder:
        seen = ask(old_python(Path(folder) / "client"), make_sample(Path(folder) / "home").warehouse)
    print(json.dumps({key: value for key, value in seen.items() if key != "types"}, indent=2))
    return 1 if seen["failed"] or seen["without_comment"] else 0


if __name__ == "__main__":
    sys.exit(main())
