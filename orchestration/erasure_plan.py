"""What an erasure is to erase, on disk from its begin to its end, so that one that was killed can finish.

Belongs here: the plan and its file below ``erasing/`` in the home. Making and carrying out a plan is `orchestration.erasing`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from warehouse.disk import fsync
from warehouse.errors import KinelakeError, Reason
from warehouse.home import Home


@dataclass(frozen=True, order=True)
class ErasedFile:
    """A delivered file that is to go."""

    batch_id: str
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Plan:
    """What is to go.

    Parameters
    ----------
    study, participant : str
    also_under : tuple of str
        Other participants of the study under whom the same sensor values were delivered; those recordings go too.
    recordings : tuple of str
    files : tuple of ErasedFile
    batches : tuple of str
        Those the files came with, and those whose verdicts name one of the recordings.
    """

    study: str
    participant: str
    also_under: tuple[str, ...]
    recordings: tuple[str, ...]
    files: tuple[ErasedFile, ...]
    batches: tuple[str, ...]

    @property
    def sha256(self) -> frozenset[str]:
        return frozenset(file.sha256 for file in self.files)

    @property
    def paths(self) -> Mapping[str, set[str]]:
        """Batch id -> paths of the files that go."""
        found: dict[str, set[str]] = defaultdict(set)
        for file in self.files:
            found[file.batch_id].add(file.path)
        return found

    def write_down(self, home: Home) -> None:
        """Put it on disk, before anything goes."""
        path = _place(self.participant, self.study, home)
        path.parent.mkdir(exist_ok=True)
        aside = path.with_suffix(".tmp")
        with aside.open("w", encoding="utf-8") as handle:
            json.dump(asdict(self), handle)
            handle.flush()
            os.fsync(handle.fileno())
        aside.replace(path)
        fsync(path.parent)
        fsync(home.root)

    def forget(self, home: Home) -> None:
        """Remove it, for nothing of what it names is left."""
        _place(self.participant, self.study, home).unlink()


def plan_of(participant: str, study: str, home: Home) -> Plan | None:
    """Return what an erasure that did not come to its end was to erase; None if there was none."""
    path = _place(participant, study, home)
    return _loaded(path) if path.exists() else None


def unfinished(home: Home) -> list[Reason]:
    """Return a reason for each erasure that was begun and did not come to its end."""
    plans = {path: _loaded(path) for path in sorted(folder_of_plans(home).glob("*.json"))}
    sentence = "an erasure was begun and did not come to its end"
    return [
        Reason("erasure_unfinished", sentence, str(path), f"kinelake erase {plan.participant} --study {plan.study}")
        for path, plan in plans.items()
    ]


def folder_of_plans(home: Home) -> Path:
    """Where the plans of unfinished erasures lie."""
    return home.root / "erasing"


def _place(participant: str, study: str, home: Home) -> Path:
    return folder_of_plans(home) / f"{hashlib.sha256(json.dumps([study, participant]).encode()).hexdigest()[:16]}.json"


def _loaded(path: Path) -> Plan:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(ErasedFile(**file) for file in content["files"])
        lists = {name: tuple(content[name]) for name in ("also_under", "recordings", "batches")}
        return Plan(content["study"], content["participant"], files=files, **lists)
    except (ValueError, KeyError, TypeError) as error:
        sentence = f"what was to be erased cannot be read: {error}"
        raise KinelakeError(Reason("erasure_damaged", sentence, str(path), "remove it and erase again")) from error
