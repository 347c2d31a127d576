"""What a delivery becomes: a receipt that names the batch and every file in it.

Belongs here: the two records and their JSON form. Writing a receipt to disk is the vault's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime


@dataclass(frozen=True)
class DeliveredFile:
    """One device file of a delivery: its bytes by hash, and what the manifest says of it.

    Parameters
    ----------
    path : str
        Path inside the delivery, with ``/``; data, never used as a path on this machine.
    sha256 : str
        Hash of the bytes, and their name in the vault.
    bytes : int
        Size in bytes.
    participant : str
        Pseudonym, as written.
    session, label, device, placement, timezone, annotations : str or None
        The manifest's columns of those names; None where empty.
    attributes : mapping of str to str
        Every further column of the manifest that is not empty in this row.
    """

    path: str
    sha256: str
    bytes: int
    participant: str
    session: str | None = None
    label: str | None = None
    device: str | None = None
    placement: str | None = None
    timezone: str | None = None
    annotations: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """The proof of a delivery. It exists only once every byte it names is in the vault.

    Parameters
    ----------
    batch_id : str
        Lower case; names the batch's partition in every table.
    study, site : str
    received_at : datetime
        When it was written, UTC.
    content_sha256 : str
        See `content_sha256`.
    files : tuple of DeliveredFile
        Sorted by path.
    unlisted : tuple of str
        Files that came along and that the manifest does not name: not taken in.
    """

    batch_id: str
    study: str
    site: str
    received_at: datetime
    content_sha256: str
    files: tuple[DeliveredFile, ...]
    unlisted: tuple[str, ...] = ()

    def without(self, paths: Collection[str]) -> Receipt:
        """Return the receipt with some files erased; id and content hash stay, so that the same delivery is still known.

        Nobody knows whose the unlisted files are, so their names are erased with the first path.
        """
        kept = tuple(file for file in self.files if file.path not in paths)
        return self if len(kept) == len(self.files) else replace(self, files=kept, unlisted=())

    def to_dict(self) -> dict[str, object]:
        """Return the receipt as plain JSON values; `received_at` in ISO 8601."""
        return {
            **{name: getattr(self, name) for name in ("batch_id", "study", "site", "content_sha256")},
            "received_at": self.received_at.isoformat(),
            "files": [asdict(file) for file in self.files],
            "unlisted": list(self.unlisted),
        }

    def to_json(self) -> str:
        """Return the receipt as JSON text, one file a line."""
        head = {name: value for name, value in self.to_dict().items() if name != "files"}
        files = ",\n  ".join(json.dumps(asdict(file), ensure_ascii=False) for file in self.files)
        return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "files": [\n  {files}\n]}}\n'

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError, TypeError, KeyError
            If the text is not a receipt.
        """
        content = json.loads(text)
        return cls(
            **{
                **content,
                "received_at": datetime.fromisoformat(content["received_at"]),
                "files": tuple(DeliveredFile(**file) for file in content["files"]),
                "unlisted": tuple(content["unlisted"]),
            }
        )


def content_sha256(files: Iterable[DeliveredFile]) -> str:
    """Hash what was delivered: every path, every file's hash and what the manifest says of it.

    A folder and a zip of it are equal, and so are manifests that differ only in delimiter, order, blanks or columns
    that are empty.
    """
    rows = sorted((asdict(file) for file in files), key=lambda row: str(row["path"]))
    canonical = json.dumps(rows, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
