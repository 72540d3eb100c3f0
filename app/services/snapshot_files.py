"""Files of snapshots: a packed line an item, its id and its row as canonical JSON, in the order of the ids.

The hash is over the rows alone, so equal data have equal hashes, here and elsewhere, and it is the SHA-256 of the JSONL
file that people download.
"""

import gzip
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import orjson

from app.core.disk import sync_folder
from app.core.errors import Unavailable
from app.core.settings import Settings

PACKING = 1  # of 1 to 9: the fastest
CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def folder(settings: Settings, project_id: int) -> Path:
    """Where a project's files lie."""
    return settings.data / "snapshots" / str(project_id)


class RowFile:
    """Writes rows to a file that has no name yet; `keep` gives it one when it lies on the disk as a whole."""

    def __init__(self, settings: Settings, project_id: int) -> None:
        self._folder = folder(settings, project_id)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = settings.data / "tmp"
        aside.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = aside / f"{uuid4().hex}.snapshot"
        self._file: BinaryIO = os.fdopen(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
        self._packed = gzip.GzipFile(filename="", mode="wb", compresslevel=PACKING, fileobj=self._file, mtime=0)
        self._digest = hashlib.sha256()
        self.rows = 0

    def add(self, item_id: int, row: dict[str, Any]) -> None:
        """Write one row."""
        self.add_line(item_id, orjson.dumps(row, option=CANONICAL))

    def add_line(self, item_id: int, line: bytes) -> None:
        """Write one row that is canonical JSON already."""
        self._digest.update(line)
        self._packed.write(b"%d\t%b" % (item_id, line))
        self.rows += 1

    def keep(self) -> tuple[str, str, int]:
        """The file's name in the folder, the SHA-256 of its rows, its size in bytes; synced to the disk."""
        self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size = os.fstat(self._file.fileno()).st_size
        self._file.close()
        name = f"{uuid4().hex}.jsonl.gz"
        self._path.rename(self._folder / name)
        sync_folder(self._folder)
        return name, self._digest.hexdigest(), size

    def drop(self) -> None:
        """Forget the file, if it was not kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def lines(settings: Settings, project_id: int, name: str) -> Iterator[tuple[int, bytes]]:
    """Item id and canonical JSON of each row, in the order of the ids.

    Raises:
        Unavailable: the file is gone or broken.
    """
    try:
        with gzip.open(folder(settings, project_id) / name) as file:
            for line in file:
                number, _, row = line.partition(b"\t")
                yield int(number), row
    except (OSError, EOFError, ValueError):
        raise Unavailable("the snapshot's file is gone or broken: bring it back from a backup") from None


def hashed(settings: Settings, project_id: int, name: str) -> str | None:
    """The SHA-256 of the rows of a file; None for one that is broken."""
    digest = hashlib.sha256()
    try:
        for _, row in lines(settings, project_id, name):
            digest.update(row)
    except Unavailable:
        return None
    return digest.hexdigest()


def remove(settings: Settings, project_id: int, name: str | None) -> None:
    """Take a file away."""
    if name is not None:
        (folder(settings, project_id) / name).unlink(missing_ok=True)
