"""The disk: what was written is there after a power cut, and how much room is left."""

import os
from pathlib import Path
from typing import BinaryIO

FREE_BYTES = 64_000_000  # below which nothing large is taken in and the service calls itself not ready


def sync(file: BinaryIO) -> None:
    """Return once a file's bytes are on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(folder: Path) -> int:
    """What ordinary users may still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
