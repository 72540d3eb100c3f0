"""Probabilities that were given from outside, beside the rows of the feature store.

They lie in shards of the store's own form, whose columns are classes. An index of integers says where the newest row
of each item stands; the probabilities themselves stay mapped, and only those of one shard are copied at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.core.arrays import Booleans, Floats, Indices
from app.core.block import Rows
from app.features.store import StoredShard


@dataclass(frozen=True)
class Given:
    """The newest probabilities of each item: shards, and where in them each item's row stands.

    `places` (stored columns,) says which column each one is now, -1 where its class has gone. `several` says that
    several classes may hold. Of two classes that became one the probabilities are added, or the greater one stands for
    both where several may hold. Memory: 24 bytes an item.
    """

    shards: Sequence[StoredShard]
    starts: Indices  # (shards + 1,): the first row of each, counted through
    items: Indices  # (n,) sorted
    revisions: Indices  # (n,)
    rows: Indices  # (n,) counted through all shards
    places: Indices
    several: bool

    @staticmethod
    def read(shards: Sequence[StoredShard], places: Indices, several: bool) -> "Given":
        """Read the identities of every shard; of an item that came twice the later row counts. O(n log n)."""
        held = [shard.ids() for shard in shards]
        starts = np.cumsum([0, *(len(each) for each in held)], dtype=np.int64)
        items = np.concatenate([each[:, 0] for each in held]) if held else np.empty(0, dtype=np.int64)
        order = np.argsort(items, kind="stable")
        items = items[order]
        last = np.ones(len(items), dtype=np.bool_)
        last[:-1] = items[1:] != items[:-1]
        revisions = np.concatenate([each[:, 2] for each in held]) if held else items
        kept = order[last]
        return Given(shards, starts, items[last], revisions[kept], kept, places, several)

    def __len__(self) -> int:
        return len(self.items)

    def has(self, ids: Indices) -> tuple[Booleans, Indices]:
        """Which of the identities (n, 3) have a row, and its number where they do; one of other content is none."""
        if not len(self.items):
            return np.zeros(len(ids), dtype=np.bool_), np.empty(0, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.items, ids[:, 0]), len(self.items) - 1)
        found = (self.items[place] == ids[:, 0]) & (self.revisions[place] == ids[:, 2])
        return found, self.rows[place[found]]

    def of(self, ids: Indices) -> tuple[Booleans, Floats]:
        """Which of the identities (n, 3) have probabilities (n,), and those of the ones that do, in order."""
        found, rows = self.has(ids)
        known = np.empty((len(rows), int(self.places.max()) + 1), dtype=np.float32)
        numbers = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(numbers):
            mine = np.flatnonzero(numbers == number)
            dense = self.shards[number].block().dense
            known[mine] = self._as_now(dense[rows[mine] - self.starts[number]])
        return found, known if self.several else _summing_to_one(known)

    def _as_now(self, stored: Floats) -> Floats:
        if len(self.places) == self.places.max() + 1 and (np.diff(self.places) == 1).all():
            return stored
        known = np.zeros((len(stored), int(self.places.max()) + 1), dtype=np.float32)
        for column, place in enumerate(self.places):
            if place >= 0:
                both = np.maximum if self.several else np.add
                known[:, place] = both(known[:, place], stored[:, column])
        return known


@dataclass(frozen=True)
class GivenShard:
    """A shard of the pool with the probabilities given for it; rows without any are left out."""

    shard: StoredShard
    given: Given

    @property
    def rows(self) -> int:
        """Rows in the file, whether they have probabilities or not."""
        return self.shard.rows

    def load(self) -> Rows:
        """The candidates that have probabilities, with them."""
        rows = self.shard.load()
        found, probabilities = self.given.of(rows.ids)
        if found.all():
            return Rows(rows.ids, replace(rows.block, given=probabilities))
        return Rows(rows.ids[found], replace(rows.block.take(found), given=probabilities))

    def mapped(self) -> tuple[Rows, None]:
        """The same."""
        return self.load(), None


def _summing_to_one(known: Floats) -> Floats:
    """Rows made to sum to one again where a class has gone; a row that has nothing left is an even guess."""
    total = known.sum(axis=1, keepdims=True)
    even = np.float32(1 / max(known.shape[1], 1))
    return np.where(total > 0, known / np.where(total > 0, total, 1), even).astype(np.float32)
