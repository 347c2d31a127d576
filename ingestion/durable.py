"""Small texts that are on disk, as a whole, when the call returns."""

from __future__ import annotations

import os
from pathlib import Path

from warehouse.disk import fsync


def write_text(path: Path, text: str) -> None:
    """Write a text aside, fsync it, rename it into place, fsync the folder: a kill leaves the old text or the new."""
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("w", encoding="utf-8", errors="replace") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    aside.replace(path)
    fsync(path.parent)
