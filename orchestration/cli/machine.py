"""What the machine refuses (no room left, a folder nobody may write to), as reasons for people.

Belongs here: telling such errors from defects of this project, whichever library they come through. A defect keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from warehouse.errors import Reason

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
#: What SQLite, DuckDB and Delta say where the system's own error does not come through.
_FULL_WORDS = ("no space left on device", "disk is full", "disk quota exceeded")
_CLOSED_WORDS = ("readonly database", "read-only file system", "permission denied")


def reason_of_the_machine(error: BaseException) -> Reason | None:
    """Return why the machine refused, if the error or one that it came from says that it did; None for anything else."""
    for one in _chain(error):
        number, place = (one.errno, str(one.filename or "")) if isinstance(one, OSError) else (None, "")
        words = str(one).casefold()
        if number in _FULL or any(word in words for word in _FULL_WORDS):
            remedy = "make room and say the same command again: what was done stays, what was not is taken up"
            return Reason("disk_full", "the disk has no room left", place, remedy)
        if number == errno.EIO or "disk i/o error" in words:  # SQLite says so on a full disk too
            remedy = "make room, or have the disk looked at; then say the same command again"
            return Reason("disk_error", "the disk cannot be read or written: I/O error", place, remedy)
        if number in _CLOSED or any(word in words for word in _CLOSED_WORDS):
            sentence = f"a file cannot be opened or written: {one.strerror if isinstance(one, OSError) else str(one).strip()}"
            return Reason("not_writable", sentence, place, "mend the permissions, or name another home with --home")
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
