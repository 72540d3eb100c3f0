"""The feature store: append-only, memory-mapped shards of one feature set. It knows files, not SQL.

A shard is `<name>.ids.npy` (n, 3) int64 of item, unit, revision, `<name>.dense.npy` (n, d) float32 and, where the
featurizer is sparse, three arrays of a CSR matrix; `<name>.span.npy` says where its items lie. Files are written
aside, synced and renamed; only then does the caller record the shard in its manifest, so a crash leaves a file without
a row, which `sweep` removes.
"""

import errno
import hashlib
import math
import os
import shutil
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_magic
from scipy.sparse import csr_matrix

from app.core.arrays import AnyArray, Booleans, Indices
from app.core.block import Block, Rows
from app.core.disk import sync, sync_folder

CSR_PARTS = ("data", "indices", "indptr")
FIRST_FORM = b"\x93NUMPY\x01\x00"  # how a .npy file begins whose header is short, as those of shards are
START = len(FIRST_FORM) + 2  # of the header, behind its length
LONGEST_HEADER = 256


# What numpy raises for a file that is none; it reads the head of one as Python.
UNREADABLE = (ValueError, EOFError, SyntaxError, tokenize.TokenError)


class DamagedShard(Exception):
    """A file of the store is gone, or is not what was written."""


class GoneShard(DamagedShard, FileNotFoundError):
    """A file of the store is not there; to a Dask worker, perhaps, under this path."""

    def __str__(self) -> str:
        return f"the feature file {Path(self.filename).name} is gone"


@dataclass(frozen=True)
class ShardInfo:
    """The manifest row of a shard."""

    name: str
    rows: int
    checksum: str  # of the arrays, SHA-256
    bytes: int
    sparse: bool


@dataclass(frozen=True)
class Span:
    """The lowest and the highest item of a shard, and whether its items rise from row to row."""

    low: int
    high: int
    sorted: bool


EMPTY = Span(0, -1, True)


@dataclass(frozen=True)
class AllBut:
    """A mask over identities (n, 3) that leaves some items out, given sorted; O(n log items)."""

    items: Indices

    def __call__(self, ids: Indices) -> Booleans:
        if self.items.size == 0:
            return np.ones(ids.shape[0], dtype=np.bool_)
        place = np.minimum(np.searchsorted(self.items, ids[:, 0]), self.items.size - 1)
        return np.asarray(self.items[place] != ids[:, 0], dtype=np.bool_)

    def within(self, span: Span) -> "AllBut":
        """The same for the items of one shard: what goes to another machine with it is small."""
        low, high = np.searchsorted(self.items, (span.low, span.high + 1))
        return AllBut(self.items[low:high])


@dataclass(frozen=True)
class Only:
    """A mask over identities (n, 3) that leaves in some items alone, given sorted; O(n log items)."""

    items: Indices

    def __call__(self, ids: Indices) -> Booleans:
        return ~AllBut(self.items)(ids)

    def within(self, span: Span) -> "Only":
        """The same for the items of one shard."""
        return Only(AllBut(self.items).within(span).items)


@dataclass(frozen=True)
class StoredShard:
    """A shard on disk; `keep` maps identities (n, 3) to a mask (n,) of the rows that are candidates.

    `newer` holds the sorted keys (see `_keys`) of rows that later shards replace: see `newest`.
    """

    folder: Path
    info: ShardInfo
    keep: Callable[[Indices], Booleans] | None = None
    newer: Indices | None = None

    @property
    def rows(self) -> int:
        """Rows in the file, candidates or not."""
        return self.info.rows

    def ids(self) -> Indices:
        """The identities (n, 3), memory-mapped."""
        found = np.asarray(_mapped(self.folder, self.info.name, "ids"))
        if found.shape != (self.info.rows, 3):
            raise DamagedShard(f"the feature file {self.info.name} has other rows than were written")
        return found

    def span(self) -> Span:
        """Where its items lie; O(1) for a shard that was written with it, and remembered by the process."""
        return _span(self.folder, self.info.name)

    def places(self, items: Indices, ids: Indices) -> Indices:
        """The rows (m,) of some sorted, distinct items, with all units and revisions of them; `ids` are the shard's."""
        span, held = self.span(), ids[:, 0]
        low, high = np.searchsorted(items, (span.low, span.high + 1))
        wanted = items[low:high]
        if not len(wanted):
            return np.empty(0, dtype=np.int64)
        if not span.sorted:
            return np.flatnonzero(np.isin(held, wanted))
        return ranges(np.searchsorted(held, wanted), np.searchsorted(held, wanted, side="right"))

    def load(self) -> Rows:
        """The candidates among the rows, copied; where all of them are, a view of the mapped file."""
        rows, mask = self.mapped()
        return rows if mask is None else Rows(rows.ids[mask], rows.block.take(mask))

    def mapped(self) -> tuple[Rows, Booleans | None]:
        """All rows, as views of the mapped file, and which of them are candidates; None where all of them are."""
        ids = self.ids()
        mask = self.candidates(ids)
        return Rows(ids, self.block()), None if mask.all() else mask

    def candidates(self, ids: Indices) -> Booleans:
        """Which of some identities (n, 3) of the shard are candidates (n,)."""
        mask = np.ones(len(ids), dtype=np.bool_) if self.keep is None else self.keep(ids)
        return mask if self.newer is None else mask & ~np.isin(_keys(ids), self.newer)

    def block(self) -> Block:
        """All rows' features, memory-mapped."""
        dense = _mapped(self.folder, self.info.name, "dense")
        if not self.info.sparse:
            return Block(dense)
        parts = tuple(_mapped(self.folder, self.info.name, part) for part in CSR_PARTS)
        width = int(_mapped(self.folder, self.info.name, "width")[0])
        return Block(dense, csr_matrix(parts, shape=(self.info.rows, width), copy=False))


def append(folder: Path, ids: Indices, block: Block) -> ShardInfo:
    """Write one shard and make it durable; O(rows). The caller records what this returns.

    Raises:
        ValueError: identities and rows differ in number, or a value is not finite.
    """
    if ids.shape != (len(block), 3):
        raise ValueError(f"{ids.shape[0]} identities for {len(block)} rows")
    if not np.isfinite(block.dense).all():
        raise ValueError("a feature is not finite")
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(folder.parent)
    name = uuid4().hex
    span = _span_of(ids[:, 0])
    arrays: dict[str, AnyArray] = {"span": np.array([span.low, span.high, span.sorted]), "ids": ids.astype(np.int64)}
    arrays |= {"dense": block.dense.astype(np.float32, copy=False)}
    if block.sparse is not None:
        matrix = block.sparse.tocsr()
        arrays |= {part: getattr(matrix, part) for part in CSR_PARTS} | {"width": np.array([matrix.shape[1]])}
    written = sum(_write(folder, f"{name}.{part}.npy", array) for part, array in arrays.items())
    sync_folder(folder)
    return ShardInfo(name, len(block), _checksum(arrays), written, block.sparse is not None)


def fault(shard: StoredShard) -> str | None:
    """What is wrong with a shard's files; None where they are what was written. Reads all of them."""
    parts = ("ids", "dense", *(CSR_PARTS if shard.info.sparse else ()))
    try:
        arrays = {part: _mapped(shard.folder, shard.info.name, part) for part in parts}
    except DamagedShard as damage:
        return str(damage)
    # Shards of earlier releases have the checksum of their identities alone.
    if shard.info.checksum in (_checksum(arrays), _checksum({"ids": arrays["ids"]})):
        return None
    return f"the feature file {shard.info.name} holds other bytes than were written"


def _checksum(arrays: Mapping[str, AnyArray]) -> str:
    digest = hashlib.sha256()
    for part in ("ids", "dense", *CSR_PARTS):
        if part in arrays:
            digest.update(np.ascontiguousarray(arrays[part]).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def adopt(shard: StoredShard, folder: Path) -> ShardInfo:
    """Give a shard a second life in another folder, under a name of its own; O(1) where the disk can link files.

    The caller records what this returns. Either of the two may be removed without the other one's losing anything.
    """
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(folder.parent)
    name = uuid4().hex
    for file in shard.folder.glob(f"{shard.info.name}.*.npy"):
        target = folder / f"{name}{file.name.removeprefix(shard.info.name)}"
        try:
            os.link(file, target)
        except OSError:  # the disk, or the system, has no links
            shutil.copyfile(file, target)
    sync_folder(folder)
    return replace(shard.info, name=name)


def newest(shards: Sequence[StoredShard]) -> list[StoredShard]:
    """The same shards, in the order in which they were written, without rows that a later shard replaces.

    An item whose content changed has a row of each revision; only the one written last is a candidate. Reads the
    identities only of shards that lie over earlier ones: those whose items lie apart, as appending gives them, cost
    nothing.
    """
    spans = [shard.span() for shard in shards]
    lows = np.array([span.low for span in spans], dtype=np.int64)
    highs = np.array([span.high for span in spans], dtype=np.int64)
    return [_current(shards, number, lows, highs) for number in range(len(shards))]


def _current(shards: Sequence[StoredShard], number: int, lows: Indices, highs: Indices) -> StoredShard:
    low, high = lows[number], highs[number]
    over = number + 1 + np.flatnonzero((lows[number + 1 :] <= high) & (highs[number + 1 :] >= low))
    if not len(over):
        return shards[number]
    replaced = []
    for later in over.tolist():
        ids = shards[later].ids()
        replaced.append(_keys(ids[(ids[:, 0] >= low) & (ids[:, 0] <= high)]))
    return replace(shards[number], newer=np.unique(np.concatenate(replaced)))


def gather(shards: Sequence[StoredShard], ids: Indices) -> tuple[Booleans, Block]:
    """The rows of the given identities (n, 3): which were found (n,), and the features of those, in order.

    The newest row of an identity counts. Looks the items up in each shard, O(shards + items log rows) where they rise
    from row to row, and copies only the wanted rows.
    """
    wanted = {(int(item), int(unit), int(revision)): place for place, (item, unit, revision) in enumerate(ids)}
    where: dict[int, tuple[int, int]] = {}
    items = np.unique(ids[:, 0]) if len(ids) else np.empty(0, dtype=np.int64)
    for number, shard in enumerate(shards):
        held = shard.ids()
        rows = shard.places(items, held)
        for row, identity in zip(rows.tolist(), held[rows].tolist(), strict=True):
            if (place := wanted.get(tuple(identity))) is not None:
                where[place] = (number, row)
    found = np.zeros(len(ids), dtype=np.bool_)
    found[list(where)] = True
    return found, _collect(shards, [where[place] for place in sorted(where)])


def _collect(shards: Sequence[StoredShard], places: list[tuple[int, int]]) -> Block:
    if not places:
        empty = shards[0].block().take(np.empty(0, dtype=np.int64)) if shards else None
        return empty or Block(np.empty((0, 1), dtype=np.float32))
    numbers = np.array([number for number, _ in places])
    rows = np.array([row for _, row in places])
    parts, order = [], []
    for number in np.unique(numbers):
        mine = np.flatnonzero(numbers == number)
        parts.append(shards[number].block().take(rows[mine]))
        order.append(mine)
    back = np.argsort(np.concatenate(order), kind="stable")
    return Block.concatenate(parts).take(back)


def sweep(folder: Path, known: Iterable[str]) -> int:
    """Delete the files of shards that the manifest does not name; how many files went."""
    names = set(known)
    gone = 0
    for file in folder.glob("*.npy*"):
        if file.name.split(".")[0] not in names:
            file.unlink(missing_ok=True)
            gone += 1
    return gone


def remove(folder: Path, name: str) -> None:
    """Delete one shard's files, after its manifest row is gone."""
    for file in folder.glob(f"{name}.*"):
        file.unlink(missing_ok=True)


def without(shard: StoredShard, item_ids: Indices) -> ShardInfo | None:
    """Write a copy of a shard that lacks some items, for erasure; None when none of them is in it."""
    ids = shard.ids()
    mask = ~np.isin(ids[:, 0], item_ids)
    if mask.all():
        return None
    return append(shard.folder, ids[mask], shard.block().take(mask))


@lru_cache(maxsize=65_536)
def _span(folder: Path, name: str) -> Span:
    try:
        low, high, rises = np.load(folder / f"{name}.span.npy", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):  # written before shards had one, or damaged: the rows say it too
        return _span_of(np.asarray(_mapped(folder, name, "ids"))[:, 0])
    return Span(int(low), int(high), bool(rises))


def _span_of(items: Indices) -> Span:
    if not len(items):
        return EMPTY
    return Span(int(items.min()), int(items.max()), bool((items[1:] >= items[:-1]).all()))


def ranges(starts: Indices, ends: Indices) -> Indices:
    """All numbers of some half-open ranges, one after the other."""
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths), dtype=np.int64)


def _keys(ids: Indices) -> Indices:
    """One number (n,) for item and unit, whatever the revision; there is room for 2^20 units of 2^43 items."""
    return np.asarray((ids[:, 0] << 20) | ids[:, 1])


def _mapped(folder: Path, name: str, part: str) -> AnyArray:
    """An array of a shard; raises DamagedShard where the file is gone or cut."""
    path = folder / f"{name}.{part}.npy"
    try:
        return _view(path)
    except UNREADABLE:  # a file of no rows cannot be mapped, and one that was cut neither
        return _read(path)
    except FileNotFoundError:
        raise GoneShard(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None


def _view(path: Path) -> AnyArray:
    """A mapped array as `np.load` gives it, in a tenth of the time: a round opens a file for 20,000 items."""
    with path.open("rb", buffering=0) as file:
        begin = file.read(LONGEST_HEADER)
        end = START + int.from_bytes(begin[START - 2 : START], "little")
        if not begin.startswith(FIRST_FORM) or end > len(begin):
            return cast(AnyArray, np.load(path, mmap_mode="r", allow_pickle=False))
        shape, in_columns, kind = _header(begin[:end])
        mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
    if kind.hasobject or len(mapped) < end + kind.itemsize * math.prod(shape):
        raise ValueError(f"{path.name} is cut, or holds other than numbers")
    return np.ndarray(shape, kind, mapped, end, order="F" if in_columns else "C")


@lru_cache(maxsize=1_024)
def _header(begin: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and kind of number, as a .npy file begins: equal for most shards, and read by parsing Python."""
    file = BytesIO(begin)
    read_magic(file)
    found: tuple[tuple[int, ...], bool, np.dtype[Any]] = read_array_header_1_0(file)
    return found


def _read(path: Path) -> AnyArray:
    try:
        found: AnyArray = np.load(path, allow_pickle=False)
    except (*UNREADABLE, FileNotFoundError):
        raise DamagedShard(f"the feature file {path.name} is damaged") from None
    return found


def _write(folder: Path, name: str, array: AnyArray) -> int:
    aside = folder / f"{name}.tmp"
    with aside.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        sync(file)
    size = aside.stat().st_size
    aside.replace(folder / name)
    return size
