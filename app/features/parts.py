"""Some rows of a stored shard as a shard of their own: only they are read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.core.arrays import Booleans, Indices
from app.core.block import Rows
from app.features.store import StoredShard, ranges


@dataclass(frozen=True)
class Part:
    """Rows of a shard by their positions, rising, with their identities (n, 3)."""

    shard: StoredShard
    positions: Indices
    ids: Indices

    @property
    def rows(self) -> int:
        """Rows of the part, candidates or not."""
        return len(self.positions)

    def load(self) -> Rows:
        """The candidates among the rows, copied."""
        kept = self.shard.candidates(self.ids)
        return Rows(self.ids[kept], self.shard.block().take(self.positions[kept]))

    def mapped(self) -> tuple[Rows, None]:
        """The same: what is copied is small."""
        return self.load(), None


def part_of(shard: StoredShard, ids: Indices, wanted: Callable[[Indices], Booleans], bits: int, also: Indices) -> Part:
    """The rows whose item is in a wanted block of 2^bits numbers, and those of some items, given sorted and distinct.

    `ids` are the shard's: opening its file takes longer than all the rest, and several parts may be taken of it.

    Costs a hash a block and O(log rows) for each wanted one where the shard's items rise from row to row.
    """
    span = shard.span()
    held = ids[:, 0]
    blocks = (span.high >> bits) - (span.low >> bits) + 1
    if span.sorted and blocks <= max(len(held), 1):
        numbers = np.arange(span.low >> bits, (span.high >> bits) + 1)
        chosen = numbers[wanted(numbers)]
        rows = ranges(np.searchsorted(held, chosen << bits), np.searchsorted(held, (chosen + 1) << bits))
    else:
        numbers = np.unique(held >> bits)
        rows = np.flatnonzero(np.isin(held >> bits, numbers[wanted(numbers)]))
    return Part(shard, rows := _joined(rows, shard.places(also, ids)), ids[rows])


def _joined(rows: Indices, more: Indices) -> Indices:
    """Rising positions with others of which some may be among them, rising; few others cost little."""
    if not len(more):
        return rows
    place = np.searchsorted(rows, more)
    known = rows[np.minimum(place, len(rows) - 1)] == more if len(rows) else np.zeros(len(more), dtype=np.bool_)
    return np.insert(rows, place[~known], more[~known])
