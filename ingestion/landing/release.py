"""Removing an entry of a bucket in a way that can be killed: what is to go is written down first, then it goes.

A bucket cannot rename a folder, and deleting it object by object could stop half way and look like a broken delivery. The
list lies in the home, where no sender can write; only objects that are still as the list has them are touched.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ingestion.durable import write_text
from ingestion.landing.objects import Bucket, Stored
from ingestion.landing.zone import UNLISTED, short_hash, unlisted_suffixes
from warehouse.home import Home


class Releases:
    """The releases of a bucket's entries that are under way.

    Parameters
    ----------
    bucket : Bucket
    home : Home
    """

    def __init__(self, bucket: Bucket, home: Home) -> None:
        self._bucket, self._folder = bucket, home.landing / ".releasing"

    def begun(self) -> Collection[str]:
        """Return the keys of entries whose release was begun, by this process or one that was killed."""
        lists = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(self._folder.glob("*.json")))
        return [found["key"] for found in lists if found["bucket"] == self._bucket.name]

    def begin(self, key: str, objects: Sequence[Stored], *, kept: Sequence[Stored]) -> None:
        """Write down that these objects of an entry are to go, and which of them are kept under another name."""
        target = self._free_name(key) if kept else key
        content = {
            "bucket": self._bucket.name,
            "key": key,
            "gone": {one.key: _facts(one) for one in objects},
            "kept": {one.key: target + one.key.removeprefix(key) for one in kept},
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        write_text(self._place(key), json.dumps(content))

    def end(self, key: str) -> bool:
        """Carry out what was written down; False if nothing was. Repeating it changes nothing."""
        place = self._place(key)
        if not place.is_file():
            return False
        content: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        listed = self._bucket.listed(key if key in content["gone"] else f"{key}/")
        unchanged = [one for one in listed if content["gone"].get(one.key) == _facts(one)]
        for one in unchanged:
            if one.key in content["kept"]:
                self._bucket.copy(one, content["kept"][one.key])
        self._bucket.delete(unchanged)
        place.unlink()
        return True

    def _place(self, key: str) -> Path:
        return self._folder / f"{short_hash((self._bucket.name, key))}.json"

    def _free_name(self, key: str) -> str:
        taken = {one.key.removeprefix(key).partition("/")[0] for one in self._bucket.listed(key + UNLISTED)}
        return next(key + suffix for suffix in unlisted_suffixes() if suffix not in taken)


def _facts(one: Stored) -> list[object]:
    return [one.etag, one.bytes, one.modified.isoformat()]
