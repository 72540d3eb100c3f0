"""What a file holds, told by the hash that it had when it was taken in: a disk may give other bytes back."""

import hashlib
import logging
from functools import lru_cache
from pathlib import Path

PIECE = 1 << 20
LARGEST = 64 << 20  # bytes of a file that is read before it is given out; of larger ones `labelwise check` reads all
REMEMBERED = 20_000  # files of a process, ten megabytes in all

log = logging.getLogger("labelwise.files")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal digits; O(size), holds a megabyte."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def is_whole(path: Path, sha256: str) -> bool:
    """Whether a file holds what its hash says. Read once, one to four milliseconds a megabyte, and then remembered.

    It is read again when its inode, its size or the moment of its last change is another one, and after a restart:
    bytes that a disk loses later, under a file that looks untouched, are found then, or by `labelwise check
    --all-files`. A file of more than 64 MiB is not read for an answer and counts as whole. Raises OSError.
    """
    said = path.stat()
    if said.st_size > LARGEST:
        return True
    return _matches(str(path), sha256, said.st_ino, said.st_mtime_ns, said.st_size)


@lru_cache(maxsize=REMEMBERED)
def _matches(path: str, sha256: str, _inode: int, _changed: int, _size: int) -> bool:
    found = sha256_of(Path(path)) == sha256
    if not found:
        log.error("a stored file holds other bytes than were taken in: %s", sha256)
    return found
