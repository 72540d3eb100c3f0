"""The contract of query strategies: score shards independently, then choose among the candidates.

A strategy never sees an array of the pool. `prepare` makes a small state once a round, `score` maps one
shard to one number a row, the loop keeps the best candidates, and `choose` orders the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.core.arrays import Doubles, Floats, Indices
from app.core.block import Block

NEARLY_IDENTICAL = 0.999  # the cosine from which two items say the same
APART_LOOKS = 1_000
KEEPS = 2_000  # candidates of the whole pool that are kept by score, unless the strategy says how many


class Need(StrEnum):
    """What a strategy cannot do without; the loop refuses by name when it is missing."""

    PROBABILITIES = "probabilities"
    FEATURES = "features"
    LABELLED = "labelled features"
    COMMITTEE = "committee"
    POSTERIOR = "posterior draws"
    REFIT = "refittable learner"
    ONE_CLASS = "one class an item"
    SEVERAL_CLASSES = "several classes an item"
    NUMBERS = "a number as the answer"
    EXAMPLES = "example items"
    WEIGHTS = "a number in the metadata"


OF_OUR_LEARNER = frozenset({Need.COMMITTEE, Need.POSTERIOR, Need.REFIT})  # an outside model does not give these


class Heads(Protocol):
    """Several linear heads over the dense features: members of a committee, or draws of a posterior."""

    def probabilities(self, block: Block) -> Floats:
        """(heads, n, c) float32; rows sum to one, or are independent in [0, 1] where several classes may hold."""
        ...


@dataclass(frozen=True)
class ScoredRows:
    """One shard as strategies see it: identities, features and, where they are needed, probabilities (n, c)."""

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
    prices: Doubles | None = None  # (n,), around 1: what choosing each costs, for strategies that weigh gains by it
    weights: Doubles | None = None  # (n,), where the strategy needs them; not a number where an item has none

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
    """What the round knows when it prepares: labelled rows, sizes, and a way to pass over the pool once more.

    `over` maps a function of shard number and rows over the mapped pool, in parallel, and gives the results in the
    order of the shards; reading a million rows of 384 columns takes a tenth of a second where they lie in memory.
    Sequences given behind it hold one value a shard, which the function gets as well. It may be sent to another
    machine: what it closes over is small.
    """

    labelled: Block
    targets: Floats  # (n, c): class shares of each labelled row
    classes: int
    multiple: bool
    pool_rows: int
    sample: ScoredRows  # a fixed uniform sample of the pool, for densities and expectations
    modality: str
    seed: int
    size: int = 0  # how many items the batch is to hold
    labelled_probabilities: Floats | None = None  # (n, c) of our own learner
    heads: Heads | None = None  # where the strategy needs a committee or posterior draws
    values: tuple[float, ...] | None = None  # the numbers that the classes stand for, in a rating
    examples: Floats | None = None  # (m, d): what the chosen items shall be like
    over: Callable[..., list[Any]] = field(default=lambda _function, *_each: [], repr=False)


class PoolStrategy(Protocol):
    """A query strategy over a pool; a frozen dataclass whose fields are its parameters.

    `keeps` (optional, a class attribute) is how many candidates are kept by score; 2,000 where it is missing. Where
    `needs` lacks the probabilities, `score` does not get them: only the candidates have them. `drawn` (optional) says
    that every score is nought, `unfit` (optional, a method) why it cannot work with so many classes, or nothing.
    """

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


class PricedStrategy(PoolStrategy, Protocol):
    """A query strategy that can weigh its candidates by what they cost."""

    by_cost: ClassVar[bool]  # whether it does

    def priced(self, candidates: Candidates, prices: Doubles) -> Candidates:
        """The candidates with what each costs (n,), times the median; what they are worth is divided by it."""
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
