"""The contract of places that files are read from where they lie: look, read a range, list in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from app.core.errors import AppError, Unavailable

SECONDS = 20.0  # for one request to a bucket
PIECE = 2 << 20  # bytes that are read at once while a file is passed on


@dataclass(frozen=True)
class Entry:
    """A file as a listing or a look says: its path below the root, its size in bytes, its version.

    Equal versions are equal bytes.
    """

    path: str
    size: int
    version: str


class ObjectLost(AppError):
    """The file is not in its bucket any more, or is another one by now."""

    status = 404


class BucketDown(Unavailable):
    """The bucket cannot be reached now; try again shortly."""


class BucketRefuses(Unavailable):
    """The bucket does not let this server read: its admin looks at the keys."""


class Place(Protocol):
    """A bucket or folder. Every method raises BucketDown or BucketRefuses; their words say nothing of the address."""

    def look(self, path: str) -> Entry:
        """Size and version of a file. Raises ObjectLost where there is none."""
        ...

    def read(self, path: str, version: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`, of exactly this version; raises ObjectLost for another one."""
        ...

    def entries(self, folder: str, after: str | None) -> Iterator[Entry]:
        """Every file below a folder behind the path `after`, in one order that never changes; in bounded memory."""
        ...


GONE = "the file is not in its bucket any more"
CHANGED = "the file in the bucket has changed since it was taken in"
