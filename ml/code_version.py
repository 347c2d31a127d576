"""Which code made a table or a model: a hash over the source files of a package, and nothing else."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

_SOURCES = (".py", ".yaml")


def code_version(package: str) -> str:
    """Return a hash over every source file of a package and its sub-packages.

    Parameters
    ----------
    package : str
        Importable name, such as ``ml.preprocessing``.

    Returns
    -------
    str
        16 hexadecimal digits; equal for equal files, wherever the package is installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"'{package}' is not an importable package", name=package)
    return hash_sources(Path(spec.submodule_search_locations[0]))


def hash_sources(folder: Path) -> str:
    """Return a hash over the relative path and the bytes of every source file below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _SOURCES):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
