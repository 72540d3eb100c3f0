"""A folder of this machine, or a mounted share. No link leads out of it, also not one that is made meanwhile."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from app.buckets.base import CHANGED, GONE, BucketDown, BucketRefuses, Entry, ObjectLost
from app.buckets.walking import Child, walk

ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR)


class Folder:
    """Files below a folder; the version of one is its size with the moment of its last change."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def look(self, path: str) -> Entry:
        """As the contract has it."""
        with self._opened(path) as (_, found):
            return found

    def read(self, path: str, version: str, start: int, end: int) -> bytes:
        """As the contract has it."""
        with self._opened(path) as (handle, found):
            if found.version != version:
                raise ObjectLost(CHANGED)
            return os.pread(handle, max(0, end - start), start)

    def entries(self, folder: str, after: str | None) -> Iterator[Entry]:
        """As the contract has it; links to folders are not followed."""
        yield from walk(self._children, folder, after)

    def _children(self, folder: str) -> list[Child]:
        found = []
        with _in_words():
            real = self._inside(folder) if folder else self._real_root()
            with os.scandir(real) as listed:
                for each in listed:
                    path = f"{folder}/{each.name}" if folder else each.name
                    is_folder = each.is_dir(follow_symlinks=False)
                    found.append(Child(each.name, None if is_folder else partial(self._if_inside, path)))
        return found

    def _if_inside(self, path: str) -> Entry | None:
        """A file to list; None for what is none, or lies outside behind a link."""
        try:
            return self.look(path)
        except (ObjectLost, BucketRefuses):
            return None

    def _real_root(self) -> Path:
        if not self._root.is_dir():
            raise BucketDown("the folder of this bucket is not there now")
        return self._root.resolve()

    def _inside(self, path: str) -> Path:
        root = self._real_root()
        real = (root / path).resolve()
        if not real.is_relative_to(root):
            raise ObjectLost(GONE)
        return real

    @contextmanager
    def _opened(self, path: str) -> Iterator[tuple[int, Entry]]:
        """The file, opened part by part without following a link: the resolved path has none, unless one was made."""
        with _in_words():
            parts = self._inside(path).relative_to(root := self._real_root()).parts
            handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                for place, part in enumerate(parts):
                    last = place == len(parts) - 1
                    how = os.O_RDONLY | os.O_NOFOLLOW | (os.O_NONBLOCK if last else os.O_DIRECTORY)
                    inner = os.open(part, how, dir_fd=handle)
                    os.close(handle)
                    handle = inner
                said = os.fstat(handle)
                if not stat.S_ISREG(said.st_mode):
                    raise ObjectLost(GONE)
                yield handle, Entry(path, said.st_size, f"{said.st_size}-{said.st_mtime_ns}")
            finally:
                os.close(handle)


@contextmanager
def _in_words() -> Iterator[None]:
    """What the system refuses, without the folder's name."""
    try:
        yield
    except PermissionError:
        raise BucketRefuses from None
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or error.errno in ABSENT:
            raise ObjectLost(GONE) from None
        raise BucketDown from None
