"""Thumbnails of stored files, made once a size and kept in a folder of bounded size, the latest used longest."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

from app.core.settings import Settings
from app.modalities.files import thumbnail

SIDES = (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)  # pixels; a side asked for is brought down to one of these
LOOK_EVERY = 64  # thumbnails made between two looks at the folder's size
KEPT = 0.8  # of the bound, once it is passed

_made = 0


def of(
    settings: Settings, project_id: int, sha256: str, opened: Callable[[], AbstractContextManager[Path]], side: int
) -> tuple[Path, int]:
    """The file of a thumbnail, made where it is missing, and the side that it was made for; O(pixels) when made.

    `opened` gives the file itself, for as long as it is read.

    Raises:
        InvalidPayload: the file is damaged.
    """
    size = max(each for each in SIDES if each <= side)
    kept = folder(settings, project_id, sha256) / f"{sha256}-{size}.png"
    try:
        os.utime(kept)
    except OSError:
        with opened() as path:
            _write(kept, thumbnail(path, size))
        _bound(settings)
    return kept, size


def folder(settings: Settings, project_id: int, sha256: str) -> Path:
    """Where the thumbnails of a file lie."""
    return settings.data / "thumbnails" / str(project_id) / sha256[:2]


def forget(settings: Settings, project_id: int, sha256: str) -> None:
    """Delete every thumbnail of a file."""
    for each in folder(settings, project_id, sha256).glob(f"{sha256}-*.png"):
        each.unlink(missing_ok=True)


def _write(to: Path, content: bytes) -> None:
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = to.with_name(f"{uuid4().hex}.part")
    try:
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
        aside.replace(to)
    finally:
        aside.unlink(missing_ok=True)


def _bound(settings: Settings) -> None:
    """Now and then, delete what was used longest ago until the folder is well below its bound; O(files) each time."""
    global _made
    _made += 1
    if _made % LOOK_EVERY:
        return
    found = []
    for each in (settings.data / "thumbnails").glob("*/*/*"):
        try:
            stat = each.stat()
        except OSError:
            continue  # another process was faster
        found.append((stat.st_mtime, stat.st_size, each))
    total = sum(size for _, size, _ in found)
    if total <= settings.thumbnail_bytes:
        return
    for _, size, each in sorted(found):
        each.unlink(missing_ok=True)
        total -= size
        if total <= KEPT * settings.thumbnail_bytes:
            return
