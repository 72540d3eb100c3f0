"""Feature rows as the pure rooms exchange them: dense for similarity, sparse where a learner gains by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.sparse import csr_matrix, vstack

from app.core.arrays import AnyArray, Booleans, Floats, Indices


@dataclass(frozen=True)
class Block:
    """Features of n rows.

    `dense` is (n, d) float32 with rows of unit length (or zero): similarity is a dot product.
    `sparse`, where the featurizer has one, is (n, D) float32 CSR: learners fit and score it beside the dense part.
    `given`, where an outside model spoke, is (n, c) float32: its probabilities.
    """

    dense: Floats
    sparse: csr_matrix | None = None
    given: Floats | None = None

    def __len__(self) -> int:
        return int(self.dense.shape[0])

    def take(self, rows: AnyArray) -> "Block":
        """The rows at the given positions (indices or a mask), in that order; copies."""
        sparse = None if self.sparse is None else self.sparse[rows]
        return Block(self.dense[rows], sparse, None if self.given is None else self.given[rows])

    @staticmethod
    def concatenate(blocks: Sequence["Block"]) -> "Block":
        """One block of all rows; all blocks have a sparse part or none has, and so for given probabilities."""
        dense = np.concatenate([block.dense for block in blocks])
        parts = [block.sparse for block in blocks if block.sparse is not None]
        given = [block.given for block in blocks if block.given is not None]
        sparse = vstack(parts, format="csr") if parts else None
        return Block(dense, sparse, np.concatenate(given) if given else None)


@dataclass(frozen=True)
class Rows:
    """Some rows of the pool with their identities: `ids` is (n, 3) int64 of item, unit, revision."""

    ids: Indices
    block: Block


class Shard(Protocol):
    """A part of the pool that is read when it is its turn; reading it twice gives the same rows."""

    @property
    def rows(self) -> int:
        """How many rows `load` gives, known without loading."""
        ...

    def load(self) -> Rows:
        """Map the rows into memory; rows that are not candidates are already left out."""
        ...

    def mapped(self) -> tuple[Rows, Booleans | None]:
        """All rows as they lie in the file, and which of them are candidates; None where all of them are."""
        ...
