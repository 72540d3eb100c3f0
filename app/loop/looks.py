"""Which part of a large pool one round looks at, so that its cost does not grow with the pool.

Items are taken in blocks of 64 neighbouring numbers, and a keyed hash of the block's number says in which turn it is
looked at: every item once in `turns` rounds, whatever the cut into shards. Beside them stand what earlier rounds found
best, and what is new.
"""

from dataclasses import dataclass

import numpy as np

from app.core.arrays import Booleans, Doubles, Indices
from app.strategies import keyed_hash

BITS = 6  # a block is 64 items
PART = 0.2  # of the largest pool that is looked at as a whole
FRESH = 0.5  # of the part at most, beside it, for items that came since the last round
SAMPLED_ROWS = 32_768  # of which the pool's fixed sample is drawn
SAMPLE_SALT = 0xB10C
WHOLE = np.float64(2.0**64)


@dataclass(frozen=True)
class Look:
    """The look of one round: the pool's length, how many rows a round sees about, the project's seed, its number.

    `fresh_from` is the first item number that no round before could see, `fresh_rows` how many rows came since.
    """

    rows: int
    part: int
    seed: int
    number: int
    fresh_from: int | None = None
    fresh_rows: int = 0

    @property
    def turns(self) -> int:
        """In how many rounds every item is looked at once."""
        return max(1, -(-self.rows // self.part))

    def wanted(self, blocks: Indices) -> Booleans:
        """Which of some blocks (n,) the round looks at: those whose turn it is, and fresh ones."""
        chance = _chance(blocks, self.seed)
        mine: Booleans = (chance * self.turns).astype(np.int64) == self.number % self.turns
        if self.fresh_from is None or not self.fresh_rows:
            return mine
        share = FRESH * self.part / self.fresh_rows
        fresh: Booleans = (blocks >= self.fresh_from >> BITS) & (_chance(blocks, self.seed + 1) < share)
        return mine | fresh

    def sampled(self, blocks: Indices) -> Booleans:
        """Which of some blocks (n,) the pool's sample is drawn from: the same every round while the pool is."""
        return np.asarray(_chance(blocks, SAMPLE_SALT) < SAMPLED_ROWS / max(self.rows, 1), dtype=np.bool_)


def _chance(blocks: Indices, seed: int) -> Doubles:
    """A number in [0, 1) a block."""
    return np.asarray(keyed_hash(blocks[:, None], seed).astype(np.float64) / WHOLE * (1 - 2**-53), dtype=np.float64)
