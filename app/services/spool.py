"""Private files for bodies of any size, and the room that there is for them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from app.core.disk import FREE_BYTES, free_bytes
from app.core.errors import TooLarge, Unavailable
from app.core.settings import Settings


@contextmanager
def spool(settings: Settings, kind: str = "body") -> Iterator[tuple[Path, BinaryIO]]:
    """A private file for what is read, a body or a `kind` of its own; gone afterwards unless it was renamed."""
    folder = settings.data / "tmp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{uuid4().hex}.{kind}"
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def check_size(settings: Settings, size: int) -> None:
    """Raise TooLarge for a body over the quota."""
    if size > settings.import_body_bytes:
        raise TooLarge(f"the body has more than {settings.import_body_bytes:,} bytes")


def check_room(settings: Settings) -> None:
    """Raise Unavailable where the disk has no room for a body."""
    if free_bytes(settings.data) < FREE_BYTES:
        raise Unavailable("the server's disk is full: nothing of this import was stored")
