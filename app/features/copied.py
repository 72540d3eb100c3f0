"""Shards that a machine without the data folder fetches from an address that fsspec opens, and keeps for a while.

A shard never changes under its name, so what was fetched once is right for ever. It lies in the user's cache folder
(`XDG_CACHE_HOME`, else `~/.cache`), each shard in a folder of its own that appears whole or not at all.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from app.core.arrays import Booleans
from app.core.block import Rows
from app.features.store import CSR_PARTS, GoneShard, ShardInfo, StoredShard, fault

R = TypeVar("R")

INSTALL = "pip install 'labelwise[dask,buckets]'"
ATTEMPTS = 3  # at reading a shard that another process may be throwing out just then


class CopyFault(RuntimeError):
    """A shard cannot be had from its address; the message says which, and why."""


@dataclass(frozen=True)
class CopiedShard:
    """A stored shard whose files are fetched where they are not there.

    `address` is that of its feature set, as s3://bucket/features/3/ngrams-1; `room` are the bytes that fetched shards
    may take on a machine: beyond them those that were used longest ago go.
    """

    shard: StoredShard
    address: str
    room: int

    @property
    def rows(self) -> int:
        """Rows in the file, candidates or not."""
        return self.shard.rows

    def load(self) -> Rows:
        """As a stored shard's; raises CopyFault."""
        return self._read(StoredShard.load)

    def mapped(self) -> tuple[Rows, Booleans | None]:
        """As a stored shard's; raises CopyFault."""
        return self._read(StoredShard.mapped)

    def _read(self, how: Callable[[StoredShard], R]) -> R:
        for _ in range(ATTEMPTS):
            try:
                return how(self._here())
            except GoneShard:
                continue
        raise CopyFault(f"{self.address}: the shard {self.shard.info.name} is thrown out faster than it is read")

    def _here(self) -> StoredShard:
        """The shard where its files lie on this machine."""
        if (self.shard.folder / f"{self.shard.info.name}.ids.npy").exists():
            return self.shard
        return replace(self.shard, folder=fetched(self.address, self.shard.info, self.room))


def check_address(address: str) -> None:
    """Ask nothing of it, but whether it can be opened.

    Raises:
        CopyFault: a library is missing; says what to install.
        ValueError: it is no address of a kind that fsspec knows.
    """
    scheme, found, _ = address.partition("://")
    if not found:
        raise ValueError("the address of the shards is one as s3://bucket/features")
    with _library() as fsspec:
        fsspec.get_filesystem_class(scheme)


def fetched(address: str, info: ShardInfo, room: int) -> Path:
    """The folder of a shard's files on this machine, fetched and compared with its checksum where they are not there.

    Raises:
        CopyFault: the library is missing, the address cannot be read, lacks a file or holds other bytes.
    """
    root = cache()
    folder = root / hashlib.sha256(address.encode()).hexdigest()[:16] / info.name
    if folder.is_dir():
        with contextlib.suppress(OSError):
            os.utime(folder)
        return folder
    aside = root / f"{uuid4().hex}.tmp"
    aside.mkdir(parents=True, mode=0o700)
    try:
        _fetch(address, info, aside)
        if wrong := fault(StoredShard(aside, info)):
            raise CopyFault(f"{address}: {wrong}")
        folder.parent.mkdir(exist_ok=True, mode=0o700)
        with contextlib.suppress(OSError):  # another process was faster
            aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    make_room(root, room, folder)
    return folder


def cache() -> Path:
    """Where fetched shards lie on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labelwise" / "shards"


def make_room(root: Path, room: int, newest: Path) -> None:
    """Throw out the shards that were used longest ago until the others fit; never the newest one. O(shards)."""
    held = []
    for folder in root.glob("*/*/"):
        with contextlib.suppress(OSError):  # thrown out by another process meanwhile
            held.append((folder.stat().st_mtime, sum(file.stat().st_size for file in folder.iterdir()), folder))
    total = sum(size for _, size, _ in held)
    for _, size, folder in sorted(held):
        if total <= room:
            return
        if folder != newest:
            aside = root / f"{uuid4().hex}.tmp"
            with contextlib.suppress(OSError):
                folder.replace(aside)
            shutil.rmtree(aside, ignore_errors=True)
            total -= size


def _fetch(address: str, info: ShardInfo, into: Path) -> None:
    parts = ("ids", "dense", *((*CSR_PARTS, "width") if info.sparse else ()))
    with _library() as fsspec:
        store, path = fsspec.url_to_fs(address)
        for part in parts:
            name = f"{info.name}.{part}.npy"
            try:
                store.get_file(f"{path}/{name}", str(into / name))
            except FileNotFoundError:
                raise CopyFault(f"{address} has no {name}: bring the copy of the features up to date") from None


@contextmanager
def _library() -> Iterator[Any]:
    """fsspec, with what it lacks or meets in words."""
    try:
        import fsspec

        yield fsspec
    except ImportError as error:
        raise CopyFault(f"shards at an address need a library that is missing ({error}): {INSTALL}") from None
    except OSError as error:  # as libraries of object stores say that they may not, or cannot
        raise CopyFault(f"the address of the shards cannot be read: {type(error).__name__}: {error}") from error
