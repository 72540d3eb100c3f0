"""The contract of query strategies: score shards independently, then choose among the candidates.

A strategy never sees an array of the pool. `prepare` makes a small state once a round, `score` maps one
shard to one number a row, the loop keeps each shard's best candidates, and `choose` orders the batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.core.arrays import Floats, Indices
from app.core.block import Block, Rows

NEARLY_IDENTICAL = 0.999  # the cosine from which two items say the same
APART_LOOKS = 1_000


class Need(StrEnum):
    """What a strategy cannot do without; the loop refuses by name when it is missing."""

    PROBABILITIES = "probabilities"
    FEATURES = "features"
    COMMITTEE = "committee"


@dataclass(frozen=True)
class ScoredRows:
    """One shard as strategies see it: identities, features and, where a model exists, probabilities (n, c)."""

    ids: Indices
    block: Block
    probabilities: Floats | None = None


@dataclass(frozen=True)
class Candidates:
    """The rows that the shards sent up, with their scores (n,); higher is more wanted."""

    ids: Indices
    block: Block
    probabilities: Floats | None
    scores: Floats
    seed: int

    def __len__(self) -> int:
        return int(self.ids.shape[0])

    def best(self, k: int) -> Indices:
        """Positions of the k highest scores, best first; ties break by a keyed hash of the item's identity."""
        order = np.lexsort((keyed_hash(self.ids, self.seed), -self.scores))
        return order[:k].astype(np.int64)

    def best_apart(self, k: int) -> Indices:
        """As `best`, but a row nearly identical to one before it goes to the end: one answer tells both.

        Looks at the 1,000 best, or 4 k; costs O(k^2 d). Rows of zeros are like nothing.
        """
        order = self.best(max(APART_LOOKS, 4 * k))
        vectors = self.block.dense[order]
        apart: list[int] = []
        repeated: list[int] = []
        for place in range(len(order)):
            if len(apart) == k:
                break
            near = apart and float((vectors[apart] @ vectors[place]).max()) > NEARLY_IDENTICAL
            (repeated if near else apart).append(place)
        return order[np.array(apart + repeated, dtype=np.int64)[:k]]

    def by_hash(self) -> Indices:
        """Positions in the order of the keyed hash: how ties break."""
        return np.argsort(keyed_hash(self.ids, self.seed), kind="stable").astype(np.int64)


@dataclass(frozen=True)
class Context:
    """What the round knows when it prepares: labelled rows, sizes, and a way to pass over the pool once more."""

    labelled: Block
    targets: Floats  # (n, c): class shares of each labelled row
    classes: int
    multiple: bool
    pool_rows: int
    sample: ScoredRows  # a fixed uniform sample of the pool, for densities and expectations
    modality: str
    seed: int
    heads: tuple[Any, ...] = ()  # committee members, where the strategy needs them
    passes: Any = field(default=None, repr=False)  # callable giving an Iterator[Rows] over the mapped pool

    def shards(self) -> Iterator[Rows]:
        """Pass over the pool's rows once, shard by shard, in a fixed order."""
        return iter(self.passes())


class PoolStrategy(Protocol):
    """A query strategy over a pool; a frozen dataclass whose fields are its parameters."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[Need]]
    explores: ClassVar[bool]  # candidates are also drawn at random, not only by score

    def prepare(self, context: Context, rng: Generator) -> Any:
        """Make the round's small state; never an array of the pool's length times its width."""
        ...

    def score(self, shard: ScoredRows, state: Any) -> Floats:
        """Map a shard to scores (n,) float32; higher is asked first. Depends on the rows alone, not on the cut."""
        ...

    def choose(self, candidates: Candidates, k: int, state: Any, rng: Generator) -> Indices:
        """Order min(k, n) distinct candidates; every prefix is itself a good batch."""
        ...


def keyed_hash(ids: Indices, seed: int) -> NDArray[np.uint64]:
    """Map identities (n, 3) to uniform uint64 (n,) by splitmix64 keyed with the seed; equal on every machine.

    Source: Steele, Lea, Flood. Fast Splittable Pseudorandom Number Generators. OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        mixed = np.full(ids.shape[0], np.uint64(seed & 0xFFFFFFFFFFFFFFFF), dtype=np.uint64)
        for column in range(ids.shape[1]):
            mixed = _splitmix(mixed ^ ids[:, column].astype(np.uint64))
    return mixed


def _splitmix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = value ^ (value >> np.uint64(31))
    return mixed
