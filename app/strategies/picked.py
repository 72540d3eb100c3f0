"""Batches that were already chosen while the round prepared, as the contract's scores and order."""

from dataclasses import dataclass

import numpy as np

from app.core.arrays import Floats, Indices
from app.strategies.base import Candidates, keyed_hash

KEY = 0x91C
NOT_PICKED = -1.0


@dataclass(frozen=True)
class Picked:
    """Identities (k, 3) in their order, each with a value from 0 upward that says how much it was wanted."""

    ids: Indices
    values: Floats

    def ranks(self, ids: Indices) -> Indices:
        """The place (n,) in the order of each identity, -1 where it was not picked; O(n log k)."""
        ranks = np.full(ids.shape[0], -1, dtype=np.int64)
        if not len(self.ids):
            return ranks
        mine = keyed_hash(self.ids, KEY)
        order = np.argsort(mine)
        hashes = keyed_hash(ids, KEY)
        place = order[np.minimum(np.searchsorted(mine[order], hashes), len(mine) - 1)]
        found = (self.ids[place] == ids).all(axis=1)
        ranks[found] = place[found]
        return ranks

    def score(self, ids: Indices) -> Floats:
        """The values of the rows that were picked, -1 for all others (n,)."""
        ranks = self.ranks(ids)
        return np.where(ranks >= 0, self.values[ranks] if len(self.values) else 0, NOT_PICKED).astype(np.float32)

    def order(self, candidates: Candidates, k: int) -> Indices:
        """Positions of the picked candidates in their order, then the others by the keyed hash."""
        ranks = self.ranks(candidates.ids)
        by_hash = candidates.by_hash()
        ranked = np.where(ranks < 0, len(self.ids), ranks)
        return by_hash[np.argsort(ranked[by_hash], kind="stable")][:k]
