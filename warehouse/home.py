"""Where everything of one installation lies on disk, and nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from warehouse.errors import KinelakeError, Reason


@dataclass(frozen=True)
class Home:
    """The folder that holds one installation: landing zone, vault, lake, warehouse, reports, registry.

    Parameters
    ----------
    root : Path
        Absolute path; made on first use.
    """

    root: Path

    @classmethod
    def at(cls, path: str | os.PathLike[str] | None = None) -> Home:
        """Open the home at `path`, else at ``$KINELAKE_HOME``, else at ``./kinelake-home``.

        Raises
        ------
        KinelakeError
            ``home_unusable`` if its folders are not there and cannot be made.
        """
        chosen = path or os.environ.get("KINELAKE_HOME") or "kinelake-home"
        home = cls(Path(chosen).expanduser().resolve())
        folders = (home.landing, home.vault, home.lake, home.index, home.reports, home.registry, home.dagster, home.scratch)
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            sentence = f"no home can be there: {error.strerror}"
            remedy = "name a folder that may be made or written to, with --home or $KINELAKE_HOME"
            raise KinelakeError(Reason("home_unusable", sentence, str(error.filename or home.root), remedy)) from error
        return home

    @property
    def landing(self) -> Path:
        """Deliveries on their way in: ``landing/<site>/<study>/<delivery>``."""
        return self.root / "landing"

    @property
    def vault(self) -> Path:
        """Delivered bytes by their sha256, and the receipts."""
        return self.root / "vault"

    @property
    def lake(self) -> Path:
        """One Delta table a folder."""
        return self.root / "lake"

    @property
    def scratch(self) -> Path:
        """Where long recordings are spooled while they are read: files without names, gone with the process that wrote them."""
        return self.root / "scratch"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that analysts open; anyone may delete it, publishing makes it anew."""
        return self.root / "warehouse.duckdb"

    @property
    def index(self) -> Path:
        """What copies are looked up in; anyone may delete it, the next batch that is judged makes it anew."""
        return self.root / "index"

    @property
    def reports(self) -> Path:
        """HTML pages for people."""
        return self.root / "reports"

    @property
    def registry(self) -> Path:
        """Model files, and MLflow's database of runs, versions and aliases."""
        return self.root / "registry"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage (``DAGSTER_HOME``)."""
        return self.root / "dagster"
